package magento

import (
	"context"
	"maps"
	"slices"
	"time"
)

// object is a JSON object that came in, its names in snake_case.
type object map[string]any

// has says whether a member was sent, null included.
func (o object) has(name string) bool { _, ok := o[name]; return ok }

// object, list, text, integer, number and flag read a member that input has checked; absent and null are the zero value.
func (o object) object(name string) object  { v, _ := o[name].(object); return v }
func (o object) list(name string) []any     { v, _ := o[name].([]any); return v }
func (o object) text(name string) string    { v, _ := o[name].(string); return v }
func (o object) integer(name string) int    { v, _ := o[name].(int); return v }
func (o object) number(name string) float64 { v, _ := o[name].(float64); return v }
func (o object) flag(name string) bool      { v, _ := o[name].(bool); return v }

func sortedObj(m map[string]any) obj {
	o := make(obj, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		o = append(o, member{k, m[k]})
	}
	return o
}

// call is one run of a route. The world is locked while it runs; what it returns must not be part of the world.
type call struct {
	*world
	ctx   context.Context
	delay time.Duration
	store int  // the scope's store id; 0 is "all"
	bare  bool // the URL has no store code: store is the default store view's
	later bool // a consumer of the asynchronous queue runs it
	path  map[string]string
	query object // as PHP reads it: a[b][0]=c is nested
	in    object // the body's parameters, checked, by their names in snake_case
}

// work passes the service time with the world unlocked. A route that races calls it between its look-ups and its
// writes, as the statements of a real one lie apart.
func (c *call) work() {
	if c.delay <= 0 {
		return
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	t := time.NewTimer(c.delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done(): // PHP does not notice that its client has gone, but nobody waits for it either
	}
}
