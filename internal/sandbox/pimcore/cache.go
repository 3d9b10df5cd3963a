package pimcore

import (
	"sync"
	"time"
)

// outputCache answers the same body again, mutations too, until its life ends or something is saved. It is off by
// default.
type outputCache struct {
	mu      sync.Mutex
	answers map[string]cached
}

type cached struct {
	answer []byte
	until  time.Time
}

// cacheEntries bounds the cache: what is more makes it start over.
const cacheEntries = 1000

func (c *outputCache) through(s *Server, body []byte, run func() []byte) []byte {
	life := s.conf().OutputCache
	if life <= 0 {
		return run()
	}
	key, now := string(body), s.conf().Now()
	c.mu.Lock()
	have, ok := c.answers[key]
	c.mu.Unlock()
	if ok && now.Before(have.until) {
		return have.answer
	}
	out := run()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.answers) >= cacheEntries {
		clear(c.answers)
	}
	c.answers[key] = cached{out, now.Add(life)} // put behind the run: what a mutation's own save cleared is kept again
	return out
}

// clear is what a save does by its tag.
func (c *outputCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.answers)
}
