package magento

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// queue holds bulks, and the messages that consumers take. What a consumer had in hand when it died stays in hand:
// the table of messages gives it back after a day, a message broker at once.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	bulks   map[string]*bulk
	order   []*bulk
	waiting []*operation
	inHand  map[*operation]bool
	lost    []*operation // in hand of a consumer that died

	consumers int  // that run
	stopping  bool // consumers end after what they have in hand
	kill      int  // consumers to die with their operation done and not acknowledged
	rand      *rand.Rand
	running   sync.WaitGroup
}

func newQueue() *queue {
	q := &queue{bulks: map[string]*bulk{}, inHand: map[*operation]bool{}, rand: rand.New(rand.NewPCG(1, 2))}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func (q *queue) add(b *bulk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bulks[b.uuid] = b
	q.order = append(q.order, b)
	q.waiting = append(q.waiting, b.operations...)
	q.changed.Broadcast()
}

// giveUp is the cron job that fails what has been open for too long; the caller holds the lock.
func (q *queue) giveUp(o *operation, now time.Time) {
	if o.status == opOpen && now.Sub(o.bulk.start) > stuckAfter {
		o.status, o.message, o.code = opRetriable, "Unknown Error", 0
	}
}

// take waits for an operation; ok is false when the consumer is to end. A shuffled one takes any.
func (q *queue) take(shuffle bool) (o *operation, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.stopping {
		q.changed.Wait()
	}
	if q.stopping {
		return nil, false
	}
	n := 0
	if shuffle {
		n = q.rand.IntN(len(q.waiting))
	}
	o = q.waiting[n]
	q.waiting[n] = q.waiting[0]
	q.waiting[0] = nil // for the collector
	q.waiting = q.waiting[1:]
	q.inHand[o] = true
	return o, true
}

// outcome is what became of an operation.
type outcome struct {
	status        int
	message, code any
	result        any
	dead          bool // the process died
}

// settle notes an outcome, and tells whether the consumer lives on.
func (q *queue) settle(o *operation, out outcome) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.changed.Broadcast()
	delete(q.inHand, o)
	if q.kill > 0 {
		q.kill--
		out.dead = true
	}
	if out.dead {
		q.lost = append(q.lost, o)
		return false
	}
	o.status, o.message, o.code, o.result = out.status, out.message, out.code, out.result
	if o.status == opComplete {
		o.body, o.path, o.data = nil, nil, "" // as the real one does, for large backfills
	}
	return true
}

// StartConsumers starts n consumers of the queue, beside those that run.
func (s *Server) StartConsumers(n int) {
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopping = false
	if s.conf().Broker {
		q.waiting = append(q.lost, q.waiting...)
		q.lost = nil
	}
	for range n {
		q.consumers++
		q.running.Go(s.consume)
	}
	q.changed.Broadcast()
}

// StopConsumers ends the consumers, each after what it has in hand.
func (s *Server) StopConsumers() {
	q := s.queue
	q.mu.Lock()
	q.stopping = true
	q.changed.Broadcast()
	q.mu.Unlock()
	q.running.Wait()
}

// KillConsumers lets n consumers die when they have done their next operation and not acknowledged it.
func (s *Server) KillConsumers(n int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.kill += n
}

// Consumers is how many run.
func (s *Server) Consumers() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.consumers
}

// Drain waits until the consumers have nothing left, or none lives.
func (s *Server) Drain() {
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.consumers > 0 && (len(q.waiting) > 0 || len(q.inHand) > 0) {
		q.changed.Wait()
	}
}

// consume is the life of a consumer.
func (s *Server) consume() {
	q := s.queue
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.consumers--
		q.changed.Broadcast()
	}()
	for {
		o, ok := q.take(s.conf().Shuffle)
		if !ok {
			return
		}
		pause(s.life, s.conf().ConsumerDelay)
		run := func() outcome { return s.execute(o) }
		out := s.operationFault(run)
		if out == nil {
			done := run()
			out = &done
		}
		if !q.settle(o, *out) {
			s.restart()
			return
		}
	}
}

// restart is the cron job that looks whether consumers run.
func (s *Server) restart() {
	wait := s.conf().ConsumerRestart
	if wait <= 0 || s.life.Err() != nil {
		return
	}
	s.background.Go(func() {
		pause(s.life, wait)
		if s.life.Err() == nil {
			s.StartConsumers(1)
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// execute runs an operation as its consumer does.
func (s *Server) execute(o *operation) outcome {
	c := s.internal(s.life, o.store, maps.Clone(o.path))
	if c.path == nil {
		c.path = map[string]string{}
	}
	given := c.path
	if len(given) == 0 { // of /async/bulk: what its path names is in the body
		c.path = pathOf(o)
		given = nil
	}
	got, err := perform(o.rt, c, o.body, given)
	impl := implementationOf(o.rt)
	if err != nil {
		return failedOperation(err)
	}
	out := outcome{status: opComplete, message: "Service execution success " + impl.class + "::" + impl.method}
	if !impl.void {
		if r, ok := got.(reply); ok {
			got = r.body
		}
		out.result = string(appendJSON(nil, got))
	}
	return out
}

// failedOperation is an operation whose service threw.
func failedOperation(err error) outcome {
	f, ok := errors.AsType[*fault](err)
	switch {
	case !ok:
		return outcome{status: opFailed, message: "Sorry, something went wrong during product prices update. Please see log for details.", code: 0}
	case f.plain:
		return outcome{dead: true}
	}
	return outcome{status: opFailed, message: f.rendered(), code: 0}
}

// rendered is a fault's text with its parameters in place.
func (f *fault) rendered() string {
	text := f.message
	switch p := f.params.(type) {
	case obj:
		for _, m := range p {
			text = strings.ReplaceAll(text, "%"+m.name, fmt.Sprint(m.value))
		}
	case []any:
		for i, v := range p {
			text = strings.ReplaceAll(text, fmt.Sprintf("%%%d", i+1), fmt.Sprint(v))
		}
	}
	return text
}

// pathOf takes from a body what the path of the synchronous route has.
func pathOf(o *operation) map[string]string {
	out := map[string]string{}
	for p := range strings.SplitSeq(o.rt.path, "/") {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			for k, v := range o.body {
				if snake(k) == snake(name) {
					out[name] = fmt.Sprint(v)
				}
			}
		}
	}
	return out
}
