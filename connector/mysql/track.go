package mysql

import (
	"context"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Wait returns when there may be changes after from.
func (s *System) Wait(ctx context.Context, r lockstep.Read, from lockstep.Position) error {
	if r.Track.By == lockstep.Log {
		return s.about(s.logWait(ctx, r, from), r.Stream)
	}
	return sqlkit.NoWait(r)
}

// Install makes what a tracker needs inside the database.
func (s *System) Install(ctx context.Context, r lockstep.Read, _ bool) (string, error) {
	if r.Track.By == lockstep.Log {
		script, err := s.logInstall(ctx, r)
		return script, s.about(err, r.Stream)
	}
	return "", nil
}

// Remove takes away what Install made.
func (s *System) Remove(context.Context, lockstep.Read, bool) (string, error) { return "", nil }
