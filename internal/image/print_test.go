package image

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// TestPrint looks that records print alike when they are the same, and only then.
func TestPrint(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	dec := func(s string) value.Value {
		d, err := value.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return value.FromDecimal(d)
	}
	raw := func(s string) value.Value {
		v, err := value.RawJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one := value.NewNames("a", "b")
	pairs := [][2]value.Value{
		{value.Null, value.Null}, {value.Text(""), value.Null}, {value.Null, value.Text("")}, {value.Text("ab"), value.Text("c")},
		{value.Text("a"), value.Text("bc")}, {value.Bytes([]byte("a")), value.Text("bc")}, {value.Int(1), value.Int(2)}, {value.Int(2), value.Int(1)},
		{value.Bool(true), value.Int(1)}, {value.Bool(false), value.Int(1)}, {value.Float(1), value.Int(1)}, {dec("1"), value.Int(1)},
		{dec("1.0"), value.Int(1)}, {value.Time(at), value.Null}, {value.Time(at.Add(1)), value.Null},
		{value.Time(at.In(time.FixedZone("", 3600))), value.Null}, {raw(`{"x": 1}`), value.Null}, {raw(`{"x":1}`), value.Null},
		{value.List(value.Int(1)), value.Int(2)}, {value.List(value.Int(1), value.Int(2)), value.Null}, {value.Object(value.F("x", 1)), value.Null},
		{value.List(dec("1")), value.Int(2)}, {value.List(), value.Null}, {value.List(value.List()), value.Null}, {value.Object(value.F("x", "1")), value.Null},
	}
	p, again, other := NewPrinter("one"), NewPrinter("one"), NewPrinter("two")
	seen := map[any]int{}
	for i, values := range pairs {
		f := one.Fields(values[:])
		print := p.Print(f)
		if print != again.Print(value.NewNames("a", "b").Fields([]value.Value{values[0], values[1]})) {
			t.Errorf("%v prints differently when it is printed again", f)
		}
		if print == other.Print(f) || print == p.Print(value.NewNames("a", "c").Fields(values[:])) {
			t.Errorf("%v prints alike under another seed, or other names", f)
		}
		if at, there := seen[print]; there {
			t.Errorf("%v prints as %v", f, pairs[at])
		}
		seen[print] = i
	}
}
