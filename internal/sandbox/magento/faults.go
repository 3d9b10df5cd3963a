package magento

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

// Fault is something that goes wrong.
type Fault string

// The faults. Those that begin with op- are of operations that a consumer carries out, the others of requests.
const (
	FaultDeadlock  Fault = "deadlock400"
	Fault429       Fault = "429"
	Fault500       Fault = "500"
	FaultText500   Fault = "text500"
	Fault502       Fault = "502"
	Fault503       Fault = "503"
	Fault503Text   Fault = "503-text"
	Fault504       Fault = "504"
	FaultSlow      Fault = "slow"
	FaultLost      Fault = "lost"
	FaultHTML      Fault = "html200"
	FaultOpDead    Fault = "op-deadlock"
	FaultOpRetry   Fault = "op-retry"
	FaultOpLies    Fault = "op-lies"
	FaultOpNothing Fault = "op-nothing"
	FaultOpTwice   Fault = "op-twice"
	FaultOpKill    Fault = "op-kill"
)

// Faults are all there are.
func Faults() []Fault {
	return []Fault{
		FaultDeadlock, Fault429, Fault500, FaultText500, Fault502, Fault503, Fault503Text, Fault504, FaultSlow, FaultLost, FaultHTML,
		FaultOpDead, FaultOpRetry, FaultOpLies, FaultOpNothing, FaultOpTwice, FaultOpKill,
	}
}

// Means says what goes wrong.
func (f Fault) Means() string {
	return map[Fault]string{
		FaultDeadlock:  "of writes: nothing is written, and a deadlock of the database answers with 400, in one of the texts of a permanent fault",
		Fault429:       "throttled, with `Retry-After: 1`",
		Fault500:       "JSON with a report id; nothing is done",
		FaultText500:   "text/plain, as when PHP raised a TypeError; nothing is done",
		Fault502:       "an HTML page of the proxy; nothing is done",
		Fault503:       "an HTML page, of a proxy that finds no worker or of a shop in maintenance; nothing is done",
		Fault503Text:   "text/plain, as a shop in maintenance may answer; nothing is done",
		Fault504:       "an HTML page of the proxy at once, while PHP works on for as long as a slow answer takes",
		FaultSlow:      "half a second before the answer, or what `slow` says",
		FaultLost:      "carried out, and the connection is cut",
		FaultHTML:      "status 200 with an HTML page; nothing is done",
		FaultOpDead:    "of operations: status 3 with a deadlock's text; nothing is done",
		FaultOpRetry:   "of operations: status 2; nothing is done",
		FaultOpLies:    "of operations: status 3, and it is done nevertheless",
		FaultOpNothing: "of operations: status 1, and nothing is done",
		FaultOpTwice:   "of operations: done twice",
		FaultOpKill:    "of operations: done, and its consumer dies before it says so",
	}[f]
}

// deadlocks are the texts in which a transient failure of the database arrives.
func deadlocks() []string {
	return []string{
		"Database deadlock found when trying to get lock", "Database lock wait timeout exceeded", "Database connection error",
		"Could not save Source Item Configuration", "The product was unable to be saved. Please try again.",
		"The stock item was unable to be saved. Please try again.", "Unable to save product", "The product can't be saved.",
	}
}

// faults are what goes wrong, of which requests.
type faults struct {
	dice kit.Dice[Fault]
	slow atomic.Int64  // nanoseconds
	text atomic.Uint64 // which of deadlocks comes next

	mu    sync.Mutex
	route string // only of requests whose method and path contain it
}

// Fail lets a share of requests or operations (0 to 1) go wrong.
func (s *Server) Fail(f Fault, share float64) { s.faults.dice.Share(f, share) }

// FailNext lets the next n go wrong.
func (s *Server) FailNext(f Fault, n int) { s.faults.dice.Next(f, n) }

// FailOnly lets faults happen only to requests whose method and path ("PUT /V1/products/:sku") contain a text.
func (s *Server) FailOnly(route string) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.route = route
}

// SetSlow says how long a slow answer takes.
func (s *Server) SetSlow(d time.Duration) { s.faults.slow.Store(int64(d)) }

func (f *faults) spares(route string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !strings.Contains(route, f.route)
}

// faulty answers a request through the faults that are due. name is its method and route.
func (s *Server) faulty(w http.ResponseWriter, r *http.Request, name string, answer func(w http.ResponseWriter, r *http.Request)) {
	f := &s.faults
	if f.spares(name) {
		answer(w, r)
		return
	}
	switch {
	case f.dice.Due(Fault429):
		w.Header().Set("Retry-After", "1")
		errorPage(w, http.StatusTooManyRequests)
	case f.dice.Due(Fault502):
		errorPage(w, http.StatusBadGateway)
	case f.dice.Due(Fault503):
		errorPage(w, http.StatusServiceUnavailable)
	case f.dice.Due(Fault503Text):
		maintained(w, "text")
	case f.dice.Due(FaultHTML):
		errorPage(w, http.StatusOK)
	case f.dice.Due(FaultText500):
		writeFault(w, typeError(), false)
	case f.dice.Due(Fault500):
		writeFault(w, internalError("6741c3f2a9b0d"), false)
	case r.Method != http.MethodGet && f.dice.Due(FaultDeadlock):
		texts := deadlocks()
		writeFault(w, fail(http.StatusBadRequest, texts[(f.text.Add(1)-1)%uint64(len(texts))]), false)
	case f.dice.Due(Fault504):
		s.workOn(w, r, answer)
	case f.dice.Due(FaultLost):
		answer(&nowhere{header: http.Header{}}, r)
		panic(http.ErrAbortHandler) // cuts the connection
	default:
		if f.dice.Due(FaultSlow) {
			pause(r.Context(), f.slowness())
		}
		answer(w, r)
	}
}

func (f *faults) slowness() time.Duration {
	if d := time.Duration(f.slow.Load()); d > 0 {
		return d
	}
	return 500 * time.Millisecond
}

// workOn answers as a proxy that has lost its patience, while PHP works on, for as long as a slow answer takes.
func (s *Server) workOn(w http.ResponseWriter, r *http.Request, answer func(w http.ResponseWriter, r *http.Request)) {
	raw, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) // half a body is no JSON
	later := r.Clone(context.WithoutCancel(r.Context()))
	later.RequestURI = r.RequestURI
	later.Body = io.NopCloser(strings.NewReader(string(raw)))
	s.background.Go(func() {
		pause(s.life, s.faults.slowness())
		answer(&nowhere{header: http.Header{}}, later)
	})
	errorPage(w, http.StatusGatewayTimeout)
}

// nowhere is where an answer goes that nobody gets.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// maintained answers as a shop in maintenance: a page, or a text.
func maintained(w http.ResponseWriter, form string) {
	if form != "text" {
		errorPage(w, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "Service Temporarily Unavailable")
}

// operationFault is what goes wrong with an operation; nil: nothing. run carries it out.
func (s *Server) operationFault(run func() outcome) *outcome {
	d := &s.faults.dice
	switch {
	case d.Due(FaultOpDead):
		return &outcome{status: opFailed, message: deadlocks()[0], code: 0}
	case d.Due(FaultOpRetry):
		return &outcome{status: opRetriable, message: "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock; try restarting transaction", code: 40001}
	case d.Due(FaultOpNothing):
		return &outcome{status: opComplete, message: "Service execution success"}
	case d.Due(FaultOpLies):
		run()
		return &outcome{status: opFailed, message: "Unable to save product", code: 0}
	case d.Due(FaultOpTwice):
		run()
		out := run()
		return &out
	case d.Due(FaultOpKill):
		out := run()
		out.dead = true
		return &out
	}
	return nil
}
