package sqlite

import (
	"context"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// operation is a row of operation_rows.
type operation struct {
	receipt    string
	at, ask    time.Time
	generation int64
	first      time.Time
	coalesced  int64
	then       []byte
}

const operationColumns = "receipt, at, ask, generation, first, coalesced, then_text"

// scanOperation reads the columns above, from a place on.
func scanOperation(v cells, from int) *operation {
	op := &operation{receipt: v.text(from), at: moment(v.number(from + 1)), ask: moment(v.number(from + 2)), generation: v.number(from + 3),
		first: momentOr(v, from+4), coalesced: v.number(from + 5)}
	if !v.null(from + 6) {
		op.then = []byte(v.text(from + 6))
	}
	return op
}

// operation is the open operation of an entry, nil for none.
func (c *conn) operation(entry int64) (op *operation, err error) {
	err = c.query("SELECT "+operationColumns+" FROM operation_rows WHERE entry = ?", []any{entry}, func(v cells) error {
		op = scanOperation(v, 0)
		return nil
	})
	return op, err
}

func (c *conn) holds(entry int64) (names []string, err error) {
	err = c.query("SELECT name FROM hold_rows WHERE entry = ? ORDER BY name", []any{entry}, func(v cells) error {
		names = append(names, v.text(0))
		return nil
	})
	return names, err
}

// shown is the operation as it is handed out.
func (op *operation) shown(holds []string) *lockstep.Operation {
	return &lockstep.Operation{Receipt: op.receipt, At: op.at, Then: op.then, Holds: holds}
}

// closure is the operation as a lease that an outcome closes; nil where the outcome is not of it.
func (op *operation) closure(f *flow, o *lockstep.Outcome) *closure {
	if op == nil || op.generation != o.Delivery.Generation || op.receipt != o.Delivery.Operation.Receipt {
		return nil
	}
	return &closure{lease: &lease{flow: f, entry: o.Delivery.ID, generation: op.generation, at: op.at, first: op.first, coalesced: op.coalesced}, o: o, op: true}
}

// ending finds the operation that an outcome is of. One that stays open is saved at once, and closes nothing.
func (t *tx) ending(o *lockstep.Outcome) (*closure, error) {
	f, op := t.s.flows[o.Delivery.Flow], (*operation)(nil)
	if f == nil {
		return nil, nil
	}
	op, err := t.operation(o.Delivery.ID)
	if err != nil {
		return nil, err
	}
	c := op.closure(f, o)
	if c == nil || o.Verdict != lockstep.Accept {
		return c, nil
	}
	if o.Operation == nil || o.Operation.Receipt == op.receipt {
		_, err = t.exec("UPDATE operation_rows SET ask = ? WHERE entry = ?", micros(o.RetryAt), o.Delivery.ID)
		return nil, err
	}
	if _, err = t.exec("UPDATE operation_rows SET ask = ?, receipt = ? WHERE entry = ?", micros(o.RetryAt), o.Operation.Receipt, o.Delivery.ID); err != nil {
		return nil, err
	}
	rows, err := t.rowsByID([]int64{o.Delivery.ID}, "")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	rows[0].did(step(t.now, o))
	return nil, t.save(rows)
}

// accept opens an operation of an entry that is in the file: what the lease brought is on its way.
func (t *tx) accept(r *row, l *lease, o *lockstep.Outcome) error {
	_, err := t.exec("INSERT INTO operation_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", r.id, r.flow.id, o.Operation.Receipt, micros(o.Operation.At),
		micros(o.RetryAt), l.generation, micros(l.first), l.coalesced, orNull(string(o.Operation.Then)))
	if err != nil {
		return err
	}
	for _, name := range o.Operation.Holds {
		if _, err := t.exec("INSERT OR IGNORE INTO hold_rows VALUES (?, ?)", name, r.id); err != nil {
			return err
		}
	}
	return nil
}

// confirms puts the entry behind its operation.
func (r *row) confirms(generation int64) {
	r.state, r.notBefore, r.wants = confirming, time.Time{}, nil
	if r.generation == generation {
		r.fault, r.unread = arg{}, false
	}
}

// end forgets the entry's operation; what came meanwhile goes on.
func (t *tx) end(r *row) error {
	if r.state == confirming {
		r.state = ready
		if r.unread {
			r.state = parked
		}
	}
	if _, err := t.exec("DELETE FROM operation_rows WHERE entry = ?", r.id); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM hold_rows WHERE entry = ?", r.id)
	return err
}

// giveUp ends an operation of which nobody will ask any more: what becomes of it is not known (law 5).
func (t *tx) giveUp(r *row) error {
	op, err := t.operation(r.id)
	if err != nil || op == nil {
		return err
	}
	r.triedAt = t.now
	if op.generation == r.generation {
		line, says, err := t.brings(r)
		if err != nil {
			return err
		}
		if says {
			if _, err := t.perhaps(r, line); err != nil {
				return err
			}
		}
	}
	return t.end(r)
}

// behind notes the first change that waits behind the entry's operation, and keeps what that may be bringing.
func (t *tx) behind(r *row) error {
	op, err := t.operation(r.id)
	if err != nil || op == nil {
		return err
	}
	if op.first.IsZero() {
		if _, err := t.exec("UPDATE operation_rows SET first = ? WHERE entry = ?", micros(t.now), r.id); err != nil {
			return err
		}
	}
	if op.generation != r.generation {
		return nil
	}
	line, says, err := t.brings(r)
	if err != nil || !says {
		return err
	}
	_, err = t.perhaps(r, line)
	return err
}

// Confirming lists the operations that are to be asked about now.
func (s *Store) Confirming(ctx context.Context, name string, most int) (due []lockstep.Delivery, next time.Time, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, next, err
	}
	if !s.confirms(f) {
		return nil, next, s.alive(ctx)
	}
	err = s.read(ctx, func(c *conn) error {
		now := time.Now()
		ops, ids := map[int64]*operation{}, []int64{}
		err := c.query("SELECT "+operationColumns+", entry FROM operation_rows WHERE flow_id = ? AND ask <= ? ORDER BY ask, entry LIMIT ?",
			[]any{f.id, now.UnixMicro(), most}, func(v cells) error {
				id := v.number(7)
				ops[id], ids = scanOperation(v, 0), append(ids, id)
				return nil
			})
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			n, err := c.one("SELECT MIN(ask) FROM operation_rows WHERE flow_id = ?", f.id)
			if n != 0 {
				next = moment(n)
			}
			return err
		}
		due, err = s.operating(c, ids, ops)
		return err
	})
	return due, next, err
}

// operating are the deliveries of operations, in the order of ids.
func (s *Store) operating(c *conn, ids []int64, ops map[int64]*operation) ([]lockstep.Delivery, error) {
	byID := make(map[int64]lockstep.Delivery, len(ids))
	var dec value.Decoder
	err := c.query("SELECT "+columns+", image, prior FROM entry_rows WHERE id IN (SELECT value FROM json_each(?))", []any{idList(ids)}, func(v cells) error {
		d, err := s.delivery(s.shownRow(v), &dec)
		byID[d.ID] = d
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]lockstep.Delivery, len(ids))
	for i, id := range ids {
		holds, err := c.holds(id)
		if err != nil {
			return nil, err
		}
		out[i] = byID[id]
		out[i].Generation, out[i].Operation = ops[id].generation, ops[id].shown(holds)
	}
	return out, nil
}

// confirms tells whether the flow has open operations.
func (s *Store) confirms(f *flow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.counts[confirming] > 0
}

// Held says since when open operations hold names.
func (s *Store) Held(ctx context.Context, names []string) ([]time.Time, error) {
	out := make([]time.Time, len(names))
	if len(names) == 0 || !s.holding() {
		return out, s.alive(ctx)
	}
	at := make(map[string][]int, len(names))
	keys := make([]lockstep.Key, len(names))
	for i, name := range names {
		at[name], keys[i] = append(at[name], i), lockstep.Key(name)
	}
	err := s.read(ctx, func(c *conn) error {
		return c.query(`SELECT h.name, MIN(o.at) FROM hold_rows h JOIN operation_rows o ON o.entry = h.entry
			WHERE h.name IN (SELECT value FROM json_each(?)) GROUP BY h.name`, []any{keyList(keys)}, func(v cells) error {
			for _, i := range at[v.text(0)] {
				out[i] = moment(v.number(1))
			}
			return nil
		})
	})
	return out, err
}

// holding tells whether any flow has open operations.
func (s *Store) holding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		if f.counts[confirming] > 0 {
			return true
		}
	}
	return false
}

// operate adds its open operation to an entry as people look at it.
func (s *Store) operate(c *conn, e *lockstep.Entry) error {
	if e.State != lockstep.Confirming {
		return nil
	}
	op, err := c.operation(e.ID)
	if err != nil || op == nil {
		return err
	}
	holds, err := c.holds(e.ID)
	e.Operation, e.NotBefore = op.shown(holds), op.ask
	return err
}
