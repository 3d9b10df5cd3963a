package engine

import (
	"math/rand/v2"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// react is what the engine does with a delivery that met a fault: the table of lockstep.FaultKinds as code.
func (f *Flow) react(d lockstep.Delivery, fault *lockstep.Fault, now time.Time) lockstep.Outcome {
	kind := fault.Kind
	if kind == lockstep.NotFound && d.Tried { // it was looked for, not found and to be created: this is no answer
		kind = lockstep.Unclassified
	}
	fault = fault.On(f.about(d.Change.Record.Key)).On(lockstep.About{System: f.TargetSystem, Stream: f.To.Name})
	o := lockstep.Outcome{Delivery: d, Verdict: lockstep.Retry, Fault: fault, Tried: fault.Unknown}
	switch kind {
	case lockstep.NotFound: // looking finds it gone, and an update becomes a create
		o.RetryAt, o.Tried = now, true
	case lockstep.Invalid:
		o.Verdict = lockstep.Park
	case lockstep.Waiting:
		o.RetryAt = now.Add(waitPause(now.Sub(d.Captured)))
		if fault.For != nil {
			o.Verdict, o.For = lockstep.Wait, fault.For
			o.RetryAt = now.Add(time.Hour) // the link wakes it; this only guards against a link made out of our sight
		}
	case lockstep.Conflict:
		o.RetryAt = now.Add(waitPause(now.Sub(d.Captured)))
	case lockstep.Throttled:
		o.RetryAt = now.Add(max(fault.Wait, time.Second))
	case lockstep.Unavailable, lockstep.Denied, lockstep.Lost, lockstep.Broken:
		o.RetryAt = now
	default: // transient, unclassified
		o.Attempt = true
		if d.Attempts+1 >= f.Retry.Attempts {
			o.Verdict = lockstep.Park
			break
		}
		o.RetryAt = now.Add(f.Retry.pause(d.Attempts))
	}
	return o
}

// waitPause is how long to wait for a reference that nobody can name: short while it is young, for both flows may be
// on their way, longer as it ages.
func waitPause(age time.Duration) time.Duration {
	return min(max(age/4, 200*time.Millisecond), 30*time.Second)
}

// pause is the pause after the nth attempt (from 0): exponential with full jitter over its upper half, so that what
// failed together does not come back together.
func (r Retry) pause(n int) time.Duration {
	top := r.To
	if n < 30 {
		top = min(r.To, r.From<<n)
	}
	if top <= 0 {
		return 0
	}
	return top/2 + rand.N(top/2+1)
}

// perRecord tells whether a fault of a whole Apply can be the work of one record in it, so that halving finds it.
// Kinds that speak of the system, and outcomes that are unknown, are not halved.
func perRecord(f *lockstep.Fault) bool {
	if f.Unknown {
		return false
	}
	switch f.Kind {
	case lockstep.Invalid, lockstep.Waiting, lockstep.Conflict, lockstep.NotFound, lockstep.Unclassified:
		return true
	}
	return false
}
