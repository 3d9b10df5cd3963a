package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// drift is what a builder finds of schemas that have changed.
type drift struct {
	accepted map[string]*schema          // by flow; nil: nobody has noted one yet
	now      map[string]schema           // as the systems say
	changes  map[string][]SchemaChange   // where the two differ
	lame     map[string]*lockstep.Fault  // flows that cannot be built on it
	problems map[string][]config.Problem // why
}

func newDrift(accepted map[string]*schema) drift {
	return drift{accepted, map[string]schema{}, map[string][]SchemaChange{}, map[string]*lockstep.Fault{}, map[string][]config.Problem{}}
}

// compare compares what the systems say with what was accepted.
func (d *drift) compare(f *config.Flow, from, to *lockstep.Stream) {
	d.now[f.Name] = schemaOf(f, from, to)
	if was := d.accepted[f.Name]; was != nil {
		d.changes[f.Name] = changesOf(*was, d.now[f.Name])
	}
}

// cannot notes that a flow cannot be built on a changed schema: it waits by itself, and harms no other (law 4).
func (d *drift) cannot(f *config.Flow, problems []config.Problem) {
	var why []string
	for _, p := range problems {
		why = append(why, p.Message+" ("+p.Pos.String()+")")
	}
	fault := lockstep.Faultf(lockstep.CodeDrift, "the schema has changed, and the flow does not fit it any more: %s. %s", changesText(d.changes[f.Name]), strings.Join(why, "; "))
	fault.Next = "Mend the mapping and start lockstep anew, or mend the stream: the flow waits until then, and nothing is lost."
	d.lame[f.Name], d.problems[f.Name] = fault.On(lockstep.About{Flow: f.Name}), problems
}

// pairs joins the flows of pairs. Two that cannot be joined on a changed schema wait both.
func (b *builder) pairs(flows []*engine.Flow) []*engine.Flow {
	before := len(b.problems)
	b.pair(flows)
	wrong := slices.Clone(b.problems[before:])
	b.problems = b.problems[:before:before]
	for _, p := range b.cfg.Pairs {
		var own []config.Problem
		wrong = slices.DeleteFunc(wrong, func(pr config.Problem) bool {
			mine := pr.Path == "pairs."+p.Name || strings.HasPrefix(pr.Path, "pairs."+p.Name+".")
			if mine {
				own = append(own, pr)
			}
			return mine
		})
		if len(own) == 0 {
			continue
		}
		if len(b.changes[p.A])+len(b.changes[p.B]) == 0 {
			b.problems = append(b.problems, own...)
			continue
		}
		b.cannot(b.cfg.Flow(p.A), own)
		b.cannot(b.cfg.Flow(p.B), own)
		flows = slices.DeleteFunc(flows, func(f *engine.Flow) bool { return f.Name == p.A || f.Name == p.B })
	}
	b.problems = append(b.problems, wrong...)
	return flows
}

// wasThere tells whether the flow had a target stream when its schema was accepted. One that is gone is not made again
// by itself: the links say what was in it.
func (d *drift) wasThere(f *config.Flow) bool {
	was := d.accepted[f.Name]
	return was != nil && len(was.To.Fields) > 0
}

// known leaves fields out that are new to a flow without a mapping: they go along when a person has accepted them, or by
// themselves with `drift: map`.
func (d *drift) known(f *config.Flow, s *lockstep.Stream, side func(*schema) columns) *lockstep.Stream {
	was := d.accepted[f.Name]
	if was == nil || !f.Identity() || f.Drift == config.MapDrift || len(side(was).Fields) == 0 {
		return s
	}
	out := *s
	out.Fields = nil
	for _, fd := range s.Fields {
		if side(was).field(fd.Name) != nil {
			out.Fields = append(out.Fields, fd)
		}
	}
	return &out
}

func fromSide(s *schema) columns { return s.From }
func toSide(s *schema) columns   { return s.To }

// settleDrift does what the flows' policies say about changed schemas, and notes the schemas of flows that are new. It
// gives the flows that are carried.
func (h *House) settleDrift(ctx context.Context, out *built, d drift, flows []*engine.Flow, write bool) ([]*engine.Flow, error) {
	out.drift = d
	for name, fault := range d.lame {
		out.held[name] = fault
		h.tellHeld(name, fault)
		if write {
			if err := h.owe(ctx, name); err != nil {
				return nil, err
			}
		}
	}
	var carried []*engine.Flow
	for _, fl := range flows {
		f, changes := h.cfg.Flow(fl.Name), d.changes[fl.Name]
		text := changesText(changes)
		held := lockstep.Faultf(lockstep.CodeDrift, "the schema has changed: %s", text).On(lockstep.About{Flow: f.Name})
		switch {
		case d.accepted[f.Name] == nil && write:
			if err := h.acceptSchema(ctx, f.Name, d.now[f.Name], "as it was first seen"); err != nil {
				return nil, err
			}
		case len(changes) == 0:
			h.tell(f.Name, "", nil)
		case f.Drift == config.MapDrift && f.Identity():
			if write {
				if err := h.acceptSchema(ctx, f.Name, d.now[f.Name], text); err != nil {
					return nil, err
				}
				h.log.Info("a changed schema was taken up", logging.Flow, f.Name, "changes", text)
				delete(d.changes, f.Name)
			}
		case f.Drift == config.HoldDrift || f.Drift == config.StopDrift:
			if f.Drift == config.HoldDrift {
				fl.Held = held
			} else {
				out.held[f.Name] = held
			}
			h.tellHeld(f.Name, held)
		default:
			h.tell(f.Name, text, func() {
				h.log.Warn("the schema has changed", logging.Flow, f.Name, "changes", text, logging.Next, held.Next)
			})
		}
		if out.held[f.Name] == nil {
			carried = append(carried, fl)
		}
	}
	return h.together(out, carried), nil
}

// owe makes a full sync of a flow due for when it goes on again: a field that went and came back holds other values, and
// no tracker tells of that. A flow that never had a full sync has it due anyway.
func (h *House) owe(ctx context.Context, flow string) error {
	rows, err := h.store.Runs(ctx, lockstep.RunQuery{Flow: flow, Kind: lockstep.FullRun, Max: 1})
	if err != nil || len(rows) == 0 || rows[0].State == lockstep.Interrupted && len(rows[0].Place) == 0 {
		return err
	}
	now := time.Now()
	_, err = h.store.StartRun(ctx, lockstep.Run{
		Flow: flow, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: now, Ended: now, Note: "its schema had changed: everything is read once",
	})
	return err
}

// together has both flows of a pair wait where one does: alone, a flow would write over what the other side says.
func (h *House) together(out *built, flows []*engine.Flow) []*engine.Flow {
	held := map[string]bool{}
	for _, fl := range flows {
		held[fl.Name] = fl.Held != nil
	}
	return slices.DeleteFunc(flows, func(fl *engine.Flow) bool {
		_, face, _ := h.cfg.Pair(fl.Name)
		if face == nil || out.held[face.Name] == nil && !held[face.Name] {
			return false
		}
		fault := lockstep.Faultf(lockstep.CodeDrift, "the flow face to face with it, %s, waits for a person: its schema has changed", face.Name)
		fault.Next = "Settle that with `lockstep resume " + face.Name + "`; this one goes on with it."
		fault = fault.On(lockstep.About{Flow: fl.Name})
		if out.held[face.Name] == nil {
			if fl.Held == nil {
				fl.Held = fault
			}
			return false
		}
		if out.held[fl.Name] = fault; fl.Held != nil {
			out.held[fl.Name] = fl.Held
		}
		return true
	})
}

// tellHeld says why a flow waits for a person. A command answers with the fault instead.
func (h *House) tellHeld(flow string, fault *lockstep.Fault) {
	if h.isRunning() {
		h.tell(flow, fault.Error(), func() {
			h.log.Error("a flow waits for a person", logging.Flow, flow, logging.Err, h.clean(fault), logging.Next, fault.Next)
		})
	}
}

// tell says something about a flow's schema unless that was the last thing said.
func (h *House) tell(flow, what string, say func()) {
	if h.told == nil {
		h.told = map[string]string{}
	}
	if h.told[flow] != what && say != nil {
		say()
	}
	h.told[flow] = what
}

// watch says when the flows must be built anew because a schema has changed under them, or a person has accepted one.
type watch struct {
	every    time.Duration // between two looks
	suspects chan struct{} // a fault that a changed schema may be behind
	again    chan struct{} // build anew

	mu     sync.Mutex
	looked time.Time
	reopen map[string]bool // systems that are not as they were when they were opened
}

// The pauses between two looks at schemas: without a reason, before full syncs, and after a fault.
const (
	lookEvery   = 5 * time.Minute
	lookAtFull  = time.Minute
	lookAtFault = 15 * time.Second
)

func newWatch(every time.Duration) *watch {
	if every <= 0 {
		every = lookEvery
	}
	return &watch{every: every, suspects: make(chan struct{}, 1), again: make(chan struct{}, 1), reopen: map[string]bool{}}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *watch) since() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.looked)
}

func (w *watch) lookedNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Now()
}

// due tells whether something is to be opened anew.
func (w *watch) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.reopen) > 0
}

// take are the systems that are to be opened anew.
func (w *watch) take() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.reopen
	w.reopen = map[string]bool{}
	return out
}

func (w *watch) stale(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.reopen[name] = true
	}
}

// schemaChanges returns true when a schema has changed since b was built, or a person has accepted one; false when ctx ends.
func (h *House) schemaChanges(ctx context.Context, b *built) bool {
	for ctx.Err() == nil {
		tick := time.NewTimer(h.watch.every)
		select {
		case <-ctx.Done():
			tick.Stop()
			return false
		case <-h.watch.again:
			tick.Stop()
			if h.watch.due() { // else what was asked for is built already
				return true
			}
			continue
		case <-h.watch.suspects:
			wait(ctx, min(lookAtFault, h.watch.every)-h.watch.since())
		case <-tick.C:
		}
		tick.Stop()
		if h.lookAgain(ctx, b) {
			return true
		}
	}
	return false
}

// lookAgain asks the systems, over connections of its own, whether the schemas are still those that b was built on.
func (h *House) lookAgain(ctx context.Context, b *built) bool {
	look := systems{}
	look.open(ctx, h.cfg, usedBy(h.cfg, h.cfg.Flows))
	defer func() { _ = look.close() }() // only looked at
	changed := false
	for _, f := range h.cfg.Flows {
		was, built := b.drift.now[f.Name]
		from, to := look[f.From.System], look[f.To.System]
		if !built || from == nil || to == nil {
			continue
		}
		is := schemaOf(f, from.stream(f.From.Stream), to.stream(f.To.Stream))
		if len(changesOf(was, is)) > 0 || was.From.Gone != is.From.Gone || was.To.Gone != is.To.Gone {
			h.watch.stale(f.From.System, f.To.System)
			changed = true
		}
	}
	h.watch.lookedNow()
	return changed
}

// ready looks at the schemas before a full sync of the daemon begins, unless that was done just now.
func (h *House) ready(ctx context.Context, flow string) error {
	b := h.built.Load()
	if b == nil || !h.isRunning() || h.watch.since() < min(lookAtFull, h.watch.every) || !h.lookAgain(ctx, b) {
		return nil
	}
	poke(h.watch.again)
	return lockstep.Faultf(lockstep.CodeBusy, "a schema has changed, and the flows are being built anew: it goes on in a moment").On(lockstep.About{Flow: flow})
}

// refresh closes the systems whose schemas have changed, so that building opens them anew. The caller holds the lock.
func (h *House) refresh() error {
	var errs []error
	for name := range h.watch.take() {
		h.built.Store(nil)
		if s := h.systems[name]; s != nil {
			errs = append(errs, s.sys.Close())
			delete(h.systems, name)
		}
	}
	return errors.Join(errs...)
}
