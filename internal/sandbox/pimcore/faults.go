package pimcore

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

// Fault is something that goes wrong.
type Fault string

// The faults. Each is a share of requests (half, part: of listings; late: of saves).
const (
	Fault429  Fault = "429"  // throttled, with Retry-After: 1
	Fault502  Fault = "502"  // an HTML page of the proxy
	Fault500  Fault = "500"  // an empty body
	Fault504  Fault = "504"  // an HTML page of the proxy
	FaultLost Fault = "lost" // the request is carried out, the answer is cut
	FaultSlow Fault = "slow" // half a second before the answer, or what SetSlow says
	FaultHalf Fault = "half" // a page of a listing comes half filled, without a word
	FaultPart Fault = "part" // a listing answers its totalCount and fails its edges
	FaultHTML Fault = "html" // status 200 with an HTML page
	FaultLate Fault = "late" // of saves, not of requests: it commits late, so that it appears with a date of a minute ago
)

// Faults are all there are.
func Faults() []Fault {
	return []Fault{Fault429, Fault500, Fault502, Fault504, FaultLost, FaultSlow, FaultHalf, FaultPart, FaultHTML, FaultLate}
}

type faults struct {
	kit.Dice[Fault]
	slow atomic.Int64 // nanoseconds
}

// dealt is what happens to one request.
type dealt struct {
	status int
	html   bool
	cut    bool
	wait   time.Duration
}

// Fail lets a share of requests (0 to 1) go wrong.
func (s *Server) Fail(f Fault, share float64) { s.faults.Share(f, share) }

// FailNext lets the next n requests go wrong.
func (s *Server) FailNext(f Fault, n int) { s.faults.Next(f, n) }

// SetSlow says how long a slow answer takes.
func (s *Server) SetSlow(d time.Duration) { s.faults.slow.Store(int64(d)) }

func (f *faults) next() (d dealt) {
	for _, r := range [...]struct { // in order, so that a run can be repeated
		fault  Fault
		status int
	}{{Fault429, 429}, {Fault500, 500}, {Fault502, 502}, {Fault504, 504}, {FaultHTML, 200}} {
		if f.Due(r.fault) {
			return dealt{status: r.status, html: r.status != 500}
		}
	}
	d.cut = f.Due(FaultLost)
	if f.Due(FaultSlow) {
		d.wait = 500 * time.Millisecond
		if slow := time.Duration(f.slow.Load()); slow > 0 {
			d.wait = slow
		}
	}
	return d
}

// late is how many seconds ago the next save began.
func (f *faults) late() int64 {
	if f.Due(FaultLate) {
		return 60
	}
	return 0
}

func (d dealt) refuse(w http.ResponseWriter) {
	if d.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(1))
	}
	if d.html {
		page(w, d.status, strconv.Itoa(d.status)+" "+http.StatusText(d.status))
		return
	}
	w.WriteHeader(d.status)
}

// hangUp cuts the connection without an answer.
func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// halfFilled leaves out the second half of a page, as a permission check behind the limit does.
func (s *Server) halfFilled(page []source) []source {
	if len(page) > 1 && s.faults.Due(FaultHalf) {
		return page[:(len(page)+1)/2]
	}
	return page
}
