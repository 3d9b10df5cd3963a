package app

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

const memoryYAML = `
systems:
  pim:  {type: memory, name: pim}
  shop: {type: memory, name: shop}
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved, every: 100ms}}
    to:   {system: shop, stream: products}
    map: {sku: sku, name: name}
`

// inMemory is a place with two systems in memory: a catalogue of n products, and a shop without any.
func inMemory(t *testing.T, n int) (p *place, pim, shop *memory.System) {
	t.Helper()
	p, pim, shop = newPlace(t), memory.New(), memory.New()
	fields := []lockstep.Field{
		{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
		{Name: "cost", Type: value.Type{Kind: value.IntType}, Nullable: true}, {Name: "moved", Type: value.Type{Kind: value.InstantType}, Nullable: true},
	}
	pim.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: fields}, memory.Rules{Touch: "moved"})
	shop.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: fields[:2]}, memory.Rules{NotNull: []string{"name"}})
	for i := range n {
		pim.Put("products", value.F("sku", "p"+string(rune('a'+i)), "name", "Product", "cost", 3))
	}
	p.conns = []lockstep.Connector{memory.Systems{"pim": pim, "shop": shop}}
	return p, pim, shop
}

// serve answers on a socket until the test ends.
func serve(t *testing.T, path string, r Runner) {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := Serve(ctx, r, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

func dial(t *testing.T, path string) Runner {
	t.Helper()
	r, ok := Dial(path)
	if !ok {
		t.Fatalf("nobody answers on %s", path)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestSocketAnswersAsTheHouse(t *testing.T) {
	p, pim, _ := inMemory(t, 3)
	pim.Put("products", value.F("sku", "bad", "name", nil))
	h := p.open(p.must(memoryYAML))
	serve(t, h.cfg.Socket, h)
	r := dial(t, h.cfg.Socket)
	ask(t, r, Request{Do: DoSync})
	for _, req := range []Request{
		{Do: DoStatus}, {Do: DoParked}, {Do: DoParked, Keys: []lockstep.Key{"bad"}}, {Do: DoRuns}, {Do: DoDoctor}, {Do: DoQueue, State: "ready"},
		{Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"bad"}}, {Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"pa"}},
		{Do: DoStatus, Flows: []string{"prodcts"}}, {Do: "dance"}, {Do: DoExplain}, {Do: DoQueue, State: "lost"}, {Do: DoApply, PlanFile: "/nowhere/plan"},
	} {
		here, errHere := try(t.Context(), h, req)
		there, errThere := try(t.Context(), r, req)
		a, _ := json.Marshal(here)
		b, _ := json.Marshal(there)
		if string(a) != string(b) {
			t.Errorf("%+v\nhere:  %s\nthere: %s", req, a, b)
		}
		if (errHere == nil) != (errThere == nil) || errHere != nil && errHere.Error() != errThere.Error() {
			t.Errorf("%+v\nhere:  %v\nthere: %v", req, errHere, errThere)
		}
		if errHere == nil && len(here) == 0 && req.Do != DoQueue {
			t.Errorf("%+v is answered by nothing", req)
		}
		if kind := lockstep.KindOf(errThere); kind != lockstep.KindOf(errHere) || code(errHere) != code(errThere) {
			t.Errorf("%+v: the kinds of fault differ", req)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	p, _, _ := inMemory(t, 1)
	h := p.open(p.must(memoryYAML))
	serve(t, h.cfg.Socket, h)
	client := dial(t, h.cfg.Socket).(*remote).http
	for body, want := range map[string]int{
		`{"do":"status"}`:              http.StatusOK,
		`{"do":"status","flow":"x"}`:   http.StatusBadRequest,
		`{"do":"status"}{"do":"stop"}`: http.StatusBadRequest,
		`not JSON`:                     http.StatusBadRequest,
		`{"do":"` + strings.Repeat("x", maxRequest) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		resp, err := client.Post("http://lockstep/do", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%.40s: %s, want %d", body, resp.Status, want)
		}
	}
	many := Request{Do: DoQueue, Keys: make([]lockstep.Key, maxRequest)}
	if _, err := try(t.Context(), dial(t, h.cfg.Socket), many); code(err) != lockstep.CodeUsage {
		t.Errorf("a request that is too large: %v", err)
	}
}

func TestListen(t *testing.T) {
	p := newPlace(t)
	path := filepath.Join(p.dir, "run", "ls.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(of)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", of, info.Mode(), err)
		}
	}
	if _, err := Listen(path); code(err) != lockstep.CodeStoreLocked {
		t.Errorf("a socket on which somebody answers: %v", err)
	}
	l.(listener).Listener.(*net.UnixListener).SetUnlinkOnClose(false) // as a process that was killed leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := Dial(path); ok {
		t.Error("nobody answers on a stale socket")
	}
	if l, err = Listen(path); err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	_ = l.Close()
	file := filepath.Join(p.dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(p.dir, strings.Repeat("x", maxPath))} {
		if _, err := Listen(bad); code(err) != lockstep.CodeFile {
			t.Errorf("Listen(%s): %v", bad, err)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Error("a file that is no socket was taken away")
	}
}

// TestDeepFolder is a store that lies deeper than the path of a socket may be long.
func TestDeepFolder(t *testing.T) {
	p, _, _ := inMemory(t, 2)
	deep := filepath.Join(strings.Repeat("very/", 20), "deep", "ls.db")
	h := p.open(p.must("store: " + deep + memoryYAML))
	serve(t, h.cfg.Socket, h)
	if row := ask(t, dial(t, h.cfg.Socket), Request{Do: DoSync})[0].Run; row.Counts.Created != 2 {
		t.Errorf("a sync through a deep socket: %+v", row)
	}
	if _, err := Listen(h.cfg.Socket); code(err) != lockstep.CodeStoreLocked {
		t.Errorf("a deep socket on which somebody answers: %v", err)
	}
}

// TestConnect finds whoever can answer, and says who is in the way.
func TestConnect(t *testing.T) {
	p, _, _ := inMemory(t, 1)
	cfg := p.must(memoryYAML)
	h := p.open(cfg)
	if _, err := Connect(t.Context(), cfg, Options{}); code(err) != lockstep.CodeStoreLocked || !strings.Contains(err.Error(), cfg.Socket) {
		t.Errorf("a store that somebody has who does not answer: %v", err)
	}
	serve(t, cfg.Socket, h)
	r, err := Connect(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.(*remote); !ok {
		t.Errorf("Connect beside a daemon gives %T", r)
	}
	other := p.must("store: other.db" + memoryYAML)
	r, err = Connect(t.Context(), other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.(*House); !ok {
		t.Errorf("Connect alone gives %T", r)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestDaemonWaits starts with a system that is away, answers meanwhile, and goes on when the system is there.
func TestDaemonWaits(t *testing.T) {
	p, pim, shop := inMemory(t, 2)
	away := atomic.Bool{}
	away.Store(true)
	pim.SetHook(func(c memory.Call) error {
		if away.Load() && c.Name == "Streams" && !c.After {
			return lockstep.Faultf(lockstep.CodeUnavailable, "not at home")
		}
		return nil
	})
	cfg := p.must(memoryYAML)
	h := p.open(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var r Runner
	until(t, "the daemon answers", func() bool {
		var ok bool
		r, ok = Dial(cfg.Socket)
		return ok
	})
	if s := ask(t, r, Request{Do: DoStatus})[0].Status; s.State != "running" || s.Links != 0 {
		t.Errorf("the status meanwhile: %+v", s)
	}
	if _, err := try(t.Context(), r, Request{Do: DoSync}); code(err) != lockstep.CodeUnavailable || !strings.Contains(err.Error(), "system pim") {
		t.Errorf("a sync meanwhile: %v", err)
	}
	away.Store(false)
	until(t, "the first full sync is done", func() bool { return shop.Len("products") == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// watched tells of the context that a request got.
type watched struct {
	*House
	got chan context.Context
}

func (w watched) Do(ctx context.Context, req Request, emit func(Event) error) error {
	w.got <- ctx
	return w.House.Do(ctx, req, emit)
}

func TestClientGoesAway(t *testing.T) {
	p, pim, _ := inMemory(t, 3)
	h := p.open(p.must(memoryYAML))
	w := watched{h, make(chan context.Context, 1)}
	reading := make(chan struct{})
	var once sync.Once
	pim.SetHook(func(c memory.Call) error {
		if c.Name == "Scan" && !c.After {
			once.Do(func() {
				close(reading)
				<-(<-w.got).Done()
			})
		}
		return nil
	})
	serve(t, h.cfg.Socket, w)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reading
		cancel()
	}()
	if _, err := try(ctx, dial(t, h.cfg.Socket), Request{Do: DoSync}); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was given up: %v", err)
	}
	until(t, "the run of a client that went away is interrupted", func() bool {
		runs := ask(t, h, Request{Do: DoRuns, Kind: "full"})
		return len(runs) == 1 && runs[0].Run.State == "interrupted"
	})
}

func TestDaemon(t *testing.T) {
	p, pim, shop := inMemory(t, 3)
	cfg := p.must(memoryYAML)
	h := p.open(cfg)
	done := make(chan error, 1)
	go func() { done <- h.Run(t.Context()) }()
	var r Runner
	until(t, "the daemon answers", func() bool {
		var ok bool
		r, ok = Dial(cfg.Socket)
		return ok
	})
	until(t, "the first full sync is done", func() bool { return shop.Len("products") == 3 })
	pim.Put("products", value.F("sku", "late", "name", "One more"))
	until(t, "a change arrives", func() bool { return shop.Len("products") == 4 })
	if s := ask(t, r, Request{Do: DoStatus})[0].Status; s.State != "running" {
		t.Errorf("the status of a running flow is %+v", s)
	}
	if connected, err := Connect(t.Context(), cfg, Options{}); err != nil {
		t.Error(err)
	} else if _, ok := connected.(*remote); !ok {
		t.Errorf("Connect beside a daemon gives %T", connected)
	}
	if err := h.Run(t.Context()); code(err) != lockstep.CodeBusy {
		t.Errorf("a second Run: %v", err)
	}
	ask(t, r, Request{Do: DoResume})
	ask(t, r, Request{Do: DoStop})
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, ok := Dial(cfg.Socket); ok {
		t.Error("the socket answers behind the end")
	}
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
