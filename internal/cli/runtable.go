package cli

import (
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
)

// runTable prints runs that a command has just made, one row a flow, without columns that are all zero.
func (t *tool) runTable(runs []app.Run) {
	columns := []struct {
		head   string
		always bool
		of     func(app.Counts) int64
	}{
		{"READ", true, func(c app.Counts) int64 { return c.Read }},
		{"CREATED", true, func(c app.Counts) int64 { return c.Created }},
		{"UPDATED", true, func(c app.Counts) int64 { return c.Updated }},
		{"DELETED", true, func(c app.Counts) int64 { return c.Deleted }},
		{"LEVEL", true, func(c app.Counts) int64 { return c.Level }},
		{"FILTERED", false, func(c app.Counts) int64 { return c.Filtered }},
		{"BY QUEUE", false, func(c app.Counts) int64 { return c.Queued }},
		{"ACCEPTED", false, func(c app.Counts) int64 { return c.Accepted }},
		{"PARKED", false, func(c app.Counts) int64 { return c.Failed }},
	}
	head := []string{"FLOW", "RUN", "KIND"}
	shown := columns[:0:0]
	for _, c := range columns {
		var sum int64
		for _, r := range runs {
			sum += c.of(r.Counts)
		}
		if c.always || sum > 0 {
			shown = append(shown, c)
			head = append(head, c.head)
		}
	}
	head = append(head, "TOOK", "STATE")
	p := t.outPaint()
	g := t.grid(head...)
	var right []int
	for i := range len(shown) + 2 {
		right = append(right, i+4)
	}
	right[len(right)-1] = 2
	g.right(right...)
	for _, r := range runs {
		cells := []string{p.bold(r.Flow), "#" + number(r.ID), kindText(r)}
		for _, c := range shown {
			n := c.of(r.Counts)
			text := number(n)
			if c.head == "PARKED" && n > 0 {
				text = p.warn(text)
			}
			cells = append(cells, text)
		}
		g.row(append(cells, took(r), stateText(p, r.State))...)
	}
	g.print(t.out)
}

func took(r app.Run) string {
	if r.Ended == nil {
		return span(time.Since(r.Started)) + "…"
	}
	return span(r.Ended.Sub(r.Started))
}

// stateText colours the state of a run or a flow.
func stateText(p paint, state string) string {
	switch state {
	case "finished", "running", "level":
		return p.good(state)
	case "stopped", "failed":
		return p.bad(state)
	case "interrupted", "parked":
		return p.warn(state)
	}
	return state
}

// kindText is what a run did, as people call it.
func kindText(r app.Run) string {
	if r.Sweep {
		return "sweep"
	}
	return r.Kind
}
