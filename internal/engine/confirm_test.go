package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// laterWorld is a world whose target accepts writes and does them later.
func laterWorld(t testing.TB, later memory.Later) *world {
	w := newWorld(t)
	if later == nil {
		later = always(memory.Do)
	}
	w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}}, memory.Rules{Later: later})
	return w
}

// always is one fate for all.
func always(f memory.Fate) memory.Later { return func(int, int) memory.Fate { return f } }

// after is done when it is asked about so often.
func after(asks int) memory.Later {
	return func(_, asked int) memory.Fate {
		if asked < asks {
			return memory.NotYet
		}
		return memory.Do
	}
}

// firstly is what becomes of the first operations, one by one; the rest is done.
func firstly(fates ...memory.Fate) memory.Later {
	return func(n, _ int) memory.Fate {
		if n <= len(fates) {
			return fates[n-1]
		}
		return memory.Do
	}
}

// erratic is a target whose operations take their time, and now and then get lost, are done without anybody telling, are done
// by half, fail for now, or get another receipt.
func erratic(n, asked int) memory.Fate {
	switch {
	case n%4 == asked%4 && asked < 4:
		return memory.NotYet
	case n%5 == 3 && asked == 1:
		return memory.Renew
	case n%11 == 6:
		return memory.Lose
	case n%7 == 4:
		return memory.Mumble
	case n%6 == 5:
		return memory.Half
	case n%13 == 2:
		return memory.Fail
	}
	return memory.Do
}

// story is what happened to a record, step by step.
func (w *world) story(e *Engine, flow string, key lockstep.Key) []string {
	w.t.Helper()
	events, _, _, err := e.store.Story(context.Background(), flow, key)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, ev := range events {
		out = append(out, ev.Did)
	}
	return out
}

func (w *world) stories(e *Engine, key lockstep.Key, want ...string) {
	w.t.Helper()
	if got := w.story(e, "products", key); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("the story of %s: %v, want %v", key, got, want)
	}
}

func TestAcceptedWritesAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := laterWorld(t, after(3))
		for id := range 7 {
			w.put("products", id, fmt.Sprint("n", id), "1.50")
		}
		e := w.engine(store.New())
		rows := w.sync(e, true)
		w.same("products")
		if c := rows[0].Counts; c.Accepted != 7 || c.Created != 7 || c.Failed != 0 {
			t.Errorf("%+v", c)
		}
		w.put("products", 1, "n1", "2.50")
		w.a.Delete("products", "2")
		rows = w.sync(e, false)
		w.same("products")
		if c := rows[0].Counts; c.Accepted != 2 || c.Updated != 1 || c.Deleted != 1 {
			t.Errorf("%+v", c)
		}
		w.stories(e, "1", "page", "accepted", "confirmed", "created", "captured", "sent", "accepted", "confirmed", "updated")
		if n := w.b.AllWrites("products"); n != 9 {
			t.Errorf("%d writes, want 9", n)
		}
		w.sync(e, true)
		if n := w.b.AllWrites("products"); n != 9 {
			t.Errorf("a full sync of what is level writes: %d", n)
		}
		if s := w.status(e, "products"); s.Confirming+s.Ready+s.Delayed+s.Parked > 0 || s.Links != 6 {
			t.Errorf("%+v", s)
		}
	})
}

// What is confirmed while a full sync still reads counts to it.
func TestConfirmedWhileAFullSyncReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := laterWorld(t, nil)
		for id := range 20 {
			w.put("products", id, "n", "1.00")
		}
		w.a.SetHook(func(c memory.Call) error {
			if c.Name == "Scan" {
				time.Sleep(time.Second)
			}
			return nil
		})
		e := w.engine(store.New())
		rows := w.sync(e, true)
		if c := rows[0].Counts; c.Accepted != 20 || c.Created != 20 {
			t.Errorf("%+v", c)
		}
	})
}

// The pauses between questions grow.
func TestQuestionsGrowRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := laterWorld(t, func(int, int) memory.Fate {
			if time.Since(began) < 10*time.Minute {
				return memory.NotYet
			}
			return memory.Do
		})
		w.put("products", 1, "n", "1.50")
		e := w.engine(store.New())
		w.sync(e, true)
		w.same("products")
		if n := w.b.Counts()["Confirm"]; n < 40 || n > 80 {
			t.Errorf("asked %d times in ten minutes", n)
		}
		if age := time.Since(began); age > 10*time.Minute+20*time.Second {
			t.Errorf("done after %v", age)
		}
	})
}

// What was accepted before the process ended is asked about by the next, without a new send.
func TestConfirmingSurvivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var may atomic.Bool
		w := laterWorld(t, func(int, int) memory.Fate {
			if may.Load() {
				return memory.Do
			}
			return memory.NotYet
		})
		w.put("products", 1, "n", "1.50")
		s := store.New()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := w.engine(s)
		_, _ = e.Sync(ctx, w.names(), SyncOptions{Full: true})
		st := w.status(e, "products")
		if st.Confirming != 1 || time.Since(st.Accepted) < 50*time.Second {
			t.Fatalf("%+v", st)
		}
		w.put("products", 1, "n", "2.50") // waits behind it
		may.Store(true)
		w.sync(w.engine(s), false)
		w.same("products")
		if n := w.b.Accepted("products"); n != 2 {
			t.Errorf("%d writes were sent, want 2", n)
		}
	})
}

func TestFatesOfOperations(t *testing.T) {
	for _, c := range []struct {
		name   string
		fate   memory.Fate
		writes int    // that took effect
		sent   int    // that were sent
		parked int64  // entries
		serves string // what the sides are in the end, "" for level
	}{
		{"a new receipt takes the old one's place", memory.Renew, 1, 1, 0, ""},
		{"lost: looked at, and sent again", memory.Lose, 1, 2, 0, ""},
		{"done, and nobody tells: looked at, and not sent again", memory.Mumble, 1, 1, 0, ""},
		{"half: the rest is sent", memory.Half, 2, 2, 0, ""},
		{"refused: parked", memory.Refuse, 0, 1, 1, "apart"},
		{"failed for now: sent again", memory.Fail, 1, 2, 0, ""},
	} {
		for _, full := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/full %v", c.name, full), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := laterWorld(t, nil)
					w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}}, memory.Rules{Later: func(n, asked int) memory.Fate {
						if n == 2 && asked == 1 { // the second alone: its neighbours go on
							return c.fate
						}
						return memory.Do
					}})
					w.adjust = func(f *Flow) { f.To.Grace = time.Second }
					e := w.engine(store.New())
					if !full {
						w.sync(e, true)
					}
					for id := range 3 {
						w.put("products", id, fmt.Sprint("n", id), "1.50")
					}
					rows, err := e.Sync(t.Context(), w.names(), SyncOptions{Full: full, Patience: 5 * time.Second})
					if err != nil {
						t.Fatal(err)
					}
					if c.serves == "" {
						w.same("products")
					}
					if n := w.b.Writes("products", "1"); n != c.writes {
						t.Errorf("%d writes took effect, want %d", n, c.writes)
					}
					if n := w.b.Accepted("products"); n != c.sent+2 {
						t.Errorf("%d were sent, want %d", n, c.sent+2)
					}
					for _, key := range []lockstep.Key{"0", "2"} {
						if n := w.b.Writes("products", key); n != 1 {
							t.Errorf("neighbour %s: %d writes", key, n)
						}
					}
					s := w.status(e, "products")
					if s.Parked != c.parked || s.Confirming+s.Delayed+s.Ready+s.Waiting > 0 || rows[0].Counts.Failed != c.parked {
						t.Errorf("%+v %+v", s, rows[0].Counts)
					}
				})
			})
		}
	}
}

// An operation that made half of an update leaves a record of which nobody knows what it holds: where the source has gone
// back to what was level before, that is sent all the same.
func TestHalfAnUpdateIsNotTakenForLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := laterWorld(t, nil)
		w.put("products", 1, "old", "1.50")
		e := w.engine(store.New())
		w.sync(e, true)
		var asked atomic.Bool
		w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}}, memory.Rules{Later: func(n, _ int) memory.Fate {
			if n == 1 && !asked.Load() {
				return memory.NotYet
			}
			if n == 1 {
				return memory.Half
			}
			return memory.Do
		}})
		price, _ := value.ParseDecimal("1.50")
		w.b.Put("products", value.F("id", 1, "name", "old", "price", price))
		w.put("products", 1, "new", "1.50")
		done := make(chan struct{})
		go func() { defer close(done); w.sync(e, false) }()
		time.Sleep(time.Second)
		w.put("products", 1, "old", "1.50")
		asked.Store(true)
		<-done
		w.sync(e, false)
		w.same("products")
	})
}

// A newer state waits behind the operation, and is sent once it is done: one open operation for a record.
func TestOneOpenOperationForARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open, most atomic.Int64
		w := laterWorld(t, after(4))
		w.target = func(s *memory.System) lockstep.Target { return counting{s, &open, &most} }
		e := w.engine(store.New())
		w.put("products", 1, "n", "1.00")
		w.sync(e, true)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		for i := range 20 {
			w.put("products", 1, "n", fmt.Sprintf("%d.50", i))
			time.Sleep(150 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		stop()
		<-ended
		w.same("products")
		if n := w.b.Accepted("products"); n < 3 || n > 15 {
			t.Errorf("%d operations for 21 states", n)
		}
		if most.Load() != 1 {
			t.Errorf("%d operations of one record were open at once", most.Load())
		}
	})
}

// counting counts open operations.
type counting struct {
	*memory.System
	open, most *atomic.Int64
}

func (c counting) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	n := c.open.Add(int64(len(writes)))
	c.most.Store(max(n, c.most.Load()))
	return c.System.Apply(ctx, stream, writes)
}

func (c counting) Confirm(ctx context.Context, stream string, receipts []string) ([]lockstep.Result, error) {
	results, err := c.System.Confirm(ctx, stream, receipts)
	for _, r := range results {
		if r.Receipt == "" {
			c.open.Add(-1)
		}
	}
	return results, err
}

// Two flows that write one record: the second waits for the first one's operation (law 3).
func TestAnOperationHoldsItsRecordForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var may atomic.Bool
		w := laterWorld(t, func(n, _ int) memory.Fate {
			if n == 1 && !may.Load() {
				return memory.NotYet
			}
			return memory.Do
		})
		base := w.flows()
		other := w.flow(w.defs[0])
		other.Name, other.Set, other.Feed = "other", "other", ""
		s := store.New()
		e, err := New(t.Context(), s, append(base, other), Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.put("products", 1, "n", "1.00")
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := e.Sync(ctx, []string{"products"}, SyncOptions{Full: true}); first <- err }()
		time.Sleep(time.Second)
		if n := w.b.Accepted("products"); n != 1 {
			t.Fatalf("%d were accepted", n)
		}
		second := make(chan error, 1)
		go func() {
			_, err := e.Sync(ctx, []string{"other"}, SyncOptions{Full: true, Patience: time.Minute})
			second <- err
		}()
		time.Sleep(10 * time.Second)
		if n := w.b.Accepted("products"); n != 1 {
			t.Errorf("%d were accepted while the first was open", n)
		}
		may.Store(true)
		if err := errors.Join(<-first, <-second); err != nil {
			t.Fatal(err)
		}
		cancel()
		if n := w.b.Accepted("products"); n != 2 {
			t.Errorf("%d were accepted in the end", n)
		}
	})
}

// A fault of asking is the flow's: what was accepted stays accepted, whatever it is.
func TestAFaultOfConfirmLeavesOperationsOpen(t *testing.T) {
	for _, code := range []lockstep.Code{lockstep.CodeUnavailable, lockstep.CodeThrottled, lockstep.CodeNetwork, lockstep.CodeRights} {
		t.Run(string(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := laterWorld(t, nil)
				for id := range 5 {
					w.put("products", id, "n", "1.00")
				}
				var failing atomic.Bool
				failing.Store(true)
				w.b.SetHook(func(c memory.Call) error {
					if c.Name == "Confirm" && !c.After && failing.Load() {
						return lockstep.Faultf(code, "not now").Maybe()
					}
					return nil
				})
				e := w.engine(store.New())
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- e.Run(ctx) }()
				time.Sleep(time.Minute)
				if s := w.status(e, "products"); s.Confirming != 5 {
					t.Errorf("%+v", s)
				}
				if stopped := e.Stopped("products") != nil; stopped != code.Info().Kind.StopsFlow() {
					t.Errorf("stopped: %v", stopped)
				}
				failing.Store(false)
				if _, err := e.Resume("products"); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
				stop()
				<-ended
				w.same("products")
				if n := w.b.Accepted("products"); n != 5 {
					t.Errorf("%d were sent", n)
				}
			})
		})
	}
}

// One receipt for which the whole call is refused hurts only itself (law 4).
func TestABadReceiptHurtsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := laterWorld(t, nil)
		w.target = func(s *memory.System) lockstep.Target { return choosy{s} }
		w.adjust = func(f *Flow) { f.To.Grace = time.Second }
		for id := range 7 {
			w.put("products", id, fmt.Sprint("n", id), "1.00")
		}
		e := w.engine(store.New())
		w.sync(e, true)
		w.same("products")
		for id := range 7 {
			want := 1
			if n := w.b.Writes("products", lockstep.Key(fmt.Sprint(id))); n != want {
				t.Errorf("%d: %d writes, want %d", id, n, want)
			}
		}
	})
}

// choosy refuses whole calls for the receipt of the third operation.
type choosy struct{ *memory.System }

func (c choosy) Confirm(ctx context.Context, stream string, receipts []string) ([]lockstep.Result, error) {
	for _, r := range receipts {
		if r == "op-3" {
			return nil, lockstep.Faultf(lockstep.CodeValue, "what is that?")
		}
	}
	return c.System.Confirm(ctx, stream, receipts)
}

// The target chooses the keys: the answer to the question tells which.
func TestConfirmedCreatesTellTheirKey(t *testing.T) {
	for _, fate := range []memory.Fate{memory.Do, memory.Half, memory.Mumble, memory.Lose} {
		synctest.Test(t, func(t *testing.T) {
			w := serverKeys(t)
			w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}, ServerKeys: true}, memory.Rules{Later: firstly(fate, fate)})
			for id := range 4 {
				w.put("products", id, fmt.Sprint("n", id), "1.00")
			}
			e := w.engine(store.New())
			w.sync(e, true)
			w.put("products", 1, "n1", "7.00")
			w.sync(e, false)
			if a, b := byName(w); a != b {
				t.Errorf("fate %d:\n%s\n%s", fate, a, b)
			}
		})
	}
}

// A target that does nothing of what it accepts is not sent everything: neither by a full sync nor from the queue.
func TestWhatIsOpenIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck time.Time // until then
		w := laterWorld(t, func(int, int) memory.Fate {
			if time.Now().Before(stuck) {
				return memory.NotYet
			}
			return memory.Do
		})
		w.adjust = func(f *Flow) { f.MostOpen = 5 }
		e := w.engine(store.New())
		most := int64(0)
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Confirm" && !c.After {
				most = max(most, w.status(e, "products").Confirming)
			}
			return nil
		})
		for _, full := range []bool{true, false} {
			stuck = time.Now().Add(5 * time.Minute)
			for id := range 40 {
				w.put("products", id, fmt.Sprint("full ", full), "1.00")
			}
			w.sync(e, full)
			w.same("products")
		}
		if most < 5 || most > 5+2*3 { // a page, and a batch
			t.Errorf("%d were open at a time", most)
		}
	})
}
