// Package storetest is the contract of a lockstep.Store as tests: what it does not say is not promised. Run holds the
// rows, Model compares a store with a small model under random use.
//
// What the suite says beyond the words of package lockstep:
//
//   - Times are kept to the microsecond, in UTC.
//   - The key of side A names a link within its set: saving a link of a known key changes that link and keeps its ID.
//     A store does not refuse a second claim on a key of side B; the oldest link is the one that LinksTo finds.
//   - In a pair, and where its record has no link, an entry tells of all tries that may have taken effect (Prior) until an outcome of Done settles it: what a
//     lease held that was overtaken, ran out or died with its process, and what an outcome that is Tried says that it
//     tried (Delivery.Change). What a lease held that was overtaken and is answered with nothing sent is not told.
//   - A new generation starts with no attempts. Tried stays until an outcome of Done settles the delivery.
//   - An outcome counts while its lease is the entry's last: also when its time has passed and nobody else has the
//     entry yet. An entry that is leased again after its time has a higher generation and is Tried.
//   - A lease ends with the process. An outcome of a lease of an earlier process is ignored.
//   - A leased entry can be neither requeued nor discarded. Requeue gives all attempts back, and turns a change with a
//     Fault into a hint.
//   - PageEnd.Queue turns into a hint where the key has an open entry, unless it says that the record cannot be read;
//     PageEnd.Failed leaves such an entry as it is.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Harness makes the stores under test.
type Harness struct {
	// Open makes a fresh store. The suite closes it. It may be called within a synctest bubble.
	Open func(t testing.TB) lockstep.Store
	// Reopen closes the store and opens the same one again. Nil says that the store forgets.
	Reopen func(t testing.TB, s lockstep.Store) lockstep.Store
}

// row is one promise.
type row struct {
	name string
	test func(*bench)
}

// Run checks every row of the contract, each in a bubble of its own, where time is ours.
func Run(t *testing.T, h Harness) {
	for _, rows := range [][]row{queueRows, settleRows, waitRows, linkRows, pairRows, pageRows, flightRows, deskRows, crowdRows, referenceRows, operationRows} {
		for _, r := range rows {
			t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, h)
					defer b.close()
					r.test(b)
				})
			})
		}
	}
}

// bench is a store on the test bench, with short words for what the rows do.
type bench struct {
	testing.TB
	h      Harness
	s      lockstep.Store
	ctx    context.Context
	places int
}

// The flows of the bench. They are attached at the start.
var benchFlows = []lockstep.FlowDef{
	{Name: "f", Feed: "feed", Set: "f"},
	{Name: "g", Feed: "other", Set: "g"},
	{Name: "bare", Set: "bare"}, // no feed
}

func newBench(t testing.TB, h Harness) *bench {
	t.Helper()
	b := &bench{TB: t, h: h, s: h.Open(t), ctx: context.Background()}
	b.attach(benchFlows...)
	return b
}

func (b *bench) close() { b.ok(b.s.Close()) }

// reopen closes and opens the store where it is durable.
func (b *bench) reopen() {
	b.Helper()
	if b.h.Reopen != nil {
		b.s = b.h.Reopen(b.TB, b.s)
	}
}

func (b *bench) attach(flows ...lockstep.FlowDef) {
	b.Helper()
	b.ok(b.s.Attach(b.ctx, flows))
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) refused(err error, code lockstep.Code) {
	b.Helper()
	if err == nil || lockstep.FaultOf(err).Code != code {
		b.Fatalf("got %v, want a fault with %s", err, code)
	}
}

func same[T any](b *bench, got, want T) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("(-want +got)\n%s", diff)
	}
}

// up is a record's new state.
func up(key lockstep.Key, v int) lockstep.Change {
	return lockstep.Change{Record: lockstep.Record{Key: key, Fields: value.F("v", v)}}
}

func gone(key lockstep.Key) lockstep.Change {
	return lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: key}}
}

func unread(key lockstep.Key) lockstep.Change {
	return lockstep.Change{Record: lockstep.Record{Key: key}, Fault: lockstep.Faultf(lockstep.CodeTooLarge, "too large")}
}

// capture appends to the feed of flow f; the checkpoint moves on.
func (b *bench) capture(changes ...lockstep.Change) {
	b.Helper()
	from, _, err := b.s.Checkpoint(b.ctx, "feed")
	b.ok(err)
	b.places++
	b.ok(b.s.Append(b.ctx, "feed", from, changes, place(b.places), time.Time{}))
}

func place(n int) lockstep.Position { return lockstep.Position(fmt.Sprintf(`{"n":%d}`, n)) }

// lease leases from flow f for a minute.
func (b *bench) lease(most int) []lockstep.Delivery {
	b.Helper()
	return b.leaseOf("f", most)
}

func (b *bench) leaseOf(flow string, most int) []lockstep.Delivery {
	b.Helper()
	out, err := b.s.Lease(b.ctx, flow, most, time.Minute)
	b.ok(err)
	return out
}

// one leases the single delivery that must be there.
func (b *bench) one() lockstep.Delivery {
	b.Helper()
	out := b.lease(10)
	if len(out) != 1 {
		b.Fatalf("leased %v, want one", texts(out))
	}
	return out[0]
}

func (b *bench) settle(outcomes ...lockstep.Outcome) {
	b.Helper()
	b.ok(b.s.Settle(b.ctx, outcomes...))
}

func done(d lockstep.Delivery) lockstep.Outcome {
	return lockstep.Outcome{Delivery: d, Verdict: lockstep.Done, Did: "updated"}
}

func retry(d lockstep.Delivery, in time.Duration) lockstep.Outcome {
	return lockstep.Outcome{Delivery: d, Verdict: lockstep.Retry, RetryAt: time.Now().Add(in), Attempt: true}
}

func park(d lockstep.Delivery) lockstep.Outcome {
	return lockstep.Outcome{Delivery: d, Verdict: lockstep.Park, Fault: lockstep.Faultf(lockstep.CodeValue, "does not fit")}
}

func wait(d lockstep.Delivery, flow string, key lockstep.Key) lockstep.Outcome {
	return lockstep.Outcome{Delivery: d, Verdict: lockstep.Wait, RetryAt: time.Now().Add(time.Hour),
		For: &lockstep.Ref{Flow: flow, Key: key}}
}

// text is a delivery in short: key, generation, what is to be done, and its past.
func text(d lockstep.Delivery) string {
	t := fmt.Sprintf("%s#%d", d.Change.Record.Key, d.Generation)
	switch v, has := d.Change.Record.Fields.Get("v"); {
	case d.Change.Hint:
		t += " hint"
	case d.Change.Op == lockstep.Delete:
		t += " delete"
	case d.Change.Fault != nil:
		t += " unread"
	case has:
		t += " v=" + v.String()
	}
	if d.Attempts > 0 {
		t += fmt.Sprintf(" attempts=%d", d.Attempts)
	}
	if d.Tried {
		t += " tried"
	}
	return t
}

func texts(ds []lockstep.Delivery) []string {
	out := []string{}
	for _, d := range ds {
		out = append(out, text(d))
	}
	return out
}

// leases checks what flow f hands out now.
func (b *bench) leases(want ...string) []lockstep.Delivery {
	b.Helper()
	return b.leasesOf("f", want...)
}

func (b *bench) leasesOf(flow string, want ...string) []lockstep.Delivery {
	b.Helper()
	ds := b.leaseOf(flow, 1000)
	if want == nil {
		want = []string{}
	}
	same(b, texts(ds), want)
	return ds
}

// entries checks the open entries of flow f: "state key#generation …".
func (b *bench) entries(want ...string) []lockstep.Entry {
	b.Helper()
	return b.entriesOf("f", want...)
}

func (b *bench) entriesOf(flow string, want ...string) []lockstep.Entry {
	b.Helper()
	es, err := b.s.Entries(b.ctx, flow, "", 0, 1000)
	b.ok(err)
	got := []string{}
	for _, e := range es {
		got = append(got, string(e.State)+" "+text(e.Delivery))
	}
	if want == nil {
		want = []string{}
	}
	same(b, got, want)
	return es
}

func (b *bench) status(flow string) lockstep.FlowStatus {
	b.Helper()
	st, err := b.s.Status(b.ctx, flow)
	b.ok(err)
	return st
}

// link makes a link of flow f known through a page.
func (b *bench) link(flow string, links ...lockstep.Link) {
	b.Helper()
	r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: flow, Kind: lockstep.FullRun})
	b.ok(err)
	r.State, r.Ended = lockstep.Finished, time.Now()
	b.ok(b.s.SettlePage(b.ctx, flow, lockstep.PageEnd{Run: r, Links: links}))
}

func ab(a, other lockstep.Key) lockstep.Link {
	return lockstep.Link{A: lockstep.End{Key: a}, B: lockstep.End{Key: other, Digest: "1:x"}}
}

// find is the flow's link of a source key, as "a=b", "" for none.
func (b *bench) find(flow string, keys ...lockstep.Key) string {
	b.Helper()
	states, err := b.s.Links(b.ctx, flow, keys)
	b.ok(err)
	var out []lockstep.Link
	for _, st := range states {
		out = append(out, st.Link)
	}
	return linkTexts(out)
}

func (b *bench) findTo(flow string, keys ...lockstep.Key) string {
	b.Helper()
	links, err := b.s.LinksTo(b.ctx, flow, keys)
	b.ok(err)
	return linkTexts(links)
}

func linkTexts(links []lockstep.Link) string {
	var out []string
	for _, l := range links {
		if l.ID == 0 {
			out = append(out, "-")
		} else {
			out = append(out, string(l.A.Key)+"="+string(l.B.Key))
		}
	}
	return strings.Join(out, " ")
}
