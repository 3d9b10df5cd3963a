package sqlite

import (
	"context"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Refers is what a record was made with.
func (s *Store) Refers(ctx context.Context, name string, key lockstep.Key) (out []lockstep.Reference, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query(`SELECT o.name, r.to_key, r.use FROM reference_rows r JOIN flow_rows o ON o.id = r.to_id
			WHERE r.flow_id = ? AND r.key = ? ORDER BY o.name, r.to_key`, []any{f.id, string(key)}, func(v cells) error {
			out = append(out, lockstep.Reference{Ref: lockstep.Ref{Flow: v.text(0), Key: lockstep.Key(v.text(1))}, Use: lockstep.Use(v.number(2))})
			return nil
		})
	})
	return out, err
}

const referrers = `SELECT f.name, r.key, r.use, r.asked, e.id, e.state, e.fault, e.not_before FROM reference_rows r INDEXED BY reference_rows_to
	JOIN flow_rows f ON f.id = r.flow_id LEFT JOIN entry_rows e ON e.flow_id = r.flow_id AND e.key = r.key
	WHERE r.to_id = ?1 AND r.to_key = ?2 AND r.use & ?3 AND NOT (r.flow_id = ?1 AND r.key = ?2)`

const (
	anyReferrers  = referrers + " ORDER BY r.flow_id, r.key LIMIT ?4"
	busyReferrers = referrers + " AND (r.asked <> ?5 OR e.state <> 3) ORDER BY r.flow_id, r.key LIMIT ?4"
)

// Referrers finds those who refer to keys, all at one moment: one look into an index for each.
func (s *Store) Referrers(ctx context.Context, name string, queries []lockstep.ReferrerQuery) ([][]lockstep.Referrer, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	out := make([][]lockstep.Referrer, len(queries))
	if !s.isReferred(f) {
		return out, s.alive(ctx)
	}
	now := time.Now()
	err = s.read(ctx, func(c *conn) error {
		for i, q := range queries {
			query, args := anyReferrers, []any{f.id, string(q.Key), int64(q.For), q.Max}
			if q.Busy != 0 {
				query, args = busyReferrers, append(args, q.Busy)
			}
			err := c.query(query, args, func(v cells) error {
				out[i] = append(out[i], s.referrer(v, now))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (s *Store) isReferred(f *flow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.referred
}

func (s *Store) referrer(v cells, now time.Time) lockstep.Referrer {
	r := lockstep.Referrer{Reference: lockstep.Reference{Ref: lockstep.Ref{Flow: v.text(0), Key: lockstep.Key(v.text(1))}, Use: lockstep.Use(v.number(2))},
		Asked: v.number(3), Entry: v.number(4)}
	if r.Entry != 0 {
		r.State, _ = s.stateOf(&row{id: r.Entry, state: v.number(5), notBefore: momentOr(v, 7)}, now)
		if f := decodeFault(v.text(6)); f != nil {
			r.Code = f.Code
		}
	}
	return r
}

// Open are the open entries of keys, without images.
func (s *Store) Open(ctx context.Context, name string, keys []lockstep.Key) ([]*lockstep.Entry, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	out := make([]*lockstep.Entry, len(keys))
	if _, _, open := s.linksOf(f); open == 0 || len(keys) == 0 {
		return out, s.alive(ctx)
	}
	at := make(map[lockstep.Key][]int, len(keys))
	for i, k := range keys {
		at[k] = append(at[k], i)
	}
	now := time.Now()
	err = s.read(ctx, func(c *conn) error {
		return c.query("SELECT "+columns+" FROM entry_rows WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?))", []any{f.id, keyList(keys)}, func(v cells) error {
			e, err := s.entry(s.shownRow(v), now, new(value.Decoder))
			if err == nil {
				err = s.operate(c, &e)
			}
			for _, i := range at[e.Change.Record.Key] {
				out[i] = &e
			}
			return err
		})
	})
	return out, err
}
