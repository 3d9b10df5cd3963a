package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/guard"
)

// system is a system as the house has it: open once, whoever uses it.
type system struct {
	cfg     *config.System
	sys     lockstep.System
	guard   *guard.Guard
	streams []lockstep.Stream
}

func (s *system) stream(name string) *lockstep.Stream {
	for i := range s.streams {
		if s.streams[i].Name == name {
			return &s.streams[i]
		}
	}
	return nil
}

// list asks the system for its streams again.
func (s *system) list(ctx context.Context) error {
	streams, err := s.sys.Streams(ctx)
	if err != nil {
		return about(fmt.Errorf("list the streams: %w", err), s.cfg.Name)
	}
	s.streams = streams
	return nil
}

// about is err as a fault that names the system, never its address.
func about(err error, system string) error {
	return lockstep.FaultOf(err).On(lockstep.About{System: system})
}

// systems are the open systems of a house, by name.
type systems map[string]*system

// open opens those of the named systems that are not open yet, at the same time. The errors are by system: one that is
// away keeps no other from being looked at.
func (s systems) open(ctx context.Context, cfg *config.Config, names []string) map[string]error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := map[string]error{}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return s[name] != nil })
	for _, name := range names {
		wg.Go(func() {
			opened, err := openSystem(ctx, cfg.System(name))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[name] = err
				return
			}
			s[name] = opened
		})
	}
	wg.Wait()
	return failed
}

func openSystem(ctx context.Context, cfg *config.System) (*system, error) {
	sys, err := cfg.Connector.Open(ctx, cfg.Settings())
	if err != nil {
		return nil, about(fmt.Errorf("open: %w", err), cfg.Name)
	}
	s := &system{cfg: cfg, sys: sys}
	if err := s.list(ctx); err != nil {
		return nil, errors.Join(err, sys.Close())
	}
	s.guard = guard.New(sys, guard.Rules{
		Name:        cfg.Name,
		Rate:        rate.Limit(cfg.Limits.Rate.PerSecond()),
		Concurrency: cfg.Limits.Concurrency,
		Allows:      s.allows,
	})
	return s, nil
}

// allows are the fields of a stream that may leave the system: those of the allow-list, and the key, without which no
// record can be told from another.
func (s *system) allows(stream string) (fields []string, all bool) {
	fields, all = s.cfg.Allows(stream)
	if st := s.stream(stream); st != nil && !all {
		fields = append(append([]string{}, fields...), st.Key...)
	}
	return fields, all
}

// close closes all.
func (s systems) close() error {
	var errs []error
	for name, one := range s {
		if err := one.sys.Close(); err != nil {
			errs = append(errs, about(fmt.Errorf("close: %w", err), name))
		}
	}
	clear(s)
	return errors.Join(errs...)
}

// usedBy are the systems that flows use, each once, in the order of the file.
func usedBy(cfg *config.Config, flows []*config.Flow) []string {
	used := map[string]bool{}
	for _, f := range flows {
		used[f.From.System], used[f.To.System] = true, true
	}
	var names []string
	for _, s := range cfg.Systems {
		if used[s.Name] {
			names = append(names, s.Name)
		}
	}
	return names
}
