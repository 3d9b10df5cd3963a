package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// A target that pulls is not written to. Whoever speaks for it asks for records, gets them as a lease with a time, and
// settles each. Nothing is leased from the store before somebody asks, so nothing goes stale in memory; what was handed
// out stays locked until it is settled or its time is over (law 3). There is no way to look into such a target after an
// unknown outcome (law 5): the record is handed out again, with the same id as long as it says the same, and the other
// side must take that as one write (docs/adr/20261124-pull.md).

// Ask is what a puller asks for.
type Ask struct {
	Max  int           // most records
	TTL  time.Duration // how long it holds them
	Wait time.Duration // how long to wait where there are none
}

// Handed is a batch of writes that a puller holds.
type Handed struct {
	Lease  string // "" where there are none
	Until  time.Time
	Writes []HandedWrite
}

// HandedWrite is one of them, with the key of the source's record that it comes of.
type HandedWrite struct {
	lockstep.Write
	Source lockstep.Key
}

const (
	// mostLeases is how many leases of a flow may be open at a time (law 11).
	mostLeases = 64
	// mostHanded is how many records, and mostHandedBytes about how many bytes of them, are in one.
	mostHanded      = 1000
	mostHandedBytes = 16 << 20
	// pullMargin is how much longer than the puller the store waits: its own end of a lease would fence ours off.
	pullMargin = 10 * time.Minute
)

// pulls is what pullers of a flow hold.
type pulls struct {
	mu      sync.Mutex
	ctx     context.Context // ends with the flow's run; nil while it is not carried
	run     int64
	busy    sync.WaitGroup // of those that take or settle now
	leases  map[string]*pull
	ended   map[string]bool // leases that are over; true: all was settled
	order   []string        // of ended, oldest first
	changed chan struct{}
	idle    []*worker
	waiting map[lockstep.Key]struct{}
}

// pull is one lease.
type pull struct {
	id    string
	until time.Time

	mu   sync.Mutex
	held map[string]*heldItem // by the write's ID; nil once it is settled
	left int
	// byKey are the write IDs by the source's key. It does not change.
	byKey map[lockstep.Key]string
}

type heldItem struct {
	it     *item
	unlock func()
}

// Pull hands out what is ready for a flow's target, and waits a while where there is nothing.
func (e *Engine) Pull(ctx context.Context, flow string, ask Ask) (Handed, error) {
	f, err := e.pulledFlow(flow)
	if err != nil {
		return Handed{}, err
	}
	ctx, leave, err := f.pulls.enter(ctx)
	if err != nil {
		return Handed{}, err
	}
	defer leave()
	deadline := time.Now().Add(ask.Wait)
	for {
		wait := f.closedFor(time.Now())
		if stopped := f.state.fault(); stopped != nil {
			return Handed{}, stopped
		}
		if wait == 0 {
			handed, leased, err := e.take(ctx, f, ask)
			if err != nil || len(handed.Writes) > 0 {
				return handed, err
			}
			if leased { // all of it was level, or had to be put off
				continue
			}
		}
		left := time.Until(deadline)
		if left <= 0 || ctx.Err() != nil {
			return Handed{}, ctx.Err()
		}
		if wait > 0 {
			_ = sleep(ctx, min(wait, left))
			continue
		}
		until, cancel := context.WithTimeout(ctx, left)
		_ = e.store.Wait(until, f.Name)
		cancel()
	}
}

// pulledFlow is a flow whose target pulls, and that may be delivered.
func (e *Engine) pulledFlow(name string) (*Flow, error) {
	f, err := e.flow(name)
	switch {
	case err != nil:
		return nil, err
	case !f.To.Pulled:
		fault := lockstep.Faultf(lockstep.CodeCannot, "the flow writes to %s itself: there is nothing to pull", f.TargetSystem)
		fault.Next = "Pull from flows whose target is a system of `type: api`."
		return nil, fault.On(f.about(""))
	case f.Held != nil:
		return nil, f.Held
	}
	return f, nil
}

// pulledFault refuses what needs to look into a target that pulls.
func (f *Flow) pulledFault(what string) error {
	fault := lockstep.Faultf(lockstep.CodeCannot, "%s reads the target, and %s cannot be read: it pulls its records itself", what, f.TargetSystem)
	fault.Next = "Run a full sync: it hands out what differs from what was settled last."
	return fault.On(f.about(""))
}

// workers is how many goroutines deliver the flow.
func (f *Flow) workers() int {
	if f.To.Pulled {
		return 0
	}
	return max(1, f.Concurrency)
}

// enter lets a puller in while the flow is carried. ctx ends with that, too.
func (p *pulls) enter(ctx context.Context) (context.Context, func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil {
		return nil, nil, lockstep.Faultf(lockstep.CodeUnavailable, "the flow is not carried now")
	}
	p.busy.Add(1)
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ctx, cancel)
	return both, func() { stop(); cancel(); p.busy.Done() }, nil
}

// take leases from the store what somebody asks for now, and hands it out. leased tells whether there was anything.
func (e *Engine) take(ctx context.Context, f *Flow, ask Ask) (handed Handed, leased bool, err error) {
	p := &f.pulls
	if p.full() {
		return Handed{}, false, lockstep.Faultf(lockstep.CodeBusy, "%d leases of the flow are open", mostLeases).On(f.about(""))
	}
	w := p.worker(e, f)
	defer p.giveBack(w)
	most := min(max(1, ask.Max), mostHanded)
	if f.Rate != nil {
		most = min(most, f.Rate.Burst())
	}
	batch, err := e.store.Lease(ctx, f.Name, most, ask.TTL+pullMargin)
	if err != nil || len(batch) == 0 {
		return Handed{}, false, err
	}
	p.leased(batch)
	items := make([]*item, len(batch))
	for i, d := range batch {
		items[i] = newItem(d)
	}
	for _, it := range items[lot(batch, most):] {
		putBack(it)
	}
	free := map[*item]func(){}
	err = w.preparePull(context.WithoutCancel(ctx), live(items), free)
	if err != nil { // the store: nothing was handed out
		fault := *lockstep.FaultOf(err)
		fault.Unknown = false
		for _, it := range live(items) {
			w.fail(it, &fault)
		}
	}
	if n := len(live(items)); n > 0 && (f.Rate != nil && f.Rate.WaitN(ctx, n) != nil || ctx.Err() != nil) {
		for _, it := range live(items) { // whoever asked is gone
			putBack(it)
		}
	}
	handed, err = w.handOut(context.WithoutCancel(ctx), items, free, ask.TTL)
	return handed, true, err
}

// preparePull takes items through all stages up to the write. free gives back the locks of each.
func (w *worker) preparePull(ctx context.Context, items []*item, free map[*item]func()) error {
	if err := w.mark(ctx, items); err != nil {
		return err
	}
	_, err := w.prepareLeased(ctx, items, func(ctx context.Context, items []*item, taken func(*item)) func() {
		for _, it := range items {
			free[it] = w.lock(ctx, []*item{it}, taken)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.compare(live(items))
	if err := w.claim(ctx, live(items)); err != nil {
		return err
	}
	size := 0
	for i, it := range live(items) {
		if it.op == lockstep.Delete && w.flow.OnDelete == IgnoreDelete {
			w.left(it, "ignored")
		} else if size += it.image.Size(); size > mostHandedBytes && i > 0 {
			putBack(it)
		}
	}
	if w.flow.To.ServerKeys { // a delete after an unsettled create says whose it was; there is no key to be told from an image
		return nil
	}
	return w.keep(ctx, live(items))
}

// handOut settles what a stage has closed, and makes a lease of the rest.
func (w *worker) handOut(ctx context.Context, items []*item, free map[*item]func(), ttl time.Duration) (Handed, error) {
	var outcomes []lockstep.Outcome
	closed := make([]*item, 0, len(items))
	l := &pull{id: rand.Text(), until: time.Now().Add(ttl), held: map[string]*heldItem{}, byKey: map[lockstep.Key]string{}}
	handed := Handed{Lease: l.id, Until: l.until}
	w.awaits(ctx, items)
	for _, it := range items {
		unlock := free[it]
		if unlock == nil {
			unlock = func() {}
		}
		if it.out != nil {
			closed = append(closed, it)
			it.out.Run = w.run
			w.declare(it)
			outcomes = append(outcomes, *it.out)
			defer unlock()
			continue
		}
		wr := w.toWrite(it)
		wr.ID = w.pullID(it, wr)
		l.held[wr.ID], l.byKey[it.key()] = &heldItem{it, unlock}, wr.ID
		handed.Writes = append(handed.Writes, HandedWrite{wr, it.key()})
	}
	if l.left = len(l.held); l.left > 0 {
		w.flow.pulls.add(l)
	} else {
		handed = Handed{}
	}
	if len(closed) == 0 {
		return handed, nil
	}
	fault := worst(closed)
	defer w.breakRings(ctx, closed)
	if err := w.settleOutcomes(ctx, outcomes); err != nil {
		if l.left == 0 {
			return Handed{}, err
		}
		w.log.Warn("settling what is not handed out", "flow", w.flow.Name, "err", err) // its leases run out
	}
	if fault != nil {
		w.deliverFailed(w.flow, fault)
	}
	return handed, nil
}

// settleOutcomes settles, and counts what it came to.
func (w *worker) settleOutcomes(ctx context.Context, outcomes []lockstep.Outcome) error {
	if err := w.store.Settle(ctx, outcomes...); err != nil {
		return err
	}
	w.flow.state.count(outcomes)
	w.flow.pulls.hinted(outcomes)
	for i := range outcomes {
		if outcomes[i].Link != nil && outcomes[i].Unlink != nil {
			w.flow.state.moves.Add(1)
		}
	}
	return nil
}

// pullID names what is handed out: the same as long as the entry and what is written are the same. It must not stay the
// same when the content changes: a hint is read anew each time, and a puller that knows the id takes it as done.
func (w *worker) pullID(it *item, wr lockstep.Write) string {
	h := sha256.New()
	var buf []byte
	for _, text := range []string{w.flow.Name, string(it.key()), string(wr.Key), string(it.digest), wr.Op.String()} {
		buf = binary.AppendUvarint(buf, uint64(len(text)))
		buf = append(buf, text...)
	}
	buf = binary.AppendVarint(buf, it.delivery.ID)
	buf = binary.AppendVarint(buf, it.delivery.Generation)
	h.Write(buf)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// lot is how many of a batch are handed out together. What was handed out before and not settled goes with fewer and
// fewer neighbours: a record that its puller cannot survive is alone before it is parked (law 4).
func lot(batch []lockstep.Delivery, most int) int {
	for i, d := range batch {
		if d.Attempts > 0 {
			most = min(most, max(1, most>>min(d.Attempts, 30)))
		}
		if i >= most {
			return i
		}
	}
	return len(batch)
}

// putBack closes an item that is not handed out after all.
func putBack(it *item) {
	it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: time.Now(), Tried: it.delivery.Tried, Did: "not handed out"}
}

// full tells whether no more leases may be open.
func (p *pulls) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.leases) >= mostLeases
}

func (p *pulls) add(l *pull) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leases[l.id] = l
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// worker is one that is idle, or a new one.
func (p *pulls) worker(e *Engine, f *Flow) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return w
	}
	return e.worker(f, p.run)
}

func (p *pulls) giveBack(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < 4 {
		p.idle = append(p.idle, w)
	}
}
