package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// A record that moves holds both places; one that is matched holds its match values and, once found, its key (law 3).
func TestLocksOfAnItem(t *testing.T) {
	w, s := chosenKeys(t, "name"), store.New()
	defer s.Close()
	f := w.engine(s).flows[0]
	f.To.ServerKeys, f.To.Key = false, []string{"id"}
	wk := w.engine(s).worker(f, 0)
	taken := func(names ...string) (n int) {
		got := wk.locks.try(names)
		defer wk.locks.free(names, got)
		for _, ok := range got {
			if !ok {
				n++
			}
		}
		return n
	}
	moving := newItem(lockstep.Delivery{Change: lockstep.Change{Record: lockstep.Record{Key: "1"}}})
	moving.link, moving.target, moving.image = lockstep.Link{ID: 1}, "5", value.F("id", 6)
	unlock := wk.lock(t.Context(), []*item{moving}, func(*item) { t.Error("taken") })
	if n := taken(f.keyLock("5"), f.keyLock("6")); n != 2 {
		t.Errorf("a record that moves holds %d of its 2 places", n)
	}
	unlock()
	found := newItem(lockstep.Delivery{Change: lockstep.Change{Record: lockstep.Record{Key: "1"}}})
	found.target, found.match, found.image = "7", `["n"]`, value.F("id", 7)
	unlock = wk.lock(t.Context(), []*item{found}, func(*item) { t.Error("taken") })
	other := newItem(lockstep.Delivery{Change: lockstep.Change{Record: lockstep.Record{Key: "2"}}})
	other.match = `["n"]`
	put := false
	wk.lock(t.Context(), []*item{other}, func(*item) { put = true })()
	if n := taken(f.keyLock("7")); n != 1 || !put {
		t.Errorf("found by match: %d, %v", n, put)
	}
	unlock()
	if n := taken(f.keyLock("7"), f.keyLock("5")); n != 0 {
		t.Errorf("%d locks were not given back", n)
	}
}

// A link whose digest is of another version is re-labelled, and nothing is sent (law 7).
func TestStaleDigestsAreRelabelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "n", "1.00")
		e := w.engine(s)
		row := w.sync(e, true)[0]
		links, err := s.ScanLinks(context.Background(), "products", "", 10)
		if err != nil || len(links) != 1 {
			t.Fatal(links, err)
		}
		was := links[0].B.Digest
		links[0].B.Digest = lockstep.Digest("\x00" + string(was[1:]))
		if err := s.SettlePage(context.Background(), "products", lockstep.PageEnd{Run: row, Links: links}); err != nil {
			t.Fatal(err)
		}
		w.b.ResetCounts()
		w.sync(e, true)
		links, _ = s.ScanLinks(context.Background(), "products", "", 10)
		if n := w.b.AllWrites("products"); n != 0 || links[0].B.Digest != was {
			t.Fatalf("%d writes, digest %x", n, links[0].B.Digest)
		}
	})
}

// doubles is a source that has two different records with one key.
type doubles struct {
	*memory.System
	key lockstep.Key
}

func (s *doubles) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	found, err := s.System.Fetch(ctx, r, keys)
	for _, rec := range found {
		if rec.Key == s.key {
			rec.Fields = rec.Fields.With("name", value.Text("the other"))
			found = append(found, rec)
		}
	}
	return found, err
}

// Of records that are asked for by hints, one that cannot be read, or is there twice, is parked alone (law 4).
func TestBadHintsHurtOnlyThemselves(t *testing.T) {
	for name, source := range map[string]func(*memory.System) lockstep.Source{
		"unreadable": func(a *memory.System) lockstep.Source { on := true; return &blindFor{a, &on, "1"} },
		"doubled":    func(a *memory.System) lockstep.Source { return &doubles{a, "1"} },
	} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.source = source
			e := w.engine(s)
			w.sync(e, true)
			for id := range 3 {
				w.put("products", id, "n", "1.00")
			}
			if err := s.Hint(context.Background(), "products", []lockstep.Key{"0", "1", "2"}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
			if all := entries(t, s, lockstep.Parked); w.b.Len("products") != 2 || len(all) != 1 || all[0].Change.Record.Key != "1" {
				t.Fatalf("%s: %+v\n%s", name, all, dump(w.b, "products"))
			}
		})
	}
}

// After an unknown outcome nothing is written before the target's grace time has passed (law 5). A record that left the
// set meanwhile has no image that says where to look: what was tried before does.
func TestUnknownOutcomeWaitsAndLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, filter: `name != "hidden"`}), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.To.Grace = time.Minute }
		e := w.engine(s)
		w.sync(e, true)
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" && c.After {
				return lockstep.NewFault(lockstep.CodeNetwork, errors.New("the answer was lost")).Maybe()
			}
			return nil
		})
		w.put("products", 1, "n", "1.00")
		w.sync(e, false)
		w.b.SetHook(nil)
		w.b.ResetCounts()
		w.sync(e, false)
		if n := w.b.Counts()["Fetch"] + w.b.Counts()["Apply"]; n != 0 {
			t.Errorf("%d calls within the grace time", n)
		}
		w.put("products", 1, "hidden", "1.00")
		// Captured before anything is delivered: otherwise the older image may be found in the target and linked first.
		if _, _, err := e.capture(context.Background(), e.feeds["a/products/log"]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		w.sync(e, false)
		if all := entries(t, s, ""); len(all) != 0 || w.b.Len("products") != 0 {
			t.Fatalf("an orphan: %+v\n%s", w.status(e, "products"), dump(w.b, "products"))
		}
	})
}

// A store that fails before anything was written leaves no doubt about the target (law 5 is not asked for nothing).
func TestStoreFaultLeavesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := chosenKeys(t), store.New()
		defer s.Close()
		e := w.engine(s)
		w.sync(e, true)
		w.put("products", 1, "n", "1.00")
		seen := &failingLinks{Store: s, left: 1}
		e.store = seen
		w.sync(e, false)
		if w.b.Len("products") != 1 || w.status(e, "products").Parked != 0 {
			t.Fatalf("%+v", entries(t, s, ""))
		}
	})
}

// failingLinks is a store whose next looks at links fail for a reason that nobody has classified.
type failingLinks struct {
	lockstep.Store
	left int
}

func (s *failingLinks) Links(ctx context.Context, flow string, keys []lockstep.Key) ([]lockstep.LinkState, error) {
	if s.left--; s.left >= 0 {
		return nil, errors.New("hiccup")
	}
	return s.Store.Links(ctx, flow, keys)
}

// answers is a target that answers its first Applies as it is told.
type answers struct {
	*memory.System
	apply func(n int, writes []lockstep.Write) ([]lockstep.Result, error, bool)
	calls int
	sizes []int
}

func (s *answers) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	s.calls++
	s.sizes = append(s.sizes, len(writes))
	if res, err, mine := s.apply(s.calls, writes); mine {
		return res, err
	}
	return s.System.Apply(ctx, stream, writes)
}

// A batch that is refused is halved; not one of unknown outcome, nor one behind a system that went away. A connector
// that breaks its contract stops the flow.
func TestHalvesAndBrokenAnswers(t *testing.T) {
	unknown := lockstep.NewFault(lockstep.CodeValue, errors.New("refused, or not")).Maybe()
	for name, c := range map[string]struct {
		apply func(n int, writes []lockstep.Write) ([]lockstep.Result, error, bool)
		calls int
		code  lockstep.Code
		tried bool
	}{
		"unknown":      {func(int, []lockstep.Write) ([]lockstep.Result, error, bool) { return nil, unknown, true }, 1, lockstep.CodeValue, true},
		"short answer": {func(int, []lockstep.Write) ([]lockstep.Result, error, bool) { return nil, nil, true }, 1, lockstep.CodeInvariant, true},
		"away at halve": {func(n int, ws []lockstep.Write) ([]lockstep.Result, error, bool) {
			if n == 1 {
				return nil, lockstep.Faultf(lockstep.CodeValue, "refused"), true
			}
			return nil, lockstep.Faultf(lockstep.CodeUnavailable, "away").Maybe(), true
		}, 2, lockstep.CodeUnavailable, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			target := &answers{System: w.b, apply: c.apply}
			w.target = func(*memory.System) lockstep.Target { return target }
			e := w.engine(s)
			w.sync(e, true)
			w.put("products", 1, "n", "1.00")
			w.put("products", 2, "n", "1.00")
			if _, _, err := e.capture(context.Background(), e.feeds["a/products/log"]); err != nil {
				t.Fatal(err)
			}
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
			all := entries(t, s, "")
			if target.calls != c.calls || len(all) != 2 || all[1].Fault == nil || all[1].Fault.Code != c.code || all[1].Tried != c.tried {
				t.Fatalf("%s: calls %v, %+v", name, target.sizes, all)
			}
		})
	}
}

// What a target says of a write that it made is in the record's story.
func TestANoteOfTheTargetIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		target := &answers{System: w.b}
		target.apply = func(_ int, writes []lockstep.Write) ([]lockstep.Result, error, bool) {
			res, err := w.b.Apply(context.Background(), "products", writes)
			for i := range res {
				res[i].Note = "a colour was left out"
			}
			return res, err, true
		}
		w.target = func(*memory.System) lockstep.Target { return target }
		e := w.engine(s)
		w.sync(e, true)
		w.put("products", 1, "n", "1.00")
		w.sync(e, false)
		events, _, _, err := s.Story(context.Background(), e.flows[0].Name, "1")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(events, func(ev lockstep.Event) bool { return ev.Did == "created" && strings.Contains(ev.Note, "left out") }) {
			t.Errorf("the story is %+v", events)
		}
	})
}

// The brake holds by number as well as by share (law 9).
func TestBrakeByNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Deletes = Brake{Share: 1, Max: 2} }
		for id := range 9 {
			w.put("products", id, "n", "1.00")
		}
		e := w.engine(s)
		w.sync(e, true)
		for _, key := range []lockstep.Key{"1", "2", "3"} {
			w.a.Delete("products", key)
		}
		_, err := e.Full(context.Background(), "products", FullOptions{})
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDeleteBrake {
			t.Fatal(err)
		}
	})
}

// A run that was cut off is not gone on with by another mapping: what it read already was mapped the old way.
func TestChangedMappingBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := map[string]string{"id": "id", "name": "name", "price": "price"}
		w, s := newWorld(t, flowDef{name: "products", rules: rules}), store.New()
		defer s.Close()
		for id := range 9 {
			w.put("products", id, "n", "1.00")
		}
		ctx, cancel := context.WithCancel(context.Background())
		w.b.SetHook(func(c memory.Call) error {
			if c.Name == "Apply" {
				cancel()
			}
			return nil
		})
		if row, _ := w.engine(s).Full(ctx, "products", FullOptions{}); row.State != lockstep.Interrupted || w.b.Len("products") == 9 {
			t.Fatalf("%+v", row)
		}
		w.b.SetHook(nil)
		w.defs[0].rules = map[string]string{"id": "id", "name": `name + "!"`, "price": "price"}
		e := w.engine(s)
		w.sync(e, false)
		for key, f := range w.b.All("products") {
			if name, _ := f.Get("name"); name.String() != "n!" {
				t.Errorf("%s: %s", key, name)
			}
		}
	})
}

// twice is a source whose scan gives a record a second time, as it was before: at the end of its page or of the next.
type twice struct {
	*memory.System
	far bool
}

func (s *twice) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.System.Scan(ctx, r, from, l)
	if err == nil && (from != nil) == s.far && len(p.Changes) > 0 {
		p.Changes = append(p.Changes, lockstep.Change{Record: lockstep.Record{Key: "0", Fields: value.F("id", 0, "name", "before")}})
	}
	return p, err
}

// A record that moves while it is read, and comes twice, ends as it is now.
func TestRecordThatComesTwice(t *testing.T) {
	for _, far := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t, flowDef{name: "products"}), store.New()
			defer s.Close()
			w.source = func(a *memory.System) lockstep.Source { return &twice{a, far} }
			for id := range 5 {
				w.put("products", id, "n", "1.00")
			}
			e := w.engine(s)
			w.sync(e, true)
			w.same("products")
		})
	}
}

// lostAppends is a store whose next appends take effect and answer with an error.
type lostAppends struct {
	lockstep.Store
	left int
}

func (s *lostAppends) Append(ctx context.Context, feed string, from lockstep.Position, cs []lockstep.Change, next lockstep.Position, upTo time.Time) error {
	if err := s.Store.Append(ctx, feed, from, cs, next, upTo); err != nil {
		return err
	}
	if s.left--; s.left >= 0 {
		return lockstep.Faultf(lockstep.CodeStore, "the answer was lost")
	}
	return nil
}

// After an append of unknown outcome the store's checkpoint is what counts: capture goes on from there (law 1).
func TestLostAnswerOfAnAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		e := w.engine(&lostAppends{Store: s, left: 1})
		w.sync(e, true)
		w.put("products", 1, "n", "1.00")
		if _, err := e.Sync(context.Background(), w.names(), SyncOptions{}); err == nil {
			t.Error("no error")
		}
		w.put("products", 2, "n", "1.00")
		w.sync(e, false)
		w.same("products")
	})
}

// A plan is out of date when the target or the link changed, also where the action and our side stayed as they were.
func TestPlanGoesStaleByTargetAndByLink(t *testing.T) {
	for name, change := range map[string]func(*world, lockstep.Store, lockstep.Run){
		"target": func(w *world, _ lockstep.Store, _ lockstep.Run) { w.b.Edit("products", "1", "name", "edited") },
		"link": func(w *world, s lockstep.Store, row lockstep.Run) {
			links, err := s.ScanLinks(context.Background(), "products", "", 1)
			if err != nil || len(links) != 1 {
				w.t.Fatal(links, err)
			}
			d := []byte(links[0].B.Digest)
			d[1]++
			links[0].B.Digest = lockstep.Digest(d)
			if err := s.SettlePage(context.Background(), "products", lockstep.PageEnd{Run: row, Links: links}); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			w.put("products", 1, "n", "1.00")
			e := w.engine(s)
			row := w.sync(e, true)[0]
			w.put("products", 1, "new", "1.00")
			var items []PlanItem
			_, err := e.Plan(context.Background(), "products", PlanOptions{Report: func(it PlanItem) error { items = append(items, it); return nil }})
			if err != nil || len(items) != 1 || items[0].Action != "update" {
				t.Fatal(items, err)
			}
			change(w, s, row)
			hash, _ := e.MappingHash("products")
			w.b.ResetCounts()
			_, err = e.Apply(context.Background(), SavedPlan{Flow: "products", Mapping: hash, Items: itemsOf(items)}, SyncOptions{})
			if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeStalePlan || w.b.AllWrites("products") != 0 {
				t.Fatalf("%s: %v", name, err)
			}
		})
	}
}
