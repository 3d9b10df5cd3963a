package magento

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Server is the stand-in. It is an http.Handler.
type Server struct {
	opt    Options
	world  *world
	router *router
}

// New makes a stand-in with the default world.
func New(o Options) (*Server, error) {
	o.defaults()
	w, err := newWorld(&o)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: o, world: w, router: newRouter(routes())}
	return s, s.fill(o.Products)
}

// Close ends what the stand-in runs beside its requests.
func (s *Server) Close() error { return nil }

// maxBody bounds what a request may hold.
const maxBody = 64 << 20

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, err := s.serve(w, r)
	if err != nil {
		writeFault(w, err)
		return
	}
	writeJSON(w, status, body)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (int, any, error) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return 0, nil, fail(http.StatusMethodNotAllowed, "The "+r.Method+" HTTP method is not supported.")
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/rest/")
	if !ok {
		return 0, nil, noRoute()
	}
	c := &call{world: s.world, ctx: r.Context(), delay: s.opt.Delay}
	rest, err := s.scope(c, rest)
	if err != nil {
		return 0, nil, err
	}
	c.query = parseQuery(r.URL.RawQuery)
	rt, vars := s.router.find(r.Method, rest)
	if rt == nil {
		return 0, nil, noRoute()
	}
	c.path = vars
	body := object{}
	if r.Method != http.MethodGet && r.Method != http.MethodDelete {
		if body, err = readBody(w, r); err != nil {
			return 0, nil, err
		}
	}
	return s.answer(rt, c, body)
}

// scope takes the store code off the path and leaves "/V1/…".
func (s *Server) scope(c *call, rest string) (string, error) {
	code, after, _ := strings.Cut(rest, "/")
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	switch code {
	case "V1":
		c.store, c.bare = s.world.defaultView().id, true
		return "/" + rest, nil
	case "all":
		return "/" + after, nil
	}
	v := s.world.viewByCode(code)
	if v == nil {
		return "", fail(http.StatusBadRequest, "Specified request cannot be processed.")
	}
	c.store = v.id
	return "/" + after, nil
}

func readBody(w http.ResponseWriter, r *http.Request) (object, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "Decoding error.")
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" && len(raw) > 0 {
		return nil, fail(http.StatusBadRequest, "Server cannot understand Content-Type HTTP header media type "+t)
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	o, _ := v.(object)
	return o, nil
}

// answer checks a body, runs the route and cuts the answer to the fields asked for.
func (s *Server) answer(rt *route, c *call, body object) (int, any, error) {
	got, err := s.perform(rt, c, body)
	if err != nil {
		return 0, nil, err
	}
	status := http.StatusOK
	if r, ok := got.(reply); ok {
		status, got = r.status, r.body
	}
	if f, ok := c.query["fields"].(string); ok && f != "" {
		got = only(got, f)
	}
	return status, got, nil
}

// perform runs a route with a body: of a request, or of an operation of a bulk.
func (s *Server) perform(rt *route, c *call, body object) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, err := c.input(rt, body, c.path)
	if err != nil {
		return nil, err
	}
	c.in = in
	if !rt.races {
		c.work()
	}
	return rt.run(c)
}

// writeJSON sends an answer.
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(appendJSON(nil, body))
}

func writeFault(w http.ResponseWriter, err error) {
	var f *fault
	if !errors.As(err, &f) {
		f = internalError("0000000000000")
	}
	if f.plain {
		h := w.Header()
		h.Set("Content-Type", "text/plain;charset=UTF-8")
		h.Set("Cache-Control", "no-store, no-cache, must-revalidate")
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.message)
		return
	}
	writeJSON(w, f.status, f.body())
}

// internal is a call that comes from no request: a consumer's, the demo's.
func (s *Server) internal(ctx context.Context, store int, path map[string]string) *call {
	return &call{world: s.world, ctx: ctx, delay: s.opt.Delay, store: store, path: path, query: object{}}
}
