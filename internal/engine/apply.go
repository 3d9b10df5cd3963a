package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// SavedPlan is a plan to apply: the mapping it was made with, and its items, which can be read twice.
type SavedPlan struct {
	Flow    string
	Mapping string // Mapping.Hash
	Items   func() iter.Seq2[PlanItem, error]
}

// MappingHash is what a plan of the flow goes stale by.
func (e *Engine) MappingHash(flow string) (string, error) {
	f, err := e.flow(flow)
	if err != nil {
		return "", err
	}
	return f.Mapping.Hash(), nil
}

// Apply does what a saved plan says, through delivery. First it looks at every record of the plan again; if one is
// not as it was when the plan was made, nothing is done (CodeStalePlan).
func (e *Engine) Apply(ctx context.Context, p SavedPlan, opt SyncOptions) (lockstep.Run, error) {
	f, err := e.flow(p.Flow)
	if err != nil {
		return lockstep.Run{}, err
	}
	if f.Held != nil {
		return lockstep.Run{}, f.Held
	}
	if p.Mapping != f.Mapping.Hash() {
		return lockstep.Run{}, lockstep.Faultf(lockstep.CodeStalePlan, "the mapping changed since the plan was made").On(f.about(""))
	}
	row, err := e.store.StartRun(ctx, lockstep.Run{Flow: p.Flow, Kind: lockstep.ApplyRun, State: lockstep.Running, Started: time.Now()})
	if err != nil {
		return row, err
	}
	a := &planned{plan: &plan{worker: e.worker(f, row.ID), row: row}}
	a.full = &fullRun{worker: a.worker, row: row, seen: newBitmap(nil)}
	err = a.inPages(ctx, p, a.check)
	if err == nil {
		err = a.verdict()
	}
	if err == nil {
		err = a.inPages(ctx, p, a.queue)
	}
	if err != nil {
		row.State, row.Ended, row.Fault = lockstep.Failed, time.Now(), lockstep.FaultOf(err)
		return row, errors.Join(err, e.store.SaveRun(context.WithoutCancel(ctx), row))
	}
	rows := []lockstep.Run{row}
	err = e.drain(ctx, []string{p.Flow}, rows, opt)
	return rows[0], err
}

// planned checks and queues the items of a saved plan.
type planned struct {
	*plan
	stale []string // the first few
	moved int
}

// inPages reads the plan's items a page at a time. Items that only say what would be parked are left out.
func (a *planned) inPages(ctx context.Context, p SavedPlan, do func(context.Context, []PlanItem) error) error {
	var page []PlanItem
	for it, err := range p.Items() {
		if err != nil {
			return err
		}
		if it.Action == "park" || it.Action == "wait" {
			continue
		}
		if page = append(page, it); len(page) < a.flow.Page.Rows {
			continue
		}
		if err := do(ctx, page); err != nil {
			return err
		}
		page = page[:0]
	}
	if len(page) == 0 {
		return nil
	}
	return do(ctx, page)
}

// check plans the records again and compares.
func (a *planned) check(ctx context.Context, page []PlanItem) error {
	now := map[lockstep.Key]PlanItem{}
	a.opt.Report = func(it PlanItem) error {
		now[it.Key] = it
		return nil
	}
	keys := make([]lockstep.Key, len(page))
	for i, it := range page {
		keys[i] = it.Key
	}
	if err := a.byKey(ctx, keys); err != nil {
		return err
	}
	for _, was := range page {
		is := now[was.Key]
		if is.Action == was.Action && is.Ours == was.Ours && is.Was == was.Was && is.Theirs == was.Theirs && is.Target == was.Target {
			continue
		}
		if a.moved++; len(a.stale) < 5 {
			a.stale = append(a.stale, string(was.Key))
		}
	}
	return nil
}

func (a *planned) verdict() error {
	if a.moved == 0 {
		return nil
	}
	slices.Sort(a.stale)
	return lockstep.Faultf(lockstep.CodeStalePlan, "%d records are not as they were when the plan was made, such as %v; nothing was done", a.moved, a.stale).On(a.flow.about(""))
}

// queue hands the records to delivery, which looks at both sides once more before it writes.
func (a *planned) queue(ctx context.Context, page []PlanItem) error {
	end := lockstep.PageEnd{Run: a.row}
	for _, it := range page {
		change := lockstep.Change{Record: lockstep.Record{Key: it.Key}, Hint: true}
		if it.Action == string(DeleteRecord) || it.Action == string(DisableRecord) {
			change.Op, change.Hint = lockstep.Delete, false
		}
		end.Failed = append(end.Failed, lockstep.Outcome{
			Delivery: lockstep.Delivery{Flow: a.flow.Name, Change: change}, Verdict: lockstep.Retry, RetryAt: a.now(), Tried: true, Did: "planned", Run: a.row.ID,
		})
	}
	if err := a.store.SettlePage(ctx, a.flow.Name, end); err != nil {
		return fmt.Errorf("queue the plan: %w", err)
	}
	return nil
}

// Pilot takes a few records through the whole way, and moves no checkpoint: those of the keys, or the first of the
// source.
func (e *Engine) Pilot(ctx context.Context, flow string, keys []lockstep.Key, sample int, opt SyncOptions) (lockstep.Run, error) {
	f, err := e.flow(flow)
	if err != nil {
		return lockstep.Run{}, err
	}
	if f.Held != nil {
		return lockstep.Run{}, f.Held
	}
	if err := f.canRead("a pilot"); err != nil {
		return lockstep.Run{}, err
	}
	if sample > 0 {
		more, err := e.worker(f, 0).sample(ctx, sample)
		if err != nil {
			return lockstep.Run{}, err
		}
		keys = append(slices.Clone(keys), more...)
	}
	row, err := e.store.StartRun(ctx, lockstep.Run{Flow: flow, Kind: lockstep.PilotRun, State: lockstep.Running, Started: time.Now()})
	if err != nil {
		return row, err
	}
	row.Counts.Read = int64(len(keys))
	if err := e.store.Hint(ctx, flow, keys); err != nil {
		row.State, row.Ended, row.Fault = lockstep.Failed, time.Now(), lockstep.FaultOf(err)
		return row, errors.Join(err, e.store.SaveRun(context.WithoutCancel(ctx), row))
	}
	rows := []lockstep.Run{row}
	err = e.drain(ctx, []string{flow}, rows, opt)
	return rows[0], err
}
