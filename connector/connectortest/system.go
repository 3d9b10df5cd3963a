package connectortest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var systemTests = map[string]func(*testing.T, Harness){
	"streams with keys and fields": func(t *testing.T, h Harness) {
		streams := []lockstep.Stream{Item()}
		if !h.LoneKey {
			streams = append(streams, pairStream())
		}
		b := begin(t, h, streams...)
		for _, def := range streams {
			if got := b.stream(def.Name).Key; !slices.Equal(got, def.Key) {
				t.Errorf("the key of %s is %q", def.Name, got)
			}
		}
		item := b.stream("item")
		for _, f := range Item().Fields {
			if item.Field(f.Name) == nil {
				t.Errorf("field %s is missing", f.Name)
			}
		}
	},
	"reads of what is not there": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.put("item", items(1)...)
		_, err := b.fetcher().Fetch(b.Context(), b.read("nosuch", "id"), []lockstep.Key{"a"})
		wantCode(t, "Fetch of a stream that is not there", err, lockstep.CodeNoStream)
		_, err = b.fetcher().Fetch(b.Context(), b.read("item", "id", "nosuch"), []lockstep.Key{"k0000"})
		wantCode(t, "Fetch of a field that is not there", err, lockstep.CodeNoField)
		if s, ok := b.sys.(lockstep.Scanner); ok {
			_, err = s.Scan(b.Context(), b.read("nosuch", "id"), nil, wide)
			wantCode(t, "Scan of a stream that is not there", err, lockstep.CodeNoStream)
			_, err = s.Scan(b.Context(), b.read("item", "nosuch"), nil, wide)
			wantCode(t, "Scan of a field that is not there", err, lockstep.CodeNoField)
		}
	},
	"a cancelled context": func(t *testing.T, h Harness) {
		b := begin(t, h, h.trackedItem())
		b.install()
		b.put("item", items(3)...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range calls(b.sys, h) {
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want the context's error", name, err)
			}
		}
		if _, writes := b.sys.(lockstep.Target); writes {
			b.want("item", []string{"id", "name", "qty"}, items(3)...)
		}
	},
	"close twice, and no goroutine is left": func(t *testing.T, h Harness) {
		b := begin(t, h, h.trackedItem())
		b.install()
		b.put("item", items(3)...)
		if err := b.sys.Close(); err != nil {
			t.Fatal(err)
		}
		before := goleak.IgnoreCurrent()
		b.reopenAfterClose()
		for name, call := range calls(b.sys, h) {
			if err := call(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 {
			if err := b.sys.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	},
}

// install makes what the trackers need.
func (b *bench) install() {
	b.Helper()
	i, ok := b.sys.(lockstep.Installer)
	for _, track := range b.h.Tracks {
		if !ok {
			return
		}
		if _, err := i.Install(b.Context(), lockstep.Read{Stream: "item", Track: track.read()}, false); err != nil {
			b.Fatalf("Install for %s: %v", track.By, err)
		}
	}
}

// waitOnce waits for a moment. That nothing came, or that it cannot be waited for, is no error.
func waitOnce(ctx context.Context, s lockstep.Source, w lockstep.Waiter, r lockstep.Read) error {
	p, err := s.Changes(ctx, r, nil, wide)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = w.Wait(short, r, p.Next)
	if ctx.Err() == nil && (short.Err() != nil || codeOf(err) == lockstep.CodeCannot) {
		return nil
	}
	return err
}

func (b *bench) reopenAfterClose() {
	b.Helper()
	b.sys = nil
	b.reopen()
}

// calls are one good call of each method that a system has.
func calls(sys lockstep.System, h Harness) map[string]func(context.Context) error {
	r := lockstep.Read{Stream: "item", Fields: []string{"id", "name"}}
	out := map[string]func(context.Context) error{
		"Streams": func(ctx context.Context) error { _, err := sys.Streams(ctx); return err },
	}
	if s, ok := sys.(lockstep.Fetcher); ok {
		out["Fetch"] = func(ctx context.Context) error { _, err := s.Fetch(ctx, r, []lockstep.Key{"k0000"}); return err }
	}
	if s, ok := sys.(lockstep.Scanner); ok {
		out["Scan"] = func(ctx context.Context) error { _, err := s.Scan(ctx, r, nil, wide); return err }
	}
	if s, ok := sys.(lockstep.Source); ok {
		for _, track := range h.Tracks {
			r := lockstep.Read{Stream: "item", Fields: r.Fields, Track: track.read()}
			out["Changes by "+string(track.By)] = func(ctx context.Context) error { _, err := s.Changes(ctx, r, nil, wide); return err }
			if w, ok := sys.(lockstep.Waiter); ok {
				out["Wait by "+string(track.By)] = func(ctx context.Context) error { return waitOnce(ctx, s, w, r) }
			}
		}
	}
	if s, ok := sys.(lockstep.Target); ok {
		out["Find"] = func(ctx context.Context) error {
			_, err := s.Find(ctx, r, []string{"name"}, [][]value.Value{tuple("x")})
			return err
		}
		out["Apply"] = func(ctx context.Context) error {
			results, err := s.Apply(ctx, "item", []lockstep.Write{{ID: "w", Key: "extra", Fields: value.F("id", "extra", "name", "x")}})
			if err == nil && results[0].Err != nil {
				err = results[0].Err
			}
			return err
		}
	}
	return out
}

var createTests = map[string]func(*testing.T, Harness){
	"makes a stream, and dry does not": func(t *testing.T, h Harness) {
		b := begin(t, h)
		def := Item()
		def.Name = "made"
		creator := b.sys.(lockstep.Creator)
		has := func() bool {
			t.Helper()
			streams, err := b.sys.Streams(b.Context())
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(streams, func(s lockstep.Stream) bool { return s.Name == "made" })
		}
		script, err := creator.Create(b.Context(), def, true)
		if err != nil || script == "" || has() {
			t.Fatalf("dry: script %q, %v, there: %v", script, err, has())
		}
		for range 2 { // law 5
			if _, err := creator.Create(b.Context(), def, false); err != nil {
				t.Fatal(err)
			}
		}
		if !has() {
			t.Fatal("the stream is not there")
		}
		if _, ok := b.sys.(lockstep.Target); ok {
			b.apply("made", upserts(items(2))...)
			if got := b.fetch(b.read("made", itemFields()...), "k0000", "k0001"); len(got) != 2 {
				t.Errorf("%d records, want 2", len(got))
			}
		}
	},
}
