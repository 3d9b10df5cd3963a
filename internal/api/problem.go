package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockstep-sync/lockstep"
)

// Problem is what is wrong, as RFC 9457 has it.
type Problem struct {
	Type   string        `json:"type" doc:"Names the kind of problem: the place of its code on this server's page" format:"uri-reference" example:"/docs#LS-NOTICE"`
	Title  string        `json:"title" doc:"The kind of problem, in words" example:"a notice cannot be understood"`
	Status int           `json:"status" doc:"The HTTP status" example:"400"`
	Detail string        `json:"detail" doc:"What is wrong this time" example:"keys is not a list"`
	Code   lockstep.Code `json:"code" doc:"The stable code to match and search for" example:"LS-NOTICE"`
	Next   string        `json:"next" doc:"What to do"`
	Run    int64         `json:"run,omitempty" doc:"With LS-BUSY: the run that is under way"`
	// Errors are the parts of a body that are wrong.
	Errors []ProblemPart `json:"errors,omitempty" doc:"The parts of the request that are wrong"`

	wait  time.Duration // for Retry-After
	cause error         // for the log
}

// ProblemPart is one part of a request that is wrong.
type ProblemPart struct {
	Message  string `json:"message" doc:"What is wrong with it"`
	Location string `json:"location,omitempty" doc:"Where it is" example:"body.changes[3].op"`
}

// problemType is the media type of a Problem.
const problemType = "application/problem+json"

// Error and what follows make a Problem an error that huma answers with.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.wait.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="lockstep"`)
	}
	return h
}

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return problemType }

// again is how long who is told to come again waits, where nobody knows better.
const again = 5 * time.Second

// problem makes one of a code.
func problem(status int, code lockstep.Code, detail string) *Problem {
	info := code.Info()
	p := &Problem{Type: "/docs#" + string(code), Title: info.Title, Status: status, Detail: detail, Code: code, Next: info.Next}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		p.wait = again
	}
	return p
}

// problemOf is an error as a Problem.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	f := lockstep.FaultOf(err)
	p := problem(statusOf(f), f.Code, f.Err.Error())
	p.Next, p.cause = cmp.Or(f.Next, p.Next), err
	if p.wait > 0 && f.Wait > 0 {
		p.wait = f.Wait
	}
	if p.Status == http.StatusInternalServerError && f.Code == lockstep.CodeUnclassified { // nobody knows what is in it
		p.Detail = "it could not be done; the log of lockstep says why, under this request's id"
	}
	return p
}

// statusOf is the HTTP status of a fault.
func statusOf(f *lockstep.Fault) int {
	switch f.Code {
	case lockstep.CodeSignature:
		return http.StatusUnauthorized
	case lockstep.CodeToken:
		return http.StatusForbidden
	case lockstep.CodeNoFlow, lockstep.CodeGone:
		return http.StatusNotFound
	case lockstep.CodeBusy, lockstep.CodeLease:
		return http.StatusConflict
	case lockstep.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	}
	switch f.Kind {
	case lockstep.Invalid:
		return http.StatusBadRequest
	case lockstep.NotFound:
		return http.StatusNotFound
	case lockstep.Conflict, lockstep.Denied, lockstep.Lost:
		return http.StatusConflict
	case lockstep.Transient, lockstep.Unavailable, lockstep.Waiting:
		return http.StatusServiceUnavailable
	case lockstep.Throttled:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// write answers with a problem.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	answer(w, p.Status, problemType, p)
}

// answer writes JSON. Who does not listen any more needs no answer.
func answer(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body)
}

// ours turns the errors that huma makes by itself (a body that is not of its schema, say) into Problems, and keeps the
// causes of our own for the log.
func ours(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*Problem); ok {
		aboutIn(ctx.Context()).err = p.cause
	}
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := lockstep.CodeRequest
	if theirs.Status >= http.StatusInternalServerError {
		code = lockstep.CodeInvariant
	}
	p := problem(theirs.Status, code, theirs.Detail)
	for _, e := range theirs.Errors {
		p.Errors = append(p.Errors, ProblemPart{Message: e.Message, Location: e.Location}) // never e.Value (law 12)
	}
	return p, nil
}
