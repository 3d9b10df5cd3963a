package connectortest

import (
	"context"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// keys are the keys on a page, sorted.
func keysOn(p lockstep.Page) []lockstep.Key {
	var keys []lockstep.Key
	for _, c := range p.Changes {
		keys = append(keys, c.Record.Key)
	}
	slices.Sort(keys)
	return keys
}

// ackTests are what holds between a read and its acknowledgement.
var ackTests = []trackTest{
	{"what was acknowledged does not come again", func(b *tracked) {
		from := b.now()
		var keys []lockstep.Key
		for _, f := range items(7) {
			b.put("item", b.stamped(f)...)
			keys = append(keys, upsert(f).Key)
		}
		for more := true; more; { // page by page, as the engine does
			p := b.changes(from, 3)
			for _, key := range keysOn(p) {
				keys = slices.DeleteFunc(keys, func(k lockstep.Key) bool { return k == key })
			}
			b.ack(p.Next)
			from, more = p.Next, p.More || len(keys) > 0
		}
		if !b.track.empties() {
			return
		}
		b.reopen()
		if p := b.changes(from, 100); len(p.Changes) != 0 {
			b.Errorf("%v came again", keysOn(p))
		}
	}},
	{"a change between a read and its acknowledgement is not lost", func(b *tracked) {
		from := b.now()
		b.put("item", b.stamped(items(3)...)...)
		_, next := b.until(from, 100, ops(lockstep.Upsert, "k0000", "k0001", "k0002"))
		b.put("item", b.stamped(item("k0001", "meanwhile", 5))...)
		b.ack(next)
		seen := false
		for range 1000 {
			p := b.changes(next, 100)
			for _, c := range p.Changes {
				name, _ := c.Record.Fields.Get("name")
				seen = seen || c.Record.Key == "k0001" && (c.Hint || Same(value.Text("meanwhile"), name, value.Type{}))
			}
			b.ack(p.Next)
			if next = p.Next; seen && !p.More {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
		b.Error("the change was not seen")
	}},
	{"what was not acknowledged comes again after a restart", func(b *tracked) {
		from := b.now()
		b.put("item", b.stamped(items(3)...)...)
		_, next := b.until(from, 100, ops(lockstep.Upsert, "k0000", "k0001", "k0002"))
		b.reopen()
		b.put("item", b.stamped(item("late", "n", 1))...)
		want := ops(lockstep.Upsert, "late")
		if b.track.empties() {
			want = ops(lockstep.Upsert, "k0000", "k0001", "k0002", "late")
		}
		b.until(next, 2, want)
	}},
	{"reads of other fields share what was acknowledged", func(b *tracked) {
		if !b.track.empties() {
			return
		}
		from := b.now()
		b.put("item", b.stamped(items(3)...)...)
		wide := b.changes(from, 100)
		b.read.Fields = []string{"name"}
		narrow := b.changes(from, 100)
		if !slices.Equal(keysOn(wide), keysOn(narrow)) || len(narrow.Changes) != 3 {
			b.Fatalf("one read gave %v, the other %v", keysOn(wide), keysOn(narrow))
		}
		b.ack(narrow.Next)
		b.read.Fields = itemFields()
		if p := b.changes(narrow.Next, 100); len(p.Changes) != 0 {
			b.Errorf("%v came again", keysOn(p))
		}
	}},
	{"a new key is a delete and a create", func(b *tracked) {
		if b.track.By != lockstep.Trigger {
			return
		}
		b.put("item", b.stamped(items(2)...)...)
		from := b.now()
		results, err := b.target().Apply(b.Context(), "item", []lockstep.Write{{ID: "w", Key: "k0001", Fields: value.F("id", "moved")}})
		if err != nil || results[0].Err != nil {
			b.Fatal(err, results)
		}
		b.until(from, 100, map[lockstep.Key]lockstep.Op{"k0001": lockstep.Delete, "moved": lockstep.Upsert})
	}},
	{"a wait ends with a change", func(b *tracked) {
		w, ok := b.sys.(lockstep.Waiter)
		if !ok {
			return
		}
		at := b.now()
		woken := make(chan error)
		ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
		defer cancel()
		for range 5 { // read, then wait, as the engine does: the change comes before, between and after
			for more := true; more; {
				p := b.changes(at, 100)
				b.ack(p.Next)
				at, more = p.Next, p.More || len(p.Changes) > 0 && b.track.empties()
			}
			go func() { woken <- w.Wait(ctx, b.read, at) }()
			b.put("item", b.stamped(item("k", "n", 1))...)
			if err := <-woken; codeOf(err) == lockstep.CodeCannot {
				return
			} else if err != nil {
				b.Fatalf("Wait: %v", err)
			}
		}
	}},
	{"installing is safe to repeat, and leaves nothing behind", installs},
}

func installs(b *tracked) {
	i, ok := b.sys.(lockstep.Installer)
	if !ok {
		return
	}
	call := func(what string, do func(context.Context, lockstep.Read, bool) (string, error), dry, empty bool) {
		b.Helper()
		script, err := do(b.Context(), b.read, dry)
		if err != nil || (script == "") != empty {
			b.Fatalf("%s (dry: %v) did %q, %v; want nothing: %v", what, dry, script, err, empty)
		}
	}
	call("Install", i.Install, false, true)
	script, err := i.Remove(b.Context(), b.read, true)
	if err != nil {
		b.Fatal(err)
	}
	if script == "" { // it needs nothing
		return
	}
	from := b.now()
	call("Remove", i.Remove, false, false)
	call("Remove", i.Remove, false, true)
	call("Install", i.Install, true, false)
	call("Remove", i.Remove, true, true)
	needed := b.track.By == lockstep.Trigger || b.track.By == lockstep.Log
	if needed {
		_, err = b.source().Changes(b.Context(), b.read, from, wide)
		wantCode(b.T, "Changes without what it needs", err, lockstep.CodeNotTracked)
	}
	call("Install", i.Install, false, false)
	if needed {
		if _, err = b.source().Changes(b.Context(), b.read, from, wide); lockstep.KindOf(err) != lockstep.Lost {
			b.Errorf("Changes from before a new installation: %v, want a fault of kind lost", err)
		}
	}
	call("Remove", i.Remove, false, false)
	streams, err := b.sys.Streams(b.Context())
	if err != nil || len(streams) != 1 {
		b.Errorf("after all, there are the streams %v, %v", streams, err)
	}
}
