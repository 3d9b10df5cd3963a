package mysql

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
	return page, s.about(err, r.Stream)
}

func (s *System) changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	switch r.Track.By {
	case lockstep.Timestamp:
		return s.byTime(ctx, p, from, l)
	case lockstep.Version:
		return s.byVersion(ctx, p, from, l)
	case lockstep.Flag:
		return s.byFlag(ctx, p, r, from, l)
	case lockstep.Trigger:
		return s.byTrigger(ctx, p, r, from, l)
	case lockstep.Log:
		return s.logChanges(ctx, p, r, from, l)
	}
	return lockstep.Page{}, sqlkit.NoTracker(r)
}

// Ack lets the source forget what was read up to a position.
func (s *System) Ack(ctx context.Context, r lockstep.Read, upTo lockstep.Position) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.about(s.ack(ctx, r, upTo), r.Stream)
}

func (s *System) ack(ctx context.Context, r lockstep.Read, upTo lockstep.Position) error {
	switch r.Track.By {
	case lockstep.Flag, lockstep.Trigger:
		p, err := s.plan(ctx, r)
		if err != nil {
			return err
		}
		if r.Track.By == lockstep.Flag {
			return s.ackFlag(ctx, p, r, upTo)
		}
		return s.ackTrigger(ctx, p, r, upTo)
	}
	return nil // it keeps nothing for us
}

// Wait returns when there may be changes after from.
func (s *System) Wait(ctx context.Context, r lockstep.Read, from lockstep.Position) error {
	if r.Track.By == lockstep.Log {
		return s.about(s.logWait(ctx, r, from), r.Stream)
	}
	return sqlkit.NoWait(r)
}

// Install makes what a tracker needs inside the database.
func (s *System) Install(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	script, err := s.install(ctx, r, dry)
	return script, s.about(err, r.Stream)
}

func (s *System) install(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	switch r.Track.By {
	case lockstep.Flag, lockstep.Trigger:
		p, err := s.plan(ctx, r)
		if err != nil {
			return "", err
		}
		if r.Track.By == lockstep.Flag {
			return s.installFlag(ctx, p, r, dry)
		}
		return s.installTrigger(ctx, p, r, dry)
	case lockstep.Log:
		return s.logInstall(ctx, r)
	}
	return "", nil // it needs nothing
}

// Remove takes away what Install made.
func (s *System) Remove(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	script, err := s.remove(ctx, r, dry)
	return script, s.about(err, r.Stream)
}

func (s *System) remove(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	switch r.Track.By {
	case lockstep.Flag:
		return s.removeFlag(ctx, r, dry)
	case lockstep.Trigger:
		return s.removeTrigger(ctx, r, dry)
	}
	return "", nil
}
