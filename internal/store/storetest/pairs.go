package storetest

import (
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
		prior := func(e *lockstep.Change) string {
			switch {
			case e == nil:
				return "none"
			case e.Op == lockstep.Delete:
				return "delete"
			}
			return string(value.AppendFields(nil, e.Record.Fields))
		}
		b.capture(up("a", 1), up("b", 1), gone("c"), up("d", 1))
		b.capture(up("d", 2)) // overtaken before anybody had it
		ds := b.leaseOf("there", 10)
		same(b, prior(ds[3].Prior), "none")
		b.capture(up("a", 2), gone("b"), up("c", 2))
		b.capture(up("a", 3)) // nobody had the second one
		_, e, _, err := b.s.Story(b.ctx, "there", "a")
		b.ok(err)
		same(b, prior(e.Prior), `{"v":1}`)
		b.settle(done(ds[1])) // it was all that is known of: nothing of the newer one was tried
		b.reopen()
		time.Sleep(2 * time.Minute)
		var got []string
		for _, d := range b.leaseOf("there", 10) {
			got = append(got, text(d)+" over "+prior(d.Prior))
		}
		if b.h.Reopen == nil {
			same(b, got, []string{`a#4 v=3 tried over {"v":1}`, `b#2 delete over none`, `c#3 v=2 tried over delete`, `d#3 v=2 tried over none`})
			return
		}
		same(b, got, []string{`a#3 v=3 tried over {"v":1}`, `b#2 delete tried over none`, `c#2 v=2 tried over delete`, `d#2 v=2 tried over none`})
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
