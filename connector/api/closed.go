package api

import (
	"context"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Nobody can ask the program for anything, and nobody can write to it: it calls. A flow that needs one of these is
// refused before it begins, with words of its own; these are the last line.

func unasked(stream, what string) error {
	return lockstep.Faultf(lockstep.CodeCannot, "a system of type api cannot be %s: it pushes and pulls by itself", what).On(lockstep.About{Stream: stream})
}

// Fetch cannot be.
func (s *System) Fetch(_ context.Context, r lockstep.Read, _ []lockstep.Key) ([]lockstep.Record, error) {
	return nil, unasked(r.Stream, "asked for records")
}

// Scan cannot be.
func (s *System) Scan(_ context.Context, r lockstep.Read, _ lockstep.Position, _ lockstep.Limit) (lockstep.Page, error) {
	return lockstep.Page{}, unasked(r.Stream, "read")
}

// Changes cannot be: they come by themselves.
func (s *System) Changes(_ context.Context, r lockstep.Read, _ lockstep.Position, _ lockstep.Limit) (lockstep.Page, error) {
	return lockstep.Page{}, unasked(r.Stream, "asked for changes")
}

// Find cannot be.
func (s *System) Find(_ context.Context, r lockstep.Read, _ []string, _ [][]value.Value) ([][]lockstep.Record, error) {
	return nil, unasked(r.Stream, "searched")
}

// Apply cannot be: the program pulls.
func (s *System) Apply(_ context.Context, stream string, _ []lockstep.Write) ([]lockstep.Result, error) {
	return nil, unasked(stream, "written to")
}

// Examine says what pushing and pulling means.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.stream(r.Stream); err != nil {
		return nil, err
	}
	if r.Track.By == lockstep.Push {
		return []lockstep.Finding{{
			Level: "note", What: "the source pushes: what it does not push, deletes among it, is never seen, and no full sync makes it good",
			Next: "Have the program push everything again after it was down, the last request with \"complete\": true.",
		}}, nil
	}
	return []lockstep.Finding{{
		Level: "note", What: "the target pulls: nobody can look whether a write took effect, so what was not settled is handed out again",
		Next: "Write the program so that a record that it gets twice leaves what it left once.",
	}}, nil
}
