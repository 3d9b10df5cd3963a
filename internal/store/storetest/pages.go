package storetest

import (
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// startRun starts a full run of flow f.
func (b *bench) startRun() lockstep.Run {
	b.Helper()
	r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
	b.ok(err)
	return r
}

func (b *bench) mark() lockstep.Seq {
	b.Helper()
	seq, err := b.s.Mark(b.ctx)
	b.ok(err)
	return seq
}

// begin checks which of the page's changes are to be sent.
func (b *bench) begin(r lockstep.Run, since lockstep.Seq, changes []lockstep.Change, want ...bool) {
	b.Helper()
	var writes []lockstep.PageWrite
	for _, c := range changes {
		writes = append(writes, lockstep.PageWrite{Change: c, Target: "to " + c.Record.Key})
	}
	send, err := b.s.BeginPage(b.ctx, r.ID, "f", since, writes)
	b.ok(err)
	same(b, send, want)
}

func (b *bench) settlePage(end lockstep.PageEnd) {
	b.Helper()
	b.ok(b.s.SettlePage(b.ctx, "f", end))
}

// left checks what Resume gives: the keys in flight.
func (b *bench) left(r lockstep.Run, want ...lockstep.Key) []lockstep.Chunk {
	b.Helper()
	keys, seen, err := b.s.Resume(b.ctx, r.ID)
	b.ok(err)
	var flight []lockstep.InFlight
	for _, key := range want {
		flight = append(flight, lockstep.InFlight{Key: key, Target: "to " + key})
	}
	same(b, keys, flight)
	return seen
}

var pageRows = []row{
	{"a page sends what nobody has touched and saves it as in flight", func(b *bench) {
		r := b.startRun()
		since := b.mark()
		b.begin(r, since, []lockstep.Change{up("a", 1), up("b", 1)}, true, true)
		b.entries()
		b.left(r, "a", "b")
		b.reopen()
		b.left(r, "a", "b") // law 5: a resumed run knows what it may have written
		b.settlePage(lockstep.PageEnd{Run: r, Links: []lockstep.Link{ab("a", "a"), ab("b", "B")}})
		b.left(r)
		b.reopen()
		b.left(r)
		same(b, b.find("f", "a", "b"), "a=a b=B")
	}},
	{"a page that was begun before the one before it is settled stays in flight", func(b *bench) {
		r := b.startRun()
		b.begin(r, b.mark(), []lockstep.Change{up("a", 1), up("b", 1)}, true, true)
		b.begin(r, b.mark(), []lockstep.Change{up("c", 1)}, true)
		b.left(r, "a", "b", "c")
		b.reopen()
		b.left(r, "a", "b", "c")
		b.settlePage(lockstep.PageEnd{Run: r, Links: []lockstep.Link{ab("a", "a"), ab("b", "b")}, Ahead: true})
		b.left(r, "c")
		b.reopen()
		b.left(r, "c")
		b.begin(r, b.mark(), []lockstep.Change{up("d", 1), up("e", 1)}, true, true)
		b.settlePage(lockstep.PageEnd{Run: r, Links: []lockstep.Link{ab("c", "c")}, Ahead: true})
		b.left(r, "d", "e")
		b.settlePage(lockstep.PageEnd{Run: r})
		b.left(r)
	}},
	{"what was appended since the mark becomes a hint", func(b *bench) {
		r := b.startRun()
		since := b.mark()
		b.capture(up("a", 2))
		b.begin(r, since, []lockstep.Change{up("a", 1), up("b", 1)}, false, true)
		b.entries("ready a#2 hint")
		b.left(r, "b")
	}},
	{"what was settled since the mark becomes a hint", func(b *bench) {
		b.capture(up("a", 2))
		d := b.one()
		r := b.startRun()
		since := b.mark()
		b.settle(done(d))
		b.begin(r, since, []lockstep.Change{up("a", 1)}, false)
		b.entries("ready a#1 hint")
		es, err := b.s.Entries(b.ctx, "f", "", 0, 10)
		b.ok(err)
		if len(es) != 1 || !es[0].Change.Record.Fields.Equal(up("a", 1).Record.Fields) { // law 5: it tells where to look
			b.Fatalf("the hint has no image: %+v", es)
		}
	}},
	{"what was leased since the mark becomes a hint", func(b *bench) {
		b.capture(up("a", 2))
		r := b.startRun()
		since := b.mark()
		d := b.one()
		b.begin(r, since, []lockstep.Change{up("a", 1)}, false)
		b.settle(done(d))
		b.entries("ready a#2 hint")
	}},
	{"an older entry takes the page's image as a new generation", func(b *bench) {
		b.capture(up("open", 1), up("parked", 1), up("delayed", 1), up("leased", 1))
		ds := b.lease(4)
		b.settle(retry(ds[0], 0), park(ds[1]), retry(ds[2], time.Hour))
		b.entries("ready open#1 v=1 attempts=1", "parked parked#1 v=1", "delayed delayed#1 v=1 attempts=1", "leased leased#1 v=1")
		r := b.startRun()
		since := b.mark()
		b.begin(r, since, []lockstep.Change{up("open", 5), up("parked", 5), up("delayed", 5), up("leased", 5)}, false, false, false, false)
		b.entries("ready open#2 v=5", "ready parked#2 v=5", "ready delayed#2 v=5", "leased leased#2 v=5")
		b.left(r)
		b.settle(done(ds[3]))
		b.leases("open#2 v=5", "parked#2 v=5", "delayed#2 v=5", "leased#2 v=5")
	}},
	{"touches before the mark do not count, nor do those of other flows", func(b *bench) {
		b.capture(up("a", 1), up("b", 1))
		for _, d := range b.lease(2) {
			b.settle(done(d))
		}
		r := b.startRun()
		since := b.mark()
		b.ok(b.s.Hint(b.ctx, "g", []lockstep.Key{"a"}))
		b.begin(r, since, []lockstep.Change{up("a", 1), up("b", 1)}, true, true)
	}},
	{"what a page has begun or settled counts as touched for the next", func(b *bench) {
		r := b.startRun()
		ahead := b.mark() // a page that was read ahead
		b.begin(r, b.mark(), []lockstep.Change{up("a", 1), up("a", 2), up("b", 1)}, true, false, true)
		b.entries("ready a#1 hint")
		b.settlePage(lockstep.PageEnd{Run: r, Links: []lockstep.Link{ab("a", "a"), ab("b", "b"), ab("level", "level"), ab("calm", "calm")}})
		b.begin(r, ahead, []lockstep.Change{up("b", 2), up("level", 1), up("c", 1)}, false, false, true)
		b.begin(r, b.mark(), []lockstep.Change{up("calm", 1)}, true)
	}},
	{"a page settles place, counts, bitmap, links and entries at once", func(b *bench) {
		b.link("f", ab("old", "old"))
		r := b.startRun()
		b.begin(r, b.mark(), []lockstep.Change{up("a", 1), up("bad", 1), up("later", 1), up("ref", 1), up("ref2", 1)}, true, true, true, true, true)
		r.Place, r.Counts = lockstep.Position(`{"page":1}`), lockstep.Counts{Read: 5, Created: 1, Failed: 4}
		bad, later, ref, ref2 := park(lockstep.Delivery{Change: up("bad", 1)}), retry(lockstep.Delivery{Change: up("later", 1)}, time.Hour),
			wait(lockstep.Delivery{Change: up("ref", 1)}, "f", "a"), wait(lockstep.Delivery{Change: up("ref2", 1)}, "g", "x")
		later.Tried = true
		later.Fault = lockstep.Faultf(lockstep.CodeTimeout, "no answer").Maybe()
		b.settlePage(lockstep.PageEnd{Run: r, Seen: []lockstep.Chunk{{No: 0, Bits: []byte{1, 0}}, {No: 7, Bits: []byte{0xff}}},
			Links: []lockstep.Link{ab("a", "A")}, Unlink: []lockstep.Link{ab("old", "old")},
			Failed: []lockstep.Outcome{bad, later, ref, ref2}, Queue: []lockstep.Change{gone("gone")}})
		b.settlePage(lockstep.PageEnd{Run: r, Seen: []lockstep.Chunk{{No: 7, Bits: []byte{0xfe}}}})
		check := func(tried string) {
			b.Helper()
			runs, err := b.s.Runs(b.ctx, lockstep.RunQuery{Flow: "f", ID: r.ID})
			b.ok(err)
			same(b, string(runs[0].Place), `{"page":1}`)
			same(b, runs[0].Counts, r.Counts)
			same(b, b.left(r), []lockstep.Chunk{{No: 0, Bits: []byte{1, 0}}, {No: 7, Bits: []byte{0xfe}}})
			same(b, b.find("f", "a", "old"), "a=A -")
			es := b.entries("parked bad#1 v=1"+tried, "delayed later#1 v=1 attempts=1 tried", "ready ref#1 v=1"+tried,
				"waiting ref2#1 v=1"+tried, "ready gone#1 delete"+tried)
			same(b, es[0].Fault.Code, lockstep.CodeValue)
			same(b, es[1].Fault.Code, lockstep.CodeTimeout)
			same(b, es[1].Fault.Unknown, true)
		}
		check("")
		if b.h.Reopen != nil {
			b.reopen()
			check(" tried")
		}
	}},
	{"a page's links free what waits for them", func(b *bench) {
		b.capture(up("order", 1))
		b.settle(wait(b.one(), "f", "c"))
		r := b.startRun()
		b.begin(r, b.mark(), []lockstep.Change{up("c", 1)}, true)
		b.settlePage(lockstep.PageEnd{Run: r, Links: []lockstep.Link{ab("c", "C")}})
		b.leases("order#1 v=1")
	}},
	{"an entry that came during the page is newer than what the page says", func(b *bench) {
		r := b.startRun()
		b.begin(r, b.mark(), []lockstep.Change{up("a", 1)}, true)
		b.capture(up("a", 2), up("b", 2))
		o := park(lockstep.Delivery{Change: up("a", 1)})
		o.Tried = true
		b.settlePage(lockstep.PageEnd{Run: r, Failed: []lockstep.Outcome{o}, Queue: []lockstep.Change{gone("b")}})
		b.leases("a#1 v=2 tried", "b#2 hint")
	}},
	{"a page of an unknown run is refused whole", func(b *bench) {
		_, err := b.s.BeginPage(b.ctx, 99, "f", b.mark(), []lockstep.PageWrite{{Change: up("a", 1)}})
		b.refused(err, lockstep.CodeInvariant)
		err = b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: lockstep.Run{ID: 99}, Links: []lockstep.Link{ab("a", "a")}})
		b.refused(err, lockstep.CodeInvariant)
		same(b, b.find("f", "a"), "-")
		_, _, err = b.s.Resume(b.ctx, 99)
		b.refused(err, lockstep.CodeInvariant)
		b.refused(b.s.SaveRun(b.ctx, lockstep.Run{ID: 99}), lockstep.CodeInvariant)
	}},
	{"runs are remembered, newest first", func(b *bench) {
		start := time.Now().UTC()
		first := b.startRun()
		time.Sleep(time.Hour)
		second, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "g", Kind: lockstep.VerifyRun, Note: "n"})
		b.ok(err)
		same(b, first.State, lockstep.Running)
		same(b, second.ID > first.ID, true)
		second.State, second.Ended = lockstep.Failed, time.Now().UTC()
		second.Started = second.Started.UTC()
		second.Counts = lockstep.Counts{Read: 1, Created: 2, Updated: 3, Deleted: 4, Level: 5, Filtered: 6, Queued: 7, Failed: 8, Missing: 9, Extra: 10, Different: 11, InFlight: 12}
		second.Fault = &lockstep.Fault{Kind: lockstep.Denied, Code: lockstep.CodeLogin, About: lockstep.About{Flow: "g", System: "s", Key: "k"},
			Next: "ask", Wait: time.Second, For: &lockstep.Ref{Flow: "x", Key: "y"}, Err: lockstep.Faultf(lockstep.CodeLogin, "no").Err}
		b.ok(b.s.SaveRun(b.ctx, second))
		b.reopen()
		all, err := b.s.Runs(b.ctx, lockstep.RunQuery{})
		b.ok(err)
		same(b, []int64{all[0].ID, all[1].ID}, []int64{second.ID, first.ID})
		same(b, all[1].Started.Equal(start), true)
		same(b, all[1].Ended.IsZero(), true)
		got := all[0]
		same(b, got.Fault.Error(), second.Fault.Error())
		same(b, *got.Fault.For, *second.Fault.For)
		same(b, []any{got.Fault.Kind, got.Fault.Code, got.Fault.Next, got.Fault.Wait, got.Fault.About},
			[]any{second.Fault.Kind, second.Fault.Code, second.Fault.Next, second.Fault.Wait, second.Fault.About})
		same(b, got.Counts, second.Counts)
		same(b, []any{got.Flow, got.Kind, got.State, got.Note, got.Ended.Equal(second.Ended)}, []any{"g", lockstep.VerifyRun, lockstep.Failed, "n", true})
		for _, q := range []struct {
			lockstep.RunQuery
			want []int64
		}{
			{lockstep.RunQuery{Flow: "f"}, []int64{first.ID}},
			{lockstep.RunQuery{Kind: lockstep.VerifyRun}, []int64{second.ID}},
			{lockstep.RunQuery{Kind: lockstep.VerifyRun, Flow: "f"}, nil},
			{lockstep.RunQuery{ID: first.ID}, []int64{first.ID}},
			{lockstep.RunQuery{Max: 1}, []int64{second.ID}},
		} {
			runs, err := b.s.Runs(b.ctx, q.RunQuery)
			b.ok(err)
			var ids []int64
			for _, r := range runs {
				ids = append(ids, r.ID)
			}
			same(b, ids, q.want)
		}
	}},
	{"old runs are deleted with what is left of their pages, running ones stay", func(b *bench) {
		running, ended := b.startRun(), b.startRun()
		schema, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f", Kind: lockstep.SchemaRun, State: lockstep.Finished, Started: time.Now(), Ended: time.Now(), Place: lockstep.Position(`{"a":1}`)})
		b.ok(err)
		b.begin(ended, b.mark(), []lockstep.Change{up("a", 1)}, true)
		ended.State, ended.Ended = lockstep.Interrupted, time.Now()
		b.ok(b.s.SaveRun(b.ctx, ended))
		time.Sleep(time.Hour)
		b.ok(b.s.DeleteRuns(b.ctx, ended.Ended))
		b.left(ended, "a")
		b.ok(b.s.DeleteRuns(b.ctx, time.Now()))
		_, _, err = b.s.Resume(b.ctx, ended.ID)
		b.refused(err, lockstep.CodeInvariant)
		b.left(running)
		kept, err := b.s.Runs(b.ctx, lockstep.RunQuery{Flow: "f", Kind: lockstep.SchemaRun})
		b.ok(err)
		same(b, len(kept) == 1 && kept[0].ID == schema.ID && string(kept[0].Place) == `{"a":1}`, true)
		b.reopen()
		third := b.startRun()
		same(b, third.ID > ended.ID, true)
	}},
}
