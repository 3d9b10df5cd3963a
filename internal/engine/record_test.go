package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// recordStream is a table of rows of about 1 kB.
var recordStream = lockstep.Stream{Name: "products", Key: []string{"id"}, Fields: []lockstep.Field{
	{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "sku", Type: value.Type{Kind: value.TextType}},
	{Name: "name", Type: value.Type{Kind: value.TextType}}, {Name: "description", Type: value.Type{Kind: value.TextType}},
	{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}}, {Name: "attrs", Type: value.Type{Kind: value.JSONType}},
	{Name: "is_changed", Type: value.Type{Kind: value.BoolType}}, {Name: "version", Type: value.Type{Kind: value.IntType}},
	{Name: "updated_at", Type: value.Type{Kind: value.InstantType}},
}}

// records is a page of such rows.
func records(b *testing.B, n int) []lockstep.Change {
	var fields []string
	for _, f := range recordStream.Fields {
		fields = append(fields, f.Name)
	}
	names, out := value.NewNames(fields...), make([]lockstep.Change, n)
	for i := range out {
		price, err := value.ParseDecimal(fmt.Sprintf("%d.%04d", i, i%10_000))
		if err != nil {
			b.Fatal(err)
		}
		attrs, err := value.RawJSON(fmt.Sprintf(`{"note": "%064d", "size": %d, "tags": ["%012d", "b"], "color": "red", "weight": 12.5, "material": "%032d", "supplier": {"id": %d, "code": "%032d"}}`,
			i, i%40, i, i, i%500, i))
		if err != nil {
			b.Fatal(err)
		}
		key := fmt.Sprint(i + 1)
		out[i].Record = lockstep.Record{Key: lockstep.Key(key), Version: "1", Fields: names.Fields([]value.Value{
			value.Int(int64(i + 1)), value.Text(fmt.Sprintf("SKU-%09d", i)), value.Text(fmt.Sprintf("Product %d of the year", i)),
			value.Text(strings.Repeat(fmt.Sprintf("%08d ", i), 45)), value.FromDecimal(price), attrs, value.Bool(false), value.Int(1),
			value.Time(time.Unix(int64(1_700_000_000+i), 0).UTC())})}
	}
	return out
}

// BenchmarkRecord is what a record costs in a full sync between the systems and the store: three expressions are
// mapped, the image is coerced and digested, and compared with the link. A familiar record is found to be as it was.
func BenchmarkRecord(b *testing.B) {
	const page = 1000
	spec := mapping.Spec{Flow: "products", Source: recordStream, Target: &recordStream, Identity: true, Fields: []mapping.Rule{
		{Name: "name", Expr: `trim(name) + " (" + sku + ")"`}, {Name: "price", Expr: "price * 1.19"}, {Name: "version", Expr: "version + 1"}}}
	m, err := mapping.Compile(spec)
	if err != nil {
		b.Fatal(err)
	}
	shape, err := image.New(recordStream, m.Writes(), image.Options{})
	if err != nil {
		b.Fatal(err)
	}
	f := &Flow{FlowDef: lockstep.FlowDef{Name: "products", Set: "products"}, From: recordStream, To: recordStream, Mapping: m, Shape: shape,
		Batch: page, Page: lockstep.Limit{Rows: page}}
	s := memory.New()
	defer s.Close()
	e, err := New(context.Background(), s, nil, Options{})
	if err != nil {
		b.Fatal(err)
	}
	w := e.worker(f, 1)
	changes, slab := records(b, page), make([]item, page)
	links := make([]lockstep.Link, page)
	bring := func(familiar bool) {
		items := f.fillItems(slab, changes, time.Time{})
		for i, it := range items {
			it.link = links[i]
		}
		w.print(items)
		if !familiar {
			if err := w.mapAll(context.Background(), items); err != nil {
				b.Fatal(err)
			}
			w.compare(items)
			return
		}
		for _, it := range items {
			if w.familiar(it) {
				it.out = nothing
			}
		}
	}
	bring(false)
	for i := range slab {
		if slab[i].out != nil {
			b.Fatalf("%+v", slab[i].out)
		}
		links[i] = *w.leveled(&slab[i], "")
		links[i].ID = int64(i + 1)
	}
	for _, way := range []struct {
		name     string
		familiar bool
	}{{"changed", false}, {"familiar", true}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bring(way.familiar)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/page, "ns/record")
			for i := range slab {
				if slab[i].out != nothing {
					b.Fatalf("a record is not level: %+v", slab[i].out)
				}
			}
		})
	}
}
