package magento

import (
	"net/http"
	"sync"
	"time"
)

// Request is one request as the log has it.
type Request struct {
	Method   string        `json:"method"`
	Path     string        `json:"path"`
	Route    string        `json:"route"` // "PUT /V1/products/:sku", "POST /async/bulk/V1/products"; empty: none
	Status   int           `json:"status"`
	Duration time.Duration `json:"ns"`
}

// RouteCount is how often a route was asked.
type RouteCount struct {
	Requests int         `json:"requests"`
	Status   map[int]int `json:"status"`
	Items    int         `json:"items"` // of bulks
}

// requestLog counts requests and keeps the last of them.
type requestLog struct {
	mu     sync.Mutex
	total  int
	routes map[string]RouteCount
	last   []Request
}

const logged = 10_000

func (l *requestLog) add(r Request, items int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if l.routes == nil {
		l.routes = map[string]RouteCount{}
	}
	n := l.routes[r.Route]
	if n.Status == nil {
		n.Status = map[int]int{}
	}
	n.Requests++
	n.Items += items
	n.Status[r.Status]++
	l.routes[r.Route] = n
	if len(l.last) >= 2*logged {
		l.last = append([]Request(nil), l.last[logged:]...)
	}
	l.last = append(l.last, r)
}

// Counts are how many requests there were, in all and by route.
func (s *Server) Counts() (total int, byRoute map[string]RouteCount) {
	l := &s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	byRoute = make(map[string]RouteCount, len(l.routes))
	for k, n := range l.routes {
		status := make(map[int]int, len(n.Status))
		for code, c := range n.Status {
			status[code] = c
		}
		byRoute[k] = RouteCount{n.Requests, status, n.Items}
	}
	return l.total, byRoute
}

// Requests are the last requests, the newest last; at most n.
func (s *Server) Requests(n int) []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	list := s.log.last
	return append([]Request(nil), list[len(list)-max(0, min(n, len(list), logged)):]...)
}

// ForgetRequests begins the log anew.
func (s *Server) ForgetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.total, s.log.routes, s.log.last = 0, nil, nil
}

// seen notes the status of an answer.
type seen struct {
	http.ResponseWriter
	status int
}

func (s *seen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
