package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
)

func TestPulledFlowIsHandedOutOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Minute)
		if st := w.status(e, "products"); st.Ready != 10 || st.Leased != 0 {
			t.Fatalf("nobody asks, and of 10 records are ready or leased: %+v", st)
		}
		p := newPuller(t, e)
		p.all()
		p.level(w)
		w.put("products", 3, "changed", "2.00")
		w.put("products", 4, "n", "1.50") // as it was
		w.a.Delete("products", "5")
		time.Sleep(time.Minute)
		h := p.pull(100, time.Minute, 0)
		if len(h.Writes) != 2 {
			t.Errorf("what is level is handed out: %+v", h.Writes)
		}
		p.settle(h, p.take(h)...)
		p.level(w)
		if st := w.status(e, "products"); st.Ready+st.Leased+st.Delayed+st.Parked != 0 || st.Links != 9 {
			t.Errorf("%+v", st)
		}
		for id, n := range p.ids {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})
}

func TestFullSyncToAPullerGoesTheSameWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 10 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, true) // without a daemon: it only fills the queue
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		p.all()
		p.level(w)
		w.put("products", 3, "changed", "2.00")
		w.a.Delete("products", "5")
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
			t.Fatal(err)
		}
		p.all()
		p.level(w)
		if row, err := e.Full(context.Background(), "products", FullOptions{}); err != nil || row.Counts.Queued != 0 {
			t.Errorf("an unchanged full sync queues %d, %v", row.Counts.Queued, err)
		}
		_, err := e.Full(context.Background(), "products", FullOptions{Deep: true})
		wantCode(t, err, lockstep.CodeCannot)
		_, err = e.Verify(context.Background(), "products", VerifyOptions{})
		wantCode(t, err, lockstep.CodeCannot)
		row, err := e.Plan(context.Background(), "products", PlanOptions{})
		if err != nil || row.Counts.Level != 9 {
			t.Errorf("a plan: %+v %v", row.Counts, err)
		}
	})
}

func wantCode(t testing.TB, err error, code lockstep.Code) {
	t.Helper()
	if err == nil || lockstep.FaultOf(err).Code != code {
		t.Errorf("the error is %v, not %s", err, code)
	}
}

// What is not settled in time comes again with the same id; who is late, or settles twice, is told.
func TestUnsettledComesAgainWithTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 4 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		h := p.pull(10, 30*time.Second, 0)
		if len(h.Writes) != 4 || h.Writes[0].Source == "" {
			t.Fatalf("%+v", h)
		}
		part := p.take(h)
		if got := p.settle(h, part[0]); got.Settled != 1 || got.Left != 3 {
			t.Errorf("%+v", got)
		}
		if got := p.settle(h, part[0], PullResult{ID: "x", Status: PullDone}, PullResult{ID: part[1].ID, Status: "nonsense"}); got.Repeated != 1 || got.Left != 3 || len(got.Refused) != 2 {
			t.Errorf("%+v", got)
		}
		time.Sleep(31 * time.Second)
		_, err := e.SettlePull(context.Background(), "products", h.Lease, part)
		wantCode(t, err, lockstep.CodeLease)
		_, err = e.SettlePull(context.Background(), "products", "x", part)
		wantCode(t, err, lockstep.CodeGone)
		p.all()
		p.level(w)
		for i, wr := range h.Writes {
			if want := 2; i > 0 && p.ids[wr.ID] != want {
				t.Errorf("%s came %d times", wr.ID, p.ids[wr.ID])
			}
		}
		if len(p.ids) != 4 {
			t.Errorf("%d ids for 4 records", len(p.ids))
		}
		whole := p.pull(10, time.Minute, 0)
		if whole.Lease != "" {
			t.Errorf("%+v", whole)
		}
	})
}

func TestALeaseThatWasSettledWholeTakesItsSettlesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		h := p.pull(10, 30*time.Second, 0)
		results := p.take(h)
		p.settle(h, results...)
		if got := p.settle(h, results...); got.Repeated != 1 || got.Settled != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A hint is read anew at each try. Where the record changed meanwhile, unseen by the tracker so far, the id changes, too:
// a puller that takes a known id as done would keep the old state for good.
func TestAnIDDoesNotOutliveItsContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		w.put("products", 1, "old", "1.50")
		e := w.engine(s)
		w.sync(e, true) // a hint is in the queue
		for _, f := range e.flows {
			f.Every = time.Hour
		}
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		first := p.pull(1, time.Second, 0)
		w.put("products", 1, "new", "1.50") // nobody has seen it yet
		time.Sleep(10 * time.Second)
		second := p.pull(1, time.Minute, 0)
		if textOf(second.Writes[0].Write) != "new 1.50" || second.Writes[0].ID == first.Writes[0].ID {
			t.Errorf("%+v, then %+v", first, second)
		}
	})
}

// The state goes from A to B and back while B is held by somebody who never settles: A is handed out, though the link says A.
func TestBackToWhatWasLevelIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		w.put("products", 1, "A", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		p.all()
		w.put("products", 1, "B", "1.50")
		time.Sleep(time.Second)
		h := p.pull(1, 5*time.Second, 0)
		p.take(h) // done, and the settle is lost
		w.put("products", 1, "A", "1.50")
		time.Sleep(time.Minute)
		p.all()
		p.level(w)
	})
}

func TestPullerChoosesKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, true), store.New()
		defer s.Close()
		w.defs[0].rules = map[string]string{"name": "name", "price": "price"}
		w.put("products", 1, "a", "1.50")
		w.put("products", 2, "b", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		h := p.pull(10, time.Minute, 0)
		if len(h.Writes) != 2 || h.Writes[0].Key != "" {
			t.Fatalf("%+v", h)
		}
		one, two := h.Writes[0].ID, h.Writes[1].ID
		for key, want := range map[lockstep.Key]int{"": 1, "007": 1, "x": 1} {
			if got := p.settle(h, PullResult{ID: one, Status: PullDone, Key: key}); len(got.Refused) != want {
				t.Errorf("the key %q: %+v", key, got)
			}
		}
		if got := p.settle(h, PullResult{ID: one, Status: PullDone, Key: "71", Version: "v1"}); got.Settled != 1 {
			t.Errorf("%+v", got)
		}
		if got := p.settle(h, PullResult{ID: two, Status: PullDone, Key: "71"}); got.Settled != 1 {
			t.Errorf("%+v", got)
		}
		entries, err := s.Entries(context.Background(), "products", lockstep.Parked, 0, 10)
		if err != nil || len(entries) != 1 || entries[0].Fault.Code != lockstep.CodeClaimed {
			t.Errorf("a key that another record has: %+v %v", entries, err)
		}
		w.put("products", 1, "a2", "1.50")
		time.Sleep(time.Second)
		h = p.pull(10, time.Minute, 0)
		if len(h.Writes) != 1 || h.Writes[0].Key != "71" {
			t.Fatalf("%+v", h)
		}
		p.settle(h, PullResult{ID: h.Writes[0].ID, Status: PullGone})
		h = p.pull(10, time.Minute, time.Second)
		if len(h.Writes) != 1 || h.Writes[0].Key != "" {
			t.Fatalf("what is gone is not made anew: %+v", h)
		}
		p.settle(h, PullResult{ID: h.Writes[0].ID, Status: PullDone, Key: "72"})
		w.a.Delete("products", "1")
		time.Sleep(time.Second)
		h = p.pull(10, time.Minute, 0)
		if len(h.Writes) != 1 || h.Writes[0].Op != lockstep.Delete || h.Writes[0].Key != "72" || h.Writes[0].Source != "1" {
			t.Fatalf("%+v", h)
		}
		p.settle(h, PullResult{ID: h.Writes[0].ID, Status: PullGone})
		if st := w.status(e, "products"); st.Links != 0 || st.Parked != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// A create that was handed out and not settled, and whose source record goes meanwhile: the delete is handed out, with
// the source's key where the target's is not known.
func TestDeleteAfterAnUnsettledCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, true), store.New()
		defer s.Close()
		w.defs[0].rules = map[string]string{"name": "name", "price": "price"}
		w.put("products", 1, "a", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		p.pull(10, time.Second, 0)
		w.a.Delete("products", "1")
		time.Sleep(time.Minute)
		h := p.pull(10, time.Minute, 0)
		if len(h.Writes) != 1 || h.Writes[0].Op != lockstep.Delete || h.Writes[0].Source != "1" {
			t.Fatalf("%+v", h)
		}
		p.settle(h, PullResult{ID: h.Writes[0].ID, Status: PullDone})
		if st := w.status(e, "products"); st.Links+st.Parked+st.Ready != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A record that its puller does not survive is parked in the end, and has not taken its neighbours along.
func TestAPoisonousRecordIsParkedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 40 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		for _, f := range e.flows {
			f.Retry.Attempts = 8
		}
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		for {
			h := p.pull(40, 10*time.Second, 5*time.Minute)
			if len(h.Writes) == 0 {
				break
			}
			if slices.ContainsFunc(h.Writes, func(wr HandedWrite) bool { return wr.Key == "7" }) {
				time.Sleep(11 * time.Second) // it dies of it
				continue
			}
			p.settle(h, p.take(h)...)
		}
		parked, err := s.Entries(context.Background(), "products", lockstep.Parked, 0, 100)
		if err != nil || len(parked) != 1 || parked[0].Change.Record.Key != "7" || parked[0].Fault.Code != lockstep.CodeUnsettled {
			t.Errorf("%d parked, %v", len(parked), err)
		}
		if len(p.holds) != 39 {
			t.Errorf("it holds %d records", len(p.holds))
		}
	})
}

func TestWhatPullersSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 4 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		p := newPuller(t, e)
		h := p.pull(10, time.Minute, 0)
		p.settle(h,
			PullResult{ID: h.Writes[0].ID, Status: PullFailed, Error: "no\nsuch category \xff"},
			PullResult{ID: h.Writes[1].ID, Status: PullRetry, RetryAfter: time.Hour},
			PullResult{ID: h.Writes[2].ID, Status: PullRetry},
			PullResult{ID: h.Writes[3].ID, Status: PullGone})
		byCode := map[lockstep.Code]lockstep.Entry{}
		entries, err := s.Entries(context.Background(), "products", "", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, en := range entries {
			byCode[en.Fault.Code] = en
			if en.Fault.Code == lockstep.CodePullRetry && en.Attempts == 0 && time.Until(en.NotBefore) < 50*time.Minute {
				t.Errorf("%+v", en)
			}
		}
		if en := byCode[lockstep.CodePullFailed]; en.State != lockstep.Parked {
			t.Errorf("%+v", en)
		}
		if len(entries) != 4 {
			t.Errorf("%d entries", len(entries))
		}
		time.Sleep(time.Minute)
		if h = p.pull(10, time.Minute, 0); len(h.Writes) != 1 {
			t.Errorf("%d come again soon", len(h.Writes))
		}
		time.Sleep(time.Hour)
		if h = p.pull(10, time.Minute, 0); len(h.Writes) != 2 {
			t.Errorf("%d come again later", len(h.Writes))
		}
	})
}

// Pullers side by side get different records, one state of a record at a time, and the newest comes last.
func TestPullersSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		e := w.engine(s)
		stop := daemon(t, e)
		defer stop()
		time.Sleep(time.Second)
		var mu sync.Mutex
		held, holds := map[lockstep.Key]bool{}, map[lockstep.Key]string{}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for n := range 6 {
			wg.Go(func() {
				for ctx.Err() == nil {
					h, err := e.Pull(ctx, "products", Ask{Max: 5, TTL: 10 * time.Second, Wait: time.Second})
					if err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					for _, wr := range h.Writes {
						if held[wr.Key] {
							t.Errorf("%s is held twice", wr.Key)
						}
						held[wr.Key] = true
					}
					mu.Unlock()
					time.Sleep(time.Duration(n) * 30 * time.Millisecond)
					var results []PullResult
					mu.Lock()
					for _, wr := range h.Writes {
						holds[wr.Key] = textOf(wr.Write)
						held[wr.Key] = false
						results = append(results, PullResult{ID: wr.ID, Status: PullDone})
					}
					mu.Unlock()
					if len(results) == 0 {
						continue
					}
					if _, err := e.SettlePull(context.Background(), "products", h.Lease, results); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for round := range 30 {
			for id := range 20 {
				w.put("products", id, fmt.Sprint("state ", round), "1.50")
			}
			time.Sleep(150 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
		for key, text := range holds {
			if text != "state 29 1.50" {
				t.Errorf("%s holds %s", key, text)
			}
		}
		if len(holds) != 20 {
			t.Errorf("%d records", len(holds))
		}
	})
}

// A daemon that stops, or dies, with leases open hands the same out again under the same ids.
func TestLeasesAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		for id := range 5 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		stop := daemon(t, e)
		time.Sleep(time.Second)
		p := newPuller(t, e)
		h := p.pull(10, time.Minute, 0)
		waiting := make(chan error)
		go func() {
			_, err := e.Pull(context.Background(), "products", Ask{Max: 1, TTL: time.Minute, Wait: time.Hour})
			waiting <- err
		}()
		synctest.Wait()
		stop()
		if err := <-waiting; err == nil {
			t.Error("who waits is told nothing")
		}
		_, err := e.SettlePull(context.Background(), "products", h.Lease, nil)
		wantCode(t, err, lockstep.CodeUnavailable)
		e = w.engine(s)
		defer daemon(t, e)()
		time.Sleep(time.Second)
		p.e = e
		p.all()
		p.level(w)
		if len(p.ids) != 5 {
			t.Errorf("%d ids for 5 records", len(p.ids))
		}
	})
}

// Full syncs that read everything again and again, as a snapshot does, leave an entry as it is that nobody has settled
// yet: its id stays, and so does a pause that it has.
func TestFullSyncsLeaveWhatWaitsAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pullWorld(t, false), store.New()
		defer s.Close()
		w.defs[0].track = false
		for id := range 3 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		stop := daemon(t, e)
		time.Sleep(time.Second)
		p := newPuller(t, e)
		full := func() {
			t.Helper()
			time.Sleep(time.Second)
			if _, err := p.e.Full(context.Background(), "products", FullOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		full()
		h := p.pull(10, 10*time.Second, 0)
		if len(h.Writes) != 3 {
			t.Fatalf("%+v", h)
		}
		p.settle(h, PullResult{ID: h.Writes[0].ID, Status: PullRetry, RetryAfter: time.Hour})
		full()
		time.Sleep(20 * time.Second) // its time is over
		full()
		h = p.pull(10, 10*time.Second, 0)
		stop()
		e = w.engine(s)
		p.e = e
		defer daemon(t, e)()
		time.Sleep(time.Second)
		full()
		for range 3 {
			full()
			if h = p.pull(10, time.Minute, 0); h.Lease != "" {
				p.settle(h, p.take(h)...)
			}
		}
		if len(p.holds) != 2 {
			t.Errorf("the pause ended early, or records are missing: %v", p.holds)
		}
		if len(p.ids) != 3 {
			t.Errorf("%d ids for 3 records", len(p.ids))
		}
		// What has changed in the source while it is held comes after it.
		w.put("products", 1, "B", "1.50")
		full()
		h = p.pull(10, time.Minute, 0)
		w.put("products", 1, "C", "1.50")
		full()
		p.settle(h, p.take(h)...)
		time.Sleep(2 * time.Hour)
		p.all()
		p.level(w)
	})
}
