package pimcore

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// Hook is where the listener sends notices, and how badly.
type Hook struct {
	URL     string
	Secrets []string
	Lose    float64       // the share of events that is lost for ever
	Hold    time.Duration // how long events are gathered; default: what one request wrote
	Client  *http.Client
}

// event is what a notice says of one change: where to look, no values.
type event struct {
	Event            string  `json:"event"`
	Kind             string  `json:"kind"`
	ID               int     `json:"id"`
	Type             string  `json:"type"`
	Class            *string `json:"class"`
	Path             string  `json:"path"`
	OldPath          *string `json:"oldPath"`
	Published        bool    `json:"published"`
	ModificationDate int64   `json:"modificationDate"`
	VersionCount     int     `json:"versionCount"`
}

const (
	hookBatch = 200
	hookKept  = 100_000 // events that wait while nobody listens
)

// listener sends notices in the order of the saves; one that was not taken is sent again.
type listener struct {
	hook Hook
	s    *Server
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	idle    *sync.Cond
	waiting []event
	busy    bool
	rand    *rand.Rand
	lost    int
	sent    int
}

// Listen sends a notice of every save to a webhook, beside those that listen already, until ctx ends. Drafts, children of a move, inherited changes and
// direct SQL fire no event.
func (s *Server) Listen(ctx context.Context, h Hook) {
	if h.Client == nil {
		h.Client = &http.Client{Timeout: 10 * time.Second}
	}
	l := &listener{hook: h, s: s, wake: make(chan struct{}, 1), done: make(chan struct{}), rand: rand.New(rand.NewPCG(3, 4))}
	l.idle = sync.NewCond(&l.mu)
	s.out.mu.Lock()
	s.out.hooks = append(s.out.hooks, l)
	s.out.mu.Unlock()
	go func() {
		l.run(ctx)
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		s.out.hooks = slices.DeleteFunc(s.out.hooks, func(x *listener) bool { return x == l })
	}()
}

// listeners are those that listen now.
func (s *Server) listeners() []*listener {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return slices.Clone(s.out.hooks)
}

// WaitNotices waits until all notices were taken or lost, or ctx ends.
func (s *Server) WaitNotices(ctx context.Context) error {
	for _, l := range s.listeners() {
		if err := l.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rest waits until nothing waits.
func (l *listener) rest(ctx context.Context) error {
	stop := context.AfterFunc(ctx, l.idle.Broadcast)
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for (len(l.waiting) > 0 || l.busy) && ctx.Err() == nil {
		l.idle.Wait()
	}
	return ctx.Err()
}

// Notices are the events that were sent and those that were lost.
func (s *Server) Notices() (sent, lost int) {
	for _, l := range s.listeners() {
		l.mu.Lock()
		sent, lost = sent+l.sent, lost+l.lost
		l.mu.Unlock()
	}
	return sent, lost
}

// tell queues the events of what was written.
func (l *listener) tell(groups [][]change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range groups {
		for _, c := range g {
			if c.silent || c.draft {
				continue
			}
			if l.hook.Lose > 0 && l.rand.Float64() < l.hook.Lose || len(l.waiting) >= hookKept {
				l.lost++
				continue
			}
			l.waiting = append(l.waiting, eventOf(c))
		}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func eventOf(c change) event {
	post := map[string]string{"add": "postAdd", "update": "postUpdate", "delete": "postDelete"}[c.op]
	if c.kind == "asset" {
		a := c.asset
		e := event{Event: "pimcore.asset." + post, Kind: "asset", ID: a.id, Type: a.kind, Path: a.fullpath(), Published: true, ModificationDate: a.modified, VersionCount: a.versionCount}
		if c.oldPath != "" {
			e.OldPath = &c.oldPath
		}
		return e
	}
	o := c.after
	if o == nil {
		o = c.before
	}
	e := event{Event: "pimcore.dataobject." + post, Kind: "object", ID: o.id, Type: o.kind, Path: o.fullpath(), Published: o.published, ModificationDate: o.modified, VersionCount: o.versionCount}
	if o.class != nil {
		e.Class = &o.class.Name
	}
	if c.oldPath != "" {
		e.OldPath = &c.oldPath
	}
	return e
}

func (l *listener) run(ctx context.Context) {
	defer close(l.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-pause.C:
		}
		if l.hook.Hold > 0 && !wait(ctx, l.hook.Hold) {
			return
		}
		for l.next(ctx) {
		}
		pause.Reset(time.Second) // what was refused is tried again
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// next sends the next batch; false: nothing waits, or it was not taken.
func (l *listener) next(ctx context.Context) bool {
	l.mu.Lock()
	batch := l.waiting[:min(hookBatch, len(l.waiting))]
	l.busy = len(batch) > 0
	l.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	ok := l.post(ctx, batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if ok {
		l.waiting = l.waiting[len(batch):]
		l.sent += len(batch)
	}
	if len(l.waiting) == 0 {
		l.idle.Broadcast()
	}
	return ok
}

func (l *listener) post(ctx context.Context, batch []event) bool {
	now := time.Now() // of the wire, not of the stand-in: its clock may be another one
	body, err := json.Marshal(map[string]any{"source": "pimcore", "sent": now.Unix(), "events": batch})
	if err != nil {
		return false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.hook.URL, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	webhook.Sign(req.Header, body, now, l.hook.Secrets...)
	resp, err := l.hook.Client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}
