package storetest

import (
	"context"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

func contextWithCancel(b *bench) (context.Context, context.CancelFunc) {
	return context.WithCancel(b.ctx)
}

var settleRows = []row{
	{"done leaves the queue", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		b.settle(done(ds[0]))
		b.entries("leased b#1 v=1")
		b.settle(done(ds[1]))
		b.entries()
		time.Sleep(time.Hour)
		b.reopen()
		b.leases()
		same(b, b.status("f").LastSettled.IsZero(), false)
	}},
	{"done of an old generation leaves the newer one ready", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		time.Sleep(time.Second)
		b.capture(up("a", 2))
		first := time.Now()
		time.Sleep(time.Second)
		b.capture(up("a", 3))
		b.leases() // never two of a key
		o := done(d)
		o.Link = &lockstep.Link{A: lockstep.End{Key: "a"}, B: lockstep.End{Key: "A", Digest: "1:old"}}
		b.settle(o)
		same(b, b.find("f", "a"), "a=A")
		es := b.entries("ready a#3 v=3")
		same(b, es[0].Captured.Equal(first), true) // the oldest state that is not delivered yet
		same(b, es[0].Coalesced, int64(1))
		b.leases("a#3 v=3")
	}},
	{"retry, park and wait of an old generation leave the newer one ready", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1))
		ds := b.lease(3)
		b.capture(up("a", 2), up("b", 2), up("c", 2))
		b.settle(retry(ds[0], time.Hour), park(ds[1]), wait(ds[2], "g", "x"))
		b.leases("a#2 v=2", "b#2 v=2", "c#2 v=2")
	}},
	{"what was tried and overtaken is told while the record has no link", func(b *bench) {
		l := ab("linked", "L")
		b.link("f", l)
		b.capture(up("made", 1), up("linked", 1), up("unsent", 1), gone("gone"), up("done", 1))
		ds := b.lease(10)
		b.capture(up("made", 2), up("linked", 2), up("unsent", 2), up("gone", 2), up("done", 2))
		var outcomes []lockstep.Outcome
		for _, d := range ds {
			o := retry(d, 0)
			o.Tried = d.Change.Record.Key != "unsent"
			if d.Change.Record.Key == "done" {
				o = done(d)
			}
			outcomes = append(outcomes, o)
		}
		b.settle(outcomes...)
		b.reopen()
		b.attach(benchFlows...)
		for _, d := range b.lease(10) {
			want := 0
			if d.Change.Record.Key == "made" {
				want = 1
			}
			if len(d.Prior) != want {
				b.Fatalf("%s tells of %d tries, want %d", d.Change.Record.Key, len(d.Prior), want)
			}
			if want == 1 && versionOf(d.Prior[0]) != "1" {
				b.Fatalf("it tells of %s", versionOf(d.Prior[0]))
			}
		}
	}},
	{"what was fetched for a create is told where a newer record has overtaken it", func(b *bench) {
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a"}))
		d := b.one()
		b.capture(up("a", 2))
		d.Change.Record.Fields = up("a", 1).Record.Fields
		b.ok(b.s.Keep(b.ctx, d))
		o := retry(d, 0)
		o.Tried = true
		b.settle(o)
		got := b.leases("a#2 v=2 tried")
		same(b, len(got[0].Prior), 1)
		same(b, versionOf(got[0].Prior[0]), "1")
	}},
	{"a lease ends with its time", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		b.leases()
		time.Sleep(time.Minute - time.Second)
		b.leases()
		time.Sleep(time.Second)
		ended := time.Now()
		again := b.leases("a#2 v=1 tried") // law 5
		same(b, again[0].TriedAt.Equal(ended), true)
		b.settle(done(d)) // stale: ignored
		b.entries("leased a#2 v=1 tried")
		b.settle(done(again[0]))
		b.entries()
	}},
	{"a stale outcome leaves no link and no story", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		time.Sleep(2 * time.Minute)
		again := b.one()
		o := done(d)
		link := ab("a", "A")
		o.Link = &link
		b.settle(o)
		same(b, b.find("f", "a"), "-")
		b.settle(done(again))
		b.settle(done(again)) // twice: nothing to close
		b.settle(done(d))
		b.entries()
	}},
	{"an outcome counts after its time as long as nobody else has the entry", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		time.Sleep(2 * time.Minute)
		b.settle(done(d))
		b.entries()
	}},
	{"an outcome counts once", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		l := ab("a", "A")
		again := done(d)
		again.Link = &l
		b.settle(retry(d, time.Minute), again)
		same(b, b.find("f", "a"), "-")
		b.settle(done(d))
		b.entries("delayed a#1 v=1 attempts=1")
	}},
	{"retry comes back at its time with its attempts", func(b *bench) {
		b.capture(up("a", 1))
		o := retry(b.one(), time.Minute)
		o.Fault = lockstep.Faultf(lockstep.CodeNetwork, "broken")
		b.settle(o)
		es := b.entries("delayed a#1 v=1 attempts=1")
		same(b, es[0].NotBefore.Equal(o.RetryAt), true)
		same(b, es[0].Fault.Code, lockstep.CodeNetwork)
		time.Sleep(59 * time.Second)
		b.leases()
		time.Sleep(time.Second)
		b.entries("ready a#1 v=1 attempts=1")
		d := b.leases("a#1 v=1 attempts=1")[0]
		o = retry(d, 0)
		o.RetryAt, o.Attempt = time.Time{}, false // at once, and it does not count
		b.settle(o)
		d = b.leases("a#1 v=1 attempts=1")[0]
		b.settle(retry(d, time.Second))
		time.Sleep(time.Second)
		b.leases("a#1 v=1 attempts=2")
	}},
	{"tried stays until the outcome is known", func(b *bench) {
		b.capture(up("a", 1))
		o := retry(b.one(), time.Second)
		o.Tried = true
		b.settle(o)
		when := time.Now()
		time.Sleep(time.Second)
		d := b.leases("a#1 v=1 attempts=1 tried")[0]
		same(b, d.TriedAt.Equal(when), true)
		b.settle(retry(d, time.Second)) // could not look: still unknown
		b.capture(up("a", 2))
		d = b.leases("a#2 v=2 tried")[0]
		same(b, d.TriedAt.Equal(when), true)
		b.capture(up("a", 3))
		b.settle(done(d))
		b.leases("a#3 v=3")
	}},
	{"what was open at a start counts as tried", func(b *bench) {
		if b.h.Reopen == nil {
			b.Skip("the store forgets: there is no start to speak of")
		}
		b.capture(up("a", 1), gone("b"), up("c", 1))
		ds := b.lease(2)
		b.settle(retry(ds[1], time.Hour))
		time.Sleep(time.Second)
		b.reopen()
		start := time.Now()
		time.Sleep(time.Second)
		b.attach(benchFlows...)
		b.capture(up("d", 1), up("c", 2))
		b.settle(done(ds[0])) // a lease of the past
		b.entries("ready a#1 v=1 tried", "delayed b#1 delete attempts=1 tried", "ready c#2 v=2 tried", "ready d#1 v=1")
		ds = b.leases("a#1 v=1 tried", "c#2 v=2 tried", "d#1 v=1")
		same(b, !ds[0].TriedAt.Before(start.Add(-time.Millisecond)) && !ds[0].TriedAt.After(start.Add(time.Millisecond)), true)
		b.settle(retry(ds[0], 0), retry(ds[2], 0))
		ds = b.leases("a#1 v=1 attempts=1 tried", "d#1 v=1 attempts=1")
		b.capture(up("a", 9))
		b.settle(done(ds[0]))
		b.leases("a#2 v=9") // its own state was never tried
	}},
	{"settle saves links", func(b *bench) {
		b.capture(up("a", 1))
		o := done(b.one())
		when := time.Now().UTC()
		o.Link = &lockstep.Link{A: lockstep.End{Key: "a", Digest: "1:\x00\xffa", Version: "7"},
			B: lockstep.End{Key: "A", Digest: "1:b", Version: "8"}, Run: 3, At: when}
		b.settle(o)
		b.reopen()
		st, err := b.s.Links(b.ctx, "f", []lockstep.Key{"a", "none"})
		b.ok(err)
		want := *o.Link
		want.Set, want.ID = "f", st[0].Link.ID
		st[0].Link.At = st[0].Link.At.UTC()
		same(b, st, []lockstep.LinkState{{Link: want}, {}})
		if st[0].Link.ID == 0 {
			b.Fatal("a link needs an ID")
		}
	}},
	{"a retry saves its link, too", func(b *bench) {
		b.capture(up("a", 1))
		o := retry(b.one(), time.Minute)
		l := ab("a", "A")
		o.Link = &l
		b.settle(o)
		same(b, b.find("f", "a"), "a=A")
		b.entries("delayed a#1 v=1 attempts=1")
	}},
	{"unlink forgets, and may link anew in one outcome", func(b *bench) {
		b.link("f", ab("a", "A"), ab("b", "b"))
		b.capture(gone("a"), up("b", 1))
		ds := b.lease(2)
		o1, o2 := done(ds[0]), done(ds[1])
		a, old, anew := ab("a", "A"), ab("b", "b"), ab("b", "B2")
		o1.Unlink, o2.Unlink, o2.Link = &a, &old, &anew
		b.settle(o1, o2)
		same(b, b.find("f", "a", "b"), "- b=B2")
		same(b, b.findTo("f", "A", "b", "B2"), "- - b=B2")
		n, _, err := b.s.CountLinks(b.ctx, "f")
		b.ok(err)
		same(b, n, int64(1))
	}},
	{"settle of nothing is nothing", func(b *bench) {
		b.settle()
		b.settle(lockstep.Outcome{Delivery: lockstep.Delivery{ID: 77, Flow: "f", Generation: 1}, Verdict: lockstep.Done})
		b.entries()
	}},
}

var waitRows = []row{
	{"a waiting entry goes when its link appears in a settle", func(b *bench) {
		b.capture(up("order", 1))
		b.settle(wait(b.one(), "g", "customer"))
		es := b.entries("waiting order#1 v=1")
		same(b, *es[0].For, lockstep.Ref{Flow: "g", Key: "customer"})
		b.leases()
		b.ok(b.s.Hint(b.ctx, "g", []lockstep.Key{"other", "customer"}))
		ds := b.leaseOf("g", 2)
		o1, o2 := done(ds[0]), done(ds[1])
		l1, l2 := ab("other", "1"), ab("customer", "2")
		o1.Link, o2.Link = &l1, &l2
		b.settle(o1)
		b.leases()
		b.settle(o2)
		b.leases("order#1 v=1")
	}},
	{"a waiting entry goes when its link appears in a page", func(b *bench) {
		b.capture(up("order", 1), up("order2", 1))
		ds := b.lease(2)
		b.settle(wait(ds[0], "g", "customer"), wait(ds[1], "g", "nobody"))
		b.link("g", ab("customer", "2"))
		b.leases("order#1 v=1")
	}},
	{"a link that came before the settle is not missed", func(b *bench) {
		b.capture(up("order", 1))
		d := b.one()
		b.link("g", ab("customer", "2"))
		b.settle(wait(d, "g", "customer"))
		b.leases("order#1 v=1")
	}},
	{"a link of the same settle is not missed, in either order", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1))
		ds := b.lease(3)
		l := ab("b", "B")
		o := done(ds[1])
		o.Link = &l
		b.settle(wait(ds[0], "f", "b"), o, wait(ds[2], "f", "b"))
		b.leases("a#1 v=1", "c#1 v=1")
	}},
	{"a waiting entry goes at its time at the latest", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(wait(b.one(), "g", "never"))
		time.Sleep(time.Hour - time.Second)
		b.leases()
		time.Sleep(time.Second)
		b.leases("a#1 v=1")
	}},
	{"a wait outlives the process", func(b *bench) {
		b.capture(up("a", 1))
		o := wait(b.one(), "g", "x")
		o.RetryAt = time.Time{}
		b.settle(o)
		b.reopen()
		b.attach(benchFlows...)
		time.Sleep(48 * time.Hour)
		b.leases()
		b.link("g", ab("y", "x"))
		b.leases()
		b.link("g", ab("x", "y"))
		same(b, len(b.lease(1)), 1)
	}},
	{"a link is waited for by the key of the side that its flow reads", func(b *bench) {
		b.attach(append(benchFlows[:1:1],
			lockstep.FlowDef{Name: "there", Set: "pair", Side: lockstep.A},
			lockstep.FlowDef{Name: "back", Set: "pair", Side: lockstep.B})...)
		b.capture(up("1", 1), up("2", 1), up("3", 1))
		ds := b.lease(3)
		b.settle(wait(ds[0], "there", "a"), wait(ds[1], "back", "b"), wait(ds[2], "back", "a"))
		b.link("back", ab("a", "b"))
		b.leases("1#1 v=1", "2#1 v=1")
	}},
	{"a wait for an unknown flow, or for nothing known, ends at its time", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(2)
		o := wait(ds[1], "", "")
		o.For = nil
		b.settle(wait(ds[0], "nobody", "x"), o)
		b.leases()
		time.Sleep(time.Hour)
		b.leases("a#1 v=1", "b#1 v=1")
	}},
}
