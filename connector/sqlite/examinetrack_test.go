package sqlite_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

func TestExamineTrackers(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT UNIQUE, n INTEGER, changed BOOLEAN)`)
	find := func(track lockstep.Track) string {
		h.r.Track = track
		found, err := h.s.Examine(t.Context(), h.r)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, f := range found {
			lines = append(lines, f.Level+": "+f.What+" | "+f.Next)
		}
		return strings.Join(lines, "\n")
	}
	want := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q is missing in:\n%s", w, got)
			}
		}
	}
	want(find(lockstep.Track{By: lockstep.Version, Field: "n"}), "note: deletes are not seen", "no number twice", "warning: no index begins with n")
	flag := lockstep.Track{By: lockstep.Flag, Field: "changed"}
	want(find(flag), "must be set by the application", "may be null", `("id") WHERE "changed" <> 0`)
	h.install()
	h.do(`CREATE INDEX marked ON items (id) WHERE changed <> 0`)
	if got := find(flag); strings.Contains(got, "no index") || !strings.Contains(got, "ok: a trigger sets changed") {
		t.Errorf("installed:\n%s", got)
	}
	want(find(lockstep.Track{By: lockstep.Trigger}), "ok: the change table and its triggers are there", "warning: REPLACE fires no trigger")
	h.do(`DROP TRIGGER lockstep_items_d`)
	want(find(lockstep.Track{By: lockstep.Trigger}), "error: triggers of", "track install")
}
