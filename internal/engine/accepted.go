package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// A target may accept a write and do it later. The entry stays in the queue then, with what it comes to once it is done,
// and with the names of the locks of its target record: nobody else writes that until the operation has ended (law 3),
// also after a restart.

// then is what an operation comes to once it is done: an outcome as it would have been. It is kept as JSON, for digests
// are bytes and no text.
type then struct {
	Did    string               `json:"did"`
	Note   string               `json:"note,omitempty"`
	Link   *thenLink            `json:"link,omitempty"`
	Unlink *thenLink            `json:"unlink,omitempty"`
	Hint   lockstep.Key         `json:"hint,omitempty"`
	Back   bool                 `json:"back,omitempty"` // the flow back is to look at the target's record
	Refs   []lockstep.Reference `json:"refs"`           // nil leaves what is known
	News   lockstep.Use         `json:"news,omitempty"`
}

type thenLink struct {
	ID  int64   `json:"id,omitempty"`
	Set string  `json:"set"`
	A   thenEnd `json:"a"`
	B   thenEnd `json:"b"`
}

type thenEnd struct {
	Key     lockstep.Key `json:"key"`
	Digest  []byte       `json:"digest,omitempty"`
	Version string       `json:"version,omitempty"`
}

func keepLink(l *lockstep.Link) *thenLink {
	if l == nil {
		return nil
	}
	end := func(e lockstep.End) thenEnd { return thenEnd{e.Key, []byte(e.Digest), e.Version} }
	return &thenLink{l.ID, l.Set, end(l.A), end(l.B)}
}

func (l *thenLink) link() *lockstep.Link {
	if l == nil {
		return nil
	}
	end := func(e thenEnd) lockstep.End {
		return lockstep.End{Key: e.Key, Digest: lockstep.Digest(e.Digest), Version: e.Version}
	}
	return &lockstep.Link{ID: l.ID, Set: l.Set, A: end(l.A), B: end(l.B)}
}

// confirms tells whether the flow's target may accept writes and do them later.
func (f *Flow) confirms() bool {
	_, ok := f.Target.(lockstep.Confirmer)
	return ok
}

// accept turns the outcome of an item whose write was accepted into an open operation.
func (w *worker) accept(it *item) {
	o := it.out
	if it.receipt == "" || o == nil || o.Verdict != lockstep.Done {
		return
	}
	t := then{Did: o.Did, Note: o.Note, Link: keepLink(o.Link), Unlink: keepLink(o.Unlink), Hint: o.Hint, Refs: o.Refs, News: o.News,
		Back: it.face != nil && it.face.hint || o.Hint != "" && o.Hint == it.target}
	text, err := json.Marshal(t)
	if err != nil {
		w.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "what was accepted cannot be kept: %w", err).Maybe())
		return
	}
	now := w.now()
	it.out = &lockstep.Outcome{Delivery: o.Delivery, Verdict: lockstep.Accept, RetryAt: now.Add(askPause(0)), Run: o.Run,
		Operation: &lockstep.Operation{Receipt: it.receipt, At: now, Then: text, Holds: it.holds}}
	if it.op != lockstep.Delete { // news of what it was made with must reach it from now on; a delete holds keys until it is done
		it.out.Refs, it.out.Since = o.Refs, o.Since
	}
}

// accepted notes that the write of an item was accepted, before its answer says where it goes.
func (w *worker) accepted(it *item, receipt string) {
	it.receipt = receipt
	for _, name := range w.lockNames(nil, it) {
		it.holds = append(it.holds, holdName(name))
	}
}

// holdsTarget adds the target's record, where the answer has told which.
func (w *worker) holdsTarget(it *item) {
	if name := holdName(w.flow.keyLock(it.target)); it.receipt != "" && it.target != "" && !slices.Contains(it.holds, name) {
		it.holds = append(it.holds, name)
	}
}

// holdName is the name of a lock as a store keeps it: as text.
func holdName(lock string) string { return strings.ReplaceAll(lock, "\x00", "\x1f") }

// operated is for how long open operations have held what the locks are on, under the locks; nil where none does.
func (w *worker) operated(ctx context.Context, locks []string) []time.Duration {
	if back := w.flow.Back; len(locks) == 0 || !w.flow.confirms() && (back == nil || !back.confirms()) {
		return nil // what nobody can be asked about has no operations
	}
	names := make([]string, len(locks))
	for i, lock := range locks {
		names[i] = holdName(lock)
	}
	since, err := w.store.Held(ctx, names)
	if err != nil { // nobody knows: they are put off
		w.log.Debug("operations are not known", "flow", w.flow.Name, "err", err)
		return slices.Repeat([]time.Duration{1}, len(locks))
	}
	now := w.now()
	var out []time.Duration
	for i, at := range since {
		if at.IsZero() {
			continue
		}
		if out == nil {
			out = make([]time.Duration, len(locks))
		}
		out[i] = max(1, now.Sub(at))
	}
	return out
}

// acceptedAny wakes whoever asks, where something was accepted.
func (s *flowState) acceptedAny(outcomes []lockstep.Outcome) {
	for i := range outcomes {
		if outcomes[i].Verdict == lockstep.Accept {
			s.accepts()
			return
		}
	}
}

// askPause is how long to wait before an operation is asked about again: short while it is young.
func askPause(age time.Duration) time.Duration {
	return min(max(age/4, 200*time.Millisecond), 15*time.Second)
}

// confirmed is the outcome of an operation that is done.
func (w *worker) confirmed(d lockstep.Delivery, res lockstep.Result) (lockstep.Outcome, error) {
	var t then
	if err := json.Unmarshal(d.Operation.Then, &t); err != nil {
		return lockstep.Outcome{}, lockstep.Faultf(lockstep.CodeInvariant, "what was accepted cannot be read: %w", err).Maybe()
	}
	o := lockstep.Outcome{Delivery: d, Verdict: lockstep.Done, Did: t.Did, Note: t.Note, Link: t.Link.link(), Unlink: t.Unlink.link(),
		Hint: t.Hint, Refs: t.Refs, News: t.News, Run: w.run, Since: -1} // it was read long ago, perhaps by another process
	if o.Link == nil {
		return o, nil
	}
	o.Link.Run, o.Link.At = w.run, w.now()
	end := o.Link.End(w.flow.Side.Other())
	if res.Key != "" {
		end.Key = res.Key
	}
	if end.Key == "" {
		return o, lockstep.Faultf(lockstep.CodeInvariant, "the target chose a key and did not tell it").Maybe()
	}
	if t.Did == "created" || t.Did == "updated" {
		end.Version = res.Version
	}
	if t.Back {
		o.Hint = end.Key
	}
	return o, nil
}

// ended is the outcome of an operation that has failed.
func (w *worker) ended(d lockstep.Delivery, res lockstep.Result) lockstep.Outcome {
	fault := lockstep.FaultOf(fmt.Errorf("confirm: %w", res.Err))
	var t then
	_ = json.Unmarshal(d.Operation.Then, &t) // what cannot be read says nothing
	if t.Did == "deleted" && fault.Kind == lockstep.NotFound {
		if o, err := w.confirmed(d, lockstep.Result{}); err == nil {
			return o
		}
	}
	w.suspect(w.flow, fault)
	now := w.now()
	o := w.flow.react(d, fault, now)
	o.Run = w.run
	if fault.Kind != lockstep.Conflict {
		return o
	}
	// It is through, and not all that was to be sent is there: what is there now nobody knows, and it is sent again.
	o.RetryAt = now.Add(waitPause(now.Sub(d.Operation.At)))
	link := t.Link.link()
	switch {
	case t.Did == "deleted", fault.Unknown:
	case link == nil, w.flow.Back != nil, link.End(w.flow.Side.Other()).Key == "" && res.Key == "":
		o.Tried = true
	default:
		end := link.End(w.flow.Side.Other())
		if res.Key != "" {
			end.Key = res.Key
		}
		end.Digest, end.Version, link.Run, link.At = "", "", w.run, now
		o.Link, o.Unlink = link, t.Unlink.link()
	}
	return o
}
