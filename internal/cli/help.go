package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
)

// helpCommand explains commands, as everywhere, and the codes that errors carry.
func (t *tool) helpCommand(root *cobra.Command) *cobra.Command {
	c := t.command(spec{
		use:   "help [COMMAND | CODE | exit-codes]",
		short: "Explain a command, a fault code, or the exit codes",
		long: "Explains a command, or a code that an error carries (LS-MAPPING), or the exit codes.\n" +
			"`lockstep faults` lists all codes.",
		example: "  lockstep help sync\n  lockstep help LS-DELETE-BRAKE\n  lockstep help exit-codes",
		args:    cobra.ArbitraryArgs,
		run: func(_ context.Context, args []string) error {
			if len(args) == 0 {
				return root.Help()
			}
			if args[0] == "exit-codes" {
				return t.showExits()
			}
			if info, ok := findCode(args[0]); ok {
				return t.showCode(info)
			}
			found, _, err := root.Find(args)
			if err != nil || found == root {
				return unknownCommand(root, args[0])
			}
			return found.Help()
		},
	})
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		words := []string{"exit-codes"}
		for _, sub := range root.Commands() {
			words = append(words, sub.Name())
		}
		for _, info := range lockstep.Codes {
			words = append(words, string(info.Code))
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func (t *tool) faultsCommand() *cobra.Command {
	return t.command(spec{
		use:   "faults [CODE]",
		short: "List the codes of errors, or explain one",
		long: "Every error carries a stable code, its kind, and what to do next. Without a code, all are listed;\n" +
			"with one, it is explained. docs/faults.md has the same table.",
		example: "  lockstep faults\n  lockstep faults LS-DELETE-BRAKE\n  lockstep faults delete-brake",
		args:    cobra.MaximumNArgs(1),
		complete: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, info := range lockstep.Codes {
				codes = append(codes, string(info.Code)+"\t"+info.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		run: func(_ context.Context, args []string) error {
			if len(args) == 0 {
				return t.listCodes()
			}
			info, ok := findCode(args[0])
			if !ok {
				return usagef("there is no code %q; `lockstep faults` lists all", args[0])
			}
			return t.showCode(info)
		},
	})
}

// findCode finds a code by its name, in any case, with or without LS-.
func findCode(name string) (lockstep.CodeInfo, bool) {
	name = strings.ToUpper(strings.ReplaceAll(name, "_", "-"))
	i := slices.IndexFunc(lockstep.Codes, func(c lockstep.CodeInfo) bool {
		return string(c.Code) == name || string(c.Code) == "LS-"+name
	})
	if i < 0 {
		return lockstep.CodeInfo{}, false
	}
	return lockstep.Codes[i], true
}

// codeJSON is a code for --json.
type codeJSON struct {
	Code    lockstep.Code `json:"code"`
	Kind    string        `json:"kind"`
	Title   string        `json:"title"`
	Engine  string        `json:"engine"`
	Attempt string        `json:"counts_as_attempt"`
	Next    string        `json:"next"`
	Exit    Exit          `json:"exit"`
}

func codeAsJSON(info lockstep.CodeInfo) codeJSON {
	kind := lockstep.FaultKinds[info.Kind]
	return codeJSON{info.Code, kind.Name, info.Title, kind.Engine, kind.Attempt, info.Next, exitOfOne(lockstep.Faultf(info.Code, ""))}
}

func (t *tool) listCodes() error {
	if t.json {
		for _, info := range lockstep.Codes {
			if err := t.line(codeAsJSON(info)); err != nil {
				return err
			}
		}
		return nil
	}
	g := t.grid("CODE", "KIND", "MEANS")
	for _, info := range lockstep.Codes {
		g.row(string(info.Code), info.Kind.String(), info.Title)
	}
	g.print(t.out)
	return nil
}

func (t *tool) showCode(info lockstep.CodeInfo) error {
	j := codeAsJSON(info)
	if t.json {
		return t.object(j)
	}
	p := t.outPaint()
	t.put("%s  %s", p.bold(string(info.Code)), info.Title)
	t.put("  %s  %s", p.dim("kind    "), j.Kind)
	t.put("  %s  %s", p.dim("lockstep"), strings.ReplaceAll(j.Engine, "looks (law 5)", "looks at the target first"))
	t.put("  %s  %s", p.dim("attempts"), attempts[j.Attempt])
	t.put("  %s  %s", p.dim("you     "), info.Next)
	t.put("  %s  %d (%s), where it ends a command", p.dim("exit    "), int(j.Exit), j.Exit)
	return nil
}

var attempts = map[string]string{
	"yes": "counts as one; after the last one the record is parked",
	"no":  "does not count: the record is not parked for it",
	"-":   "there is no second one without a person",
}

func (t *tool) showExits() error {
	if t.json {
		type row struct {
			Code  Exit   `json:"code"`
			Name  string `json:"name"`
			Means string `json:"means"`
		}
		var rows []row
		for _, x := range exits {
			rows = append(rows, row{x.code, x.word, x.text})
		}
		return t.object(rows)
	}
	for _, x := range exits {
		fmt.Fprintf(t.out, "%4d  %s\n", int(x.code), x.text)
	}
	return nil
}
