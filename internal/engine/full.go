package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// FullOptions say how a full sync goes.
type FullOptions struct {
	AllowDeletes bool // past the brake (law 9), and also after an empty read
	Deep         bool // read the target, too: finds what was edited or lost there
	Fresh        bool // do not resume an unfinished run
	Light        bool // a sweep: compare versions only, where the flow has sweeps and everything was read once
	Observe      func(Progress)
	Began        func(lockstep.Run) // called once the run has a row: it can be followed from there on
}

// began tells whoever asked that there is a run.
func (o FullOptions) began(row lockstep.Run) {
	if o.Began != nil {
		o.Began(row)
	}
}

// Progress is where a run stands now.
type Progress struct {
	Flow   string
	Kind   lockstep.RunKind
	Phase  string // "scan", "deletes", "deliver", "source", "target", "compare"
	Counts lockstep.Counts
	Total  int64 // about how many records there are to read; -1 is unknown
}

// place is how far a full run has come. It is saved as JSON in Run.Place.
type place struct {
	Phase   string       `json:"phase"` // "scan", then "deletes"
	From    string       `json:"from,omitempty"`
	After   lockstep.Key `json:"after,omitempty"` // deletes: links up to this source key are done
	MaxID   int64        `json:"max_id"`          // links above were made after the run began
	Linked  int64        `json:"linked"`          // how many there were then
	made                 // by what it compares
	Allowed bool         `json:"allowed,omitempty"`
	Deep    bool         `json:"deep,omitempty"`
	Light   bool         `json:"light,omitempty"` // versions only
	Reset   bool         `json:"reset,omitempty"` // the run makes good what its feed skipped
}

const (
	phaseScan    = "scan"
	phaseDeletes = "deletes"
	settleEvery  = 2 * time.Second // how often the place is saved while nothing differs
)

// fullRun is one full sync under way.
type fullRun struct {
	*worker
	opt   FullOptions
	row   lockstep.Run
	place place
	seen  *bitmap
	slabs chan []item   // of pages that are done
	room  chan struct{} // holds one for each page in memory
	// sighted are the chunks of seen as they were at the last page that is done, and were not saved yet.
	sighted map[int64]lockstep.Chunk
	saved   time.Time       // when the place was settled last
	sure    lockstep.Counts // as they were then
}

// Full runs or resumes a full sync of a flow: it reads the whole source, sends what differs from the links, and
// deletes what is gone. It needs no queue; only records that fail, or that somebody else has in hand, go there.
func (e *Engine) Full(ctx context.Context, flow string, opt FullOptions) (lockstep.Run, error) {
	f, err := e.flow(flow)
	if err != nil {
		return lockstep.Run{}, err
	}
	if f.Held != nil {
		return lockstep.Run{}, f.Held
	}
	if err := f.canRead("a full sync"); err != nil {
		return lockstep.Run{}, err
	}
	if opt.Deep && f.To.Pulled {
		return lockstep.Run{}, f.pulledFault("a deep full sync")
	}
	if e.opt.Ready != nil {
		if err := e.opt.Ready(ctx, flow); err != nil {
			return lockstep.Run{}, err
		}
	}
	if !f.state.full.CompareAndSwap(false, true) {
		return lockstep.Run{}, lockstep.Faultf(lockstep.CodeBusy, "a full sync of %s is under way", flow).On(f.about(""))
	}
	defer f.state.full.Store(false)
	r, err := e.openFull(ctx, f, opt)
	if err != nil {
		return lockstep.Run{}, err
	}
	opt.began(r.row)
	e.log.Info("full sync started", "flow", f.Name, "run", r.row.ID, "resumed", r.row.Counts.Read > 0)
	err = r.steps(ctx)
	return r.close(ctx, err)
}

// openFull finds the unfinished run or starts a new one.
func (e *Engine) openFull(ctx context.Context, f *Flow, opt FullOptions) (*fullRun, error) {
	if err := e.takeUp(ctx, f); err != nil {
		return nil, err
	}
	if f.delta() { // flows of one feed that begin together reset it once
		fd := e.feeds[f.Feed]
		fd.opening.Lock()
		defer fd.opening.Unlock()
	}
	lost, err := e.unfollowed(ctx, f)
	if err != nil {
		return nil, err
	}
	opt.Fresh = opt.Fresh || lost // what an unfinished run has read already may have changed since, unseen
	row, resumable, err := e.unfinished(ctx, f, opt)
	if err != nil {
		return nil, err
	}
	if resumable {
		r := &fullRun{worker: e.worker(f, row.ID), opt: opt, row: row, sure: row.Counts}
		if err := json.Unmarshal(row.Place, &r.place); err != nil {
			return nil, lockstep.NewFault(lockstep.CodePosition, fmt.Errorf("place of run %d: %w", row.ID, err)).On(f.about(""))
		}
		r.place.Allowed = r.place.Allowed || opt.AllowDeletes
		r.row.State, r.row.Fault, r.row.Ended = lockstep.Running, nil, time.Time{}
		return r, r.recover(ctx)
	}
	linked, maxID, err := e.store.CountLinks(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	light, err := e.canBeLight(ctx, f, opt)
	if err != nil {
		return nil, err
	}
	p := place{Phase: phaseScan, MaxID: maxID, Linked: linked, made: f.made(), Allowed: opt.AllowDeletes, Deep: opt.Deep, Light: light, Reset: lost}
	row, err = e.store.StartRun(ctx, lockstep.Run{Flow: f.Name, Kind: lockstep.FullRun, State: lockstep.Running, Started: time.Now(), Place: p.encode()})
	if err != nil {
		return nil, err
	}
	r := &fullRun{worker: e.worker(f, row.ID), opt: opt, row: row, place: p, seen: newBitmap(nil)}
	if lost { // the delta misses nothing from here on; the run's row is there already, so this full sync will be finished
		for _, other := range e.feeds[f.Feed].flows {
			if other != f && err == nil {
				err = e.owe(ctx, other)
			}
		}
		if err == nil {
			err = e.resetFeed(ctx, e.feeds[f.Feed])
		}
	}
	return r, err
}

// owe makes a full sync of a flow due because its feed is about to skip what was lost (law 1): the run that it leaves
// has no place to go on from, so the next full sync begins anew. A flow that never had one has it due anyway.
func (e *Engine) owe(ctx context.Context, f *Flow) error {
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 1})
	if err != nil || len(rows) == 0 {
		return err
	}
	row := rows[0]
	row.Note = "the position was lost: everything is read once"
	if (row.State == lockstep.Running || row.State == lockstep.Interrupted) && !f.state.full.Load() {
		row.State, row.Place = lockstep.Interrupted, nil
		return e.store.SaveRun(ctx, row)
	}
	now := time.Now()
	_, err = e.store.StartRun(ctx, lockstep.Run{Flow: f.Name, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: now, Ended: now, Note: row.Note})
	return err
}

// Owe makes a full sync of a flow due that reads everything from now on, also where one is under way: that may have passed
// what it is owed for. A daemon begins it within a minute, any sync at once.
func Owe(ctx context.Context, store lockstep.Runs, flow, why string) error {
	rows, err := store.Runs(ctx, lockstep.RunQuery{Flow: flow, Kind: lockstep.FullRun, Max: 1})
	if err != nil || len(rows) == 0 || rows[0].State == lockstep.Interrupted && len(rows[0].Place) == 0 {
		return err // it is due already; the first one is anyway
	}
	now := time.Now()
	_, err = store.StartRun(ctx, lockstep.Run{Flow: flow, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: now, Ended: now, Note: why})
	return err
}

// owed tells, from a flow's full runs, the newest first, whether one has to make good what its feed skipped.
func owed(rows []lockstep.Run) bool {
	for i, row := range rows {
		var p place
		switch {
		case i == 0 && leftOff(rows): // what it was to find the next one finds, too
		case i == 0 && (row.State == lockstep.Running || row.State == lockstep.Interrupted):
			return true
		case row.State == lockstep.Finished || row.State == lockstep.Stopped: // the whole source was read
			return false
		case json.Unmarshal(row.Place, &p) == nil && p.Reset:
			return true
		}
	}
	return false
}

// unfinished is the newest full run if it can be gone on with: it was cut off, or it stopped at the brake and the
// deletes are allowed now. What cannot be gone on with is closed.
func (e *Engine) unfinished(ctx context.Context, f *Flow, opt FullOptions) (lockstep.Run, bool, error) {
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 20})
	if err != nil {
		return lockstep.Run{}, false, err
	}
	var found lockstep.Run
	for i, row := range rows {
		var p place
		sound := json.Unmarshal(row.Place, &p) == nil && p.made == f.made() && p.Deep == opt.Deep && (opt.Light || !p.Light)
		switch {
		case row.State == lockstep.Finished:
			return found, found.ID != 0, nil
		case i == 0 && row.State != lockstep.Failed && !opt.Fresh && sound && (row.State != lockstep.Stopped || opt.AllowDeletes):
			found = row
			continue
		case row.State != lockstep.Failed:
			row.State, row.Note, row.Ended = lockstep.Failed, "replaced by a new run", time.Now()
		}
		if err := e.abandon(ctx, f, row); err != nil { // one that failed may have left records in flight, too (law 5)
			return lockstep.Run{}, false, err
		}
	}
	return found, found.ID != 0, nil
}

// abandon closes a run that is not gone on with. What it had in flight goes to the queue first.
func (e *Engine) abandon(ctx context.Context, f *Flow, row lockstep.Run) error {
	r := &fullRun{worker: e.worker(f, row.ID), row: row}
	_ = json.Unmarshal(row.Place, &r.place) // only what was in flight matters
	if err := r.recover(ctx); err != nil {
		return err
	}
	return e.store.SaveRun(ctx, row)
}

// recover takes up what an unfinished run left. A record in flight may have been written: it becomes an entry that
// looks before it writes, and a link where its target key is known, so that it is found even if the source record
// is gone by now (laws 5 and 9).
func (r *fullRun) recover(ctx context.Context) error {
	inFlight, seen, err := r.store.Resume(ctx, r.row.ID)
	if err != nil {
		return fmt.Errorf("resume run %d: %w", r.row.ID, err)
	}
	r.seen = newBitmap(seen)
	if len(inFlight) == 0 {
		return nil
	}
	keys := make([]lockstep.Key, len(inFlight))
	for i, in := range inFlight {
		keys[i] = in.Key
	}
	links, err := r.store.Links(ctx, r.flow.Name, keys)
	if err != nil {
		return err
	}
	end := lockstep.PageEnd{Run: r.row}
	for i, in := range inFlight {
		if links[i].Link.ID == 0 && in.Target != "" {
			link := lockstep.Link{Set: r.flow.Set, At: r.now()}
			link.End(r.flow.Side).Key, link.End(r.flow.Side.Other()).Key = in.Key, in.Target
			if r.flow.Back != nil {
				link.End(r.flow.Side.Other()).Digest, link.End(r.flow.Side).Digest = in.Digest, begun
			}
			end.Links = append(end.Links, link)
		}
		change := lockstep.Change{Record: lockstep.Record{Key: in.Key, Fields: in.Image}, Hint: true}
		end.Failed = append(end.Failed, lockstep.Outcome{
			Delivery: lockstep.Delivery{Flow: r.flow.Name, Change: change},
			Verdict:  lockstep.Retry, RetryAt: r.now(), Tried: true, Did: "in flight when the run was cut off", Run: r.row.ID,
		})
	}
	return r.store.SettlePage(ctx, r.flow.Name, end)
}

// steps takes the run to its end, over pauses while a system is away.
func (r *fullRun) steps(ctx context.Context) error {
	for failures, furthest := 0, r.row.Counts.Read; ; {
		err := r.phase(ctx)
		if err == nil {
			return nil
		}
		fault := lockstep.FaultOf(err)
		if r.row.Counts.Read > furthest { // what is read again is no progress
			failures, furthest = 0, r.row.Counts.Read
		}
		failures++
		retryable := fault.Kind == lockstep.Unavailable || fault.Kind == lockstep.Throttled || fault.Kind == lockstep.Transient
		if ctx.Err() != nil || !retryable || failures >= r.flow.Retry.Attempts {
			return err
		}
		pause := max(fault.Wait, r.flow.Retry.pause(failures-1))
		r.log.Warn("full sync pauses", "flow", r.flow.Name, "run", r.row.ID, "err", err, "pause", pause)
		if sleep(ctx, pause) != nil {
			return err
		}
		if again := r.reload(ctx); again != nil {
			return errors.Join(err, again)
		}
	}
}

// reload goes on from where the store says the run is, as the next process would: what was begun and not settled may
// have been written, and pages whose place was not saved yet are read again.
func (r *fullRun) reload(ctx context.Context) error {
	rows, err := r.store.Runs(ctx, lockstep.RunQuery{ID: r.row.ID})
	if err != nil || len(rows) == 0 {
		return err
	}
	allowed := r.place.Allowed
	r.row, r.place, r.sure = rows[0], place{}, rows[0].Counts
	if err := json.Unmarshal(r.row.Place, &r.place); err != nil {
		return lockstep.NewFault(lockstep.CodePosition, fmt.Errorf("place of run %d: %w", r.row.ID, err)).On(r.flow.about(""))
	}
	r.place.Allowed = r.place.Allowed || allowed
	return r.recover(ctx)
}

func (r *fullRun) phase(ctx context.Context) error {
	if r.place.Phase == phaseScan {
		if err := r.scan(ctx); err != nil {
			return err
		}
	}
	if err := r.deletes(ctx); err != nil {
		return err
	}
	return r.lookAtParked(ctx)
}

// close ends the run's row as err says. Its place stays the one that was settled last: what was seen behind it is not
// saved, and a page that could not be settled is read again.
func (r *fullRun) close(ctx context.Context, err error) (lockstep.Run, error) {
	ctx = context.WithoutCancel(ctx)
	fault := lockstep.FaultOf(err)
	switch {
	case err == nil:
		r.row.State = lockstep.Finished
		r.sure = r.row.Counts
		r.flow.state.recovered()
	case fault.Code == lockstep.CodeDeleteBrake || fault.Code == lockstep.CodeShortRead:
		r.row.State = lockstep.Stopped
	case fault.Kind == lockstep.Invalid || fault.Kind.StopsFlow():
		r.row.State = lockstep.Failed
	default:
		r.row.State = lockstep.Interrupted
	}
	r.suspect(r.flow, fault)
	r.row.Ended, r.row.Fault = time.Now(), fault
	if errors.Is(err, context.Canceled) {
		r.row.Fault = nil
	}
	r.row.Counts = r.sure
	if saveErr := r.store.SaveRun(ctx, r.row); saveErr != nil && err == nil {
		err = saveErr
	}
	r.log.Info("full sync ended", "flow", r.flow.Name, "run", r.row.ID, "state", string(r.row.State), "read", r.row.Counts.Read,
		"created", r.row.Counts.Created, "updated", r.row.Counts.Updated, "failed", r.row.Counts.Failed)
	return r.row, err
}

func (p place) encode() lockstep.Position {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return b
}

func (r *fullRun) observe() {
	if r.opt.Observe != nil {
		r.opt.Observe(Progress{Flow: r.flow.Name, Kind: lockstep.FullRun, Phase: r.place.Phase, Counts: r.row.Counts, Total: r.flow.From.About})
	}
}
