package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// daemon runs an engine until stop is called.
func daemon(t *testing.T, e *Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

func TestDaemonBringsAndKeepsLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		for id := range 20 {
			w.put("products", id, "n", "1.50")
		}
		stop := daemon(t, w.engine(s))
		time.Sleep(5 * time.Second)
		w.same("products")
		w.put("products", 3, "changed", "2.00")
		w.a.Delete("products", "4")
		time.Sleep(5 * time.Second)
		w.same("products")
		stop()
		rows, err := s.Runs(context.Background(), lockstep.RunQuery{Kind: lockstep.DeltaRun})
		if err != nil || len(rows) != 1 || rows[0].State != lockstep.Finished || rows[0].Counts.Updated != 1 || rows[0].Counts.Deleted != 1 {
			t.Fatalf("%+v %v", rows, err)
		}
	})
}

// A target that is away costs no attempts, and its return needs no hand.
func TestUnavailableTargetCostsNoAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		time.Sleep(5 * time.Second)
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" {
				return lockstep.Faultf(lockstep.CodeUnavailable, "down")
			}
			return nil
		})
		for id := range 30 {
			w.put("products", id, "new", "2.00")
		}
		time.Sleep(10 * time.Minute)
		entries, err := s.Entries(context.Background(), "products", "", 0, 100)
		if err != nil || len(entries) != 30 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for _, en := range entries {
			if en.Attempts != 0 || en.State == lockstep.Parked {
				t.Fatalf("%+v", en)
			}
		}
		w.b.SetHook(nil)
		time.Sleep(2 * time.Minute)
		stop()
		w.same("products")
	})
}

// A denied target stops the flow, and Resume starts it again.
func TestDeniedStopsTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		defer func() { stop(); w.same("products") }()
		time.Sleep(5 * time.Second)
		var calls atomic.Int64
		w.b.SetHook(func(c memory.Call) error {
			if c.Name != "Apply" {
				return nil
			}
			calls.Add(1)
			return lockstep.Faultf(lockstep.CodeLogin, "no")
		})
		w.put("products", 1, "new", "2.00")
		time.Sleep(10 * time.Minute)
		if n := calls.Load(); n != 1 {
			t.Errorf("a denied flow called Apply %d times", n)
		}
		if f := e.Stopped("products"); f == nil || f.Code != lockstep.CodeLogin {
			t.Errorf("stopped: %v", f)
		}
		w.b.SetHook(nil)
		if was, err := e.Resume("products"); !was || err != nil {
			t.Errorf("%v %v", was, err)
		}
		time.Sleep(time.Minute)
	})
}

// A lost position stops capture until a full sync has made it good, also while the process runs.
func TestLostPositionNeedsAFullSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.50")
		e := w.engine(s)
		stop := daemon(t, e)
		time.Sleep(5 * time.Second)
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Changes" {
				return lockstep.Faultf(lockstep.CodePosition, "the log is gone")
			}
			return nil
		})
		w.put("products", 1, "unseen", "2.00")
		time.Sleep(time.Minute)
		if f := e.Stopped("products"); f == nil || f.Kind != lockstep.Lost {
			t.Errorf("stopped: %v", f)
		}
		w.a.SetHook(nil)
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
			t.Errorf("full: %v", err)
		}
		w.same("products")
		w.put("products", 2, "seen again", "2.00")
		time.Sleep(time.Minute)
		stop()
		w.same("products")
	})
}

func TestWindowHoldsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble's clock begins at midnight UTC
		w, s := newWorld(t), store.New()
		defer s.Close()
		window, err := schedule.ParseWindow([]string{"06:00-07:00"}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		w.adjust = func(f *Flow) { f.Window = window }
		w.put("products", 1, "n", "1.50")
		stop := daemon(t, w.engine(s))
		defer stop()
		time.Sleep(time.Minute) // the first full sync
		w.put("products", 1, "changed", "1.50")
		time.Sleep(5 * time.Hour)
		if r, _ := w.b.Get("products", "1"); dump(w.b, "products") == dump(w.a, "products") {
			t.Errorf("delivered outside of the window: %v", r)
		}
		time.Sleep(time.Hour + time.Minute)
		w.same("products")
	})
}

func TestScheduledFullSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products"}), store.New()
		defer s.Close()
		cron, err := schedule.ParseCron("0 3 * * *", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		w.adjust = func(f *Flow) { f.Full = cron }
		w.put("products", 1, "n", "1.50")
		stop := daemon(t, w.engine(s))
		defer stop()
		time.Sleep(time.Minute)
		w.put("products", 1, "changed", "1.50")
		time.Sleep(2 * time.Hour)
		if dump(w.a, "products") == dump(w.b, "products") {
			t.Error("synced before its time")
		}
		time.Sleep(time.Hour)
		w.same("products")
	})
}

func TestDisableOnDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.OnDelete, f.Disable = DisableRecord, value.F("name", "disabled") }
		w.put("products", 1, "one", "1.50")
		w.put("products", 2, "two", "1.50")
		e := w.engine(s)
		w.sync(e, true)
		w.a.Delete("products", "1")
		w.sync(e, false)
		name := func() string { r, _ := w.b.Get("products", "1"); v, _ := r.Fields.Get("name"); return v.String() }
		if name() != "disabled" {
			t.Fatal(dump(w.b, "products"))
		}
		w.b.ResetCounts()
		w.sync(e, true)
		if n := w.b.AllWrites("products"); n != 0 {
			t.Fatalf("a full sync wrote the disabled record again (%d writes)", n)
		}
		w.put("products", 1, "back", "1.50")
		w.sync(e, false)
		if name() != "back" {
			t.Fatal(dump(w.b, "products"))
		}
	})
}

func TestDeepFullAppliesOnTargetEdit(t *testing.T) {
	for _, policy := range []OnTargetEdit{OverwriteEdit, KeepEdit, ParkEdit} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.adjust = func(f *Flow) { f.OnTargetEdit = policy }
			for id := range 5 {
				w.put("products", id, "n", "1.50")
			}
			e := w.engine(s)
			w.sync(e, true)
			w.b.Edit("products", "1", "name", "edited")
			w.b.Delete("products", "2")
			w.sync(e, true) // not deep: sees nothing
			if _, there := w.b.Get("products", "2"); there {
				t.Error("a full sync that does not read the target noticed an edit")
			}
			if _, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true, FullOptions: FullOptions{Deep: true}}); err != nil {
				t.Fatal(err)
			}
			r, _ := w.b.Get("products", "1")
			name, _ := r.Fields.Get("name")
			if _, there := w.b.Get("products", "2"); !there {
				t.Errorf("%s: a record lost in the target was not made again", policy)
			}
			st := w.status(e, "products")
			want := map[OnTargetEdit]string{OverwriteEdit: "n", KeepEdit: "edited", ParkEdit: "edited"}[policy]
			if name.String() != want || (st.Parked == 1) != (policy == ParkEdit) {
				t.Errorf("%s: name %s, status %+v", policy, name, st)
			}
		})
	}
}

func TestFailedRecordIsTriedAgainAndParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.put("products", 0, "n", "1.50")
		w.sync(e, true)
		bad := errors.New("boom")
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Write" && c.Key == "1" {
				return lockstep.NewFault(lockstep.CodeTimeout, bad)
			}
			return nil
		})
		w.put("products", 1, "bad", "1.50")
		w.put("products", 2, "good", "1.50")
		w.sync(e, false)
		entries, err := s.Entries(context.Background(), "products", lockstep.Parked, 0, 10)
		if err != nil || len(entries) != 1 || entries[0].Attempts != 5 || w.b.Len("products") != 2 {
			t.Fatalf("%+v %v\n%s", entries, err, dump(w.b, "products"))
		}
		w.b.SetHook(nil)
		if n, err := s.Requeue(context.Background(), entries[0].ID); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.sync(e, false)
		w.same("products")
	})
}

// A record that could not be read is parked under the place where it was found, and forgotten when a full sync does
// not find it there any more.
func TestUnreadableRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		broken := true
		w.source = func(a *memory.System) lockstep.Source {
			return &withBadLine{System: a, broken: &broken}
		}
		for id := range 5 {
			w.put("products", id, "n", "1.50")
		}
		e := w.engine(s)
		w.sync(e, true)
		w.same("products")
		if st := w.status(e, "products"); st.Parked != 1 {
			t.Fatalf("%+v", st)
		}
		time.Sleep(time.Second)
		w.sync(e, true)
		if st := w.status(e, "products"); st.Parked != 1 {
			t.Fatalf("still broken: %+v", st)
		}
		broken = false
		time.Sleep(time.Second)
		w.sync(e, true)
		if st := w.status(e, "products"); st.Parked != 0 {
			t.Fatalf("mended: %+v", st)
		}
	})
}

// withBadLine is a source in which one record cannot be read.
type withBadLine struct {
	*memory.System
	broken *bool
}

func (s *withBadLine) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.System.Scan(ctx, r, from, l)
	if err == nil && from == nil && *s.broken {
		p.Changes = append(p.Changes, lockstep.Change{Record: lockstep.Record{Key: "line 17"}, Fault: lockstep.Faultf(lockstep.CodeNullKey, "no key")})
	}
	return p, err
}

// Full and delta run at the same time under a storm of edits; afterwards both sides are level, nothing is parked, and
// every record's writes came one after the other.
func TestFullAndDeltaTogether(t *testing.T) {
	w, s := newWorld(t), store.New()
	defer s.Close()
	w.adjust = func(f *Flow) { f.Batch, f.Concurrency, f.Page.Rows, f.Every = 5, 3, 7, time.Millisecond }
	inFlight := map[lockstep.Key]bool{}
	var mu sync.Mutex
	w.b.SetHook(func(c memory.Call) error {
		if c.Name != "Write" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if !c.After && inFlight[c.Key] {
			t.Errorf("two writes of %s at a time", c.Key)
		}
		inFlight[c.Key] = !c.After
		return nil
	})
	const keys = 60
	for id := range keys {
		w.put("products", id, "n", "1.00")
	}
	e := w.engine(s)
	stop := daemon(t, e)
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := range 400 {
				id := rand.IntN(keys/3)*3 + g // each writer has its own records
				if rand.IntN(8) == 0 {
					w.a.Delete("products", lockstep.Key(fmt.Sprint(id)))
				} else {
					w.put("products", id, fmt.Sprintf("%d-%d", g, i), "2.00")
				}
				time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
			}
		})
	}
	fulls := 0
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			if _, err := e.Full(context.Background(), "products", FullOptions{AllowDeletes: true, Deep: fulls%3 == 2}); err == nil {
				fulls++
			} else if lockstep.FaultOf(err).Code != lockstep.CodeBusy {
				t.Errorf("full: %v", err)
			}
		}
	}
	stop()
	w.sync(e, false)
	w.sync(e, true)
	w.same("products")
	if st := w.status(e, "products"); st.Parked+st.Ready+st.Delayed+st.Waiting > 0 {
		t.Errorf("left over: %+v", st)
	}
	if fulls < 3 {
		t.Errorf("only %d full syncs ran", fulls)
	}
}
