package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// products is a record of the table of the performance figures: nine fields, about 1 kB.
func products(t testing.TB) (lockstep.Stream, lockstep.Record) {
	names := []string{"id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at"}
	kinds := []value.TypeKind{value.IntType, value.TextType, value.TextType, value.TextType, value.DecimalType, value.JSONType, value.BoolType, value.IntType, value.InstantType}
	s := lockstep.Stream{Name: "products", Key: []string{"id"}}
	for i, n := range names {
		s.Fields = append(s.Fields, lockstep.Field{Name: n, Type: typ(kinds[i])})
	}
	attrs, err := value.RawJSON(`{"color": "red", "size": "XL", "tags": ["a", "b"], "dims": {"w": 10, "h": 20}}`)
	if err != nil {
		t.Fatal(err)
	}
	return s, lockstep.Record{Key: "1", Fields: value.NewNames(names...).Fields([]value.Value{
		value.Int(1), value.Text("SKU-0001"), value.Text("A product"), value.Text(strings.Repeat("Lorem ipsum dolor. ", 21)),
		value.FromDecimal(dec("129.9900")), attrs, value.Bool(true), value.Int(17), value.Time(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)),
	})}
}

func BenchmarkIdentity(b *testing.B) {
	s, rec := products(b)
	m, err := mapping.Compile(mapping.Spec{Flow: "f", Source: s, Identity: true})
	if err != nil {
		b.Fatal(err)
	}
	w := m.Worker()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.Map(rec, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTwentyExpressions(b *testing.B) {
	s, rec := products(b)
	exprs := []string{`round(price * 1.22, 2)`, `is_changed ? 1 : 2`, `upper(name)`, `trim(sku)`, `sku + "-" + name`, `version + 1`, `price > 100 ? "high" : "low"`, `name ?? "-"`, `len(description) > 200`, `attrs.color`,
		`attrs.dims.w * attrs.dims.h`, `join(attrs.tags, ",")`, `lower(attrs.size)`, `version % 2 == 0`, `sku startsWith "SKU"`, `price - 10`, `year(updated_at)`, `left(description, 20)`, `name == "A product"`, `id * 1000`}
	spec := mapping.Spec{Flow: "f", Source: s}
	for i, e := range exprs {
		spec.Fields = append(spec.Fields, mapping.Rule{Name: fmt.Sprint("f", i), Expr: e})
	}
	m, err := mapping.Compile(spec)
	if err != nil {
		b.Fatal(err)
	}
	w := m.Worker()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.Map(rec, nil); err != nil {
			b.Fatal(err)
		}
	}
}
