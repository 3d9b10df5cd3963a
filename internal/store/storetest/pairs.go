package storetest

import (
	"cmp"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// pair attaches two flows face to face: there reads side A of the set, back reads side B.
func (b *bench) pair() {
	b.attach(
		lockstep.FlowDef{Name: "there", Feed: "feed", Set: "pair", Side: lockstep.A},
		lockstep.FlowDef{Name: "back", Feed: "other", Set: "pair", Side: lockstep.B},
		lockstep.FlowDef{Name: "f", Set: "f"})
}

func (b *bench) clash(won lockstep.Side, lost, kept int) *lockstep.Clash {
	return &lockstep.Clash{Won: won, Why: "it is \"newer\"", Lost: value.F("v", lost, "at", time.UnixMicro(1)), Kept: value.F("v", kept)}
}

var pairRows = []row{
	{"a link saved from side B may have another key on side A", func(b *bench) {
		b.pair()
		b.link("there", ab("a", "x"), ab("same", "same"), ab("other", "y"))
		known := func(key lockstep.Key) lockstep.Link {
			b.Helper()
			st, err := b.s.Links(b.ctx, "back", []lockstep.Key{key})
			b.ok(err)
			return st[0].Link
		}
		moved, level := known("x"), known("y")
		moved.A.Key, level.B.Digest = "a2", "1:y"
		stays := known("same")
		stays.A.Key = "changed"
		b.link("back", moved, level, stays)
		b.reopen()
		same(b, b.find("there", "a", "a2", "same", "changed", "other"), "- a2=x - changed=same other=y")
		same(b, b.find("back", "x", "same", "y"), "a2=x changed=same other=y")
		same(b, known("x").ID, moved.ID)
		n, _, err := b.s.CountLinks(b.ctx, "there")
		b.ok(err)
		same(b, n, int64(3))
	}},
	{"forgetting a link leaves its successor", func(b *bench) {
		b.pair()
		b.link("there", ab("a", "x"))
		st, err := b.s.Links(b.ctx, "back", []lockstep.Key{"x"})
		b.ok(err)
		old := st[0].Link
		for _, unlink := range []bool{true, false} { // the record of A goes over to another of B; then the first one's end comes late
			b.hint("back", "x", "y")
			ds := b.leaseOf("back", 2)
			next := ab("a", "y")
			first, second := done(ds[0]), done(ds[1])
			if unlink {
				first.Link, first.Unlink = &next, &old
			} else {
				second.Unlink = &old
			}
			b.settle(first, second)
			b.reopen()
			same(b, b.find("there", "a"), "a=y")
			same(b, b.find("back", "x", "y"), "- a=y")
		}
		n, _, err := b.s.CountLinks(b.ctx, "there")
		b.ok(err)
		same(b, n, int64(1))
	}},
	{"an outcome may have the flow face to face look", func(b *bench) {
		b.pair()
		b.capture(up("a", 1), up("b", 1), up("c", 1))
		ds := b.leaseOf("there", 10)
		first, second, third := done(ds[0]), retry(ds[1], time.Hour), done(ds[2])
		first.Hint, second.Hint = "A", "B"
		b.settle(first, second, third)
		b.leasesOf("back", "A#1 hint", "B#1 hint")
		b.entriesOf("f")
		b.settle(first) // its lease is gone: nothing of it counts
		b.leasesOf("back")
		late := b.leaseOf("there", 10)
		same(b, len(late), 0)
	}},
	{"a hint goes nowhere where no flow is face to face", func(b *bench) {
		b.capture(up("a", 1))
		o := done(b.one())
		o.Hint = "A"
		b.settle(o)
		b.entries()
		b.entriesOf("g")
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "pair"}, lockstep.FlowDef{Name: "g", Feed: "other", Set: "pair", Side: lockstep.B})
		b.attach(lockstep.FlowDef{Name: "f", Feed: "feed", Set: "pair"}) // g is left out now
		b.capture(up("a", 2))
		o = done(b.one())
		o.Hint = "A"
		b.settle(o)
		b.entriesOf("g")
	}},
	{"an entry whose lease has run out shows as tried before it is leased again", func(b *bench) {
		b.capture(up("a", 1))
		b.lease(1)
		b.entries("leased a#1 v=1")
		time.Sleep(2 * time.Minute)
		b.entries("ready a#1 v=1 tried")
		_, e, _, err := b.s.Story(b.ctx, "f", "a")
		b.ok(err)
		same(b, e.Tried, true)
	}},
	{"what was overtaken while it may have taken effect is told, in a pair", func(b *bench) {
		b.pair()
		b.capture(up("a", 1), up("b", 1), gone("c"), up("d", 1))
		b.capture(up("d", 2)) // overtaken before anybody had it
		ds := b.leaseOf("there", 10)
		same(b, priors(ds[3]), "none")
		b.capture(up("a", 2), gone("b"), up("c", 2))
		b.capture(up("a", 3)) // nobody had the second one
		_, e, _, err := b.s.Story(b.ctx, "there", "a")
		b.ok(err)
		same(b, priors(e.Delivery), `{"v":1}`)
		b.settle(done(ds[1])) // it was all that is known of: nothing of the newer one was tried
		b.reopen()
		time.Sleep(2 * time.Minute)
		var got []string
		for _, d := range b.leaseOf("there", 10) {
			got = append(got, text(d)+" over "+priors(d))
		}
		if b.h.Reopen == nil {
			same(b, got, []string{`a#4 v=3 tried over {"v":1}`, `b#2 delete over none`, `c#3 v=2 tried over delete`, `d#3 v=2 tried over {"v":2}`})
			return
		}
		same(b, got, []string{`a#3 v=3 tried over {"v":1}`, `b#2 delete tried over none`, `c#2 v=2 tried over delete`, `d#2 v=2 tried over none`})
	}},
	{"every try that may have taken effect is told until the entry is settled, in a pair", func(b *bench) {
		b.pair()
		told := func(want string) {
			b.Helper()
			_, e, _, err := b.s.Story(b.ctx, "there", "a")
			b.ok(err)
			same(b, priors(e.Delivery), want)
		}
		again := func() lockstep.Delivery {
			b.Helper()
			ds := b.leaseOf("there", 10)
			same(b, len(ds), 1)
			return ds[0]
		}
		unknown := func(d lockstep.Delivery) lockstep.Outcome {
			o := retry(d, 0)
			o.Tried = true
			return o
		}
		b.capture(up("a", 1))
		b.settle(unknown(again()))
		b.capture(up("a", 2))
		d := again()
		b.hint("there", "a") // the second one may be under way
		b.capture(up("a", 3))
		told(`{"v":1} {"v":2}`)
		b.settle(retry(d, 0)) // it was not
		told(`{"v":1}`)
		b.settle(unknown(again()))
		d = again()
		b.capture(up("a", 4))
		b.settle(retry(d, 0)) // what was tried before stays so
		told(`{"v":1} {"v":3}`)
		again()
		time.Sleep(2 * time.Minute) // whoever had it is late
		b.settle(retry(again(), 0))
		b.capture(up("a", 5))
		told(`{"v":1} {"v":3} {"v":4}`)
		o := unknown(again())
		o.Delivery.Change = up("a", 6) // it was another one by the time of the try
		b.capture(gone("a"))
		b.settle(o)
		told(`{"v":1} {"v":3} {"v":4} {"v":5} {"v":6}`)
		b.settle(unknown(again()))
		b.capture(up("a", 7), up("b", 1))
		told(`{"v":1} {"v":3} {"v":4} {"v":5} {"v":6} delete`)
		ds := b.leaseOf("there", 10)
		same(b, priors(ds[0]), `{"v":1} {"v":3} {"v":4} {"v":5} {"v":6} delete`)
		same(b, priors(ds[1]), "none")
		b.hint("there", "a", "b")
		b.settle(done(ds[0]), retry(ds[1], 0))
		for _, d := range b.leaseOf("there", 10) {
			same(b, priors(d), "none")
		}
	}},
	{"what an earlier process may have brought is told, in a pair", func(b *bench) {
		b.pair()
		b.capture(up("a", 1))
		b.leaseOf("there", 1)
		b.reopen()
		time.Sleep(2 * time.Minute)
		b.capture(up("a", 2))
		b.capture(up("a", 3)) // nobody had the second one
		for range 2 {
			d := b.leaseOf("there", 1)[0]
			same(b, priors(d), `{"v":1}`)
			b.capture(up("a", 4))
			b.settle(retry(d, 0))
		}
	}},
	{"what a page has tried is told, in a pair, also where the entry is newer", func(b *bench) {
		b.pair()
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "there", Kind: lockstep.FullRun})
		b.ok(err)
		b.capture(up("a", 2))
		var end lockstep.PageEnd
		end.Run = r
		for _, c := range []lockstep.Change{up("a", 1), up("b", 1), up("c", 1)} {
			end.Failed = append(end.Failed, lockstep.Outcome{Delivery: lockstep.Delivery{Flow: "there", Change: c}, Verdict: lockstep.Retry, Tried: c.Record.Key != "c"})
		}
		b.ok(b.s.SettlePage(b.ctx, "there", end))
		b.capture(up("b", 2), up("c", 2))
		b.reopen()
		var got []string
		for _, d := range b.leaseOf("there", 10) {
			got = append(got, string(d.Change.Record.Key)+versionOf(d.Change)+" over "+priors(d))
		}
		same(b, got, []string{`a2 over {"v":1}`, `b2 over {"v":1}`, `c2 over none`})
	}},
	{"what is kept before a try is told, in a pair, unless nothing was sent", func(b *bench) {
		b.pair()
		b.hint("there", "a", "b", "c", "d")
		ds := b.leaseOf("there", 10)
		for i := range ds {
			ds[i].Change = up(ds[i].Change.Record.Key, 7)
		}
		ds[3].Change = gone("d")
		b.ok(b.s.Keep(b.ctx, ds...))
		b.capture(up("b", 2), up("d", 2))
		tried := retry(ds[2], 0)
		tried.Tried = true
		b.settle(retry(ds[0], 0), tried)
		b.ok(b.s.Keep(b.ctx, ds[0])) // its lease is gone
		b.reopen()
		time.Sleep(2 * time.Minute)
		var got []string
		for _, d := range b.leaseOf("there", 10) {
			got = append(got, string(d.Change.Record.Key)+" over "+priors(d))
		}
		same(b, got, []string{"a over none", `b over {"v":7}`, `c over {"v":7}`, "d over delete"})
	}},
	{"the newest tries are told where they are many", func(b *bench) {
		b.pair()
		for v := range lockstep.MaxPrior + 3 {
			b.capture(up("a", v))
			o := retry(b.leaseOf("there", 1)[0], 0)
			o.Tried = true
			b.settle(o)
		}
		d := b.leaseOf("there", 1)[0]
		same(b, len(d.Prior), lockstep.MaxPrior)
		same(b, versionOf(d.Prior[0]), "3")
	}},
	{"a conflict stays on the story, and the delivery has the last one", func(b *bench) {
		b.pair()
		b.capture(up("a", 1))
		d := b.leaseOf("there", 1)[0]
		same(b, d.Clash == nil, true)
		first := lockstep.Outcome{Delivery: d, Verdict: lockstep.Retry, RetryAt: time.Now(), Did: "conflict", Clash: b.clash(lockstep.A, 1, 2)}
		b.settle(first)
		b.reopen()
		d = b.leaseOf("there", 1)[0]
		same(b, showClash(d.Clash), showClash(first.Clash))
		second := lockstep.Outcome{Delivery: d, Verdict: lockstep.Retry, RetryAt: time.Now(), Did: "conflict", Clash: b.clash(lockstep.B, 3, 4)}
		b.settle(second)
		d = b.leaseOf("there", 1)[0]
		same(b, showClash(d.Clash), showClash(second.Clash))
		b.settle(done(d))
		b.reopen()
		events, _, _, err := b.s.Story(b.ctx, "there", "a")
		b.ok(err)
		var got []string
		for _, ev := range events {
			if ev.Clash != nil {
				got = append(got, showClash(ev.Clash))
			}
		}
		same(b, got, []string{showClash(first.Clash), showClash(second.Clash)})
		b.capture(up("a", 5))
		same(b, b.leaseOf("there", 1)[0].Clash == nil, true)
	}},
}

// priors are what tries may have brought, in short.
func priors(d lockstep.Delivery) string {
	out := ""
	for _, c := range d.Prior {
		if c.Op == lockstep.Delete {
			out += " delete"
		} else {
			out += " " + string(value.AppendFields(nil, c.Record.Fields))
		}
	}
	return cmp.Or(out, " none")[1:]
}

func showClash(c *lockstep.Clash) string {
	if c == nil {
		return ""
	}
	b := value.AppendTagged([]byte{'a' + byte(c.Won), ' '}, c.Lost)
	return string(value.AppendTagged(append(b, ' '), c.Kept)) + c.Why
}

func (b *bench) hint(flow string, keys ...lockstep.Key) {
	b.Helper()
	b.ok(b.s.Hint(b.ctx, flow, keys))
}
