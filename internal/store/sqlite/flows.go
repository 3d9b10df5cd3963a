package sqlite

import (
	"context"
	"maps"
	"slices"

	lockstep "github.com/lockstep-sync/lockstep"
)

// Attach tells the store which flows there are.
func (s *Store) Attach(ctx context.Context, defs []lockstep.FlowDef) error {
	return s.change(ctx, func(t *tx) error {
		if _, err := t.exec("UPDATE flow_rows SET attached = 0"); err != nil {
			return err
		}
		for _, f := range s.flows {
			was := f.attached
			t.set(func() { f.attached = false }, func() { f.attached = was })
		}
		for _, def := range defs {
			if err := t.attach(def); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) attach(def lockstep.FlowDef) error {
	set, err := t.linkSet(def.Set)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO flow_rows (name, feed, set_id, side, create_priority, update_priority, delete_priority, attached)
		VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (name) DO UPDATE SET feed = excluded.feed, set_id = excluded.set_id, side = excluded.side,
		create_priority = excluded.create_priority, update_priority = excluded.update_priority, delete_priority = excluded.delete_priority, attached = 1,
		missed = 0`,
		def.Name, def.Feed, set.id, int64(def.Side), int64(def.Create), int64(def.Update), int64(def.Delete))
	if err != nil {
		return err
	}
	f := t.s.flows[def.Name]
	if f == nil {
		id, err := t.one("SELECT id FROM flow_rows WHERE name = ?", def.Name)
		if err != nil {
			return err
		}
		f = newFlow(id, def.Name, set)
		t.set(func() { t.s.flows[def.Name], t.s.byID[id] = f, f }, func() { delete(t.s.flows, def.Name); delete(t.s.byID, id) })
	}
	was, wasSet, missed := f.FlowDef, f.set, f.missed
	t.set(func() { f.FlowDef, f.set, f.attached, f.missed = def, set, true, false }, func() { f.FlowDef, f.set, f.attached, f.missed = was, wasSet, false, missed })
	if was.Name != "" && was.Feed != def.Feed && def.Feed != "" && !missed {
		return t.due(f.Name, "the flow reads another feed now: a full sync is due")
	}
	return nil
}

// due adds a full run that was cut off before it began: a full sync is due.
func (t *tx) due(flow, why string) error {
	_, err := t.exec("INSERT INTO run_rows (flow, kind, state, started, ended, counts, place, fault, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		runValues(lockstep.Run{Flow: flow, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: t.now, Ended: t.now, Note: why})...)
	return err
}

// missing marks the flows of a feed that is filled without them (law 1).
func (t *tx) missing(feed string) error {
	for _, f := range t.s.flows {
		if f.Feed != feed || feed == "" || f.attached || f.missed {
			continue
		}
		if err := t.miss(f, "the flow was left out while its feed took changes: a full sync is due"); err != nil {
			return err
		}
	}
	return nil
}

// miss notes once that a flow which is not attached has missed something.
func (t *tx) miss(f *flow, why string) error {
	if f.missed {
		return nil
	}
	if _, err := t.exec("UPDATE flow_rows SET missed = 1 WHERE id = ?", f.id); err != nil {
		return err
	}
	t.set(func() { f.missed = true }, func() { f.missed = false })
	return t.due(f.Name, why)
}

// linkSet finds the set of a name, or makes it.
func (t *tx) linkSet(name string) (*linkSet, error) {
	if set := t.s.sets[name]; set != nil {
		return set, nil
	}
	if _, err := t.exec("INSERT INTO set_rows (name) VALUES (?)", name); err != nil {
		return nil, err
	}
	id, err := t.one("SELECT id FROM set_rows WHERE name = ?", name)
	if err != nil {
		return nil, err
	}
	set := &linkSet{id: id, name: name}
	t.set(func() { t.s.sets[name] = set }, func() { delete(t.s.sets, name) })
	return set, nil
}

// face is the flow face to face with f, nil for none.
func (s *Store) face(f *flow) *flow {
	for _, other := range s.flows {
		if other.attached && other.Set == f.Set && other.Side != f.Side {
			return other
		}
	}
	return nil
}

// fed are the flows that the feed fills, in the order of their names.
func (s *Store) fed(feed string) []*flow {
	var out []*flow
	for _, name := range slices.Sorted(maps.Keys(s.flows)) {
		if f := s.flows[name]; f.Feed == feed && f.attached && feed != "" {
			out = append(out, f)
		}
	}
	return out
}
