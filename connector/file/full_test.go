//go:build linux

package file

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lockstep-sync/lockstep"
)

// A full disk: the write is refused as unavailable and leaves nothing behind, what was acknowledged stays, and when
// there is room again everything goes on.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs the right to mount a small tmpfs: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	table := map[string]lockstep.Settings{"p": {"key": []string{"id"}}}
	sys := mustOpen(t, dir, table)
	var acked []lockstep.Key
	var failed error
	for i := range 1000 {
		w := upsert(fmt.Sprint("k", i), "note", strings.Repeat("x", 10_000))
		if _, failed = sys.Apply(t.Context(), "p", []lockstep.Write{w}); failed != nil {
			break
		}
		acked = append(acked, w.Key)
	}
	if f := lockstep.FaultOf(failed); failed == nil || f.Kind != lockstep.Unavailable || f.Unknown || !strings.Contains(f.Error(), "disk is full") {
		t.Fatalf("%v", failed)
	}
	// There is no room for the new file either.
	if f := lockstep.FaultOf(sys.Close()); f == nil || f.Kind != lockstep.Unavailable {
		t.Fatalf("Close: %v", f)
	}
	sys = mustOpen(t, dir, table)
	recs, err := sys.Fetch(t.Context(), lockstep.Read{Stream: "p", Fields: []string{"id"}}, append(acked, "k999"))
	if err != nil || len(recs) != len(acked) {
		t.Fatalf("%d records of %d, %v", len(recs), len(acked), err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	applyAll(t, sys, "p", upsert("more"))
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	if changes, err := scanAll(t, sys, "p", 50, "id"); err != nil || len(changes) != len(acked)+1 {
		t.Errorf("%d records of %d, %v", len(changes), len(acked)+1, err)
	}
	if left := leftovers(t, dir); len(left) != 2 {
		t.Errorf("left in the folder: %q", left)
	}
}
