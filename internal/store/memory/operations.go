package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// operation is what the target has accepted of an entry and is not done with.
type operation struct {
	lockstep.Operation
	generation int64 // of the entry, that was accepted
	ask        time.Time
	first      time.Time // when the oldest change since came; zero for none
	coalesced  int64     // what the entry's count was at the lease
}

// lease is the operation as a lease that an outcome closes.
func (op *operation) lease() *lease {
	return &lease{generation: op.generation, at: op.At, first: op.first, coalesced: op.coalesced}
}

// accept opens an operation: what the lease brought is on its way.
func (e *entry) accept(o *lockstep.Outcome, l *lease) {
	e.op = &operation{Operation: *o.Operation, generation: l.generation, ask: o.RetryAt, first: l.first, coalesced: l.coalesced}
	e.op.Holds, e.op.Then = slices.Clone(e.op.Holds), slices.Clone(e.op.Then)
	e.NotBefore, e.For = time.Time{}, nil
	if e.Generation == l.generation {
		e.Fault = nil
	}
}

// ends takes the operation away; what came meanwhile goes on.
func (e *entry) ends() {
	e.op = nil
	if e.State != lockstep.Parked {
		e.State = lockstep.Ready
	}
}

// still keeps an operation open that was asked about.
func (e *entry) still(now time.Time, o *lockstep.Outcome) {
	if next := o.Operation; next != nil && next.Receipt != e.op.Receipt {
		e.op.Receipt = next.Receipt
		e.did(step(now, o))
	}
	e.op.ask = o.RetryAt
}

// operationOf is the entry whose open operation an outcome is of, nil for none.
func (s *Store) operationOf(o *lockstep.Outcome) *entry {
	e := s.byID[o.Delivery.ID]
	if e == nil || e.op == nil || e.op.generation != o.Delivery.Generation || e.op.Receipt != o.Delivery.Operation.Receipt {
		return nil
	}
	return e
}

// shown is the operation as it is handed out.
func (op *operation) shown() *lockstep.Operation {
	out := op.Operation
	out.Holds, out.Then = slices.Clone(out.Holds), slices.Clone(out.Then)
	return &out
}

// Confirming lists the operations that are to be asked about now.
func (s *Store) Confirming(ctx context.Context, name string, most int) (due []lockstep.Delivery, next time.Time, err error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, next, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	var asked []*entry
	for _, e := range f.open {
		switch {
		case e.op == nil:
		case e.op.ask.After(now):
			if next.IsZero() || e.op.ask.Before(next) {
				next = e.op.ask
			}
		default:
			asked = append(asked, e)
		}
	}
	slices.SortFunc(asked, func(a, b *entry) int { return cmp.Or(a.op.ask.Compare(b.op.ask), cmp.Compare(a.ID, b.ID)) })
	for _, e := range asked[:min(most, len(asked))] {
		d := e.Delivery
		d.Generation, d.Operation = e.op.generation, e.op.shown()
		due = append(due, d)
	}
	if len(asked) > len(due) {
		next = asked[len(due)].op.ask
	}
	return due, next, nil
}

// Held says since when open operations hold names.
func (s *Store) Held(ctx context.Context, names []string) ([]time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	out := make([]time.Time, len(names))
	for _, e := range s.byID {
		if e.op == nil {
			continue
		}
		for i, name := range names {
			if slices.Contains(e.op.Holds, name) && (out[i].IsZero() || e.op.At.Before(out[i])) {
				out[i] = e.op.At
			}
		}
	}
	return out, nil
}
