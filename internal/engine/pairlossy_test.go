package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// Mappings that lose something on their way: the echo dies all the same, and each side keeps what it said itself.
func TestPairEchoOfLossyMappings(t *testing.T) {
	lossy := func(w *pairWorld) {
		w.there.rules = map[string]string{"id": "id", "name": "upper(trim(name))", "price": "round(price, 1)"}
		w.back.rules = map[string]string{"id": "id", "name": "name", "price": "price"}
	}
	inPair(t, lossy, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", " bob ", "price", price("1.2345")))
		w.quiet(e)
		w.want("1 name= bob  price=1.2345", "1 name=BOB price=1.2")
		w.b.Edit(things, "1", "price", price("2.5555"))
		w.quiet(e)
		w.want("1 name=BOB price=2.5555", "1 name=BOB price=2.5555")
		w.a.Edit(things, "1", "name", "alice")
		w.quiet(e)
		w.want("1 name=alice price=2.5555", "1 name=ALICE price=2.6")
		before := w.writes()
		w.sync(e, true)
		w.quiet(e)
		if w.writes() != before {
			t.Errorf("full syncs wrote: %s", w.dump())
		}
		w.empty(e)
		for _, flow := range e.Flows() {
			row, err := e.Verify(context.Background(), flow, VerifyOptions{Report: func(d Drift) error { t.Errorf("%+v", d); return nil }})
			if err != nil || row.Counts.Different+row.Counts.Missing+row.Counts.Extra > 0 {
				t.Errorf("%s: %+v %v", flow, row.Counts, err)
			}
		}
	})
}

// A target that makes something else of what it is given says so once, and both come to rest.
func TestPairTargetThatAlters(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", "bob"))
		w.sync(e, false, "there")
		w.b.Edit(things, "1", "name", "BOB") // as a trigger of b would
		w.quiet(e)
		w.both("1 name=BOB")
	})
}

// Fields that only one of the flows carries do not make a conflict, and do not get lost in one.
func TestPairFieldsOfOneFlow(t *testing.T) {
	mixed := func(w *pairWorld) {
		w.there.rules = map[string]string{"id": "id", "name": "name", "price": "price", "note": `(name ?? "") + "/" + (sku ?? "")`}
		w.back.rules = map[string]string{"id": "id", "name": "name", "stock": "stock"}
	}
	inPair(t, mixed, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", "x", "price", price("1"), "sku", "s"))
		w.quiet(e)
		w.want("1 name=x price=1 sku=s", "1 name=x note=x/s price=1")
		w.a.Edit(things, "1", "price", price("2"))
		w.b.Edit(things, "1", "stock", 7) // both changed, and nothing of it is the other's
		w.quiet(e)
		w.want("1 name=x price=2 sku=s stock=7", "1 name=x note=x/s price=2 stock=7")
		for _, flow := range e.Flows() {
			if c := clashOf(t, e, flow, "1"); c != nil {
				t.Errorf("%s: %+v", flow, c)
			}
		}
		w.a.Edit(things, "1", "price", price("3"), "name", "a") // the name is lost, the price is not
		tick()
		w.b.Edit(things, "1", "stock", 8, "name", "b")
		w.quiet(e)
		w.want("1 name=b price=3 sku=s stock=8", "1 name=b note=b/s price=3 stock=8")
		w.b.Edit(things, "1", "stock", 9, "name", "b2")
		tick()
		w.a.Edit(things, "1", "price", price("4"), "name", "a2", "sku", "s2")
		w.quiet(e)
		w.want("1 name=a2 price=4 sku=s2 stock=9", "1 name=a2 note=a2/s2 price=4 stock=9")
		w.b.Edit(things, "1", "name", "b3") // and what is made of it in a comes back as b's note
		w.quiet(e)
		w.want("1 name=b3 price=4 sku=s2 stock=9", "1 name=b3 note=b3/s2 price=4 stock=9")
		w.empty(e)
	})
}

// A filter of one flow does not make the other's records go.
func TestPairFilters(t *testing.T) {
	filtered := func(w *pairWorld) { w.there.filter = `stock > 0` }
	inPair(t, filtered, func(w *pairWorld, e *Engine) {
		w.b.Put(things, value.F("id", 1, "name", "of b", "stock", 0)) // comes to a, where the filter leaves it out
		w.a.Put(things, value.F("id", 2, "name", "of a", "stock", 0))
		w.a.Put(things, value.F("id", 3, "name", "in", "stock", 1))
		w.quiet(e)
		w.want("1 name=of b stock=0; 2 name=of a stock=0; 3 name=in stock=1", "1 name=of b stock=0; 3 name=in stock=1")
		w.sync(e, true)
		w.quiet(e)
		w.a.Edit(things, "1", "name", "edited outside of the set")
		w.a.Edit(things, "3", "stock", 0) // it leaves
		w.quiet(e)
		w.want("1 name=edited outside of the set stock=0; 2 name=of a stock=0; 3 name=in stock=0", "1 name=of b stock=0")
		w.b.Edit(things, "1", "stock", 4) // it comes in by b, over what a said meanwhile: nobody carried that
		w.a.Edit(things, "2", "stock", 2)
		w.quiet(e)
		w.want("1 name=of b stock=4; 2 name=of a stock=2; 3 name=in stock=0", "1 name=of b stock=4; 2 name=of a stock=2")
		w.b.Edit(things, "2", "stock", 0) // b's edit takes it out of the set: that deletes nothing
		w.quiet(e)
		w.want("1 name=of b stock=4; 2 name=of a stock=0; 3 name=in stock=0", "1 name=of b stock=4; 2 name=of a stock=0")
		w.b.Delete(things, "2")
		w.quiet(e)
		w.want("1 name=of b stock=4; 3 name=in stock=0", "1 name=of b stock=4")
		w.empty(e)
	})
}

// An edit between the look and the write is not written over: the write asks for the version that was seen.
func TestPairEditBetweenLookAndWrite(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", "old"))
		w.quiet(e)
		w.a.Edit(things, "1", "name", "a")
		once := false
		w.b.SetHook(func(c callOf) error {
			if c.Name == "Apply" && !c.After && !once {
				once = true
				time.Sleep(time.Second)
				w.b.Edit(things, "1", "name", "b at the last moment")
			}
			return nil
		})
		w.quiet(e)
		w.both("1 name=b at the last moment")
		if c := clashOf(t, e, "back", "1"); c == nil {
			t.Error("the conflict left no trace")
		}
		w.empty(e)
	})
}

// A key that changes on one side moves the record on the other.
func TestPairKeyChange(t *testing.T) {
	moving := func(w *pairWorld) {
		def := lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"sku"}, SeesDeletes: true}
		w.b.DefineStream(def)
		w.there.rules = map[string]string{"sku": "sku", "name": "name"}
		w.back.rules = map[string]string{"id": "num(note)", "sku": "sku", "name": "name"}
		w.back.rules = map[string]string{"sku": "sku", "name": "name"}
		server := lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"id"}, SeesDeletes: true, ServerKeys: true}
		w.a.DefineStream(server)
		w.there.match, w.back.match = nil, []string{"sku"}
	}
	inPair(t, moving, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1001, "sku", "one", "name", "x"))
		w.a.Put(things, value.F("id", 1002, "sku", "two", "name", "y"))
		w.quiet(e)
		w.a.Edit(things, "1001", "sku", "uno") // its record in b moves: there that is a delete and a create
		w.quiet(e)
		w.want("1001 name=x sku=uno; 1002 name=y sku=two", "two name=y sku=two; uno name=x sku=uno")
		w.b.Delete(things, "two") // and a key change in b is a delete and a create, too
		w.b.Put(things, value.F("sku", "dos", "name", "y"))
		w.quiet(e)
		if a, b := len(w.a.All(things)), len(w.b.All(things)); a != 2 || b != 2 {
			t.Errorf("%s", w.dump())
		}
		w.empty(e)
	})
}

// Everything at once on both sides, again and again, while both flows run: the two come to rest, level.
func TestPairRunsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPairWorld(t)
		w.policy = conflict.Newest
		e := w.engine(store.New())
		w.sync(e, false)
		for round := range 20 {
			for id := range 6 {
				side := w.a
				if (id+round)%2 == 0 {
					side = w.b
				}
				side.Put(things, value.F("id", id, "name", strings.Repeat("x", round), "stock", round))
				if (id+round)%3 == 0 {
					w.a.Put(things, value.F("id", id, "name", "other", "stock", round))
				}
				if (id+round)%7 == 0 {
					side.Delete(things, keyOf(id))
				}
				time.Sleep(time.Duration(id*round) * time.Millisecond)
			}
			w.sync(e, round%5 == 4)
		}
		w.quiet(e)
		if a, b := brief(w.a), brief(w.b); a != b || a == "" {
			t.Errorf("%s", w.dump())
		}
		w.empty(e)
	})
}
