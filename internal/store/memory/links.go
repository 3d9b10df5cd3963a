package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// linkSet holds the links of a set. The key of side A names a link; several may claim one key of side B, and then
// the oldest is found.
type linkSet struct {
	byA map[lockstep.Key]*lockstep.Link
	byB map[lockstep.Key][]*lockstep.Link
}

func (s *Store) set(name string) *linkSet {
	set := s.sets[name]
	if set == nil {
		set = &linkSet{byA: map[lockstep.Key]*lockstep.Link{}, byB: map[lockstep.Key][]*lockstep.Link{}}
		s.sets[name] = set
	}
	return set
}

func (set *linkSet) get(side lockstep.Side, key lockstep.Key) *lockstep.Link {
	if side == lockstep.A {
		return set.byA[key]
	}
	if claims := set.byB[key]; len(claims) > 0 {
		return slices.MinFunc(claims, func(a, b *lockstep.Link) int { return cmp.Compare(a.ID, b.ID) })
	}
	return nil
}

// remove forgets the link of a key of side A; a link with another ID than the one meant stays.
func (set *linkSet) remove(key lockstep.Key, id int64) {
	old := set.byA[key]
	if old == nil || (id != 0 && old.ID != id) {
		return
	}
	delete(set.byA, key)
	claims := slices.DeleteFunc(set.byB[old.B.Key], func(l *lockstep.Link) bool { return l == old })
	if len(claims) == 0 {
		delete(set.byB, old.B.Key)
	} else {
		set.byB[old.B.Key] = claims
	}
}

// saveLinks forgets one link and saves another; either may be nil.
func (s *Store) saveLinks(f *flow, link, unlink *lockstep.Link) {
	if unlink != nil {
		s.set(cmp.Or(unlink.Set, f.Set)).remove(unlink.A.Key, unlink.ID)
	}
	if link == nil {
		return
	}
	l := *link
	l.Set = cmp.Or(l.Set, f.Set)
	if l.At.IsZero() {
		l.At = time.Now()
	}
	set := s.set(l.Set)
	if l.ID != 0 && f.Side == lockstep.B { // the record may have another key on side A now
		for _, old := range set.byB[l.B.Key] {
			if old.ID == l.ID && old.A.Key != l.A.Key {
				set.remove(old.A.Key, old.ID)
				break
			}
		}
	}
	if old := set.byA[l.A.Key]; old != nil {
		l.ID = old.ID
		set.remove(l.A.Key, 0)
	}
	if l.ID == 0 {
		s.lastLink++
		l.ID = s.lastLink
	}
	set.byA[l.A.Key] = &l
	set.byB[l.B.Key] = append(set.byB[l.B.Key], &l)
}

// Links finds links by the keys of the flow's source.
func (s *Store) Links(ctx context.Context, name string, keys []lockstep.Key) ([]lockstep.LinkState, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	out := make([]lockstep.LinkState, len(keys))
	for i, key := range keys {
		if l := s.set(f.Set).get(f.Side, key); l != nil {
			out[i].Link = *l
		}
		if e := f.open[key]; e != nil {
			out[i].Open, out[i].Version = true, e.Change.Record.Version
		}
	}
	return out, nil
}

// LinksTo finds links by the keys of the flow's target.
func (s *Store) LinksTo(ctx context.Context, name string, keys []lockstep.Key) ([]lockstep.Link, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	out := make([]lockstep.Link, len(keys))
	for i, key := range keys {
		if l := s.set(f.Set).get(f.Side.Other(), key); l != nil {
			out[i] = *l
		}
	}
	return out, nil
}

// ScanLinks pages through the links in the order of their source keys.
func (s *Store) ScanLinks(ctx context.Context, name string, after lockstep.Key, most int) ([]lockstep.Link, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []lockstep.Link
	for _, l := range s.set(f.Set).byA {
		if l.End(f.Side).Key > after {
			out = append(out, *l)
		}
	}
	slices.SortFunc(out, func(a, b lockstep.Link) int {
		return cmp.Or(cmp.Compare(a.End(f.Side).Key, b.End(f.Side).Key), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(most, len(out))], nil
}

// CountLinks is how many links the flow has, and the greatest ID given so far.
func (s *Store) CountLinks(ctx context.Context, name string) (int64, int64, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	defer s.mu.Unlock()
	return int64(len(s.set(f.Set).byA)), s.lastLink, nil
}
