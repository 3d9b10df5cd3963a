package sqlkit

import (
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// A flag tracker reads the rows that are marked, in the order of the key, and starts over at the end: so rows whose
// mark cannot be taken away never keep others from being read. Ack takes the mark from a row only where the row is still
// the one that was read. Whoever changes it in between keeps the mark, and the row comes again.

// Marked is the position of a flag tracker.
type Marked struct {
	By    lockstep.Tracker `json:"by"`
	After []string         `json:"after,omitempty"` // the key behind which to read on
}

// Position is m as text.
func (m Marked) Position() lockstep.Position {
	m.By = lockstep.Flag
	return encode(m)
}

// ReadMarked reads the position of a flag tracker; n is how many key fields there are.
func ReadMarked(from lockstep.Position, n int) (Marked, error) {
	var m Marked
	if err := json.Unmarshal(from, &m); err != nil || m.By != lockstep.Flag || (len(m.After) != 0 && len(m.After) != n) {
		return m, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a flag tracker of this stream")
	}
	return m, nil
}

// Mark is the column that marks changed rows: a boolean, or a number that is not 0.
func (p *Plan) Mark() (*Column, error) {
	c, err := p.trackColumn()
	if err != nil {
		return nil, err
	}
	switch c.Type.Kind {
	case value.BoolType, value.IntType, value.DecimalType, value.AnyType:
		return c, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeCannot, "column %q is neither a boolean nor a number: its type is %s", c.Name, c.Type.Native).
		On(lockstep.About{Stream: p.Table.Stream.Name, Field: c.Name})
}

// Number is the column that counts changes: a whole number.
func (p *Plan) Number() (*Column, error) {
	c, err := p.trackColumn()
	if err != nil {
		return nil, err
	}
	switch c.Type.Kind {
	case value.IntType, value.DecimalType, value.AnyType:
		return c, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeCannot, "column %q is no whole number: its type is %s", c.Name, c.Type.Native).
		On(lockstep.About{Stream: p.Table.Stream.Name, Field: c.Name})
}

func (p *Plan) trackColumn() (*Column, error) {
	c := p.Table.Column(p.Track.Field)
	if c == nil {
		return nil, lockstep.Faultf(lockstep.CodeNoField, "table %s has no column %q to track changes by", p.Table.SQL, p.Track.Field).
			On(lockstep.About{Stream: p.Table.Stream.Name, Field: p.Track.Field})
	}
	return c, nil
}

// Idle are the columns whose change alone does not make a row a changed one: the mark itself, what the database
// computes, and the columns that look like a "last modified" time or are the version. The latter are set by triggers
// or by the database with any write, also when Ack takes the mark away: it would set itself again without end.
// Others are all that are not idle.
func (t *Table) Idle(mark string) (idle, others []*Column) {
	every := t.Every()
	for i := range every {
		c := &every[i]
		if c.Name == mark || c.ReadOnly || c.Name == t.Version || isModified(*c) {
			idle = append(idle, c)
		} else {
			others = append(others, c)
		}
	}
	return idle, others
}
