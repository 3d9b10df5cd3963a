package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

var referenceRows = []row{
	{"what a record was made with is kept as a whole", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built|lockstep.Linked), to("g", "y", lockstep.Linked))
		same(b, b.madeWith("f", "1"), "g/x:3 g/y:2")
		b.reopen()
		same(b, b.madeWith("f", "1"), "g/x:3 g/y:2")
		b.refers("f", "1", to("g", "y", lockstep.Built), to("g", "y", lockstep.Linked), to("nobody", "z", lockstep.Built))
		same(b, b.madeWith("f", "1"), "g/y:3") // a flow that nobody knows has no records
		b.refers("f", "1")
		same(b, b.madeWith("f", "1"), "")
	}},
	{"an outcome without references leaves what is known", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.capture(up("1", 2))
		b.settle(done(b.one()))
		same(b, b.madeWith("f", "1"), "g/x:1")
	}},
	{"what an accepted write drops counts until it is done", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Linked))
		b.capture(up("1", 2))
		o := accepted(b.one(), "r1")
		o.Refs = []lockstep.Reference{to("g", "y", lockstep.Linked)}
		b.settle(o)
		same(b, b.madeWith("f", "1"), "g/x:2 g/y:2")
		time.Sleep(time.Until(o.RetryAt) + time.Millisecond)
		due, _, err := b.s.Confirming(b.ctx, "f", 10)
		b.ok(err)
		o = done(due[0])
		o.Refs = []lockstep.Reference{to("g", "y", lockstep.Linked)}
		b.settle(o)
		same(b, b.madeWith("f", "1"), "g/y:2")
	}},
	{"a change has those looked at that are made from it", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.refers("f", "2", to("g", "x", lockstep.Linked))
		b.refers("f", "3", to("g", "y", lockstep.Built))
		b.captureOf("g", up("x", 1), up("z", 1))
		same(b, b.status("f").Spreading, int64(1))
		b.reopen() // it is as durable as the change
		b.leases("1#1 hint")
		same(b, b.status("f").Spreading, int64(0))
	}},
	{"a delete does", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.captureOf("g", gone("x"))
		b.leases("1#1 hint")
	}},
	{"a hint does", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.ok(b.s.Hint(b.ctx, "g", []lockstep.Key{"x"}))
		b.leases("1#1 hint")
	}},
	{"a change that a full sync hands to the queue does", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "g", Kind: lockstep.FullRun})
		b.ok(err)
		b.ok(b.s.SettlePage(b.ctx, "g", lockstep.PageEnd{Run: r, Queue: []lockstep.Change{gone("x")}}))
		b.leases("1#1 hint")
	}},
	{"news go no further than one step", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.refers("f", "2", to("f", "1", lockstep.Built))
		b.captureOf("g", up("x", 1))
		b.settle(done(b.leases("1#1 hint")[0]))
		b.leases()
	}},
	{"a record has no news for itself", func(b *bench) {
		b.refers("f", "1", to("f", "1", lockstep.Built))
		b.capture(up("1", 1))
		b.settle(done(b.one()))
		b.leases()
		same(b, b.entries(), nil)
	}},
	{"news say where they come from", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.captureOf("g", up("x", 1))
		b.leases("1#1 hint")
		events, _, _, err := b.s.Story(b.ctx, "f", "1")
		b.ok(err)
		if !slices.ContainsFunc(events, func(e lockstep.Event) bool { return e.Did == "hinted" && e.Note == "refers to x of flow g" }) {
			b.Fatalf("%+v", events)
		}
	}},
	{"a link has those looked at that were sent without it", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Linked|lockstep.Pending))
		b.refers("f", "2", to("g", "x", lockstep.Linked))
		b.link("g", ab("x", "X"))
		b.leases("1#1 hint")
	}},
	{"a link that came before the references were saved does, too", func(b *bench) {
		b.link("g", ab("x", "X"))
		b.refers("f", "1", to("g", "x", lockstep.Linked|lockstep.Pending))
		b.leases("1#1 hint")
	}},
	{"a link of the same settle does, too", func(b *bench) {
		b.capture(up("1", 1))
		b.captureOf("g", up("x", 1))
		of, og := done(b.one()), done(b.leaseOf("g", 1)[0])
		link := ab("x", "X")
		of.Refs, og.Link = []lockstep.Reference{to("g", "x", lockstep.Pending)}, &link
		b.settle(of, og)
		b.leases("1#1 hint")
	}},
	{"what a record is made from has changed since it was read", func(b *bench) {
		for _, page := range []bool{false, true} {
			key := lockstep.Key(fmt.Sprint(page))
			b.capture(up(key, 1))
			d := b.one()
			before := b.mark()
			b.captureOf("g", up("x"+key, 1))
			after := b.mark()
			for i, since := range []lockstep.Seq{0, after, before} {
				b.refers("f", key)
				refs := []lockstep.Reference{to("g", "x"+key, lockstep.Built)}
				if page {
					r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
					b.ok(err)
					b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Refs: []lockstep.Refers{{Key: key, To: refs}}, Since: since}))
				} else {
					o := done(d)
					o.Refs, o.Since = refs, since
					b.settle(o)
				}
				ds := b.lease(10)
				if page && i == 0 {
					b.settle(done(d))
				}
				if want := map[bool]int{true: 1}[i == 2]; len(ds) != want {
					b.Fatalf("page %v, since %d of %d and %d: leased %v", page, since, before, after, texts(ds))
				}
				if i == 2 {
					b.settle(done(ds[0]))
				} else if !page {
					b.capture(up(key, 1))
					d = b.one()
				}
			}
		}
	}},
	{"what a record is made from may have changed, where nobody knows when it was read", func(b *bench) {
		b.capture(up("1", 1))
		d := b.one()
		b.mark()
		o := done(d)
		o.Refs, o.Since = []lockstep.Reference{to("g", "x", lockstep.Built)}, -1
		b.settle(o)
		again := done(b.leases("1#1 hint")[0])
		again.Refs, again.Since = o.Refs, -1 // it is known by now
		b.settle(again)
		b.leases()
	}},
	{"news of an outcome reach those that it names", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.refers("f", "2", to("g", "x", lockstep.Linked))
		b.captureOf("g", up("x", 1))
		d := b.leaseOf("g", 1)[0]
		b.settle(done(b.leases("1#1 hint")[0]))
		o := done(d)
		o.News = lockstep.Linked
		b.settle(o)
		b.leases("2#1 hint")
	}},
	{"a page keeps references and news", func(b *bench) {
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
		b.ok(err)
		b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Refs: []lockstep.Refers{
			{Key: "1", To: []lockstep.Reference{to("g", "x", lockstep.Built)}}, {Key: "2", To: []lockstep.Reference{to("g", "x", lockstep.Linked)}}}}))
		same(b, b.madeWith("f", "1")+" "+b.madeWith("f", "2"), "g/x:1 g/x:2")
		r.Flow = "g"
		b.ok(b.s.SettlePage(b.ctx, "g", lockstep.PageEnd{Run: r, News: []lockstep.News{{Key: "x", For: lockstep.Linked}}}))
		b.leases("2#1 hint")
	}},
	{"who asks is known until the references change", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Linked))
		b.captureOf("g", gone("x"))
		d := b.leaseOf("g", 1)[0]
		same(b, b.busy(d), "f/1")
		o := retry(d, time.Second)
		o.News = lockstep.Linked
		b.settle(o)
		hint := b.leases("1#1 hint")[0]
		same(b, b.busy(d), "f/1 leased")
		b.refers("f", "2", to("g", "x", lockstep.Linked))
		same(b, b.busy(d), "f/1 leased, f/2")
		still := done(hint)
		still.Refs = []lockstep.Reference{to("g", "x", lockstep.Linked)}
		b.settle(still)
		same(b, b.busy(d), "f/2")
		all, err := b.s.Referrers(b.ctx, "g", []lockstep.ReferrerQuery{{Key: "x", For: lockstep.Linked, Max: 10}, {Key: "y", For: lockstep.Linked, Max: 10},
			{Key: "x", For: lockstep.Built, Max: 10}, {Key: "x", For: lockstep.Linked | lockstep.Built, Max: 1}})
		b.ok(err)
		same(b, []int{len(all[0]), len(all[1]), len(all[2]), len(all[3])}, []int{2, 0, 0, 1})
	}},
	{"one who is parked keeps nobody waiting", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Linked))
		b.captureOf("g", gone("x"))
		d := b.leaseOf("g", 1)[0]
		o := retry(d, time.Second)
		o.News = lockstep.Linked
		b.settle(o)
		b.settle(park(b.one()))
		same(b, b.busy(d), "")
	}},
	{"news to many are spread in pages, also over a restart", func(b *bench) {
		const many = 2500
		var all []lockstep.Refers
		for i := range many {
			all = append(all, lockstep.Refers{Key: lockstep.Key(fmt.Sprintf("%04d", i)), To: []lockstep.Reference{to("g", "x", lockstep.Built)}})
		}
		b.made("f", all...)
		b.captureOf("g", up("x", 1))
		if n := len(b.leaseOf("f", many)); n == 0 || n > 1000 {
			b.Fatalf("one lease took the news to %d", n)
		}
		same(b, b.status("f").Spreading, int64(1))
		b.reopen()
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		for b.status("f").Spreading > 0 {
			b.ok(b.s.Wait(ctx, "bare")) // any flow's lease goes on with it
			b.leaseOf("bare", 1)
		}
		es, err := b.s.Entries(b.ctx, "f", "", 0, many+1)
		b.ok(err)
		keys := map[lockstep.Key]bool{}
		for _, e := range es {
			keys[e.Change.Record.Key] = true
		}
		same(b, len(keys), many)
		same(b, len(es), many)
	}},
	{"a change while its news are spread spreads them anew", func(b *bench) {
		const many = 1500
		var all []lockstep.Refers
		for i := range many {
			all = append(all, lockstep.Refers{Key: lockstep.Key(fmt.Sprintf("%04d", i)), To: []lockstep.Reference{to("g", "x", lockstep.Built)}})
		}
		b.made("f", all...)
		b.captureOf("g", up("x", 1))
		first := b.leaseOf("f", 1)[0]
		b.settle(done(first))
		b.captureOf("g", up("x", 2))
		for range 3 {
			b.leaseOf("bare", 1)
		}
		es, err := b.s.Entries(b.ctx, "f", "", 0, 2*many)
		b.ok(err)
		same(b, len(es), many)
	}},
	{"a flow that is left out misses news, and a full sync of it is due", func(b *bench) {
		b.refers("f", "1", to("g", "x", lockstep.Built))
		b.attach(benchFlows[1:]...)
		b.captureOf("g", up("x", 1))
		b.leaseOf("bare", 1)
		b.attach(benchFlows...)
		rows, err := b.s.Runs(b.ctx, lockstep.RunQuery{Flow: "f", Kind: lockstep.FullRun})
		b.ok(err)
		if len(rows) == 0 || rows[0].State != lockstep.Interrupted || len(rows[0].Place) > 0 {
			b.Fatalf("%+v", rows)
		}
	}},
	{"an entry that is parked for a link goes when it comes", func(b *bench) {
		b.capture(up("1", 1), up("2", 1))
		ds := b.lease(10)
		ring := park(ds[0])
		ring.For = &lockstep.Ref{Flow: "g", Key: "x"}
		b.settle(ring, park(ds[1]))
		b.reopen()
		es := b.entries("parked 1#1 v=1"+b.tried(), "parked 2#1 v=1"+b.tried())
		same(b, *es[0].For, *ring.For)
		b.link("g", ab("x", "X"))
		b.entries("ready 1#1 v=1"+b.tried(), "parked 2#1 v=1"+b.tried())
		same(b, b.status("f").Parked, int64(1))
		b.leases("1#1 v=1" + b.tried())
	}},
	{"open entries are found by their keys", func(b *bench) {
		b.capture(up("1", 1), up("2", 1))
		b.settle(wait(b.lease(1)[0], "g", "x"))
		es, err := b.s.Open(b.ctx, "f", []lockstep.Key{"2", "3", "1", "2"})
		b.ok(err)
		if es[1] != nil || es[0] == nil || es[3] == nil || es[2].State != lockstep.Waits || es[2].For.Key != "x" || es[0].State != lockstep.Ready {
			b.Fatalf("%+v", es)
		}
	}},
	{"a note stands in the story", func(b *bench) {
		b.capture(up("1", 1))
		o := done(b.one())
		o.Note = "all the same"
		b.settle(o)
		events, _, _, err := b.s.Story(b.ctx, "f", "1")
		b.ok(err)
		same(b, events[len(events)-1].Note, "all the same")
	}},
}

func to(flow string, key lockstep.Key, use lockstep.Use) lockstep.Reference {
	return lockstep.Reference{Ref: lockstep.Ref{Flow: flow, Key: key}, Use: use}
}

// made says what records were made with.
func (b *bench) made(flow string, all ...lockstep.Refers) {
	b.Helper()
	r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: flow, Kind: lockstep.FullRun})
	b.ok(err)
	r.State, r.Ended, r.Place = lockstep.Finished, time.Now(), place(1)
	b.ok(b.s.SettlePage(b.ctx, flow, lockstep.PageEnd{Run: r, Refs: all}))
}

func (b *bench) refers(flow string, key lockstep.Key, all ...lockstep.Reference) {
	b.Helper()
	b.made(flow, lockstep.Refers{Key: key, To: all})
}

func (b *bench) madeWith(flow string, key lockstep.Key) string {
	b.Helper()
	all, err := b.s.Refers(b.ctx, flow, key)
	b.ok(err)
	var out string
	for _, r := range all {
		out += fmt.Sprintf(" %s/%s:%d", r.Flow, r.Key, r.Use)
	}
	return out[min(1, len(out)):]
}

// busy are those that a delete of flow g has to wait for.
func (b *bench) busy(d lockstep.Delivery) string {
	b.Helper()
	all, err := b.s.Referrers(b.ctx, "g", []lockstep.ReferrerQuery{{Key: d.Change.Record.Key, For: lockstep.Linked, Busy: d.ID, Max: 10}})
	b.ok(err)
	var out string
	for _, r := range all[0] {
		out += ", " + r.Flow + "/" + string(r.Key)
		if r.State != "" {
			out += " " + string(r.State)
		}
	}
	return out[min(2, len(out)):]
}

// captureOf is capture for another flow of the bench.
func (b *bench) captureOf(flow string, changes ...lockstep.Change) {
	b.Helper()
	feed := map[string]string{"f": "feed", "g": "other"}[flow]
	from, _, err := b.s.Checkpoint(b.ctx, feed)
	b.ok(err)
	b.places++
	b.ok(b.s.Append(b.ctx, feed, from, changes, place(b.places), time.Time{}))
}

// tried is how an entry of an earlier process is told.
func (b *bench) tried() string {
	if b.h.Reopen == nil {
		return ""
	}
	return " tried"
}
