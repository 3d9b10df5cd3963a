// Package api answers over HTTP: webhooks, pushed and pulled records, runs. It lets in who has a token or a signature,
// keeps every request within its bounds, and says what is wrong as RFC 9457 has it. What is asked for, the House does.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// House does what is asked for over HTTP. Its errors are faults without secrets; flows are known.
type House interface {
	// Notice takes a notice of a flow's source and answers how many records will be looked at, once that is durable.
	// A fault of CodeNotice says that the notice makes no sense, any other that it is to be sent again.
	Notice(ctx context.Context, flow string, body []byte) (keys int, err error)
	// StartRun starts a run that outlives ctx. With CodeBusy it is the run that is under way.
	StartRun(ctx context.Context, flow string, ask RunAsk) (Run, error)
	Runs(ctx context.Context, q lockstep.RunQuery) ([]Run, error)
	Status(ctx context.Context, flows []string) ([]Status, error)
	Stories(ctx context.Context, flow string, key lockstep.Key) ([]Story, error)
	Records
}

// Bounds keep one who asks too much, or too slowly, from harming the others. Zero parts are the defaults.
type Bounds struct {
	Requests int           // under way at the same time; 256
	Conns    int           // connections at the same time; 1024
	Header   time.Duration // for a request's header to come; 5 s
	Body     time.Duration // for its body; 15 s
	Answer   time.Duration // for a notice to be taken; 30 s
	Reply    time.Duration // for whoever asked to take a piece of an answer; 30 s
	Idle     time.Duration // for which a connection stays without a request; 30 s
	Stop     time.Duration // for the requests under way, when the server stops; 10 s
}

const (
	maxHeader  = 16 << 10
	bodyBudget = 16 // bodies of the largest size that are in memory at the same time, all in all
)

// Server is the HTTP API of one house.
type Server struct {
	house  House
	log    *slog.Logger
	bounds Bounds
	api    *config.API
	tokens []token
	hooks  map[string]hook
	flows  []string        // in the order of the configuration
	known  map[string]bool // the same
	nobody hook            // for flows that take no signed notices

	mux      *http.ServeMux
	huma     huma.API
	handler  http.Handler
	slots    chan struct{}
	bytes    atomic.Int64 // of the bodies in memory
	seen     webhook.Seen
	refusals *rate.Limiter // of what is logged of them

	stopping chan struct{} // closed when the server begins to stop: whoever only waits answers now
	stopOnce sync.Once
}

// hook says how a flow's notices are signed.
type hook struct {
	secrets []string
	window  time.Duration
}

// New makes the server of a configuration that has `api`.
func New(cfg *config.Config, house House, bounds Bounds, log *slog.Logger) *Server {
	s := &Server{
		house: house, log: log, bounds: bounds.filled(), api: cfg.API, hooks: map[string]hook{}, known: map[string]bool{},
		mux: http.NewServeMux(), refusals: rate.NewLimiter(1, 20), stopping: make(chan struct{}),
	}
	s.slots = make(chan struct{}, s.bounds.Requests)
	for _, t := range cfg.API.Tokens {
		s.tokens = append(s.tokens, tokenOf(t))
	}
	for _, f := range cfg.Flows {
		s.flows = append(s.flows, f.Name)
		s.known[f.Name] = true
		if f.Hook != nil {
			h := hook{window: f.Hook.Window}
			for _, secret := range f.Hook.Secrets {
				h.secrets = append(h.secrets, secret.Reveal())
			}
			s.hooks[f.Name] = h
		}
	}
	s.nobody = hook{secrets: []string{randomText()}, window: webhook.DefaultWindow}
	s.routes()
	s.handler = s.outer(s.routed())
	return s
}

func (b Bounds) filled() Bounds {
	fill := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	if b.Requests == 0 {
		b.Requests = 256
	}
	if b.Conns == 0 {
		b.Conns = 1024
	}
	fill(&b.Header, 5*time.Second)
	fill(&b.Body, 15*time.Second)
	fill(&b.Answer, 30*time.Second)
	fill(&b.Reply, 30*time.Second)
	fill(&b.Idle, 30*time.Second)
	fill(&b.Stop, 10*time.Second)
	return b
}

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on l until ctx ends. Then it takes nothing new, gives the requests under way their time, and cuts off
// what is left.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: s.bounds.Header, IdleTimeout: s.bounds.Idle, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return work },
		TLSConfig:   s.tls(),
	}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		s.stopOnce.Do(func() { close(s.stopping) })
		last, cancel := context.WithTimeout(work, s.bounds.Stop)
		defer cancel()
		err := srv.Shutdown(last)
		if err != nil {
			cut()
			err = errors.Join(err, srv.Close())
		}
		done <- err
	}()
	serve := srv.Serve
	if srv.TLSConfig != nil {
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	if err := serve(limit(l, s.bounds.Conns)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// tls is the server's side of TLS; nil for plain HTTP.
func (s *Server) tls() *tls.Config {
	if s.api.TLS == nil {
		return nil
	}
	c := &certificate{cert: s.api.TLS.Cert, key: s.api.TLS.Key}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() }}
}
