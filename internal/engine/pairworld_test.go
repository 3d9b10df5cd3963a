package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// pairWorld is two systems in memory and two flows face to face between them. It outlives engines and stores.
type pairWorld struct {
	t           testing.TB
	a, b        *memory.System
	there, back way
	policy      conflict.Policy
	adjust      func(*Flow)
}

// way is one of the two flows.
type way struct {
	rules     map[string]string // target field to expression; nil is identity
	filter    string
	match     []string
	untracked bool
}

var pairFields = []lockstep.Field{
	{Name: "id", Type: value.Type{Kind: value.IntType}},
	{Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
	{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}, Nullable: true},
	{Name: "stock", Type: value.Type{Kind: value.IntType}, Nullable: true},
	{Name: "sku", Type: value.Type{Kind: value.TextType}, Nullable: true},
	{Name: "note", Type: value.Type{Kind: value.TextType}, Nullable: true},
}

const things = "things"

func newPairWorld(t testing.TB) *pairWorld {
	w := &pairWorld{t: t, a: memory.New(), b: memory.New(), policy: conflict.Newest}
	w.a.DefineStream(lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"id"}, SeesDeletes: true})
	w.b.DefineStream(lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"id"}, SeesDeletes: true})
	return w
}

func streamOf(t testing.TB, s *memory.System) lockstep.Stream {
	all, err := s.Streams(context.Background())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

func (w *pairWorld) flow(name string, side lockstep.Side, how way, source, target *memory.System) *Flow {
	from, to := streamOf(w.t, source), streamOf(w.t, target)
	spec := mapping.Spec{Flow: name, Source: from, Target: &to, Identity: how.rules == nil}
	for _, field := range slices.Sorted(maps.Keys(how.rules)) {
		spec.Fields = append(spec.Fields, mapping.Rule{Name: field, Expr: how.rules[field]})
	}
	if how.filter != "" {
		spec.Filter = &mapping.Rule{Expr: how.filter}
	}
	m, err := mapping.Compile(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	shape, err := image.New(to, m.Writes(), image.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	f := &Flow{
		FlowDef:      lockstep.FlowDef{Name: name, Set: "there", Side: side, Create: lockstep.Normal, Update: lockstep.Normal, Delete: lockstep.Normal},
		SourceSystem: "system " + name, TargetSystem: "system " + map[string]string{"there": "back", "back": "there"}[name], Source: source, Target: target,
		Read: lockstep.Read{Stream: things, Fields: m.Reads()}, From: from, To: to,
		Mapping: m, Shape: shape, Match: how.match, OnDelete: DeleteRecord, OnTargetEdit: OverwriteEdit,
		Deletes: Brake{Share: 1, Max: 1000}, Batch: 3, Concurrency: 2, Page: lockstep.Limit{Rows: 3, Bytes: 1 << 20},
		Retry: Retry{Attempts: 5, From: 10, To: 100}, Every: 50,
	}
	if !how.untracked {
		f.Feed = name + "/log"
	}
	if w.adjust != nil {
		w.adjust(f)
	}
	return f
}

func (w *pairWorld) flows() []*Flow {
	there, back := w.flow("there", lockstep.A, w.there, w.a, w.b), w.flow("back", lockstep.B, w.back, w.b, w.a)
	if err := Pair(there, back, w.policy); err != nil {
		w.t.Fatal(err)
	}
	return []*Flow{there, back}
}

func (w *pairWorld) engine(store lockstep.Store) *Engine {
	w.t.Helper()
	e, err := New(context.Background(), store, w.flows(), Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// sync brings both flows level once, in the order given, or both at once.
func (w *pairWorld) sync(e *Engine, full bool, flows ...string) {
	w.t.Helper()
	if len(flows) == 0 {
		flows = []string{"there", "back"}
	}
	rows, err := e.Sync(context.Background(), flows, SyncOptions{Full: full, Patience: 5e9})
	if err != nil {
		w.t.Fatalf("sync: %v %+v", err, rows)
	}
}

// quiet syncs until nothing moves, and fails the test where the two sides write to each other for ever.
func (w *pairWorld) quiet(e *Engine) {
	w.t.Helper()
	for range 6 {
		before := w.writes()
		w.sync(e, false)
		if w.writes() == before {
			return
		}
	}
	w.t.Errorf("the two sides do not come to rest:\n%s", w.dump())
}

func (w *pairWorld) writes() int { return w.a.AllWrites(things) + w.b.AllWrites(things) }

// dump is both sides.
func (w *pairWorld) dump() string {
	return fmt.Sprintf("a: %s\nb: %s", brief(w.a), brief(w.b))
}

// brief is a system's records in short: "1 name=x price=2".
func brief(s *memory.System) string {
	all := s.All(things)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		text := string(key)
		fields := maps.Collect(all[key].All())
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if name != "id" && !fields[name].IsNull() {
				text += " " + name + "=" + fields[name].String()
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func (w *pairWorld) want(a, b string) {
	w.t.Helper()
	if got := brief(w.a); got != a {
		w.t.Errorf("a has %q, want %q", got, a)
	}
	if got := brief(w.b); got != b {
		w.t.Errorf("b has %q, want %q", got, b)
	}
}

func (w *pairWorld) both(want string) {
	w.t.Helper()
	w.want(want, want)
}

// empty fails the test where something is left in a queue.
func (w *pairWorld) empty(e *Engine) {
	w.t.Helper()
	for _, name := range e.Flows() {
		entries, err := e.store.Entries(context.Background(), name, "", 0, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, en := range entries {
			w.t.Errorf("left in the queue of %s: %s %s %v", name, en.Change.Record.Key, en.State, en.Fault)
		}
	}
}

func price(text string) value.Decimal {
	d, err := value.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

type callOf = memory.Call

func keyOf(id int) lockstep.Key { return lockstep.Key(fmt.Sprint(id)) }

// tellAll logs what both flows know of a key.
func tellAll(t *testing.T, e *Engine, key lockstep.Key) {
	for _, flow := range e.Flows() {
		events, _, link, err := e.store.Story(context.Background(), flow, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			t.Logf("%s %s %s %s %s %v", flow, key, ev.At.Format("04:05.000"), ev.Did, ev.Note, ev.Fault)
		}
		if link != nil {
			t.Logf("%s %s link %d: a %s %.8x %s, b %s %.8x %s", flow, key, link.ID, link.A.Key, string(link.A.Digest), link.A.Version, link.B.Key, string(link.B.Digest), link.B.Version)
		}
	}
}
