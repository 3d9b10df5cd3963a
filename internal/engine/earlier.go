package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// earlier finds what an earlier try of a create has left under another name: the try's outcome is unknown, and what the
// record is found by (its match fields, its key in the target) has changed in the source since. The entry has what was tried
// then, which keep saved, and what older ones were to bring. What is found there, and is nobody else's, is linked, and the
// next try changes or deletes it: otherwise it would stay, beside a second one or for ever (law 5).
func (w *worker) earlier(ctx context.Context, items []*item) (unlock func(), err error) {
	unlock, err = w.lookEarlier(ctx, items)
	for _, it := range live(items) {
		if it.absent != "" && err == nil { // a delete of what is not there, whatever its name was
			it.done(it.absent)
		}
	}
	return unlock, err
}

// others are what the item's record may have been made as, beside what it is now.
func (it *item) others() (out []lockstep.Record) {
	if !it.delivery.Tried || it.known() {
		return nil
	}
	for _, was := range append([]lockstep.Change{it.delivery.Change}, it.delivery.Prior...) {
		if was.Record.Fields.Len() > 0 && !was.Record.Fields.Equal(it.change.Record.Fields) {
			out = append(out, was.Record)
		}
	}
	return out
}

// neverSent tells whether all that the item's record may have been made as is something else than it is now.
func (it *item) neverSent() bool {
	return len(it.delivery.Prior) > 0 && !slices.ContainsFunc(it.delivery.Prior, func(c lockstep.Change) bool {
		return c.Record.Fields.Equal(it.change.Record.Fields)
	})
}

// nothingThere closes a delete that finds nothing of its own, unless its record may have been made under another name:
// then it stays open for earlier.
func (w *worker) nothingThere(it *item, did string) {
	if it.theirs = nil; w.flow.Back != nil || w.flow.To.Pulled || len(it.others()) == 0 {
		it.done(did)
		it.out.Unlink = unlinkOf(it)
		return
	}
	it.absent = did
}

func (w *worker) lookEarlier(ctx context.Context, items []*item) (unlock func(), err error) {
	of := map[*item]*item{}
	var then []*item
	for _, it := range items {
		if it.theirs != nil || it.op == lockstep.Delete && it.absent == "" {
			continue
		}
		for _, was := range it.others() {
			one := &item{change: lockstep.Change{Record: was}, delivery: it.delivery, look: true}
			of[one], then = it, append(then, one)
		}
	}
	if unlock = func() {}; len(then) == 0 || w.flow.Back != nil || w.flow.To.Pulled {
		return unlock, nil
	}
	if err := w.mapAll(ctx, then); err != nil {
		return unlock, err
	}
	for _, one := range then {
		if it := of[one]; it.op == lockstep.Delete && it.out == nil && one.out != nil && one.out.Did != "filtered" { // nobody can look for it
			w.blindFault(it)
		}
	}
	var elsewhere []*item
	for _, one := range live(then) {
		if it := of[one]; one.op == lockstep.Upsert && it.out == nil && (one.match != it.match || w.flow.fold(one.target) != w.flow.fold(it.target)) {
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
			it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: w.now(), Link: &link, Did: "an earlier try made it under another name"}
		}
	}
	return unlock, nil
}
