package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Model compares a store with a small model of it under random use: a flow f with a feed, a flow g that is only waited
// for, few keys, all verdicts, pages, decisions of people, time that passes, and reopening. After every step the open
// entries, the checkpoint, the links and the counts must be the model's, and no captured state may be lost (law 1).
func Model(t *testing.T, h Harness) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // a bubble has no deadline to ask for
			b := newBench(shrinking{t, rt}, h)
			defer func() { _ = b.s.Close() }()
			m := &model{bench: b, rt: rt, open: map[lockstep.Key]*modelEntry{}, links: map[string]map[lockstep.Key]bool{"f": {}, "g": {}},
				newest: map[lockstep.Key]int{}, level: map[lockstep.Key]int{}, touched: map[lockstep.Key]int{}}
			run, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
			b.ok(err)
			m.run = run
			m.mark()
			actions := map[string]func(*rapid.T){"": func(*rapid.T) { m.check() }}
			for name, act := range map[string]func(){"append": m.append, "append moved": m.appendMoved, "hint": m.hint, "keep": m.keep, "lease": m.lease,
				"settle": m.settle, "confirm": m.confirm, "settle many": m.settleMany, "sleep": m.sleep, "link": m.link, "mark": m.mark, "page": m.page,
				"requeue": m.requeue, "discard": m.discard, "reopen": m.reopenAll} {
				actions[name] = func(rt *rapid.T) { m.rt = rt; time.Sleep(time.Second); act() }
			}
			rt.Repeat(actions)
		})
	})
}

// shrinking fails through rapid, which then looks for a shorter way to the same failure.
type shrinking struct {
	testing.TB
	rt *rapid.T
}

func (s shrinking) Fatal(args ...any)            { s.rt.Fatal(args...) }
func (s shrinking) Fatalf(f string, args ...any) { s.rt.Fatalf(f, args...) }
func (s shrinking) Helper()                      {}

type modelEntry struct {
	no, generation, attempts int
	key                      lockstep.Key
	what                     string // "v=1", "hint", "delete", "unread"
	state                    lockstep.EntryState
	tried                    bool
	until                    time.Time // of delayed and waiting
	wants                    lockstep.Ref
	captured                 time.Time
	held                     *modelLease
	op                       *modelOperation
}

type modelLease struct {
	generation int
	until      time.Time
	first      time.Time
}

type model struct {
	*bench
	rt      *rapid.T
	open    map[lockstep.Key]*modelEntry
	created int
	places  int
	version int
	links   map[string]map[lockstep.Key]bool
	newest  map[lockstep.Key]int // the last version captured of a key
	level   map[lockstep.Key]int // the last version that a delivery, a look or a person settled
	past    []lockstep.Delivery  // all deliveries ever leased
	run     lockstep.Run
	since   lockstep.Seq
	steps   int
	marked  int
	touched map[lockstep.Key]int
}

var modelKeys = rapid.SampledFrom([]lockstep.Key{"a", "b", "c", "d"})

// wantedKeys are waited for: few, so that they come.
var wantedKeys = rapid.SampledFrom([]lockstep.Key{"a", "b"})

func (m *model) key() lockstep.Key { return modelKeys.Draw(m.rt, "key") }

func (m *model) touch(key lockstep.Key) { m.steps++; m.touched[key] = m.steps }

func (e *modelEntry) now() lockstep.EntryState {
	at := time.Now()
	switch {
	case e.held != nil && e.held.until.After(at):
		return lockstep.Leased
	case e.op != nil:
		return lockstep.Confirming
	case !e.until.IsZero() && !e.until.After(at):
		return lockstep.Ready
	}
	return e.state
}

func (m *model) take(key lockstep.Key, what string) *modelEntry {
	e := m.open[key]
	if e == nil {
		m.created++
		e = &modelEntry{no: m.created, key: key, captured: time.Now()}
		m.open[key] = e
	} else if e.held != nil && e.held.first.IsZero() {
		e.held.first = time.Now()
	}
	if e.op != nil && e.op.first.IsZero() {
		e.op.first = time.Now()
	}
	e.generation++
	e.what, e.attempts, e.until, e.state = what, 0, time.Time{}, lockstep.Ready
	if what == "unread" {
		e.state = lockstep.Parked
	}
	m.touch(key)
	return e
}

// change draws a change and what it is in short.
func (m *model) change() (lockstep.Change, string) {
	key := m.key()
	m.version++
	m.newest[key] = m.version
	switch rapid.IntRange(0, 9).Draw(m.rt, "kind") {
	case 0, 1:
		return gone(key), "delete"
	case 2:
		return unread(key), "unread"
	}
	return up(key, m.version), fmt.Sprintf("v=%d", m.version)
}

func (m *model) append() {
	var changes []lockstep.Change
	for range rapid.IntRange(0, 4).Draw(m.rt, "changes") {
		c, what := m.change()
		changes = append(changes, c)
		m.take(c.Record.Key, what)
	}
	from := lockstep.Position(nil)
	if m.places > 0 {
		from = place(m.places)
	}
	m.places++
	m.ok(m.s.Append(m.ctx, "feed", from, changes, place(m.places), time.Time{}))
}

func (m *model) appendMoved() {
	err := m.s.Append(m.ctx, "feed", place(m.places+7), []lockstep.Change{up(m.key(), 0)}, place(m.places+8), time.Time{})
	m.refused(err, lockstep.CodeMovedCursor)
}

func (m *model) hint() {
	key := m.key()
	m.take(key, "hint")
	m.ok(m.s.Hint(m.ctx, "f", []lockstep.Key{key}))
}

func (m *model) sleep() {
	time.Sleep(time.Duration(rapid.IntRange(1, 90).Draw(m.rt, "seconds")) * time.Second)
}

func (m *model) inOrder() []*modelEntry {
	return slices.SortedFunc(maps.Values(m.open), func(a, b *modelEntry) int { return cmp.Compare(a.no, b.no) })
}

func (m *model) lease() {
	ready := slices.DeleteFunc(m.inOrder(), func(e *modelEntry) bool { return e.now() != lockstep.Ready })
	slices.SortStableFunc(ready, func(a, b *modelEntry) int { return a.captured.Compare(b.captured) })
	most := rapid.IntRange(1, 4).Draw(m.rt, "most")
	want := []string{}
	for _, e := range ready[:min(most, len(ready))] {
		if e.held != nil {
			e.generation++
			e.tried = true
		}
		e.held = &modelLease{generation: e.generation, until: time.Now().Add(time.Minute)}
		e.state, e.until = lockstep.Ready, time.Time{}
		m.touch(e.key)
		want = append(want, e.text())
	}
	ds := m.bench.lease(most)
	same(m.bench, texts(ds), want)
	m.past = append(m.past, ds...)
}

// keep saves what a fetch gave for some delivery of the past.
func (m *model) keep() {
	if len(m.past) == 0 {
		return
	}
	d := m.past[len(m.past)-1-rapid.IntRange(0, min(5, len(m.past)-1)).Draw(m.rt, "kept")]
	key := d.Change.Record.Key
	e := m.open[key]
	if e != nil && m.number(d) == e.no && e.held != nil && e.held.generation == int(d.Generation) && e.generation == int(d.Generation) && strings.HasPrefix(e.what, "v=") {
		e.what = fmt.Sprintf("v=%d", m.newest[key])
	}
	d.Change.Record.Fields = value.F("v", m.newest[key])
	m.ok(m.s.Keep(m.ctx, d))
}

func (e *modelEntry) text() string {
	t := fmt.Sprintf("%s#%d", e.key, e.generation)
	if e.what == "unread" {
		t += " unread"
	} else {
		t += " " + e.what
	}
	if e.attempts > 0 {
		t += fmt.Sprintf(" attempts=%d", e.attempts)
	}
	if e.tried || e.held != nil && !e.held.until.After(time.Now()) { // a lease that has run out counts, too
		t += " tried"
	}
	return t
}

func (m *model) settle() {
	if len(m.past) > 0 {
		m.settleAll(m.outcome())
	}
}

func (m *model) settleMany() {
	if len(m.past) > 0 {
		m.settleAll(m.outcome(), m.outcome(), m.outcome())
	}
}

// outcome draws an outcome for any delivery of the past: most are the last ones, some are stale.
func (m *model) outcome() lockstep.Outcome {
	i := len(m.past) - 1 - rapid.IntRange(0, min(5, len(m.past)-1)).Draw(m.rt, "delivery")
	return m.outcomeOf(m.past[i])
}

func (m *model) outcomeOf(d lockstep.Delivery) lockstep.Outcome {
	o := lockstep.Outcome{Delivery: d, Verdict: lockstep.Verdict(rapid.IntRange(0, 4).Draw(m.rt, "verdict")), Did: "x",
		Attempt: rapid.Bool().Draw(m.rt, "attempt")}
	if o.Verdict != lockstep.Done {
		o.Tried = rapid.Bool().Draw(m.rt, "tried")
		o.RetryAt = time.Now().Add(time.Duration(rapid.IntRange(1, 100).Draw(m.rt, "in")) * time.Second)
	}
	if o.Verdict == lockstep.Accept {
		o.Tried, o.Operation = false, &lockstep.Operation{Receipt: fmt.Sprint("r", m.steps), At: time.Now(), Holds: []string{string(o.Delivery.Change.Record.Key)}}
		return o
	}
	if o.Verdict == lockstep.Wait {
		o.For = &lockstep.Ref{Flow: rapid.SampledFrom([]string{"f", "g", "g"}).Draw(m.rt, "flow"), Key: wantedKeys.Draw(m.rt, "wanted")}
		o.RetryAt = o.RetryAt.Add(10 * time.Minute)
	}
	key := o.Delivery.Change.Record.Key
	l := ab(key, "to "+key)
	switch rapid.IntRange(0, 3).Draw(m.rt, "link") {
	case 0:
		o.Link = &l
	case 1:
		o.Unlink = &l
	}
	return o
}

func (m *model) settleAll(outcomes ...lockstep.Outcome) {
	valid := map[int]*modelEntry{}
	for i, o := range outcomes {
		e := m.open[o.Delivery.Change.Record.Key]
		if e == nil || !e.closedBy(o.Delivery) || m.number(o.Delivery) != e.no || slices.Contains(slices.Collect(maps.Values(valid)), e) {
			continue
		}
		valid[i] = e
		if o.Unlink != nil {
			delete(m.links["f"], e.key)
		}
		if o.Link != nil {
			m.links["f"][e.key] = true
		}
	}
	for i, o := range outcomes {
		if valid[i] != nil {
			m.closeLease(valid[i], o)
		}
	}
	m.free()
	m.ok(m.s.Settle(m.ctx, outcomes...))
}

// closedBy tells whether an outcome of the delivery counts.
func (e *modelEntry) closedBy(d lockstep.Delivery) bool {
	if op := d.Operation; op != nil {
		return e.op != nil && e.op.generation == int(d.Generation) && e.op.receipt == op.Receipt
	}
	return e.held != nil && e.held.generation == int(d.Generation)
}

// number is the model's number of the entry that a delivery is of: both count from one, in the order of creation, so a
// store's IDs need only be in order.
func (m *model) number(d lockstep.Delivery) int {
	for _, e := range m.ids() {
		if e.id == d.ID {
			return e.no
		}
	}
	return 0
}

type idNo struct {
	id int64
	no int
}

func (m *model) ids() (out []idNo) {
	es, err := m.s.Entries(m.ctx, "f", "", 0, 100)
	m.ok(err)
	for i, e := range m.inOrder() {
		if i < len(es) {
			out = append(out, idNo{es[i].ID, e.no})
		}
	}
	return out
}

func (m *model) closeLease(e *modelEntry, o lockstep.Outcome) {
	l := e.held
	if o.Delivery.Operation != nil && o.Verdict == lockstep.Accept { // not yet
		e.op.receipt, e.op.ask = o.Operation.Receipt, o.RetryAt
		return
	}
	if o.Delivery.Operation != nil {
		l, e.op = &modelLease{generation: e.op.generation, first: e.op.first}, nil
	} else {
		e.held = nil
	}
	m.touch(e.key)
	newer := e.generation > l.generation
	if o.Verdict == lockstep.Accept {
		e.op, e.until = &modelOperation{generation: l.generation, first: l.first, receipt: o.Operation.Receipt, ask: o.RetryAt}, time.Time{}
		return
	}
	e.tried = e.tried || o.Tried
	if o.Verdict == lockstep.Done {
		e.tried = false
		if !newer {
			delete(m.open, e.key)
			m.level[e.key] = m.newest[e.key]
			return
		}
		e.captured = l.first
	}
	if !newer {
		m.judge(e, o)
	}
}

func (m *model) judge(e *modelEntry, o lockstep.Outcome) {
	if o.Attempt {
		e.attempts++
	}
	e.state, e.until = lockstep.Ready, time.Time{}
	switch o.Verdict {
	case lockstep.Retry:
		e.state, e.until = lockstep.Delayed, o.RetryAt
	case lockstep.Park:
		e.state = lockstep.Parked
	case lockstep.Wait:
		e.state, e.until, e.wants = lockstep.Waits, o.RetryAt, *o.For
	}
}

// free makes ready what waits for a link that is there. A link that is there keeps nobody waiting, so it does not
// matter when it came.
func (m *model) free() {
	for _, e := range m.open {
		if e.state == lockstep.Waits && m.links[e.wants.Flow][e.wants.Key] {
			e.state, e.until = lockstep.Ready, time.Time{}
		}
	}
}

// link makes a link of flow g, or takes it away.
func (m *model) link() {
	key := wantedKeys.Draw(m.rt, "wanted")
	if m.links["g"][key] {
		delete(m.links["g"], key)
		m.ok(m.s.SettlePage(m.ctx, "g", lockstep.PageEnd{Run: m.run, Unlink: []lockstep.Link{ab(key, key)}}))
		return
	}
	m.links["g"][key] = true
	m.free()
	m.bench.link("g", ab(key, key))
}

func (m *model) mark() { m.since, m.marked = m.bench.mark(), m.steps }

// page takes a page of a full run through BeginPage and SettlePage.
func (m *model) page() {
	var writes []lockstep.PageWrite
	var want []bool
	var end lockstep.PageEnd
	for _, key := range rapid.SliceOfNDistinct(modelKeys, 0, 3, rapid.ID).Draw(m.rt, "page") {
		m.version++
		m.newest[key] = m.version
		c := up(key, m.version)
		writes = append(writes, lockstep.PageWrite{Change: c, Target: "to " + key})
		switch {
		case m.touched[key] > m.marked:
			m.take(key, "hint")
		case m.open[key] != nil:
			m.take(key, fmt.Sprintf("v=%d", m.version))
		default:
			want = append(want, true)
			m.touch(key)
			if rapid.Bool().Draw(m.rt, "fails") {
				end.Failed = append(end.Failed, lockstep.Outcome{Delivery: lockstep.Delivery{Change: c}, Tried: rapid.Bool().Draw(m.rt, "tried"),
					Verdict: rapid.SampledFrom([]lockstep.Verdict{lockstep.Retry, lockstep.Park, lockstep.Accept}).Draw(m.rt, "verdict"), RetryAt: time.Now().Add(time.Hour)})
				if o := &end.Failed[len(end.Failed)-1]; o.Verdict == lockstep.Accept {
					o.Tried, o.Operation = false, &lockstep.Operation{Receipt: fmt.Sprint("r", m.version), At: time.Now(), Holds: []string{string(key)}}
				}
			} else {
				end.Links = append(end.Links, ab(key, "to "+key))
			}
			continue
		}
		want = append(want, false)
	}
	send, err := m.s.BeginPage(m.ctx, m.run.ID, "f", m.since, writes)
	m.ok(err)
	same(m.bench, append([]bool{}, send...), append([]bool{}, want...))
	if rapid.IntRange(0, 4).Draw(m.rt, "dies") == 0 && m.h.Reopen != nil {
		m.reopenAll()
	}
	for _, o := range end.Failed {
		e := m.take(o.Delivery.Change.Record.Key, "v="+versionOf(o.Delivery.Change))
		if o.Verdict == lockstep.Accept {
			e.op = &modelOperation{generation: e.generation, receipt: o.Operation.Receipt, ask: o.RetryAt}
			continue
		}
		e.tried = o.Tried
		m.judge(e, o)
	}
	for _, l := range end.Links {
		m.links["f"][l.A.Key] = true
		m.level[l.A.Key] = m.newest[l.A.Key]
		m.touch(l.A.Key)
	}
	m.free()
	m.run.Counts.Read++
	end.Run = m.run
	m.ok(m.s.SettlePage(m.ctx, "f", end))
	flight, _, err := m.s.Resume(m.ctx, m.run.ID)
	m.ok(err)
	same(m.bench, len(flight), 0)
}

func versionOf(c lockstep.Change) string {
	v, _ := c.Record.Fields.Get("v")
	return v.String()
}

// pick draws an open entry and its ID.
func (m *model) pick() (*modelEntry, int64) {
	ids := m.ids()
	if len(ids) == 0 {
		return nil, 0
	}
	i := rapid.IntRange(0, len(ids)-1).Draw(m.rt, "entry")
	return m.inOrder()[i], ids[i].id
}

func (m *model) requeue() {
	e, id := m.pick()
	if e == nil {
		return
	}
	want := 0
	if now := e.now(); now != lockstep.Leased && now != lockstep.Ready { // what is due is ready
		want = 1
		if e.what == "unread" {
			e.what = "hint"
		}
		e.tried = e.tried || e.op != nil
		e.state, e.until, e.attempts, e.op = lockstep.Ready, time.Time{}, 0, nil
	}
	n, err := m.s.Requeue(m.ctx, id)
	m.ok(err)
	same(m.bench, n, want)
}

func (m *model) discard() {
	e, id := m.pick()
	if e == nil {
		return
	}
	want := 0
	if e.now() != lockstep.Leased {
		want = 1
		delete(m.open, e.key)
		m.level[e.key] = m.newest[e.key]
		m.touch(e.key)
	}
	n, err := m.s.Discard(m.ctx, "not ours", id)
	m.ok(err)
	same(m.bench, n, want)
}

// reopenAll starts anew: leases are gone, what is open counts as tried, and marks are of the past.
func (m *model) reopenAll() {
	if m.h.Reopen == nil {
		return
	}
	m.reopen()
	m.attach(benchFlows...)
	for _, e := range m.open {
		e.held, e.tried = nil, true
	}
	m.mark()
}

// check compares all that can be seen.
func (m *model) check() {
	want, count := []string{}, map[lockstep.EntryState]int64{}
	for _, e := range m.inOrder() {
		want = append(want, string(e.now())+" "+e.text())
		count[e.now()]++
	}
	m.entries(want...)
	for key, v := range m.newest { // law 1: the newest state of each key is level or in the queue
		if m.open[key] == nil && m.level[key] != v {
			m.Fatalf("version %d of %s is lost: %d is level, and nothing is open", v, key, m.level[key])
		}
	}
	at, _, err := m.s.Checkpoint(m.ctx, "feed")
	m.ok(err)
	if m.places > 0 {
		same(m.bench, string(at), string(place(m.places)))
	}
	st := m.status("f")
	same(m.bench, st, lockstep.FlowStatus{Ready: count[lockstep.Ready], Delayed: count[lockstep.Delayed], Waiting: count[lockstep.Waits],
		Leased: count[lockstep.Leased], Parked: count[lockstep.Parked], Confirming: count[lockstep.Confirming], Accepted: st.Accepted, Links: int64(len(m.links["f"])), Oldest: st.Oldest,
		LastSettled: st.LastSettled, CapturedUpTo: st.CapturedUpTo})
	same(m.bench, st.Accepted.IsZero(), count[lockstep.Confirming] == 0)
	keys := []lockstep.Key{"a", "b", "c", "d"}
	for i, held := range m.held("a", "b", "c", "d") {
		e := m.open[keys[i]]
		same(m.bench, held, e != nil && e.op != nil)
	}
	states, err := m.s.Links(m.ctx, "f", keys)
	m.ok(err)
	for i, key := range keys {
		same(m.bench, states[i].Link.ID != 0, m.links["f"][key])
		same(m.bench, states[i].Open, m.open[key] != nil)
	}
}
