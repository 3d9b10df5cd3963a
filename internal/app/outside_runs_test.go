package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/value"
)

func (c *client) with(token, method, path, body string) reply {
	c.t.Helper()
	return c.do(method, path, body, "Authorization", "Bearer "+token)
}

func decoded[T any](t *testing.T, r reply, want int) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.status != want {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return v
}

// until follows a run until it has ended.
func (c *client) until(path string) api.Run {
	c.t.Helper()
	for {
		run := decoded[api.Run](c.t, c.with("token-of-everything", "GET", path, ""), http.StatusOK)
		if run.State != "running" {
			return run
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// held makes reads of a system wait until the test lets them go on.
func held(sys *memory.System, call string) (reached <-chan struct{}, open func()) {
	at, gate := make(chan struct{}, 100), make(chan struct{})
	sys.SetHook(func(c memory.Call) error {
		if c.Name == call && !c.After {
			at <- struct{}{}
			<-gate
		}
		return nil
	})
	return at, func() { close(gate) }
}

func TestRunsOverHTTP(t *testing.T) {
	p, pim, shop := inMemory(t, 3)
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	c := outsideOf(t, h, api.Bounds{})
	runs := "/v1/flows/products/runs"

	reached, open := held(pim, "Scan")
	r := c.with("token-of-one-flow--", "POST", runs, `{"kind":"full"}`)
	first := decoded[api.Run](t, r, http.StatusAccepted)
	at := r.header.Get("Location")
	if at != fmt.Sprintf("%s/%d", runs, first.ID) || first.Kind != "full" || first.State != "running" {
		t.Errorf("%s: %+v", at, first)
	}
	<-reached
	// One is under way: a second is told which.
	r = c.with("token-of-everything", "POST", runs, `{}`)
	if problem := r.problem(t); r.status != http.StatusConflict || problem.Code != lockstep.CodeBusy || problem.Run != first.ID {
		t.Errorf("%+v", r)
	}
	if run := decoded[api.Run](t, c.with("token-that-looks---", "GET", at, ""), http.StatusOK); run.State != "running" {
		t.Errorf("%+v", run)
	}
	open()
	if run := c.until(at); run.State != "finished" || run.Counts.Created != 3 || run.ID != first.ID {
		t.Errorf("%+v", run)
	}
	pim.SetHook(nil)

	pim.Put("products", value.F("sku", "pz", "name", "New", "cost", 1))
	r = c.with("token-of-everything", "POST", runs, `{"kind":"delta"}`)
	second := decoded[api.Run](t, r, http.StatusAccepted)
	if run := c.until(r.header.Get("Location")); run.Kind != "delta" || run.State != "finished" || run.Counts.Created != 1 {
		t.Errorf("%+v", run)
	}
	shop.Edit("products", "pz", "name", "Old")
	r = c.with("token-of-everything", "POST", runs, `{"kind":"full","deep":true}`)
	if run := c.until(r.header.Get("Location")); run.Counts.Updated != 1 {
		t.Errorf("%+v", run)
	}

	list := decoded[struct{ Runs []api.Run }](t, c.with("token-that-looks---", "GET", runs+"?kind=delta", ""), http.StatusOK)
	if len(list.Runs) != 1 || list.Runs[0].ID != second.ID {
		t.Errorf("%+v", list)
	}
	for path, body := range map[string]string{runs: `{"deep":true}`, runs + "?": `{"kind":"verify"}`, runs + "?x": `{"knid":"full"}`, runs + "?y": `[]`, runs + "?z": `{"kind":`, runs + "?w": ``} {
		if r := c.with("token-of-everything", "POST", path, body); r.status < 400 || r.status > 422 || r.problem(t).Code != lockstep.CodeRequest {
			t.Errorf("%s: %+v", body, r)
		}
	}
	for _, path := range []string{runs + "/999", runs + "/0", runs + "/x", "/v1/flows/others/runs/1", "/v1/flows/nowhere/runs", runs + "?max=0", runs + "?kind=x"} {
		if r := c.with("token-of-everything", "GET", path, ""); r.status != http.StatusNotFound && r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

// Whoever asked may go away: the run goes on. The daemon's end cuts it short in good order.
func TestRunsBelongToTheHouse(t *testing.T) {
	p, pim, _ := inMemory(t, 3)
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	c := outsideOf(t, h, api.Bounds{})
	reached, open := held(pim, "Scan")
	ctx, cancel := context.WithCancel(t.Context())
	out := h.outside(t.Context())
	run, err := out.StartRun(ctx, "products", api.RunAsk{Kind: lockstep.FullRun})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	cancel()
	open()
	if run := c.until(fmt.Sprintf("/v1/flows/products/runs/%d", run.ID)); run.State != "finished" {
		t.Errorf("%+v", run)
	}
	if err := out.close(); err != nil {
		t.Fatal(err)
	}

	pim.SetHook(nil)
	life, end := context.WithCancel(t.Context())
	out = h.outside(life)
	reached, open = held(pim, "Scan")
	if run, err = out.StartRun(t.Context(), "products", api.RunAsk{Kind: lockstep.FullRun}); err != nil {
		t.Fatal(err)
	}
	<-reached
	end()
	open()
	if err := out.close(); err != nil {
		t.Fatal(err)
	}
	if run := c.until(fmt.Sprintf("/v1/flows/products/runs/%d", run.ID)); run.State != "interrupted" {
		t.Errorf("%+v", run)
	}
	if _, err := out.StartRun(t.Context(), "products", api.RunAsk{}); lockstep.FaultOf(err).Code != lockstep.CodeUnavailable {
		t.Errorf("a run in a house that stops: %v", err)
	}
}

// A source that is away is told as such, and nothing is left under way.
func TestRunWhileTheSourceIsAway(t *testing.T) {
	p, pim, _ := inMemory(t, 1)
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	c := outsideOf(t, h, api.Bounds{})
	pim.SetHook(func(call memory.Call) error {
		return lockstep.NewFault(lockstep.CodeUnavailable, errors.New("it is away"))
	})
	r := c.with("token-of-everything", "POST", "/v1/flows/products/runs", `{"kind":"full"}`)
	if r.status != http.StatusServiceUnavailable || r.problem(t).Code != lockstep.CodeUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("%+v", r)
	}
	pim.SetHook(nil)
	r = c.with("token-of-everything", "POST", "/v1/flows/products/runs", `{"kind":"full"}`)
	if run := c.until(r.header.Get("Location")); run.State != "finished" {
		t.Errorf("%+v", run)
	}
}

func TestLookingAtFlowsAndRecords(t *testing.T) {
	p, pim, _ := inMemory(t, 2)
	pim.Put("products", value.F("sku", "a/b %", "name", "With a slash", "cost", 1))
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	ask(t, h, Request{Do: DoSync, Flows: []string{"products"}})
	c := outsideOf(t, h, api.Bounds{})
	for token, want := range map[string]int{"token-that-looks---": 2, "token-of-one-flow--": 1} {
		list := decoded[struct{ Flows []api.Status }](t, c.with(token, "GET", "/v1/flows", ""), http.StatusOK)
		if len(list.Flows) != want || list.Flows[0].Flow != "products" || list.Flows[0].Links != 3 {
			t.Errorf("%s: %+v", token, list)
		}
	}
	if s := decoded[api.Status](t, c.with("token-that-looks---", "GET", "/v1/flows/products/status", ""), http.StatusOK); s.Links != 3 || s.LastFull == nil {
		t.Errorf("%+v", s)
	}
	for _, key := range []string{"pa", "a%2Fb%20%25"} {
		got := decoded[struct{ Stories []api.Story }](t, c.with("token-that-looks---", "GET", "/v1/flows/products/records/"+key, ""), http.StatusOK)
		if len(got.Stories) != 1 || got.Stories[0].Link == nil {
			t.Errorf("%s: %+v", key, got)
		}
	}
	// Every operation asks for its right.
	for _, tc := range []struct{ token, method, path string }{
		{"token-that-looks---", "POST", "/v1/flows/products/runs"},
		{"token-that-looks---", "POST", "/hooks/products"},
		{"token-of-one-flow--", "GET", "/v1/flows/others/status"},
		{"token-of-one-flow--", "GET", "/v1/flows/nowhere/status"},
		{"token-of-one-flow--", "GET", "/v1/flows/others/records/pa"},
		{"token-of-one-flow--", "GET", "/v1/flows/others/runs"},
		{"token-of-one-flow--", "POST", "/v1/flows/others/runs"},
	} {
		if r := c.with(tc.token, tc.method, tc.path, `{}`); r.status != http.StatusForbidden || r.problem(t).Code != lockstep.CodeToken {
			t.Errorf("%+v: %+v", tc, r)
		}
		if r := c.do(tc.method, tc.path, `{}`); r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" || r.problem(t).Code != lockstep.CodeToken {
			t.Errorf("%+v without a token: %+v", tc, r)
		}
	}
}

// The daemon's own full sync keeps another from being started, and is named.
func TestRunWhileTheDaemonReadsEverything(t *testing.T) {
	p, pim, _ := inMemory(t, 3)
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	reached, open := held(pim, "Scan")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	<-reached
	c := outsideOf(t, h, api.Bounds{})
	own := decoded[struct{ Runs []api.Run }](t, c.with("token-that-looks---", "GET", "/v1/flows/products/runs?kind=full", ""), http.StatusOK)
	if len(own.Runs) != 1 {
		t.Fatalf("%+v", own)
	}
	r := c.with("token-of-everything", "POST", "/v1/flows/products/runs", `{}`)
	if problem := r.problem(t); r.status != http.StatusConflict || problem.Code != lockstep.CodeBusy || problem.Run != own.Runs[0].ID {
		t.Errorf("%+v", r)
	}
	if s := decoded[api.Status](t, c.with("token-that-looks---", "GET", "/v1/flows/products/status", ""), http.StatusOK); s.State != "running" || s.API == "" {
		t.Errorf("%+v", s)
	}
	open()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
