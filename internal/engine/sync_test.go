package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

func TestFullThenDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		if c := w.sync(e, false)[0].Counts; c.Read != 10 || c.Created != 10 {
			t.Fatalf("first sync: %+v", c)
		}
		w.same("products")
		w.put("products", 3, "changed", "2.00")
		w.put("products", 11, "new", "3.00")
		w.a.Delete("products", "5")
		c := w.sync(e, false)[0].Counts
		if c.Created != 1 || c.Updated != 1 || c.Deleted != 1 {
			t.Fatalf("delta: %+v", c)
		}
		w.same("products")
		w.b.ResetCounts()
		if c := w.sync(e, true)[0].Counts; c.Level != 10 || c.Updated+c.Created+c.Deleted != 0 {
			t.Fatalf("full with nothing changed: %+v", c)
		}
		if n := w.b.Counts()["Apply"]; n != 0 {
			t.Fatalf("a full sync with nothing changed called Apply %d times", n)
		}
	})
}

func TestFullFindsDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products"}), store.New() // no tracker
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, true)
		w.a.Delete("products", "0")
		w.a.Delete("products", "9")
		if c := w.sync(e, true)[0].Counts; c.Deleted != 2 {
			t.Fatalf("%+v", c)
		}
		w.same("products")
	})
}

func TestDeleteBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Deletes = Brake{Share: 0.1, Max: 1000} }
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, true)
		before := dump(w.b, "products")
		w.a.Delete("products", "1")
		w.a.Delete("products", "2")
		// The log tracker would see the deletes; here only the full sync may decide.
		row, err := e.Full(context.Background(), "products", FullOptions{})
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDeleteBrake || row.State != lockstep.Stopped {
			t.Fatalf("row %+v, err %v", row, err)
		}
		if dump(w.b, "products") != before {
			t.Fatal("the brake let a delete through")
		}
		rows, err := e.Sync(context.Background(), []string{"products"}, SyncOptions{Full: true, FullOptions: FullOptions{AllowDeletes: true}})
		if err != nil || rows[0].ID != row.ID {
			t.Fatalf("allowing the deletes should go on with run %d: %+v %v", row.ID, rows[0], err)
		}
		w.same("products")
	})
}

func TestEmptyReadDeletesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products"}), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		w.sync(e, true)
		w.a.Delete("products", "1")
		_, err := e.Full(context.Background(), "products", FullOptions{})
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeShortRead {
			t.Fatal(err)
		}
		if w.b.Len("products") != 1 {
			t.Fatal("an empty read deleted the target")
		}
	})
}

func TestBadRecordHurtsOnlyItself(t *testing.T) {
	for _, whole := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.b.DefineStream(w.stream(w.b, "products"), memoryRules(whole))
			for id := range 10 {
				w.put("products", id, "n"+string(rune('a'+id)), "1.50")
			}
			w.put("products", 4, "na", "1.50") // doubles the name of 0
			e := w.engine(s)
			w.sync(e, false)
			st := w.status(e, "products")
			if w.b.Len("products") != 9 || st.Parked != 1 {
				t.Fatalf("whole=%v: target has %d, status %+v", whole, w.b.Len("products"), st)
			}
			entries, err := s.Entries(context.Background(), "products", lockstep.Parked, 0, 10)
			if err != nil || len(entries) != 1 || entries[0].Fault.Code != lockstep.CodeUnique {
				t.Fatalf("%+v %v", entries, err)
			}
			w.put("products", 4, "mended", "1.50")
			w.sync(e, false)
			w.same("products")
			if st := w.status(e, "products"); st.Parked != 0 {
				t.Fatalf("a mended record is still parked: %+v", st)
			}
		})
	}
}

func TestFilteredRecordLeavesTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, filter: `name != "hidden"`}), store.New()
		defer s.Close()
		w.put("products", 1, "shown", "1.00")
		w.put("products", 2, "hidden", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		if w.b.Len("products") != 1 {
			t.Fatal(dump(w.b, "products"))
		}
		w.put("products", 1, "hidden", "1.00")
		w.put("products", 2, "shown", "1.00")
		w.sync(e, false)
		if _, ok := w.b.Get("products", "1"); ok || w.b.Len("products") != 1 {
			t.Fatal(dump(w.b, "products"))
		}
	})
}

func TestReferencesWaitAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`, "price": "price"}},
			flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		for id := range 7 {
			w.put("products", id, "100", "1.00")
		}
		e := w.engine(s)
		w.sync(e, false)
		if st := w.status(e, "products"); st.Waiting != 7 || w.b.Len("products") != 0 {
			t.Fatalf("%+v\n%s", st, dump(w.b, "products"))
		}
		w.put("categories", 100, "c", "0.00")
		w.sync(e, false)
		if st := w.status(e, "products"); st.Waiting != 0 || w.b.Len("products") != 7 {
			t.Fatalf("%+v\n%s", st, dump(w.b, "products"))
		}
	})
}

func TestKeyMovesInTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		def := lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}}
		w.b.DefineStream(def)
		w.put("products", 1, "old", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "new", "1.00")
		w.sync(e, false)
		if _, ok := w.b.Get("products", "new"); !ok || w.b.Len("products") != 1 {
			t.Fatal(dump(w.b, "products"))
		}
	})
}

func TestSecondClaimantIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}})
		w.put("products", 1, "sku", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 2, "sku", "2.00")
		w.sync(e, false)
		entries, _ := s.Entries(context.Background(), "products", lockstep.Parked, 0, 10)
		if len(entries) != 1 || entries[0].Fault.Code != lockstep.CodeClaimed {
			t.Fatalf("%+v", entries)
		}
		w.a.Delete("products", "1") // now it is free
		w.put("products", 2, "sku", "3.00")
		w.sync(e, false)
		r, _ := w.b.Get("products", "sku")
		if price, _ := r.Fields.Get("price"); w.b.Len("products") != 1 || price.String() != "3.00" {
			t.Fatal(dump(w.b, "products"))
		}
	})
}

func TestVerifyAndRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, false)
		w.b.Edit("products", "1", "name", "edited")
		w.b.Delete("products", "2")
		w.b.Put("products", value.F("id", 99, "name", "stray", "price", value.Null))
		var drifts []Drift
		verify := func(repair bool) lockstep.Run {
			drifts = nil
			row, err := e.Verify(context.Background(), "products", VerifyOptions{Repair: repair, TempDir: t.TempDir(), Report: func(d Drift) error {
				drifts = append(drifts, d)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
		if c := verify(false).Counts; c.Different != 1 || c.Missing != 1 || c.Extra != 1 || c.Read != 10 {
			t.Fatalf("%+v %+v", c, drifts)
		}
		verify(true)
		w.sync(e, false)
		if c := verify(false).Counts; c.Different+c.Missing != 0 || c.Extra != 1 {
			t.Fatalf("after repair: %+v %+v", c, drifts)
		}
		w.b.Delete("products", "99")
		w.same("products")
		w.put("products", 3, "in flight", "1.50")
		if _, _, err := e.capture(context.Background(), e.feeds["a/products/log"]); err != nil {
			t.Fatal(err)
		}
		if c := verify(false).Counts; c.InFlight != 1 || c.Different != 0 {
			t.Fatalf("%+v %+v", c, drifts)
		}
	})
}

func TestPlanAndApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "changed", "1.50")
		w.put("products", 20, "new", "1.50")
		w.a.Delete("products", "3")
		var items []PlanItem
		plan := func() lockstep.Run {
			items = nil
			row, err := e.Plan(context.Background(), "products", PlanOptions{Report: func(it PlanItem) error {
				items = append(items, it)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
		before := dump(w.b, "products")
		if c := plan().Counts; c.Created != 1 || c.Updated != 1 || c.Deleted != 1 || c.Level != 8 {
			t.Fatalf("%+v %+v", c, items)
		}
		if dump(w.b, "products") != before {
			t.Fatal("a plan wrote")
		}
		hash, _ := e.MappingHash("products")
		saved := SavedPlan{Flow: "products", Mapping: hash, Items: itemsOf(items)}
		w.put("products", 1, "changed again", "1.50")
		if _, err := e.Apply(context.Background(), saved, SyncOptions{}); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeStalePlan {
			t.Fatalf("a stale plan was applied: %v", err)
		}
		if dump(w.b, "products") != before {
			t.Fatal("a stale plan wrote")
		}
		plan()
		saved.Items = itemsOf(items)
		if _, err := e.Apply(context.Background(), saved, SyncOptions{}); err != nil {
			t.Fatal(err)
		}
		w.same("products")
	})
}

// A first full sync that could not ask the source where now is leaves no flow behind that nobody follows.
func TestFailedBaselineIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Changes" {
				return lockstep.Faultf(lockstep.CodeUnavailable, "away")
			}
			return nil
		})
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err == nil {
			t.Fatal("no error")
		}
		w.a.SetHook(nil)
		w.sync(e, false)
		w.put("products", 2, "captured", "1.50")
		if c := w.sync(e, false)[0]; c.Kind != lockstep.DeltaRun || c.Counts.Read != 1 {
			t.Fatalf("%+v", c)
		}
		w.same("products")
	})
}
