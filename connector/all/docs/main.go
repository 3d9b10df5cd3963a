// Command docs writes docs/connectors.md from the connectors' specs.
package main

import (
	"fmt"
	"os"

	"github.com/lockstep-sync/lockstep/connector/all"
)

func main() {
	if err := os.WriteFile("../../docs/connectors.md", page(all.All()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}
