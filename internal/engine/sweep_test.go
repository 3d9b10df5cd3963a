package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// swept is a world whose flow is tracked by a time, with sweeps below it.
type swept struct {
	*world
	s    *store.Store
	seen *counted
	e    *Engine
	// refuse is the name of records that the target does not take.
	refuse string
}

func newSwept(t *testing.T, adjust func(*Flow)) *swept {
	s := &swept{world: newWorld(t, flowDef{name: "products", track: true}), s: store.New(), seen: &counted{}}
	t.Cleanup(func() { s.s.Close() })
	s.a.DefineStream(lockstep.Stream{Name: "products", Key: []string{"id"}, Fields: append(slices.Clone(productFields),
		lockstep.Field{Name: "at", Type: value.Type{Kind: value.InstantType}, Nullable: true})})
	s.target = func(b *memory.System) lockstep.Target { return refusing{b, s} }
	s.source = func(a *memory.System) lockstep.Source { s.seen.Source = a; return s.seen }
	s.adjust = func(f *Flow) {
		f.Read.Track = lockstep.Track{By: lockstep.Timestamp, Field: "at"}
		f.Light = schedule.Every(time.Minute)
		if adjust != nil {
			adjust(f)
		}
	}
	for i := range 20 {
		s.dated(i, fmt.Sprint("n", i), time.Now())
	}
	s.e = s.engine(s.s)
	s.sync(s.e, true)
	s.dated(0, "as it was", time.Now().Add(2*time.Millisecond))
	time.Sleep(5 * time.Millisecond)
	s.sync(s.e, false)
	s.forget()
	return s
}

type refusing struct {
	lockstep.Target
	s *swept
}

func (r refusing) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	results, err := r.Target.Apply(ctx, stream, slices.DeleteFunc(slices.Clone(writes), r.bad))
	out := make([]lockstep.Result, len(writes))
	for i, w := range writes {
		if r.bad(w) {
			out[i].Err = lockstep.Faultf(lockstep.CodeConstraint, "not this one")
		} else if err == nil {
			out[i], results = results[0], results[1:]
		}
	}
	return out, err
}

func (r refusing) bad(w lockstep.Write) bool {
	name, _ := w.Fields.Get("name")
	return r.s.refuse != "" && name.String() == r.s.refuse
}

func (s *swept) forget() { *s.seen = counted{Source: s.seen.Source} }

func (s *swept) dated(id int, name string, at time.Time) {
	s.a.Put("products", value.F("id", id, "name", name, "at", at))
}

func (s *swept) sweep() lockstep.Run {
	s.t.Helper()
	s.forget()
	rows, err := s.e.Sync(s.t.(*testing.T).Context(), s.names(), SyncOptions{Sweep: true, Patience: time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.seen.whole > 0 || !IsSweep(rows[0]) {
		s.t.Errorf("%d pages were read whole by %+v", s.seen.whole, rows[0])
	}
	return rows[0]
}

func (s *swept) level(id int) bool {
	key := fmt.Sprint(id)
	ours, here := s.a.All("products")[lockstep.Key(key)]
	theirs, there := s.b.All("products")[lockstep.Key(key)]
	if here != there {
		return false
	}
	a, _ := ours.Get("name")
	b, _ := theirs.Get("name")
	return a.String() == b.String()
}

// A delete, a record that came with an old date, and a change that came with one: the tracker sees none of them, the sweep
// all, and reads nothing else.
func TestSweep(t *testing.T) {
	s := newSwept(t, nil)
	old := time.Now().Add(-time.Hour)
	s.a.Delete("products", "7")
	s.dated(3, "changed", old)
	s.dated(99, "new", old)
	s.sync(s.e, false)
	if s.level(7) || s.level(3) || s.level(99) {
		t.Fatal("the tracker has seen what it cannot see")
	}
	row := s.sweep()
	if !s.level(7) || !s.level(3) || !s.level(99) {
		t.Errorf("not level: %s\n%s", dump(s.a, "products"), dump(s.b, "products"))
	}
	if c := row.Counts; c.Created != 1 || c.Updated != 1 || c.Deleted != 1 || c.Level != 18 {
		t.Errorf("%+v", c)
	}
	if s.seen.fetched > 5 { // two that differ, and what confirms the delete
		t.Errorf("%d records were fetched", s.seen.fetched)
	}
	if s.sweep(); s.seen.fetched > 0 {
		t.Errorf("the second sweep fetched %d records", s.seen.fetched)
	}
}

// A sweep beside deltas doubles nothing: what the queue has, it leaves there.
func TestSweepBesideTheQueue(t *testing.T) {
	s := newSwept(t, nil)
	s.refuse = "n6"
	s.dated(5, "n6", time.Now()) // cannot go: parked
	time.Sleep(5 * time.Millisecond)
	s.sync(s.e, false)
	parked := entries(t, s.s, lockstep.Parked)
	if len(parked) != 1 {
		t.Fatalf("parked: %+v", parked)
	}
	writes := 0
	s.b.SetHook(func(c memory.Call) error {
		if c.Name == "Apply" && !c.After {
			writes++
		}
		return nil
	})
	s.dated(8, "captured, and not delivered", time.Now())
	time.Sleep(5 * time.Millisecond)
	if n, _, err := s.e.capture(t.Context(), s.e.feeds[s.e.flows[0].Feed]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := s.e.Full(t.Context(), "products", FullOptions{Light: true}); err != nil {
		t.Fatal(err)
	}
	if writes != 0 || s.seen.fetched > 1 { // one that confirms that the parked record is there
		t.Errorf("the sweep wrote %d times and fetched %d records", writes, s.seen.fetched)
	}
	if again := entries(t, s.s, lockstep.Parked); len(again) != 1 || again[0].Generation != parked[0].Generation {
		t.Errorf("what was parked was taken up: %+v", again)
	}
	if ready := entries(t, s.s, lockstep.Ready); len(ready) != 1 || ready[0].Generation != 1 {
		t.Errorf("what was captured was doubled: %+v", ready)
	}
	s.a.Delete("products", "5")
	if s.sweep(); len(entries(t, s.s, "")) > 0 || !s.level(5) || !s.level(8) {
		t.Errorf("left open: %+v", entries(t, s.s, ""))
	}
}

// Records that a filter leaves out have no link that could know their version. They are not fetched with each sweep.
func TestSweepOfAFilter(t *testing.T) {
	s := newSwept(t, nil)
	s.defs[0].filter = `name matches "[0-4]$"`
	s.sync(s.engine(s.s), true)
	s.e = s.engine(s.s)
	if s.sweep(); s.seen.fetched == 0 {
		t.Error("the first sweep knew what the filter leaves out")
	}
	if s.sweep(); s.seen.fetched > 0 {
		t.Errorf("the second sweep fetched %d records", s.seen.fetched)
	}
	s.dated(15, "n14", time.Now().Add(-time.Hour))
	if s.sweep(); s.seen.fetched != 1 || !s.level(15) {
		t.Errorf("fetched %d records, level: %v", s.seen.fetched, s.level(15))
	}
}

// Where a source gives no versions, a sweep compares keys.
func TestSweepByKeys(t *testing.T) {
	s := newSwept(t, nil)
	s.a.DefineStream(s.stream(s.a, "products"), memory.Rules{NoVersions: true})
	s.a.Delete("products", "7")
	s.dated(99, "new", time.Now().Add(-time.Hour))
	for i := range 20 {
		if i != 7 {
			s.dated(i, "n", time.Now().Add(-time.Hour))
		}
	}
	if s.sweep(); !s.level(7) || !s.level(99) || s.level(3) || s.seen.fetched > 3 {
		t.Errorf("fetched %d records; a delete is level: %v, a new one: %v, a change: %v", s.seen.fetched, s.level(7), s.level(99), s.level(3))
	}
}

// A sweep that was cut off is gone on with as one, and the brake holds it as it holds a full sync.
func TestSweepCutOff(t *testing.T) {
	s := newSwept(t, nil)
	s.a.Delete("products", "7")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.e.Sync(ctx, s.names(), SyncOptions{Sweep: true, FullOptions: FullOptions{Observe: func(p Progress) {
		if p.Counts.Read >= 6 {
			cancel()
		}
	}}})
	if err == nil {
		t.Fatal("the sweep was not cut off")
	}
	s.e = s.engine(s.s)
	if _, light, err := s.e.fullDue(t.Context(), s.e.flows[0], false); !light || err != nil {
		t.Errorf("a sweep is due: %v, %v", light, err)
	}
	s.forget()
	rows := s.sync(s.e, false)
	if !s.level(7) || s.seen.whole > 0 || rows[0].Counts.Read != 19 || s.seen.scans > 5 {
		t.Errorf("%d pages were read, %d of them whole: %+v", s.seen.scans, s.seen.whole, rows[0].Counts)
	}
	s.adjust = func(f *Flow) {
		f.Read.Track = lockstep.Track{By: lockstep.Timestamp, Field: "at"}
		f.Light, f.Deletes = schedule.Every(time.Minute), Brake{Share: 0.1, Max: 1}
	}
	for i := range 5 {
		s.a.Delete("products", lockstep.Key(fmt.Sprint(i)))
	}
	s.e = s.engine(s.s)
	_, err = s.e.Sync(t.Context(), s.names(), SyncOptions{Sweep: true})
	if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeDeleteBrake || s.b.Len("products") != 19 {
		t.Errorf("%v, %d records are left", err, s.b.Len("products"))
	}
	_, err = s.e.Sync(t.Context(), s.names(), SyncOptions{Sweep: true, FullOptions: FullOptions{AllowDeletes: true}})
	if err != nil || s.b.Len("products") != 14 {
		t.Errorf("%v, %d records are left", err, s.b.Len("products"))
	}
}

// However many sweeps have come since, the schedule knows when everything was read last.
func TestFullSyncBehindManySweeps(t *testing.T) {
	s := newSwept(t, func(f *Flow) { f.Full = schedule.Every(time.Hour) })
	whole, err := LastWhole(t.Context(), s.s, "products")
	if err != nil || whole.ID == 0 {
		t.Fatal(whole, err)
	}
	for range 30 {
		s.sweep()
	}
	for _, e := range []*Engine{s.e, s.engine(s.s)} { // one that has seen it, one that has not
		due, light, err := e.fullDue(t.Context(), e.flows[0], false)
		if err != nil || !light || due.After(time.Now().Add(time.Minute)) {
			t.Errorf("due %v, a sweep: %v, %v", due, light, err)
		}
		rows, err := s.s.Runs(t.Context(), lockstep.RunQuery{Flow: "products", Kind: lockstep.FullRun, Max: 20})
		if err != nil {
			t.Fatal(err)
		}
		at, err := e.lastWhole(t.Context(), e.flows[0], rows)
		if err != nil || !at.Truncate(time.Microsecond).Equal(whole.Started.Truncate(time.Microsecond)) {
			t.Errorf("read whole at %v, not %v: %v", at, whole.Started, err)
		}
	}
	if _, err := s.e.Sync(t.Context(), s.names(), SyncOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	if s.seen.whole == 0 {
		t.Error("a full sync on request was a sweep")
	}
	s.adjust = func(f *Flow) {}
	_, err = s.engine(s.s).Sync(t.Context(), s.names(), SyncOptions{Sweep: true})
	if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeUsage {
		t.Errorf("a sweep of a flow without: %v", err)
	}
}
