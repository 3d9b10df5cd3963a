package binlog

import (
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Shape is what the connector makes of rows.
type Shape struct {
	Columns []string // the columns whose cells it is given, in this order
	Key     []int    // which of them make the key
	// MakeKey is the key of a row's cells. A fault of it is the row's own.
	MakeKey func(cells []Cell) (lockstep.Key, error)
	// Change is what a row's cells, none of them Unknown, mean: a record, a fault, or that it counts as gone.
	Change func(cells []Cell) lockstep.Change
	// Hints says that a row alone does not tell the record: all changes but deletes are looked at.
	Hints bool
}

// changes appends what became of a row's record: two where its key was changed. A versioned table keeps its history
// among its rows, under the same keys: what is now, only a query tells.
func (s *Shape) changes(out []lockstep.Change, r *row, versioned bool, at time.Time) ([]lockstep.Change, error) {
	var old, now lockstep.Key
	var err error
	if r.before != nil {
		if old, err = s.key(r.before); err != nil {
			return faulty(out, err, at)
		}
	}
	gone := lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: old, At: at}}
	if versioned {
		gone.Op, gone.Hint = lockstep.Upsert, true
	}
	if r.after == nil {
		return append(out, gone), nil
	}
	now, err = s.key(r.after)
	if r.before != nil && (err != nil || old != now) { // the old record is gone whatever the new one is
		out = append(out, gone)
	}
	if err != nil {
		return faulty(out, err, at)
	}
	return append(out, s.upsert(now, r.after, versioned, at)), nil
}

func (s *Shape) upsert(key lockstep.Key, cells []Cell, versioned bool, at time.Time) lockstep.Change {
	hint := lockstep.Change{Record: lockstep.Record{Key: key, At: at}, Hint: true}
	if s.Hints || versioned || slices.ContainsFunc(cells, func(c Cell) bool { return c.Kind == Unknown }) {
		return hint
	}
	change := s.Change(cells)
	if change.Record.At.IsZero() {
		change.Record.At = at
	}
	return change
}

// key is the key of a row. One that the log does not tell is a fault of the whole: nothing could be looked at.
func (s *Shape) key(cells []Cell) (lockstep.Key, error) {
	for _, i := range s.Key {
		if cells[i].Kind == Unknown {
			f := lockstep.Faultf(lockstep.CodeCannot, "the log does not tell the key of a row: field %s", s.Columns[i])
			f.Next = "Set binlog_row_image and binlog_row_metadata to FULL and run `lockstep sync FLOW --full`, or choose another tracker."
			return "", f.On(lockstep.About{Field: s.Columns[i]})
		}
	}
	return s.MakeKey(cells)
}

// faulty appends a change for a row whose key is at fault, unless the fault is one of the whole.
func faulty(out []lockstep.Change, err error, at time.Time) ([]lockstep.Change, error) {
	fault := lockstep.FaultOf(err)
	if fault.Kind.StopsFlow() {
		return nil, err
	}
	place := lockstep.Key("a row of " + at.Format(time.RFC3339))
	return append(out, lockstep.Change{Record: lockstep.Record{Key: place, At: at}, Fault: fault}), nil
}
