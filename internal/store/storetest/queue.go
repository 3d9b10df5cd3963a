package storetest

import (
	"fmt"
	"testing/synctest"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var queueRows = []row{
	{"append moves the checkpoint", func(b *bench) {
		at, upTo, err := b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		if at != nil || !upTo.IsZero() {
			b.Fatalf("a new feed is at %q, %v", at, upTo)
		}
		when := time.Now().Add(-time.Minute).UTC()
		b.ok(b.s.Append(b.ctx, "feed", nil, []lockstep.Change{up("a", 1)}, place(1), when))
		b.ok(b.s.Append(b.ctx, "feed", place(1), nil, place(2), time.Time{})) // no word on time: it stays
		b.reopen()
		at, upTo, err = b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		same(b, string(at), string(place(2)))
		same(b, upTo.UTC(), when)
		same(b, b.status("f").CapturedUpTo.UTC(), when)
	}},
	{"append is refused unless the checkpoint is from", func(b *bench) {
		b.capture(up("a", 1))
		for _, from := range []lockstep.Position{nil, place(7)} {
			err := b.s.Append(b.ctx, "feed", from, []lockstep.Change{up("b", 1), up("a", 2)}, place(2), time.Time{})
			b.refused(err, lockstep.CodeMovedCursor)
		}
		at, _, err := b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		same(b, string(at), string(place(1)))
		b.entries("ready a#1 v=1")
	}},
	{"the same page twice is refused the second time", func(b *bench) {
		page := []lockstep.Change{up("a", 1)}
		b.ok(b.s.Append(b.ctx, "feed", nil, page, place(1), time.Time{}))
		b.refused(b.s.Append(b.ctx, "feed", nil, page, place(1), time.Time{}), lockstep.CodeMovedCursor)
		b.entries("ready a#1 v=1")
	}},
	{"reset sets the checkpoint whatever it was", func(b *bench) {
		b.capture(up("a", 1))
		when := time.Now().UTC()
		b.ok(b.s.Reset(b.ctx, "feed", place(9), when))
		b.reopen()
		at, upTo, err := b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		same(b, string(at), string(place(9)))
		same(b, upTo.UTC(), when)
		b.ok(b.s.Append(b.ctx, "feed", place(9), nil, place(10), time.Time{}))
		b.ok(b.s.Reset(b.ctx, "feed", nil, time.Time{}))
		at, upTo, err = b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		same(b, at == nil && upTo.IsZero(), true)
	}},
	{"a feed fills all its flows, and no other", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "f"}, lockstep.FlowDef{Name: "f2", Feed: "feed", Set: "f2"},
			lockstep.FlowDef{Name: "g", Feed: "other", Set: "g"}, lockstep.FlowDef{Name: "bare", Set: "bare"})
		b.capture(up("a", 1), up("b", 2))
		b.entriesOf("f", "ready a#1 v=1", "ready b#1 v=2")
		b.entriesOf("f2", "ready a#1 v=1", "ready b#1 v=2")
		b.entriesOf("g")
		b.entriesOf("bare")
		b.settle(done(b.leaseOf("f2", 1)[0]))
		b.entriesOf("f", "ready a#1 v=1", "ready b#1 v=2")
	}},
	{"a flow that is not named any more keeps what it has and gets nothing new", func(b *bench) {
		b.capture(up("a", 1))
		b.attach(benchFlows[1:]...)
		b.capture(up("b", 1))
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		same(b, len(es), 1)
		b.attach(benchFlows...)
		b.capture(up("c", 1))
		same(b, b.status("f").Ready, 2)
	}},
	{"flows are known after a reopen", func(b *bench) {
		b.link("f", ab("x", "y"))
		b.reopen()
		same(b, b.find("f", "x"), "x=y")
	}},
	{"an unknown flow is a fault", func(b *bench) {
		_, err := b.s.Lease(b.ctx, "nobody", 1, time.Minute)
		b.refused(err, lockstep.CodeNoFlow)
		b.refused(b.s.Hint(b.ctx, "nobody", []lockstep.Key{"a"}), lockstep.CodeNoFlow)
		_, err = b.s.Links(b.ctx, "nobody", []lockstep.Key{"a"})
		b.refused(err, lockstep.CodeNoFlow)
		b.refused(b.s.Wait(b.ctx, "nobody"), lockstep.CodeNoFlow)
		_, err = b.s.Status(b.ctx, "nobody")
		b.refused(err, lockstep.CodeNoFlow)
	}},
	{"a record comes back as it was", func(b *bench) {
		dec, err := value.ParseDecimal("12.3400")
		b.ok(err)
		at := time.Date(2026, 3, 29, 2, 30, 0, 123456789, time.FixedZone("", 7200))
		fields := value.F("text", "z\u00fc\x00\U0001F600\n", "empty", "", "null", nil, "int", int64(9007199254740993), "dec", dec,
			"float", 0.1, "bytes", []byte{0, 255}, "time", at, "list", []any{1, "a", nil}, "obj", map[string]any{"$dec": 1}, "yes", true)
		c := lockstep.Change{Record: lockstep.Record{Key: `["1","a b"]`, Fields: fields, Version: "v\"7", At: at}}
		b.capture(c, lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: "gone", Version: "3"}})
		b.reopen()
		ds := b.lease(10)
		got := ds[0].Change.Record
		if !got.Fields.Equal(fields) || got.Key != c.Record.Key || got.Version != c.Record.Version || !got.At.Equal(at) {
			b.Fatalf("got %+v, want %+v", got, c.Record)
		}
		same(b, got.Fields.Names().List(), fields.Names().List())
		same(b, ds[1].Change.Op, lockstep.Delete)
		same(b, ds[1].Change.Record.Version, "3")
	}},
	{"many changes of a key are one entry: the newest state, the oldest time", func(b *bench) {
		start := time.Now()
		b.capture(up("a", 1))
		time.Sleep(time.Second)
		b.capture(up("b", 1), up("a", 2))
		time.Sleep(time.Second)
		b.capture(up("a", 3), gone("a"), up("a", 4))
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", lockstep.Ready, 0, 10)
		b.ok(err)
		e := es[0]
		same(b, e.Generation, int64(5))
		same(b, e.Coalesced, int64(4))
		same(b, e.Captured.Equal(start), true)
		same(b, e.Changed.Equal(start.Add(2*time.Second)), true)
		same(b, es[1].Coalesced, int64(0))
		ds := b.lease(10)
		v, _ := ds[0].Change.Record.Fields.Get("v")
		same(b, v.String(), "4")
		same(b, ds[0].Captured.Equal(start), true)
	}},
	{"a parked or delayed entry is taken over by a new change", func(b *bench) {
		b.capture(up("parked", 1), up("delayed", 1), up("waits", 1))
		ds := b.lease(3)
		b.settle(park(ds[0]), retry(ds[1], time.Hour), wait(ds[2], "g", "x"))
		b.entries("parked parked#1 v=1", "delayed delayed#1 v=1 attempts=1", "waiting waits#1 v=1")
		b.leases()
		b.capture(up("parked", 2), up("delayed", 2), up("waits", 2))
		es := b.entries("ready parked#2 v=2", "ready delayed#2 v=2", "ready waits#2 v=2")
		same(b, es[0].Fault == nil && es[1].NotBefore.IsZero() && es[2].For == nil, true)
		b.leases("parked#2 v=2", "delayed#2 v=2", "waits#2 v=2")
		b.link("g", ab("x", "x")) // nobody waits any more
	}},
	{"a change with a fault is parked, and its neighbours go on", func(b *bench) {
		b.capture(up("a", 1), unread("line 17"), up("b", 1))
		b.leases("a#1 v=1", "b#1 v=1")
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", lockstep.Parked, 0, 10)
		b.ok(err)
		same(b, len(es), 1)
		same(b, es[0].Change.Record.Key, "line 17")
		same(b, es[0].Fault.Code, lockstep.CodeTooLarge)
		same(b, es[0].Change.Fault.Code, lockstep.CodeTooLarge)
		same(b, es[0].Fault.Error(), "LS-TOO-LARGE: too large")
	}},
	{"a fault parks an open entry, and a good change frees it", func(b *bench) {
		b.capture(up("a", 1))
		b.capture(unread("a"))
		b.leases()
		es := b.entries("parked a#2 unread")
		same(b, es[0].Fault.Code, lockstep.CodeTooLarge)
		b.capture(up("a", 3))
		es = b.entries("ready a#3 v=3")
		same(b, es[0].Fault == nil && es[0].Change.Fault == nil, true)
		d := b.one()
		b.capture(unread("a"))
		b.settle(done(d))
		b.entries("parked a#4 unread")
	}},
	{"a hint is a key to look at", func(b *bench) {
		b.ok(b.s.Hint(b.ctx, "bare", []lockstep.Key{"a", "b", "a"}))
		ds := b.leasesOf("bare", "a#2 hint", "b#1 hint")
		same(b, ds[0].Change.Record.Fields.Len(), 0)
		at, _, err := b.s.Checkpoint(b.ctx, "feed")
		b.ok(err)
		same(b, at == nil, true)
	}},
	{"a hint on an open entry is a new generation that must be fetched", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), gone("c"))
		ds := b.lease(2)
		b.settle(park(ds[1]))
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a", "b", "c"}))
		b.settle(done(ds[0]))
		b.leases("a#2 hint", "b#2 hint", "c#2 hint")
	}},
	{"a delete or a hint leaves the image that the entry had", func(b *bench) {
		b.capture(up("a", 1), up("b", 2), up("c", 3))
		b.capture(gone("a"), unread("c"))
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"b"}))
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		for i, e := range es { // law 5: it tells where to look
			v, has := e.Change.Record.Fields.Get("v")
			same(b, has && v.String() == fmt.Sprint(i+1), true)
		}
		same(b, es[0].Change.Op == lockstep.Delete && es[1].Change.Hint && es[2].Change.Fault != nil, true)
	}},
	{"a change takes a hint over", func(b *bench) {
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a"}))
		b.capture(up("a", 1))
		b.leases("a#2 v=1")
	}},
	{"leases go by rank: low is late, never starved", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "f", Create: lockstep.Low, Update: lockstep.Low, Delete: lockstep.High})
		b.capture(up("low", 1))
		time.Sleep(9 * time.Minute)
		b.capture(gone("high1"))
		time.Sleep(2 * time.Minute) // now low is older than its handicap
		b.capture(gone("high2"))
		ds := b.leases("high1#1 delete", "low#1 v=1", "high2#1 delete")
		b.settle(done(ds[0]), done(ds[1]), done(ds[2]))
		b.capture(up("1", 1), up("2", 1), gone("3"))
		b.leases("3#1 delete", "1#1 v=1", "2#1 v=1")
	}},
	{"priority is create without a link, else update, or delete", func(b *bench) {
		def := lockstep.FlowDef{Name: "f", Feed: "feed", Set: "f", Create: lockstep.High, Update: lockstep.Low, Delete: lockstep.Normal}
		b.attach(def)
		b.link("f", ab("known", "k"))
		b.capture(up("known", 1), up("new", 1), gone("known2"))
		es := b.entries("ready known#1 v=1", "ready new#1 v=1", "ready known2#1 delete")
		same(b, []lockstep.Priority{es[0].Priority, es[1].Priority, es[2].Priority},
			[]lockstep.Priority{lockstep.Low, lockstep.High, lockstep.Normal})
		b.capture(gone("known")) // the more urgent of the two stays
		b.capture(up("known2", 1))
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		same(b, []lockstep.Priority{es[0].Priority, es[2].Priority}, []lockstep.Priority{lockstep.Normal, lockstep.High})
	}},
	{"a lease takes at most as many as asked, and never two of a key", func(b *bench) {
		for i := range 25 {
			b.capture(up(lockstep.Key(fmt.Sprint("k", i%20)), i))
		}
		seen := map[lockstep.Key]bool{}
		for _, most := range []int{7, 7, 7, 7} {
			ds := b.lease(most)
			same(b, len(ds) <= most, true)
			for _, d := range ds {
				if seen[d.Change.Record.Key] {
					b.Fatalf("%s is leased twice", d.Change.Record.Key)
				}
				seen[d.Change.Record.Key] = true
			}
			b.capture(up("k0", 100)) // a new generation of what is leased is not handed out
		}
		same(b, len(seen), 20)
	}},
	{"entries wait behind thousands of delayed and parked ones without harm", func(b *bench) {
		var page []lockstep.Change
		for i := range 1500 {
			page = append(page, up(lockstep.Key(fmt.Sprintf("k%04d", i)), i))
		}
		b.capture(page...)
		var outcomes []lockstep.Outcome
		for i, d := range b.lease(1400) {
			if i%2 == 0 {
				outcomes = append(outcomes, park(d))
			} else {
				outcomes = append(outcomes, retry(d, time.Hour))
			}
		}
		b.settle(outcomes...)
		same(b, len(b.lease(1000)), 100)
		time.Sleep(2 * time.Hour)
		n := 0
		for range 20 {
			n += len(b.lease(100))
		}
		same(b, n, 800)
		same(b, b.status("f"), lockstep.FlowStatus{Leased: 800, Parked: 700, Oldest: b.status("f").Oldest, LastSettled: b.status("f").LastSettled})
	}},
	{"wait returns for what is ready, appended, hinted or due", func(b *bench) {
		woken := func(name string, by func()) {
			b.Helper()
			ended := make(chan error, 1)
			go func() { ended <- b.s.Wait(b.ctx, "f") }()
			synctest.Wait()
			select {
			case err := <-ended:
				b.Fatalf("%s: it did not wait: %v", name, err)
			default:
			}
			by()
			b.ok(<-ended)
			same(b, len(b.lease(1)), 1)
		}
		woken("append", func() { b.capture(up("a", 1)) })
		woken("hint", func() { b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"b"})) })
		start := time.Now()
		woken("lease expiry", func() {})
		same(b, time.Since(start) >= time.Minute, true)
		b.settle(dones(b)...)
		b.capture(up("c", 1))
		b.ok(b.s.Wait(b.ctx, "f")) // at once
		d := b.one()
		b.settle(retry(d, time.Hour))
		start = time.Now()
		woken("delayed", func() {})
		same(b, time.Since(start), time.Hour)
		es, err := b.s.Entries(b.ctx, "f", lockstep.Leased, 0, 1)
		b.ok(err)
		b.settle(park(es[0].Delivery))
		woken("requeue", func() {
			n, err := b.s.Requeue(b.ctx, es[0].ID)
			b.ok(err)
			same(b, n, 1)
		})
		b.capture(up("c", 2))
		es, err = b.s.Entries(b.ctx, "f", lockstep.Leased, 0, 1)
		b.ok(err)
		held := es[0].Delivery
		held.Generation--
		woken("settle", func() { b.settle(done(held)) })
	}},
	{"wait ends with its context and with the store", func(b *bench) {
		ctx, cancel := contextWithCancel(b)
		ended := make(chan error, 2)
		go func() { ended <- b.s.Wait(ctx, "f") }()
		synctest.Wait()
		cancel()
		same(b, (<-ended).Error(), "context canceled")
		go func() { ended <- b.s.Wait(b.ctx, "f") }()
		synctest.Wait()
		b.ok(b.s.Close())
		b.refused(<-ended, lockstep.CodeStore)
		b.refused(b.s.Append(b.ctx, "feed", nil, nil, place(1), time.Time{}), lockstep.CodeStore)
		_, err := b.s.Status(b.ctx, "f")
		b.refused(err, lockstep.CodeStore)
	}},
}

// dones settles all that is leased of flow f.
func dones(b *bench) []lockstep.Outcome {
	es, err := b.s.Entries(b.ctx, "f", "", 0, 1000)
	b.ok(err)
	var out []lockstep.Outcome
	for _, e := range es {
		out = append(out, done(e.Delivery))
	}
	return out
}
