package lockstep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// FaultKind is the class of an error. Each has one reaction of the engine (docs/faults.md, printed from FaultKinds).
type FaultKind uint8

// The kinds.
const (
	Unclassified FaultKind = iota
	Transient
	Throttled
	Invalid
	Conflict
	NotFound
	Waiting
	Unavailable
	Denied
	Lost
	Broken
)

// FaultKinds is the table of kinds: what is typical, what the engine does, and whether it counts as an attempt.
var FaultKinds = [...]struct{ Name, Typical, Engine, Attempt string }{
	Unclassified: {"unknown", "not classified", "backs off, then parks", "yes"},
	Transient:    {"transient", "network, 5xx, deadlock, timeout", "looks (law 5), backs off with jitter, then parks", "yes"},
	Throttled:    {"throttled", "429, quota", "waits as told, slows the flow down", "no"},
	Invalid:      {"invalid", "400/422, unique, check or not-null constraint, mapping", "parks at once", "-"},
	Conflict:     {"conflict", "409/412, version moved", "looks again, then the policy", "no"},
	NotFound:     {"not found", "404", "delete: done; update: create", "-"},
	Waiting:      {"waiting", "a reference has no link yet, a foreign key is missing", "waits for it, then goes at once", "no"},
	Unavailable:  {"unavailable", "the system as a whole is down", "opens the flow's breaker; entries keep their attempts", "no"},
	Denied:       {"denied", "401/403", "stops the flow, alerts", "no"},
	Lost:         {"lost", "slot, binlog or token gone, clock stepped back", "stops the flow: full sync due; never \"start from now\"", "no"},
	Broken:       {"broken", "an invariant failed", "stops the flow, alerts: our bug", "no"},
}

func (k FaultKind) String() string { return FaultKinds[k].Name }

// About is what a fault is about. Empty parts are unknown, or filled in further up.
type About struct {
	Flow, System, Stream string
	Key                  Key
	Field                string
	Request              string // the statement, call or file that failed; never with values in it (law 12)
}

// Fault is an error with its kind, its stable code, what it is about and what to do next.
type Fault struct {
	Kind    FaultKind
	Code    Code
	About   About
	Next    string        // one sentence: what to do; from the code's table unless set
	Wait    time.Duration // with Throttled: how long to wait
	Unknown bool          // the write may have taken effect all the same (law 5)
	For     *Ref          // with Waiting: the link that is waited for, if it is known
	Err     error
}

// Ref names a record of a flow's source.
type Ref struct {
	Flow string
	Key  Key
}

// NewFault is a fault with the kind and the next step of its code.
func NewFault(code Code, err error) *Fault {
	info := code.Info()
	return &Fault{Kind: info.Kind, Code: code, Next: info.Next, Err: err}
}

// Faultf is NewFault with a formatted message.
func Faultf(code Code, format string, args ...any) *Fault {
	return NewFault(code, fmt.Errorf(format, args...))
}

// On is f about a; what f knew before stays.
func (f *Fault) On(a About) *Fault {
	g := *f
	g.About.Flow = cmp.Or(f.About.Flow, a.Flow)
	g.About.System = cmp.Or(f.About.System, a.System)
	g.About.Stream = cmp.Or(f.About.Stream, a.Stream)
	g.About.Key = cmp.Or(f.About.Key, a.Key)
	g.About.Field = cmp.Or(f.About.Field, a.Field)
	g.About.Request = cmp.Or(f.About.Request, a.Request)
	return &g
}

// Maybe is f with an unknown outcome.
func (f *Fault) Maybe() *Fault {
	g := *f
	g.Unknown = true
	return &g
}

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", f.Code, f.Err)
	if where := f.About.String(); where != "" {
		fmt.Fprintf(&b, " (%s)", where)
	}
	return b.String()
}

func (f *Fault) Unwrap() error { return f.Err }

func (a About) String() string {
	var parts []string
	for _, p := range [...]struct{ name, text string }{
		{"flow", a.Flow}, {"system", a.System}, {"stream", a.Stream}, {"key", string(a.Key)}, {"field", a.Field}, {"in", a.Request},
	} {
		if p.text != "" {
			parts = append(parts, p.name+" "+p.text)
		}
	}
	return strings.Join(parts, ", ")
}

// FaultOf is err as a Fault: the outermost Fault in it, else one made for it. A deadline that passed is Transient
// with an unknown outcome. It is nil for nil.
func FaultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return NewFault(CodeTimeout, err).Maybe()
	}
	return NewFault(CodeUnclassified, err).Maybe()
}

// KindOf is the kind of FaultOf(err).
func KindOf(err error) FaultKind {
	if err == nil {
		return Unclassified
	}
	return FaultOf(err).Kind
}

// StopsFlow tells whether a fault of this kind stops its flow until a person acts.
func (k FaultKind) StopsFlow() bool { return k == Denied || k == Lost || k == Broken }
