package pimcore

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

func (st *stand) examine(r lockstep.Read) string {
	st.Helper()
	found, err := st.sys.Examine(st.Context(), r)
	if err != nil {
		st.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Level+": "+f.What)
	}
	return strings.Join(lines, "\n")
}

func TestDoctorSaysWhatCannotBeSeen(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12})
	got := st.examine(products("sku", "categories"))
	for _, want := range []string{"ok: ", "are variants, which are read", "deletes", "folders above", "inherits", "refers to", "relations categories", "the target keeps what it has"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing of %q in\n%s", want, got)
		}
	}
	if r := products("sku"); !strings.Contains(st.examine(lockstep.Read{Stream: "Product", Fields: r.Fields, Track: lockstep.Track{By: lockstep.Snapshot}}), "ok: ") {
		t.Error("a snapshot is not looked at")
	}
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: "/Products/outdoor"}, {Path: "/", Assets: true, Read: true}})
	if got := st.examine(products("sku")); !strings.Contains(got, "warning: ") || !strings.Contains(got, "may not be seen") {
		t.Errorf("hidden objects are not told:\n%s", got)
	}
	st.srv.SetWorkspaces([]sandbox.Workspace{})
	if got := st.examine(products("sku")); !strings.Contains(got, "error: none of") {
		t.Errorf("that nothing may be seen is not told:\n%s", got)
	}
	bare := newStand(t, sandbox.Options{Products: 3, HideColumns: []string{"published", "fullpath"}})
	if got := bare.examine(products("sku")); !strings.Contains(got, `warning: the endpoint does not show the column "published"`) {
		t.Errorf("a missing column is not told:\n%s", got)
	}
}
