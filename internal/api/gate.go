package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// token is one that lets in. Only its hash is kept: comparing hashes takes as long for any text.
type token struct {
	name string
	hash [sha256.Size]byte
	all  bool
	flow map[string]bool
	may  []config.Right
}

func tokenOf(t *config.Token) token {
	out := token{name: t.Name, hash: sha256.Sum256([]byte(t.Token.Reveal())), all: t.Flows == nil, flow: map[string]bool{}, may: t.May}
	for _, name := range t.Flows {
		out.flow[name] = true
	}
	return out
}

// can tells whether the token may do this at all, whatever the flow.
func (t *token) can(right config.Right) bool { return slices.Contains(t.may, right) }

// sees tells whether the token is for the flow.
func (t *token) sees(flow string) bool { return t.all || t.flow[flow] }

// bearer finds the token that a request shows.
func (s *Server) bearer(h http.Header) (*token, *Problem) {
	shown := h.Values("Authorization")
	if len(shown) == 0 {
		return nil, problem(http.StatusUnauthorized, lockstep.CodeToken, "there is no token")
	}
	scheme, text, _ := strings.Cut(shown[0], " ")
	if len(shown) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, problem(http.StatusUnauthorized, lockstep.CodeToken, "there is no token of the form `Authorization: Bearer TOKEN`")
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(text)))
	found := -1
	for i := range s.tokens { // all of them, whichever it is
		if subtle.ConstantTimeCompare(hash[:], s.tokens[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return nil, problem(http.StatusUnauthorized, lockstep.CodeToken, "this token is not known")
	}
	return &s.tokens[found], nil
}

// admit lets a request in that shows a token which may do this to the flow; "" is no flow. Who may not is not told
// whether there is such a flow.
func (s *Server) admit(r *http.Request, right config.Right, flow string) (*token, *Problem) {
	t, p := s.bearer(r.Header)
	if p != nil {
		return nil, p
	}
	aboutOf(r).token = t.name
	switch {
	case !t.can(right):
		return nil, problem(http.StatusForbidden, lockstep.CodeToken, "this token may not "+string(right))
	case flow != "" && !t.sees(flow):
		return nil, problem(http.StatusForbidden, lockstep.CodeToken, "this token is not for that flow")
	case flow != "" && !s.known[flow]:
		return nil, problem(http.StatusNotFound, lockstep.CodeNoFlow, "there is no such flow")
	}
	return t, nil
}

// The names under which an operation says what it asks of a token, and under which the token goes on.
const mayKey = "may"

type tokenKey struct{}

// tokenIn is the token of a request that was let in by one.
func tokenIn(ctx context.Context) *token {
	t, _ := ctx.Value(tokenKey{}).(*token)
	return t
}

// gate stands before every operation of huma's: who comes in, and with how much.
func (s *Server) gate(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	right, ok := ctx.Operation().Metadata[mayKey].(config.Right)
	if !ok {
		problem(http.StatusInternalServerError, lockstep.CodeInvariant, "nobody has said who may do this").write(w)
		return
	}
	t, p := s.admit(r, right, r.PathValue("flow"))
	if p != nil {
		p.write(w)
		return
	}
	body, done, p := s.body(w, r)
	if p != nil {
		p.write(w)
		return
	}
	defer done()
	r.Body = io.NopCloser(bytes.NewReader(body))
	next(huma.WithValue(ctx, tokenKey{}, t))
}

var errCrowded = errors.New("the bodies of all requests take too much memory")

// metered counts what is read against the memory that all bodies share.
type metered struct {
	io.Reader
	total *atomic.Int64
	own   int64
	most  int64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.own += int64(n)
	if m.total.Add(int64(n)) > m.most {
		return n, errCrowded
	}
	return n, err
}

// body reads a request's body, within its bounds. done gives its memory back.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (body []byte, done func(), p *Problem) {
	most := int64(s.api.MaxBody)
	large := func() *Problem {
		return problem(http.StatusRequestEntityTooLarge, lockstep.CodeRequest, "the body is larger than `api.max_body`")
	}
	switch e := r.Header.Get("Content-Encoding"); {
	case r.ContentLength > most:
		w.Header().Set("Connection", "close") // or the rest of it would have to be read
		return nil, nil, large()
	case e != "" && e != "identity":
		return nil, nil, problem(http.StatusUnsupportedMediaType, lockstep.CodeRequest, "a body comes as it is, without Content-Encoding")
	}
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(s.bounds.Body)) // what cannot (a test's recorder) is not slow
	in := &metered{Reader: http.MaxBytesReader(w, r.Body, most), total: &s.bytes, most: most * bodyBudget}
	done = func() { s.bytes.Add(-in.own) }
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(in)
	if err == nil {
		_ = conn.SetReadDeadline(time.Time{})
		return buf.Bytes(), done, nil
	}
	done()
	w.Header().Set("Connection", "close")
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return nil, nil, large()
	case errors.Is(err, errCrowded):
		return nil, nil, problem(http.StatusServiceUnavailable, lockstep.CodeCrowded, "too many large requests at once")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, problem(http.StatusRequestTimeout, lockstep.CodeRequest, "the body did not come in time")
	}
	return nil, nil, problem(http.StatusBadRequest, lockstep.CodeRequest, "the body was cut off")
}
