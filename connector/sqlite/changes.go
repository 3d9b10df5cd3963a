package sqlite

import (
	"context"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Changes reads what changed after from, by the tracker asked for.
func (s *System) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	page, err := s.changes(ctx, r, from, l)
	return page, about(err, r.Stream)
}

func (s *System) changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	switch r.Track.By {
	case lockstep.Timestamp:
		return s.byTime(ctx, p, from, l)
	}
	return lockstep.Page{}, sqlkit.NoTracker(r)
}

// Ack lets the source forget what was read up to a position.
func (s *System) Ack(ctx context.Context, r lockstep.Read, upTo lockstep.Position) error {
	return about(s.ack(ctx, r, upTo), r.Stream)
}

func (s *System) ack(context.Context, lockstep.Read, lockstep.Position) error {
	return nil
}

// Wait returns when there may be changes after from.
func (s *System) Wait(ctx context.Context, r lockstep.Read, from lockstep.Position) error {
	return about(s.wait(ctx, r, from), r.Stream)
}

func (s *System) wait(_ context.Context, r lockstep.Read, _ lockstep.Position) error {
	return sqlkit.NoWait(r)
}

// Install makes what a tracker needs inside the database, and Remove takes it away.
func (s *System) Install(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	script, err := s.install(ctx, r, dry)
	return script, about(err, r.Stream)
}

func (s *System) install(context.Context, lockstep.Read, bool) (string, error) {
	return "", nil // it needs nothing
}

// Remove takes away what Install made.
func (s *System) Remove(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	script, err := s.remove(ctx, r, dry)
	return script, about(err, r.Stream)
}

func (s *System) remove(context.Context, lockstep.Read, bool) (string, error) {
	return "", nil
}
