package sqlite

import (
	"database/sql/driver"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// The states of an entry in the file.
const (
	ready int64 = iota
	delayed
	waiting
	parked
)

var stateNames = [...]lockstep.EntryState{lockstep.Ready, lockstep.Delayed, lockstep.Waits, lockstep.Parked}

// How an entry came into the queue.
const (
	captured int64 = iota
	hinted
	paged
)

var originNames = [...]string{"captured", "hinted", "page"}

// row is a row of entry_rows. Its image is left in the file unless it is asked for.
type row struct {
	flow       *flow
	id         int64
	key        lockstep.Key
	generation int64
	state      int64
	priority   lockstep.Priority
	captured   time.Time
	changed    time.Time
	coalesced  int64
	attempts   int64
	epoch      int64
	triedAt    time.Time // zero for never in this epoch
	notBefore  time.Time
	wants      *lockstep.Ref
	op         lockstep.Op
	hint       bool
	unread     bool
	origin     int64
	version    string
	at         string
	fault      any    // JSON or nil
	steps      string // the inside of a JSON array
	image      any    // JSON; nil leaves the one in the file

	fresh bool  // not in the file yet
	was   int64 // its state in the file
}

const columns = `id, flow_id, key, generation, state, priority, captured, changed, coalesced, attempts, epoch, tried_at, not_before,
	for_flow, for_key, op, hint, unread, origin, version, at, fault, steps`

// scanRow reads the columns above, and an image where there is one more.
func (s *Store) scanRow(v []driver.Value) *row {
	r := &row{id: whole(v[0]), flow: s.byID[whole(v[1])], key: lockstep.Key(str(v[2])), generation: whole(v[3]), state: whole(v[4]),
		priority: lockstep.Priority(whole(v[5])), captured: moment(whole(v[6])), changed: moment(whole(v[7])), coalesced: whole(v[8]),
		attempts: whole(v[9]), epoch: whole(v[10]), triedAt: momentOr(v[11]), notBefore: momentOr(v[12]),
		op: lockstep.Op(whole(v[15])), hint: whole(v[16]) != 0, unread: whole(v[17]) != 0, origin: whole(v[18]), version: str(v[19]),
		at: str(v[20]), fault: v[21], was: whole(v[4])}
	if v[13] != nil {
		r.wants = &lockstep.Ref{Flow: str(v[13]), Key: lockstep.Key(str(v[14]))}
	}
	if steps := str(v[22]); steps != "" {
		r.steps = steps[1 : len(steps)-1]
	}
	if len(v) > 23 {
		r.image = v[23]
	}
	return r
}

// tried tells whether an earlier try may have taken effect, and when it was (law 5).
func (s *Store) tried(r *row) (bool, time.Time) {
	at := r.triedAt
	if r.epoch < s.epoch && at.Before(s.opened) {
		at = s.opened.UTC()
	}
	return !at.IsZero(), at
}

// delivery is the row as it is handed out. It needs the image.
func (s *Store) delivery(r *row, dec *value.Decoder) (lockstep.Delivery, error) {
	d := lockstep.Delivery{ID: r.id, Flow: r.flow.name, Generation: r.generation, Captured: r.captured, Attempts: int(r.attempts)}
	d.Tried, d.TriedAt = s.tried(r)
	d.Clash = r.clash()
	d.Change = lockstep.Change{Op: r.op, Hint: r.hint, Record: lockstep.Record{Key: r.key, Version: r.version}}
	if r.unread {
		d.Change.Fault = decodeFault(str(r.fault))
	}
	var err error
	if r.at != "" {
		if d.Change.Record.At, err = time.Parse(time.RFC3339Nano, r.at); err != nil {
			return d, lockstep.Faultf(lockstep.CodeStore, "the time of an entry cannot be read").On(lockstep.About{Flow: r.flow.name, Key: r.key})
		}
	}
	if image := str(r.image); image != "" {
		if d.Change.Record.Fields, err = dec.Fields(image); err != nil {
			return d, lockstep.Faultf(lockstep.CodeStore, "the image of an entry cannot be read").On(lockstep.About{Flow: r.flow.name, Key: r.key})
		}
	}
	return d, nil
}

// rowsByKey finds the open entries of keys.
func (t *tx) rowsByKey(f *flow, keys []lockstep.Key) (map[lockstep.Key]*row, error) {
	found := map[lockstep.Key]*row{}
	if f.open() == 0 {
		return found, nil
	}
	err := t.query("SELECT "+columns+" FROM entry_rows WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?))",
		[]any{f.id, keyList(keys)}, func(v []driver.Value) error {
			r := t.s.scanRow(v)
			found[r.key] = r
			return nil
		})
	return found, err
}

// rowsByID finds entries by their IDs, in no order.
func (t *tx) rowsByID(ids []int64, with string) ([]*row, error) {
	out := make([]*row, 0, len(ids))
	if len(ids) == 0 {
		return nil, nil
	}
	err := t.query("SELECT "+columns+with+" FROM entry_rows WHERE id IN (SELECT value FROM json_each(?))",
		[]any{idList(ids)}, func(v []driver.Value) error {
			out = append(out, t.s.scanRow(v))
			return nil
		})
	return out, err
}

var insertRows = newInserter("INSERT INTO entry_rows ("+columns+", image) VALUES ", "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "")

const updateRow = `UPDATE entry_rows SET generation=?, state=?, priority=?, captured=?, changed=?, coalesced=?, attempts=?, epoch=?, tried_at=?,
	not_before=?, for_flow=?, for_key=?, op=?, hint=?, unread=?, origin=?, version=?, at=?, fault=?, steps=?, image=coalesce(?, image) WHERE id=?`

// values appends the columns from generation on.
func (r *row) values(args []any) []any {
	var forFlow, forKey, steps any
	if r.wants != nil {
		forFlow, forKey = r.wants.Flow, string(r.wants.Key)
	}
	if r.steps != "" {
		steps = "[" + r.steps + "]"
	}
	return append(args, r.generation, r.state, int64(r.priority), micros(r.captured), micros(r.changed), r.coalesced, r.attempts, r.epoch,
		micros(r.triedAt), micros(r.notBefore), forFlow, forKey, int64(r.op), r.hint, r.unread, r.origin, orNull(r.version), orNull(r.at),
		r.fault, steps, r.image)
}

// save writes rows that have changed, new ones in bulk.
func (t *tx) save(rows []*row) error {
	var fresh []*row
	for _, r := range rows {
		if r.fresh {
			fresh = append(fresh, r)
			t.count(r.flow, r.state, 1)
			continue
		}
		if _, err := t.exec(updateRow, append(r.values(nil), r.id)...); err != nil {
			return err
		}
		t.moved(r)
	}
	if len(fresh) == 0 {
		return nil
	}
	first, err := t.id("entry", len(fresh))
	if err != nil {
		return err
	}
	_, err = t.insert(insertRows, len(fresh), func(args []any, i int) []any {
		r := fresh[i]
		r.id = first + int64(i)
		return r.values(append(args, r.id, r.flow.id, string(r.key)))
	})
	for _, r := range fresh {
		r.fresh, r.was = false, r.state
		t.dueAt(r.flow, r.notBefore)
	}
	return err
}

// moved keeps the counts and the due time of the row's flow.
func (t *tx) moved(r *row) {
	if r.was != r.state {
		t.count(r.flow, r.was, -1)
		t.count(r.flow, r.state, 1)
		r.was = r.state
	}
	t.dueAt(r.flow, r.notBefore)
}

// remove deletes rows.
func (t *tx) remove(rows []*row) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
		t.count(r.flow, r.was, -1)
	}
	_, err := t.exec("DELETE FROM entry_rows WHERE id IN (SELECT value FROM json_each(?))", idList(ids))
	return err
}
