package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/webhook"
	"github.com/lockstep-sync/lockstep/value"
)

const (
	secret      = "the secret of the hook"
	oldSecret   = "the secret it had before"
	outsideYAML = `
api:
  listen: 127.0.0.1:0
  max_body: 1KiB
  tokens:
    all:   {token: token-of-everything, may: [hook, push, pull, run, read]}
    one:   {token: token-of-one-flow--, flows: [products], may: [hook, run, read]}
    looks: {token: token-that-looks---, may: read}
systems:
  pim:  {type: memory, name: pim}
  shop: {type: memory, name: shop}
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved, every: 1h}}
    to:   {system: shop, stream: products}
    map: {sku: sku, name: name}
    hook: {secrets: [the secret of the hook, the secret it had before], window: 1m}
  others:
    from: {system: pim, stream: products, track: {by: snapshot, every: 1h}}
    to:   {system: shop, stream: others}
    map: {sku: sku, name: name}
`
)

// client speaks to a house over HTTP.
type client struct {
	t      *testing.T
	base   string
	http   *http.Client
	routes routers.Router // of the OpenAPI document that it serves
}

// outsideOf serves a house over HTTP until the test ends.
func outsideOf(t *testing.T, h *House, bounds api.Bounds) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := h.outside(ctx)
	srv := api.New(h.cfg, out, bounds, h.log)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := errors.Join(srv.Serve(ctx, l), out.close()); err != nil {
			t.Error(err)
		}
	})
	c := &client{t: t, base: "http://" + l.Addr().String(), http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		cancel()
		wg.Wait()
	})
	if h.cfg.API.TLS != nil {
		return c
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(c.do("GET", "/openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	if c.routes, err = legacy.NewRouter(doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// checked holds a request that went well, and every answer, against the OpenAPI document.
func (c *client) checked(req *http.Request, body string, r reply) {
	c.t.Helper()
	if c.routes == nil || req.URL.RawPath != "" { // its router does not know %2F
		return
	}
	route, params, err := c.routes.FindRoute(req)
	if err != nil {
		if r.status != http.StatusNotFound && r.status != http.StatusMethodNotAllowed && !strings.HasPrefix(req.URL.Path, "/docs") && !strings.HasPrefix(req.URL.Path, "/openapi") && req.URL.Path != "/healthz" {
			c.t.Errorf("%s %s is not in the document: %v", req.Method, req.URL.Path, err)
		}
		return
	}
	again := req.Clone(c.t.Context())
	again.Body = io.NopCloser(strings.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	if r.status < 300 && json.Valid([]byte(body)) {
		if err := openapi3filter.ValidateRequest(c.t.Context(), in); err != nil {
			c.t.Errorf("%s %s was taken, and is not as the document has it: %v", req.Method, req.URL.Path, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: r.status, Header: r.header, Options: in.Options}
	out.SetBodyBytes([]byte(r.body))
	if err := openapi3filter.ValidateResponse(c.t.Context(), out); err != nil {
		c.t.Errorf("%s %s is answered as the document does not have it: %v", req.Method, req.URL.Path, err)
	}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) problem(t *testing.T) (p api.Problem) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.header.Get("Content-Type") != "application/problem+json" || p.Status != r.status {
		t.Errorf("%d %s is no problem: %s", r.status, r.header.Get("Content-Type"), r.body)
	}
	return p
}

// do sends a request; headers come as name, value.
func (c *client) do(method, path, body string, headers ...string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return c.send(req, body)
}

func (c *client) send(req *http.Request, body string) reply {
	c.t.Helper()
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := reply{resp.StatusCode, resp.Header, string(text)}
	c.checked(req, body, r)
	return r
}

// hook sends a signed notice.
func (c *client) hook(flow, body string, at time.Time, secrets ...string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/hooks/"+flow, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	webhook.Sign(req.Header, []byte(body), at, secrets...)
	return c.send(req, body)
}

// queued are the keys in a flow's queue.
func queued(t *testing.T, h *House, flow string) string {
	t.Helper()
	var keys []string
	for _, e := range ask(t, h, Request{Do: DoQueue, Flows: []string{flow}}) {
		keys = append(keys, string(e.Entry.Key))
	}
	return strings.Join(keys, " ")
}

// outsideHouse is a house in memory with an API.
func outsideHouse(t *testing.T) (*place, *House) {
	t.Helper()
	p, _, shop := inMemory(t, 3)
	shop.DefineStream(lockstep.Stream{Name: "others", Key: []string{"sku"}, Fields: []lockstep.Field{
		{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}}, memory.Rules{})
	return p, p.open(p.must(outsideYAML))
}

func TestSignedNotices(t *testing.T) {
	p, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{})
	now := time.Now()
	good := `{"keys":["pa","pb"]}`
	if r := c.hook("products", good, now, secret); r.status != http.StatusAccepted || r.body != `{"keys":2}`+"\n" {
		t.Errorf("%+v", r)
	}
	if got := queued(t, h, "products"); got != "pa pb" {
		t.Errorf("in the queue: %s", got)
	}
	// The same again does nothing; the same at another moment does it again, which is harmless.
	if r := c.hook("products", good, now, secret); r.status != http.StatusOK || r.body != `{"keys":0,"repeated":true}`+"\n" {
		t.Errorf("a replay: %+v", r)
	}
	if r := c.hook("products", good, now.Add(-time.Second), secret); r.status != http.StatusAccepted {
		t.Errorf("out of order: %+v", r)
	}
	// While a secret is changed, both are right.
	if r := c.hook("products", `{"keys":["pc"]}`, now, oldSecret); r.status != http.StatusAccepted {
		t.Errorf("the old secret: %+v", r)
	}
	if r := c.hook("products", `{"keys":["pc"]}`, now, "a secret that comes next", secret); r.status != http.StatusAccepted {
		t.Errorf("a sender that rotates: %+v", r)
	}
	was := queued(t, h, "products")
	for name, r := range map[string]reply{
		"a wrong secret":          c.hook("products", good, now, "the secret of nobody"),
		"an old notice":           c.hook("products", good, now.Add(-2*time.Minute), secret),
		"a notice of tomorrow":    c.hook("products", good, now.Add(2*time.Minute), secret),
		"a flow that takes none":  c.hook("others", good, now, secret),
		"a flow that is not":      c.hook("nowhere", good, now, secret),
		"half a signature":        c.do("POST", "/hooks/products", good, webhook.TimestampHeader, "1"),
		"no signature, no token":  c.do("POST", "/hooks/products", good),
		"nobody's token":          c.do("POST", "/hooks/products", good, "Authorization", "Bearer token-of-nobody----"),
		"a password, not a token": c.do("POST", "/hooks/products", good, "Authorization", "Basic token-of-everything"),
		"two tokens":              c.do("POST", "/hooks/products", good, "Authorization", "Bearer token-of-everything", "Authorization", "Bearer token-of-everything"),
	} {
		if p := r.problem(t); r.status != http.StatusUnauthorized || (p.Code != lockstep.CodeSignature && p.Code != lockstep.CodeToken) || p.Next == "" || p.Title == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if got := queued(t, h, "products") + queued(t, h, "others"); got != was {
		t.Errorf("what was refused did something: %s", got)
	}
	if log := p.logged.String(); strings.Contains(log, "token-of") || strings.Contains(log, "the secret") || !strings.Contains(log, "POST /hooks/{flow}") {
		t.Errorf("the log: %s", log)
	}
}

// A system that tells two flows of the same save, with one secret and within one second, sends the same signed bytes to both:
// neither is a replay of the other.
func TestOneNoticeForTwoFlows(t *testing.T) {
	p, _, shop := inMemory(t, 3)
	shop.DefineStream(lockstep.Stream{Name: "others", Key: []string{"sku"}, Fields: []lockstep.Field{
		{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}}, memory.Rules{})
	h := p.open(p.must(strings.Replace(outsideYAML, "    to:   {system: shop, stream: others}", "    to:   {system: shop, stream: others}\n    hook: {secrets: [the secret of the hook]}", 1)))
	c := outsideOf(t, h, api.Bounds{})
	now := time.Now()
	for _, flow := range []string{"products", "others"} {
		if r := c.hook(flow, `{"keys":["pa"]}`, now, secret); r.status != http.StatusAccepted || queued(t, h, flow) != "pa" {
			t.Errorf("%s: %+v, in the queue: %s", flow, r, queued(t, h, flow))
		}
		if r := c.hook(flow, `{"keys":["pa"]}`, now, secret); r.status != http.StatusOK {
			t.Errorf("%s, a replay: %+v", flow, r)
		}
	}
}

// Who may not do something is not told whether there is such a flow.
func TestTokensOfHooks(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{})
	post := func(flow, token string) reply {
		return c.do("POST", "/hooks/"+flow, `{"keys":["pa"]}`, "Authorization", "Bearer "+token)
	}
	if r := post("others", "token-of-everything"); r.status != http.StatusAccepted {
		t.Errorf("%+v", r)
	}
	if r := post("products", "token-of-one-flow--"); r.status != http.StatusAccepted {
		t.Errorf("%+v", r)
	}
	if r := post("nowhere", "token-of-everything"); r.status != http.StatusNotFound || r.problem(t).Code != lockstep.CodeNoFlow {
		t.Errorf("%+v", r)
	}
	for _, token := range []string{"token-of-one-flow--", "token-that-looks---"} {
		there, not := post("others", token), post("nowhere", token)
		if there.status != http.StatusForbidden || there.body != not.body || there.problem(t).Code != lockstep.CodeToken {
			t.Errorf("%s: %+v and %+v", token, there, not)
		}
	}
}

func TestNoticesThatMakeNoSense(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{})
	for _, body := range []string{"", "hello", `{"keys":[""]}`, `{"events":[]}`, `{"keys":[1.5]}`} {
		r := c.hook("products", body, time.Now(), secret)
		if r.status != http.StatusBadRequest || r.problem(t).Code != lockstep.CodeNotice {
			t.Errorf("%q: %+v", body, r)
		}
	}
	r := c.hook("products", `{"keys":["`+strings.Repeat("x", 2000)+`"]}`, time.Now(), secret)
	if r.status != http.StatusRequestEntityTooLarge || r.problem(t).Code != lockstep.CodeRequest {
		t.Errorf("%+v", r)
	}
	// One that does not say how long it is must not be read on for ever.
	body := `{"keys":["` + strings.Repeat("x", 2000) + `"]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/hooks/products", io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	webhook.Sign(req.Header, []byte(body), time.Now(), secret)
	if r := c.send(req, body); r.status != http.StatusRequestEntityTooLarge || r.problem(t).Code != lockstep.CodeRequest {
		t.Errorf("in chunks: %+v", r)
	}
	if got := queued(t, h, "products"); got != "" {
		t.Errorf("in the queue: %s", got)
	}
}

// telling is a memory system that has notices of its own: "one pa" names a record, "below x" needs the system.
type telling struct {
	*memory.System
	away *atomic.Bool
}

func (s telling) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	if s.away.Load() {
		return nil, lockstep.Faultf(lockstep.CodeUnavailable, "it is away")
	}
	return s.System.Streams(ctx)
}

func (s telling) Hints(ctx context.Context, r lockstep.Read, notice []byte) ([]lockstep.Key, error) {
	switch word, rest, _ := strings.Cut(string(notice), " "); {
	case r.Stream != "products":
		return nil, errors.New("another stream: " + r.Stream)
	case word == "one":
		return []lockstep.Key{lockstep.Key(rest)}, nil
	case word == "below" && s.away.Load():
		return []lockstep.Key{"pb"}, lockstep.Faultf(lockstep.CodeUnavailable, "it is away")
	case word == "endless":
		<-ctx.Done()
		return []lockstep.Key{"pb"}, ctx.Err()
	case word == "below":
		return []lockstep.Key{"pb", "pc"}, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeNotice, "neither one nor below")
}

// tellers opens memory systems as telling ones.
type tellers struct {
	memory.Systems
	away *atomic.Bool
}

func (c tellers) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	sys, err := c.Systems.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return telling{sys.(*memory.System), c.away}, nil
}

// A source's own notices are understood whether it is open, closed or away; what a notice names is kept in any case.
func TestNoticesOfTheSystem(t *testing.T) {
	for _, connected := range []bool{false, true} {
		p, pim, shop := inMemory(t, 3)
		away := &atomic.Bool{}
		p.conns = []lockstep.Connector{tellers{memory.Systems{"pim": pim, "shop": shop}, away}}
		h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
		if connected {
			if err := h.Connect(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		c := outsideOf(t, h, api.Bounds{})
		post := func(body string) reply { return c.hook("products", body, time.Now(), secret) }
		away.Store(true)
		if r := post("one pa"); r.status != http.StatusAccepted {
			t.Errorf("%+v", r)
		}
		if r := post("below x"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || r.problem(t).Code != lockstep.CodeUnavailable {
			t.Errorf("%+v", r)
		}
		if got := queued(t, h, "products"); got != "pa pb" {
			t.Errorf("while it is away: %s", got)
		}
		away.Store(false)
		if r := post("below x"); r.status != http.StatusAccepted { // the same notice: it was not taken before
			t.Errorf("%+v", r)
		}
		if got := queued(t, h, "products"); got != "pa pb pc" {
			t.Errorf("when it is back: %s", got)
		}
		if r := post("above x"); r.status != http.StatusBadRequest || r.problem(t).Code != lockstep.CodeNotice {
			t.Errorf("%+v", r)
		}
	}
}
