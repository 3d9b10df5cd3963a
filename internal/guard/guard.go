// Package guard stands between the engine and a system: it keeps reads within the system's limits (rate, how many at
// a time) and within its field allow-list (law 12). What a guarded system can do beyond reading and writing is told
// by type assertions as before: a guard has exactly the optional interfaces of what it guards.
package guard

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Rules are what a system asks of those who read it. The zero Rules allow everything.
type Rules struct {
	Name        string     // of the system, for faults
	Rate        rate.Limit // reads a second, a page or a fetch being one; 0 is no limit
	Concurrency int        // reads at the same time; 0 is no limit
	// Allows are the fields of a stream that may be read; all says that every field may. Nil allows all of every
	// stream. The fields of the tracker are read in any case.
	Allows func(stream string) (fields []string, all bool)
}

// Guard guards one system, whoever uses it: the limits hold for all its readers together.
type Guard struct {
	rules Rules
	limit *rate.Limiter
	slots chan struct{}
	sys   lockstep.System
}

// New guards a system.
func New(sys lockstep.System, rules Rules) *Guard {
	g := &Guard{rules: rules, sys: sys}
	if rules.Rate > 0 {
		g.limit = rate.NewLimiter(rules.Rate, 1)
	}
	if rules.Concurrency > 0 {
		g.slots = make(chan struct{}, rules.Concurrency)
	}
	return g
}

// System is what is guarded: for what is neither reading nor writing (Streams, Create, Examine, Install, Close).
func (g *Guard) System() lockstep.System { return g.sys }

// Source is the system as a source; false where it cannot be read whole. It is a lockstep.Source, an Acker, a Waiter and
// a Hinter if the system is one.
func (g *Guard) Source() (lockstep.Scanner, bool) {
	base, ok := g.sys.(lockstep.Scanner)
	if !ok {
		return nil, false
	}
	scan := scanner{fetcher{g, base, true}, base}
	src, ok := g.sys.(lockstep.Source)
	if !ok {
		return scan, true
	}
	s := source{scan, src}
	acker, acks := g.sys.(lockstep.Acker)
	waiter, waits := g.sys.(lockstep.Waiter)
	// Hints go by no limit: a notice that names its records costs the system nothing, and the sender waits.
	hints, hears := g.sys.(lockstep.Hinter)
	switch {
	case acks && waits && hears:
		return struct {
			source
			lockstep.Acker
			lockstep.Waiter
			lockstep.Hinter
		}{s, acker, waiter, hints}, true
	case acks && waits:
		return struct {
			source
			lockstep.Acker
			lockstep.Waiter
		}{s, acker, waiter}, true
	case acks && hears:
		return struct {
			source
			lockstep.Acker
			lockstep.Hinter
		}{s, acker, hints}, true
	case acks:
		return struct {
			source
			lockstep.Acker
		}{s, acker}, true
	case waits && hears:
		return struct {
			source
			lockstep.Waiter
			lockstep.Hinter
		}{s, waiter, hints}, true
	case waits:
		return struct {
			source
			lockstep.Waiter
		}{s, waiter}, true
	case hears:
		return struct {
			source
			lockstep.Hinter
		}{s, hints}, true
	}
	return s, true
}

// Target is the system as a target; false where it cannot be written. It is a lockstep.Scanner and a Confirmer if the
// system is one. The allow-list does not bind it: a target is only read for the fields that are written to it.
func (g *Guard) Target() (lockstep.Target, bool) {
	base, ok := g.sys.(lockstep.Target)
	if !ok {
		return nil, false
	}
	t := target{fetcher{g, base, false}, base}
	scans, canScan := g.sys.(lockstep.Scanner)
	confirmer, confirms := g.sys.(lockstep.Confirmer)
	whole := scanning{g, scans}
	switch {
	case canScan && confirms:
		return struct {
			target
			scanning
			lockstep.Confirmer
		}{t, whole, confirmer}, true
	case canScan:
		return struct {
			target
			scanning
		}{t, whole}, true
	case confirms:
		return struct {
			target
			lockstep.Confirmer
		}{t, confirmer}, true
	}
	return t, true
}

// enter waits until one more read is welcome. leave must be called after it.
func (g *Guard) enter(ctx context.Context) (leave func(), err error) {
	leave = func() {}
	if g.slots != nil {
		select {
		case g.slots <- struct{}{}:
			leave = func() { <-g.slots }
		case <-ctx.Done():
			return leave, ctx.Err()
		}
	}
	if g.limit != nil {
		if err := g.limit.Wait(ctx); err != nil {
			leave()
			return func() {}, cmp.Or(ctx.Err(), context.DeadlineExceeded) // it would come too late: the limiter's own words say nothing
		}
	}
	return leave, nil
}

// allowed refuses a read that asks for fields that must not leave the system.
func (g *Guard) allowed(r lockstep.Read) error {
	if g.rules.Allows == nil {
		return nil
	}
	fields, all := g.rules.Allows(r.Stream)
	if all {
		return nil
	}
	for _, name := range r.Fields {
		if name == r.Track.Field || name == r.Track.Deleted || slices.Contains(fields, name) {
			continue
		}
		return lockstep.Faultf(lockstep.CodeRights, "the configuration does not allow %q to leave the system", name).
			On(lockstep.About{System: g.rules.Name, Stream: r.Stream, Field: name})
	}
	return nil
}

// fetcher reads by key.
type fetcher struct {
	g    *Guard
	base lockstep.Fetcher
	list bool // the allow-list counts
}

func (f fetcher) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	if f.list {
		if err := f.g.allowed(r); err != nil {
			return nil, err
		}
	}
	leave, err := f.g.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return f.base.Fetch(ctx, r, keys)
}

type scanner struct {
	fetcher
	base lockstep.Scanner
}

func (s scanner) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if err := s.g.allowed(r); err != nil {
		return lockstep.Page{}, err
	}
	return scanning{s.g, s.base}.Scan(ctx, r, from, l)
}

type source struct {
	scanner
	base lockstep.Source
}

func (s source) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if err := s.g.allowed(r); err != nil {
		return lockstep.Page{}, err
	}
	leave, err := s.g.enter(ctx)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer leave()
	return s.base.Changes(ctx, r, from, l)
}

type target struct {
	fetcher
	base lockstep.Target
}

func (t target) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	leave, err := t.g.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return t.base.Find(ctx, r, by, values)
}

func (t target) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	return t.base.Apply(ctx, stream, writes)
}

// scanning is Scan alone, to be put beside the Fetch of a target.
type scanning struct {
	g    *Guard
	base lockstep.Scanner
}

func (s scanning) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	leave, err := s.g.enter(ctx)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer leave()
	return s.base.Scan(ctx, r, from, l)
}
