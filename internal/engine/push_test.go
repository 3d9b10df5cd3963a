package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// pushWorld is a world whose source pushes, into the feed "push".
func pushWorld(t testing.TB) *world {
	w := newWorld(t)
	sys := apiSystem(t, false)
	w.adjust = func(f *Flow) {
		f.Source, f.SourceSystem, f.Feed, f.Read.Track.By = sys, "program", "push", lockstep.Push
	}
	return w
}

func pushed(id int, name string) lockstep.Change {
	price, err := value.ParseDecimal("1.50")
	if err != nil {
		panic(err)
	}
	return lockstep.Change{Record: lockstep.Record{Key: lockstep.Key(fmt.Sprint(id)), Fields: value.F("id", id, "name", name, "price", price)}}
}

func deleted(id int) lockstep.Change {
	return lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: lockstep.Key(fmt.Sprint(id))}}
}

var fedProducts = []Fed{{Flow: "products", Written: "1"}}

func TestPushedRecordsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := pushWorld(t), store.New()
		defer s.Close()
		e := w.engine(s)
		in := NewInbox(s)
		stop := daemon(t, e)
		defer stop()
		push := func(changes ...lockstep.Change) {
			t.Helper()
			if err := in.Push(context.Background(), "push", fedProducts, changes); err != nil {
				t.Fatal(err)
			}
		}
		push(pushed(1, "a"), pushed(2, "b"), pushed(3, "c"))
		time.Sleep(time.Minute)
		push(pushed(1, "a"), pushed(2, "old"), pushed(2, "new"), deleted(3), deleted(4))
		time.Sleep(time.Minute)
		if got, want := dump(w.b, "products"), "1: {\"id\":1,\"name\":\"a\",\"price\":1.50}\n2: {\"id\":2,\"name\":\"new\",\"price\":1.50}"; got != want {
			t.Errorf("the target holds\n%s", got)
		}
		if st := w.status(e, "products"); st.Ready+st.Parked+st.Delayed != 0 || st.CapturedUpTo.IsZero() {
			t.Errorf("%+v", st)
		}
		for what, do := range map[string]func() error{
			"full":   func() error { _, err := e.Full(context.Background(), "products", FullOptions{}); return err },
			"sync":   func() error { _, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true}); return err },
			"verify": func() error { _, err := e.Verify(context.Background(), "products", VerifyOptions{}); return err },
			"plan":   func() error { _, err := e.Plan(context.Background(), "products", PlanOptions{}); return err },
			"pilot": func() error {
				_, err := e.Pilot(context.Background(), "products", []lockstep.Key{"1"}, 0, SyncOptions{})
				return err
			},
		} {
			if err := do(); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeCannot {
				t.Errorf("%s: %v", what, err)
			}
		}
		if f := e.Stopped("products"); f != nil {
			t.Errorf("the flow stopped: %v", f)
		}
	})
}

// A one-time sync delivers what was pushed.
func TestSyncDeliversWhatWasPushed(t *testing.T) {
	w, s := pushWorld(t), store.New()
	defer s.Close()
	if err := NewInbox(s).Push(context.Background(), "push", nil, []lockstep.Change{pushed(1, "a")}); err != nil {
		t.Fatal(err)
	}
	if dump(w.b, "products") != "" {
		t.Error("no flow was attached")
	}
	e := w.engine(s)
	if err := NewInbox(s).Push(context.Background(), "push", nil, []lockstep.Change{pushed(2, "b")}); err != nil {
		t.Fatal(err)
	}
	w.sync(e, false)
	if got := len(w.b.All("products")); got != 1 {
		t.Errorf("the target has %d records", got)
	}
}

// Who pushes at the same time shares a write of the store, and another process may have moved the feed's counter.
func TestManyPushAtOnce(t *testing.T) {
	w, s := pushWorld(t), store.New()
	defer s.Close()
	e := w.engine(s)
	var appends atomic.Int64
	counting := countingStore{Store: s, appends: &appends}
	one, other := NewInbox(counting), NewInbox(counting)
	var wg sync.WaitGroup
	for n := range 40 {
		in := one
		if n%8 == 0 {
			in = other
		}
		wg.Go(func() {
			for i := range 5 {
				if err := in.Push(context.Background(), "push", fedProducts, []lockstep.Change{pushed(n*5+i, "x")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if st := w.status(e, "products"); st.Ready != 200 {
		t.Errorf("%+v", st)
	}
	if n := appends.Load(); n >= 400 {
		t.Errorf("%d appends for 200 pushes", n)
	}
}

// countingStore counts appends, and takes its time for them.
type countingStore struct {
	lockstep.Store
	appends *atomic.Int64
}

func (s countingStore) Append(ctx context.Context, feed string, from lockstep.Position, changes []lockstep.Change, next lockstep.Position, upTo time.Time) error {
	s.appends.Add(1)
	return s.Store.Append(ctx, feed, from, changes, next, upTo)
}

// A flow that comes to a feed that has taken changes before misses them, and nobody but the source can make that good.
func TestWhatAPushedFlowMisses(t *testing.T) {
	ctx := context.Background()
	s := store.New()
	defer s.Close()
	attach := func(names ...string) {
		t.Helper()
		var defs []lockstep.FlowDef
		for _, name := range names {
			defs = append(defs, lockstep.FlowDef{Name: name, Set: name, Feed: "push"})
		}
		if err := s.Attach(ctx, defs); err != nil {
			t.Fatal(err)
		}
	}
	in := NewInbox(s)
	fed := func(written string, names ...string) (out []Fed) {
		for _, name := range names {
			out = append(out, Fed{name, written})
		}
		return out
	}
	missing := func(want string, flows []Fed) {
		t.Helper()
		got, err := in.Missing(ctx, "push", flows)
		var names string
		for _, f := range got {
			names += f.Flow + " "
		}
		if err != nil || names != want {
			t.Errorf("%q miss something, not %q; %v", names, want, err)
		}
	}
	push := func(flows []Fed) {
		t.Helper()
		if err := in.Push(ctx, "push", flows, []lockstep.Change{pushed(1, "a")}); err != nil {
			t.Fatal(err)
		}
	}
	attach("a")
	missing("", fed("1", "a"))
	push(fed("1", "a"))
	missing("", fed("1", "a"))
	attach("a", "b") // b is new
	missing("b ", fed("1", "a", "b"))
	if err := in.Complete(ctx, "push", fed("1", "a", "b")); err != nil {
		t.Fatal(err)
	}
	missing("", fed("1", "a", "b"))
	attach("a") // b is left out, and its feed takes a change
	push(fed("1", "a"))
	attach("a", "b")
	missing("b ", fed("1", "a", "b"))
	missing("a b ", fed("2", "a", "b")) // the mappings are others now
	if err := in.Complete(ctx, "push", fed("2", "a", "b")); err != nil {
		t.Fatal(err)
	}
	missing("", fed("2", "a", "b"))
	push(fed("2", "a", "b"))
	missing("", fed("2", "a", "b"))
}

// What asks the source for a record waits for a person; the next push of the record takes it up.
func TestAHintOfAPushedRecordIsParkedUntilItIsPushed(t *testing.T) {
	w, s := pushWorld(t), store.New()
	defer s.Close()
	e := w.engine(s)
	if err := s.Hint(context.Background(), "products", []lockstep.Key{"1"}); err != nil {
		t.Fatal(err)
	}
	w.sync(e, false)
	if st := w.status(e, "products"); st.Parked != 1 {
		t.Errorf("%+v", st)
	}
	if err := NewInbox(s).Push(context.Background(), "push", fedProducts, []lockstep.Change{pushed(1, "a")}); err != nil {
		t.Fatal(err)
	}
	w.sync(e, false)
	if st := w.status(e, "products"); st.Parked != 0 || st.Links != 1 {
		t.Errorf("%+v", st)
	}
}

// A target record goes over to another source record once the first one's delete was pushed, whichever comes first.
func TestAClaimGoesOverWithAPushedDelete(t *testing.T) {
	w, s := pushWorld(t), store.New()
	defer s.Close()
	w.defs[0].rules = map[string]string{"id": "7", "name": "name", "price": "price"} // all map to one record
	e := w.engine(s)
	in := NewInbox(s)
	push := func(changes ...lockstep.Change) {
		t.Helper()
		if err := in.Push(context.Background(), "push", fedProducts, changes); err != nil {
			t.Fatal(err)
		}
		w.sync(e, false)
	}
	push(pushed(1, "a"))
	push(pushed(2, "b"))
	if st := w.status(e, "products"); st.Parked != 1 {
		t.Errorf("a second claimant: %+v", st)
	}
	push(pushed(2, "b"), deleted(1))
	if st := w.status(e, "products"); st.Parked != 0 || st.Links != 1 {
		t.Errorf("%+v", st)
	}
	if got := dump(w.b, "products"); got != `7: {"id":7,"name":"b","price":1.50}` {
		t.Errorf("the target holds %s", got)
	}
}
