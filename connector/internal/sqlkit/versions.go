package sqlkit

import "github.com/lockstep-sync/lockstep"

// VersionPlan is the plan that reads the versions that IfVersion is about: of the field that the settings name, else of
// the likeliest tracker's.
func (t *Table) VersionPlan() (*Plan, error) {
	field := t.Version
	if field == "" && len(t.Stream.TrackFields) > 0 {
		field = t.Stream.TrackFields[0]
	}
	if field == "" {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "the stream has no version field; name one with `version:` under the system's `streams:`")
	}
	return t.Plan(lockstep.Read{Stream: t.Stream.Name, Track: lockstep.Track{By: lockstep.Timestamp, Field: field}})
}

// AtVersion tells whether the record of a key is at the version that a write asks for, and answers the write if not.
func (t *Table) AtVersion(w *lockstep.Write, key lockstep.Key, version string, there bool, answer *lockstep.Result) bool {
	about := lockstep.About{Stream: t.Stream.Name, Key: key}
	switch {
	case w.IfVersion == "" || (there && version == w.IfVersion):
		return true
	case !there:
		*answer = lockstep.Result{Key: key, Err: lockstep.Faultf(lockstep.CodeGone, "the record is not there").On(about)}
	default:
		*answer = lockstep.Result{Key: key, Version: version, Err: lockstep.Faultf(lockstep.CodeVersionMoved, "the record has changed since it was read").On(about)}
	}
	return false
}
