package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// tool is what every command has at hand: where it reads and writes, and the global flags.
type tool struct {
	version  string
	in       io.Reader
	out, err io.Writer
	inTTY    bool
	outTTY   bool
	errTTY   bool
	env      func(string) string
	hushed   *atomic.Bool // says of a signal itself what is to be said

	asker *asker // init's, while it asks

	config  string
	json    bool
	noColor bool
	quiet   bool
	verbose bool
}

// newTool is the tool on the process's own streams.
func newTool(version string) *tool {
	return &tool{
		version: version,
		in:      os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		outTTY: term.IsTerminal(int(os.Stdout.Fd())),
		errTTY: term.IsTerminal(int(os.Stderr.Fd())),
		env:    os.Getenv,
		hushed: &atomic.Bool{},
	}
}

// plain tells that nobody wants colours: by flag, by NO_COLOR, or a terminal that has none.
func (t *tool) plain() bool { return t.noColor || t.env("NO_COLOR") != "" || t.env("TERM") == "dumb" }

func (t *tool) outPaint() paint { return paint(t.outTTY && !t.plain() && !t.json) }
func (t *tool) errPaint() paint { return paint(t.errTTY && !t.plain()) }

// live tells whether something that redraws itself may be drawn on stderr.
func (t *tool) live() bool {
	return t.errTTY && !t.plain() && t.env("CI") == "" && !t.quiet && !t.json
}

// say prints a line of what people read beside the result; nothing with --quiet or --json.
func (t *tool) say(format string, args ...any) {
	if !t.quiet && !t.json {
		fmt.Fprintf(t.out, format+"\n", args...)
	}
}

// put prints a line of the result itself.
func (t *tool) put(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// note prints a remark on stderr: what is going on, where the result is on stdout.
func (t *tool) note(format string, args ...any) {
	if !t.quiet {
		fmt.Fprintf(t.err, format+"\n", args...)
	}
}

// object prints a result as one JSON object, indented.
func (t *tool) object(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// line prints one of many results as JSON, on a line of its own.
func (t *tool) line(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// grid is a table without lines: a head in dim, columns by their width. Names in right are aligned right.
type grid struct {
	w     table.Writer
	paint paint
}

func (t *tool) grid(head ...string) *grid {
	p := t.outPaint()
	w := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = 0
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	row := table.Row{}
	for _, h := range head {
		row = append(row, p.dim(h))
	}
	w.AppendHeader(row)
	return &grid{w, p}
}

// right aligns the columns with these numbers, from 1, to the right.
func (g *grid) right(columns ...int) *grid {
	var all []table.ColumnConfig
	for _, c := range columns {
		all = append(all, table.ColumnConfig{Number: c, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	g.w.SetColumnConfigs(all)
	return g
}

func (g *grid) row(cells ...string) {
	row := table.Row{}
	for _, c := range cells {
		row = append(row, c)
	}
	g.w.AppendRow(row)
}

func (g *grid) print(w io.Writer) { fmt.Fprintln(w, g.w.Render()) }
