package guard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// The parts of which the systems of TestAssertions are put together. They are never called.
type bare struct{}

func (bare) Streams(context.Context) ([]lockstep.Stream, error) { return nil, nil }
func (bare) Close() error                                       { return nil }

func TestAssertions(t *testing.T) {
	type reads struct {
		bare
		lockstep.Scanner
	}
	type feeds struct {
		bare
		lockstep.Source
	}
	type writes struct {
		bare
		lockstep.Target
	}
	for name, c := range map[string]struct {
		sys                                               lockstep.System
		scan, source, ack, wait, hint, target, tscan, cfm bool
	}{
		"nothing": {sys: bare{}},
		"scanner": {sys: reads{}, scan: true},
		"source":  {sys: feeds{}, scan: true, source: true},
		"target":  {sys: writes{}, target: true},
		"acks": {sys: struct {
			feeds
			lockstep.Acker
		}{}, scan: true, source: true, ack: true},
		"waits": {sys: struct {
			feeds
			lockstep.Waiter
		}{}, scan: true, source: true, wait: true},
		"acks and waits": {sys: struct {
			feeds
			lockstep.Acker
			lockstep.Waiter
		}{}, scan: true, source: true, ack: true, wait: true},
		"hints": {sys: struct {
			feeds
			lockstep.Hinter
		}{}, scan: true, source: true, hint: true},
		"acks and hints": {sys: struct {
			feeds
			lockstep.Acker
			lockstep.Hinter
		}{}, scan: true, source: true, ack: true, hint: true},
		"waits and hints": {sys: struct {
			feeds
			lockstep.Waiter
			lockstep.Hinter
		}{}, scan: true, source: true, wait: true, hint: true},
		"acks, waits and hints": {sys: struct {
			feeds
			lockstep.Acker
			lockstep.Waiter
			lockstep.Hinter
		}{}, scan: true, source: true, ack: true, wait: true, hint: true},
		"confirms": {sys: struct {
			writes
			lockstep.Confirmer
		}{}, target: true, cfm: true},
		"memory": {sys: memory.New(), scan: true, source: true, ack: true, target: true, tscan: true, cfm: true},
	} {
		g := New(c.sys, Rules{})
		s, scan := g.Source()
		_, source := s.(lockstep.Source)
		_, ack := s.(lockstep.Acker)
		_, wait := s.(lockstep.Waiter)
		_, hint := s.(lockstep.Hinter)
		to, target := g.Target()
		_, tscan := to.(lockstep.Scanner)
		_, cfm := to.(lockstep.Confirmer)
		got := [8]bool{scan, source, ack, wait, hint, target, tscan, cfm}
		if want := [8]bool{c.scan, c.source, c.ack, c.wait, c.hint, c.target, c.tscan, c.cfm}; got != want {
			t.Errorf("%s: scanner, source, acker, waiter, hinter, target, scanning target, confirmer are %v, want %v", name, got, want)
		}
	}
}

func catalogue(t *testing.T) *memory.System {
	t.Helper()
	sys := memory.New()
	sys.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: []lockstep.Field{
		{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}},
		{Name: "cost", Type: value.Type{Kind: value.IntType}}, {Name: "moved", Type: value.Type{Kind: value.InstantType}},
	}})
	return sys
}

func TestAllowList(t *testing.T) {
	allow := func(stream string) ([]string, bool) {
		if stream == "products" {
			return []string{"sku", "name"}, false
		}
		return nil, stream == "open"
	}
	s, _ := New(catalogue(t), Rules{Name: "pim", Allows: allow}).Source()
	src := s.(lockstep.Source)
	ways := map[string]func(lockstep.Read) error{
		"fetch": func(r lockstep.Read) error { _, err := src.Fetch(t.Context(), r, []lockstep.Key{"a"}); return err },
		"scan": func(r lockstep.Read) error {
			_, err := src.Scan(t.Context(), r, nil, lockstep.Limit{Rows: 1, Bytes: 1e6})
			return err
		},
		"changes": func(r lockstep.Read) error {
			_, err := src.Changes(t.Context(), r, nil, lockstep.Limit{Rows: 1, Bytes: 1e6})
			return err
		},
	}
	track := lockstep.Track{By: lockstep.Timestamp, Field: "moved"}
	for name, read := range ways {
		if err := read(lockstep.Read{Stream: "products", Fields: []string{"sku", "name", "moved"}, Track: track}); err != nil {
			t.Errorf("%s of allowed fields: %v", name, err)
		}
		err := read(lockstep.Read{Stream: "products", Fields: []string{"sku", "cost"}, Track: track})
		f, ok := errors.AsType[*lockstep.Fault](err)
		if !ok || f.Code != lockstep.CodeRights || f.About.Field != "cost" || f.About.System != "pim" || !f.Kind.StopsFlow() {
			t.Errorf("%s of a field that is not allowed: %v", name, err)
		}
	}
	to, _ := New(catalogue(t), Rules{Allows: allow}).Target()
	if _, err := to.Fetch(t.Context(), lockstep.Read{Stream: "products", Fields: []string{"cost"}}, nil); err != nil {
		t.Errorf("a target reads what is written to it: %v", err)
	}
}

// slow counts how many reads it is asked for at a time.
type slow struct {
	*memory.System
	now, most atomic.Int32
}

func (s *slow) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	time.Sleep(time.Second)
	return s.System.Fetch(ctx, r, keys)
}

func TestLimits(t *testing.T) {
	sys := &slow{System: catalogue(t)}
	synctest.Test(t, func(t *testing.T) {
		g := New(sys, Rules{Concurrency: 2})
		src, _ := g.Source()
		to, _ := g.Target()
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				f := lockstep.Fetcher(src)
				if i%2 == 0 {
					f = to
				}
				if _, err := f.Fetch(t.Context(), lockstep.Read{Stream: "products"}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most := sys.most.Load(); most != 2 || time.Since(began) != 3*time.Second {
			t.Errorf("6 reads of a second, 2 at a time: %d at a time, in %s", most, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		busy, _ := g.enter(t.Context())
		busy2, _ := g.enter(t.Context())
		cancel()
		if _, err := src.Fetch(ctx, lockstep.Read{Stream: "products"}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a read that nobody waits for any more: %v", err)
		}
		busy()
		busy2()
	})
}

func TestRate(t *testing.T) {
	sys := catalogue(t)
	synctest.Test(t, func(t *testing.T) {
		src, _ := New(sys, Rules{Rate: 2}).Source()
		began := time.Now()
		for range 5 {
			if _, err := src.Scan(t.Context(), lockstep.Read{Stream: "products"}, nil, lockstep.Limit{Rows: 1, Bytes: 1e6}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("5 reads at 2 a second took %s", took)
		}
	})
}
