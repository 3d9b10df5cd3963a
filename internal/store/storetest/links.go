package storetest

import (
	"fmt"

	lockstep "github.com/lockstep-sync/lockstep"
)

var linkRows = []row{
	{"links are found by source key and by target key", func(b *bench) {
		b.link("f", ab("a", "A"), ab("same", "same"), ab("\u017e", "\U0001F600"), ab("x", ""))
		b.reopen()
		same(b, b.find("f", "a", "A", "same", "\u017e", "x"), "a=A - same=same \u017e=\U0001F600 x=")
		same(b, b.findTo("f", "a", "A", "same", "\U0001F600", "x"), "- a=A same=same \u017e=\U0001F600 -")
		same(b, b.find("g", "a"), "-")
		same(b, b.find("f"), "")
		same(b, b.find("f", "a", "a"), "a=A a=A")
	}},
	{"two flows of a set read it from both sides", func(b *bench) {
		b.attach(lockstep.FlowDef{Name: "there", Set: "pair", Side: lockstep.A}, lockstep.FlowDef{Name: "back", Set: "pair", Side: lockstep.B})
		b.link("there", ab("a", "z"), ab("m", "m"), ab("q", "b"))
		b.link("back", ab("c", "y"))
		b.reopen()
		same(b, b.find("there", "a", "m", "z", "c"), "a=z m=m - c=y")
		same(b, b.find("back", "z", "m", "a", "y"), "a=z m=m - c=y")
		same(b, b.findTo("there", "z", "m", "a"), "a=z m=m -")
		same(b, b.findTo("back", "a", "m", "z"), "a=z m=m -")
		for flow, want := range map[string]string{"there": "a=z c=y m=m q=b", "back": "q=b m=m c=y a=z"} {
			var got []lockstep.Link
			var after lockstep.Key
			for {
				page, err := b.s.ScanLinks(b.ctx, flow, after, 3)
				b.ok(err)
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				after = page[len(page)-1].A.Key
				if flow == "back" {
					after = page[len(page)-1].B.Key
				}
			}
			same(b, linkTexts(got), want)
			n, _, err := b.s.CountLinks(b.ctx, flow)
			b.ok(err)
			same(b, n, int64(4))
		}
	}},
	{"a link of a known key keeps its ID", func(b *bench) {
		b.link("f", ab("a", "a"), ab("b", "b"))
		before, err := b.s.Links(b.ctx, "f", []lockstep.Key{"a"})
		b.ok(err)
		known := before[0].Link
		known.B = lockstep.End{Key: "A2", Digest: "1:y"}
		b.link("f", known, ab("b", "b2"))
		b.reopen()
		after, err := b.s.Links(b.ctx, "f", []lockstep.Key{"a", "b"})
		b.ok(err)
		same(b, after[0].Link.ID, before[0].Link.ID)
		same(b, linkTexts([]lockstep.Link{after[0].Link, after[1].Link}), "a=A2 b=b2")
		same(b, b.findTo("f", "a", "A2", "b2"), "- a=A2 b=b2")
		n, _, err := b.s.CountLinks(b.ctx, "f")
		b.ok(err)
		same(b, n, int64(2))
		same(b, b.status("f").Links, int64(2))
	}},
	{"IDs grow for ever and are never used again", func(b *bench) {
		seen := map[int64]bool{}
		last := int64(0)
		for round := range 4 {
			key := lockstep.Key(fmt.Sprint("k", round))
			b.link("f", ab(key, key))
			st, err := b.s.Links(b.ctx, "f", []lockstep.Key{key})
			b.ok(err)
			id := st[0].Link.ID
			if seen[id] || id <= last {
				b.Fatalf("link %d after %d", id, last)
			}
			seen[id], last = true, id
			_, greatest, err := b.s.CountLinks(b.ctx, "f")
			b.ok(err)
			same(b, greatest >= id, true)
			r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f"})
			b.ok(err)
			b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Unlink: []lockstep.Link{st[0].Link}}))
			last = max(last, greatest)
			b.reopen()
		}
		same(b, b.find("f", "k0", "k3"), "- -")
	}},
	{"the oldest claim on a target key is the one found", func(b *bench) {
		b.link("f", ab("b", "t"))
		b.link("f", ab("t", "t"), ab("a", "t"))
		same(b, b.findTo("f", "t"), "b=t")
		st, err := b.s.Links(b.ctx, "f", []lockstep.Key{"b"})
		b.ok(err)
		r, err := b.s.StartRun(b.ctx, lockstep.Run{Flow: "f"})
		b.ok(err)
		b.ok(b.s.SettlePage(b.ctx, "f", lockstep.PageEnd{Run: r, Unlink: []lockstep.Link{st[0].Link}}))
		same(b, b.findTo("f", "t"), "t=t")
	}},
	{"many links in pages", func(b *bench) {
		const n = 5000
		var links []lockstep.Link
		var keys []lockstep.Key
		for i := range n {
			key := lockstep.Key(fmt.Sprintf("k%05d", i))
			other := key
			if i%3 == 0 {
				other = "t" + key
			}
			links, keys = append(links, ab(key, other)), append(keys, key)
		}
		b.link("f", links...)
		b.link("f", links[1000:2000]...) // some again
		count, _, err := b.s.CountLinks(b.ctx, "f")
		b.ok(err)
		same(b, count, int64(n))
		st, err := b.s.Links(b.ctx, "f", keys)
		b.ok(err)
		for i := range st {
			if st[i].Link.A.Key != keys[i] || st[i].Link.B.Key != links[i].B.Key || st[i].Open {
				b.Fatalf("%s has %+v", keys[i], st[i])
			}
		}
		var after lockstep.Key
		for i := 0; i < n; {
			page, err := b.s.ScanLinks(b.ctx, "f", after, 999)
			b.ok(err)
			for _, l := range page {
				if l.A.Key != keys[i] {
					b.Fatalf("scan: got %s, want %s", l.A.Key, keys[i])
				}
				i++
			}
			after = page[len(page)-1].A.Key
		}
	}},
	{"open says what the queue holds", func(b *bench) {
		b.link("f", ab("a", "a"), ab("b", "b"), ab("c", "c"))
		b.capture(up("a", 1), up("b", 1), up("new", 1))
		ds := b.lease(2)
		b.settle(park(ds[1]))
		open := func(want ...bool) {
			b.Helper()
			st, err := b.s.Links(b.ctx, "f", []lockstep.Key{"a", "b", "c", "new"})
			b.ok(err)
			got := []bool{}
			for _, s := range st {
				got = append(got, s.Open)
			}
			same(b, got, want)
		}
		open(true, true, false, true)
		b.settle(done(ds[0]))
		open(false, true, false, true)
		b.reopen()
		open(false, true, false, true)
	}},
	{"links tell the version of what is open", func(b *bench) {
		b.link("f", ab("a", "a"))
		c := up("b", 1)
		c.Record.Version = "v7"
		b.capture(up("a", 1), c)
		b.reopen()
		st, err := b.s.Links(b.ctx, "f", []lockstep.Key{"b", "a", "none"})
		b.ok(err)
		same(b, []string{st[0].Version, st[1].Version, st[2].Version}, []string{"v7", "", ""})
		b.ok(b.s.Hint(b.ctx, "f", []lockstep.Key{"b"}))
		st, err = b.s.Links(b.ctx, "f", []lockstep.Key{"b"})
		b.ok(err)
		same(b, st[0], lockstep.LinkState{Open: true})
	}},
}
