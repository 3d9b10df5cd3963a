package engine

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lockstep-sync/lockstep"
)

// write sends what the items come to and closes each with its answer.
func (w *worker) write(ctx context.Context, items []*item) {
	sent := make([]*item, 0, len(items))
	writes := make([]lockstep.Write, 0, len(items))
	for _, it := range items {
		if it.op == lockstep.Delete && w.flow.OnDelete == IgnoreDelete {
			w.left(it, "ignored")
			continue
		}
		sent, writes = append(sent, it), append(writes, w.toWrite(it))
	}
	for i, res := range w.applyAll(ctx, writes) {
		w.answer(sent[i], res)
	}
	w.predict(ctx, items)
}

func (w *worker) toWrite(it *item) lockstep.Write {
	wr := lockstep.Write{ID: w.flow.Name + "/" + string(it.key()) + "/" + strconv.FormatInt(it.delivery.Generation, 10), Op: it.op, Key: it.target, Fields: it.image, Transfer: w.flow.Transfer}
	if it.face != nil && it.theirs != nil && w.flow.versioned() {
		wr.IfVersion = it.theirs.Version // an edit since the look is not written over
	}
	if it.op == lockstep.Delete {
		wr.Fields = w.flow.Disable // empty unless the flow disables
		if w.flow.OnDelete == DisableRecord {
			wr.Op = lockstep.Upsert
		}
	}
	return wr
}

// applyAll applies in batches the target can take.
func (w *worker) applyAll(ctx context.Context, writes []lockstep.Write) []lockstep.Result {
	results := make([]lockstep.Result, 0, len(writes))
	for len(writes) > 0 {
		n := len(writes)
		if most := w.flow.To.MaxBatch; most > 0 {
			n = min(n, most)
		}
		if lim := w.flow.Rate; lim != nil {
			n = min(n, lim.Burst())
			if err := lim.WaitN(ctx, n); err != nil {
				return append(results, same(err, len(writes))...)
			}
		}
		results = append(results, w.applyHalves(ctx, writes[:n])...)
		writes = writes[n:]
	}
	return results
}

// applyHalves applies a batch. Where the target refuses it as a whole for what may be one record's fault, halves
// are tried until the bad record stands alone (law 4).
func (w *worker) applyHalves(ctx context.Context, writes []lockstep.Write) []lockstep.Result {
	results, err := w.flow.Target.Apply(ctx, w.flow.To.Name, writes)
	if err == nil && len(results) != len(writes) {
		err = lockstep.Faultf(lockstep.CodeInvariant, "the connector answered %d writes with %d results", len(writes), len(results)).Maybe()
	}
	if err == nil {
		return results
	}
	if fault := lockstep.FaultOf(err); len(writes) == 1 || !perRecord(fault) {
		return same(err, len(writes))
	}
	half := len(writes) / 2
	results = w.applyHalves(ctx, writes[:half])
	if last := results[half-1].Err; last != nil && !perRecord(lockstep.FaultOf(last)) {
		return append(results, untried(last, len(writes)-half)...)
	}
	return append(results, w.applyHalves(ctx, writes[half:])...)
}

func same(err error, n int) []lockstep.Result {
	results := make([]lockstep.Result, n)
	for i := range results {
		results[i].Err = err
	}
	return results
}

// untried is the answer to writes that were not sent because the system failed just before.
func untried(err error, n int) []lockstep.Result {
	fault := *lockstep.FaultOf(err)
	fault.Unknown = false
	return same(&fault, n)
}

// answer closes an item with the target's answer.
func (w *worker) answer(it *item, res lockstep.Result) {
	if res.Err != nil {
		w.refused(it, res.Err)
		return
	}
	if res.Receipt != "" {
		if !w.flow.confirms() {
			w.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "the target does the write later, and cannot be asked about it").Maybe())
			return
		}
		w.accepted(it, res.Receipt)
		defer w.holdsTarget(it)
	}
	if it.op == lockstep.Delete {
		if w.flow.OnDelete == DisableRecord {
			w.left(it, "disabled")
			return
		}
		it.done("deleted")
		it.out.Unlink = unlinkOf(it)
		return
	}
	did := "updated"
	if it.theirs == nil && (it.looked || !it.known()) {
		did = "created"
	}
	if res.Key != "" {
		it.target = res.Key
	} else if to, moved := w.moved(it); moved {
		it.target = to
	}
	if it.target == "" && it.receipt == "" {
		w.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "the target chose a key and did not tell it").Maybe())
		return
	}
	w.level(it, did, res.Version)
	if res.Note != "" {
		it.out.Note = res.Note
	}
}

// refused closes an item whose write failed. A missing record is what a delete wants.
func (w *worker) refused(it *item, err error) {
	if it.op == lockstep.Delete && lockstep.KindOf(err) == lockstep.NotFound {
		it.done("deleted")
		it.out.Unlink = unlinkOf(it)
		return
	}
	w.fail(it, fmt.Errorf("apply: %w", err))
}
