package magento

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
)

// Server is the stand-in. It is an http.Handler.
type Server struct {
	opt    atomic.Pointer[Options]
	setMu  sync.Mutex // held while settings change
	world  *world
	router *router
	bulks  *router // the same routes by the paths of /async/bulk

	access  access
	faults  faults
	log     requestLog
	queue   *queue
	life    context.Context //nolint:containedctx // of the stand-in
	end     context.CancelFunc
	workers chan struct{} // nil: as many as come

	background sync.WaitGroup // what works on after its answer
}

// New makes a stand-in with the default world.
func New(o Options) (*Server, error) {
	o.defaults()
	w, err := newWorld(&o)
	if err != nil {
		return nil, err
	}
	s := &Server{world: w, queue: newQueue()}
	s.opt.Store(&o)
	list := append(routes(), s.ownRoutes()...)
	s.router, s.bulks = newRouter(list), bulkRouter(list)
	s.life, s.end = context.WithCancel(context.Background())
	s.access.oauth.integration, s.access.oauth.origin = o.Integration, o.SigningURL
	s.access.key = make([]byte, 32)
	_, _ = rand.Read(s.access.key) // never fails
	if o.Workers > 0 {
		s.workers = make(chan struct{}, o.Workers)
	}
	if err := errors.Join(s.fill(o.Products), s.grow(o.Catalogue, o.Seed)); err != nil {
		return nil, err
	}
	s.StartConsumers(o.Consumers)
	return s, nil
}

// Close ends what the stand-in runs beside its requests.
func (s *Server) Close() error {
	s.end()
	s.background.Wait()
	s.StopConsumers()
	return nil
}

func (s *Server) conf() *Options { return s.opt.Load() }

// Configure changes settings while the stand-in runs. Websites, store views and credentials stay as they are.
func (s *Server) Configure(change func(o *Options)) {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	o := *s.conf()
	change(&o)
	o.Limits.defaults()
	s.opt.Store(&o)
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.limits, s.world.quirks = o.Limits, o.Quirks
}

// ownRoutes are the operations that need more than the world.
func (s *Server) ownRoutes() []*route {
	return partsOf(s.authRoutes(), s.bulkRoutes())
}

// internal is a call that comes from no request: a consumer's.
func (s *Server) internal(ctx context.Context, store int, path map[string]string) *call {
	return &call{world: s.world, ctx: ctx, delay: s.conf().Delay, store: store, later: true, path: path, query: object{}}
}
