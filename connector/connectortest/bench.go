package connectortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func runAll(t *testing.T, h Harness, tests map[string]func(*testing.T, Harness)) {
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](t, h) })
	}
}

// bench is a place with a system open in it.
type bench struct {
	*testing.T
	h     Harness
	place Place
	sys   lockstep.System
}

var wide = lockstep.Limit{Rows: 10_000, Bytes: 64 << 20}

func begin(t *testing.T, h Harness, streams ...lockstep.Stream) *bench {
	t.Helper()
	b := &bench{T: t, h: h, place: h.New(t, streams...)}
	b.reopen()
	t.Cleanup(func() { _ = b.sys.Close() })
	return b
}

// reopen closes the system, if it is open, and opens it anew: what another process would see.
func (b *bench) reopen() {
	b.Helper()
	if b.sys != nil {
		if err := b.sys.Close(); err != nil {
			b.Fatalf("Close: %v", err)
		}
	}
	sys, err := b.place.Open(context.WithoutCancel(b.Context()))
	if err != nil {
		b.Fatalf("Open: %v", err)
	}
	b.sys = sys
}

func (b *bench) source() lockstep.Source   { return b.sys.(lockstep.Source) }
func (b *bench) scanner() lockstep.Scanner { return b.sys.(lockstep.Scanner) }
func (b *bench) target() lockstep.Target   { return b.sys.(lockstep.Target) }
func (b *bench) fetcher() lockstep.Fetcher { return b.sys.(lockstep.Fetcher) }

func (b *bench) stream(name string) lockstep.Stream {
	b.Helper()
	streams, err := b.sys.Streams(b.Context())
	if err != nil {
		b.Fatalf("Streams: %v", err)
	}
	for _, s := range streams {
		if s.Name == name {
			return s
		}
	}
	b.Fatalf("Streams does not list %q", name)
	return lockstep.Stream{}
}

// put makes records so, behind the system's back where the place can.
func (b *bench) put(stream string, records ...value.Fields) {
	b.Helper()
	if b.place.Put != nil {
		b.place.Put(b.T, stream, records...)
		return
	}
	def := b.stream(stream)
	writes := make([]lockstep.Write, len(records))
	for i, f := range records {
		writes[i] = lockstep.Write{Key: keyOf(b.T, def, f), Fields: f}
	}
	b.apply(stream, writes...)
}

func (b *bench) remove(stream string, keys ...lockstep.Key) {
	b.Helper()
	if b.place.Delete != nil {
		b.place.Delete(b.T, stream, keys...)
		return
	}
	writes := make([]lockstep.Write, len(keys))
	for i, k := range keys {
		writes[i] = lockstep.Write{Op: lockstep.Delete, Key: k}
	}
	b.apply(stream, writes...)
}

// apply makes writes that must all be taken, in batches that the stream allows.
func (b *bench) apply(stream string, writes ...lockstep.Write) []lockstep.Result {
	b.Helper()
	most := b.stream(stream).MaxBatch
	if most == 0 {
		most = max(1, len(writes))
	}
	var results []lockstep.Result
	for batch := range slices.Chunk(writes, most) {
		for i := range batch {
			if batch[i].ID == "" {
				batch[i].ID = fmt.Sprintf("%s-%d", b.Name(), time.Now().UnixNano()+int64(i))
			}
		}
		got, err := b.target().Apply(b.Context(), stream, batch)
		if err != nil {
			b.Fatalf("Apply: %v", err)
		}
		if len(got) != len(batch) {
			b.Fatalf("Apply answered %d of %d writes", len(got), len(batch))
		}
		got = b.settled(stream, got)
		for i, r := range got {
			if r.Err != nil {
				b.Fatalf("Apply: write %d (%s %q): %v", i, batch[i].Op, batch[i].Key, r.Err)
			}
			if batch[i].Key != "" && r.Key != batch[i].Key {
				b.Fatalf("Apply: write %d of key %q is answered for key %q", i, batch[i].Key, r.Key)
			}
		}
		results = append(results, got...)
	}
	return results
}

func (b *bench) read(stream string, fields ...string) lockstep.Read {
	return lockstep.Read{Stream: stream, Fields: fields}
}

// scan reads a stream whole and checks each page against the contract of Scan.
func (b *bench) scan(r lockstep.Read, l lockstep.Limit) []lockstep.Record {
	b.Helper()
	var out []lockstep.Record
	b.pages(r, l, func(_ lockstep.Position, p lockstep.Page) {
		for _, c := range p.Changes {
			if c.Fault != nil {
				b.Fatalf("Scan: %v", c.Fault)
			}
			out = append(out, c.Record)
		}
	})
	return out
}

func (b *bench) pages(r lockstep.Read, l lockstep.Limit, each func(from lockstep.Position, p lockstep.Page)) {
	b.Helper()
	var from lockstep.Position
	for range 100_000 {
		p, err := b.scanner().Scan(b.Context(), r, from, l)
		if err != nil {
			b.Fatalf("Scan from %s: %v", from, err)
		}
		if p.More && len(p.Changes) == 0 {
			b.Fatalf("Scan from %s: an empty page says that there is more", from)
		}
		if len(p.Changes) > l.Rows {
			b.Fatalf("Scan from %s: %d records on a page, the limit is %d", from, len(p.Changes), l.Rows)
		}
		if p.Next == nil {
			b.Fatalf("Scan from %s: no position to go on from", from)
		}
		for _, c := range p.Changes {
			b.checkScanned(r, c)
		}
		each(from, p)
		if from = p.Next; !p.More {
			return
		}
	}
	b.Fatal("the scan does not end")
}

func (b *bench) checkScanned(r lockstep.Read, c lockstep.Change) {
	b.Helper()
	if c.Op != lockstep.Upsert || c.Hint {
		b.Fatalf("Scan gave a %s (hint: %v) of key %q", c.Op, c.Hint, c.Record.Key)
	}
	if c.Fault == nil {
		b.checkRecord(r, c.Record)
	}
}

// checkRecord holds a record against what was asked for.
func (b *bench) checkRecord(r lockstep.Read, rec lockstep.Record) {
	b.Helper()
	if rec.Fields.Len() != len(r.Fields) {
		b.Fatalf("key %q has %d fields, %d were asked for", rec.Key, rec.Fields.Len(), len(r.Fields))
	}
	for i, name := range r.Fields {
		got, v := rec.Fields.At(i)
		if got != name {
			b.Fatalf("key %q: field %d is %q, asked for was %q", rec.Key, i, got, name)
		}
		if why := closed(v); why != "" {
			b.Fatalf("key %q, field %s: %s", rec.Key, name, why)
		}
	}
}

func (b *bench) fetch(r lockstep.Read, keys ...lockstep.Key) map[lockstep.Key]lockstep.Record {
	b.Helper()
	got, err := b.fetcher().Fetch(b.Context(), r, keys)
	if err != nil {
		b.Fatalf("Fetch: %v", err)
	}
	out := make(map[lockstep.Key]lockstep.Record, len(got))
	for _, rec := range got {
		if !slices.Contains(keys, rec.Key) {
			b.Fatalf("Fetch gave key %q, which nobody asked for", rec.Key)
		}
		if _, twice := out[rec.Key]; twice {
			b.Fatalf("Fetch gave key %q twice", rec.Key)
		}
		b.checkRecord(r, rec)
		out[rec.Key] = rec
	}
	return out
}

// want holds the whole stream against records by their first field, the key.
func (b *bench) want(stream string, fields []string, records ...value.Fields) {
	b.Helper()
	def := b.stream(stream)
	got := map[lockstep.Key]value.Fields{}
	keys := make([]lockstep.Key, len(records))
	if _, scans := b.sys.(lockstep.Scanner); scans {
		for _, rec := range b.scan(b.read(stream, fields...), wide) {
			if _, twice := got[rec.Key]; twice {
				b.Errorf("key %q is there twice", rec.Key)
			}
			got[rec.Key] = rec.Fields
		}
	}
	for i, want := range records {
		keys[i] = keyOf(b.T, def, want)
	}
	if len(got) == 0 {
		for key, rec := range b.fetch(b.read(stream, fields...), keys...) {
			got[key] = rec.Fields
		}
	}
	for i, want := range records {
		have, there := got[keys[i]]
		if !there {
			b.Errorf("key %q is missing", keys[i])
			continue
		}
		delete(got, keys[i])
		b.same(def, keys[i], want, have)
	}
	for key := range got {
		b.Errorf("key %q should not be there", key)
	}
}

func (b *bench) same(def lockstep.Stream, key lockstep.Key, want, have value.Fields) {
	b.Helper()
	for name, w := range want.All() {
		g, _ := have.Get(name)
		var typ value.Type
		if f := def.Field(name); f != nil {
			typ = f.Type
		}
		if !Same(w, g, typ) {
			b.Errorf("key %q, field %s: %s, want %s", key, name, show(g), show(w))
		}
	}
}

func keyOf(t *testing.T, def lockstep.Stream, f value.Fields) lockstep.Key {
	t.Helper()
	parts := make([]string, len(def.Key))
	for i, name := range def.Key {
		v, _ := f.Get(name)
		text, there := v.KeyText()
		if !there {
			t.Fatalf("a test record has no %s", name)
		}
		parts[i] = text
	}
	return lockstep.MakeKey(parts...)
}

func keysOf(records []lockstep.Record) []lockstep.Key {
	out := make([]lockstep.Key, len(records))
	for i, r := range records {
		out[i] = r.Key
	}
	return out
}

func codeOf(err error) lockstep.Code {
	if err == nil {
		return ""
	}
	return lockstep.FaultOf(err).Code
}
