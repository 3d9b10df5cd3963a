package storetest

import (
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// flightRows came from the engine's crash test: what is in flight must be found again, also where the target chooses
// its keys and the source record is gone by then.
var flightRows = []row{
	{"a record whose target key is unknown is in flight with its image", func(b *bench) {
		r := b.startRun()
		since := b.mark()
		c := up("a", 7)
		_, err := b.s.BeginPage(b.ctx, r.ID, "f", since, []lockstep.PageWrite{{Change: c}, {Change: up("b", 1), Target: "B", Digest: "\x00\xffd"}, {Change: up("c", 1), Digest: "e"}})
		b.ok(err)
		b.reopen()
		got, _, err := b.s.Resume(b.ctx, r.ID)
		b.ok(err)
		if len(got) != 3 || !got[0].Image.Equal(c.Record.Fields) || got[0].Digest != "" || got[1].Image.Len() != 0 || got[1].Target != "B" ||
			got[1].Digest != "\x00\xffd" || got[2].Image.Len() != 1 || got[2].Digest != "e" {
			b.Fatalf("in flight: %+v", got)
		}
	}},
	{"what was begun in two pages and settled in none is in flight from both", func(b *bench) {
		r := b.startRun()
		b.begin(r, b.mark(), []lockstep.Change{up("a", 1)}, true)
		b.begin(r, b.mark(), []lockstep.Change{up("b", 1)}, true)
		b.reopen()
		b.left(r, "a", "b")
	}},
	{"a hint of a page keeps the image that it carries", func(b *bench) {
		r := b.startRun()
		hint := lockstep.Change{Record: lockstep.Record{Key: "a", Fields: value.F("n", 7)}, Hint: true}
		b.settlePage(lockstep.PageEnd{Run: r, Failed: []lockstep.Outcome{{Delivery: lockstep.Delivery{Flow: "f", Change: hint}, Verdict: lockstep.Retry, Tried: true}}})
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		if len(es) != 1 || !es[0].Change.Hint || !es[0].Tried || !es[0].Change.Record.Fields.Equal(hint.Record.Fields) {
			b.Fatalf("%+v", es)
		}
	}},
	{"what is kept of a hint is there after a start", func(b *bench) {
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a", "b", "c"}))
		ds := b.lease(10)
		kept := up("a", 7).Record.Fields
		ds[0].Change.Record.Fields, ds[1].Change.Record.Fields = kept, kept
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"b"}))
		b.capture(gone("c"))
		b.ok(b.s.Keep(b.ctx, ds...)) // nothing to keep of c
		b.ok(b.s.Keep(b.ctx))
		b.reopen()
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		if len(es) != 3 || !es[0].Change.Hint || !es[0].Change.Record.Fields.Equal(kept) || !es[1].Change.Record.Fields.Equal(kept) || es[1].Generation != 2 ||
			es[2].Change.Op != lockstep.Delete || es[2].Change.Record.Fields.Len() != 0 {
			b.Fatalf("%+v", es)
		}
	}},
	{"what is kept does not take the place of a newer record, nor of what another has leased", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), gone("c"))
		ds := b.lease(10)
		for i := range ds {
			ds[i].Change.Record.Fields = up("", 9).Record.Fields
		}
		b.capture(up("a", 2), gone("b"))
		b.ok(b.s.Keep(b.ctx, ds...))
		b.settle(retry(ds[0], 0), retry(ds[1], 0), retry(ds[2], time.Minute))
		now := b.leases("a#2 v=2", "b#2 delete")
		if v, _ := now[1].Change.Record.Fields.Get("v"); v.String() != "9" {
			b.Fatalf("the delete found %v in its entry", v)
		}
		time.Sleep(2 * time.Minute)
		stale := now
		now = b.leases("a#3 v=2 tried", "b#3 delete tried", "c#1 delete attempts=1")
		stale[0].Change.Record.Fields = up("", 3).Record.Fields
		b.ok(b.s.Keep(b.ctx, stale[0], lockstep.Delivery{ID: 99, Generation: 1}))
		b.entries("leased a#3 v=2 tried", "leased b#3 delete tried", "leased c#1 delete attempts=1")
		b.settle(done(now[0]), done(now[1]), done(now[2]))
	}},
	{"hints of very many keys at once are each one entry", func(b *bench) {
		const n = 11_111
		keys := make([]lockstep.Key, 0, n+2)
		for i := range n {
			keys = append(keys, lockstep.Key(fmt.Sprint("k", i)))
		}
		b.capture(up("k7", 1))
		b.ok(b.s.Hint(b.ctx, "f", append(keys, "k0", "k5000")))
		same(b, b.status("f").Ready, int64(n))
		es, err := b.s.Entries(b.ctx, "f", "", 0, 1)
		b.ok(err)
		same(b, text(es[0].Delivery), "k7#2 hint")
		same(b, len(b.lease(2*n)), n)
	}},
	{"a hint goes as an update where its key is linked, else as a create", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "f", Create: lockstep.High, Update: lockstep.Low, Delete: lockstep.Normal})
		b.link("f", ab("known", "known"))
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"known", "new"}))
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		same(b, []lockstep.Priority{es[0].Priority, es[1].Priority}, []lockstep.Priority{lockstep.Low, lockstep.High})
	}},
	{"a hint behind a settled delivery has nothing of it", func(b *bench) {
		b.capture(up("a", 1), up("b", 1), up("c", 1))
		ds := b.lease(3)
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"a", "b"}))
		b.capture(gone("c"))
		b.settle(done(ds[0]), retry(ds[1], 0), done(ds[2]))
		ds = b.leases("a#2 hint", "b#2 hint", "c#2 delete")
		if ds[0].Change.Record.Fields.Len() != 0 || ds[1].Change.Record.Fields.Len() == 0 || ds[2].Change.Record.Fields.Len() != 0 {
			b.Fatalf("%+v", ds)
		}
	}},
	{"a record of a page that cannot be read is parked, also where an entry is open", func(b *bench) {
		r := b.startRun()
		bad := lockstep.Change{Record: lockstep.Record{Key: "line 17"}, Fault: lockstep.Faultf(lockstep.CodeFormat, "first")}
		b.settlePage(lockstep.PageEnd{Run: r, Queue: []lockstep.Change{bad}})
		bad.Fault = lockstep.Faultf(lockstep.CodeFormat, "second")
		b.settlePage(lockstep.PageEnd{Run: r, Queue: []lockstep.Change{bad}})
		es, err := b.s.Entries(b.ctx, "f", lockstep.Parked, 0, 10)
		b.ok(err)
		if len(es) != 1 || es[0].Fault == nil || es[0].Fault.Err.Error() != "second" {
			b.Fatalf("%+v", es)
		}
	}},
	{"a flow that was left out while its feed took changes is due for a full sync", func(b *bench) {
		due := func() int {
			rows, err := b.s.Runs(b.ctx, lockstep.RunQuery{Flow: "f", Kind: lockstep.FullRun})
			b.ok(err)
			n := 0
			for _, r := range rows {
				if r.State == lockstep.Interrupted {
					n++
				}
			}
			return n
		}
		twin := lockstep.FlowDef{Name: "twin", Feed: "feed", Set: "twin"}
		b.attach(append(benchFlows, twin)...)
		b.attach(twin) // f is left out for a moment: nothing happens meanwhile
		b.attach(append(benchFlows, twin)...)
		same(b, due(), 0)
		b.attach(twin)
		b.capture(up("a", 1))
		b.reopen()
		b.capture(up("b", 1))
		b.attach(append(benchFlows, twin)...)
		same(b, due(), 1)
		b.reopen()
		b.attach(append(benchFlows, twin)...)
		same(b, due(), 1)
	}},
	{"a flow that reads another feed is due for a full sync", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "f", Feed: "other", Set: "f"})
		rows, err := b.s.Runs(b.ctx, lockstep.RunQuery{Flow: "f", Kind: lockstep.FullRun})
		b.ok(err)
		if len(rows) != 1 || rows[0].State != lockstep.Interrupted {
			b.Fatalf("%+v", rows)
		}
	}},
}
