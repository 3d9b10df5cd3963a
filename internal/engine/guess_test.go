package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// An entry that says nothing of its record keeps what was fetched before a create. If the record is gone by the next try,
// that tells where to look: what was made goes again, and where nothing was made nothing is left open.
func TestUnknownOutcomeOfAHint(t *testing.T) {
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		for what, queue := range map[string]func(w *world, s lockstep.Store) error{
			"hint": func(_ *world, s lockstep.Store) error { return s.Hint(t.Context(), "products", []lockstep.Key{"7"}) },
			"delete, came back": func(_ *world, s lockstep.Store) error {
				return appendTo(s, lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: "7"}})
			},
			"an older state": func(_ *world, s lockstep.Store) error {
				return appendTo(s, lockstep.Change{Hint: true, Record: lockstep.Record{Key: "7", Fields: value.F("id", 7, "name", "old")}})
			},
			"hint behind change": func(_ *world, s lockstep.Store) error {
				return errors.Join(appendTo(s, lockstep.Change{Record: lockstep.Record{Key: "7", Fields: value.F("id", 7, "name", "old")}}), s.Hint(t.Context(), "products", []lockstep.Key{"7"}))
			},
		} {
			for where, world := range map[string]func(testing.TB) *world{"target chooses keys": serverKeys, "our keys": func(t testing.TB) *world { return newWorld(t) }} {
				t.Run(name+", "+what+", "+where, func(t *testing.T) {
					w, s := world(t), store.New()
					defer s.Close()
					cutOffCreate(t, w, s, made, func() error { return queue(w, s) })
					w.a.Delete("products", "7")
					time.Sleep(150 * time.Millisecond) // the retry's pause
					if _, _, err := w.engine(s).worker(w.flow(w.defs[0]), 0).deliver(t.Context()); err != nil {
						t.Fatal(err)
					}
					if all := entries(t, s, ""); len(all) > 0 || w.b.Len("products") > 0 {
						t.Errorf("want nothing left, have %s and %+v", dump(w.b, "products"), all)
					}
				})
			}
		}
	}
}

func appendTo(s lockstep.Store, c lockstep.Change) error {
	at, _, err := s.Checkpoint(context.Background(), "a/products/log")
	if err != nil {
		return err
	}
	return s.Append(context.Background(), "a/products/log", at, []lockstep.Change{c}, at, time.Time{})
}

// cutOffCreate delivers record 7, which only the queue tells of, and loses the connection behind or before its effect.
func cutOffCreate(t *testing.T, w *world, s lockstep.Store, made bool, queue func() error) {
	t.Helper()
	e := w.engine(s)
	w.sync(e, true)
	if err := w.a.ForgetLog("products"); err != nil {
		t.Fatal(err)
	}
	w.put("products", 7, "n", "1.00")
	if err := queue(); err != nil {
		t.Fatal(err)
	}
	w.b.SetHook(func(c memory.Call) error {
		if c.Name == "Apply" && c.After == made {
			return lockstep.NewFault(lockstep.CodeNetwork, errors.New("cut off")).Maybe()
		}
		return nil
	})
	if _, _, err := e.worker(e.flows[0], 0).deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.b.SetHook(nil)
	if n := w.b.Len("products"); (n == 1) != made {
		t.Fatalf("%d records in the target", n)
	}
}

// What a key alone says of a record whose image cannot be mapped any more: where nothing is there, nothing is open; what
// is there may be somebody else's (law 9).
func TestUnknownOutcomeOfAnotherMapping(t *testing.T) {
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			cutOffCreate(t, w, s, made, func() error { return s.Hint(t.Context(), "products", []lockstep.Key{"7"}) })
			w.a.Delete("products", "7")
			w.defs[0].rules = map[string]string{"id": "id", "name": "int(name)", "price": "price"}
			time.Sleep(150 * time.Millisecond)
			e := w.engine(s)
			if _, _, err := e.worker(e.flows[0], 0).deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := entries(t, s, "")
			switch {
			case made && (len(all) != 1 || all[0].State != lockstep.Parked || all[0].Fault.Code != lockstep.CodeBlind || w.b.Len("products") != 1):
				t.Errorf("want it parked: %+v", all)
			case !made && len(all) != 0:
				t.Errorf("want nothing open: %+v", all)
			}
		})
	}
}

func TestKeyValues(t *testing.T) {
	at := time.Date(2026, 11, 24, 1, 2, 3, 456789000, time.UTC)
	d, err := value.ParseDecimal("12.5")
	if err != nil {
		t.Fatal(err)
	}
	for kind, v := range map[value.TypeKind]value.Value{
		value.TextType: value.Text("ä,[\"1\"]"), value.IntType: value.Int(-12), value.DecimalType: value.FromDecimal(d),
		value.BytesType: value.Bytes([]byte{0, 255}), value.InstantType: value.Time(at), value.UUIDType: value.Text("x"),
	} {
		text, _ := v.KeyText()
		got, ok := keyValue(kind, text)
		if back, _ := got.KeyText(); ok != (kind != value.UUIDType) || ok && back != text {
			t.Errorf("%s: %q became %q", kind, text, back)
		}
	}
}

// A create with an unknown outcome whose record has another name by the next try: what was made under the old one becomes
// the record, and is not made a second time beside it. What was not made is made once.
func TestUnknownOutcomeUnderAnotherName(t *testing.T) {
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		for where, world := range map[string]func(testing.TB) *world{
			"target chooses keys": serverKeys,
			"key of the name": func(t testing.TB) *world {
				return newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id + len(name)", "name": "name", "price": "price"}})
			},
		} {
			t.Run(name+", "+where, func(t *testing.T) {
				w, s := world(t), store.New()
				defer s.Close()
				cutOffCreate(t, w, s, made, func() error { return s.Hint(t.Context(), "products", []lockstep.Key{"7"}) })
				w.put("products", 7, "another", "1.00")
				e := w.engine(s)
				for range 3 {
					time.Sleep(150 * time.Millisecond) // the retry's pause
					if _, _, err := e.worker(e.flows[0], 0).deliver(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if all := entries(t, s, ""); len(all) > 0 || w.b.Len("products") != 1 || !strings.Contains(dump(w.b, "products"), "another") {
					t.Errorf("have %s and %+v", dump(w.b, "products"), all)
				}
			})
		}
	}
}

// The same where changes are captured while the create is under way: each brings a name of its own, and takes the place of
// the one that was tried.
func TestUnknownOutcomeOvertakenByAnotherName(t *testing.T) {
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := serverKeys(t), store.New()
				e := w.engine(s)
				w.sync(e, true)
				w.put("products", 7, "first", "1.00")
				cut := false
				w.b.SetHook(func(c memory.Call) error {
					if c.Name != "Apply" || c.After != made || cut {
						return nil
					}
					cut = true
					for _, other := range []string{"second", "third"} { // captured before the outcome is settled
						w.put("products", 7, other, "1.00")
						if _, _, err := e.capture(t.Context(), e.feeds[e.flows[0].Feed]); err != nil {
							t.Error(err)
						}
					}
					return lockstep.Faultf(lockstep.CodeNetwork, "the answer was lost").Maybe()
				})
				w.sync(e, false)
				if all := entries(t, s, ""); len(all) > 0 || w.b.Len("products") != 1 || !strings.Contains(dump(w.b, "products"), "third") {
					t.Errorf("have %s and %+v", dump(w.b, "products"), all)
				}
			})
		})
	}
}

// The same where the record is gone, or leaves the set, by the next try: what was made under the name that was tried goes,
// too, and stays nobody's. A record that somebody else has under the last name is not touched (law 9).
func TestUnknownOutcomeOvertakenByItsEnd(t *testing.T) {
	ends := map[string]func(w *world){
		"gone":       func(w *world) { w.a.Delete("products", "7") },
		"renamed":    func(w *world) { w.put("products", 7, "second", "1.00"); w.a.Delete("products", "7") },
		"another's":  func(w *world) { w.put("products", 7, "taken", "1.00"); w.a.Delete("products", "7") },
		"left out":   func(w *world) { w.put("products", 7, "out", "1.00") },
		"unmappable": func(w *world) { w.put("products", 7, "long", "1.00"); w.a.Delete("products", "7") },
	}
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		for end, do := range ends {
			t.Run(name+", "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, s := serverKeys(t), store.New()
					w.put("products", 1, "taken", "1.00")
					w.defs[0].rules["name"], w.defs[0].filter = `name == "long" ? nil : name`, `name != "out"`
					e := w.engine(s)
					w.sync(e, true)
					w.put("products", 7, "first", "1.00")
					cut := false
					w.b.SetHook(func(c memory.Call) error {
						if c.Name != "Apply" || c.After != made || cut {
							return nil
						}
						cut = true
						do(w)
						if _, _, err := e.capture(t.Context(), e.feeds[e.flows[0].Feed]); err != nil { // before the outcome is settled
							t.Error(err)
						}
						return lockstep.Faultf(lockstep.CodeNetwork, "the answer was lost").Maybe()
					})
					w.sync(e, false)
					if all := entries(t, s, ""); len(all) > 0 || w.b.Len("products") != 1 || !strings.Contains(dump(w.b, "products"), "taken") {
						t.Errorf("have %s and %+v", dump(w.b, "products"), all)
					}
				})
			})
		}
	}
}
