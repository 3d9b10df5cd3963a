package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// mostHops bounds how far a chain of records that wait for each other is followed.
const mostHops = 64

// chain is what a record waits for, what that waits for, and so on.
type chain struct {
	refs    []lockstep.Ref    // from the record itself on
	entries []*lockstep.Entry // of refs; nil for the first, and where there is none
	ring    bool              // the last waits for the first
}

// follow follows chains, all at once: one look into the queue of each flow for every hop. before tells what records wait
// for whose outcome is not settled yet.
func (w *worker) follow(ctx context.Context, starts []lockstep.Ref, waits map[lockstep.Ref]lockstep.Ref, before map[lockstep.Ref]lockstep.Ref) (map[lockstep.Ref]*chain, error) {
	out := make(map[lockstep.Ref]*chain, len(starts))
	at := map[lockstep.Ref]lockstep.Ref{} // by start
	for _, start := range starts {
		out[start] = &chain{refs: []lockstep.Ref{start}, entries: []*lockstep.Entry{nil}}
		at[start] = waits[start]
	}
	for hop := 0; hop < mostHops && len(at) > 0; hop++ {
		entries, err := w.openOf(ctx, at)
		if err != nil {
			return nil, err
		}
		for start, ref := range at {
			c := out[start]
			if ref == start {
				c.ring = true
				delete(at, start)
				continue
			}
			if slices.Contains(c.refs, ref) { // it leads into a ring that others are in
				delete(at, start)
				continue
			}
			c.refs, c.entries = append(c.refs, ref), append(c.entries, entries[ref])
			if next, is := before[ref]; is {
				at[start] = next
			} else if e := entries[ref]; e != nil && e.For != nil && (e.State == lockstep.Waits || ringed(e)) {
				at[start] = *e.For
			} else {
				delete(at, start)
			}
		}
	}
	return out, nil
}

func ringed(e *lockstep.Entry) bool {
	return e.State == lockstep.Parked && e.Fault != nil && e.Fault.Code == lockstep.CodeRing
}

// openOf finds the open entries of records.
func (w *worker) openOf(ctx context.Context, at map[lockstep.Ref]lockstep.Ref) (map[lockstep.Ref]*lockstep.Entry, error) {
	byFlow := map[string][]lockstep.Key{}
	seen := map[lockstep.Ref]bool{}
	for _, ref := range at {
		if !seen[ref] && w.byName[ref.Flow] != nil {
			seen[ref] = true
			byFlow[ref.Flow] = append(byFlow[ref.Flow], ref.Key)
		}
	}
	out := map[lockstep.Ref]*lockstep.Entry{}
	for flow, keys := range byFlow {
		entries, err := w.store.Open(ctx, flow, keys)
		if err != nil {
			return nil, fmt.Errorf("entries of %s: %w", flow, err)
		}
		for i, key := range keys {
			out[lockstep.Ref{Flow: flow, Key: key}] = entries[i]
		}
	}
	return out, nil
}

// waiting are the items that wait for a link, by their records.
func (w *worker) waiting(items []*item) (byRef map[lockstep.Ref]*item, starts []lockstep.Ref, waits map[lockstep.Ref]lockstep.Ref) {
	for _, it := range items {
		if o := it.out; o != nil && o.For != nil && (o.Verdict == lockstep.Wait || o.Verdict == lockstep.Park) {
			if waits == nil {
				byRef, waits = map[lockstep.Ref]*item{}, map[lockstep.Ref]lockstep.Ref{}
			}
			ref := lockstep.Ref{Flow: w.flow.Name, Key: it.key()}
			byRef[ref], waits[ref], starts = it, *o.For, append(starts, ref)
		}
	}
	return byRef, starts, waits
}

// awaits says of items that wait for a link how the other end stands: parked, filtered, not in the source. Those that
// wait for each other in a ring are parked, with the names of all. Where that cannot be told, they wait as they are.
func (w *worker) awaits(ctx context.Context, items []*item) {
	byRef, starts, waits := w.waiting(items)
	if len(starts) == 0 {
		return
	}
	chains, err := w.follow(ctx, starts, waits, waits)
	if err != nil {
		return
	}
	var unknown []lockstep.Ref
	for _, start := range starts {
		if c := chains[start]; !c.ring && waits[waits[start]] == (lockstep.Ref{}) && len(c.entries) > 1 && c.entries[1] == nil {
			unknown = append(unknown, waits[start])
		}
	}
	told := w.askSources(ctx, unknown)
	for _, start := range starts {
		it, c := byRef[start], chains[start]
		if c.ring {
			w.ring(it, c)
			continue
		}
		var text string
		if next, here := waits[waits[start]]; here {
			text = "it waits itself for " + nameOf(next)
		} else if len(c.entries) > 1 {
			text = cmp.Or(standingOf(c.entries[1]), told[waits[start]])
		}
		if strings.HasSuffix(text, comingUp) { // that is over soon: look again then, and say how it stands
			it.out.RetryAt = w.now().Add(min(max(w.now().Sub(it.delivery.Captured), time.Second), time.Hour))
		}
		if text != "" {
			fault := *it.out.Fault
			fault.Err = fmt.Errorf("%w: %s", fault.Err, text)
			it.out.Fault = &fault
		}
	}
}

// comingUp is the end of what is said of a record that a full sync under way may bring yet.
const comingUp = " had not come to it"

func nameOf(r lockstep.Ref) string { return string(r.Key) + " of flow " + r.Flow }

// standingOf is how an open entry stands, in words; "" for none.
func standingOf(e *lockstep.Entry) string {
	switch {
	case e == nil:
		return ""
	case e.State == lockstep.Parked && e.Fault != nil:
		return "it is parked with " + string(e.Fault.Code)
	case e.State == lockstep.Parked:
		return "it is parked"
	case e.State == lockstep.Waits && e.For != nil:
		return "it waits itself for " + nameOf(*e.For)
	case e.State == lockstep.Delayed && e.Fault != nil:
		return "it is tried again after " + string(e.Fault.Code)
	}
	return "it is in the queue"
}

// ring parks an item that waits for itself by way of others. It goes by itself once what it waits for is there.
func (w *worker) ring(it *item, c *chain) {
	names := make([]string, 0, len(c.refs)+1)
	for _, ref := range append(slices.Clone(c.refs), c.refs[0]) {
		names = append(names, nameOf(ref))
	}
	fault := lockstep.Faultf(lockstep.CodeRing, "records wait for each other in a ring: %s", strings.Join(names, " -> ")).On(it.out.Fault.About)
	fault.For = it.out.For
	it.out.Verdict, it.out.Fault, it.out.Attempt = lockstep.Park, fault, false
}

// askSources says of records that the queue knows nothing of why they are not on the target: one fetch for each flow.
func (w *worker) askSources(ctx context.Context, refs []lockstep.Ref) map[lockstep.Ref]string {
	out := map[lockstep.Ref]string{}
	byFlow := map[string][]lockstep.Key{}
	for _, ref := range refs {
		if _, twice := out[ref]; !twice {
			out[ref] = ""
			byFlow[ref.Flow] = append(byFlow[ref.Flow], ref.Key)
		}
	}
	for name, keys := range byFlow {
		f := w.byName[name]
		if f == nil {
			continue
		}
		tell := w.askSource(ctx, f, keys)
		for _, key := range keys {
			out[lockstep.Ref{Flow: name, Key: key}] = tell(key)
		}
	}
	return out
}

func (w *worker) askSource(ctx context.Context, f *Flow, keys []lockstep.Key) func(lockstep.Key) string {
	always := func(text string) func(lockstep.Key) string { return func(lockstep.Key) string { return text } }
	switch {
	case f.pushed():
		return always("nobody has sent it yet")
	case f.state.full.Load():
		return always("the full sync of " + f.Name + comingUp)
	}
	found, err := f.Source.Fetch(ctx, f.Read, keys)
	if err != nil {
		return always("")
	}
	there, maps := map[lockstep.Key]bool{}, f.Mapping.Worker()
	for _, rec := range found {
		_, keep, err := maps.Map(rec, func(lockstep.Ref) (lockstep.Key, bool) { return "0", true })
		there[rec.Key] = keep || err != nil
	}
	return func(key lockstep.Key) string {
		keep, is := there[key]
		switch {
		case !is:
			return "it is not in the source of " + f.Name
		case !keep:
			return "the filter of " + f.Name + " leaves it out"
		}
		return "it was not captured yet"
	}
}

// breakRings looks, once outcomes are settled, for rings that nobody could see before: two workers that close them at
// the same time do not see each other. One of those that wait is made ready: it meets the others waiting, and is parked,
// and so on, until all are.
func (w *worker) breakRings(ctx context.Context, items []*item) {
	_, starts, waits := w.waiting(items)
	if len(starts) == 0 {
		return
	}
	chains, err := w.follow(ctx, starts, waits, nil)
	if err != nil {
		w.log.Warn("looking for rings", "flow", w.flow.Name, "err", err)
		return
	}
	done := map[lockstep.Ref]bool{}
	for _, start := range starts {
		c := chains[start]
		if !c.ring || done[start] {
			continue
		}
		own, err := w.store.Open(ctx, start.Flow, []lockstep.Key{start.Key})
		if err != nil {
			return
		}
		c.entries[0] = own[0]
		next := -1
		for i, e := range c.entries {
			done[c.refs[i]] = true
			if e != nil && e.State == lockstep.Waits && (next < 0 || nameOf(c.refs[i]) < nameOf(c.refs[next])) {
				next = i
			}
		}
		if next >= 0 {
			if _, err := w.store.Requeue(ctx, c.entries[next].ID); err != nil {
				w.log.Warn("parking a ring", "flow", w.flow.Name, "err", err)
			}
		}
	}
}
