package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// The timeline has a table for each day, timeline_20261123, made when the first entry of the day is settled and
// dropped whole by Prune. The view timeline shows them all.

// steps is how many steps an entry keeps: its story must not grow while it is tried again and again.
const steps = 60

// did adds to the entry's story; the oldest steps go when there are too many.
func (r *row) did(events ...lockstep.Event) {
	b := []byte(r.steps)
	for _, ev := range events {
		b = appendStep(b, ev)
	}
	r.steps = string(b)
	if len(r.steps) > steps*64 {
		if all, err := decodeSteps("["+r.steps+"]", "", ""); err == nil && len(all) > steps {
			b = b[:0]
			for _, ev := range all[len(all)-steps:] {
				b = appendStep(b, ev)
			}
			r.steps = string(b)
		}
	}
}

// begin is how the entry came here.
func (r *row) begin() (out []lockstep.Event) {
	out = append(out, lockstep.Event{At: r.captured, Did: originNames[r.origin]})
	if r.coalesced > 0 {
		out = append(out, lockstep.Event{At: r.changed, Did: "coalesced", Note: fmt.Sprintf("%d more", r.coalesced)})
	}
	return out
}

// story is all steps of an entry that ends with these: the inside of a JSON array.
func (r *row) story(end ...lockstep.Event) string {
	b := make([]byte, 0, 256)
	for _, ev := range r.begin() {
		b = appendStep(b, ev)
	}
	if r.steps != "" {
		b = append(append(b, ','), r.steps...)
	}
	for _, ev := range end {
		b = appendStep(b, ev)
	}
	return string(b)
}

// split ends the story of a generation that was settled while a newer one stays, whose own story begins with its
// first change.
func (t *tx) split(r *row, l *lease, end ...lockstep.Event) string {
	old := *r
	old.changed, old.coalesced = l.at, l.coalesced
	if old.coalesced > 0 && old.changed.After(r.changed) {
		old.changed = r.changed
	}
	first := l.first
	if first.IsZero() {
		first = r.changed
	}
	r.captured, r.coalesced, r.origin, r.steps = first, max(0, r.coalesced-l.coalesced-1), captured, ""
	return old.story(end...)
}

// told is a settled entry with its story.
type told struct {
	*row
	steps string
}

// tell writes stories to today's table.
func (t *tx) tell(stories []told) error {
	if len(stories) == 0 {
		return nil
	}
	day, err := t.today()
	if err != nil {
		return err
	}
	_, err = t.insert(insertStories(day), len(stories), func(args []arg, i int) []arg {
		r := stories[i]
		return append(args, number(r.flow.id), text(string(r.key)), micros(t.now), text("["+r.steps+"]"))
	})
	return err
}

func insertStories(day string) inserter {
	return newInserter("INSERT INTO timeline_"+day+" (flow_id, key, settled, steps) VALUES ", "(?,?,?,?)", "")
}

const dayLayout = "20060102"

// today makes sure that the day's table is there.
func (t *tx) today() (string, error) {
	day := t.now.UTC().Format(dayLayout)
	if slices.Contains(t.s.days, day) {
		return day, nil
	}
	for _, ddl := range []string{
		"CREATE TABLE IF NOT EXISTS timeline_" + day + " (id INTEGER PRIMARY KEY, flow_id INTEGER NOT NULL, key TEXT NOT NULL, settled INTEGER NOT NULL, steps TEXT NOT NULL)",
		"CREATE INDEX IF NOT EXISTS timeline_" + day + "_key ON timeline_" + day + " (flow_id, key)",
	} {
		if _, err := t.exec(ddl); err != nil {
			return "", err
		}
	}
	days := append(slices.Clone(t.s.days), day)
	slices.Sort(days)
	if keep := t.s.opts.Retention; keep > 0 {
		var err error
		if days, err = t.dropDays(days, t.now.Add(-keep)); err != nil {
			return "", err
		}
	}
	return day, t.setDays(days)
}

// Prune drops the timeline's days that ended before the moment.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	return s.change(ctx, func(t *tx) error { return t.prune(before) })
}

func (t *tx) prune(before time.Time) error {
	left, err := t.dropDays(t.s.days, before)
	if err != nil || len(left) == len(t.s.days) {
		return err
	}
	return t.setDays(left)
}

func (t *tx) dropDays(days []string, before time.Time) ([]string, error) {
	left := []string{}
	for _, day := range days {
		start, err := time.Parse(dayLayout, day)
		if err != nil || start.AddDate(0, 0, 1).After(before) {
			left = append(left, day)
			continue
		}
		if _, err := t.exec("DROP VIEW IF EXISTS timeline"); err != nil { // it names the table
			return nil, err
		}
		if _, err := t.exec("DROP TABLE timeline_" + day); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// shown is how many days the view timeline shows; SQLite takes 500 selects in one.
const shown = 400

// setDays notes which days there are and makes the view anew.
func (t *tx) setDays(days []string) error {
	was := t.s.days
	t.set(func() { t.s.days = days }, func() { t.s.days = was })
	if _, err := t.exec("DROP VIEW IF EXISTS timeline"); err != nil {
		return err
	}
	if len(days) == 0 {
		return nil
	}
	var parts []string
	for _, day := range days[max(0, len(days)-shown):] {
		parts = append(parts, "SELECT flow_id, key, settled, steps FROM timeline_"+day)
	}
	_, err := t.exec(`CREATE VIEW timeline AS SELECT f.name AS flow, t.key, strftime('%Y-%m-%d %H:%M:%f', t.settled / 1e6, 'unixepoch') AS settled, t.steps
		FROM (` + strings.Join(parts, " UNION ALL ") + ") t JOIN flow_rows f ON f.id = t.flow_id")
	return err
}

// loadDays finds the days there are, and drops those beyond their retention.
func (s *Store) loadDays(c *conn, retention time.Duration) error {
	err := c.query("SELECT substr(name, 10) FROM sqlite_schema WHERE type = 'table' AND name GLOB 'timeline_[0-9]*' ORDER BY name", nil,
		func(v cells) error {
			s.days = append(s.days, v.text(0))
			return nil
		})
	if err != nil || retention <= 0 {
		return err
	}
	t := &tx{conn: c, s: s, now: time.Now()}
	return t.prune(t.now.Add(-retention))
}

// tales finds what the timeline has of a key.
func (s *Store) tales(c *conn, f *flow, key lockstep.Key) (out []lockstep.Event, err error) {
	var days []string // of the reader's own moment, not the writer's
	err = c.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'timeline_[0-9]*' ORDER BY name", nil, func(v cells) error {
		days = append(days, v.text(0))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, table := range days {
		err := c.query("SELECT steps FROM "+table+" WHERE flow_id = ? AND key = ? ORDER BY id", []any{f.id, string(key)}, func(v cells) error {
			steps, err := decodeSteps(v.text(0), f.name, key)
			out = append(out, steps...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
