package app

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// The words of the house as events. Everything that may carry a text of a system's making goes through mask (law 12).

func countsOf(c lockstep.Counts) Counts { return Counts(c) }

func progressOf(p engine.Progress) *Progress {
	return &Progress{Flow: p.Flow, Kind: string(p.Kind), Phase: p.Phase, Counts: countsOf(p.Counts), Total: p.Total}
}

func runOf(r lockstep.Run, mask func(string) string) *Run {
	return &Run{
		ID: r.ID, Flow: r.Flow, Kind: string(r.Kind), State: string(r.State), Started: r.Started.UTC(), Ended: moment(r.Ended),
		Counts: countsOf(r.Counts), Fault: faultOf(r.Fault, mask), Note: r.Note, Sweep: r.Kind == lockstep.FullRun && engine.IsSweep(r),
	}
}

func driftOf(d engine.Drift) *Drift {
	return &Drift{Flow: d.Flow, What: d.What, Key: d.Key, TargetKey: d.Target, Edited: d.Edited, Fields: diffsOf(d.Fields), Later: refsOf(d.Later), Done: d.Done}
}

func planItemOf(p engine.PlanItem, mask func(string) string) *PlanItem {
	return &PlanItem{
		Flow: p.Flow, Action: p.Action, Key: p.Key, TargetKey: p.Target, Fields: diffsOf(p.Fields),
		Ours: p.Ours, Was: p.Was, Theirs: p.Theirs, Fault: faultOf(p.Fault, mask), Later: refsOf(p.Later),
	}
}

func refsOf(refs []lockstep.Ref) []Ref {
	var out []Ref
	for _, r := range refs {
		out = append(out, Ref{Flow: r.Flow, Key: r.Key})
	}
	return out
}

func diffsOf(diffs []image.Difference) []FieldDiff {
	out := make([]FieldDiff, 0, len(diffs))
	for _, d := range diffs {
		out = append(out, FieldDiff{d.Field, value.AppendJSON(nil, d.Ours), value.AppendJSON(nil, d.Theirs)})
	}
	return out
}

// entryOf shows an entry; fields only where whole is asked for.
func entryOf(e *lockstep.Entry, whole bool, mask func(string) string) *Entry {
	out := &Entry{
		ID: e.ID, Flow: e.Flow, Key: e.Change.Record.Key, Op: e.Change.Op.String(), State: string(e.State), Priority: priorityName(e.Priority),
		Generation: e.Generation, Coalesced: e.Coalesced, Attempts: e.Attempts, Captured: e.Captured.UTC(), Changed: moment(e.Changed),
		NotBefore: moment(e.NotBefore), Tried: e.Tried, Fault: faultOf(e.Fault, mask),
	}
	if e.For != nil {
		out.For = &Ref{Flow: e.For.Flow, Key: e.For.Key}
	}
	if op := e.Operation; op != nil {
		out.Receipt, out.Accepted = mask(op.Receipt), moment(op.At)
	}
	if whole && e.Change.Record.Fields.Len() > 0 {
		out.Fields = value.AppendFields(nil, e.Change.Record.Fields)
	}
	return out
}

func priorityName(p lockstep.Priority) string {
	switch {
	case p < lockstep.Normal:
		return "high"
	case p > lockstep.Normal:
		return "low"
	}
	return "normal"
}

func stepOf(e lockstep.Event, mask func(string) string) Step {
	return Step{At: e.At.UTC(), Did: e.Did, Other: e.Other, Run: e.Run, Note: e.Note, Fault: faultOf(e.Fault, mask)}
}

// conflictOf shows a conflict of a flow of a pair: the fields in which the two differed.
func conflictOf(c *lockstep.Clash, cfg *config.Config, flow string) *Conflict {
	if c == nil {
		return nil
	}
	out := &Conflict{Won: "a", Why: c.Why, Fields: []LostDiff{}}
	if c.Won == lockstep.B {
		out.Won = "b"
	}
	if p, _, _ := cfg.Pair(flow); p != nil {
		if there := cfg.Flow(p.A); c.Won == lockstep.A {
			out.System = there.From.System
		} else {
			out.System = there.To.System
		}
	}
	names := c.Lost.Names()
	if names == nil {
		names = c.Kept.Names()
	}
	if names == nil {
		return out
	}
	for _, name := range names.List() {
		lost, _ := c.Lost.Get(name)
		kept, _ := c.Kept.Get(name)
		diff := LostDiff{Field: name, Lost: value.AppendJSON(nil, lost), Kept: value.AppendJSON(nil, kept)}
		if !bytes.Equal(diff.Lost, diff.Kept) {
			out.Fields = append(out.Fields, diff)
		}
	}
	return out
}

// moment is t for JSON: absent where it is zero.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// faultOf shows a fault; nil for nil.
func faultOf(f *lockstep.Fault, mask func(string) string) *Fault {
	if f == nil {
		return nil
	}
	return faultIn(f, f, mask)
}

// faultIn shows an error whose fault is f: the operations that f was wrapped with stay in the message.
func faultIn(err error, f *lockstep.Fault, mask func(string) string) *Fault {
	message := err.Error()
	if f.Err != nil {
		message = strings.Replace(message, f.Error(), f.Err.Error(), 1)
	}
	return &Fault{
		Code: f.Code, Kind: f.Kind.String(), Message: mask(message), Flow: f.About.Flow, System: f.About.System, Stream: f.About.Stream,
		Key: f.About.Key, Field: f.About.Field, In: mask(f.About.Request), Next: f.Next, Unknown: f.Unknown,
	}
}

// toldFault is a shown fault as an error again: what a daemon said.
func toldFault(f *Fault) *lockstep.Fault {
	out := lockstep.NewFault(f.Code, errors.New(f.Message))
	for kind, row := range lockstep.FaultKinds {
		if row.Name == f.Kind {
			out.Kind = lockstep.FaultKind(kind)
		}
	}
	if f.Next != "" {
		out.Next = f.Next
	}
	out.Unknown = f.Unknown
	return out.On(lockstep.About{Flow: f.Flow, System: f.System, Stream: f.Stream, Key: f.Key, Field: f.Field, Request: f.In})
}

// split is the errors that were joined into err.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range many.Unwrap() {
			all = append(all, split(one)...)
		}
		return all
	}
	return []error{err}
}
