package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (t *tool) versionCommand() *cobra.Command {
	return t.command(spec{
		use:     "version",
		short:   "Print the version",
		long:    "Prints the version of the program, the Go release it was built with, and its platform.",
		example: "  lockstep version\n  lockstep version --json",
		run: func(context.Context, []string) error {
			v := struct {
				Version  string `json:"version"`
				Commit   string `json:"commit,omitempty"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{t.version, "", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" && len(s.Value) >= 12 {
						v.Commit = s.Value[:12]
					}
				}
			}
			if t.json {
				return t.object(v)
			}
			commit := ""
			if v.Commit != "" {
				commit = " (" + v.Commit + ")"
			}
			t.put("lockstep %s%s %s %s", v.Version, commit, v.Go, v.Platform)
			return nil
		},
	})
}
