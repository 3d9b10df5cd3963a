package connectortest

import (
	"fmt"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var fetchTests = map[string]func(*testing.T, Harness){
	"a missing key is left out": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(3)...)
		got := b.fetch(b.read("item", "id", "qty"), "k0002", "nobody", "k0000", "")
		if len(got) != 2 {
			t.Errorf("%d records, want 2", len(got))
		}
		if qty, _ := got["k0002"].Fields.Get("qty"); !Same(value.Int(2), qty, value.Type{}) {
			t.Errorf("qty is %s", show(qty))
		}
	},
	"no keys, no records": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(1)...)
		if got := b.fetch(b.read("item", "id")); len(got) != 0 {
			t.Errorf("%d records", len(got))
		}
	},
	"the light read": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(2)...)
		if got := b.fetch(lockstep.Read{Stream: "item"}, "k0000", "k0001"); len(got) != 2 {
			t.Errorf("%d records, want 2", len(got))
		}
	},
	"many keys": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(1500)...)
		keys := make([]lockstep.Key, 3000)
		for i := range keys {
			keys[i] = lockstep.Key(fmt.Sprintf("k%04d", i))
		}
		if got := b.fetch(b.read("item", "id", "name"), keys...); len(got) != 1500 {
			t.Errorf("%d records, want 1500", len(got))
		}
	},
	"a key that cannot be one hurts no other": func(t *testing.T, h Harness) {
		def := lockstep.Stream{Name: "numbered", Key: []string{"id"}, Fields: []lockstep.Field{
			{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}}
		b := begin(t, h, def)
		b.put("numbered", value.F("id", 1, "name", "one"), value.F("id", 2, "name", "two"))
		got := b.fetch(b.read("numbered", "id", "name"), "1", "abc", "", "1.5", "99999999999999999999999", "2")
		if len(got) != 2 {
			t.Errorf("%d records, want 2", len(got))
		}
	},
	"keys are whole texts": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		var records []value.Fields
		for i, part := range nasty {
			records = append(records, item(part, fmt.Sprint("name ", i), i))
		}
		b.put("item", records...)
		b.want("item", []string{"id", "name", "qty"}, records...)
		for i, part := range nasty {
			got := b.fetch(b.read("item", "id", "qty"), lockstep.Key(part))
			if qty, _ := got[lockstep.Key(part)].Fields.Get("qty"); !Same(value.Int(int64(i)), qty, value.Type{}) {
				t.Errorf("key %q has qty %s, want %d", part, show(qty), i)
			}
		}
	},
}

// nasty are the parts of keys that break encodings. No two differ by letter case alone.
var nasty = []string{"a", " a", "a b", `"`, `a"b`, "'", "a'b", ",", "a,b", "[", "]", `["a","b"]`, "{}", `\`, `a\b`, "a\nb", "a\tb", "č", "日本", "😀", "%", "_", "0", "00", "01", "1", "1.0", "-1", "null", "NULL", "$1", ";", "--", "/", "a/b"}

func pairStream() lockstep.Stream {
	text := value.Type{Kind: value.TextType}
	return lockstep.Stream{Name: "pair", Key: []string{"a", "b"}, Fields: []lockstep.Field{
		{Name: "a", Type: text}, {Name: "b", Type: text}, {Name: "qty", Type: value.Type{Kind: value.IntType}, Nullable: true}}}
}

func nastyPairs() []value.Fields {
	out := []value.Fields{value.F("a", "", "b", "", "qty", 1), value.F("a", "", "b", "x", "qty", 2), value.F("a", "x", "b", "", "qty", 3)}
	for i, part := range nasty {
		out = append(out, value.F("a", part, "b", nasty[(i*7+3)%len(nasty)], "qty", i), value.F("a", "fix", "b", part, "qty", i))
	}
	return out
}

var compositeFetchTests = map[string]func(*testing.T, Harness){
	"composite keys": func(t *testing.T, h Harness) {
		b := begin(t, h, pairStream())
		records := nastyPairs()
		b.put("pair", records...)
		b.want("pair", []string{"a", "b", "qty"}, records...)
		def := b.stream("pair")
		keys := make([]lockstep.Key, len(records))
		for i, f := range records {
			keys[i] = keyOf(t, def, f)
		}
		for key, rec := range b.fetch(b.read("pair", "a", "b", "qty"), keys...) {
			if got := keyOf(t, def, rec.Fields); got != key {
				t.Errorf("the record of key %s has the key fields of %s", key, got)
			}
		}
		if got := b.fetch(b.read("pair", "qty"), keys...); len(got) != len(keys) {
			t.Errorf("%d records of %d", len(got), len(keys))
		}
	},
}
