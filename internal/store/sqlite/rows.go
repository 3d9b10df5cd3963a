package sqlite

import (
	"slices"
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
	confirming
)

var stateNames = [...]lockstep.EntryState{lockstep.Ready, lockstep.Delayed, lockstep.Waits, lockstep.Parked, lockstep.Confirming}

// How an entry came into the queue.
const (
	captured int64 = iota
	hinted
	paged
	referred // hinted by news of a record that it refers to
)

var originNames = [...]string{"captured", "hinted", "page", "hinted"}

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
	fault      arg    // JSON or null
	steps      string // the inside of a JSON array
	image      arg    // JSON; null leaves the one in the file
	prior      *string

	fresh bool  // not in the file yet
	was   int64 // its state in the file
}

const columns = `id, flow_id, key, generation, state, priority, captured, changed, coalesced, attempts, epoch, tried_at, not_before,
	for_flow, for_key, op, hint, unread, origin, version, at, fault, steps`

// scanRow reads the columns above, and an image where there is one more.
func (s *Store) scanRow(v cells) *row {
	r := &row{id: v.number(0), flow: s.byID[v.number(1)], key: lockstep.Key(v.text(2)), generation: v.number(3), state: v.number(4),
		priority: lockstep.Priority(v.number(5)), captured: moment(v.number(6)), changed: moment(v.number(7)), coalesced: v.number(8),
		attempts: v.number(9), epoch: v.number(10), triedAt: momentOr(v, 11), notBefore: momentOr(v, 12),
		op: lockstep.Op(v.number(15)), hint: v.number(16) != 0, unread: v.number(17) != 0, origin: v.number(18), version: v.text(19),
		at: v.text(20), fault: orNull(v.text(21)), was: v.number(4)}
	if !v.null(13) {
		r.wants = &lockstep.Ref{Flow: v.text(13), Key: lockstep.Key(v.text(14))}
	}
	if steps := v.text(22); steps != "" {
		r.steps = steps[1 : len(steps)-1]
	}
	if v.wide() > 23 {
		r.image = orNull(v.text(23))
	}
	if v.wide() > 24 && !v.null(24) {
		prior := v.text(24)
		r.prior = &prior
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
		d.Change.Fault = decodeFault(r.fault.text)
	}
	var err error
	if r.at != "" {
		if d.Change.Record.At, err = time.Parse(time.RFC3339Nano, r.at); err != nil {
			return d, lockstep.Faultf(lockstep.CodeStore, "the time of an entry cannot be read").On(lockstep.About{Flow: r.flow.name, Key: r.key})
		}
	}
	if image := r.image.text; image != "" {
		if d.Change.Record.Fields, err = dec.Fields(image); err != nil {
			return d, lockstep.Faultf(lockstep.CodeStore, "the image of an entry cannot be read").On(lockstep.About{Flow: r.flow.name, Key: r.key})
		}
	}
	if d.Prior, err = decodePrior(r, dec); err != nil {
		return d, lockstep.Faultf(lockstep.CodeStore, "the image of an entry cannot be read").On(lockstep.About{Flow: r.flow.name, Key: r.key})
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
		[]any{f.id, keyList(keys)}, func(v cells) error {
			r := t.s.scanRow(v)
			found[r.key] = r
			return nil
		})
	return found, err
}

// rowsOf finds the rows of leases by their IDs: nearly all are as they were when they were leased, so the file is not
// asked for them again.
func (t *tx) rowsOf(closing []closure) (map[int64]*row, error) {
	byID := make(map[int64]*row, len(closing))
	var asked []int64
	for _, c := range closing {
		if c.row == nil {
			asked = append(asked, c.entry)
			continue
		}
		r := *c.row // the lease's own stays as it is: what follows may be undone
		byID[r.id] = &r
	}
	rows, err := t.rowsByID(asked, "")
	for _, r := range rows {
		byID[r.id] = r
	}
	return byID, err
}

// rowsByID finds entries by their IDs, in no order.
func (t *tx) rowsByID(ids []int64, with string) ([]*row, error) {
	out := make([]*row, 0, len(ids))
	if len(ids) == 0 {
		return nil, nil
	}
	err := t.query("SELECT "+columns+with+" FROM entry_rows WHERE id IN (SELECT value FROM json_each(?))",
		[]any{idList(ids)}, func(v cells) error {
			out = append(out, t.s.scanRow(v))
			return nil
		})
	return out, err
}

var insertRows = newInserter("INSERT INTO entry_rows ("+columns+", image) VALUES ", "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "")

const updateRow = `UPDATE entry_rows SET generation=?, state=?, priority=?, captured=?, changed=?, coalesced=?, attempts=?, epoch=?, tried_at=?,
	not_before=?, for_flow=?, for_key=?, op=?, hint=?, unread=?, origin=?, version=?, at=?, fault=?, steps=?, image=coalesce(?, image) WHERE id=?`

// values appends the columns from generation on.
func (r *row) values(args []arg) []arg {
	var forFlow, forKey, steps arg
	if r.wants != nil {
		forFlow, forKey = text(r.wants.Flow), text(string(r.wants.Key))
	}
	if r.steps != "" {
		steps = text("[" + r.steps + "]")
	}
	return append(args, number(r.generation), number(r.state), number(int64(r.priority)), micros(r.captured), micros(r.changed),
		number(r.coalesced), number(r.attempts), number(r.epoch), micros(r.triedAt), micros(r.notBefore), forFlow, forKey, number(int64(r.op)),
		truth(r.hint), truth(r.unread), number(r.origin), orNull(r.version), orNull(r.at), r.fault, steps, r.image)
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
		t.changed(r.id)
		if _, err := t.execArgs(updateRow, append(r.values(nil), number(r.id))); err != nil {
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
	_, err = t.insert(insertRows, len(fresh), func(args []arg, i int) []arg {
		r := fresh[i]
		r.id = first + int64(i)
		return r.values(append(args, number(r.id), number(r.flow.id), text(string(r.key))))
	})
	for _, r := range fresh {
		r.fresh, r.was = false, r.state
		t.dueAt(r.flow, r.notBefore)
	}
	return err
}

// changed notes that what a lease knows of its entry's row is out of date. It needs no undo: the file is asked then.
func (t *tx) changed(id int64) {
	if l := t.s.leases[id]; l != nil {
		l.row = nil
	}
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
	type place struct {
		flow  *flow
		state int64
	}
	counts := map[place]int64{} // noted once each: every note is undone apart
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
		counts[place{r.flow, r.was}]++
	}
	for at, n := range counts {
		t.count(at.flow, at.state, -n)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if first, last := ids[0], ids[len(ids)-1]; last-first == int64(len(ids)-1) { // as they were appended: a tenth less work
		_, err := t.exec("DELETE FROM entry_rows WHERE id BETWEEN ? AND ?", first, last)
		return err
	}
	_, err := t.exec("DELETE FROM entry_rows WHERE id IN (SELECT value FROM json_each(?))", idList(ids))
	return err
}
