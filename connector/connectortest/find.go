package connectortest

import (
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func (b *bench) find(r lockstep.Read, by []string, tuples ...[]value.Value) [][]lockstep.Key {
	b.Helper()
	got, err := b.target().Find(b.Context(), r, by, tuples)
	if err != nil {
		b.Fatalf("Find by %q: %v", by, err)
	}
	if len(got) != len(tuples) {
		b.Fatalf("Find answered %d of %d", len(got), len(tuples))
	}
	out := make([][]lockstep.Key, len(got))
	for i, records := range got {
		for _, rec := range records {
			b.checkRecord(r, rec)
		}
		out[i] = keysOf(records)
		slices.Sort(out[i])
	}
	return out
}

func tuple(xs ...any) []value.Value { return list(xs...) }

func wantKeys(t *testing.T, what string, got []lockstep.Key, want ...lockstep.Key) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: found %q, want %q", what, got, want)
	}
}

var findTests = map[string]func(*testing.T, Harness){
	"by one field": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", item("1", "red", 1), item("2", "blue", 2), item("3", "red", 3), item("4", "it's \"x\", 😀", 4))
		got := b.find(b.read("item", "id", "name"), []string{"name"}, tuple("red"), tuple("none"), tuple("blue"), tuple("it's \"x\", 😀"), tuple("red"))
		wantKeys(t, "red", got[0], "1", "3")
		wantKeys(t, "none", got[1])
		wantKeys(t, "blue", got[2], "2")
		wantKeys(t, "quotes", got[3], "4")
		wantKeys(t, "red again", got[4], "1", "3")
	},
	"by two fields": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", item("1", "red", 1), item("2", "red", 2), item("3", "blue", 2), item("4", "red", 2))
		got := b.find(b.read("item", "id"), []string{"qty", "name"}, tuple(2, "red"), tuple(1, "blue"), tuple(2, "blue"))
		wantKeys(t, "2 red", got[0], "2", "4")
		wantKeys(t, "1 blue", got[1])
		wantKeys(t, "2 blue", got[2], "3")
	},
	"null finds null": func(t *testing.T, h Harness) {
		if h.NoNull {
			return
		}
		b := begin(t, h, Item())
		b.put("item", value.F("id", "1", "name", nil, "qty", 1), value.F("id", "2", "name", "", "qty", 1), value.F("id", "3", "name", nil, "qty", 2))
		got := b.find(b.read("item", "id"), []string{"name"}, tuple(nil), tuple(""))
		wantKeys(t, "null", got[0], "1", "3")
		wantKeys(t, "empty", got[1], "2")
		got = b.find(b.read("item", "id"), []string{"name", "qty"}, tuple(nil, 1), tuple("", 1), tuple(nil, 3))
		wantKeys(t, "null and 1", got[0], "1")
		wantKeys(t, "empty and 1", got[1], "2")
		wantKeys(t, "null and 3", got[2])
	},
	"numbers by value": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		price := decimals("12.50", "12.5", "0.1")
		b.put("item", value.F("id", "1", "price", price[0]), value.F("id", "2", "price", price[2]))
		got := b.find(b.read("item", "id"), []string{"price"}, []value.Value{price[1]}, []value.Value{price[2]})
		wantKeys(t, "12.5", got[0], "1")
		wantKeys(t, "0.1", got[1], "2")
	},
	"the light read, and many at once": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(300)...)
		var tuples [][]value.Value
		for i := range 600 {
			tuples = append(tuples, tuple(i))
		}
		for i, keys := range b.find(lockstep.Read{Stream: "item"}, []string{"qty"}, tuples...) {
			if want := min(1, max(0, 300-i)); len(keys) != want {
				t.Fatalf("qty %d: found %q", i, keys)
			}
		}
		if got := b.find(b.read("item", "id"), []string{"qty"}); len(got) != 0 {
			t.Errorf("nothing asked, %d answers", len(got))
		}
	},
	"faults": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		_, err := b.target().Find(b.Context(), b.read("nosuch", "id"), []string{"name"}, [][]value.Value{tuple("x")})
		wantCode(t, "Find in a stream that is not there", err, lockstep.CodeNoStream)
		_, err = b.target().Find(b.Context(), b.read("item", "id"), []string{"nosuch"}, [][]value.Value{tuple("x")})
		wantCode(t, "Find by a field that is not there", err, lockstep.CodeNoField)
	},
}
