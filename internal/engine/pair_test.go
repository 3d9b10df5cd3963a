package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// inPair runs a test of a pair in a bubble, with both sides empty and followed.
func inPair(t *testing.T, adjust func(*pairWorld), test func(*pairWorld, *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newPairWorld(t)
		if adjust != nil {
			adjust(w)
		}
		e := w.engine(store.New())
		w.sync(e, false)
		test(w, e)
	})
}

func tick() { time.Sleep(time.Second) }

// What one side does arrives on the other, and its echo costs neither a write nor a look at the target.
func TestPairCarriesBothWaysAndEchoesDie(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", "a"))
		w.b.Put(things, value.F("id", 2, "name", "b"))
		w.sync(e, false)
		w.both("1 name=a; 2 name=b")
		if w.writes() != 2 {
			t.Errorf("%d writes, want 2", w.writes())
		}
		w.a.ResetCounts()
		w.b.ResetCounts()
		w.sync(e, false)
		for name, c := range map[string]map[string]int{"a": w.a.Counts(), "b": w.b.Counts()} {
			if c["Write"]+c["Find"]+c["Fetch"] > 0 {
				t.Errorf("the echoes cost %v on %s", c, name)
			}
		}
		w.a.Edit(things, "2", "name", "B")
		w.b.Delete(things, "1")
		w.quiet(e)
		w.both("2 name=B")
		if n := w.writes(); n != 2 {
			t.Errorf("%d writes, want 2", n)
		}
		w.empty(e)
	})
}

// Where both sides changed since they were last level, the newer one wins; what the other held stays on the story.
func TestPairNewestWins(t *testing.T) {
	for _, order := range [][]string{{"there", "back"}, {"back", "there"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			inPair(t, nil, func(w *pairWorld, e *Engine) {
				for id := 1; id <= 2; id++ {
					w.a.Put(things, value.F("id", id, "name", "old", "stock", 1))
				}
				w.quiet(e)
				w.a.Edit(things, "1", "name", "a")
				w.b.Edit(things, "2", "name", "b")
				tick()
				w.b.Edit(things, "1", "name", "b newer", "stock", 5)
				w.a.Edit(things, "2", "name", "a newer")
				w.sync(e, false, order[0])
				w.sync(e, false, order[1])
				w.quiet(e)
				w.both("1 name=b newer stock=5; 2 name=a newer stock=1")
				w.empty(e)
				for flow, lost := range map[string]string{"back": `{"id":1,"name":"a","price":null,"stock":1,"sku":null,"note":null}`} {
					key := lockstep.Key("1")
					c := clashOf(t, e, flow, key)
					if c == nil || c.Won != lockstep.B || string(value.AppendFields(nil, c.Lost)) != lost || c.Why == "" {
						t.Errorf("%s of %s: %+v", key, flow, c)
					} else if name, _ := c.Kept.Get("name"); name.Text() != "b newer" {
						t.Errorf("kept %+v", c.Kept)
					}
				}
				if c := clashOf(t, e, "there", "2"); c == nil || c.Won != lockstep.A {
					t.Errorf("2: %+v", c)
				}
			})
		})
	}
}

// clashOf is the last conflict on a record's story.
func clashOf(t *testing.T, e *Engine, flow string, key lockstep.Key) (c *lockstep.Clash) {
	events, _, _, err := e.store.Story(context.Background(), flow, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range events {
		if ev.Clash != nil {
			c = ev.Clash
		}
	}
	return c
}

func TestPairSideWins(t *testing.T) {
	for name, want := range map[string]string{"a": "1 name=a", "b": "1 name=b"} {
		side := lockstep.A
		if name == "b" {
			side = lockstep.B
		}
		inPair(t, func(w *pairWorld) { w.policy = conflict.Wins(side) }, func(w *pairWorld, e *Engine) {
			w.a.Put(things, value.F("id", 1, "name", "old"))
			w.a.Put(things, value.F("id", 2, "name", "old"))
			w.a.Put(things, value.F("id", 3, "name", "old"))
			w.quiet(e)
			w.a.Edit(things, "1", "name", "a")
			w.b.Edit(things, "1", "name", "b")
			w.a.Delete(things, "2")
			w.b.Edit(things, "2", "name", "b")
			w.a.Edit(things, "3", "name", "a")
			w.b.Delete(things, "3")
			w.quiet(e)
			if name == "a" {
				w.both(want + "; 3 name=a")
			} else {
				w.both(want + "; 2 name=b")
			}
			w.empty(e)
		})
	}
}

// A delete of what the other side left alone is carried over; an edit wins over a delete; two deletes are one.
func TestPairDeletes(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		for id := 1; id <= 5; id++ {
			w.a.Put(things, value.F("id", id, "name", "old"))
		}
		w.quiet(e)
		w.a.Delete(things, "1")
		w.b.Delete(things, "2")
		w.a.Delete(things, "3")
		w.b.Delete(things, "3")
		w.a.Delete(things, "4")
		w.b.Edit(things, "4", "name", "edited in b")
		w.b.Delete(things, "5")
		w.a.Edit(things, "5", "name", "edited in a")
		w.quiet(e)
		w.both("4 name=edited in b; 5 name=edited in a")
		w.empty(e)
		if n, _, err := e.store.CountLinks(context.Background(), "there"); err != nil || n != 2 {
			t.Errorf("%d links, %v", n, err)
		}
		if c := clashOf(t, e, "back", "4"); c == nil || c.Lost.Len() != 0 || c.Kept.Len() == 0 {
			t.Errorf("4: %+v", c)
		}
	})
}

// Records that both sides hold already are linked where they are equal; where they differ the policy decides.
func TestPairFirstMeeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPairWorld(t)
		w.there.match, w.back.match = []string{"sku"}, []string{"sku"}
		w.there.rules = map[string]string{"name": "name", "sku": "sku"}
		w.back.rules = w.there.rules
		def := lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"id"}, SeesDeletes: true, ServerKeys: true}
		w.a.DefineStream(def)
		w.b.DefineStream(def)
		w.a.Put(things, value.F("id", 201, "sku", "same", "name", "x"))
		w.b.Put(things, value.F("id", 101, "sku", "same", "name", "x"))
		w.a.Put(things, value.F("id", 202, "sku", "two", "name", "a"))
		w.b.Put(things, value.F("id", 103, "sku", "three", "name", "b"))
		w.b.Put(things, value.F("id", 104, "sku", "only b", "name", "b"))
		tick()
		w.b.Put(things, value.F("id", 102, "sku", "two", "name", "b newer"))
		w.a.Put(things, value.F("id", 203, "sku", "three", "name", "a newer"))
		w.a.Put(things, value.F("id", 205, "sku", "only a", "name", "a"))
		e := w.engine(store.New())
		w.sync(e, false)
		w.quiet(e)
		got := map[string]string{}
		for _, s := range []*memory.System{w.a, w.b} {
			for _, f := range s.All(things) {
				sku, _ := f.Get("sku")
				name, _ := f.Get("name")
				got[sku.Text()] += name.Text() + "|"
			}
		}
		for sku, want := range map[string]string{"same": "x|x|", "two": "b newer|b newer|", "three": "a newer|a newer|", "only a": "a|a|", "only b": "b|b|"} {
			if got[sku] != want {
				t.Errorf("%s: %q, want %q", sku, got[sku], want)
			}
		}
		if len(got) != 5 {
			t.Errorf("%v", got)
		}
		w.empty(e)
		if n, _, _ := e.store.CountLinks(context.Background(), "back"); n != 5 {
			t.Errorf("%d links", n)
		}
		if c := clashOf(t, e, "back", "102"); c == nil || c.Won != lockstep.B {
			t.Errorf("two: %+v", c)
		}
	})
}
