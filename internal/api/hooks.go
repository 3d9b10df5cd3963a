package api

import (
	"context"
	"net/http"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// Taken answers a notice: it is durable.
type Taken struct {
	Keys     int  `json:"keys" doc:"How many records will be looked at"`
	Repeated bool `json:"repeated,omitempty" doc:"The same notice was taken before: nothing was done"`
}

// takeNotice is POST /hooks/{flow}. It needs the body as it is on the wire, and is too hot for more than that.
func (s *Server) takeNotice(w http.ResponseWriter, r *http.Request) {
	flow := r.PathValue("flow")
	if webhook.Signed(r.Header) {
		s.signedNotice(w, r, flow)
		return
	}
	if _, p := s.admit(r, config.MayHook, flow); p != nil {
		p.write(w)
		return
	}
	body, done, p := s.body(w, r)
	if p != nil {
		p.write(w)
		return
	}
	defer done()
	s.notice(w, r, flow, body)
}

// signedNotice takes a notice that shows a signature. That of a flow which is not there, or takes none, is wrong like
// any other wrong one, and takes as long to be found so.
func (s *Server) signedNotice(w http.ResponseWriter, r *http.Request, flow string) {
	h, ok := s.hooks[flow]
	if !ok {
		h = s.nobody
	}
	sig, err := webhook.Read(r.Header, time.Now(), h.window)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	body, done, p := s.body(w, r)
	if p != nil {
		p.write(w)
		return
	}
	defer done()
	id, err := sig.Check(body, h.secrets)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	id = id.For(flow)
	aboutOf(r).token = "(signed)"
	if s.seen.Has(id) {
		answer(w, http.StatusOK, "application/json", Taken{Repeated: true})
		return
	}
	if s.notice(w, r, flow, body) {
		s.seen.Add(id, time.Now(), 2*h.window) // from now on, and not before: a notice that failed is sent again
	}
}

// notice has the house take a notice, and answers. It is true where it was taken.
func (s *Server) notice(w http.ResponseWriter, r *http.Request, flow string, body []byte) bool {
	ctx, cancel := context.WithTimeout(r.Context(), s.bounds.Answer)
	defer cancel()
	keys, err := s.house.Notice(ctx, flow, body)
	if err != nil {
		f := lockstep.FaultOf(err)
		p := problemOf(f)
		aboutOf(r).err = p.cause
		if f.Code != lockstep.CodeNotice { // whatever it was, it must come again
			p.Status, p.wait = http.StatusServiceUnavailable, max(f.Wait, again)
		}
		p.write(w)
		return false
	}
	answer(w, http.StatusAccepted, "application/json", Taken{Keys: keys})
	return true
}
