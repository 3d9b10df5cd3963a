package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
)

const recordsYAML = `
api:
  listen: 127.0.0.1:0
  tokens:
    erp:   {token: token-of-the-erp---, flows: [inbound], may: [push, run]}
    shop:  {token: token-of-the-shop--, flows: [outbound], may: pull}
    looks: {token: token-that-looks---, may: read}
systems:
  erp:
    type: api
    max_record: 1KiB
    streams: {articles: {key: [sku], fields: [sku text, "name text(20)", "price decimal(12,2)"]}}
  shop:
    type: api
    streams: {products: {key: [id], server_keys: true, fields: [id int, name text, "price decimal(12,2)"]}}
  db: {type: sqlite, path: db.sqlite}
flows:
  inbound:
    from: {system: erp, stream: articles, track: {by: push}}
    to:   {system: db, stream: articles}
  outbound:
    from: {system: db, stream: articles, track: {by: snapshot, every: 1s}}
    to:   {system: shop, stream: products}
    deletes: {max_share: 100%}
    map: {name: name, price: price}
`

// running is a house that runs until the test ends.
func running(t *testing.T, h *House) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	eventually(t, func() bool { return h.isRunning() && h.built.Load() != nil })
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it takes too long")
		}
	}
}

// call posts to the API as somebody, and reads the answer into out where it is 200.
func (c *client) call(token, path, body string, out any) reply {
	c.t.Helper()
	r := c.do("POST", path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	if r.status == http.StatusOK && out != nil {
		if err := json.Unmarshal([]byte(r.body), out); err != nil {
			c.t.Fatal(err)
		}
	}
	return r
}

const erpToken, shopToken = "token-of-the-erp---", "token-of-the-shop--"

func TestPushOverHTTP(t *testing.T) {
	p := newPlace(t)
	db := p.db("db.sqlite?_pragma=busy_timeout(10000)", "CREATE TABLE articles (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2))")
	h := p.open(p.must(recordsYAML))
	c := outsideOf(t, h, api.Bounds{})
	push := func(body string) (out api.Pushed) {
		t.Helper()
		if r := c.call(erpToken, "/v1/flows/inbound/changes", body, &out); r.status != http.StatusOK {
			t.Fatalf("%s: %+v", body, r)
		}
		return out
	}
	// Nothing is carried yet, and what is pushed is durable all the same.
	if got := push(`{"changes":[{"op":"upsert","fields":{"sku":"a","name":"A","price":"1.50"}},{"key":"b","fields":{"name":"B","price":2},"version":"7","at":"2026-01-02T03:04:05Z"}]}`); got.Accepted != 2 || got.Refused != nil || got.Missing != nil {
		t.Errorf("%+v", got)
	}
	running(t, h)
	table := func(want ...string) {
		t.Helper()
		eventually(t, func() bool {
			return strings.Join(rows(t, db, "SELECT sku, name, price FROM articles ORDER BY sku"), " ") == strings.Join(want, " ")
		})
	}
	table("a|A|1.5", "b|B|2")
	routes := c.routes
	c.routes = nil // the document says how each change must be, and one that is not is refused by itself
	got := push(`{"changes":[
		{"key":"a","fields":{"name":"a name that is far too long"}},
		{"key":"c","fields":{"name":"C","price":3}},
		{"key":5},
		{"key":"d","felds":{}},
		{"op":"delete","key":"b"},
		{"key":"e","fields":{"nam":"E"}},
		"nonsense",
		{"key":"f","fields":{"name":"` + strings.Repeat("x", 2000) + `"}}]}`)
	c.routes = routes
	var codes []string
	for _, r := range got.Refused {
		codes = append(codes, fmt.Sprint(r.Index, " ", r.Key, " ", r.Code, " ", r.Field))
		if r.Detail == "" || strings.Contains(r.Detail, "far too") {
			t.Errorf("%+v", r)
		}
	}
	if want := "0 a LS-VALUE name,2  LS-REQUEST ,3  LS-REQUEST ,5 e LS-NO-FIELD nam,6  LS-REQUEST ,7 f LS-TOO-LARGE "; got.Accepted != 2 || strings.Join(codes, ",") != want {
		t.Errorf("%d accepted; refused %s", got.Accepted, strings.Join(codes, ","))
	}
	table("a|A|1.5", "c|C|3")
	for name, bad := range map[string]struct {
		token, path, body string
		status            int
		code              lockstep.Code
	}{
		"no JSON":         {erpToken, "/v1/flows/inbound/changes", `{"changes":`, 400, lockstep.CodeRequest},
		"a wrong member":  {erpToken, "/v1/flows/inbound/changes", `{"chnages":[]}`, 400, lockstep.CodeRequest},
		"too many":        {erpToken, "/v1/flows/inbound/changes", `{"changes":[` + strings.Repeat("{},", 5000) + `{}]}`, 413, lockstep.CodeRequest},
		"not his flow":    {erpToken, "/v1/flows/outbound/changes", `{"changes":[]}`, 403, lockstep.CodeToken},
		"may not push":    {shopToken, "/v1/flows/outbound/changes", `{"changes":[]}`, 403, lockstep.CodeToken},
		"nothing to pull": {"token-of-the-erp---", "/v1/flows/inbound/lease", `{}`, 403, lockstep.CodeToken},
	} {
		r := c.call(bad.token, bad.path, bad.body, nil)
		if r.status/100 == 4 && r.status != bad.status && bad.status == 400 && r.status == 422 {
			continue // either says it
		}
		if pr := r.problem(t); r.status != bad.status || pr.Code != bad.code {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, do := range []Request{{Do: DoSync, Flows: []string{"inbound"}, Full: true}, {Do: DoVerify, Flows: []string{"inbound"}}, {Do: DoPlan, Flows: []string{"inbound"}}} {
		if _, err := try(t.Context(), h, do); code(err) != lockstep.CodeCannot {
			t.Errorf("%s: %v", do.Do, err)
		}
	}
	if r := c.call(erpToken, "/v1/flows/inbound/runs", `{"kind":"full"}`, nil); r.status != http.StatusConflict || r.problem(t).Code != lockstep.CodeCannot {
		t.Errorf("%+v", r)
	}
	if _, err := try(t.Context(), h, Request{Do: DoSync, Flows: []string{"inbound"}}); err != nil {
		t.Error(err)
	}
	if r := c.do("POST", "/hooks/inbound", `{"keys":["a"]}`, "Authorization", "Bearer "+erpToken); r.status != http.StatusForbidden {
		t.Errorf("%+v", r)
	}
}

// A flow that is added to a feed later has missed what was pushed before, and the source is told with every push.
func TestAFlowThatComesLaterIsMissing(t *testing.T) {
	p := newPlace(t)
	p.db("db.sqlite?_pragma=busy_timeout(10000)", "CREATE TABLE articles (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2))", "CREATE TABLE copies (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2))")
	with := func(flows string, then func(c *client, h *House)) {
		h, err := Open(t.Context(), p.must(recordsYAML+flows), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("", func(t *testing.T) { then(outsideOf(t, h, api.Bounds{}), h) })
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	one := `{"changes":[{"key":"a","fields":{"name":"A"}}]%s}`
	push := func(c *client, more string) (out api.Pushed) {
		if r := c.call(erpToken, "/v1/flows/inbound/changes", fmt.Sprintf(one, more), &out); r.status != http.StatusOK {
			t.Errorf("%+v", r)
		}
		return out
	}
	with("", func(c *client, _ *House) {
		if got := push(c, ""); len(got.Missing) != 0 {
			t.Errorf("%+v", got)
		}
	})
	more := "  copies:\n    from: {system: erp, stream: articles, track: {by: push}}\n    to: {system: db, stream: copies}\n"
	with(more, func(c *client, h *House) {
		if got := push(c, ""); strings.Join(got.Missing, " ") != "copies" {
			t.Errorf("%+v", got)
		}
		if events := ask(t, h, Request{Do: DoStatus, Flows: []string{"copies"}}); !strings.Contains(events[0].Status.Missing, "push everything") {
			t.Errorf("%+v", events[0].Status)
		}
		if got := push(c, `,"complete":true`); len(got.Missing) != 0 {
			t.Errorf("%+v", got)
		}
		if events := ask(t, h, Request{Do: DoStatus, Flows: []string{"copies"}}); events[0].Status.Missing != "" {
			t.Errorf("%+v", events[0].Status)
		}
	})
	with(strings.Replace(more, "stream: copies}", "stream: copies}\n    map: {sku: sku, name: upper(name)}", 1), func(c *client, _ *House) {
		if got := push(c, ""); strings.Join(got.Missing, " ") != "copies" {
			t.Errorf("another mapping: %+v", got)
		}
	})
}

func TestPullOverHTTP(t *testing.T) {
	p := newPlace(t)
	db := p.db("db.sqlite?_pragma=busy_timeout(10000)", "CREATE TABLE articles (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2))",
		"INSERT INTO articles VALUES ('a', 'A', 1.50), ('b', 'B', 2)")
	h := p.open(p.must(recordsYAML))
	c := outsideOf(t, h, api.Bounds{})
	running(t, h)
	lease := func(body string) (out api.Lease) {
		t.Helper()
		if r := c.call(shopToken, "/v1/flows/outbound/lease", body, &out); r.status != http.StatusOK {
			t.Fatalf("%s: %+v", body, r)
		}
		return out
	}
	settle := func(body string) (out api.Settled) {
		t.Helper()
		if r := c.call(shopToken, "/v1/flows/outbound/settle", body, &out); r.status != http.StatusOK {
			t.Fatalf("%s: %+v", body, r)
		}
		return out
	}
	eventually(t, func() bool {
		return c.call(shopToken, "/v1/flows/outbound/settle", `{"lease":"x","results":[]}`, nil).status != http.StatusServiceUnavailable
	})
	var one api.Lease
	eventually(t, func() bool { // until the first full sync has filled the queue, and both records come at once
		one = lease(`{"ttl":"1s","wait":"1s"}`)
		return len(one.Records) == 2
	})
	if r := one.Records[0]; r.Op != "upsert" || r.Source != "a" || r.Key != "" || string(r.Fields) != `{"name":"A","price":1.50}` && string(r.Fields) != `{"name":"A","price":1.5}` || one.Until == nil {
		t.Errorf("%+v %s", r, r.Fields)
	}
	ids := map[string]bool{one.Records[0].ID: true, one.Records[1].ID: true}
	eventually(t, func() bool { // its time passes, and it comes again
		r := c.call(shopToken, "/v1/flows/outbound/settle", `{"lease":"`+one.Lease+`","results":[]}`, nil)
		return r.status == http.StatusConflict && r.problem(t).Code == lockstep.CodeLease
	})
	var two api.Lease
	eventually(t, func() bool {
		two = lease(`{"max":2,"ttl":"60s","wait":"10s"}`)
		return len(two.Records) > 0
	})
	for key := 71; ; key++ {
		for _, r := range two.Records {
			if !ids[r.ID] {
				t.Errorf("%s is new", r.ID)
			}
		}
		body := fmt.Sprintf(`{"lease":%q,"results":[{"id":%q,"status":"done","key":"%d","version":"v"},{"id":"x","status":"done"},{"id":%q,"status":"retry","retry_after":"soon"}]}`,
			two.Lease, two.Records[0].ID, key, two.Records[0].ID)
		if got := settle(body); got.Settled != 1 || len(got.Refused) != 2 {
			t.Errorf("%+v", got)
		}
		if got := settle(body); got.Repeated == 0 || got.Settled != 0 {
			t.Errorf("%+v", got)
		}
		if len(two.Records) == 2 {
			settle(fmt.Sprintf(`{"lease":%q,"results":[{"id":%q,"status":"done","key":"%d"}]}`, two.Lease, two.Records[1].ID, key+100))
			break
		}
		if key == 72 {
			break
		}
		eventually(t, func() bool {
			two = lease(`{"max":2,"ttl":"60s","wait":"10s"}`)
			return len(two.Records) > 0
		})
	}
	run(t, db, "DELETE FROM articles WHERE sku = 'a'")
	var gone api.Lease
	eventually(t, func() bool {
		gone = lease(`{"wait":"10s"}`)
		return len(gone.Records) > 0
	})
	if r := gone.Records[0]; r.Op != "delete" || r.Source != "a" || r.Key == "" || r.Fields != nil {
		t.Errorf("%+v", r)
	}
	settle(fmt.Sprintf(`{"lease":%q,"results":[{"id":%q,"status":"gone"}]}`, gone.Lease, gone.Records[0].ID))
	if none := lease(`{}`); none.Lease != "" || none.Records == nil || len(none.Records) != 0 {
		t.Errorf("%+v", none)
	}
	for body, status := range map[string]int{
		`{"ttl":"1ms"}`: 422, `{"ttl":"2h"}`: 422, `{"wait":"61s"}`: 422, `{"wait":"x"}`: 422, `{"max":0}`: 422, `{"max":1001}`: 422, `{"mx":1}`: 422,
	} {
		if r := c.call(shopToken, "/v1/flows/outbound/lease", body, nil); r.status != status || r.problem(t).Code != lockstep.CodeRequest {
			t.Errorf("%s: %+v", body, r)
		}
	}
	r := c.call(shopToken, "/v1/flows/outbound/settle", `{"lease":"x","results":[]}`, nil)
	if pr := r.problem(t); r.status != http.StatusNotFound || pr.Code != lockstep.CodeGone || !strings.Contains(pr.Next, "Lease again") {
		t.Errorf("%+v", r)
	}
	for _, do := range []Request{{Do: DoSync, Flows: []string{"outbound"}, Deep: true}, {Do: DoVerify, Flows: []string{"outbound"}}} {
		if _, err := try(t.Context(), h, do); code(err) != lockstep.CodeCannot {
			t.Errorf("%s: %v", do.Do, err)
		}
	}
}

func TestSettingsThatHaveNoUseWithCallers(t *testing.T) {
	for change, want := range map[string]string{
		"track: {by: push}|track: {by: snapshot}":                                           "write `by: push`",
		"by: snapshot, every: 1s|by: push":                                                  "cannot be tracked by push",
		"track: {by: push}}|track: {by: push}}\n    full: {every: 1h}":                      "no full sync",
		"track: {by: push}}|track: {by: push}}\n    hook: {secrets: [a secret of a hook!]}": "not hints",
	} {
		was, is, _ := strings.Cut(change, "|")
		p := newPlace(t)
		text := strings.Replace(recordsYAML, was, is, 1)
		cfg, err := p.config(text)
		if err == nil {
			_, err = Check(cfg)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", is, err)
		}
	}
	p := newPlace(t)
	text := recordsYAML[strings.Index(recordsYAML, "systems:"):]
	notes, err := Check(p.must(text))
	if err != nil || len(notes) != 2 || !strings.Contains(notes[0], "nobody can p") {
		t.Errorf("%q %v", notes, err)
	}
}

// What the allow-list of a system does not name is not kept, wherever it comes from.
func TestPushedFieldsThatAreNotAllowed(t *testing.T) {
	p := newPlace(t)
	p.db("db.sqlite", "CREATE TABLE articles (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2))")
	text := strings.Replace(recordsYAML, "    max_record: 1KiB", "    max_record: 1KiB\n    allow: {articles: [name]}", 1)
	h := p.open(p.must(text))
	c := outsideOf(t, h, api.Bounds{})
	if r := c.call(erpToken, "/v1/flows/inbound/changes", `{"changes":[{"fields":{"sku":"a","name":"A","price":"1.50"}},{"key":"b","op":"delete"}]}`, nil); r.status != http.StatusOK {
		t.Fatalf("%+v", r)
	}
	entries, err := h.store.Entries(t.Context(), "inbound", "", 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if got := strings.Join(entries[0].Change.Record.Fields.Names().List(), " "); got != "sku name" {
		t.Errorf("in the queue: %s", got)
	}
}
