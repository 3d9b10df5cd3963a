package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The configuration of the README works when pasted, with the commands below it.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- quickstart: a test runs this -->\n```(yaml|sh)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 || blocks[0][1] != "yaml" || blocks[1][1] != "sh" {
		t.Fatalf("the README has %d blocks to run, want a configuration and its commands", len(blocks))
	}
	if n := strings.Count(blocks[0][2], "\n"); n > 20 {
		t.Errorf("the configuration has %d lines; it should have 20", n)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(blocks[0][2]), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, line := range commandsOf(blocks[1][2]) {
		words := strings.Fields(strings.SplitN(line, "#", 2)[0])
		switch {
		case strings.HasPrefix(line, "sqlite3 "):
			m := regexp.MustCompile(`(?s)^sqlite3 (\S+) "(.*)"$`).FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				t.Fatalf("not a call of sqlite3: %s", line)
			}
			execSQL(t, filepath.Join(dir, m[1]), m[2])
		case words[1] == "run":
			c := start(t, dir, "run")
			c.until(t, "msg=running")
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := c.exit(t); code != 0 {
				t.Errorf("%s: exit code %d\n%s", line, code, c.stderr.String())
			}
		default:
			cmd := exec.CommandContext(t.Context(), filepath.Join(binary(t), words[0]), words[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
		}
		ran++
	}
	if ran < 6 {
		t.Errorf("%d commands ran", ran)
	}
	if got := queryText(t, filepath.Join(dir, "shop.db"), `SELECT group_concat(sku || ' ' || title || ' ' || gross || ' ' || status, '; ') FROM (SELECT * FROM items ORDER BY sku)`); got !=
		"LMP-1 Lamp 60.88 live; MUG-2 Mug 9.09 draft" {
		t.Errorf("the shop has %s", got)
	}
}

// commandsOf are the commands of a shell block; one may span lines while a quote is open.
func commandsOf(block string) (all []string) {
	open := ""
	for line := range strings.Lines(block) {
		open += line
		if strings.Count(open, `"`)%2 == 0 {
			if strings.TrimSpace(open) != "" {
				all = append(all, strings.TrimRight(open, "\n"))
			}
			open = ""
		}
	}
	return all
}
