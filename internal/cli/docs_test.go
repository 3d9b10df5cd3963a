package cli

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the generated pages")

const docs = "../../docs"

func TestGenerated(t *testing.T) {
	if *update {
		if err := writeDocs(docs); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range generated() {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not current: run `make gen`", name)
		}
	}
	for name, part := range parts() {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), partBegins+part+partEnds) {
			t.Errorf("the printed part of docs/%s is not current: run `make gen`", name)
		}
	}
	operations, err := os.ReadFile(filepath.Join(docs, "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(operations), exitTable()) {
		t.Errorf("the exit codes of docs/operations.md are not current; they are:\n%s", exitTable())
	}
}

// Links between the pages lead somewhere.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	code := regexp.MustCompile("`[^`]*`") // a path such as `downloads[](asset)` is no link
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
			}
		}
	}
}

func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		each(sub, do)
	}
}

// Every command says what it does, with an example that names it, and only with flags that are there.
func TestHelp(t *testing.T) {
	tool := &tool{env: func(string) string { return "" }}
	root := tool.root()
	wants := []string{"init", "check", "doctor", "plan", "apply", "sync", "run", "status", "verify", "explain", "queue", "parked", "runs", "test",
		"schema", "demo", "faults", "version", "completion", "help"}
	for _, name := range wants {
		if c, _, err := root.Find([]string{name}); err != nil || c == root {
			t.Errorf("there is no command %s", name)
		}
	}
	flagName := regexp.MustCompile(`\s--([a-z-]+)`)
	each(root, func(c *cobra.Command) {
		switch {
		case c.Short == "" || strings.HasSuffix(c.Short, "."):
			t.Errorf("%s: the short text is %q", c.CommandPath(), c.Short)
		case c.Long == "" || c.Example == "":
			t.Errorf("%s has no long text or no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(strings.TrimRight(line, "\n")) > 110 {
				t.Errorf("%s: too long for a terminal: %s", c.CommandPath(), line)
			}
		}
		for line := range strings.Lines(c.Example) {
			for part := range strings.SplitSeq(line, "&&") {
				words := strings.Fields(strings.SplitN(part, "|", 2)[0])
				if i := indexOf(words, "lockstep"); i >= 0 {
					found, _, err := root.Find(words[i+1:])
					if err != nil {
						t.Errorf("%s: %s: %v", c.CommandPath(), part, err)
						continue
					}
					for _, m := range flagName.FindAllStringSubmatch(strings.SplitN(part, "#", 2)[0], -1) {
						if found.Flags().Lookup(m[1]) == nil && root.PersistentFlags().Lookup(m[1]) == nil {
							t.Errorf("%s: there is no --%s in: %s", c.CommandPath(), m[1], part)
						}
					}
				}
			}
		}
	})
}

func indexOf(words []string, word string) int {
	for i, w := range words {
		if w == word {
			return i
		}
	}
	return -1
}
