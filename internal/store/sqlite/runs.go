package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// StartRun remembers a new run and gives it an ID.
func (s *Store) StartRun(ctx context.Context, r lockstep.Run) (lockstep.Run, error) {
	err := s.change(ctx, func(t *tx) error {
		if r.Started.IsZero() {
			r.Started = t.now.UTC()
		}
		r.State = cmp.Or(r.State, lockstep.Running)
		_, err := t.exec("INSERT INTO run_rows (flow, kind, state, started, ended, counts, place, fault, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			runValues(r)...)
		if err != nil {
			return err
		}
		r.ID, err = t.one("SELECT last_insert_rowid()")
		return err
	})
	return r, err
}

func runValues(r lockstep.Run) []any {
	return []any{r.Flow, string(r.Kind), string(r.State), micros(r.Started), micros(r.Ended), encodeCounts(r.Counts), orNull(string(r.Place)),
		encodeFault(r.Fault), r.Note}
}

// SaveRun saves where the run stands.
func (s *Store) SaveRun(ctx context.Context, r lockstep.Run) error {
	return s.change(ctx, func(t *tx) error { return t.saveRun(r) })
}

func (t *tx) saveRun(r lockstep.Run) error {
	if r.Started.IsZero() {
		r.Started = t.now
	}
	n, err := t.exec("UPDATE run_rows SET flow = ?, kind = ?, state = ?, started = ?, ended = ?, counts = ?, place = ?, fault = ?, note = ? WHERE id = ?",
		append(runValues(r), r.ID)...)
	if err == nil && n == 0 {
		return noRun(r.ID)
	}
	return err
}

func noRun(id int64) error { return lockstep.Faultf(lockstep.CodeInvariant, "there is no run %d", id) }

func (c *conn) hasRun(id int64) error {
	n, err := c.one("SELECT id FROM run_rows WHERE id = ?", id)
	if err == nil && n == 0 {
		return noRun(id)
	}
	return err
}

// Runs lists runs, the newest first.
func (s *Store) Runs(ctx context.Context, q lockstep.RunQuery) (out []lockstep.Run, err error) {
	where, args := "", []any{}
	if q.Flow != "" {
		where, args = where+" AND flow = ?", append(args, q.Flow)
	}
	if q.Kind != "" {
		where, args = where+" AND kind = ?", append(args, string(q.Kind))
	}
	if q.ID != 0 {
		where, args = where+" AND id = ?", append(args, q.ID)
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query("SELECT id, flow, kind, state, started, ended, counts, place, fault, note FROM run_rows WHERE true"+where+
			" ORDER BY id DESC LIMIT ?", append(args, cmp.Or(q.Max, 100)), func(v cells) error {
			r, err := scanRun(v)
			out = append(out, r)
			return err
		})
	})
	return out, err
}

func scanRun(v cells) (lockstep.Run, error) {
	r := lockstep.Run{ID: v.number(0), Flow: v.text(1), Kind: lockstep.RunKind(v.text(2)), State: lockstep.RunState(v.text(3)),
		Started: moment(v.number(4)), Ended: momentOr(v, 5), Fault: decodeFault(v.text(8)), Note: v.text(9)}
	if !v.null(7) {
		r.Place = lockstep.Position(v.text(7))
	}
	if err := json.Unmarshal([]byte(v.text(6)), &r.Counts); err != nil {
		return r, lockstep.NewFault(lockstep.CodeStore, errors.New("the counts of a run cannot be read"))
	}
	return r, nil
}

// DeleteRuns forgets ended runs older than before, but those that note a schema.
func (s *Store) DeleteRuns(ctx context.Context, before time.Time) error {
	return s.change(ctx, func(t *tx) error {
		old := "SELECT id FROM run_rows WHERE state <> 'running' AND kind <> 'schema' AND ended < ?"
		for _, query := range []string{"DELETE FROM flight_rows WHERE run IN (" + old + ")", "DELETE FROM chunk_rows WHERE run IN (" + old + ")",
			"DELETE FROM run_rows WHERE id IN (" + old + ")"} {
			if _, err := t.exec(query, before.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}
