// Lockstep keeps two business systems in step. `lockstep help` says how.
package main

import (
	"os"

	"github.com/lockstep-sync/lockstep/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(cli.Main(version)) }
