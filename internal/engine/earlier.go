package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// earlier finds what an earlier try of a create has left under another name: the try's outcome is unknown, and what the
// record is found by (its match fields, its key in the target) has changed in the source since. The entry has what was tried
// then, which keep saved, and what older ones were to bring. What is found there, and is nobody else's, is linked, and the next try changes it: otherwise it
// would stay, and a second one be made beside it (law 5).
func (w *worker) earlier(ctx context.Context, items []*item) (unlock func(), err error) {
	of := map[*item]*item{}
	var then []*item
	for _, it := range items {
		if !it.delivery.Tried || it.known() || it.op != lockstep.Upsert || it.theirs != nil {
			continue
		}
		for _, was := range append([]lockstep.Change{it.delivery.Change}, it.delivery.Prior...) {
			if was.Record.Fields.Len() > 0 && !was.Record.Fields.Equal(it.change.Record.Fields) {
				one := &item{change: lockstep.Change{Record: was.Record}, delivery: it.delivery, look: true}
				of[one], then = it, append(then, one)
			}
		}
	}
	if unlock = func() {}; len(then) == 0 || w.flow.Back != nil || w.flow.To.Pulled {
		return unlock, nil
	}
	if err := w.mapAll(ctx, then); err != nil {
		return unlock, err
	}
	var elsewhere []*item
	for _, one := range live(then) {
		if it := of[one]; one.op == lockstep.Upsert && (one.match != it.match || w.flow.fold(one.target) != w.flow.fold(it.target)) {
			elsewhere = append(elsewhere, one)
		}
	}
	w.lookAt(ctx, elsewhere)
	found := make([]*item, 0, len(elsewhere))
	var names []string
	var keys []lockstep.Key
	var ends []int
	for _, one := range elsewhere {
		if one.theirs != nil {
			if slices.ContainsFunc(found, func(f *item) bool { return of[f] == of[one] && f.theirs.Key == one.theirs.Key }) {
				continue // another of its tries has told of it
			}
			found, names, keys = append(found, one), append(names, w.flow.keyLock(one.theirs.Key)), append(keys, one.theirs.Key)
			ends = append(ends, len(names))
		} else if one.out != nil && one.out.Verdict != lockstep.Done && of[one].out == nil { // it could not be looked at
			of[one].out = one.out
		}
	}
	if len(found) == 0 {
		return unlock, nil
	}
	unlock = w.hold(ctx, found, names, ends, func(one *item) {
		of[one].behind = one.behind
		w.later(of[one])
	})
	owners, err := w.store.LinksTo(ctx, w.flow.Name, keys)
	if err != nil {
		return unlock, fmt.Errorf("links by target: %w", err)
	}
	for i, one := range found {
		if it := of[one]; it.out == nil && owners[i].ID == 0 {
			link := lockstep.Link{Set: w.flow.Set, Run: w.run, At: w.now()}
			link.End(w.flow.Side).Key, link.End(w.flow.Side.Other()).Key = it.key(), keys[i]
			it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: w.now(), Tried: true, Link: &link, Did: "an earlier try made it under another name"}
		}
	}
	return unlock, nil
}
