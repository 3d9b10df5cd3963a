package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

//go:generate go test -run TestGenerated -update .

// generated are the pages of docs/ that are printed from the code, by file name; a test holds them current.
func generated() map[string]string {
	return map[string]string{"faults.md": faultsPage(), "cli.md": cliPage()}
}

const generatedNote = "<!-- Printed from the code by `make gen`; edits here are lost. -->\n\n"

func faultsPage() string {
	var b strings.Builder
	b.WriteString("# Faults\n\n" + generatedNote)
	b.WriteString("Every error carries a stable code, a kind, what it is about (flow, system, stream, key, field) and the next step.\n" +
		"`lockstep help CODE` prints the row of one code. Search for codes, match them in scripts and alerts; the texts may change.\n\n" +
		"## Kinds\n\nThe kind decides what lockstep does by itself.\n\n| kind | typical | lockstep | counts as an attempt |\n|---|---|---|---|\n")
	for _, k := range lockstep.FaultKinds {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.Name, k.Typical, k.Engine, k.Attempt)
	}
	b.WriteString("\n\"Parks\" means: the record waits for a person (`lockstep parked`) and harms nobody else. A flow that \"stops\" keeps its queue;\n" +
		"`lockstep status` says why and what to do. \"Counts as an attempt\" means: after `deliver.retry.attempts` of them the record is parked.\n\n" +
		"## Codes\n\nThe exit code is the one of a command that ends with this error.\n\n| code | kind | means | what to do | exit |\n|---|---|---|---|---|\n")
	for _, info := range lockstep.Codes {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %d |\n", info.Code, info.Kind, info.Title, cell(info.Next), int(codeAsJSON(info).Exit))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// cliPage is every command with its help, in the order of help.
func cliPage() string {
	t := &tool{env: func(string) string { return "" }}
	root := t.root()
	var b strings.Builder
	b.WriteString("# Commands\n\n" + generatedNote)
	b.WriteString(about + "\n\nEvery command takes these flags:\n\n```\n" + flagText(root.PersistentFlags()) + "```\n\n## Exit codes\n\n" + exitTable() + "\n")
	b.WriteString("With `--json` a command prints one JSON object, or one a line where there are many (`{\"event\":\"run\",\"run\":{…}}`); an error is\n" +
		"one object on stderr: `{\"error\":{\"code\":\"LS-…\",…},\"exit\":N}`. Progress goes to stderr: bars on a terminal, else a line every few seconds.\n\n")
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "- %s ", g.Title)
		var names []string
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				names = append(names, fmt.Sprintf("[`%s`](#%s)", c.Name(), anchor(c)))
			}
		}
		b.WriteString(strings.Join(names, ", ") + "\n")
	}
	for _, c := range root.Commands() {
		commandPage(&b, c)
	}
	return b.String()
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func commandPage(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```\n%s\n```\n\n", c.CommandPath(), c.Short, c.UseLine())
	b.WriteString("```text\n" + strings.TrimSpace(c.Long) + "\n```\n")
	if flags := flagText(c.LocalNonPersistentFlags()); flags != "" {
		b.WriteString("\n```\n" + flags + "```\n")
	}
	if c.Example != "" {
		b.WriteString("\nExamples:\n\n```sh\n" + dedent(c.Example) + "\n```\n")
	}
	for _, sub := range c.Commands() {
		commandPage(b, sub)
	}
}

func flagText(flags *pflag.FlagSet) string {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			own.AddFlag(f)
		}
	})
	return own.FlagUsagesWrapped(140)
}

func dedent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
	}
	return strings.Join(lines, "\n")
}

// parts are printed from the code into pages that people write: what stands between partBegins and partEnds.
func parts() map[string]string { return map[string]string{"sandbox.md": magentoTables()} }

const (
	partBegins = "<!-- Printed from the code by `make gen`, up to the end mark; edits here are lost. -->\n"
	partEnds   = "<!-- end -->\n"
)

// withPart puts a part into its page; without its marks a page stays as it is.
func withPart(page, part string) string {
	head, rest, ok := strings.Cut(page, partBegins)
	_, tail, ended := strings.Cut(rest, partEnds)
	if !ok || !ended {
		return page
	}
	return head + partBegins + part + partEnds + tail
}

// magentoTables are what the Magento stand-in can do, and where it is not like the recorded one.
func magentoTables() string {
	var b strings.Builder
	b.WriteString("\n| `POST /_sandbox/` | takes | does |\n|---|---|---|\n")
	verbs := magento.Verbs()
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, cell(verbs[name][0]), cell(verbs[name][1]))
	}
	b.WriteString("\n| fault | what goes wrong |\n|---|---|\n")
	for _, f := range magento.Faults() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f, cell(f.Means()))
	}
	b.WriteString("\nDeliberately otherwise than recorded:\n\n")
	for _, d := range magento.Differences() {
		fmt.Fprintf(&b, "- %s (%s)\n", d.Reason, strings.Join(d.Exchanges, ", "))
	}
	b.WriteString("\n")
	return b.String()
}

// writeDocs writes the generated pages, and the generated parts of pages, into a folder.
func writeDocs(dir string) error {
	for name, part := range parts() {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(withPart(string(page), part)), 0o644); err != nil { //nolint:gosec // a page for all
			return err
		}
	}
	for name, text := range generated() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // a page for all
			return err
		}
	}
	return nil
}
