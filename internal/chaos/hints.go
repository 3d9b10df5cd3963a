package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// hookSecret signs the notices of a run. It opens nothing but that run's own daemon.
const hookSecret = "chaos signs its notices by this"

// teller sends notices of what the load has changed, as a system's own listener does: it loses a tenth of them, keeps
// those that nobody took, and sends them again.
type teller struct {
	listen string
	client http.Client
	done   sync.WaitGroup

	mu   sync.Mutex
	rng  *rand.Rand
	kept map[string][]lockstep.Key // by flow

	Told, Lost, Again atomic.Int64 // keys; batches that were sent again
}

// newTeller chooses a port that is free now.
func newTeller(ctx context.Context, seed uint64) (*teller, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &teller{listen: l.Addr().String(), rng: rand.New(rand.NewPCG(seed, 1<<32)), kept: map[string][]lockstep.Key{}}
	t.client.Timeout = 5 * time.Second
	return t, l.Close()
}

// run sends until ctx ends.
func (t *teller) run(ctx context.Context) {
	t.done.Go(func() {
		for pause(ctx, 30*time.Millisecond) == nil {
			for _, flow := range []string{"items", "stock"} {
				t.send(ctx, flow)
			}
		}
	})
}

// tell keeps keys to be sent, most of them.
func (t *teller) tell(flow string, keys []lockstep.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		if t.rng.IntN(10) == 0 {
			t.Lost.Add(1)
			continue
		}
		t.kept[flow] = append(t.kept[flow], key)
	}
}

func (t *teller) take(flow string) []lockstep.Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := t.kept[flow]
	n := min(len(keys), 500)
	t.kept[flow] = keys[n:]
	return keys[:n:n]
}

// left is how many keys wait to be sent.
func (t *teller) left() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, keys := range t.kept {
		n += len(keys)
	}
	return n
}

func (t *teller) send(ctx context.Context, flow string) {
	keys := t.take(flow)
	if len(keys) == 0 {
		return
	}
	if t.post(ctx, flow, keys) {
		t.Told.Add(int64(len(keys)))
		return
	}
	t.Again.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept[flow] = append(keys, t.kept[flow]...)
}

func (t *teller) post(ctx context.Context, flow string, keys []lockstep.Key) bool {
	body, err := json.Marshal(map[string][]lockstep.Key{"keys": keys})
	if err != nil {
		return false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.listen+"/hooks/"+flow, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	webhook.Sign(req.Header, body, time.Now(), hookSecret)
	res, err := t.client.Do(req)
	if err != nil {
		return false // nobody listens, or it died over it
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusAccepted || res.StatusCode == http.StatusOK
}

func (t *teller) String() string {
	return fmt.Sprintf("%d keys told, %d lost, %d notices sent again", t.Told.Load(), t.Lost.Load(), t.Again.Load())
}

// byHints lets a daemon that is not killed take what is told, and says how far hints alone have come.
func (r *run) byHints(ctx context.Context) error {
	daemon, err := r.tool.start("run")
	if err != nil {
		return err
	}
	defer daemon.kill()
	for wait := 0; wait < 100 && (r.hints.left() > 0 || wait < 10); wait++ {
		over, err := daemon.ended(ctx, 300*time.Millisecond)
		if err != nil {
			return err
		}
		if over {
			return r.tool.unexpected(daemon)
		}
	}
	if n := r.hints.left(); n > 0 {
		return fmt.Errorf("nobody took the notices of %d keys\n%s", n, r.tool.tail())
	}
	r.say("%s", r.hints)
	return r.compare(ctx, "by hints alone")
}
