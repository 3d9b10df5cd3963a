package cli

import (
	"errors"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

// verdict gathers what a request came to, for the exit code and the words at the end.
type verdict struct {
	worst  Exit
	faults []error
	parked int64
}

func (v *verdict) add(e Exit) {
	if rank(e) > rank(v.worst) {
		v.worst = e
	}
}

// run takes in a run that ended.
func (v *verdict) run(r *app.Run) {
	v.parked += r.Counts.Failed
	if r.Counts.Failed > 0 {
		v.add(ExitWaiting)
	}
	if r.Counts.Missing+r.Counts.Extra+r.Counts.Different > 0 && r.Kind == string(lockstep.VerifyRun) {
		v.add(ExitDifferences)
	}
	switch {
	case r.State == string(lockstep.Interrupted):
		v.add(ExitInterrupted)
	case r.Fault != nil:
		v.fault(r.Fault)
	case r.State == string(lockstep.Failed):
		v.add(ExitError)
	case r.State == string(lockstep.Stopped):
		v.add(ExitAsks)
	}
}

func (v *verdict) fault(f *app.Fault) { v.faults = append(v.faults, fault(f)) }

// err is what the command returns: the request's own error, and what its events said.
func (v *verdict) err(err error) error {
	err = errors.Join(append([]error{err}, v.faults...)...)
	switch {
	case err != nil:
		return err
	case v.worst != ExitOK:
		return ended{v.worst}
	}
	return nil
}

// fault is a fault of an event as an error.
func fault(f *app.Fault) *lockstep.Fault {
	e := lockstep.NewFault(f.Code, errors.New(f.Message)).On(lockstep.About{
		Flow: f.Flow, System: f.System, Stream: f.Stream, Key: f.Key, Field: f.Field, Request: f.In,
	})
	for kind, row := range lockstep.FaultKinds {
		if row.Name == f.Kind {
			e.Kind = lockstep.FaultKind(kind)
		}
	}
	if f.Next != "" {
		e.Next = f.Next
	}
	e.Unknown = f.Unknown
	return e
}
