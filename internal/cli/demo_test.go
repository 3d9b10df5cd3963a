package cli

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func playDemo(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binary(t), "lockstep"), append([]string{"demo", "databases", "--fast", "--json"}, args...)...)
	var errors strings.Builder
	cmd.Stderr, cmd.Dir = &errors, t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errors.String())
	}
	var sum demoSummary
	if err := json.Unmarshal(out, &sum); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !sum.Level || sum.SQLDiffers != 0 || sum.Arrived != sum.Changes || sum.Changes < 20 || sum.Parked != 1 || sum.Mended != 1 || sum.Deleted != 20 || sum.P50 <= 0 {
		t.Errorf("%+v", sum)
	}
}

// The pair: everything that is told has happened, and the sums are right.
func TestDemo(t *testing.T) {
	out, code := command(t, t.TempDir(), "demo", "--fast", "--json")
	var sum pairSummary
	if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 {
		t.Fatalf("code %d, %v\n%s", code, err, out)
	}
	if !sum.Level || sum.Products < 40 || sum.Categories != 12 || sum.Saves != 15 || sum.Writes < 15 || sum.P50 <= 0 || sum.FannedOut < 3 || sum.Disabled < 1 ||
		sum.Options != 1 || sum.Parked != 1 || sum.Mended != 1 || sum.Calls < sum.Products {
		t.Errorf("%+v", sum)
	}
}

func TestDemoDatabases(t *testing.T) { playDemo(t) }

func TestDemoPostgres(t *testing.T) { playDemo(t, "--postgres", testkit.Postgres(t)) }

// For people it is told in acts, in plain lines where there is no terminal, and what is kept can be gone on with.
func TestDemoTells(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	out, code := command(t, t.TempDir(), "demo", "databases", "--fast", "--keep", dir)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, want := range []string{"In step.", "$ lockstep parked", "LS-", "$ lockstep verify", "both sides agree", "p50", "p99"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("there are escapes where there is no terminal:\n%q", out)
	}
	if out, code := command(t, dir, "verify"); code != 0 {
		t.Errorf("verify in the kept folder: code %d\n%s", code, out)
	}
	if _, code := command(t, t.TempDir(), "demo", "--keep", dir); code != 2 {
		t.Errorf("a folder that is not empty is taken: code %d", code)
	}
}

func TestDemoPimcore(t *testing.T) {
	out, code := command(t, t.TempDir(), "demo", "pimcore", "--fast", "--json")
	var sum pimcoreSummary
	if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 {
		t.Fatalf("code %d, %v\n%s", code, err, out)
	}
	if !sum.Level || sum.Saves != 20 || sum.P50 <= 0 || sum.Moved < 60 || sum.Deleted < 10 || sum.Products+sum.Deleted != sum.Moved {
		t.Errorf("%+v", sum)
	}
}
