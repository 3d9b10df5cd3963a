package connectortest

import (
	"slices"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func (k Track) read() lockstep.Track {
	track := k.Track
	switch track.By {
	case lockstep.Timestamp:
		track.Field = "changed"
	case lockstep.Version:
		track.Field = "number"
	case lockstep.Flag:
		track.Field = "mark"
	}
	return track
}

// empties tells whether Ack takes away what was read, so that it does not come again.
func (k Track) empties() bool { return k.By == lockstep.Flag || k.By == lockstep.Trigger }

type tracked struct {
	*bench
	track  Track
	read   lockstep.Read
	number int64
}

func beginTrack(t *testing.T, h Harness, k Track) *tracked {
	h.Tracks = []Track{k}
	b := begin(t, h, h.trackedItem())
	b.install()
	return &tracked{bench: b, track: k, read: lockstep.Read{Stream: "item", Fields: itemFields(), Track: k.read()}}
}

// stamped are records as an application writes them for the tracker: "changed" is now, rounded up to a microsecond.
func (b *tracked) stamped(records ...value.Fields) []value.Fields {
	now := time.Now().UTC().Add(999).Truncate(time.Microsecond)
	b.number++
	out := make([]value.Fields, len(records))
	for i, f := range records {
		out[i] = f.With("changed", value.Time(now))
		switch b.track.By {
		case lockstep.Version:
			out[i] = out[i].With("number", value.Int(b.number))
		case lockstep.Flag:
			out[i] = out[i].With("mark", value.Bool(true))
		}
	}
	return out
}

// ack acknowledges, where the source wants to know.
func (b *tracked) ack(upTo lockstep.Position) {
	b.Helper()
	if a, ok := b.sys.(lockstep.Acker); ok {
		if err := a.Ack(b.Context(), b.read, upTo); err != nil {
			b.Fatalf("Ack of %s: %v", upTo, err)
		}
	}
}

func (b *tracked) changes(from lockstep.Position, rows int) lockstep.Page {
	b.Helper()
	p, err := b.source().Changes(b.Context(), b.read, from, lockstep.Limit{Rows: rows, Bytes: 1 << 20})
	if err != nil {
		b.Fatalf("Changes from %s: %v", from, err)
	}
	if len(p.Changes) > rows {
		b.Fatalf("Changes from %s: %d on a page, the limit is %d", from, len(p.Changes), rows)
	}
	if p.Next == nil {
		b.Fatalf("Changes from %s: no position to go on from", from)
	}
	if p.More && len(p.Changes) == 0 && string(p.Next) == string(from) {
		b.Fatalf("Changes from %s: an empty page says that there is more, and stays where it is", from)
	}
	return p
}

func (b *tracked) now() lockstep.Position {
	b.Helper()
	p := b.changes(nil, 100)
	if len(p.Changes) != 0 || p.More {
		b.Fatalf("Changes from nil gave %d changes (more: %v); it only says where now is", len(p.Changes), p.More)
	}
	return p.Next
}

type step struct {
	from lockstep.Position
	page lockstep.Page
}

// until reads pages until each key was seen with the op wanted; a source may hold a change back for a moment, until
// its clock has passed it. It returns the pages and the position behind them.
func (b *tracked) until(from lockstep.Position, rows int, want map[lockstep.Key]lockstep.Op) ([]step, lockstep.Position) {
	b.Helper()
	var steps []step
	left := make(map[lockstep.Key]lockstep.Op, len(want))
	for k, op := range want {
		left[k] = op
	}
	for range 1000 {
		p := b.changes(from, rows)
		steps = append(steps, step{slices.Clone(from), p})
		for _, c := range p.Changes {
			if c.Fault != nil {
				b.Fatalf("Changes: %v", c.Fault)
			}
			if op, wanted := want[c.Record.Key]; !wanted && !b.track.Rereads {
				b.Errorf("Changes gave %s %q, which nobody changed", c.Op, c.Record.Key)
			} else if op == c.Op {
				delete(left, c.Record.Key)
			}
			if c.Op == lockstep.Upsert && !c.Hint {
				b.checkRecord(b.read, c.Record)
			}
		}
		from = p.Next
		if len(left) == 0 && !p.More {
			return steps, from
		}
		if !p.More {
			time.Sleep(5 * time.Millisecond)
		}
	}
	b.Fatalf("these changes were not seen: %v", left)
	return nil, nil
}

func ops(op lockstep.Op, keys ...lockstep.Key) map[lockstep.Key]lockstep.Op {
	out := make(map[lockstep.Key]lockstep.Op, len(keys))
	for _, k := range keys {
		out[k] = op
	}
	return out
}

func runTrack(t *testing.T, h Harness, k Track) {
	for _, test := range append(trackTests, ackTests...) {
		t.Run(test.name, func(t *testing.T) { test.run(beginTrack(t, h, k)) })
	}
}

type trackTest struct {
	name string
	run  func(*tracked)
}

var trackTests = []trackTest{
	{"now is empty", func(b *tracked) {
		b.put("item", b.stamped(items(3)...)...)
		time.Sleep(2 * time.Millisecond) // now is later than the writes
		from := b.now()
		if p := b.changes(from, 100); len(p.Changes) != 0 && !b.track.Rereads {
			b.Errorf("%d changes since now", len(p.Changes))
		}
	}},
	{"creates and updates", func(b *tracked) {
		b.put("item", b.stamped(items(3)...)...)
		time.Sleep(2 * time.Millisecond)
		from := b.now()
		b.put("item", b.stamped(item("k0001", "changed", 5), item("new", "n", 6))...)
		steps, from := b.until(from, 100, ops(lockstep.Upsert, "k0001", "new"))
		for _, s := range steps {
			for _, c := range s.page.Changes {
				if name, _ := c.Record.Fields.Get("name"); c.Record.Key == "k0001" && !c.Hint && !Same(value.Text("changed"), name, value.Type{}) {
					b.Errorf("the change of k0001 has name %s", show(name))
				}
			}
		}
		b.put("item", b.stamped(item("k0001", "again", 7))...)
		b.until(from, 100, ops(lockstep.Upsert, "k0001"))
	}},
	{"equal times on a page's edge", func(b *tracked) { // law 8
		from := b.now()
		b.put("item", b.stamped(items(7)...)...)
		var keys []lockstep.Key
		for _, f := range items(7) {
			keys = append(keys, upsert(f).Key)
		}
		b.until(from, 2, ops(lockstep.Upsert, keys...))
	}},
	{"every position can be read again", func(b *tracked) {
		from := b.now()
		var keys []lockstep.Key
		for _, f := range items(7) {
			b.put("item", b.stamped(f)...)
			keys = append(keys, upsert(f).Key)
		}
		steps, end := b.until(from, 2, ops(lockstep.Upsert, keys...))
		b.reopen()
		for _, s := range slices.Backward(steps) {
			samePage(b.T, s.from, s.page, b.changes(s.from, 2))
		}
		b.ack(end)
		b.ack(end)
		b.put("item", b.stamped(item("late", "n", 1))...)
		b.until(end, 2, ops(lockstep.Upsert, "late"))
	}},
	{"the light read", func(b *tracked) {
		from := b.now()
		b.read.Fields = nil
		b.put("item", b.stamped(items(3)...)...)
		b.until(from, 2, ops(lockstep.Upsert, "k0000", "k0001", "k0002"))
	}},
	{"a record's version is one, however it is read", func(b *tracked) { // a sweep compares them
		from := b.now()
		b.put("item", b.stamped(items(3)...)...)
		versions := map[lockstep.Key][]string{}
		add := func(key lockstep.Key, version string) { versions[key] = append(versions[key], version) }
		steps, _ := b.until(from, 100, ops(lockstep.Upsert, "k0000", "k0001", "k0002"))
		for _, s := range steps {
			for _, c := range s.page.Changes {
				if !c.Hint {
					add(c.Record.Key, c.Record.Version)
				}
			}
		}
		light := b.read
		light.Fields = nil
		for _, r := range []lockstep.Read{b.read, light} {
			for _, rec := range b.fetch(r, "k0000", "k0001", "k0002") {
				add(rec.Key, rec.Version)
			}
			for _, c := range b.scan(r, wide) {
				add(c.Key, c.Version)
			}
		}
		for key, all := range versions {
			if slices.Sort(all); all[0] != all[len(all)-1] || len(all) < 4 {
				b.Errorf("%s is at %q", key, all)
			}
		}
		if len(versions) != 3 {
			b.Errorf("%d records", len(versions))
		}
	}},
	{"deletes", func(b *tracked) {
		b.put("item", b.stamped(items(3)...)...)
		from := b.now()
		b.remove("item", "k0001")
		if b.track.Deletes {
			b.until(from, 100, ops(lockstep.Delete, "k0001"))
		} else if p := b.changes(from, 100); slices.ContainsFunc(p.Changes, func(c lockstep.Change) bool { return c.Op == lockstep.Delete }) {
			b.Error("a delete was seen by a tracker that sees none")
		}
	}},
	{"a position that is not its own is lost", func(b *tracked) {
		for _, from := range []string{"nonsense", "{", "[1,2"} {
			_, err := b.source().Changes(b.Context(), b.read, lockstep.Position(from), wide)
			if lockstep.KindOf(err) != lockstep.Lost {
				b.Errorf("from %q: %v, want a fault of kind lost", from, err)
			}
		}
	}},
	{"a stream that is not there", func(b *tracked) {
		b.read.Stream = "nosuch"
		_, err := b.source().Changes(b.Context(), b.read, nil, wide)
		wantCode(b.T, "Changes", err, lockstep.CodeNoStream)
	}},
}
