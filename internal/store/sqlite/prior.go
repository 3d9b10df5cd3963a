package sqlite

import (
	"slices"
	"strings"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// What tries of an entry may have brought stands in its row one to a line, the oldest first: an image as tagged JSON, or
// nothing for a delete. Null is none. In a pair, what the target holds then is no news of the other side; else it tells where a
// record may have been made that has no link yet.

// priorLine is a change as such a line; false where it says nothing.
func priorLine(c *lockstep.Change) (string, bool) {
	switch {
	case c.Op == lockstep.Delete:
		return "", true
	case c.Record.Fields.Len() == 0:
		return "", false
	}
	return string(value.AppendTagged(nil, c.Record.Fields)), true
}

func decodePrior(r *row, dec *value.Decoder) (out []lockstep.Change, err error) {
	if r.prior == nil {
		return nil, nil
	}
	for line := range strings.SplitSeq(*r.prior, "\n") {
		c := lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: r.key}}
		if line != "" {
			c.Op = lockstep.Upsert
			if c.Record.Fields, err = dec.Fields(line); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// overtaken keeps what the holder of the entry's lease may be bringing just now, or what one of an earlier process may
// have brought.
func (t *tx) overtaken(r *row) error {
	if r.fresh {
		return nil
	}
	l, before := t.s.leases[r.id], r.epoch < t.s.epoch && !r.changed.After(t.s.opened)
	if l != nil && l.generation != r.generation || l == nil && !before {
		return nil
	}
	if doubtful, err := t.doubtful(r); err != nil || !doubtful {
		return err
	}
	line, says, err := t.brings(r)
	if err != nil || !says {
		return err
	}
	if before {
		_, err = t.perhaps(r, line)
		return err
	}
	return t.underWay(r, l, line)
}

// underWay is perhaps for what the holder of a lease will have brought or not, once it says so.
func (t *tx) underWay(r *row, l *lease, line string) error {
	isNew, err := t.perhaps(r, line)
	if err == nil && isNew {
		t.doubt(l, append(slices.Clone(l.doubts), line))
	}
	return err
}

func (t *tx) doubt(l *lease, lines []string) {
	was := l.doubts
	t.set(func() { l.doubts = lines }, func() { l.doubts = was })
}

// brings is what the entry's generation is to bring, as a line.
func (t *tx) brings(r *row) (line string, says bool, err error) {
	if r.op == lockstep.Delete {
		return "", true, nil
	}
	err = t.query("SELECT image FROM entry_rows WHERE id = ? AND image IS NOT NULL", []any{r.id}, func(v cells) error {
		line, says = v.text(0), true
		return nil
	})
	return line, says, err
}

// perhaps keeps what a try that may have taken effect was to bring. It says whether that was not known yet.
func (t *tx) perhaps(r *row, line string) (isNew bool, err error) {
	if t.s.face(r.flow) == nil && line == "" {
		return false, nil
	}
	if doubtful, err := t.doubtful(r); err != nil || !doubtful {
		return false, err
	}
	lines, err := t.prior(r)
	if err != nil {
		return false, err
	}
	if slices.Contains(lines, line) {
		if l := t.s.leases[r.id]; l != nil && slices.Contains(l.doubts, line) {
			t.doubt(l, slices.DeleteFunc(slices.Clone(l.doubts), func(d string) bool { return d == line }))
		}
		return false, nil
	}
	lines = append(lines, line)
	return true, t.setPrior(r, lines[max(0, len(lines)-lockstep.MaxPrior):])
}

// doubtful tells whether it is kept what tries of the entry were to bring: in a pair, and while its record has no link.
func (t *tx) doubtful(r *row) (bool, error) {
	if t.s.face(r.flow) != nil {
		return true, nil
	}
	links, err := t.links(r.flow.set, r.flow.Side, []lockstep.Key{r.key})
	return err == nil && links[0].ID == 0, err
}

// nothingSent takes away what is known of a try only because it might have been under way.
func (t *tx) nothingSent(r *row, doubts []string) error {
	lines, err := t.prior(r)
	if err != nil {
		return err
	}
	return t.setPrior(r, slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(doubts, l) }))
}

func (t *tx) prior(r *row) (lines []string, err error) {
	err = t.query("SELECT prior FROM entry_rows WHERE id = ? AND prior IS NOT NULL", []any{r.id}, func(v cells) error {
		lines = strings.Split(v.text(0), "\n")
		return nil
	})
	return lines, err
}

// setPrior writes it to the file, and to the row at hand.
func (t *tx) setPrior(r *row, lines []string) error {
	var to arg
	r.prior = nil
	if len(lines) > 0 {
		all := strings.Join(lines, "\n")
		to, r.prior = text(all), &all
	}
	_, err := t.execArgs("UPDATE entry_rows SET prior = ? WHERE id = ?", []arg{to, number(r.id)})
	return err
}
