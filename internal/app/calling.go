package app

import (
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// callingProblems are the settings that have no use where a system calls by itself: it pushes, or pulls. What it pushes
// cannot be read, and what it pulls cannot be looked at. The notes say what is no mistake, but does nothing.
func callingProblems(cfg *config.Config) (problems []config.Problem, notes []string) {
	for _, f := range cfg.Flows {
		report := func(setting, hint, format string, args ...any) {
			path := "flows." + f.Name + "." + setting
			problems = append(problems, cfg.Problem(lockstep.CodeCannot, cfg.At(path), path, fmt.Sprintf(format, args...), hint))
		}
		by := f.From.Track.By
		pushes, pulls := tracksBy(cfg, f.From.System, lockstep.Push), tracksBy(cfg, f.To.System, lockstep.Push)
		if pushes && by != lockstep.Push {
			report("from.track.by", "write `by: push`", "the system %s cannot be read: it pushes its records itself", f.From.System)
		}
		if by == lockstep.Push && f.Full != nil {
			report("full", "leave it out; have the source push everything again where that is needed", "a source that pushes has no full sync")
		}
		if by == lockstep.Push && f.Hook != nil {
			report("hook", "leave it out", "a source that pushes sends its records, not hints at them")
		}
		if _, face, _ := cfg.Pair(f.Name); face != nil && (pushes || pulls) {
			report("from.system", "keep them two flows that do not face each other", "a pair reads both sides, and a system of `type: api` cannot be read")
		}
		switch {
		case cfg.API != nil:
		case by == lockstep.Push:
			notes = append(notes, fmt.Sprintf("nobody can push to the flow %s: the file has no `api:`", f.Name))
		case pulls:
			notes = append(notes, fmt.Sprintf("nobody can pull from the flow %s: the file has no `api:`", f.Name))
		}
	}
	return problems, notes
}

// tracksBy tells whether a system's connector has a tracker.
func tracksBy(cfg *config.Config, system string, by lockstep.Tracker) bool {
	s := cfg.System(system)
	return s != nil && s.Connector != nil && slices.Contains(s.Connector.Spec().Trackers, by)
}
