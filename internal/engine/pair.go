package engine

import (
	"context"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// Two flows face to face share the links of one set (ADR 20261124-two-way). Each end of a link has the digest of what
// the flow that writes this end would have written when both were last level. So each flow knows its own news by one
// comparison, and the echo of the other's write is none.

// outside is the digest of a link's end whose record on the other side is not in the set of the flow that would write
// this end: its filter leaves it out, and never had it in since both were last level.
const outside = lockstep.Digest("outside")

// begun is the digest of the end of a flow that began to write the other one, in a full run that was cut off: what is
// there is ours if it is what the other end says, and what is not there was not deleted.
const begun = lockstep.Digest("begun")

// owes is the digest of an end that is level but for fields that only the flow which writes this end decides: it is to
// look, and nothing has changed otherwise.
const owes = lockstep.Digest("owes")

// untold tells of a digest that it does not say what the other side would have written: what was written last does, then.
func untold(d lockstep.Digest) bool { return d == begun || d == owes }

// facing is what a flow of a pair finds out of an item beyond what a one-way flow needs.
type facing struct {
	standing
	back   *item           // their record as the flow back would bring it; nil where it is not there
	level  lockstep.Digest // of our end, once this flow has levelled both
	theirs value.Fields    // their record in the words of the target, empty where it is not there
	ours   value.Fields    // our record in the words of the source
	hint   bool            // the flow back has something to say yet
	yields *lockstep.Clash // theirs has won
}

// filtered tells whether the flow back leaves their record out.
func (f *facing) filtered() bool {
	return f.back != nil && (f.back.op == lockstep.Delete || f.back.out != nil && f.back.out.Fault == nil)
}

// failed tells whether the flow back cannot map their record now.
func (f *facing) failed() bool { return f.back != nil && f.back.out != nil && f.back.out.Fault != nil }

// across is a worker for the flow back, for mapping only.
func (w *worker) across() *worker {
	if w.back == nil {
		w.back = w.worker(w.flow.Back, w.run)
	}
	return w.back
}

// processPair is process for a flow of a pair. Echoes are closed by what was captured. All else is judged by how both
// sides are under the locks of both ends: what was read before them the flow back may have written over since.
func (w *worker) processPair(ctx context.Context, items []*item) (unlock func(), err error) {
	unlock = func() {}
	for _, it := range items {
		if it.change.Fault != nil {
			w.fail(it, it.change.Fault)
		}
	}
	if err := w.links(ctx, live(items)); err != nil {
		return unlock, err
	}
	if err := w.echoes(ctx, live(items)); err != nil {
		return unlock, err
	}
	held := live(items)
	names, ends := make([]string, 0, 2*len(held)), make([]int, len(held))
	for i, it := range held {
		names = append(names, w.flow.Back.keyLock(it.key()))
		if it.known() {
			names = append(names, w.flow.keyLock(it.link.End(w.flow.Side.Other()).Key))
		}
		ends[i] = len(names)
	}
	unlock = w.hold(ctx, held, names, ends, w.later)
	if err := w.relink(ctx, live(held), w.later); err != nil {
		return unlock, err
	}
	w.fetchOurs(ctx, live(held))
	if err := w.mapAll(ctx, live(held)); err != nil {
		return unlock, err
	}
	more, free := w.lockMore(ctx, held, names, ends), unlock
	found, err := w.bring(ctx, items)
	return func() { found(); more(); free() }, err
}

// echoes closes the items whose captured image says nothing that the link does not know.
func (w *worker) echoes(ctx context.Context, items []*item) error {
	var told []*item
	for _, it := range items {
		if !it.change.Hint && it.op == lockstep.Upsert && it.known() && !it.look && w.flow.Light == nil && !w.lacks(it) {
			told = append(told, it)
		}
	}
	if err := w.mapAll(ctx, told); err != nil {
		return err
	}
	for _, it := range told {
		if it.out == nil && it.op == lockstep.Upsert && it.link.End(w.flow.Side.Other()).Digest == it.digest {
			it.done("level")
			continue
		}
		it.unmapped()
	}
	return nil
}

// lockMore takes the locks of items that only their images tell of, beside those that they hold already.
func (w *worker) lockMore(ctx context.Context, items []*item, held []string, ends []int) (unlock func()) {
	var rest []*item
	var names []string
	var until []int
	for i, it := range items {
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		if it.out != nil {
			continue
		}
		if it.op == lockstep.Delete && it.known() {
			it.target = it.link.End(w.flow.Side.Other()).Key
		}
		for _, name := range w.lockNames(nil, it) {
			if !slices.Contains(held[from:ends[i]], name) {
				names = append(names, name)
			}
		}
		rest, until = append(rest, it), append(until, len(names))
	}
	return w.hold(ctx, rest, names, until, w.later)
}

// relink looks at the links again under the locks: the flow back saves them, too. An item whose link is another one now
// has the wrong locks.
func (w *worker) relink(ctx context.Context, items []*item, wrong func(*item)) error {
	type known struct {
		id     int64
		target lockstep.Key
	}
	before := make([]known, len(items))
	for i, it := range items {
		before[i] = known{it.link.ID, it.link.End(w.flow.Side.Other()).Key}
	}
	if err := w.links(ctx, items); err != nil {
		return err
	}
	for i, it := range items {
		if before[i] != (known{it.link.ID, it.link.End(w.flow.Side.Other()).Key}) {
			wrong(it)
		}
	}
	return nil
}

// face finds out how the two sides of looked-up items stand to each other, for the page at once.
func (w *worker) face(ctx context.Context, items []*item) {
	var mirrors []*item
	for _, it := range items {
		it.face = &facing{}
		if it.theirs != nil {
			it.face.back = w.mirror(it, *it.theirs, it.link)
			mirrors = append(mirrors, it.face.back)
		}
	}
	if err := w.across().mapAll(ctx, mirrors); err != nil {
		for _, it := range items {
			w.fail(it, err)
		}
	}
}

// mirror is a record of the target as an item of the flow back.
func (w *worker) mirror(it *item, theirs lockstep.Record, link lockstep.Link) *item {
	change := lockstep.Change{Record: theirs}
	return &item{change: change, link: link, delivery: lockstep.Delivery{Flow: w.flow.Back.Name, Change: change, Captured: it.delivery.Captured}}
}

// judgePairs decides after a look in a pair, for the page at once.
func (w *worker) judgePairs(ctx context.Context, items []*item) {
	w.face(ctx, items)
	var doubtful []*item
	for _, it := range live(items) {
		if err := w.stand(it); err != nil {
			w.fail(it, err)
			continue
		}
		if w.theirKey(it) != "" && (w.met(it) || it.face.course() == clash && (it.known() || it.op == lockstep.Upsert)) {
			doubtful = append(doubtful, it)
		}
	}
	if err := w.unknowns(ctx, doubtful); err != nil {
		for _, it := range doubtful {
			w.fail(it, err)
		}
	}
	for _, it := range live(items) {
		w.judgePair(it)
	}
}

// stand fills in how an item stands. theirs and ours in each other's words are needed for that.
func (w *worker) stand(it *item) error {
	f, back := it.face, w.flow.Back
	end, own := it.link.End(w.flow.Side.Other()), it.link.End(w.flow.Side)
	var err error
	if it.theirs != nil {
		if f.theirs, err = w.theirImage(it.theirs); err != nil {
			return err
		}
	}
	if it.op == lockstep.Upsert || it.left {
		if f.ours, err = back.Shape.Coerce(it.change.Record.Fields); err != nil {
			return err
		}
	}
	switch {
	case it.op == lockstep.Delete, it.theirs == nil && own.Digest == begun:
		f.standing.ours = true
	case untold(end.Digest):
		f.standing.ours = back.Shape.Digest(f.ours) != own.Digest
	default:
		f.standing.ours = it.digest != end.Digest
	}
	switch {
	case it.theirs == nil:
		f.standing.theirs = it.known() && own.Digest != begun
	case f.filtered():
		f.standing.theirs = it.known() && own.Digest != outside && own.Digest != ""
	case f.failed(), untold(own.Digest): // what would be written over is what counts then
		f.standing.theirs = w.flow.Shape.Digest(f.theirs) != end.Digest
	default:
		f.standing.theirs = f.back.digest != own.Digest
	}
	if it.theirs == nil {
		return nil
	}
	if it.op == lockstep.Delete { // what is there may be our own, of a write whose outcome was lost
		f.standing.theirs = f.standing.theirs && (it.image.Len() == 0 || !sameImage(w.flow.Shape, it.image, f.theirs))
		return nil
	}
	there := sameImage(w.flow.Shared, it.image, f.theirs)
	f.own = w.flow.Own != nil && !w.flow.Own.Level(it.image, f.theirs)
	if f.agree = there; f.filtered() || f.failed() {
		if f.filtered() && f.standing.theirs { // it left the set of the flow back: that is as good as gone
			f.agree = false
		}
		return nil
	}
	f.agree = f.agree || sameImage(back.Shared, f.back.image, f.ours)
	f.ownBack = back.Own != nil && !back.Own.Level(f.back.image, f.ours)
	return nil
}

// sameImage tells whether two images are level in the fields of a shape, nil for none.
func sameImage(s *image.Shape, a, b value.Fields) bool {
	return s == nil || s.Digest(a) == s.Digest(b) || s.Level(a, b)
}

// judgePair decides after a look in a pair.
func (w *worker) judgePair(it *item) {
	if it.op == lockstep.Delete {
		if it.link.End(w.flow.Side.Other()).Digest == begun { // it was never here, as far as anybody knows
			w.leave(it)
			return
		}
		if it.theirs == nil {
			it.done("deleted")
			it.out.Unlink = unlinkOf(it)
			return
		}
		if w.flow.OnDelete == IgnoreDelete {
			return
		}
	} else if it.theirs == nil && w.flow.To.ServerKeys {
		it.target = "" // a new one, where it comes to that
		defer func() {
			if it.out != nil || it.face.yields != nil {
				it.target = it.link.End(w.flow.Side.Other()).Key
			}
		}()
	}
	f := it.face
	if it.op == lockstep.Delete && !it.known() { // found by what we may have written: only that is deleted
		if !sameImage(w.flow.Shape, it.image, f.theirs) {
			it.done("level")
		}
		return
	}
	if it.op == lockstep.Delete && f.filtered() && f.standing.theirs { // both have left: each stays where it is
		it.done("left")
		it.out.Unlink = unlinkOf(it)
		return
	}
	if it.theirs == nil && !it.known() {
		return // a new one
	}
	switch f.course() {
	case level:
		w.levelPair(it)
	case leave:
		w.leave(it)
	case clash:
		w.clash(it)
	}
}

// leave closes an item whose news is on the other side.
func (w *worker) leave(it *item) {
	it.done("newer there")
	it.out.Hint = w.theirKey(it)
}

// theirKey is the key by which the flow back knows the record.
func (w *worker) theirKey(it *item) lockstep.Key {
	if key := it.link.End(w.flow.Side.Other()).Key; key != "" {
		return key
	}
	return it.target
}

// levelPair closes an item as level; where it is not linked yet, once the claim to its target holds.
func (w *worker) levelPair(it *item) {
	f, own := it.face, it.link.End(w.flow.Side)
	f.level = w.backDigest(f.back, own.Digest)
	if !f.carried() {
		f.level, f.hint = owes, true
	}
	switch {
	case !it.known():
		it.same = true
	case it.link.End(w.flow.Side.Other()).Digest == it.digest && own.Digest == f.level && own.Version == it.change.Record.Version && !f.hint:
		it.done("level")
	default:
		w.level(it, "level", it.theirs.Version)
	}
}

// backDigest is the digest of our end, by their record as the flow back would bring it; was where that cannot be told.
func (w *worker) backDigest(back *item, was lockstep.Digest) lockstep.Digest {
	switch {
	case back.op == lockstep.Delete, back.out != nil && back.out.Fault == nil:
		return outside
	case back.out != nil:
		return was
	}
	return back.digest
}

// clash has the policy decide. Where ours wins, that is on the story, with what is lost, before anything is written
// over: the delivery comes again with it.
func (w *worker) clash(it *item) {
	f := it.face
	c := conflict.Conflict{
		Side:   w.flow.Side,
		Ours:   conflict.Version{Gone: it.op == lockstep.Delete, At: it.change.Record.At, Fields: it.image},
		Theirs: conflict.Version{Gone: it.theirs == nil || f.filtered(), Fields: f.theirs},
	}
	if it.theirs != nil {
		c.Theirs.At = it.theirs.At
	}
	d := w.flow.Policy(c)
	if d.Won != w.flow.Side {
		f.yields = &lockstep.Clash{Won: d.Won, Why: d.Why, Lost: f.ours}
		if !c.Theirs.Gone {
			f.yields.Kept = f.back.image
		}
		if it.known() {
			w.yield(it)
		}
		return
	}
	lost := &lockstep.Clash{Won: d.Won, Why: d.Why, Lost: f.theirs}
	if !c.Ours.Gone {
		lost.Kept = it.image
	}
	if was := it.delivery.Clash; was != nil && was.Won == lost.Won && w.flow.Shape.Digest(was.Lost) == w.flow.Shape.Digest(lost.Lost) &&
		w.flow.Shape.Digest(was.Kept) == w.flow.Shape.Digest(lost.Kept) {
		return
	}
	it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: w.now(), Tried: it.delivery.Tried, Did: "conflict", Clash: lost}
}

// yield closes an item whose conflict theirs has won: the flow back brings it. Where they meet for the first time, they
// are linked, so that it finds this record and no other.
func (w *worker) yield(it *item) {
	it.done("conflict")
	it.out.Clash, it.out.Hint = it.face.yields, w.theirKey(it)
	if !it.known() {
		link := lockstep.Link{Set: w.flow.Set, Run: w.run, At: w.now()}
		link.End(w.flow.Side).Key, link.End(w.flow.Side.Other()).Key = it.key(), it.target
		it.out.Link, it.out.Unlink = &link, it.evict
	}
}

// predict finds out, of the items that were just brought level by a write, what the flow back will read of them: its
// echo. Where it has something to say all the same, it is to look.
func (w *worker) predict(ctx context.Context, items []*item) {
	if w.flow.Back == nil {
		return
	}
	var written, mirrors []*item
	for _, it := range items {
		if it.out == nil || it.out.Link == nil {
			continue
		}
		if it.face == nil { // nothing told where to look
			it.face = &facing{}
			it.face.ours, _ = w.flow.Back.Shape.Coerce(it.change.Record.Fields)
		}
		image := it.image
		if it.op == lockstep.Delete {
			image = w.flow.Disable
		}
		rec := lockstep.Record{Key: it.target, Fields: w.after(it, image)}
		written, mirrors = append(written, it), append(mirrors, w.mirror(it, rec, *it.out.Link))
	}
	if w.ahead == nil { // a full run writes a page while it looks at the next
		w.ahead = w.worker(w.flow.Back, w.run)
	}
	if err := w.ahead.mapAll(ctx, mirrors); err != nil {
		w.log.Debug("the echo is not known beforehand", "flow", w.flow.Name, "err", err) // the flow back looks at it, and finds it level
		return
	}
	for i, it := range written {
		own := it.out.Link.End(w.flow.Side)
		if back := w.flow.Back; back.Own != nil && it.op == lockstep.Upsert && mirrors[i].out == nil && mirrors[i].op == lockstep.Upsert && !back.Own.Level(mirrors[i].image, it.face.ours) {
			own.Digest, it.out.Hint = owes, it.target
			continue
		}
		own.Digest = w.backDigest(mirrors[i], own.Digest)
	}
}

// after is the target's record as it is once image was written over it, with the fields that the flow back reads.
func (w *worker) after(it *item, image value.Fields) value.Fields {
	if w.backNames == nil {
		w.backNames = value.NewNames(w.flow.Back.Read.Fields...)
	}
	values := make([]value.Value, w.backNames.Len())
	for i, name := range w.backNames.List() {
		v, ok := image.Get(name)
		if !ok && it.theirs != nil {
			v, _ = it.theirs.Fields.Get(name)
		}
		if !ok && it.theirs == nil {
			v = w.keyField(it.target, name)
		}
		values[i] = v
	}
	return w.backNames.Fields(values)
}

// keyField is a field of the target's key that the target has chosen; null for other fields.
func (w *worker) keyField(key lockstep.Key, name string) value.Value {
	parts, err := key.Parts(len(w.flow.To.Key))
	if err != nil {
		return value.Null
	}
	for i, field := range w.flow.To.Key {
		if field != name {
			continue
		}
		shape, err := image.New(w.flow.To, []string{name}, image.Options{})
		if err != nil {
			return value.Text(parts[i])
		}
		typed, err := shape.Coerce(value.F(name, parts[i]))
		if err != nil {
			return value.Text(parts[i])
		}
		v, _ := typed.Get(name)
		return v
	}
	return value.Null
}

// versioned tells whether a version that was read of the target is the one that a write can ask for.
func (f *Flow) versioned() bool {
	t, fields := f.Back.Read.Track, f.To.TrackFields
	return t.By != lockstep.Timestamp && t.By != lockstep.Version || len(fields) > 0 && fields[0] == t.Field
}
