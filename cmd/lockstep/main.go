// Lockstep keeps two business systems in step. `lockstep help` says how.
package main

import (
	"os"
	"runtime/debug"

	"github.com/lockstep-sync/lockstep/internal/cli"
)

// version is set by the linker.
var version = "dev"

// gcPercent keeps the process under 80 MiB at any size of the data: a tenth less memory than Go's own 100, for a
// fiftieth more CPU (docs/performance.md). GOGC in the environment has the last word.
const gcPercent = 75

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(cli.Main(version))
}
