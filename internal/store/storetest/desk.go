package storetest

import (
	"fmt"
	"strings"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// story checks the story of a key of flow f: "did" or "did(note)" in order.
func (b *bench) story(key lockstep.Key, want ...string) ([]lockstep.Event, *lockstep.Entry, *lockstep.Link) {
	b.Helper()
	events, open, link, err := b.s.Story(b.ctx, "f", key)
	b.ok(err)
	got := []string{}
	for i, ev := range events {
		did := ev.Did
		if ev.Note != "" {
			did += "(" + ev.Note + ")"
		}
		got = append(got, did)
		if i > 0 && ev.At.Before(events[i-1].At) {
			b.Fatalf("%s comes before %s", did, got[i-1])
		}
		if ev.Flow != "f" || ev.Key != key {
			b.Fatalf("an event of %s %s in the story of %s", ev.Flow, ev.Key, key)
		}
	}
	if want == nil {
		want = []string{}
	}
	same(b, got, want)
	return events, open, link
}

var deskRows = []row{
	{"a story tells everything in order", func(b *bench) {
		b.story("a")
		b.capture(up("a", 1))
		time.Sleep(time.Second)
		b.capture(up("a", 2))
		b.capture(up("a", 3))
		time.Sleep(time.Second)
		d := b.one()
		_, open, link := b.story("a", "captured", "coalesced(2 more)", "sent")
		same(b, open.State, lockstep.Leased)
		same(b, link == nil, true)
		time.Sleep(time.Second)
		o := retry(d, time.Second)
		o.Fault = lockstep.Faultf(lockstep.CodeNetwork, "broken")
		b.settle(o)
		time.Sleep(time.Second)
		d = b.one()
		b.settle(wait(d, "g", "x"))
		b.link("g", ab("x", "x"))
		d = b.one()
		time.Sleep(time.Second)
		o = done(d)
		o.Did, o.Run = "created", 4
		l := ab("a", "A")
		o.Link = &l
		b.settle(o)
		b.reopen()
		events, open, link := b.story("a", "captured", "coalesced(2 more)", "sent", "retry", "sent", "waiting(for x of flow g)", "sent", "created")
		same(b, open == nil, true)
		same(b, link.B.Key, "A")
		same(b, events[3].Fault.Error(), "LS-NETWORK: broken")
		same(b, events[7].Run, int64(4))
		same(b, events[7].Other, lockstep.Key("A"))
		time.Sleep(time.Second)
		b.capture(gone("a"))
		b.story("a", "captured", "coalesced(2 more)", "sent", "retry", "sent", "waiting(for x of flow g)", "sent", "created", "captured")
		b.story("b")
	}},
	{"a settled older generation has its story, and the newer one its own", func(b *bench) {
		b.capture(up("a", 1))
		time.Sleep(time.Second)
		d := b.one()
		time.Sleep(time.Second)
		b.capture(up("a", 2))
		time.Sleep(time.Second)
		b.settle(done(d))
		b.story("a", "captured", "sent", "captured", "updated")
	}},
	{"a hint, a page and a parked record say where they come from", func(b *bench) {
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"h"}))
		r := b.startRun()
		o := park(lockstep.Delivery{Change: up("p", 1)})
		o.Run = r.ID
		b.settlePage(lockstep.PageEnd{Run: r, Failed: []lockstep.Outcome{o}})
		b.capture(unread("u"))
		b.story("h", "hinted")
		events, open, _ := b.story("p", "page", "parked")
		same(b, events[1].Run, r.ID)
		same(b, open.State, lockstep.Parked)
		_, open, _ = b.story("u", "captured")
		same(b, open.Fault.Code, lockstep.CodeTooLarge)
	}},
	{"a story does not grow without bound", func(b *bench) {
		b.capture(up("a", 1))
		for range 300 {
			b.settle(retry(b.one(), 0))
			time.Sleep(time.Millisecond)
		}
		events, _, _, err := b.s.Story(b.ctx, "f", "a")
		b.ok(err)
		if len(events) < 20 || len(events) > 120 {
			b.Fatalf("%d steps are kept", len(events))
		}
		same(b, events[0].Did, "captured")
		same(b, events[len(events)-1].Did, "retry")
	}},
	{"entries are listed by state and paged", func(b *bench) {
		var page []lockstep.Change
		for i := range 10 {
			page = append(page, up(lockstep.Key(fmt.Sprint(i)), i))
		}
		b.capture(page...)
		ds := b.lease(5)
		b.settle(park(ds[0]), retry(ds[1], time.Hour), wait(ds[2], "g", "x"))
		for state, want := range map[lockstep.EntryState]string{"": "0 1 2 3 4 5 6 7 8 9", lockstep.Parked: "0", lockstep.Delayed: "1",
			lockstep.Waits: "2", lockstep.Leased: "3 4", lockstep.Ready: "5 6 7 8 9"} {
			var got []string
			after := int64(0)
			for {
				es, err := b.s.Entries(b.ctx, "f", state, after, 2)
				b.ok(err)
				if len(es) == 0 {
					break
				}
				for _, e := range es {
					got = append(got, string(e.Change.Record.Key))
					after = e.ID
				}
			}
			same(b, strings.Join(got, " "), want)
		}
		es, err := b.s.Entries(b.ctx, "g", "", 0, 10)
		b.ok(err)
		same(b, len(es), 0)
	}},
	{"requeue makes parked and delayed entries ready with all their attempts", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1), up("d", 1), unread("u"))
		ds := b.lease(4)
		b.settle(park(ds[0]), retry(ds[1], time.Hour), wait(ds[2], "g", "x"))
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		n, err := b.s.Requeue(b.ctx, es[0].ID, es[1].ID, es[2].ID, es[3].ID, es[4].ID, 9999)
		b.ok(err)
		same(b, n, 4) // d is leased
		es = b.entries("ready a#1 v=1", "ready b#1 v=1", "ready c#1 v=1", "leased d#1 v=1", "ready u#1 hint")
		same(b, es[0].Fault == nil && es[4].Fault == nil, true)
		b.leases("a#1 v=1", "b#1 v=1", "c#1 v=1", "u#1 hint")
		b.story("a", "captured", "sent", "parked", "requeued", "sent")
		n, err = b.s.Requeue(b.ctx)
		b.ok(err)
		same(b, n, 0)
	}},
	{"discard closes for good, with its reason", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1))
		ds := b.lease(2)
		b.settle(park(ds[0]))
		es := b.entries("parked a#1 v=1", "leased b#1 v=1", "ready c#1 v=1")
		n, err := b.s.Discard(b.ctx, "not ours", es[0].ID, es[1].ID, es[2].ID)
		b.ok(err)
		same(b, n, 2) // b's write may be under way
		b.entries("leased b#1 v=1")
		b.reopen()
		_, open, _ := b.story("a", "captured", "sent", "parked", "discarded(not ours)")
		same(b, open == nil, true)
	}},
	{"status counts", func(b *bench) {
		start := time.Now()
		same(b, b.status("f"), lockstep.FlowStatus{})
		b.capture(up("a", 1), up("b", 1))
		time.Sleep(time.Second)
		b.capture(up("c", 1), up("d", 1), up("e", 1))
		ds := b.lease(4)
		b.settle(park(ds[0]), retry(ds[2], time.Minute), wait(ds[3], "g", "x"))
		b.link("f", ab("x", "y"))
		st := b.status("f")
		same(b, st.Oldest.Equal(start), true)
		same(b, st.LastSettled.Equal(time.Now()), true)
		count := func(want lockstep.FlowStatus) {
			b.Helper()
			st := b.status("f")
			want.Oldest, want.CapturedUpTo, want.LastSettled = st.Oldest, st.CapturedUpTo, st.LastSettled
			same(b, st, want)
		}
		count(lockstep.FlowStatus{Ready: 1, Delayed: 1, Waiting: 1, Leased: 1, Parked: 1, Links: 1})
		b.settle(done(ds[1]))
		same(b, b.status("f").Oldest.Equal(start.Add(time.Second)), true) // parked ones do not count
		count(lockstep.FlowStatus{Ready: 1, Delayed: 1, Waiting: 1, Parked: 1, Links: 1})
		b.reopen()
		count(lockstep.FlowStatus{Ready: 1, Delayed: 1, Waiting: 1, Parked: 1, Links: 1})
		same(b, b.status("f").Oldest.Equal(start.Add(time.Second)), true)
		time.Sleep(2 * time.Minute)
		count(lockstep.FlowStatus{Ready: 2, Waiting: 1, Parked: 1, Links: 1})
		b.lease(10)
		count(lockstep.FlowStatus{Leased: 2, Waiting: 1, Parked: 1, Links: 1})
		time.Sleep(2 * time.Minute)
		count(lockstep.FlowStatus{Ready: 2, Waiting: 1, Parked: 1, Links: 1})
		b.capture(unread("c"), unread("e"))
		count(lockstep.FlowStatus{Waiting: 1, Parked: 3, Links: 1})
	}},
	{"prune drops the days that ended before", func(b *bench) {
		day := 24 * time.Hour
		time.Sleep(time.Until(time.Now().UTC().Truncate(day).Add(day + time.Hour))) // an hour into a day
		begin := time.Now().UTC().Truncate(day)
		for _, key := range []lockstep.Key{"one", "two", "three"} {
			b.capture(up(key, 1))
			b.settle(done(b.one()))
			b.story(key, "captured", "sent", "updated")
			time.Sleep(day)
		}
		b.ok(b.s.Prune(b.ctx, begin.Add(day-time.Second)))
		b.story("one", "captured", "sent", "updated")
		b.ok(b.s.Prune(b.ctx, begin.Add(day)))
		b.story("one")
		b.story("two", "captured", "sent", "updated")
		b.ok(b.s.Prune(b.ctx, begin.Add(5*day/2)))
		b.reopen()
		b.story("two")
		b.story("three", "captured", "sent", "updated")
		b.capture(up("two", 1))
		b.settle(done(b.one()))
		b.story("two", "captured", "sent", "updated")
	}},
}
