package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// related sends the records that are named, as far as they are there.
const related = `join(map(split(name ?? "", ","), later(link("products", #))), ",")`

func (w *world) fullSync(e *Engine) []lockstep.Run {
	w.t.Helper()
	rows, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true, Patience: 3 * time.Second, FullOptions: FullOptions{AllowDeletes: true}})
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	return rows
}

// faultOf is the fault of a record's entry.
func (w *world) faultOf(s lockstep.Store, flow string, key lockstep.Key) (lockstep.EntryState, string) {
	w.t.Helper()
	es, err := s.Open(context.Background(), flow, []lockstep.Key{key})
	if err != nil || es[0] == nil {
		w.t.Fatalf("no entry of %s/%s: %v", flow, key, err)
	}
	if es[0].Fault == nil {
		return es[0].State, ""
	}
	return es[0].State, es[0].Fault.Error()
}

// madeWith is what a record was made with, in short.
func madeWith(t testing.TB, s lockstep.Store, flow string, key lockstep.Key) string {
	t.Helper()
	all, err := s.Refers(context.Background(), flow, key)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range all {
		out = append(out, fmt.Sprintf("%s/%s:%d", r.Flow, r.Key, r.Use))
	}
	return strings.Join(out, " ")
}

// joined is a source whose products show the name of their category, which their price names: a view, a graph.
type joined struct{ *memory.System }

func (s joined) show(r lockstep.Record) lockstep.Record {
	price, _ := r.Fields.Get("price")
	id, _ := price.KeyText()
	name, _ := r.Fields.Get("name")
	c, ok := s.Get("categories", lockstep.Key(id))
	if !ok {
		return r
	}
	of, _ := c.Fields.Get("name")
	names, values := r.Fields.Names(), slices.Clone(r.Fields.Values())
	values[names.Index("name")] = value.Text(name.Text() + " in " + of.Text())
	r.Fields = names.Fields(values)
	return r
}

func (s joined) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	all, err := s.System.Fetch(ctx, r, keys)
	for i := range all {
		if r.Stream == "products" {
			all[i] = s.show(all[i])
		}
	}
	return all, err
}

func (s joined) page(p lockstep.Page, r lockstep.Read, err error) (lockstep.Page, error) {
	for i := range p.Changes {
		if r.Stream == "products" && p.Changes[i].Op == lockstep.Upsert && r.Fields != nil {
			p.Changes[i].Record = s.show(p.Changes[i].Record)
		}
	}
	return p, err
}

func (s joined) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.System.Scan(ctx, r, from, l)
	return s.page(p, r, err)
}

func (s joined) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.System.Changes(ctx, r, from, l)
	return s.page(p, r, err)
}

// builtWorld is products that carry their category's name, and categories.
func builtWorld(t testing.TB) *world {
	w := newWorld(t, flowDef{name: "products", track: true, built: map[string]string{"categories": "price"}}, flowDef{name: "categories", track: true})
	w.source = func(a *memory.System) lockstep.Source { return joined{a} }
	return w
}

// A category that is renamed has exactly its products sent again, each once: by a delta, by a hint, and by a full sync
// of the categories that finds it.
func TestRenamedCategoryReachesItsProducts(t *testing.T) {
	for _, how := range []string{"delta", "hint", "full"} {
		synctest.Test(t, func(t *testing.T) {
			w, s := builtWorld(t), store.New()
			defer s.Close()
			for id := range 10 {
				w.put("products", id, fmt.Sprint("p", id), fmt.Sprint(100+id%3))
			}
			for c := range 3 {
				w.put("categories", 100+c, fmt.Sprint("c", c), "0.00")
			}
			if how == "full" {
				w.defs[1].track = false
			}
			e := w.engine(s)
			w.sync(e, true)
			if got := madeWith(t, s, "products", "4"); got != "categories/101:1" {
				t.Fatalf("%q", got)
			}
			w.b.ResetCounts()
			w.put("categories", 101, "renamed", "0.00")
			switch how {
			case "hint":
				if _, err := e.Pilot(t.Context(), "categories", []lockstep.Key{"101"}, 0, SyncOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			w.sync(e, false)
			for id := range 10 {
				want := 0
				if id%3 == 1 {
					want = 1
				}
				key := lockstep.Key(fmt.Sprint(id))
				if n := w.b.Writes("products", key); n != want {
					t.Errorf("%s: product %d was written %d times, want %d", how, id, n, want)
				}
			}
			if r, _ := w.b.Get("products", "4"); !strings.Contains(string(value.AppendFields(nil, r.Fields)), "in renamed") {
				t.Errorf("%s: %s", how, dump(w.b, "products"))
			}
			w.b.ResetCounts()
			w.sync(e, true)
			if n := w.b.AllWrites("products") + w.b.AllWrites("categories"); n != 0 {
				t.Errorf("%s: an unchanged full sync wrote %d", how, n)
			}
		})
	}
}

// What an unchanged full sync of records with references writes is nothing: it calls Settle and SettlePage as one
// without does.
func TestUnchangedReferencesAreNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`}, built: map[string]string{"products": "price"}},
			flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		w.put("categories", 100, "c", "0.00")
		for id := range 9 {
			w.put("products", id, "100", fmt.Sprint(id/3))
		}
		e := w.engine(s)
		w.sync(e, true)
		if got := madeWith(t, s, "products", "7"); got != "categories/100:2 products/2:1" {
			t.Fatalf("%q", got)
		}
		pages := &countedPages{Store: s}
		e = w.engine(pages)
		w.sync(e, true)
		if pages.refs != 0 || pages.links != 0 {
			t.Fatalf("%d links and %d records with references were handed to the store", pages.links, pages.refs)
		}
		w.a.Edit("products", "7", "price", 5) // made with another one, and the same in the target
		w.defs[0].track = false
		e = w.engine(s)
		w.b.ResetCounts()
		w.sync(e, true)
		if got := madeWith(t, s, "products", "7"); got != "categories/100:2 products/5:1" || w.b.AllWrites("products") != 0 {
			t.Fatalf("%q", got)
		}
	})
}

type countedPages struct {
	lockstep.Store
	mu          sync.Mutex
	links, refs int
}

func (s *countedPages) SettlePage(ctx context.Context, flow string, end lockstep.PageEnd) error {
	s.mu.Lock()
	s.links += len(end.Links)
	s.refs += len(end.Refs)
	s.mu.Unlock()
	return s.Store.SettlePage(ctx, flow, end)
}

// Records that are related in rings all go, each at most twice, and then no more; also over a restart.
func TestLaterLinksOfRings(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": related}}), store.New()
			defer s.Close()
			e := w.engine(s)
			if !full {
				w.sync(e, true) // from here on by the delta
			}
			const n = 8
			for id := range n {
				w.put("products", id, fmt.Sprintf("%d,%d", (id+1)%n, (id+n-1)%n), "1.00")
			}
			w.put("products", n, "0,77", "1.00") // 77 does not exist
			w.sync(e, full)
			e = w.engine(s)
			w.sync(e, false)
			for id := range n {
				want := fmt.Sprintf("%d,%d", (id+1)%n, (id+n-1)%n)
				r, _ := w.b.Get("products", lockstep.Key(fmt.Sprint(id)))
				if name, _ := r.Fields.Get("name"); name.String() != want || w.b.Writes("products", r.Key) > 3 {
					t.Errorf("full %v: product %d is related to %q, want %q, after %d writes", full, id, name, want, w.b.Writes("products", r.Key))
				}
			}
			if got := madeWith(t, s, "products", "8"); got != "products/0:2 products/77:6" {
				t.Errorf("%q", got)
			}
			row, err := e.Verify(t.Context(), "products", VerifyOptions{TempDir: t.TempDir()})
			if err != nil || row.Counts.InFlight != 1 || row.Counts.Different+row.Counts.Missing+row.Counts.Extra != 0 {
				t.Errorf("%+v %v", row.Counts, err)
			}
			var later []lockstep.Ref
			if _, err := e.Plan(t.Context(), "products", PlanOptions{Keys: []lockstep.Key{"8"}, Report: func(it PlanItem) error { later = it.Later; return nil }}); err != nil {
				t.Error(err)
			}
			if len(later) > 0 {
				t.Errorf("a level record is planned: %v", later)
			}
			w.b.ResetCounts()
			w.sync(e, true)
			if n := w.b.AllWrites("products"); n != 0 {
				t.Errorf("an unchanged full sync wrote %d", n)
			}
			w.put("products", 77, "8", "1.00") // now it comes
			w.sync(e, false)
			if r, _ := w.b.Get("products", "8"); !strings.Contains(string(value.AppendFields(nil, r.Fields)), "0,77") {
				t.Error(dump(w.b, "products"))
			}
			if row, err := e.Verify(t.Context(), "products", VerifyOptions{TempDir: t.TempDir()}); err != nil || row.Counts.InFlight != 0 {
				t.Errorf("%+v %v", row.Counts, err)
			}
		})
	}
}

// A plan says what a record would be sent without.
func TestPlanShowsWhatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": related}}), store.New()
		defer s.Close()
		w.put("products", 1, "2", "1.00")
		w.put("products", 2, "1", "1.00")
		var got []string
		_, err := w.engine(s).Plan(t.Context(), "products", PlanOptions{Report: func(it PlanItem) error {
			got = append(got, fmt.Sprint(it.Action, it.Key, it.Later))
			return nil
		}})
		if err != nil || !slices.Equal(got, []string{"create1[{products 2}]", "create2[{products 1}]"}) {
			t.Fatal(got, err)
		}
	})
}

// What a record waits for is told as it stands.
func TestWhatIsWaitedForIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`, "price": "price"}},
			flowDef{name: "categories", track: true, filter: `name != "hidden"`}), store.New()
		defer s.Close()
		e := w.engine(s)
		w.sync(e, true)
		w.b.DefineStream(lockstep.Stream{Name: "categories", Fields: productFields, Key: []string{"id"}}, memoryRules(false)) // names are unique
		w.put("categories", 99, "double", "0.00")
		w.put("categories", 100, "double", "0.00")
		w.put("categories", 101, "hidden", "0.00")
		w.sync(e, false)
		w.put("products", 1, "100", "1.00")
		w.put("products", 2, "101", "1.00")
		w.put("products", 3, "102", "1.00")
		w.sync(e, false)
		for key, want := range map[lockstep.Key]string{"1": "parked with LS-UNIQUE", "2": "the filter of categories leaves it out", "3": "not in the source of categories"} {
			if state, text := w.faultOf(s, "products", key); state != lockstep.Waits || !strings.Contains(text, want) {
				t.Errorf("product %s is %s: %s", key, state, text)
			}
		}
	})
}

// ringWorld is flows a, b and c, whose records name one of the next flow; c's one of a's.
func ringWorld(t testing.TB) *world {
	rules := func(next string) map[string]string {
		return map[string]string{"id": "id", "name": `link("` + next + `", name)`}
	}
	return newWorld(t, flowDef{name: "a", track: true, rules: rules("b")}, flowDef{name: "b", track: true, rules: rules("c")}, flowDef{name: "c", track: true, rules: rules("a")})
}

// Records that wait for each other are parked, all of them, with the names of all; what waits for one of them says so.
// Once one is mended all go by themselves.
func TestRingsAreParkedAndNamed(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := ringWorld(t), store.New()
			defer s.Close()
			w.adjust = func(f *Flow) { f.Concurrency = 3 }
			e := w.engine(s)
			if !full {
				w.sync(e, true)
			}
			w.put("a", 1, "2", "0.00")
			w.put("b", 2, "3", "0.00")
			w.put("c", 3, "1", "0.00")
			w.put("c", 4, "1", "0.00") // waits for the ring, and is no part of it
			w.put("a", 7, "7", "0.00") // waits for b 7, which is not there
			w.sync(e, full)
			for at, key := range map[string]lockstep.Key{"a": "1", "b": "2", "c": "3"} {
				state, text := w.faultOf(s, at, key)
				if state != lockstep.Parked || !strings.Contains(text, "LS-RING") {
					t.Errorf("full %v: %s/%s is %s: %s", full, at, key, state, text)
				}
				for _, name := range []string{"1 of flow a", "2 of flow b", "3 of flow c"} {
					if !strings.Contains(text, name) {
						t.Errorf("full %v: %s/%s does not name %s: %s", full, at, key, name, text)
					}
				}
			}
			if state, text := w.faultOf(s, "c", "4"); state != lockstep.Waits {
				t.Errorf("full %v: c/4 is %s: %s", full, state, text)
			}
			w.put("b", 2, "", "0.00") // still a reference, to nothing that there is
			w.a.Edit("b", "2", "name", nil)
			w.sync(e, false)
			for _, at := range []string{"a", "b", "c"} {
				want := map[string]int{"a": 1, "b": 1, "c": 2}[at]
				if n := w.b.Len(at); n != want {
					t.Errorf("full %v: %d records in %s: %+v", full, n, at, w.status(e, at))
				}
			}
		})
	}
}

// A ring is mended by later(), too: the changed mapping is a full sync, and all go.
func TestRingIsMendedByLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := ringWorld(t), store.New()
		defer s.Close()
		w.put("a", 1, "2", "0.00")
		w.put("b", 2, "3", "0.00")
		w.put("c", 3, "1", "0.00")
		w.sync(w.engine(s), true)
		w.defs[1].rules["name"] = `later(link("c", name))`
		e := w.engine(s)
		w.sync(e, false)
		if w.b.Len("a")+w.b.Len("b")+w.b.Len("c") != 3 {
			t.Fatalf("%+v %+v %+v", w.status(e, "a"), w.status(e, "b"), w.status(e, "c"))
		}
		if got := dump(w.b, "b"); !strings.Contains(got, `"name":"3"`) {
			t.Fatal(got)
		}
	})
}

// A record that waits for itself is a ring, too.
func TestRecordThatWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("products", name)`}}), store.New()
		defer s.Close()
		w.put("products", 1, "1", "0.00")
		e := w.engine(s)
		w.sync(e, true)
		if state, text := w.faultOf(s, "products", "1"); state != lockstep.Parked || !strings.Contains(text, "LS-RING") {
			t.Errorf("%s: %s", state, text)
		}
	})
}

// Children of a tree go before what is made of them, in one page and over many, in a full sync and a delta, and each
// is written once.
func TestTreesGoInOrder(t *testing.T) {
	for _, rows := range []int{3, 100} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("products", name)`}}), store.New()
			defer s.Close()
			w.adjust = func(f *Flow) { f.Page.Rows = rows }
			w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}}, memory.Rules{References: map[string]string{"name": "products"}})
			e := w.engine(s)
			for id := range 20 {
				w.put("products", id, fmt.Sprint(id+1), "0.00")
			}
			w.put("products", 20, "", "0.00")
			w.a.Edit("products", "20", "name", nil)
			w.sync(e, true)
			if n, writes := w.b.Len("products"), w.b.AllWrites("products"); n != 21 || writes != 21 {
				t.Fatalf("%d records after %d writes: %+v", n, writes, w.status(e, "products"))
			}
		})
	}
}

// deletedWorld is products that name their category, in a target that knows no foreign keys: only we keep the order.
func deletedWorld(t testing.TB) (*world, *[]string) {
	w := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`}}, flowDef{name: "categories", track: true})
	for id := range 5 {
		w.put("categories", 100+id, "c", "0.00")
		w.put("products", id, fmt.Sprint(100+id), "0.00")
	}
	order := &[]string{}
	var mu sync.Mutex // both flows write
	w.b.SetHook(func(c memory.Call) error {
		if c.Name == "Write" && c.After {
			mu.Lock()
			defer mu.Unlock()
			*order = append(*order, c.Stream+"/"+string(c.Key))
		}
		return nil
	})
	return w, order
}

// What refers to a deleted record goes before it: deleted, or sent again.
func TestDeletesGoDependantsFirst(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, order := deletedWorld(t)
			s := store.New()
			defer s.Close()
			e := w.engine(s)
			w.sync(e, true)
			*order = nil
			w.a.Delete("categories", "100")
			w.a.Delete("products", "0")
			w.a.Delete("categories", "101")
			w.put("products", 1, "102", "0.00")
			w.a.Delete("categories", "104") // and product 4 still names it
			if full {
				w.fullSync(e)
			} else {
				w.sync(e, false)
			}
			at := func(what string) int {
				i := slices.Index(*order, what)
				if i < 0 {
					t.Errorf("full %v: %s was not written: %v", full, what, *order)
				}
				return i
			}
			if at("products/0") > at("categories/100") || at("products/1") > at("categories/101") {
				t.Errorf("full %v: %v", full, *order)
			}
			at("categories/104")
			if w.b.Len("categories") != 2 {
				t.Errorf("full %v: %s", full, dump(w.b, "categories"))
			}
			events, _, _, err := s.Story(t.Context(), "categories", "104")
			if err != nil || !slices.ContainsFunc(events, func(ev lockstep.Event) bool {
				return ev.Did == "deleted" && ev.Note == "4 of flow products still refers to it"
			}) {
				t.Errorf("full %v: %+v %v", full, events, err)
			}
			if state, text := w.faultOf(s, "products", "4"); state != lockstep.Waits || !strings.Contains(text, "not in the source of categories") {
				t.Errorf("full %v: %s: %s", full, state, text)
			}
		})
	}
}

// A delete does not wait for ever: not for a flow that has stopped, not for one who is parked, not in a ring.
func TestDeletesDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := deletedWorld(t)
		s := store.New()
		defer s.Close()
		w.sync(w.engine(s), true)
		w.a.Delete("categories", "100")
		w.a.Delete("products", "0")
		e := w.engine(s)
		one := func(flow string) lockstep.FlowStatus {
			if _, err := e.Sync(t.Context(), []string{flow}, SyncOptions{Patience: time.Second}); err != nil {
				t.Fatal(err)
			}
			return w.status(e, flow)
		}
		one("categories") // nobody delivers products
		if state, text := w.faultOf(s, "categories", "100"); state != lockstep.Delayed || !strings.Contains(text, "LS-REFERRED") || !strings.Contains(text, "0 of flow products") {
			t.Fatalf("%s: %s", state, text)
		}
		time.Sleep(longestDelete)
		if st := one("categories"); st.Delayed != 0 || w.b.Len("categories") != 4 {
			t.Fatalf("%+v", st)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `later(link("products", name))`}}), store.New()
		defer s.Close()
		w.put("products", 0, "", "0.00")
		for id := 1; id < 4; id++ {
			w.put("products", id, fmt.Sprint(id%3+1), "0.00") // 1 -> 2 -> 3 -> 1
		}
		w.put("products", 4, "1", "0.00")
		e := w.engine(s)
		w.sync(e, true)
		w.sync(e, false)
		for id := 1; id < 5; id++ {
			w.a.Delete("products", lockstep.Key(fmt.Sprint(id)))
		}
		began := time.Now()
		for range 3 {
			w.sync(e, false)
		}
		if took := time.Since(began); w.b.Len("products") != 1 || took > time.Minute {
			t.Fatalf("%s after %s\n%+v", dump(w.b, "products"), took, w.status(e, "products"))
		}
	})
}

// A record whose target key moves, or that is made again elsewhere, has those sent again that hold its key.
func TestMovedKeyReachesThoseThatHoldIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": `link("categories", name)`}}, flowDef{name: "categories", track: true}), store.New()
		defer s.Close()
		w.b.DefineStream(lockstep.Stream{Name: "categories", Fields: productFields, Key: []string{"name"}})
		w.put("categories", 100, "old", "0.00")
		w.put("products", 1, "100", "0.00")
		e := w.engine(s)
		w.sync(e, true)
		w.put("categories", 100, "new", "0.00")
		w.sync(e, false)
		if got := dump(w.b, "products"); !strings.Contains(got, `"new"`) {
			t.Fatal(got)
		}
	})
}

// Many who are made from one record are reached in pages, and none is lost or doubled.
func TestManyAreReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := builtWorld(t), store.New()
		defer s.Close()
		w.adjust = func(f *Flow) { f.Page.Rows, f.Batch = 500, 100 }
		const many = 2600
		w.put("categories", 100, "c", "0.00")
		for id := range many {
			w.put("products", id, "p", "100")
		}
		e := w.engine(s)
		w.sync(e, true)
		w.b.ResetCounts()
		w.put("categories", 100, "renamed", "0.00")
		w.sync(e, false)
		if n := w.b.AllWrites("products"); n != many {
			t.Fatalf("%d writes, want %d", n, many)
		}
	})
}

// A category that is renamed while a product is on its way that nobody knows to be made from it yet: the product was read
// before, and says only afterwards what it was made from.
func TestRenamedWhileAProductIsOnItsWay(t *testing.T) {
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := builtWorld(t), store.New()
			defer s.Close()
			w.put("categories", 100, "c", "0.00")
			e := w.engine(s)
			w.sync(e, true)
			w.put("products", 1, "p", "100")
			once := false
			w.b.SetHook(func(c memory.Call) error {
				if c.Name == "Write" && c.Stream == "products" && !once {
					once = true
					w.put("categories", 100, "renamed", "0.00")
					if _, _, err := e.capture(context.Background(), e.feeds["a/categories/log"]); err != nil {
						return err
					}
				}
				return nil
			})
			w.sync(e, full)
			if r, _ := w.b.Get("products", "1"); !strings.Contains(string(value.AppendFields(nil, r.Fields)), "in renamed") {
				t.Errorf("full %v: %s", full, dump(w.b, "products"))
			}
		})
	}
}
