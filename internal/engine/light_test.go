package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// counted counts what is asked of a source.
type counted struct {
	lockstep.Source
	scans, whole, fetched int
}

func (s *counted) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if s.scans++; r.Fields != nil {
		s.whole++
	}
	return s.Source.Scan(ctx, r, from, l)
}

func (s *counted) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	s.fetched += len(keys)
	return s.Source.Fetch(ctx, r, keys)
}

// Records that count their own changes: key and version are read of all, the rest only of what has another version.
func TestVersionsPerRecord(t *testing.T) {
	w := newWorld(t, flowDef{name: "products"})
	seen := &counted{}
	w.source = func(s *memory.System) lockstep.Source { seen.Source = s; return seen }
	w.adjust = func(f *Flow) { f.Light = schedule.Every(time.Minute) }
	s := store.New()
	defer s.Close()
	e := w.engine(s)
	for i := range 20 {
		w.put("products", i, fmt.Sprint("n", i), "1.00")
	}
	w.sync(e, false)
	if seen.whole == 0 {
		t.Error("the first sync compared versions only: there were no links yet")
	}
	w.same("products")

	*seen = counted{Source: seen.Source}
	w.put("products", 3, "changed", "2.00")
	w.put("products", 99, "new", "3.00")
	w.a.Delete("products", "7")
	rows := w.sync(e, false)
	w.same("products")
	if c := rows[0].Counts; c.Created != 1 || c.Updated != 1 || c.Deleted != 1 || c.Level != 18 {
		t.Errorf("%+v", c)
	}
	if seen.whole > 0 || seen.fetched > 5 {
		t.Errorf("%d pages were read whole, %d records fetched", seen.whole, seen.fetched)
	}

	*seen = counted{Source: seen.Source}
	w.put("products", 3, "changed", "2.00") // another version, the same image
	w.sync(e, false)
	if w.sync(e, false); seen.fetched != 1 {
		t.Errorf("%d records fetched: the new version was not remembered", seen.fetched)
	}

	*seen = counted{Source: seen.Source}
	if w.sync(e, true); seen.whole == 0 {
		t.Error("a full sync on request compared versions only")
	}
	due, light, err := e.fullDue(context.Background(), e.byName["products"], false)
	if err != nil || !light || time.Until(due) > time.Minute {
		t.Errorf("due %v, light %v, %v", due, light, err)
	}
}

// A full sync of a flow without a feed that was cut off and is gone on with has not seen what changed behind its place:
// a sync that says that it brought both sides level has to read that part again.
func TestResumedWithoutAFeed(t *testing.T) {
	w := newWorld(t, flowDef{name: "products"})
	s := store.New()
	defer s.Close()
	for i := range 9 {
		w.put("products", i+10, "n", "1.00")
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := w.engine(s).Sync(ctx, w.names(), SyncOptions{FullOptions: FullOptions{Observe: func(p Progress) {
		if p.Counts.Read >= 6 {
			cancel()
		}
	}}})
	if err == nil {
		t.Fatal("the first sync was not cut off")
	}
	w.put("products", 10, "changed behind its place", "2.00")
	w.sync(w.engine(s), false)
	w.same("products")
}

// A capture that was cut off in the middle of a sweep by time leaves a place in it. What changed since behind that
// place is not in the rest of the sweep: a sync has to read on.
func TestSyncBehindASweepThatWasLeft(t *testing.T) {
	w := newWorld(t, flowDef{name: "products", track: true})
	w.a.DefineStream(lockstep.Stream{Name: "products", Key: []string{"id"}, Fields: append(slices.Clone(productFields),
		lockstep.Field{Name: "at", Type: value.Type{Kind: value.InstantType}, Nullable: true})})
	w.adjust = func(f *Flow) { f.Read.Track = lockstep.Track{By: lockstep.Timestamp, Field: "at"} }
	put := func(id int, name string) {
		w.a.Put("products", value.F("id", id, "name", name, "at", time.Now()))
	}
	s := store.New()
	defer s.Close()
	e := w.engine(s)
	w.sync(e, true)
	for i := range 9 {
		put(i+10, "n")
	}
	time.Sleep(2 * time.Millisecond)
	if n, more, err := e.capture(context.Background(), e.feeds[e.flows[0].Feed]); n != 3 || !more || err != nil {
		t.Fatalf("captured %d (more: %v): %v", n, more, err)
	}
	put(10, "changed behind the place")
	time.Sleep(2 * time.Millisecond)
	w.sync(w.engine(s), false)
	if got := dump(w.b, "products"); !strings.Contains(got, "changed behind the place") {
		t.Error(got)
	}
}

// With another mapping the versions say nothing: everything is read once.
func TestVersionsPerRecordAfterAnotherMapping(t *testing.T) {
	w := newWorld(t, flowDef{name: "products"})
	w.adjust = func(f *Flow) { f.Light = schedule.Every(time.Minute) }
	s := store.New()
	defer s.Close()
	w.put("products", 1, "one", "1.00")
	w.sync(w.engine(s), false)
	w.defs[0].rules = map[string]string{"id": "id", "name": "upper(name)", "price": "price"}
	w.sync(w.engine(s), false)
	if got := dump(w.b, "products"); got != `1: {"id":1,"name":"ONE","price":1.00}` {
		t.Error(got)
	}
}
