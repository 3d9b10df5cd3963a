package engine

import (
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// gone is the digest of a link whose source record is gone while the target's stays: disabled, or left alone.
const gone = lockstep.Digest("gone")

// item is one record on its way through a page: of a delivery, of a full sync, of a plan. The stages fill it in
// order: refresh, links, map, compare, look, claim, write. A stage that closes it sets out.
type item struct {
	delivery lockstep.Delivery // of a full sync: made up, with ID 0
	change   lockstep.Change   // as the source is now
	link     lockstep.Link     // ID 0: not linked yet
	open     bool              // the queue has an entry for it
	queued   string            // the version that this entry has
	again    bool              // the scan has met its key before
	guessed  bool              // target is what the key alone says (guess)
	fetched  bool              // change is what the source said when it was asked, and not what was captured
	look     bool              // look at the target before writing: law 5, a first meeting, a deep read

	op     lockstep.Op  // what it comes to
	left   bool         // a delete of a record that is there: the filter leaves it out now
	image  value.Fields // as the target would hold it
	digest lockstep.Digest
	print  sourcePrint  // of the source's record, where the flow has prints
	target lockstep.Key // "" while unknown
	match  string       // the match values as one text, where there are match fields

	looked bool             // theirs is known
	same   bool             // theirs is level with our image, but not linked yet
	theirs *lockstep.Record // nil: not there
	evict  *lockstep.Link   // a link to the same target record whose source record is gone
	face   *facing          // in a pair, once looked at
	absent string           // of a delete: what it comes to if its record was not made under another name either

	refs   []lockstep.Reference // what its image was made with, once it is mapped
	mapped bool
	since  lockstep.Seq // where it is made from others: its record was read after this mark
	note   string       // for its story

	receipt string        // of a write that the target has accepted and does later
	holds   []string      // what nobody else is to write until then
	behind  time.Duration // for how long an operation has held its target record, 0 where none does

	out *lockstep.Outcome // set once it is closed
}

func newItem(d lockstep.Delivery) *item {
	return &item{delivery: d, change: d.Change, op: d.Change.Op, look: d.Tried}
}

// newItems are items of records that no lease stands behind: of a full sync, a plan, a verify.
func (f *Flow) newItems(changes []lockstep.Change, at time.Time) []*item {
	return f.fillItems(make([]item, len(changes)), changes, at)
}

// fillItems is newItems in a slab that is large enough.
func (f *Flow) fillItems(slab []item, changes []lockstep.Change, at time.Time) []*item {
	out := make([]*item, len(changes))
	for i, c := range changes {
		slab[i] = item{change: c, op: c.Op, delivery: lockstep.Delivery{Flow: f.Name, Captured: at}}
		out[i] = &slab[i]
	}
	return out
}

// lease is the delivery that an outcome of the item closes; without one, what it would have been.
func (it *item) lease() lockstep.Delivery {
	d := it.delivery
	if d.ID == 0 {
		d.Change = it.change
	}
	return d
}

// nothing is the outcome of records that a full sync finds level: nearly all of them. It is never written to.
var nothing = &lockstep.Outcome{Verdict: lockstep.Done, Did: "level"}

func (it *item) key() lockstep.Key { return it.change.Record.Key }

func (it *item) known() bool { return it.link.ID != 0 }

// unmapped is the item as it was before it was mapped.
func (it *item) unmapped() *item {
	it.out, it.op, it.left, it.image, it.digest, it.target, it.match = nil, it.change.Op, false, value.Fields{}, "", "", ""
	it.refs, it.mapped = nil, false
	return it
}

// blind tells whether a create may have taken effect of which nothing is known any more (law 5): the image that was
// tried cannot be mapped now, or it has nothing that it could be found by. An entry without an image made nothing: keep
// saves one before it does.
func (it *item) blind() bool {
	return it.delivery.Tried && !it.known() && it.target == "" && it.match == "" && it.change.Record.Fields.Len() > 0
}

// mayHaveMade tells whether an earlier try of the item may have created a record: an entry without an image has not, for
// keep saves one before it does. In a pair, and where the target pulls, nothing is kept.
func (w *worker) mayHaveMade(it *item) bool {
	return it.delivery.ID == 0 || it.delivery.Change.Record.Fields.Len() > 0 || w.flow.Back != nil || w.flow.To.Pulled
}

// done closes the item as brought level, or as nothing to do.
func (it *item) done(did string) {
	it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Done, Did: did, Note: it.note}
}

// live are the items that no stage has closed yet.
func live(items []*item) []*item {
	out := make([]*item, 0, len(items))
	for _, it := range items {
		if it.out == nil {
			out = append(out, it)
		}
	}
	return out
}

// fail closes the item with the reaction to a fault.
func (w *worker) fail(it *item, err error) {
	fault := lockstep.FaultOf(err)
	w.suspect(w.flow, fault)
	o := w.flow.react(it.lease(), fault, w.now())
	if o.Tried && w.flow.Back != nil { // what was tried is what was fetched
		o.Delivery.Change = it.change
	}
	it.out = &o
}

// level closes the item as equal on both sides and saves that in its link.
func (w *worker) level(it *item, did string, version string) {
	it.done(did)
	it.out.Link = w.leveled(it, version)
	it.out.Unlink = it.evict
	if it.face != nil && it.face.hint {
		it.out.Hint = it.target
	}
}

// leveled is the item's link as it is once the target holds the image.
func (w *worker) leveled(it *item, version string) *lockstep.Link {
	link := it.link
	link.Set, link.Run, link.At = w.flow.Set, w.run, w.now()
	own := lockstep.End{Key: it.key(), Digest: it.print.digest(), Version: it.change.Record.Version}
	if w.flow.Back != nil {
		if own.Digest = it.link.End(w.flow.Side).Digest; it.face != nil && it.face.level != "" {
			own.Digest = it.face.level
		}
	}
	*link.End(w.flow.Side) = own
	*link.End(w.flow.Side.Other()) = lockstep.End{Key: it.target, Digest: it.digest, Version: version}
	return &link
}

// left closes a delete that leaves the target record where it is: the link remembers that the source is gone.
func (w *worker) left(it *item, did string) {
	link := w.leveled(it, "")
	link.End(w.flow.Side.Other()).Digest = gone
	if !it.left { // it is not there: what comes back in its place is news, whatever its version
		link.End(w.flow.Side).Version = ""
	}
	it.done(did)
	it.out.Link = link
}

// targetKey is the key of an image in the target, "" where the target chooses it.
func (f *Flow) targetKey(img value.Fields) lockstep.Key {
	if f.To.ServerKeys {
		return ""
	}
	parts := make([]string, len(f.To.Key))
	for i, name := range f.To.Key {
		v, _ := img.Get(name)
		text, ok := v.KeyText()
		if !ok {
			return ""
		}
		parts[i] = text
	}
	return lockstep.MakeKey(parts...)
}

// matchValues are the values of the match fields; false where one is missing or null.
func (f *Flow) matchValues(img value.Fields) ([]value.Value, bool) {
	values := make([]value.Value, len(f.Match))
	for i, name := range f.Match {
		v, ok := img.Get(name)
		if !ok || v.IsNull() {
			return nil, false
		}
		values[i] = v
	}
	return values, len(values) > 0
}

// matchIsKey tells whether the match fields are just the target's key, so that writing by key is matching.
func (f *Flow) matchIsKey() bool {
	if f.To.ServerKeys {
		return false
	}
	if len(f.Match) == 0 {
		return true
	}
	if len(f.Match) != len(f.To.Key) {
		return false
	}
	for i := range f.Match {
		if f.Match[i] != f.To.Key[i] {
			return false
		}
	}
	return true
}

// aim sets what the item's image says of its target: the digest, the key and the match values.
func (w *worker) aim(it *item, img value.Fields) error {
	f := w.flow
	it.image, it.digest = img, f.Shape.Digest(img)
	it.target = f.targetKey(img)
	if it.target == "" && !f.To.ServerKeys && !it.known() {
		return lockstep.Faultf(lockstep.CodeNullKey, "the mapping gives no value for the target's key %v", f.To.Key)
	}
	if it.known() {
		it.target = it.link.End(f.Side.Other()).Key
	}
	if values, ok := f.matchValues(img); ok {
		it.match = matchText(values)
	}
	return nil
}

func matchText(values []value.Value) string {
	return string(value.AppendJSON(nil, value.List(values...)))
}

// moved tells whether a linked record is to get another key in the target.
func (w *worker) moved(it *item) (lockstep.Key, bool) {
	if !it.known() || it.op == lockstep.Delete {
		return "", false
	}
	to := w.flow.targetKey(it.image)
	return to, to != "" && w.flow.fold(to) != w.flow.fold(it.target)
}

// theirImage is a target record as an image: coerced, so that it compares with ours.
func (w *worker) theirImage(r *lockstep.Record) (value.Fields, error) {
	img, err := w.flow.Shape.Coerce(r.Fields)
	if err != nil {
		return value.Fields{}, fmt.Errorf("the target's own record does not fit its declared types: %w", err)
	}
	return img, nil
}

// equal tells whether a target record is level with our image (law 7).
func (w *worker) equal(it *item, theirs *lockstep.Record) (bool, error) {
	img, err := w.theirImage(theirs)
	if err != nil {
		return false, err
	}
	return w.flow.Shape.Digest(img) == it.digest || w.flow.Shape.Level(it.image, img), nil
}

// stale tells whether a digest cannot be compared: it was made by another version of law 7's definition, or covers
// other fields than the mapping writes now.
func (f *Flow) stale(d lockstep.Digest) bool {
	return d != "" && d != gone && d != outside && !f.Shape.Made(d)
}
