package storetest

import (
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// accepted is the outcome of a delivery that the target has accepted: it is asked about in a second.
func accepted(d lockstep.Delivery, receipt string, holds ...string) lockstep.Outcome {
	return lockstep.Outcome{Delivery: d, Verdict: lockstep.Accept, RetryAt: time.Now().Add(time.Second),
		Operation: &lockstep.Operation{Receipt: receipt, At: time.Now(), Then: []byte(`{"then":"` + receipt + `"}`), Holds: holds}}
}

// confirming is what is to be asked about now, in flow f.
func (b *bench) confirming() []lockstep.Delivery {
	b.Helper()
	ds, _, err := b.s.Confirming(b.ctx, "f", 1000)
	b.ok(err)
	return ds
}

// asked is the single operation that must be open, and due.
func (b *bench) asked() lockstep.Delivery {
	b.Helper()
	time.Sleep(time.Second)
	ds := b.confirming()
	if len(ds) != 1 {
		b.Fatalf("%v are to be asked about, want one", texts(ds))
	}
	return ds[0]
}

func (b *bench) held(names ...string) []bool {
	b.Helper()
	since, err := b.s.Held(b.ctx, names)
	b.ok(err)
	out := make([]bool, len(since))
	for i, at := range since {
		out[i] = !at.IsZero()
	}
	return out
}

var operationRows = []row{
	{"what was accepted stays open and is not leased, also after a restart", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		at := time.Now()
		b.settle(accepted(ds[0], "r1", "one", "two"), done(ds[1]))
		es := b.entries("confirming a#1 v=1")
		same(b, es[0].Operation.Receipt, "r1")
		same(b, es[0].Operation.At.Equal(at), true)
		same(b, es[0].NotBefore.Equal(at.Add(time.Second)), true)
		b.leases()
		time.Sleep(time.Hour)
		b.leases()
		for range 2 {
			st := b.status("f")
			same(b, []any{st.Ready, st.Leased, st.Confirming, st.Accepted.Equal(at), st.Oldest.IsZero()}, []any{int64(0), int64(0), int64(1), true, false})
			got := b.confirming()
			same(b, len(got), 1)
			same(b, []any{got[0].Operation.Receipt, string(got[0].Operation.Then), got[0].Operation.Holds, got[0].Generation, got[0].Operation.At.Equal(at)},
				[]any{"r1", `{"then":"r1"}`, []string{"one", "two"}, int64(1), true})
			states, err := b.s.Links(b.ctx, "f", []lockstep.Key{"a"})
			b.ok(err)
			same(b, states[0].Open, true)
			b.reopen()
			b.attach(benchFlows...)
			b.leases()
			es, err := b.s.Entries(b.ctx, "f", lockstep.Confirming, 0, 10)
			b.ok(err)
			same(b, len(es), 1)
		}
	}},
	{"an operation is asked about at its time, and says when that is", func(b *bench) {
		ds, next, err := b.s.Confirming(b.ctx, "f", 10)
		b.ok(err)
		same(b, []any{len(ds), next.IsZero()}, []any{0, true})
		b.capture(up("a", 1), up("b", 1))
		two := b.lease(10)
		later := accepted(two[1], "r2")
		later.RetryAt = time.Now().Add(time.Minute)
		b.settle(accepted(two[0], "r1"), later)
		ds, next, err = b.s.Confirming(b.ctx, "f", 10)
		b.ok(err)
		same(b, []any{len(ds), next.Equal(time.Now().Add(time.Second))}, []any{0, true})
		d := b.asked()
		still := accepted(d, "r1")
		still.RetryAt = time.Now().Add(2 * time.Minute)
		still.Operation.At = time.Now() // of no account: it was accepted when it was
		b.settle(still)
		same(b, len(b.confirming()), 0)
		same(b, b.status("f").Accepted.Equal(d.Operation.At), true)
		time.Sleep(3 * time.Minute)
		ds, _, err = b.s.Confirming(b.ctx, "f", 1)
		b.ok(err)
		same(b, texts(ds), []string{"b#1 v=1"}) // the longest due first
		same(b, len(b.confirming()), 2)
	}},
	{"another receipt takes the place of the first", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		b.reopen()
		b.attach(benchFlows...)
		first := b.asked()
		b.settle(accepted(first, "r2"))
		b.settle(done(first)) // that one is not open any more
		d := b.asked()
		same(b, []any{d.Operation.Receipt, string(d.Operation.Then), d.Operation.At.Equal(first.Operation.At)}, []any{"r2", `{"then":"r1"}`, true})
		b.settle(done(d))
		b.entries()
	}},
	{"a confirmed operation leaves link and story", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		d := b.asked()
		link := ab("a", "A")
		o := done(d)
		o.Did, o.Link = "created", &link
		b.settle(o, o)
		b.entries()
		same(b, b.find("f", "a"), "a=A")
		events, _, _, err := b.s.Story(b.ctx, "f", "a")
		b.ok(err)
		var did []string
		for _, ev := range events {
			did = append(did, ev.Did)
		}
		same(b, did, []string{"captured", "sent", "accepted", "confirmed", "created"})
		same(b, events[2].Note, "r1")
	}},
	{"a newer generation waits behind the operation", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1", "A"))
		time.Sleep(time.Second)
		b.capture(up("a", 2))
		first := time.Now()
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a"}))
		b.entries("confirming a#3 hint")
		b.leases()
		d := b.asked()
		same(b, d.Generation, int64(1))
		link := ab("a", "A")
		o := done(d)
		o.Link = &link
		b.settle(o)
		same(b, b.find("f", "a"), "a=A")
		es := b.entries("ready a#3 hint")
		same(b, es[0].Captured.Equal(first), true)
		b.leases("a#3 hint")
	}},
	{"what came between lease and acceptance waits, too", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		b.capture(up("a", 2))
		b.settle(accepted(d, "r1"))
		b.entries("confirming a#2 v=2")
		b.leases()
		b.settle(done(b.asked()))
		b.leases("a#2 v=2")
	}},
	{"a change that cannot be read waits behind the operation, then for a person", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		b.capture(unread("a"))
		b.entries("confirming a#2 unread")
		b.settle(done(b.asked()))
		b.entries("parked a#2 unread")
	}},
	{"an operation that failed is retried, parked or looked at", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1), up("d", 1))
		for _, d := range b.lease(10) {
			b.settle(accepted(d, "r "+string(d.Change.Record.Key), string(d.Change.Record.Key)))
		}
		time.Sleep(time.Second)
		ds := b.confirming()
		unknown := retry(ds[2], time.Minute)
		unknown.Tried = true
		b.settle(retry(ds[0], time.Minute), park(ds[1]), unknown, wait(ds[3], "g", "x"))
		b.entries("delayed a#1 v=1 attempts=1", "parked b#1 v=1", "delayed c#1 v=1 attempts=1 tried", "waiting d#1 v=1")
		same(b, b.held("a", "b", "c", "d"), []bool{false, false, false, false})
		time.Sleep(time.Minute)
		b.leases("a#1 v=1 attempts=1", "c#1 v=1 attempts=1 tried")
		same(b, len(b.confirming()), 0)
	}},
	{"attempts go on over an operation", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(retry(b.one(), 0))
		b.settle(accepted(b.leases("a#1 v=1 attempts=1")[0], "r1"))
		b.settle(retry(b.asked(), time.Second))
		time.Sleep(time.Second)
		b.leases("a#1 v=1 attempts=2")
	}},
	{"a failed operation leaves the newer generation ready", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		b.settle(accepted(ds[0], "r1"), accepted(ds[1], "r2"))
		b.capture(up("a", 2), gone("b"))
		time.Sleep(time.Second)
		ds = b.confirming()
		o := park(ds[0])
		o.Tried = true
		b.settle(o, retry(ds[1], time.Hour))
		b.leases("a#2 v=2 tried", "b#2 delete")
	}},
	{"names are held until the operation ends", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		b.settle(accepted(ds[0], "r1", "x", `tables/"quoted" and [more]`), accepted(ds[1], "r2", "y"))
		same(b, b.held("x", "free", `tables/"quoted" and [more]`, "y", "x"), []bool{true, false, true, true, true})
		b.reopen()
		b.attach(benchFlows...)
		same(b, b.held("x", "y"), []bool{true, true})
		time.Sleep(time.Second)
		ds = b.confirming()
		b.settle(done(ds[0]))
		same(b, b.held("x", "y"), []bool{false, true})
		es := b.entries("confirming b#1 v=1" + afterReopen(b))
		_, err := b.s.Discard(b.ctx, "not ours", es[0].ID)
		b.ok(err)
		same(b, b.held("x", "y"), []bool{false, false})
	}},
	{"an outcome of an operation that is over is ignored", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		d := b.asked()
		b.settle(retry(d, 0))
		time.Sleep(time.Second)
		again := b.one()
		b.settle(done(d), accepted(d, "r9"))
		b.entries("leased a#1 v=1 attempts=1")
		b.settle(accepted(again, "r2"))
		b.settle(done(d))
		b.entries("confirming a#1 v=1 attempts=1")
	}},
	{"a lease that ran out and was accepted afterwards counts while nobody else has the entry", func(b *bench) {
		b.capture(up("a", 1))
		d := b.one()
		time.Sleep(2 * time.Minute)
		b.settle(accepted(d, "r1"))
		b.leases()
		b.settle(done(b.asked()))
		b.entries()
	}},
	{"a person can give up an operation: its outcome is not known", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		b.settle(accepted(ds[0], "r1"), accepted(ds[1], "r2"))
		es := b.entries("confirming a#1 v=1", "confirming b#1 v=1")
		n, err := b.s.Requeue(b.ctx, es[0].ID)
		b.ok(err)
		same(b, n, 1)
		n, err = b.s.Discard(b.ctx, "it will never end", es[1].ID)
		b.ok(err)
		same(b, n, 1)
		b.entries("ready a#1 v=1 tried") // law 5
		time.Sleep(time.Second)
		same(b, len(b.confirming()), 0)
		b.leases("a#1 v=1 tried")
	}},
	{"the accepted records of a page become operations", func(b *bench) {
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
		b.ok(err)
		since := b.mark()
		send, err := b.s.BeginPage(b.ctx, r.ID, "f", since, []lockstep.PageWrite{{Change: up("a", 1)}, {Change: up("b", 1)}, {Change: up("c", 1)}})
		b.ok(err)
		same(b, send, []bool{true, true, true})
		b.capture(up("b", 2), up("c", 2)) // while they are written
		leased := b.leases("b#1 v=2", "c#1 v=2")
		b.settle(retry(leased[1], time.Hour))
		b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Failed: []lockstep.Outcome{
			accepted(lockstep.Delivery{Change: up("a", 1)}, "r1", "A"), accepted(lockstep.Delivery{Change: up("b", 1)}, "r2"),
			accepted(lockstep.Delivery{Change: up("c", 1)}, "r3")}}))
		b.settle(done(leased[0])) // it knows nothing of the page
		b.entries("confirming b#2 v=2", "confirming c#1 v=2 attempts=1", "confirming a#1 v=1")
		same(b, b.held("A"), []bool{true})
		b.leases()
		flight, _, err := b.s.Resume(b.ctx, r.ID)
		b.ok(err)
		same(b, len(flight), 0)
		time.Sleep(time.Second)
		for _, d := range b.confirming() {
			b.settle(done(d))
		}
		b.leases("b#2 v=2", "c#1 v=2 attempts=1")
	}},
	{"a page's record waits behind an operation", func(b *bench) {
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
		b.ok(err)
		send, err := b.s.BeginPage(b.ctx, r.ID, "f", b.mark(), []lockstep.PageWrite{{Change: up("a", 2)}})
		b.ok(err)
		same(b, send, []bool{false})
		b.entries("confirming a#2 v=2")
		b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Queue: []lockstep.Change{gone("a")}}))
		b.entries("confirming a#3 hint")
		b.settle(done(b.asked()))
		b.leases("a#3 hint")
	}},
	{"a link that comes with a confirmed operation wakes who waits for it", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		ds := b.lease(10)
		b.settle(accepted(ds[0], "r1"), wait(ds[1], "f", "a"))
		b.leases()
		link := ab("a", "A")
		o := done(b.asked())
		o.Link = &link
		b.settle(o)
		b.leases("b#1 v=1")
	}},
	{"what an accepted record was made with is known from then on", func(b *bench) {
		b.capture(up("a", 1))
		o := accepted(b.one(), "r1")
		o.Refs = []lockstep.Reference{{Ref: lockstep.Ref{Flow: "g", Key: "x"}, Use: lockstep.Built}}
		b.settle(o)
		refs, err := b.s.Refers(b.ctx, "f", "a")
		b.ok(err)
		same(b, refs, o.Refs)
		b.ok(b.s.Hint(b.ctx, "g", []lockstep.Key{"x"})) // news of it
		time.Sleep(time.Second)
		b.leaseOf("g", 1)
		b.entries("confirming a#2 hint")
	}},
	{"in a pair, what was overtaken behind an operation is told until it is done", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "pair"}, lockstep.FlowDef{Name: "back", Set: "pair", Side: lockstep.B})
		b.capture(up("a", 1))
		b.settle(accepted(b.one(), "r1"))
		b.capture(up("a", 2))
		d := b.asked()
		same(b, len(d.Prior), 1)
		o := retry(d, time.Hour)
		o.Tried = true
		b.settle(o)
		got := b.leases("a#2 v=2 tried")
		same(b, len(got[0].Prior), 1)
		same(b, got[0].Prior[0].Record.Fields.Equal(up("a", 1).Record.Fields), true)
	}},
}

// afterReopen is what an entry's text ends with once a durable store was opened again.
func afterReopen(b *bench) string {
	if b.h.Reopen == nil {
		return ""
	}
	return " tried"
}
