package pimcore

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/value"
)

// After any edits, what the outbox told of is what a full read gives: no more, no less, and whatever was edited while it
// was read and before it was acknowledged.
func TestOutboxConverges(t *testing.T) {
	b := newBoxed(t, sandbox.Options{Products: 30})
	// Ends of relations are no changes of the object: they are not read here.
	b.r.Fields = []string{"sku", "price", "stock", "active", "name_en", "name_de", "description_en", "weight", "weight_unit", "power", "fullpath", "published", "type", "badges", "color"}
	known := map[lockstep.Key]string{}
	for key, c := range b.scan(b.r, 50) {
		known[key] = string(value.AppendFields(nil, c.Record.Fields))
	}
	for seed := range uint64(12) {
		b.do(b.srv.RandomEdits(12, seed))
		for between := seed%3 == 0; ; between = false {
			p := b.page(b.at, 7)
			if between {
				b.do(b.srv.RandomEdits(3, 1000+seed))
			}
			for _, c := range p.Changes {
				switch {
				case c.Hint:
					if recs, err := b.sys.Fetch(t.Context(), b.r, []lockstep.Key{c.Record.Key}); err != nil {
						t.Fatal(err)
					} else if len(recs) == 0 {
						delete(known, c.Record.Key)
					} else {
						known[c.Record.Key] = string(value.AppendFields(nil, recs[0].Fields))
					}
				case c.Op == lockstep.Delete:
					delete(known, c.Record.Key)
				default:
					known[c.Record.Key] = string(value.AppendFields(nil, c.Record.Fields))
				}
			}
			b.ack(p.Next)
			if b.at = p.Next; !p.More && len(p.Changes) == 0 {
				break
			}
		}
		if t.Failed() {
			break
		}
		now := map[lockstep.Key]string{}
		for key, c := range b.scan(b.r, 50) {
			now[key] = string(value.AppendFields(nil, c.Record.Fields))
		}
		if !maps.Equal(known, now) {
			for _, key := range slices.Sorted(maps.Keys(now)) {
				if known[key] != now[key] {
					t.Errorf("after edits %d, object %s:\n%s\nand is\n%s", seed, key, known[key], now[key])
				}
			}
			var gone []string
			for key := range known {
				if _, there := now[key]; !there {
					gone = append(gone, string(key))
				}
			}
			t.Errorf("gone, and not said so: %s", strings.Join(gone, " "))
		}
	}
}
