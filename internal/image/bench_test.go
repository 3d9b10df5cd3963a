package image_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// products is the table of the performance figures: nine fields, about 1 kB.
func products() (lockstep.Stream, value.Fields) {
	stream := lockstep.Stream{Name: "products", Key: []string{"id"}, Fields: []lockstep.Field{
		{Name: "id", Type: value.Type{Kind: value.IntType, Bits: 64}},
		{Name: "sku", Type: value.Type{Kind: value.TextType}},
		{Name: "name", Type: value.Type{Kind: value.TextType}},
		{Name: "description", Type: value.Type{Kind: value.TextType}},
		{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}},
		{Name: "attrs", Type: value.Type{Kind: value.JSONType}},
		{Name: "is_changed", Type: value.Type{Kind: value.BoolType}},
		{Name: "version", Type: value.Type{Kind: value.IntType, Bits: 64}},
		{Name: "updated_at", Type: value.Type{Kind: value.InstantType, Unit: time.Microsecond}},
	}}
	attrs, err := value.RawJSON(`{"color": "red", "size": "XL", "weight": 12.50, "tags": ["summer", "sale", "new"], "dimensions": {"w": 10, "h": 20, "d": 30.5}, ` +
		`"material": "cotton and some more words to make it long", "origin": "Portugal", "care": "wash at 30 degrees", "season": "2026", "rating": 4.75}`)
	if err != nil {
		panic(err)
	}
	price, _ := value.ParseDecimal("129.9900")
	return stream, value.NewNames("id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at").Fields([]value.Value{
		value.Int(123456), value.Text("SKU-0000123456"), value.Text("A product with a name of forty characters"),
		value.Text(strings.Repeat("Lorem ipsum dolor. ", 21)), value.FromDecimal(price), attrs, value.Bool(false), value.Int(17),
		value.Time(time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)),
	})
}

func BenchmarkDigest(b *testing.B) {
	stream, f := products()
	s, err := image.New(stream, nil, image.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(f.Size()))
	b.ReportAllocs()
	for b.Loop() {
		s.Digest(f)
	}
}

func BenchmarkCoerce(b *testing.B) {
	stream, f := products()
	s, _ := image.New(stream, nil, image.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Coerce(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLevel(b *testing.B) {
	stream, f := products()
	s, _ := image.New(stream, nil, image.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if !s.Level(f, f) {
			b.Fatal("not level")
		}
	}
}
