package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a sync leaves in the queue for a target that pulls is no failure.
func TestSyncOfATargetThatPulls(t *testing.T) {
	dir := folder(t, 3)
	config := "api: {listen: '127.0.0.1:0'}\n" + strings.Replace(runConfig, "systems:\n", "systems:\n"+exampleSystems, 1) + strings.Split(exampleFlows, "  to_shop:")[1]
	config = strings.Replace(config, "\n    from: {system: pim, stream: product, track: {by: snapshot", "\n  to_shop:\n    from: {system: pim, stream: product, track: {by: snapshot", 1)
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := command(t, dir, "sync", "to_shop"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
}
