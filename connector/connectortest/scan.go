package connectortest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// items are n records of Item, with keys that sort as they are numbered.
func items(n int) []value.Fields {
	out := make([]value.Fields, n)
	for i := range n {
		out[i] = item(fmt.Sprintf("k%04d", i), fmt.Sprintf("name %d", i), i)
	}
	return out
}

func item(id, name string, qty int) value.Fields { return value.F("id", id, "name", name, "qty", qty) }

var scanTests = map[string]func(*testing.T, Harness){
	"an empty stream": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		if got := b.scan(b.read("item", itemFields()...), wide); len(got) != 0 {
			t.Errorf("%d records", len(got))
		}
	},
	"every record once": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(23)...)
		for _, rows := range []int{1, 5, 23, 100} {
			got := b.scan(b.read("item", "id", "name", "qty"), lockstep.Limit{Rows: rows, Bytes: 1 << 20})
			keys := keysOf(got)
			slices.Sort(keys)
			if len(keys) != 23 || len(slices.Compact(keys)) != 23 {
				t.Errorf("pages of %d rows: %d records of 23, keys %q", rows, len(got), keys)
			}
		}
		b.want("item", []string{"id", "name", "qty"}, items(23)...)
	},
	"fields in the order asked for": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(2)...)
		for _, rec := range b.scan(b.read("item", "qty", "id"), wide) { // order is checked by scan
			if id, _ := rec.Fields.Get("id"); lockstep.Key(id.Text()) != rec.Key {
				t.Errorf("the record of key %q has id %q", rec.Key, id)
			}
		}
	},
	"the light read has key and version only": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(5)...)
		light, full := b.scan(lockstep.Read{Stream: "item"}, wide), b.scan(b.read("item", "id", "name"), wide)
		if len(light) != 5 || len(full) != 5 {
			t.Fatalf("%d and %d records, want 5", len(light), len(full))
		}
		for i, rec := range light {
			if rec.Key != full[i].Key || rec.Version != full[i].Version {
				t.Errorf("light %q at %q, full %q at %q", rec.Key, rec.Version, full[i].Key, full[i].Version)
			}
		}
	},
	"resumes at every position in a new system": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(11)...)
		type seen struct {
			from lockstep.Position
			page lockstep.Page
		}
		var all []seen
		r, l := b.read("item", "id", "qty"), lockstep.Limit{Rows: 2, Bytes: 1 << 20}
		b.pages(r, l, func(from lockstep.Position, p lockstep.Page) { all = append(all, seen{slices.Clone(from), p}) })
		b.reopen()
		for _, s := range slices.Backward(all) {
			again, err := b.scanner().Scan(b.Context(), r, s.from, l)
			if err != nil {
				t.Fatalf("from %s: %v", s.from, err)
			}
			samePage(t, s.from, s.page, again)
		}
	},
	"a page is bounded by bytes": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		var records []value.Fields
		for i, f := range items(9) {
			records = append(records, f.With("note", value.Text(strings.Repeat("x", 1000+i))))
		}
		b.put("item", records...)
		n := 0
		b.pages(b.read("item", itemFields()...), lockstep.Limit{Rows: 100, Bytes: 3000}, func(from lockstep.Position, p lockstep.Page) {
			text := 0
			for _, c := range p.Changes {
				if c.Fault != nil {
					t.Fatalf("%v", c.Fault)
				}
				note, _ := c.Record.Fields.Get("note")
				text += len(note.Text())
				n++
			}
			if text > 3000 {
				t.Errorf("from %s: %d bytes of text on a page of 3000", from, text)
			}
		})
		if n != 9 {
			t.Errorf("%d records, want 9", n)
		}
	},
	"a record over the limit is a fault of its own": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		records := items(5)
		records[2] = records[2].With("note", value.Text(strings.Repeat("x", 20_000)))
		b.put("item", records...)
		var good, bad []lockstep.Key
		b.pages(b.read("item", itemFields()...), lockstep.Limit{Rows: 100, Bytes: 8000}, func(_ lockstep.Position, p lockstep.Page) {
			for _, c := range p.Changes {
				switch {
				case c.Fault == nil:
					good = append(good, c.Record.Key)
				case c.Fault.Code == lockstep.CodeTooLarge:
					bad = append(bad, c.Record.Key)
				default:
					t.Errorf("%v", c.Fault)
				}
			}
		})
		slices.Sort(good)
		if !slices.Equal(good, []lockstep.Key{"k0000", "k0001", "k0003", "k0004"}) || !slices.Equal(bad, []lockstep.Key{"k0002"}) {
			t.Errorf("good %q, too large %q", good, bad)
		}
	},
	"a position that is not its own is refused": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(2)...)
		for _, from := range []string{"nonsense", "", "{", "[1,2", `"`} {
			if from == "" {
				continue // an empty position may be none
			}
			_, err := b.scanner().Scan(b.Context(), b.read("item", "id"), lockstep.Position(from), wide)
			if lockstep.KindOf(err) != lockstep.Lost {
				t.Errorf("from %q: %v, want a fault of kind lost", from, err)
			}
		}
	},
}

func samePage(t *testing.T, from lockstep.Position, want, got lockstep.Page) {
	t.Helper()
	if len(got.Changes) < len(want.Changes) {
		t.Errorf("from %s: %d changes, before there were %d", from, len(got.Changes), len(want.Changes))
		return
	}
	for i, w := range want.Changes {
		g := got.Changes[i]
		if g.Record.Key != w.Record.Key || g.Op != w.Op || !g.Record.Fields.Equal(w.Record.Fields) {
			t.Errorf("from %s: change %d is %s %q, before it was %s %q", from, i, g.Op, g.Record.Key, w.Op, w.Record.Key)
		}
	}
}

var movingScanTests = map[string]func(*testing.T, Harness){
	"what is there all the time comes, whatever else is written": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(20)...)
		seen, page := map[lockstep.Key]bool{}, 0
		b.pages(b.read("item", "id"), lockstep.Limit{Rows: 3, Bytes: 1 << 20}, func(_ lockstep.Position, p lockstep.Page) {
			for _, c := range p.Changes {
				seen[c.Record.Key] = true
			}
			// Each page, a record before and one behind the place go away, one comes before it, and one is updated.
			b.remove("item", lockstep.Key(fmt.Sprintf("k%04d", page)), lockstep.Key(fmt.Sprintf("k%04d", 19-page)))
			b.put("item", item(fmt.Sprintf("a%d", page), "new", 1), item("k0010", fmt.Sprintf("updated %d", page), 10))
			page = min(page+1, 4)
		})
		for i := 5; i < 15; i++ {
			if key := lockstep.Key(fmt.Sprintf("k%04d", i)); !seen[key] {
				t.Errorf("key %q was passed over", key)
			}
		}
	},
}
