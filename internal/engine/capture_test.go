package engine

import (
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Two rows with one key on a page of a tracker that reads rows: neither is newer, so it is for a fetch to look, and
// only where one of them changed since.
func TestTwoRowsWithOneKeyBecomeAHint(t *testing.T) {
	row := func(key lockstep.Key, name string) lockstep.Change {
		return lockstep.Change{Record: lockstep.Record{Key: key, Fields: value.F("id", string(key), "name", name)}}
	}
	gone := row("b", "old")
	gone.Op = lockstep.Delete
	r := newRecent()
	look := func(changes ...lockstep.Change) []lockstep.Change {
		out, prints := r.news(changes)
		r.add(prints)
		return out
	}
	page := []lockstep.Change{row("a", "one"), gone, row("a", "two"), row("c", "only"), row("b", "new")}
	got := look(page...)
	if len(got) != 3 || !got[0].Hint || got[0].Record.Key != "a" || !got[1].Hint || got[1].Record.Key != "b" || got[1].Op != lockstep.Upsert || got[2].Hint {
		t.Errorf("%+v", got)
	}
	if got := look(page...); len(got) != 0 {
		t.Errorf("the same page again: %+v", got)
	}
	page[4] = row("b", "newer")
	if got := look(page...); len(got) != 1 || got[0].Record.Key != "b" {
		t.Errorf("one of two rows changed: %+v", got)
	}
	if got := look(row("a", "two")); len(got) != 1 || got[0].Hint {
		t.Errorf("one of two rows is gone: %+v", got)
	}
	// A tracker that is acknowledged comes again only with what changed again.
	for range 2 {
		if got := once([]lockstep.Change{row("a", "one"), gone, row("a", "two"), row("c", "only")}); len(got) != 3 || !got[0].Hint || got[0].Record.Key != "a" || got[1].Hint || got[2].Hint {
			t.Errorf("once: %+v", got)
		}
	}
}
