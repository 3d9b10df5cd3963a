package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// worker carries pages of one flow through the stages. It is for one goroutine.
type worker struct {
	*Engine
	flow *Flow
	maps *mapping.Worker
	// prints is nil where the flow has none. Like maps it is for one goroutine.
	prints *image.Printer
	refers bool  // records are made with others
	linked bool  // by their links
	built  bool  // from what others hold
	run    int64 // the run that its work counts to, 0 for none

	back, ahead *worker      // of the flow face to face: to map what it reads, and what it will read
	backNames   *value.Names // of the fields that it reads
}

func (e *Engine) worker(f *Flow, run int64) *worker {
	return &worker{Engine: e, flow: f, maps: f.Mapping.Worker(), prints: f.printer(), refers: f.Mapping.Refers(), linked: len(f.Mapping.Links()) > 0, built: len(f.Mapping.Built()) > 0, run: run}
}

func (w *worker) now() time.Time { return time.Now() }

// refresh fetches how the source's record is now, where the item is only a hint or says that it is gone (law 6).
func (w *worker) refresh(ctx context.Context, items []*item) {
	var asked []*item
	for _, it := range items {
		switch {
		case it.change.Fault != nil:
			w.fail(it, it.change.Fault)
		case w.flow.pushed():
			w.believe(it)
		case it.change.Hint || it.change.Op == lockstep.Delete || w.built || w.lacks(it): // what was captured may hold what another record was then
			asked = append(asked, it)
		}
	}
	w.fetchOurs(ctx, asked)
}

// lacks tells whether a change was captured before this engine began and has not all fields that the mapping reads now:
// what it lacks is not null.
func (w *worker) lacks(it *item) bool {
	if it.delivery.ID == 0 || !it.delivery.Captured.Before(w.began) {
		return false
	}
	names := it.change.Record.Fields.Names()
	return slices.ContainsFunc(w.flow.Read.Fields, func(name string) bool { return names == nil || names.Index(name) < 0 })
}

// fetchOurs fetches by halves, so that one unreadable record hurts only itself (law 4).
func (w *worker) fetchOurs(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	found, err := w.flow.Source.Fetch(ctx, w.flow.Read, keys)
	if err != nil {
		fault := lockstep.FaultOf(err).On(lockstep.About{System: w.flow.SourceSystem, Stream: w.flow.From.Name})
		fault.Unknown = false // reading changes nothing
		if len(items) > 1 && perRecord(fault) {
			w.fetchOurs(ctx, items[:len(items)/2])
			w.fetchOurs(ctx, items[len(items)/2:])
			return
		}
		for _, it := range items {
			w.fail(it, fault)
		}
		return
	}
	byKey := make(map[lockstep.Key]lockstep.Record, len(found))
	doubled := map[lockstep.Key]bool{}
	for _, r := range found {
		if first, again := byKey[r.Key]; again && !first.Fields.Equal(r.Fields) {
			doubled[r.Key] = true
		}
		byKey[r.Key] = r
	}
	for _, it := range items {
		if doubled[it.key()] {
			w.fail(it, lockstep.Faultf(lockstep.CodeDoubledKey, "the source has at least two different records with key %s", it.key()))
		} else if r, ok := byKey[it.key()]; ok {
			it.change, it.op, it.fetched = lockstep.Change{Op: lockstep.Upsert, Record: r}, lockstep.Upsert, true
		} else {
			it.change.Op, it.change.Hint, it.op = lockstep.Delete, false, lockstep.Delete
		}
	}
}

// links looks up the links of a page at once.
func (w *worker) links(ctx context.Context, items []*item) error {
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	states, err := w.store.Links(ctx, w.flow.Name, keys)
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	for i, it := range items {
		it.link, it.open, it.queued = states[i].Link, states[i].Open, states[i].Version
		if w.flow.stale(it.link.End(w.flow.Side.Other()).Digest) || (w.flow.Back != nil && w.flow.Back.stale(it.link.End(w.flow.Side).Digest)) {
			it.look = true // re-label: looking finds it level, and nothing is sent
		}
	}
	return nil
}

// mapAll maps the records and coerces them to images. References are looked up for the whole page at once: a first
// pass collects them, a second maps those that have some again.
func (w *worker) mapAll(ctx context.Context, items []*item) error {
	refs := map[lockstep.Ref]lockstep.Key{}
	var again []*item
	for _, it := range items {
		if it.op == lockstep.Delete && it.change.Record.Fields.Len() == 0 {
			continue
		}
		asked := false
		w.mapOne(it, func(ref lockstep.Ref) (lockstep.Key, bool) {
			asked = true
			refs[ref] = ""
			return "0", true // any key: the result is thrown away
		})
		if asked {
			again = append(again, it.unmapped())
		} else {
			w.noteRefs(it, nil)
		}
	}
	if len(again) == 0 {
		return nil
	}
	left, err := w.resolve(ctx, refs)
	if err != nil {
		return err
	}
	for _, it := range again {
		w.mapOne(it, func(ref lockstep.Ref) (lockstep.Key, bool) {
			key, ok := refs[ref]
			return key, ok && key != ""
		})
		w.noteRefs(it, left)
		if it.out != nil && it.out.For != nil && left[*it.out.For] { // there is a link that would wake it at once, for ever
			fault := *it.out.Fault
			fault.Err = fmt.Errorf("%w: its source record is gone, and it is disabled there", fault.Err)
			it.out.Verdict, it.out.For, it.out.RetryAt, it.out.Fault = lockstep.Retry, nil, w.now().Add(waitPause(w.now().Sub(it.delivery.Captured))), &fault
		}
	}
	return nil
}

// resolve fills in the target keys of references; those that have no link yet stay empty, and those whose link says
// that the source's record is gone, which are left.
func (w *worker) resolve(ctx context.Context, refs map[lockstep.Ref]lockstep.Key) (left map[lockstep.Ref]bool, err error) {
	left = map[lockstep.Ref]bool{}
	byFlow := map[string][]lockstep.Key{}
	for ref := range refs {
		byFlow[ref.Flow] = append(byFlow[ref.Flow], ref.Key)
	}
	for name, keys := range byFlow {
		side := lockstep.A
		if f, ok := w.byName[name]; ok {
			side = f.Side
		}
		states, err := w.store.Links(ctx, name, keys)
		if err != nil {
			return nil, fmt.Errorf("links of %s: %w", name, err)
		}
		for i, key := range keys {
			end, ref := states[i].Link.End(side.Other()), lockstep.Ref{Flow: name, Key: key}
			switch {
			case states[i].Link.ID == 0:
			case end.Digest == gone:
				left[ref] = true
			default:
				refs[ref] = end.Key
			}
		}
	}
	return left, nil
}

func (w *worker) mapOne(it *item, resolve mapping.Resolver) {
	fields, keep, err := w.maps.Map(it.change.Record, resolve)
	if err == nil && keep {
		var img value.Fields
		if img, err = w.flow.Shape.Coerce(fields); err == nil {
			err = w.aim(it, img)
		}
	}
	switch {
	case it.op == lockstep.Delete: // the old image only says where to look
		return
	case err != nil:
		w.fail(it, err)
	case !keep && it.known() && it.link.End(w.flow.Side.Other()).Digest == outside:
		it.done("filtered") // it never was in: the flow back brought it
	case !keep && (it.known() || it.look && w.mayHaveMade(it)): // it left the set
		it.op, it.left = lockstep.Delete, true
	case !keep:
		it.done("filtered")
	}
}

// compare closes what the links say is level already, and deletes that have nothing to delete.
func (w *worker) compare(items []*item) {
	for _, it := range items {
		end := it.link.End(w.flow.Side.Other())
		switch {
		case it.op == lockstep.Upsert:
			if !it.known() || it.look || end.Digest != it.digest {
				break
			}
			switch {
			case it.delivery.ID == 0 && it.print[0] != 0 && w.printedOtherwise(it):
				w.level(it, "level", end.Version)
			case it.delivery.ID == 0 && (w.flow.Light == nil || it.link.End(w.flow.Side).Version == it.change.Record.Version):
				it.out = nothing
			case it.link.End(w.flow.Side).Version != it.change.Record.Version:
				w.level(it, "level", end.Version)
			default:
				it.done("level")
			}
		case it.known():
			it.target = end.Key
			if end.Digest == gone {
				it.done("level")
			} else if end.Digest == outside {
				it.done("filtered")
			}
		case w.flow.To.Pulled && it.delivery.Tried: // it may have been made: whoever pulls knows what came of this source key
		case it.blind() && w.flow.Back == nil && it.neverSent():
			it.look = false
			w.nothingThere(it, "level")
		case it.blind() && w.flow.Back == nil: // law 5; in a pair the flow back brings what was made
			if !w.guess(it) {
				w.blindFault(it)
			}
		case !it.look || (it.target == "" && it.match == ""):
			it.look = false
			w.nothingThere(it, "level") // never there, as far as we ever wrote
		}
	}
}

// lookups sets look where a record is met for the first time and the target's key alone does not find it, or is not
// the only spelling of it, and where a record is to be disabled: one that is gone is not made again for that.
func (w *worker) lookups(items []*item) {
	byKey := w.flow.matchIsKey()
	for _, it := range items {
		switch {
		case w.flow.Back != nil:
			it.look = true // theirs may have changed, too
		case it.op == lockstep.Delete && it.known():
			it.look = it.look || w.flow.OnDelete == DisableRecord
		case it.op == lockstep.Delete || it.known():
		case byKey:
			it.look = it.look || w.flow.To.FoldKeys
		case it.match != "":
			it.look = true
		}
	}
}

// lookAt reads the target's records of the items that ask for it, by key where it is known, else by match fields.
// What is level is closed; what cannot be looked at, parked.
func (w *worker) lookAt(ctx context.Context, items []*item) {
	if w.flow.To.Pulled { // it cannot be looked at: what was tried is handed out again
		return
	}
	var byKey, byMatch []*item
	for _, it := range items {
		if !it.look {
			continue
		}
		if wait := it.delivery.TriedAt.Add(w.flow.To.Grace); it.delivery.Tried && wait.After(w.now()) {
			it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: wait, Did: "waiting for the grace time"}
			continue
		}
		switch {
		case it.match != "" && !it.known() && !w.flow.matchIsKey():
			byMatch = append(byMatch, it)
		case it.target != "":
			byKey = append(byKey, it)
		case !it.delivery.Tried: // never sent: there is nothing to find
		default:
			w.fail(it, lockstep.NewFault(lockstep.CodeBlind, errors.New("a create has an unknown outcome, the target chooses the key, and no match fields are set")))
		}
	}
	w.fetchTheirs(ctx, byKey)
	w.findTheirs(ctx, byMatch)
	var looked []*item
	for _, it := range items {
		if it.looked && it.out == nil {
			looked = append(looked, it)
		}
	}
	if w.flow.Back != nil {
		w.judgePairs(ctx, looked)
		return
	}
	for _, it := range looked {
		w.judge(it)
	}
}

func (w *worker) fetchTheirs(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		keys[i] = it.target
	}
	found, err := w.flow.Target.Fetch(ctx, w.flow.look(), keys)
	if err != nil {
		w.failLook(items, err)
		return
	}
	byKey := make(map[lockstep.Key]*lockstep.Record, len(found))
	for i := range found {
		byKey[w.flow.fold(found[i].Key)] = &found[i]
	}
	for _, it := range items {
		it.looked, it.theirs = true, byKey[w.flow.fold(it.target)]
		if it.theirs != nil && !it.known() {
			it.target = it.theirs.Key // as the target spells it, so that claims find it
		}
	}
}

func (w *worker) findTheirs(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	values := make([][]value.Value, len(items))
	for i, it := range items {
		values[i], _ = w.flow.matchValues(it.image)
	}
	found, err := w.flow.Target.Find(ctx, w.flow.look(), w.flow.Match, values)
	if err != nil {
		w.failLook(items, err)
		return
	}
	for i, it := range items {
		it.looked = true
		switch hits := found[i]; len(hits) {
		case 0:
		case 1:
			it.theirs, it.target = &hits[0], hits[0].Key
		default:
			w.fail(it, lockstep.Faultf(lockstep.CodeAmbiguous, "%d target records have this %v: %s and %s are the first", len(hits), w.flow.Match, hits[0].Key, hits[1].Key))
		}
	}
}

// failLook closes items whose look failed. Nothing was written by looking, but what was unknown stays unknown.
func (w *worker) failLook(items []*item, err error) {
	for _, it := range items {
		w.fail(it, err)
		it.out.Tried = it.delivery.Tried
	}
}

// judge decides after a look (law 6).
func (w *worker) judge(it *item) {
	if it.op == lockstep.Delete {
		switch {
		case it.theirs == nil:
			w.nothingThere(it, "deleted")
		case it.guessed: // law 9: it was never linked
			w.blindFault(it)
		}
		return
	}
	if it.theirs == nil {
		if w.flow.To.ServerKeys {
			it.target = "" // a new one
		}
		return
	}
	same, err := w.equal(it, it.theirs)
	switch {
	case err != nil:
		w.fail(it, err)
	case same && it.known() && it.link.End(w.flow.Side.Other()).Digest == it.digest:
		it.done("level") // the link says so already
	case same && it.known():
		w.level(it, "level", it.theirs.Version)
	case same:
		it.same = true // level once the claim to it holds
	}
}

func unlinkOf(it *item) *lockstep.Link {
	if !it.known() {
		return nil
	}
	link := it.link
	return &link
}

// claim keeps a target record with the one source record it belongs to (law 3): a second claimant is parked, unless
// the first one's source record is gone. A claim to a record that is level already needs no write.
func (w *worker) claim(ctx context.Context, items []*item) error {
	if err := w.claims(ctx, items); err != nil {
		return err
	}
	for _, it := range live(items) {
		if it.same {
			w.level(it, "level", it.theirs.Version)
		} else if it.face != nil && it.face.yields != nil {
			w.yield(it)
		}
	}
	return nil
}

func (w *worker) claims(ctx context.Context, items []*item) error {
	var asked []*item
	var keys []lockstep.Key
	first := map[lockstep.Key]*item{}
	for _, it := range items {
		if it.op == lockstep.Delete && (it.known() || it.absent != "") {
			continue
		}
		key := it.target
		if to, moved := w.moved(it); moved {
			key = to
		} else if it.known() {
			first[w.flow.fold(key)] = it
			continue
		}
		if key == "" {
			continue
		}
		if other := first[w.flow.fold(key)]; other != nil {
			w.claimed(it, key, other.key())
			continue
		}
		first[w.flow.fold(key)] = it
		asked, keys = append(asked, it), append(keys, key)
	}
	if len(asked) == 0 {
		return nil
	}
	owners, err := w.store.LinksTo(ctx, w.flow.Name, keys)
	if err != nil {
		return fmt.Errorf("links by target: %w", err)
	}
	w.evict(ctx, asked, owners)
	return nil
}

// evict asks the source whether the owners of claimed target records are still there.
func (w *worker) evict(ctx context.Context, asked []*item, owners []lockstep.Link) {
	var held []*item
	var owned []lockstep.Link
	for i, it := range asked {
		if owners[i].ID != 0 && owners[i].End(w.flow.Side).Key != it.key() {
			held, owned = append(held, it), append(owned, owners[i])
		}
	}
	w.evictHeld(ctx, held, owned)
}

// evictHeld asks by halves, so that an owner that cannot be read hurts only its claimant (law 4).
func (w *worker) evictHeld(ctx context.Context, held []*item, owners []lockstep.Link) {
	if len(held) == 0 {
		return
	}
	if w.flow.pushed() {
		w.evictPushed(ctx, held, owners)
		return
	}
	keys := make([]lockstep.Key, len(held))
	for i := range owners {
		keys[i] = owners[i].End(w.flow.Side).Key
	}
	found, err := w.flow.Source.Fetch(ctx, w.flow.Read, keys)
	if err != nil {
		fault := *lockstep.FaultOf(err).On(lockstep.About{System: w.flow.SourceSystem, Stream: w.flow.From.Name})
		fault.Unknown, fault.Err = false, fmt.Errorf("fetch the owner of a claimed record: %w", fault.Err) // reading changes nothing
		if half := len(held) / 2; half > 0 && perRecord(&fault) {
			w.evictHeld(ctx, held[:half], owners[:half])
			w.evictHeld(ctx, held[half:], owners[half:])
			return
		}
		for _, it := range held {
			w.fail(it, &fault)
		}
		return
	}
	there := map[lockstep.Key]bool{}
	for _, r := range found {
		there[r.Key] = true
	}
	w.decideHeld(held, owners, there)
}

// decideHeld takes claimed records from owners that are not there any more.
func (w *worker) decideHeld(held []*item, owners []lockstep.Link, there map[lockstep.Key]bool) {
	for i, it := range held {
		owner := owners[i]
		switch {
		case there[owner.End(w.flow.Side).Key]:
			w.claimed(it, owner.End(w.flow.Side.Other()).Key, owner.End(w.flow.Side).Key)
		case it.op == lockstep.Delete:
			w.nothingThere(it, "level")
		default:
			it.evict = &owner
		}
	}
}

func (w *worker) claimed(it *item, target, owner lockstep.Key) {
	if it.op == lockstep.Delete { // not ours to delete
		w.nothingThere(it, "level")
		return
	}
	w.fail(it, lockstep.Faultf(lockstep.CodeClaimed, "target record %s belongs to source record %s; source record %s maps to it, too", target, owner, it.key()))
}
