package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

const many = 20

// changing is a world that was level by the mapping before.
func changing(t *testing.T, before map[string]string) (*world, lockstep.Store) {
	w := newWorld(t, flowDef{name: "products", track: true, rules: before})
	s := store.New()
	t.Cleanup(func() { _ = s.Close() })
	for i := range many {
		w.put("products", i, fmt.Sprint("n", i), fmt.Sprint(i, ".00"))
	}
	w.sync(w.engine(s), true)
	w.b.ResetCounts()
	return w, s
}

// TestChangedMapping: a changed mapping makes a full sync due by itself, and that sends the records whose image it
// changes, and no other.
func TestChangedMapping(t *testing.T) {
	all := map[string]string{"id": "id", "name": "name", "price": "price"}
	with := func(pairs ...string) map[string]string {
		out := maps.Clone(all)
		for i := 0; i < len(pairs); i += 2 {
			if out[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(out, pairs[i])
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		before, after map[string]string
		target        func(w *world) // what else is in the target
		sent          int
	}{
		"a rule that changes three":            {all, with("name", `id < 3 ? "new" : name`), nil, 3},
		"a rule that changes nothing":          {all, with("name", `name + ""`), nil, 0},
		"a field less":                         {all, with("price", ""), nil, 0},
		"a field more, the target has it":      {with("price", ""), all, fill(func(i int) any { return value.Int(int64(i)) }), 0},
		"a field more, the target has some":    {with("price", ""), all, fill(func(i int) any { return map[bool]any{true: i, false: nil}[i > 4] }), 5},
		"a field more, and null":               {with("price", ""), with("price", "nil"), fill(func(i int) any { return map[bool]any{true: i, false: nil}[i < 2] }), 2},
		"a field more and another one less":    {with("price", ""), with("name", ""), fill(func(i int) any { return i }), 0},
		"a field less and a rule that changes": {all, with("price", "", "name", `id == 7 ? "new" : name`), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := changing(t, c.before)
			if c.target != nil {
				c.target(w)
			}
			w.defs[0].rules = c.after
			e := w.engine(s)
			if due, light, err := e.fullDue(context.Background(), e.byName["products"], false); err != nil || light || time.Until(due) > 0 {
				t.Fatalf("due %v, light %v, %v", due, light, err)
			}
			planned := 0
			if _, err := e.Plan(context.Background(), "products", PlanOptions{Report: func(PlanItem) error { planned++; return nil }}); err != nil || planned != c.sent {
				t.Errorf("%d records are planned, want %d: %v", planned, c.sent, err)
			}
			w.b.ResetCounts()
			if row := w.sync(e, false)[0]; row.Kind != lockstep.FullRun || row.Counts.Read != many || row.Counts.Updated != int64(c.sent) {
				t.Errorf("%+v", row)
			}
			if n := w.b.AllWrites("products"); n != c.sent {
				t.Errorf("%d records were sent, want %d", n, c.sent)
			}
			quiet(t, w, e)
		})
	}
}

// fill gives the target's records prices that no mapping has given.
func fill(price func(i int) any) func(*world) {
	return func(w *world) {
		for i := range many {
			w.b.Put("products", value.F("id", i, "name", fmt.Sprint("n", i), "price", price(i)))
		}
	}
}

// quiet sees that nothing is due, that a full sync on request finds all level by the links alone and writes nothing.
func quiet(t *testing.T, w *world, e *Engine) {
	t.Helper()
	if due, _, err := e.fullDue(context.Background(), e.byName["products"], false); err != nil || time.Until(due) < time.Hour {
		t.Errorf("a full sync is due still: %v %v", due, err)
	}
	w.b.ResetCounts()
	w.sync(e, true)
	if counts := w.b.Counts(); counts["Apply"]+counts["Fetch"]+counts["Find"] > 0 {
		t.Errorf("an unchanged full sync asked the target: %v", counts)
	}
}

// TestChangedNullPolicy: a null that was skipped and is to be sent from now on is a change, though no digest tells.
func TestChangedNullPolicy(t *testing.T) {
	w, s := changing(t, nil)
	policy := mapping.SkipNull
	w.adjust = func(f *Flow) {
		spec := mapping.Spec{Flow: f.Name, Source: f.From, Target: &f.To, Fields: []mapping.Rule{{Name: "id", Expr: "id"}, {Name: "name", Expr: "name", Null: policy}, {Name: "price", Expr: "price"}}}
		var err error
		if f.Mapping, err = mapping.Compile(spec); err == nil {
			f.Shape, err = image.New(f.To, f.Mapping.Writes(), image.Options{Absent: f.Mapping.Absent()})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.a.Put("products", value.F("id", 1, "name", nil, "price", 1))
	w.sync(w.engine(s), true)
	if rec, _ := w.b.Get("products", "1"); rec.Fields.Len() == 0 {
		t.Fatal("no record")
	} else if name, _ := rec.Fields.Get("name"); name.IsNull() {
		t.Fatal("the null was not skipped")
	}
	policy = mapping.SendNull
	e := w.engine(s)
	w.b.ResetCounts()
	w.sync(e, false)
	if n := w.b.AllWrites("products"); n != 1 {
		t.Errorf("%d records were sent", n)
	}
	w.same("products")
	quiet(t, w, e)
}

// TestChangedMappingCutOff: a full sync for a changed mapping that is cut off goes on where it was; what was looked at
// is not looked at again, and a mapping that changes meanwhile begins anew.
func TestChangedMappingCutOff(t *testing.T) {
	rules := map[string]string{"id": "id", "name": "name"}
	w, s := changing(t, rules)
	w.defs[0].rules = map[string]string{"id": "id", "name": "name", "price": "price"}
	e := w.engine(s)
	ctx, cancel := context.WithCancel(context.Background())
	pages := 0
	w.b.SetHook(func(c memory.Call) error {
		if c.Name == "Fetch" && !c.After {
			if pages++; pages == 3 {
				cancel()
			}
		}
		return nil
	})
	row, err := e.Full(ctx, "products", FullOptions{})
	if !errors.Is(err, context.Canceled) || row.State != lockstep.Interrupted || row.Counts.Read == many {
		t.Fatalf("%+v %v", row, err)
	}
	w.b.SetHook(nil)
	e = w.engine(s)
	again := w.sync(e, false)[0]
	if again.ID != row.ID || again.Counts.Updated != many {
		t.Errorf("%+v", again)
	}
	w.same("products")
	if n := w.b.AllWrites("products"); n != many {
		t.Errorf("%d writes", n)
	}
	quiet(t, w, e)
	w.defs[0].rules = rules
	if row := w.sync(w.engine(s), false)[0]; row.ID == again.ID || row.Counts.Level != many {
		t.Errorf("%+v", row)
	}
}
