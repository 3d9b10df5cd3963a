package pimcore

import (
	"errors"
	"fmt"
)

// SaveLate begins a save now and commits it when the function is called: it appears with the old date. With a mirror
// its transaction is open meanwhile, as that of a long import is: its rows are locked, other saves of them wait, and
// what its triggers wrote shows late.
func (s *Server) SaveLate(id int, values map[string]any) (commit func() error) {
	how := saving{date: s.now(), omitMandatory: true}
	finish, err := s.holdRows(id, values, &how)
	return func() error {
		if err != nil {
			return err
		}
		s.w.mu.Lock()
		err := s.changeOne(id, how, func(o *object) error { return o.set(values) })
		s.w.mu.Unlock()
		if finish != nil {
			err = errors.Join(err, finish(err == nil)) // before others are told, who may wait for its rows
		}
		return errors.Join(err, s.published())
	}
}

// holdRows writes the rows of a save to come into the mirror's open transaction.
func (s *Server) holdRows(id int, values map[string]any, how *saving) (func(bool) error, error) {
	s.out.mu.Lock()
	m := s.out.mirror
	s.out.mu.Unlock()
	if m == nil {
		return nil, nil
	}
	s.w.mu.Lock()
	old := s.w.objects[id]
	if old == nil || old.class == nil {
		s.w.mu.Unlock()
		return nil, fmt.Errorf("no object %d", id)
	}
	o := old.clone()
	if err := o.set(values); err != nil {
		s.w.mu.Unlock()
		return nil, err
	}
	o.modified = how.date
	s.addVersion(o, false)
	s.w.mu.Unlock()
	how.mirrored = true
	return m.hold(change{kind: "object", op: "update", before: old, after: o, version: true})
}

// SaveRolledBack makes a save that fails at its end: its rows were written to the mirror, and none of them stays.
func (s *Server) SaveRolledBack(id int, values map[string]any) error {
	finish, err := s.holdRows(id, values, &saving{date: s.now()})
	if err != nil || finish == nil {
		return err
	}
	return finish(false)
}
