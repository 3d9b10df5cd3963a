package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

func randomText() string { return rand.Text() }

// requestID is the header that names a request, in the answer and in the log. One that comes with it is kept.
const requestID = "X-Request-Id"

var goodID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// about is what is known of a request, for the log.
type about struct {
	token  string
	on     string // the pattern of its address: never the address itself, which holds what others write
	status int
	err    error // why it failed
}

type aboutKey struct{}

// aboutOf is what is kept of a request.
func aboutOf(r *http.Request) *about { return aboutIn(r.Context()) }

func aboutIn(ctx context.Context) *about {
	if a, ok := ctx.Value(aboutKey{}).(*about); ok {
		return a
	}
	return &about{}
}

// watched is a response whose status is known afterwards.
type watched struct {
	http.ResponseWriter
	about *about
	reply time.Duration
}

// hurry gives whoever reads the answer its time for the next piece.
func (w *watched) hurry() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.reply)) // what cannot (a test's recorder) is not slow
}

func (w *watched) WriteHeader(status int) {
	if w.about.status == 0 {
		w.about.status = status
	}
	w.hurry()
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.about.status == 0 {
		w.about.status = http.StatusOK
	}
	w.hurry()
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outer stands around everything: it names and counts requests, and logs what became of them.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestID)
		if !goodID.MatchString(id) {
			id = randomText()
		}
		a := &about{}
		seen := &watched{w, a, s.bounds.Reply}
		h := w.Header()
		h.Set(requestID, id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		seen.hurry() // the time that the last request of this connection had is over
		begin := time.Now()
		defer func() {
			if what := recover(); what != nil {
				s.log.Error("a request broke", logging.Request, id, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
				if a.status == 0 {
					problem(http.StatusInternalServerError, lockstep.CodeInvariant, "the request broke; the log of lockstep says where").write(seen)
				}
			}
			s.tell(r, id, a, time.Since(begin))
		}()
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), aboutKey{}, a)))
		default:
			p := problem(http.StatusServiceUnavailable, lockstep.CodeCrowded, "too many requests at once")
			p.wait = time.Second
			p.write(seen)
		}
	})
}

// tell logs a request: what was refused every now and then, for anybody could fill a disk with it.
func (s *Server) tell(r *http.Request, id string, a *about, took time.Duration) {
	level, text := slog.LevelDebug, "request"
	switch {
	case a.status >= http.StatusInternalServerError:
		level, text = slog.LevelWarn, "a request failed"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		level, text = slog.LevelWarn, "a request was refused"
	}
	if !s.log.Enabled(r.Context(), level) || level == slog.LevelWarn && !s.refusals.Allow() {
		return
	}
	attrs := []slog.Attr{slog.String(logging.Request, id), slog.String("on", a.on), slog.Int("status", a.status),
		slog.String("token", a.token), slog.String("from", r.RemoteAddr), slog.Duration("took", took)}
	if a.err != nil {
		attrs = append(attrs, slog.Any(logging.Err, a.err))
	}
	s.log.LogAttrs(r.Context(), level, text, attrs...)
}

// missed catches what the mux says where it has no route.
type missed struct {
	header http.Header
	status int
}

func (m *missed) Header() http.Header         { return m.header }
func (m *missed) Write(b []byte) (int, error) { return len(b), nil }
func (m *missed) WriteHeader(status int)      { m.status = status }

// routed is the mux with its refusals as problems.
func (s *Server) routed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := s.mux.Handler(r)
		aboutOf(r).on = pattern
		if pattern != "" {
			s.mux.ServeHTTP(w, r)
			return
		}
		m := &missed{header: http.Header{}}
		h.ServeHTTP(m, r)
		if allow := m.header.Get("Allow"); m.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allow)
			problem(m.status, lockstep.CodeRequest, "here goes "+allow+" only").write(w)
			return
		}
		problem(http.StatusNotFound, lockstep.CodeRequest, "there is nothing at this address").write(w)
	})
}
