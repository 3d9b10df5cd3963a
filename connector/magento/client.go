package magento

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

// The scopes that are no store view of customers.
const (
	allViews  = "all"   // what counts where a store view has no value of its own
	adminView = "admin" // its other name among the store views
)

// client sends calls to one shop.
type client struct {
	http    *httpkit.Client
	base    string // of requests
	signing string // of signatures
	oauth   *oauth
	bearer  string
	session *session
}

// call is one request.
type call struct {
	name   string // what faults call it; it holds no values
	method string
	scope  string // allViews or a store view's code; "" where the address has none: V1/integration
	path   string // behind the scope: "V1/products/" + escape(sku), "async/bulk/V1/products"
	query  string // as search.query gives it
	body   any    // to JSON; nil for none
	// stream gives a JSON body of length bytes anew for each try, where it is too large for body.
	stream func() io.Reader
	length int64
	// reads says that a POST changes nothing, such as those that end with -information.
	reads bool
}

// reply is what came for a call.
type reply struct {
	body  []byte
	clock time.Time // the shop's, when it began to answer; zero where it does not say
}

func newClient(c *conf) *client {
	out := &client{base: c.url, signing: c.signing, oauth: c.login.oauth, bearer: c.login.bearer}
	out.http = httpkit.New(httpkit.Options{
		Timeout: c.timeout, InFlight: c.writers, MaxBody: c.maxBody, Header: http.Header{"Accept": {"application/json"}},
	})
	if c.login.username != "" {
		out.session = newSession(c.login.username, c.login.password, out.login)
	}
	return out
}

// writes tells a call that changes something.
func (c *call) writes() bool { return c.method != http.MethodGet && !c.reads }

// do sends a call of whose answer only that it is Magento's counts: Magento answers a write with JSON, even if with
// nothing but true, so a page with status 200 is something else's, and nothing was done or nobody knows.
func (c *client) do(ctx context.Context, q call) (*reply, error) {
	r, err := c.send(ctx, q)
	if err == nil && !json.Valid(r.body) {
		return nil, notUnderstood(&q, r.body)
	}
	return r, err
}

// send sends a call and reads its answer; whatever is not done as asked is a Fault. It is sent once, and once more only
// where an admin user's token has ended: then nothing was done yet.
func (c *client) send(ctx context.Context, q call) (*reply, error) {
	req, err := c.request(q)
	if err != nil {
		return nil, err
	}
	token := ""
	for try := 0; ; try++ {
		header, used, err := c.authorize(ctx, q, token)
		if err != nil {
			return nil, err
		}
		req.Header = header
		a, err := c.http.Do(ctx, req)
		if err != nil {
			return nil, err
		}
		if a.Status == http.StatusUnauthorized && c.session != nil && used != "" && try == 0 {
			token = used
			continue
		}
		if err := refused(&q, req, a); err != nil {
			return nil, err
		}
		out := &reply{body: a.Body}
		out.clock, _ = a.Clock()
		return out, nil
	}
}

func (c *client) request(q call) (httpkit.Request, error) {
	req := httpkit.Request{Method: q.method, URL: c.base + q.address(), Write: q.writes(), Name: q.name, Stream: q.stream, Length: q.length}
	if q.body != nil {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // texts go as they are
		if err := enc.Encode(q.body); err != nil {
			return req, lockstep.Faultf(lockstep.CodeInvariant, "a request cannot be written as JSON").On(lockstep.About{Request: q.name})
		}
		req.Body = b.Bytes()
	}
	return req, nil
}

// address is a call's URL behind the base.
func (c *call) address() string {
	at := "/rest/" + c.path
	if c.scope != "" {
		at = "/rest/" + escape(c.scope) + "/" + c.path
	}
	if c.query != "" {
		at += "?" + c.query
	}
	return at
}

// authorize gives a call's headers, and the token in them where it is one of a session.
func (c *client) authorize(ctx context.Context, q call, ended string) (http.Header, string, error) {
	h := http.Header{}
	if q.body != nil || q.stream != nil {
		h["Content-Type"] = []string{"application/json"}
	}
	switch {
	case q.scope == "" && q.path == loginPath:
	case c.oauth != nil:
		h["Authorization"] = []string{c.oauth.header(q.method, c.signing+q.address(), time.Now())}
	case c.session != nil:
		token, err := c.session.token(ctx, ended)
		if err != nil {
			return nil, "", err
		}
		h["Authorization"] = []string{"Bearer " + token}
		return h, token, nil
	default:
		h["Authorization"] = []string{"Bearer " + c.bearer}
	}
	return h, "", nil
}

// into sends a call and reads its answer into out. An empty list stands for an empty object, as PHP writes it.
func (c *client) into(ctx context.Context, q call, out any) (*reply, error) {
	r, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(r.body) || json.Unmarshal(r.body, out) != nil {
		return nil, notUnderstood(&q, r.body)
	}
	return r, nil
}

// notUnderstood is the fault of an answer that is not what was asked for.
func notUnderstood(q *call, body []byte) error {
	req := httpkit.Request{Name: q.name, Write: q.writes()}
	text := bytes.TrimLeft(body, " \t\r\n\ufeff")
	switch {
	case len(text) == 0 || text[0] == '<':
		return req.NotJSON(&httpkit.Answer{Status: http.StatusOK, Body: body})
	case !json.Valid(text):
		return req.Cut()
	}
	f := lockstep.Faultf(lockstep.CodeServer, "the answer has another shape than Magento's")
	if q.writes() {
		f = f.Maybe()
	}
	return f.On(lockstep.About{Request: q.name})
}

const loginPath = "V1/integration/admin/token"

// login gets an admin user's token.
func (c *client) login(ctx context.Context, username, password string) (string, error) {
	q := call{name: "log in", method: http.MethodPost, path: loginPath, body: map[string]string{"username": username, "password": password}, reads: true}
	token := ""
	if _, err := c.into(ctx, q, &token); err != nil {
		return "", err
	}
	if token == "" || strings.ContainsAny(token, "\r\n \t") {
		return "", notUnderstood(&q, []byte(`""`))
	}
	return token, nil
}

func (c *client) close() { c.http.Close() }
