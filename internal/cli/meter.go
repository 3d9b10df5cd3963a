package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/lockstep-sync/lockstep/internal/app"
)

// meter shows how far long work has come, on stderr: bars on a terminal, else a line every few seconds.
type meter interface {
	show(p app.Progress)
	stop() // what comes after it is printed undisturbed
}

// meter is the one that fits where stderr goes.
func (t *tool) meter() meter {
	switch {
	case t.quiet || t.json:
		return silent{}
	case t.live():
		return newBars(t.err)
	}
	return &lines{w: t.err, every: linesEvery, at: map[string]*pace{}}
}

type silent struct{}

func (silent) show(app.Progress) {}
func (silent) stop()             {}

// done is how many records a phase has behind it, and how many there are in all; -1 is unknown.
func done(p app.Progress) (n, total int64) {
	c := p.Counts
	switch p.Phase {
	case "deliver":
		n = c.Created + c.Updated + c.Deleted + c.Level + c.Filtered + c.Failed
		return n, n + p.Total
	case "deletes":
		return c.Deleted + c.Queued, -1
	}
	return c.Read, p.Total
}

var phases = map[string]string{
	"scan": "reading and writing", "deletes": "looking for deletes", "deliver": "delivering",
	"source": "reading the source", "target": "reading the target", "compare": "comparing",
}

func phase(p app.Progress) string {
	if s := phases[p.Phase]; s != "" {
		return s
	}
	return p.Phase
}

// bars draws one bar for each flow and phase.
type bars struct {
	w     progress.Writer
	ended chan struct{}

	mu  sync.Mutex
	all map[string]*progress.Tracker
	cur map[string]string // by flow: the phase under way
}

func newBars(out io.Writer) *bars {
	w := progress.NewWriter()
	w.SetOutputWriter(out)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.SetTrackerLength(28)
	w.SetMessageLength(34)
	w.SetTrackerPosition(progress.PositionRight)
	style := progress.StyleBlocks
	style.Visibility = progress.StyleVisibility{ETA: true, Percentage: true, Speed: true, Time: true, Tracker: true, Value: true}
	style.Options.PercentFormat = "%3.0f%%"
	style.Options.SpeedSuffix = "/s"
	style.Options.DoneString = "done"
	style.Options.TimeInProgressPrecision = 100 * time.Millisecond
	style.Options.ETAString = "left"
	style.Options.Separator = " "
	style.Colors = progress.StyleColors{Tracker: text.Colors{text.FgCyan}, Stats: text.Colors{text.Faint}, Time: text.Colors{text.Faint}}
	w.SetStyle(style)
	b := &bars{w: w, ended: make(chan struct{}), all: map[string]*progress.Tracker{}, cur: map[string]string{}}
	go func() {
		defer close(b.ended)
		w.Render()
	}()
	return b
}

func (b *bars) show(p app.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, total := done(p)
	if was := b.cur[p.Flow]; was != "" && was != p.Phase && !both(was, p.Phase) {
		b.finish(p.Flow + " " + was)
	}
	b.cur[p.Flow] = p.Phase
	id := p.Flow + " " + p.Phase
	tr := b.all[id]
	if tr == nil {
		if n == 0 && total == 0 {
			return // nothing to show
		}
		tr = &progress.Tracker{Message: p.Flow + ": " + phase(p), Total: max(total, 0), Units: progress.Units{Formatter: number}}
		b.all[id] = tr
		b.w.AppendTracker(tr)
	}
	if total > 0 {
		tr.UpdateTotal(max(total, n))
	}
	if n < max(total, n+1) {
		tr.SetValue(n)
	}
}

// both tells that two phases run at the same time: verify reads its two sides so.
func both(a, b string) bool {
	side := func(s string) bool { return s == "source" || s == "target" }
	return side(a) && side(b)
}

func (b *bars) finish(id string) {
	if tr := b.all[id]; tr != nil && !tr.IsDone() {
		tr.UpdateTotal(max(tr.Value(), 1))
		tr.MarkAsDone()
	}
}

func (b *bars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w == nil {
		return
	}
	for id := range b.all {
		b.finish(id)
	}
	// Render draws at its own pace: give it the turn that shows the bars full.
	time.Sleep(120 * time.Millisecond) //nolint:forbidigo // the drawing goroutine takes no signal
	b.w.Stop()
	<-b.ended
	b.w = nil
}

// linesEvery is how often lines says how far it is, for each flow.
const linesEvery = 3 * time.Second

// lines says how far the work is in plain lines, for logs.
type lines struct {
	w     io.Writer
	every time.Duration
	mu    sync.Mutex
	at    map[string]*pace
}

// pace is what is known of a flow's phase.
type pace struct {
	phase string
	began time.Time
	base  int64
	told  time.Time
}

func (l *lines) show(p app.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, total := done(p)
	now := time.Now()
	at := l.at[p.Flow]
	if at == nil || at.phase != p.Phase && !both(at.phase, p.Phase) {
		at = &pace{phase: p.Phase, began: now, base: n, told: now}
		l.at[p.Flow] = at
	}
	if now.Sub(at.told) < l.every {
		return
	}
	at.told = now
	fmt.Fprintln(l.w, progressLine(p.Flow+": "+phase(p), n, total, at.base, now.Sub(at.began)))
}

func (l *lines) stop() {}

// progressLine is "products: reading  12,000 of 40,000 (30%), 5,321/s, 5.3s left".
func progressLine(what string, n, total, base int64, since time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", what, number(n))
	rate := float64(n-base) / max(since.Seconds(), 0.001)
	if total > 0 {
		total = max(total, n)
		fmt.Fprintf(&b, " of %s (%d%%)", number(total), n*100/total)
	}
	if rate >= 1 {
		fmt.Fprintf(&b, ", %s/s", number(int64(rate)))
		if total > n {
			fmt.Fprintf(&b, ", %s left", span(time.Duration(float64(total-n)/rate*float64(time.Second))))
		}
	}
	return b.String()
}
