package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// watched is a store with a look at some of its calls.
type watched struct {
	lockstep.Store
	settle     func() error
	settlePage func() error
	startRun   func(lockstep.Run) error
	linksTo    func()
	links      func(flow string)
}

func (s *watched) Settle(ctx context.Context, os ...lockstep.Outcome) error {
	if s.settle != nil {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return s.Store.Settle(ctx, os...)
}

func (s *watched) SettlePage(ctx context.Context, flow string, end lockstep.PageEnd) error {
	if s.settlePage != nil {
		if err := s.settlePage(); err != nil {
			return err
		}
	}
	return s.Store.SettlePage(ctx, flow, end)
}

func (s *watched) StartRun(ctx context.Context, r lockstep.Run) (lockstep.Run, error) {
	if s.startRun != nil {
		if err := s.startRun(r); err != nil {
			return r, err
		}
	}
	return s.Store.StartRun(ctx, r)
}

func (s *watched) LinksTo(ctx context.Context, flow string, keys []lockstep.Key) ([]lockstep.Link, error) {
	links, err := s.Store.LinksTo(ctx, flow, keys)
	if s.linksTo != nil {
		s.linksTo()
	}
	return links, err
}

func (s *watched) Links(ctx context.Context, flow string, keys []lockstep.Key) ([]lockstep.LinkState, error) {
	links, err := s.Store.Links(ctx, flow, keys)
	if s.links != nil {
		s.links(flow)
	}
	return links, err
}

// atMost ends the context after n settles: what spins does not hang the test.
func atMost(t *testing.T, s lockstep.Store, n int64) (*watched, context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel)
	var count atomic.Int64
	return &watched{Store: s, settle: func() error {
		if count.Add(1) == n {
			t.Errorf("more than %d settles", n)
			cancel()
		}
		return nil
	}}, ctx
}

// ends fails the test unless the sync came to its end by itself.
func ends(t *testing.T, e *Engine, ctx context.Context, names []string) error {
	t.Helper()
	_, err := e.Sync(ctx, names, SyncOptions{Patience: 3 * time.Second})
	if ctx.Err() != nil {
		t.Fatal("the sync has no end")
	}
	return err
}

func answerWith(code lockstep.Code) memory.Hook {
	return func(c memory.Call) error {
		if c.Name == "Write" && !c.After {
			return lockstep.Faultf(code, "so be it")
		}
		return nil
	}
}

func entries(t *testing.T, s lockstep.Store, state lockstep.EntryState) []lockstep.Entry {
	t.Helper()
	all, err := s.Entries(context.Background(), "products", state, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A sync whose target is away, or refuses it, ends with the fault and not never.
func TestSyncEndsWhereTheTargetDoesNotAnswer(t *testing.T) {
	for _, code := range []lockstep.Code{lockstep.CodeUnavailable, lockstep.CodeLogin, lockstep.CodeVersionMoved, lockstep.CodeGone, lockstep.CodeThrottled} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.put("products", 1, "n", "1.00")
			seen, ctx := atMost(t, s, 2000)
			e := w.engine(seen)
			w.sync(e, false)
			w.b.SetHook(answerWith(code))
			w.put("products", 1, "new", "1.00")
			w.put("products", 2, "new", "1.00")
			err := ends(t, e, ctx, w.names())
			if f := lockstep.FaultOf(err); (code == lockstep.CodeUnavailable || code == lockstep.CodeLogin) && (f == nil || f.Code != code) {
				t.Errorf("%s: %v", code, err)
			}
			if st := w.status(e, "products"); st.Ready+st.Delayed+st.Parked != 2 {
				t.Errorf("%s: %+v", code, st)
			}
			w.b.SetHook(nil)
			for _, en := range entries(t, s, lockstep.Parked) {
				if _, err := s.Requeue(context.Background(), en.ID); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			w.sync(e, false)
			w.same("products")
		})
	}
}

// A target that says of a create that it is not there is asked a bounded number of times.
func TestNotFoundForACreateParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		seen, ctx := atMost(t, s, 2000)
		e := w.engine(seen)
		w.sync(e, false)
		w.b.SetHook(answerWith(lockstep.CodeGone))
		w.put("products", 1, "n", "1.00")
		_ = ends(t, e, ctx, w.names())
		if all := entries(t, s, lockstep.Parked); len(all) != 1 {
			t.Fatalf("%+v", w.status(e, "products"))
		}
	})
}

// A reference to a record that is gone from its source and disabled in the target waits, and does not spin.
func TestReferenceToDisabledRecordDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`, "price": "price"}},
			flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) {
			if f.Name == "categories" {
				f.OnDelete, f.Disable = DisableRecord, value.F("name", "disabled")
			}
		}
		w.put("categories", 100, "c", "0.00")
		seen, ctx := atMost(t, s, 2000)
		e := w.engine(seen)
		w.sync(e, false)
		w.a.Delete("categories", "100")
		w.sync(e, false)
		w.put("products", 1, "100", "1.00")
		if err := ends(t, e, ctx, w.names()); err != nil {
			t.Fatal(err)
		}
		w.put("categories", 100, "back", "0.00")
		time.Sleep(time.Minute)
		w.sync(e, false)
		time.Sleep(time.Minute)
		w.sync(e, false)
		if w.b.Len("products") != 1 {
			t.Fatalf("%+v", w.status(e, "products"))
		}
	})
}

// A record that is gone on both sides is not made again in order to be disabled.
func TestDisableMakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.OnDelete, f.Disable = DisableRecord, value.F("name", "disabled") }
		w.put("products", 1, "one", "1.50")
		e := w.engine(s)
		w.sync(e, true)
		w.b.Delete("products", "1")
		w.a.Delete("products", "1")
		w.sync(e, false)
		if w.b.Len("products") != 0 || w.status(e, "products").Links != 0 {
			t.Fatal(dump(w.b, "products"))
		}
	})
}

// An owner of a claimed target record that cannot be read hurts only the claimant, in a full sync and in a delta.
func TestUnreadableOwnerHurtsOnlyItsClaimant(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}})
			unreadable := false
			w.source = func(a *memory.System) lockstep.Source { return &blindFor{a, &unreadable, "1"} }
			w.put("products", 1, "sku", "1.00")
			e := w.engine(s)
			w.sync(e, false)
			unreadable = true
			w.put("products", 2, "sku", "2.00")
			w.put("products", 3, "other", "3.00")
			if _, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: full}); err != nil {
				t.Errorf("full %v: %v", full, err)
			}
			if _, ok := w.b.Get("products", "other"); !ok {
				t.Errorf("full %v: the neighbour did not go: %+v", full, w.status(e, "products"))
			}
			if all := entries(t, s, lockstep.Parked); len(all) != 1 || all[0].Change.Record.Key != "2" {
				t.Errorf("full %v: %+v", full, all)
			}
		})
	}
}

// blindFor is a source that cannot fetch one of its records.
type blindFor struct {
	*memory.System
	on  *bool
	key lockstep.Key
}

func (s *blindFor) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	if *s.on && slices.Contains(keys, s.key) {
		return nil, lockstep.Faultf(lockstep.CodeTooLarge, "record %s is too large", s.key)
	}
	return s.System.Fetch(ctx, r, keys)
}

// A filter that asks a reference decides by the reference, not by what stands in for it while it is looked up.
func TestFilterByReference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, filter: `link("categories", name) == "100"`}, flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		w.put("categories", 100, "c", "0.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "100", "1.00")
		w.sync(e, false)
		if w.b.Len("products") != 1 {
			t.Fatalf("not created: %+v", w.status(e, "products"))
		}
		w.put("products", 1, "100", "2.00")
		w.sync(e, false)
		if w.b.Len("products") != 1 {
			t.Fatal("a record that is in the set was deleted")
		}
	})
}

// A create by a hint, of which nobody knows whether it took effect, is not forgotten because the source's record went.
func TestUnknownCreateByHintOfARecordThatWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 1, "n", "1.00")
		e.feeds["a/products/log"].at = nil // only the hint tells of it
		if err := s.Hint(context.Background(), "products", []lockstep.Key{"1"}); err != nil {
			t.Fatal(err)
		}
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" && c.After {
				return lockstep.NewFault(lockstep.CodeNetwork, errors.New("the answer was lost")).Maybe()
			}
			return nil
		})
		if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.b.SetHook(nil)
		w.a.Delete("products", "1")
		time.Sleep(time.Minute)
		if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
			t.Fatal(err)
		}
		if w.b.Len("products") != 0 && len(entries(t, s, lockstep.Parked)) != 1 {
			t.Fatalf("an orphan that nobody is told of: %+v\n%s", w.status(e, "products"), dump(w.b, "products"))
		}
	})
}

// Two spellings of one key are one record where the target folds keys (law 3).
func TestFoldedKeysAreClaimedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}, FoldKeys: true})
		w.put("products", 1, "SKU", "1.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 2, "sku", "2.00")
		w.sync(e, false)
		all := entries(t, s, lockstep.Parked)
		if len(all) != 1 || all[0].Fault.Code != lockstep.CodeClaimed {
			t.Fatalf("%+v\n%s", all, dump(w.b, "products"))
		}
		row, err := e.Verify(context.Background(), "products", VerifyOptions{TempDir: t.TempDir()})
		if err != nil || row.Counts.Extra+row.Counts.Missing+row.Counts.Different != 0 {
			t.Fatalf("%+v %v", row.Counts, err)
		}
	})
}

// A record that is there, was not met by the scan and cannot be read keeps no delete of others back (law 4).
func TestUnreadableRecordKeepsNoDeleteBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		unreadable := false
		w.source = func(a *memory.System) lockstep.Source { return &blindFor{a, &unreadable, "1"} }
		for id := range 7 {
			w.put("products", id, "n", "1.00")
		}
		e := w.engine(s)
		w.sync(e, true)
		unreadable = true
		w.a.Delete("products", "1")
		w.a.Delete("products", "2")
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
			t.Fatal(err)
		}
		w.sync(e, false)
		_, one := w.b.Get("products", "1")
		_, two := w.b.Get("products", "2")
		if all := entries(t, s, lockstep.Parked); !one || two || len(all) != 1 || all[0].Change.Record.Key != "1" {
			t.Fatalf("%v %v %+v", one, two, all)
		}
	})
}

// Two spellings of a match value are one record where the target's texts fold (law 3).
func TestFoldedMatchValuesMakeOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := chosenKeys(t, "name"), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}, ServerKeys: true, CaseFoldText: true})
		e := w.engine(s)
		w.sync(e, true)
		w.put("products", 1, "SKU", "1.00")
		w.put("products", 2, "sku", "2.00")
		w.sync(e, false)
		if all := entries(t, s, lockstep.Parked); w.b.Len("products") != 1 || len(all) != 1 || all[0].Fault.Code != lockstep.CodeClaimed {
			t.Fatalf("%+v\n%s", all, dump(w.b, "products"))
		}
	})
}

// Two records of one batch whose keys become each other's neighbours: the one that moves waits for its place (law 3).
func TestKeyMovesToWhereAnotherIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"name"}})
		w.put("products", 1, "a", "1.00")
		w.put("products", 2, "b", "2.00")
		e := w.engine(s)
		w.sync(e, false)
		w.put("products", 2, "c", "2.00") // makes room
		w.put("products", 1, "b", "1.00")
		w.sync(e, false)
		time.Sleep(time.Minute)
		w.sync(e, true)
		if st := w.status(e, "products"); st.Links != 2 || st.Parked != 0 || w.b.Len("products") != 2 {
			t.Fatalf("%+v\n%s", st, dump(w.b, "products"))
		}
	})
}
