package pimcore

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Server is the stand-in. It is an http.Handler, and its methods are what people and importers do in a real Pimcore.
type Server struct {
	w      *world
	set    atomic.Pointer[config]
	setMu  sync.Mutex // held while settings change
	faults faults
	cache  outputCache
	stats  counters
	out    outbound
	late   late
}

// maxBody bounds what a request may hold.
const maxBody = 64 << 20

// New makes a stand-in and fills it with the generated catalogue, if one is asked for.
func New(o Options) (*Server, error) {
	o.defaults()
	s := &Server{w: newWorld(o)}
	s.cache.answers = map[string]cached{}
	s.late.ctx, s.late.cancel = context.WithCancel(context.Background())
	schema, err := schemaOf(o, s.w.classList)
	if err != nil {
		return nil, err
	}
	s.set.Store(&config{o, schema})
	if o.Products > 0 {
		if err := s.seed(); err != nil {
			return nil, err
		}
	}
	s.out.waiting = nil
	return s, nil
}

// config is the settings of now with the schema that follows from them.
type config struct {
	Options
	schema *ast.Schema
}

func (s *Server) conf() *config { return s.set.Load() }

// Configure changes settings while the stand-in runs, as an operator does: what is hidden, what is switched on or off.
// Classes, languages and the catalogue stay.
func (s *Server) Configure(change func(o *Options)) error {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	o := s.conf().Options
	change(&o)
	schema, err := schemaOf(o, s.w.classList)
	if err != nil {
		return err
	}
	s.set.Store(&config{o, schema})
	return nil
}

// Path is the endpoint's path.
func (s *Server) Path() string { return "/pimcore-graphql-webservices/" + s.conf().Endpoint }

// Key is an API key that the endpoint takes.
func (s *Server) Key() string { return s.conf().Keys[0] }

// ServeHTTP answers GraphQL requests and, below /_sandbox/, edits.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sandbox/") {
		s.control(w, r)
		return
	}
	h := w.Header()
	h.Set("X-Powered-By", "pimcore")
	h.Set("Cache-Control", "no-cache, private")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Origin, Content-Type, X-Auth-Token")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case r.URL.Path != s.Path() && s.file(w, r):
	case r.URL.Path != s.Path():
		page(w, http.StatusNotFound, "Not Found")
	case !s.permitted(r):
		page(w, http.StatusForbidden, "Forbidden")
	default:
		s.serve(w, r)
	}
}

// permitted looks at the three places of a key in the order of the real one: the first that is not empty decides.
func (s *Server) permitted(r *http.Request) bool {
	key := r.Header.Get("apikey")
	if key == "" {
		key = r.Header.Get("X-API-Key")
	}
	if key == "" {
		key = r.URL.Query().Get("apikey")
	}
	ok := false
	for _, k := range s.conf().Keys {
		ok = ok || subtle.ConstantTimeCompare([]byte(k), []byte(key)) == 1
	}
	return ok && key != ""
}

// page is an error as HTML, as the framework and the web server answer.
func page(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html>\n<head><title>"+title+"</title></head>\n<body><h1>Oops! An Error Occurred</h1>\n<h2>The server returned a \""+title+"\".</h2></body>\n</html>\n")
}

// serve runs one request, through the faults that are switched on.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(r)
	if !ok {
		page(w, http.StatusBadRequest, "Bad Request")
		return
	}
	s.stats.request(len(body))
	f := s.faults.next()
	if wait := s.conf().AnswerDelay + f.wait; wait > 0 {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-r.Context().Done():
			t.Stop()
			return
		}
	}
	if f.status != 0 {
		f.refuse(w)
		return
	}
	out := s.cache.through(s, body, func() []byte { return s.execute(body) })
	if f.cut {
		hangUp(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Language", s.conf().Languages[0])
	_, _ = w.Write(out)
}

// readBody takes the body whatever its type says; a multipart form has the document in its part "operations".
func readBody(r *http.Request) ([]byte, bool) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && t == "multipart/form-data" {
		if r.ParseMultipartForm(maxBody) != nil {
			return nil, false
		}
		return []byte(r.FormValue("operations")), true
	}
	body, err := io.ReadAll(r.Body)
	return body, err == nil
}

// counters count what clients asked.
type counters struct {
	mu              sync.Mutex
	requests, bytes int
}

func (c *counters) request(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.bytes += n
}

// Requests is how many GraphQL requests were answered or refused so far.
func (s *Server) Requests() int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.requests
}

// document is the body of a request; what is no JSON is an empty document.
type document struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

func decodeDocument(body []byte) document {
	var d document
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	if dec.Decode(&d) != nil {
		return document{Query: d.Query}
	}
	return d
}
