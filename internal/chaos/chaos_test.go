package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// The short form of `make chaos`: the real binary, 20 kills.
func TestKillNine(t *testing.T) {
	if testing.Short() {
		t.Skip("kills for half a minute")
	}
	if _, err := pgserver.Bin(); err != nil {
		t.Skip(err)
	}
	binary := filepath.Join(t.TempDir(), "lockstep")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/lockstep-sync/lockstep/cmd/lockstep")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	err := Run(t.Context(), Options{Binary: binary, Dir: t.TempDir(), Kills: 20, Seed: 20261123, Writers: 4, Every: 10, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
}
