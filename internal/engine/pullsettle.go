package engine

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
)

// PullStatus is what a puller says of a record.
type PullStatus string

// What a puller can say.
const (
	PullDone   PullStatus = "done"
	PullRetry  PullStatus = "retry"
	PullFailed PullStatus = "failed" // it cannot take the record: a person must look
	PullGone   PullStatus = "gone"   // there is no such record, to delete or to change
)

// PullResult settles one record of a lease.
type PullResult struct {
	ID         string
	Status     PullStatus
	Key        lockstep.Key // with PullDone: the one that the target chose
	Version    string
	Error      string        // the puller's words
	RetryAfter time.Duration // with PullRetry
}

// PullRefusal is a result that could not be taken: its record stays leased.
type PullRefusal struct {
	ID    string
	Fault *lockstep.Fault
}

// PullSettled is what came of settling.
type PullSettled struct {
	Settled  int
	Repeated int // were settled before
	Left     int // still leased
	Refused  []PullRefusal
}

const (
	mostWords    = 1000 // of a puller's words that are kept
	mostKeyBytes = 1024
	mostEnded    = 4096 // leases that are remembered when they are over
)

// SettlePull takes a puller's word for records of its lease. It is durable when it returns; what is not named stays
// leased. A lease that is not known is a fault of CodeGone, one that ended at its time is one of CodeLease.
func (e *Engine) SettlePull(ctx context.Context, flow, lease string, results []PullResult) (PullSettled, error) {
	f, err := e.pulledFlow(flow)
	if err != nil {
		return PullSettled{}, err
	}
	ctx, leave, err := f.pulls.enter(ctx)
	if err != nil {
		return PullSettled{}, err
	}
	defer leave()
	l, whole, err := f.pulls.find(lease)
	if err != nil {
		return PullSettled{}, lockstep.FaultOf(err).On(f.about(""))
	}
	if whole {
		return PullSettled{Repeated: len(results)}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().After(l.until) {
		return PullSettled{}, endedFault().On(f.about(""))
	}
	w := &worker{Engine: e, flow: f, run: f.pulls.run, refers: f.Mapping.Refers()}
	return w.settlePull(context.WithoutCancel(ctx), l, results)
}

func endedFault() *lockstep.Fault {
	return lockstep.Faultf(lockstep.CodeLease, "the time of this lease is over: what was not settled comes again")
}

// find is a lease that is open; whole tells that all of it was settled.
func (p *pulls) find(id string) (l *pull, whole bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.leases[id]; l != nil {
		return l, false, nil
	}
	whole, known := p.ended[id]
	switch {
	case whole:
		return nil, true, nil
	case known:
		return nil, false, endedFault()
	}
	fault := lockstep.Faultf(lockstep.CodeGone, "there is no such lease")
	fault.Next = lockstep.CodeLease.Info().Next
	return nil, false, fault
}

// over forgets a lease but for its end.
func (p *pulls) over(l *pull, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.leases, l.id)
	p.ended[l.id] = whole
	if p.order = append(p.order, l.id); len(p.order) > mostEnded {
		delete(p.ended, p.order[0])
		p.order = p.order[1:]
	}
}

// settlePull does so for a lease that the caller has locked.
func (w *worker) settlePull(ctx context.Context, l *pull, results []PullResult) (PullSettled, error) {
	var out PullSettled
	var taken []PullResult
	named := map[string]bool{}
	for _, r := range results {
		h, known := l.held[r.ID]
		switch {
		case !known:
			out.refuse(r.ID, lockstep.Faultf(lockstep.CodeLease, "no record of this lease has this id"))
		case h == nil || named[r.ID]:
			out.Repeated++
		default:
			if fault := w.checkResult(h.it, &r); fault != nil {
				out.refuse(r.ID, fault)
				continue
			}
			named[r.ID] = true
			taken = append(taken, r)
		}
	}
	claimed, free, err := w.claimKeys(ctx, l, taken)
	defer free()
	if err != nil {
		return PullSettled{}, err
	}
	var outcomes []lockstep.Outcome
	var done []string
	for _, r := range taken {
		it := l.held[r.ID].it
		switch owner, is := claimed[r.ID]; {
		case is && owner == "":
			out.refuse(r.ID, lockstep.Faultf(lockstep.CodeBusy, "another record is being written under this key: settle again"))
			continue
		case is:
			w.claimed(it, r.Key, owner)
		default:
			w.said(it, r)
		}
		it.out.Run = w.run
		w.declare(it)
		outcomes, done = append(outcomes, *it.out), append(done, r.ID)
	}
	if len(outcomes) > 0 {
		if err := w.settleOutcomes(ctx, outcomes); err != nil {
			for _, id := range done {
				l.held[id].it.out = nil // it can be settled again
			}
			return PullSettled{}, err
		}
	}
	for _, id := range done {
		l.held[id].unlock()
		l.held[id] = nil
	}
	l.left -= len(done)
	if out.Settled, out.Left = len(done), l.left; l.left == 0 {
		w.flow.pulls.over(l, true)
	}
	return out, nil
}

func (s *PullSettled) refuse(id string, fault *lockstep.Fault) {
	s.Refused = append(s.Refused, PullRefusal{id, fault})
}

// checkResult refuses a result that cannot be taken.
func (w *worker) checkResult(it *item, r *PullResult) *lockstep.Fault {
	switch r.Status {
	case PullDone:
	case PullRetry, PullFailed, PullGone:
		r.Key = ""
		return nil
	default:
		return lockstep.Faultf(lockstep.CodeUsage, "the status is one of done, retry, failed and gone")
	}
	if len(r.Version) > mostKeyBytes || len(r.Key) > mostKeyBytes || !utf8.ValidString(r.Version) || !utf8.ValidString(string(r.Key)) {
		return lockstep.Faultf(lockstep.CodeKey, "a key or a version is no text of at most %d bytes", mostKeyBytes)
	}
	if it.op == lockstep.Delete {
		r.Key = ""
		return nil
	}
	expected := it.target
	if to, moved := w.moved(it); moved {
		expected = to
	}
	switch {
	case r.Key == "" && expected == "":
		return lockstep.Faultf(lockstep.CodeKey, "the target chooses the keys of this stream: settle with the key that it gave")
	case r.Key == "" || r.Key == expected:
		r.Key = ""
		return nil
	case expected != "":
		return lockstep.Faultf(lockstep.CodeKey, "the record has a key: it is not the target's to choose another")
	}
	parts, err := r.Key.Parts(len(w.flow.To.Key))
	if err != nil {
		return lockstep.FaultOf(err)
	}
	for i, name := range w.flow.To.Key {
		field := w.flow.To.Field(name)
		if field == nil {
			continue
		}
		v, ok := keyValue(field.Type.Kind, parts[i])
		if text, is := v.KeyText(); ok && (!is || text != parts[i]) {
			ok = false
		}
		if !ok || parts[i] == "" {
			return lockstep.Faultf(lockstep.CodeKey, "the key is not what the type of %q writes", name)
		}
	}
	return nil
}

// claimKeys finds out which of the keys that the target chose belong to another source record (law 3): claimed holds
// its key, or "" where somebody writes under that key just now.
func (w *worker) claimKeys(ctx context.Context, l *pull, results []PullResult) (claimed map[string]lockstep.Key, free func(), err error) {
	claimed, free = map[string]lockstep.Key{}, func() {}
	var asked []PullResult
	var keys []lockstep.Key
	var names []string
	for _, r := range results {
		if r.Key != "" {
			asked, keys = append(asked, r), append(keys, r.Key)
			names = append(names, w.flow.keyLock(r.Key))
		}
	}
	if len(asked) == 0 {
		return claimed, free, nil
	}
	got := w.locks.try(names)
	free = func() { w.locks.free(names, got) }
	owners, err := w.store.LinksTo(ctx, w.flow.Name, keys)
	if err != nil {
		return nil, free, err
	}
	for i, r := range asked {
		owner := owners[i].End(w.flow.Side).Key
		switch {
		case owners[i].ID != 0 && owner != l.held[r.ID].it.key():
			claimed[r.ID] = owner
		case !got[i]:
			claimed[r.ID] = ""
		}
	}
	return claimed, free, nil
}

// said closes an item as its puller says.
func (w *worker) said(it *item, r PullResult) {
	switch r.Status {
	case PullDone:
		w.answer(it, lockstep.Result{Key: r.Key, Version: r.Version})
	case PullGone:
		w.saidGone(it)
	case PullFailed:
		w.fail(it, lockstep.NewFault(lockstep.CodePullFailed, words(r.Error)))
	case PullRetry:
		fault := lockstep.NewFault(lockstep.CodePullRetry, words(r.Error))
		if r.RetryAfter > 0 { // as told, and that costs no attempt
			fault.Kind, fault.Wait = lockstep.Throttled, min(r.RetryAfter, 24*time.Hour)
		}
		w.fail(it, fault)
		it.out.Tried = true
	}
}

// saidGone closes an item whose record the target does not have. What it was to change is made anew.
func (w *worker) saidGone(it *item) {
	switch {
	case it.op == lockstep.Delete:
		it.done("deleted")
		it.out.Unlink = unlinkOf(it)
	case it.known():
		it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: w.now(), Tried: true, Unlink: unlinkOf(it), Did: "the target's record is gone: it is made anew"}
	default:
		w.fail(it, lockstep.Faultf(lockstep.CodePullFailed, "the target says that a record is gone which it was to create"))
	}
}

// words are a puller's own, as far as they are kept.
func words(text string) error {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "") + "…"
	}
	return errors.New(cmp.Or(text, "no reason was given"))
}

// pullLoop opens the flow for pullers, ends leases whose time is over, and all of them when ctx ends.
func (e *Engine) pullLoop(ctx context.Context, f *Flow, run int64) {
	p := &f.pulls
	p.mu.Lock()
	p.ctx, p.run, p.leases, p.ended, p.order, p.changed, p.idle = ctx, run, map[string]*pull{}, map[string]bool{}, nil, make(chan struct{}, 1), nil
	p.mu.Unlock()
	w := &worker{Engine: e, flow: f, run: run}
	for ctx.Err() == nil {
		next := time.Now().Add(time.Minute)
		for _, l := range p.all() {
			if time.Now().Before(l.until) {
				if l.until.Before(next) {
					next = l.until
				}
			} else if err := w.endPull(ctx, l, true); err != nil {
				e.log.Warn("ending a lease", "flow", f.Name, "err", err)
				next = time.Now().Add(time.Second)
			}
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
		case <-p.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
	p.close()
	for _, l := range p.all() {
		if err := w.endPull(ctx, l, false); err != nil {
			e.log.Warn("ending a lease", "flow", f.Name, "err", err)
		}
	}
}

// close lets nobody in any more, and waits for those who are.
func (p *pulls) close() {
	p.mu.Lock()
	p.ctx = nil
	p.mu.Unlock()
	p.busy.Wait()
}

func (p *pulls) all() []*pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*pull, 0, len(p.leases))
	for _, l := range p.leases {
		out = append(out, l)
	}
	return out
}

// endPull ends a lease with what is left of it unknown (law 5): it will be handed out again. late: its puller did not
// settle in time, which counts as an attempt.
func (w *worker) endPull(ctx context.Context, l *pull, late bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var outcomes []lockstep.Outcome
	for _, h := range l.held {
		if h == nil {
			continue
		}
		if late {
			w.fail(h.it, lockstep.Faultf(lockstep.CodeUnsettled, "it was handed out and not settled in time").Maybe())
		} else {
			h.it.out = &lockstep.Outcome{Delivery: h.it.lease(), Verdict: lockstep.Retry, RetryAt: w.now(), Tried: true, Did: "handed out when lockstep stopped"}
		}
		h.it.out.Run = w.run
		outcomes = append(outcomes, *h.it.out)
	}
	if len(outcomes) == 0 {
		return nil // it was settled just now
	}
	if err := w.settleOutcomes(context.WithoutCancel(ctx), outcomes); err != nil {
		return err
	}
	for id, h := range l.held {
		if h != nil {
			h.unlock()
			l.held[id] = nil
		}
	}
	w.flow.pulls.over(l, false)
	return nil
}
