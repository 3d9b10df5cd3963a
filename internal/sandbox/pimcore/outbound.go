package pimcore

import "sync"

// outbound is what was written and not told yet, one group for each transaction: for the mirror in a database and the
// listener. Groups leave in the order in which they were written.
type outbound struct {
	waiting [][]change // under the world's lock
	mu      sync.Mutex // held while groups leave
	mirror  *mirror
	hooks   []*listener
}

// begin opens the group of a transaction. The caller holds the world's lock.
func (s *Server) begin() { s.out.waiting = append(s.out.waiting, nil) }

// record notes what was written in the open transaction.
func (s *Server) record(c change) {
	last := len(s.out.waiting) - 1
	s.out.waiting[last] = append(s.out.waiting[last], c)
}

// published tells of what was recorded, when the process that wrote it is done.
func (s *Server) published() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.w.mu.Lock()
	groups := s.out.waiting
	s.out.waiting = nil
	s.w.mu.Unlock()
	if !onlySilent(groups) {
		s.cache.clear()
	}
	if s.out.mirror != nil {
		for _, g := range groups {
			if err := s.out.mirror.write(g); err != nil {
				return err
			}
		}
	}
	for _, l := range s.out.hooks {
		l.tell(groups)
	}
	return nil
}

// onlySilent tells that nothing was written but by SQL: no save cleared the output cache.
func onlySilent(groups [][]change) bool {
	some := false
	for _, g := range groups {
		for _, c := range g {
			if some = true; !c.silent {
				return false
			}
		}
	}
	return some
}
