package chaos

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/mariaserver"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// The short form of `make chaos`: the real binary, a few kills for each tracker, each database on either side.
func TestKillNine(t *testing.T) {
	if testing.Short() {
		t.Skip("kills for a minute")
	}
	binary := filepath.Join(t.TempDir(), "lockstep")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/lockstep-sync/lockstep/cmd/lockstep")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, p := range append(Short(), Shops()[0]) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			err := Run(t.Context(), Options{Binary: binary, Dir: t.TempDir(), From: p.From, To: p.To, Track: p.Track,
				Kills: 10, Seed: 20261124, Writers: 4, Every: 5, Out: t.Output()})
			if errors.Is(err, pgserver.ErrMissing) || errors.Is(err, mariaserver.ErrMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPairs(t *testing.T) {
	all := All()
	seen, pairs := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		if _, ok := Trackers[p.Track]; !ok || seen[p.String()] {
			t.Errorf("%s", p)
		}
		seen[p.String()] = true
		pairs[p.From+p.To] = true
	}
	if len(pairs) != 9 {
		t.Errorf("%d pairs of databases", len(pairs))
	}
	for _, p := range Short() {
		if !seen[p.String()] {
			t.Errorf("%s is not among all", p)
		}
	}
}
