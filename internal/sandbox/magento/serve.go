package magento

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// maxBody bounds what a request may hold.
const maxBody = 64 << 20

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sandbox/") {
		s.control(w, r)
		return
	}
	if s.serveMedia(w, r) {
		return
	}
	w.Header().Set("Date", s.conf().Clock().UTC().Format(http.TimeFormat)) // the clock that stamps, as the real one's
	begun := time.Now()
	note := &seen{ResponseWriter: w, status: http.StatusOK}
	name := s.nameOf(r)
	var items atomic.Int64 // what works on after its answer may still write it
	defer func() {         // a cut answer is logged, too
		s.log.add(Request{r.Method, r.URL.EscapedPath(), name, note.status, time.Since(begun)}, int(items.Load()))
	}()
	if form := s.conf().Maintenance; form != "" {
		maintained(note, form)
		return
	}
	s.faulty(note, r, name, func(w http.ResponseWriter, r *http.Request) { items.Store(int64(s.handle(w, r))) })
}

// nameOf is a request's method and route, as logs and faults name it.
func (s *Server) nameOf(r *http.Request) string {
	c := &call{world: s.world}
	q, err := s.find(c, r)
	if err != nil || q.rt == nil {
		return ""
	}
	switch {
	case q.asBulk:
		return r.Method + " /async/bulk" + q.rt.path
	case q.async:
		return r.Method + " /async" + q.rt.path
	}
	return r.Method + " " + q.rt.path
}

// handle answers a request and tells how many items it brought.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) (items int) {
	asXML, ok := wants(r)
	if !ok {
		errorPage(w, http.StatusInternalServerError)
		return 0
	}
	if s.workers != nil {
		select {
		case s.workers <- struct{}{}:
			defer func() { <-s.workers }()
		case <-r.Context().Done():
			return 0
		}
	}
	status, body, err := s.serve(w, r, &items)
	if err != nil {
		writeFault(w, err, asXML)
		return items
	}
	write(w, status, body, asXML)
	return items
}

// request is what a URL asks for.
type request struct {
	rt     *route
	async  bool
	asBulk bool
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, items *int) (int, any, error) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return 0, nil, fail(http.StatusMethodNotAllowed, "The "+r.Method+" HTTP method is not supported.")
	}
	c := &call{world: s.world, ctx: r.Context(), delay: s.conf().Delay}
	q, err := s.find(c, r)
	if err != nil {
		return 0, nil, err
	}
	who, err := s.who(r)
	if err != nil {
		return 0, nil, err
	}
	if !s.conf().Open && !who.may(q.rt.resource) {
		return 0, nil, unauthorized(q.rt.resource)
	}
	bodies, err := readBodies(w, r, q)
	if err != nil {
		return 0, nil, err
	}
	if q.async {
		*items = len(bodies)
		got, err := s.accept(c, q.rt, who, bodies)
		return http.StatusAccepted, got, err
	}
	return s.answer(q.rt, c, bodies[0])
}

// find reads the URL: the scope, whether it is asynchronous, and the route.
func (s *Server) find(c *call, r *http.Request) (request, error) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/rest/")
	if !ok {
		return request{}, noRoute()
	}
	rest, err := s.scope(c, rest)
	if err != nil {
		return request{}, err
	}
	c.query = parseQuery(r.URL.RawQuery)
	q := request{}
	if path, asBulk, ok := asynchronous(rest); ok {
		if r.Method == http.MethodGet {
			return q, noSuchRequest()
		}
		rest, q.async, q.asBulk = path, true, asBulk
	}
	router := s.router
	if q.asBulk {
		router = s.bulks
	}
	q.rt, c.path = router.find(r.Method, rest)
	if q.rt == nil {
		return q, noRoute()
	}
	return q, nil
}

func noSuchRequest() *fault {
	return fail(http.StatusBadRequest, "Specified request cannot be processed.")
}

// scope takes the store code off the path and leaves "/V1/…" or "/async/…".
func (s *Server) scope(c *call, rest string) (string, error) {
	code, after, _ := strings.Cut(rest, "/")
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	switch code {
	case "V1", "async":
		c.store, c.bare = s.world.defaultView().id, true
		return "/" + rest, nil
	case "all":
		return "/" + after, nil
	}
	v := s.world.viewByCode(code)
	if v == nil {
		return "", noSuchRequest()
	}
	c.store = v.id
	return "/" + after, nil
}

// readBodies reads the body; of a bulk one per item.
func readBodies(w http.ResponseWriter, r *http.Request, q request) ([]object, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete && !q.async {
		return []object{{}}, nil
	}
	v, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	list, isList := v.([]any)
	if !q.asBulk || !isList {
		o, _ := v.(object)
		if o == nil || q.asBulk {
			o = object{}
		}
		return []object{o}, nil
	}
	out := make([]object, len(list))
	for i, e := range list {
		o, _ := e.(object)
		if o == nil {
			o = object{}
		}
		out[i] = o
	}
	return out, nil
}

func readBody(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "Decoding error.")
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" && len(raw) > 0 {
		return nil, fail(http.StatusBadRequest, "Server cannot understand Content-Type HTTP header media type "+t)
	}
	return decode(raw)
}

// answer checks a body, runs the route and cuts the answer to the fields asked for.
func (s *Server) answer(rt *route, c *call, body object) (int, any, error) {
	got, err := perform(rt, c, body, c.path)
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

// perform runs a route with a body: of a request, or of an operation of a bulk. What path has wins over the body.
func perform(rt *route, c *call, body object, path map[string]string) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, err := c.input(rt, body, path)
	if err != nil {
		return nil, err
	}
	c.in = in
	if !rt.races {
		c.work()
	}
	return rt.run(c)
}

// write sends an answer.
func write(w http.ResponseWriter, status int, body any, asXML bool) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if asXML {
		h.Set("Content-Type", "application/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(appendXML(body))
		return
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(appendJSON(nil, body))
}

func writeFault(w http.ResponseWriter, err error, asXML bool) {
	f, ok := errors.AsType[*fault](err)
	if !ok {
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
	write(w, f.status, f.body(), asXML)
}

// errorPage is an error as HTML.
func errorPage(w http.ResponseWriter, status int) {
	title := http.StatusText(status)
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html>\n<html>\n<head><title>"+title+"</title></head>\n<body><h1>"+title+"</h1></body>\n</html>\n")
}
