package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// world is two systems in memory and the flows between them; it outlives the engines and stores that run on it.
type world struct {
	t      testing.TB
	a, b   *memory.System
	defs   []flowDef
	adjust func(*Flow)
	source func(*memory.System) lockstep.Source // wraps the source, nil for none
	target func(*memory.System) lockstep.Target
}

type flowDef struct {
	name   string
	rules  map[string]string // target field to expression; nil is identity
	filter string
	track  bool
	built  map[string]string // flow to expression
}

var productFields = []lockstep.Field{
	{Name: "id", Type: value.Type{Kind: value.IntType}},
	{Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
	{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 2}, Nullable: true},
}

func newWorld(t testing.TB, defs ...flowDef) *world {
	w := &world{t: t, a: memory.New(), b: memory.New(), defs: defs}
	if len(w.defs) == 0 {
		w.defs = []flowDef{{name: "products", track: true}}
	}
	for _, d := range w.defs {
		def := lockstep.Stream{Name: d.name, Fields: productFields, Key: []string{"id"}}
		w.a.DefineStream(def)
		w.b.DefineStream(def)
	}
	return w
}

// flows builds the flows afresh, as a new process would.
func (w *world) flows() []*Flow {
	var out []*Flow
	for _, d := range w.defs {
		out = append(out, w.flow(d))
	}
	return out
}

func (w *world) stream(s *memory.System, name string) lockstep.Stream {
	all, err := s.Streams(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, st := range all {
		if st.Name == name {
			return st
		}
	}
	w.t.Fatalf("no stream %s", name)
	return lockstep.Stream{}
}

func (w *world) flow(d flowDef) *Flow {
	from, to := w.stream(w.a, d.name), w.stream(w.b, d.name)
	spec := mapping.Spec{Flow: d.name, Source: from, Target: &to, Identity: d.rules == nil}
	for _, name := range slices.Sorted(maps.Keys(d.rules)) {
		spec.Fields = append(spec.Fields, mapping.Rule{Name: name, Expr: d.rules[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.built)) {
		spec.Built = append(spec.Built, mapping.Rule{Name: name, Expr: d.built[name]})
	}
	if d.filter != "" {
		spec.Filter = &mapping.Rule{Expr: d.filter}
	}
	m, err := mapping.Compile(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	shape, err := image.New(to, m.Writes(), image.Options{Absent: m.Absent()})
	if err != nil {
		w.t.Fatal(err)
	}
	f := &Flow{
		FlowDef:      lockstep.FlowDef{Name: d.name, Set: d.name, Create: lockstep.Normal, Update: lockstep.Normal, Delete: lockstep.Normal},
		SourceSystem: "a", TargetSystem: "b", Source: w.a, Target: w.b,
		Read: lockstep.Read{Stream: d.name, Fields: m.Reads()}, From: from, To: to,
		Mapping: m, Shape: shape, OnDelete: DeleteRecord, OnTargetEdit: OverwriteEdit,
		Deletes: Brake{Share: 1, Max: 1000}, Batch: 3, Concurrency: 1, Page: lockstep.Limit{Rows: 3, Bytes: 1 << 20},
		Retry: Retry{Attempts: 5, From: 10 * time.Millisecond, To: 100 * time.Millisecond}, Every: 50 * time.Millisecond,
	}
	if d.track {
		f.Feed = "a/" + d.name + "/log"
	}
	if w.source != nil {
		f.Source = w.source(w.a)
	}
	if w.target != nil {
		f.Target = w.target(w.b)
	}
	if w.adjust != nil {
		w.adjust(f)
	}
	return f
}

func (w *world) names() []string {
	var out []string
	for _, d := range w.defs {
		out = append(out, d.name)
	}
	return out
}

func (w *world) engine(store lockstep.Store) *Engine {
	w.t.Helper()
	e, err := New(context.Background(), store, w.flows(), Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// sync brings all flows level once, and fails the test where that fails.
func (w *world) sync(e *Engine, full bool) []lockstep.Run {
	w.t.Helper()
	rows, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: full, Patience: time.Second})
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	return rows
}

func (w *world) put(stream string, id int, name string, price string) {
	w.t.Helper()
	d, err := value.ParseDecimal(price)
	if err != nil {
		w.t.Fatal(err)
	}
	w.a.Put(stream, value.F("id", id, "name", name, "price", d))
}

// dump shows a stream's records in order.
func dump(s *memory.System, stream string) string {
	all := s.All(stream)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, fmt.Sprintf("%s: %s", key, value.AppendFields(nil, all[key])))
	}
	return strings.Join(lines, "\n")
}

// same fails the test unless both sides hold the same.
func (w *world) same(stream string) {
	w.t.Helper()
	if a, b := dump(w.a, stream), dump(w.b, stream); a != b {
		w.t.Errorf("the sides differ\nsource:\n%s\ntarget:\n%s", a, b)
	}
}

func (w *world) status(e *Engine, flow string) lockstep.FlowStatus {
	w.t.Helper()
	s, err := e.store.Status(context.Background(), flow)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}
