package sqlkit

import "github.com/lockstep-sync/lockstep"

// NoTracker says that a connector has no such tracker.
func NoTracker(r lockstep.Read) error {
	return lockstep.Faultf(lockstep.CodeCannot, "changes cannot be found by %q here", r.Track.By).On(lockstep.About{Stream: r.Stream})
}

// NoWait says that nothing tells of changes found by the tracker, so that it has to be polled.
func NoWait(r lockstep.Read) error {
	return lockstep.Faultf(lockstep.CodeCannot, "nobody tells of changes found by %q", r.Track.By).On(lockstep.About{Stream: r.Stream})
}
