package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// chosenKeys is a world whose target chooses its keys and is matched by name.
func chosenKeys(t testing.TB, match ...string) *world {
	w := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"name": "name", "price": "price"}})
	w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}, ServerKeys: true})
	w.adjust = func(f *Flow) { f.Match = match }
	return w
}

// Two source records that are equal, and found level in the target by match fields, do not share it (law 3).
func TestLevelRecordHasOneOwner(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := chosenKeys(t, "name"), store.New()
			defer s.Close()
			e := w.engine(s)
			w.put("products", 1, "n", "1.00")
			w.sync(e, true)
			w.put("products", 2, "n", "1.00")
			w.sync(e, full)
			all := entries(t, s, lockstep.Parked)
			if st := w.status(e, "products"); st.Links != 1 || len(all) != 1 || all[0].Fault.Code != lockstep.CodeClaimed {
				t.Fatalf("full %v: %+v %+v", full, st, all)
			}
		})
	}
}

// A deep full sync creates new records where the target chooses keys and nothing is matched.
func TestDeepFullCreatesWithoutMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := chosenKeys(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.put("products", 1, "n", "1.00")
		if _, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true, FullOptions: FullOptions{Deep: true}}); err != nil {
			t.Fatal(err)
		}
		if w.b.Len("products") != 1 {
			t.Fatalf("%+v", entries(t, s, ""))
		}
	})
}

// A record that was changed and changed back is captured twice, also within one page of a log: the newest state wins.
func TestChangedBackWithinAPage(t *testing.T) {
	w := newWorld(t, flowDef{name: "products", track: true})
	s := store.New()
	defer s.Close()
	e := w.engine(s)
	w.put("products", 1, "a", "1.00")
	w.sync(e, true)
	w.put("products", 1, "b", "1.00")
	w.put("products", 1, "a", "1.00")
	w.sync(e, false)
	w.same("products")
}

// twoFlows is a world in which two flows share the feed of one stream.
func twoFlows(t testing.TB) *world {
	w := newWorld(t, flowDef{name: "products", track: true}, flowDef{name: "copies", track: true})
	w.adjust = func(f *Flow) {
		f.From, f.Read.Stream, f.Feed = w.stream(w.a, "products"), "products", "a/products/log"
	}
	return w
}

// One flow's full sync, which makes a lost position good, leaves the other flows of the feed with theirs still due.
func TestLostPositionOfASharedFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := twoFlows(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "unseen", "2.00")
		if err := w.a.ForgetLog("products"); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Sync(context.Background(), []string{"products"}, SyncOptions{Full: true}); err != nil {
			t.Fatal(err)
		}
		w.same("products")
		e = w.engine(s) // the next command
		if _, err := e.Sync(context.Background(), []string{"copies"}, SyncOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, want := dump(w.b, "copies"), dump(w.a, "products"); got != want {
			t.Fatalf("copies: %s, not %s", got, want)
		}
	})
}

// A full sync that was to make a lost position good, and failed, is still due.
func TestFailedFullSyncOfALostPositionIsStillDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "unseen", "2.00")
		if err := w.a.ForgetLog("products"); err != nil {
			t.Fatal(err)
		}
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Scan" {
				return lockstep.Faultf(lockstep.CodeRights, "no")
			}
			return nil
		})
		if _, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true}); err == nil {
			t.Fatal("no error")
		}
		w.a.SetHook(nil)
		e = w.engine(s)
		if due, _, err := e.fullDue(context.Background(), e.flows[0], false); err != nil || due.After(time.Now()) {
			t.Errorf("due %v %v", due, err)
		}
		w.sync(e, false)
		w.same("products")
	})
}

// A run that is cut off between two saves of its place goes on from the last saved one: what it has seen since is
// not missing from its memory of what it saw.
func TestCutOffRunForgetsNothingSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Deletes = Brake{} }
		for id := range 20 {
			w.put("products", id+10, "n", "1.00")
		}
		e := w.engine(s)
		w.sync(e, true)
		ctx, cancel := context.WithCancel(context.Background())
		scans := 0
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Scan" && !c.After {
				if scans++; scans == 4 {
					time.Sleep(time.Second)
					cancel()
					return ctx.Err()
				}
			}
			return nil
		})
		if _, err := e.Full(ctx, "products", FullOptions{}); err == nil {
			t.Fatal("not cut off")
		}
		w.a.SetHook(nil)
		if row, err := e.Full(context.Background(), "products", FullOptions{}); err != nil || row.Counts.Queued > 0 || row.Counts.Read != 20 {
			t.Fatalf("%+v %v", row.Counts, err)
		}
	})
}

// A page that could not be settled is read again, however the run ends: its records that cannot be mapped are parked.
func TestUnsettledPageIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": "name", "price": "100 / int(name)"}}), store.New()
		defer s.Close()
		for id := range 9 {
			w.put("products", id, fmt.Sprint(id+1), "1.00")
		}
		w.put("products", 1, "no number", "1.00")
		ctx, cancel := context.WithCancel(context.Background())
		seen := &watched{Store: s}
		seen.settlePage = func() error {
			cancel()
			return lockstep.Faultf(lockstep.CodeStoreFull, "full")
		}
		e := w.engine(seen)
		if _, err := e.Full(ctx, "products", FullOptions{}); err == nil {
			t.Fatal("no error")
		}
		seen.settlePage = nil
		time.Sleep(time.Minute)
		w.sync(e, true)
		if w.b.Len("products") != 8 || len(entries(t, s, lockstep.Parked)) != 1 {
			t.Fatalf("%+v\n%s", w.status(e, "products"), dump(w.b, "products"))
		}
	})
}

// A filter that leaves out what was in the set is held by the brake, as deletes are (law 9).
func TestBrakeHoldsAFilterThatLeavesAllOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Deletes = Brake{Share: 0.5, Max: 100} }
		for id := range 10 {
			w.put("products", id, "n", "1.00")
		}
		w.sync(w.engine(s), true)
		w.defs[0].filter = `name == "typo"`
		e := w.engine(s)
		plan, err := e.Plan(context.Background(), "products", PlanOptions{})
		if err != nil || plan.Fault == nil || plan.Fault.Code != lockstep.CodeDeleteBrake || plan.Counts.Deleted != 10 {
			t.Errorf("plan: %+v %v", plan, err)
		}
		_, err = e.Sync(context.Background(), w.names(), SyncOptions{Full: true})
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDeleteBrake || w.b.Len("products") != 10 {
			t.Fatalf("%v, %d records left", err, w.b.Len("products"))
		}
		if _, err = e.Sync(context.Background(), w.names(), SyncOptions{Full: true, FullOptions: FullOptions{AllowDeletes: true}}); err != nil || w.b.Len("products") != 0 {
			t.Fatalf("allowed: %v, %d records left", err, w.b.Len("products"))
		}
	})
}

// An entry with an older image does not go out after a full sync found the record level.
func TestOlderEntryDoesNotOvertakeALevelRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products"}), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Retry = Retry{Attempts: 5, From: time.Hour, To: time.Hour} }
		w.b.SetHook(answerWith(lockstep.CodeDeadlock))
		w.put("products", 1, "older", "1.00")
		e := w.engine(s)
		w.sync(e, true)
		w.b.SetHook(nil)
		w.put("products", 1, "newer", "1.00")
		r, _ := w.a.Get("products", "1")
		w.b.Put("products", r.Fields)
		if _, err := e.Full(context.Background(), "products", FullOptions{Deep: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		for range 3 {
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		w.same("products")
		if n := w.b.Writes("products", "1"); n != 0 {
			t.Errorf("%d writes of a record that was level", n)
		}
	})
}

// A target edit that is parked stays parked over full syncs until a person decides; a retry overwrites the target.
func TestParkedEditWaitsForAPerson(t *testing.T) {
	for _, deep := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.adjust = func(f *Flow) { f.OnTargetEdit = ParkEdit }
			w.put("products", 1, "n", "1.00")
			e := w.engine(s)
			w.sync(e, true)
			w.b.Edit("products", "1", "name", "edited")
			var err error
			if deep {
				_, err = e.Full(context.Background(), "products", FullOptions{Deep: true})
			} else {
				_, err = e.Verify(context.Background(), "products", VerifyOptions{Repair: true, TempDir: t.TempDir()})
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				time.Sleep(time.Minute)
				w.sync(e, true)
			}
			all := entries(t, s, lockstep.Parked)
			if r, _ := w.b.Get("products", "1"); len(all) != 1 || r.Fields.Equal(w.a.All("products")["1"]) {
				t.Fatalf("deep %v: %+v\n%s", deep, w.status(e, "products"), dump(w.b, "products"))
			}
			if _, err := s.Requeue(context.Background(), all[0].ID); err != nil {
				t.Fatal(err)
			}
			w.sync(e, false)
			w.same("products")
		})
	}
}

// A delta whose capture failed does not call itself finished.
func TestFailedDeltaSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.put("products", 1, "n", "1.00")
		w.sync(e, false)
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Changes" {
				return lockstep.Faultf(lockstep.CodeRights, "no")
			}
			return nil
		})
		_, err := e.Sync(context.Background(), w.names(), SyncOptions{})
		rows, _ := s.Runs(context.Background(), lockstep.RunQuery{Kind: lockstep.DeltaRun})
		if err == nil || len(rows) != 1 || rows[0].State != lockstep.Failed || rows[0].Fault == nil {
			t.Fatalf("%v %+v", err, rows)
		}
	})
}

// A delta whose source's connection broke once reads on by itself; one that is away for good says so.
func TestDeltaReadsOnBehindABrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.put("products", 1, "n", "1.00")
		w.sync(e, false)
		w.put("products", 2, "n", "2.00")
		broken := 2
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Changes" && broken > 0 {
				broken--
				return lockstep.Faultf(lockstep.CodeNetwork, "broken")
			}
			return nil
		})
		w.sync(e, false)
		w.same("products")
		broken = 1000
		if _, err := e.Sync(context.Background(), w.names(), SyncOptions{}); lockstep.KindOf(err) != lockstep.Transient || broken != 997 {
			t.Errorf("%v, after %d tries", err, 1000-broken)
		}
	})
}

// Run that cannot start a flow leaves no goroutine of the others behind.
func TestRunThatCannotStartEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true}, flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		full := lockstep.Faultf(lockstep.CodeStoreFull, "full")
		e := w.engine(&watched{Store: s, startRun: func(r lockstep.Run) error {
			if r.Flow == "categories" && r.Kind == lockstep.DeltaRun {
				return full
			}
			return nil
		}})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := e.Run(ctx); !errors.Is(err, full) {
			t.Fatal(err)
		}
		w.a.ResetCounts()
		time.Sleep(time.Minute)
		if n := w.a.Counts()["Changes"] + w.a.Counts()["Scan"]; n > 0 {
			t.Fatalf("%d reads of the source after Run returned", n)
		}
	})
}

// The last batch of a daemon that stops is in the counts of its run.
func TestLastBatchIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.sync(e, true)
		ctx, cancel := context.WithCancel(context.Background())
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" && !c.After {
				cancel()
				time.Sleep(time.Second)
			}
			return nil
		})
		w.put("products", 1, "n", "1.00")
		if err := e.Run(ctx); err != nil {
			t.Fatal(err)
		}
		rows, _ := s.Runs(context.Background(), lockstep.RunQuery{Kind: lockstep.DeltaRun})
		if len(rows) != 1 || rows[0].Counts.Created != 1 {
			t.Fatalf("%+v", rows)
		}
	})
}

// A source that always fails at the same place is not tried for ever.
func TestFullSyncGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 20 {
			w.put("products", id, "n", "1.00")
		}
		e := w.engine(s)
		w.sync(e, true)
		var scans atomic.Int64
		ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
		defer cancel()
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Scan" && !c.After && scans.Add(1)%3 == 0 {
				return lockstep.Faultf(lockstep.CodeNetwork, "broken")
			}
			return nil
		})
		if _, err := e.Full(ctx, "products", FullOptions{}); err == nil || ctx.Err() != nil {
			t.Fatalf("%v after %d scans", ctx.Err(), scans.Load())
		}
	})
}

// A delivery that links a target record while a full sync is about to write to it is not passed over (law 3).
func TestClaimWhileAFullSyncWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}})
		e := w.engine(s)
		w.sync(e, true)
		w.put("products", 1, "sku", "1.00")
		var once atomic.Bool
		seen := &watched{Store: s}
		seen.linksTo = func() {
			if once.Swap(true) {
				return
			}
			w.put("products", 2, "sku", "2.00")
			if err := s.Hint(context.Background(), "products", []lockstep.Key{"2"}); err != nil {
				t.Error(err)
			}
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Error(err)
			}
		}
		e.store = seen
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.sync(e, false)
		if st := w.status(e, "products"); st.Links != 1 || st.Parked != 1 {
			t.Fatalf("%+v\n%s", st, dump(w.b, "products"))
		}
	})
}

// While a full sync writes a record that it found by match fields, a delivery of the same record waits (law 3).
func TestMatchedRecordHasOneWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := chosenKeys(t, "name"), store.New()
		defer s.Close()
		e := w.engine(s)
		w.sync(e, true)
		w.b.Put("products", value.F("id", 77, "name", "n", "price", value.Null))
		w.put("products", 1, "n", "1.00")
		var inside, most atomic.Int64
		w.b.SetHook(func(c memory.Call) error {
			if c.Name != "Apply" {
				return nil
			}
			if c.After {
				inside.Add(-1)
				return nil
			}
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Second)
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(500 * time.Millisecond)
		w.put("products", 1, "n", "2.00")
		if _, _, err := e.capture(context.Background(), e.feeds["a/products/log"]); err != nil {
			t.Error(err)
		}
		if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		w.sync(e, false)
		if most.Load() != 1 {
			t.Errorf("%d writers at a time", most.Load())
		}
		if a, b := byName(w); a != b {
			t.Errorf("%s, not %s", b, a)
		}
	})
}

// A delete that read its link before another record took the target record over deletes nothing.
func TestDeleteOfATargetRecordThatWasTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}})
		e := w.engine(s)
		w.put("products", 1, "sku", "1.00")
		w.sync(e, true)
		w.a.Delete("products", "1")
		w.put("products", 2, "sku", "2.00")
		w.adjust = func(f *Flow) { f.Batch = 1 }
		var once atomic.Bool
		seen := &watched{Store: s}
		e = w.engine(seen)
		if _, _, err := e.capture(context.Background(), e.feeds["a/products/log"]); err != nil {
			t.Fatal(err)
		}
		seen.links = func(string) { // of the delete, which goes first: the other one overtakes it here
			if once.Swap(true) {
				return
			}
			if n, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
		for range 3 {
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if w.b.Len("products") != 1 {
			t.Fatal("deleted what belongs to another record")
		}
	})
}

// A target that is away in the middle of a full sync costs a pause: the page is read again, nothing is sent twice.
func TestTargetAwayInTheMiddleOfAFullSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 30 {
			w.put("products", id, "n", "1.00")
		}
		e := w.engine(s)
		applies := 0
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" && !c.After {
				if applies++; applies == 3 || applies == 4 || applies == 8 {
					return lockstep.Faultf(lockstep.CodeUnavailable, "away")
				}
			}
			return nil
		})
		row := w.sync(e, true)[0]
		w.same("products")
		if row.State != lockstep.Finished || row.Counts.Created != 30 || row.Counts.Read != 30 || w.b.AllWrites("products") != 30 {
			t.Fatalf("%+v, %d writes", row, w.b.AllWrites("products"))
		}
	})
}

// Records that a failed run had in flight are looked for by the next one (law 5).
func TestInFlightOfAFailedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products"}), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.00")
		seen := &watched{Store: s}
		seen.settlePage = func() error { return lockstep.Faultf(lockstep.CodeInvariant, "broken") }
		e := w.engine(seen)
		if row, err := e.Full(context.Background(), "products", FullOptions{}); err == nil || row.State != lockstep.Failed || w.b.Len("products") != 1 {
			t.Fatalf("%+v %v", row, err)
		}
		seen.settlePage = nil
		w.put("products", 2, "stays", "1.00")
		w.a.Delete("products", "1") // it is in the target, and only the failed run knows
		w.sync(e, true)
		w.same("products")
	})
}
