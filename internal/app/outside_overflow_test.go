package app

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/api"
)

// fullRuns are a flow's full runs, the newest first, as states.
func fullRuns(t *testing.T, h *House) (states []string) {
	t.Helper()
	rows, err := h.store.Runs(t.Context(), lockstep.RunQuery{Flow: "products", Kind: lockstep.FullRun})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		states = append(states, string(row.State))
	}
	return states
}

// A sender that has lost notices makes a full sync due: once, durable before the answer, also behind one that is under
// way, and no delta will do instead.
func TestNoticesThatSayThatOthersWereLost(t *testing.T) {
	p, pim, _ := inMemory(t, 3)
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	c := outsideOf(t, h, api.Bounds{})
	tell := func() {
		t.Helper()
		if r := c.hook("products", `{"keys":["pa"],"overflow":true,"notice":"`+time.Now().String()+`"}`, time.Now(), secret); r.status != http.StatusAccepted {
			t.Fatalf("%+v", r)
		}
	}
	want := func(states ...string) {
		t.Helper()
		if got := fullRuns(t, h); !slices.Equal(got, states) {
			t.Fatalf("full runs are %s, want %s", got, states)
		}
	}
	sync := func(kind string) string {
		t.Helper()
		r := c.with("token-of-everything", "POST", "/v1/flows/products/runs", `{"kind":"`+kind+`"}`)
		if r.status != http.StatusAccepted {
			t.Fatalf("%+v", r)
		}
		return r.header.Get("Location")
	}
	tell() // the first full sync is due anyway
	want()
	if got := queued(t, h, "products"); got != "pa" {
		t.Errorf("in the queue: %s", got)
	}

	c.until(sync("full"))
	want("finished")
	if run := c.until(sync("delta")); run.Kind != "delta" {
		t.Errorf("%+v", run)
	}
	tell()
	tell()
	want("interrupted", "finished")
	if run := c.until(sync("delta")); run.Kind != "full" || run.Counts.Read != 3 {
		t.Errorf("%+v", run)
	}
	want("finished", "failed", "finished") // what was due is closed as replaced

	reached, open := held(pim, "Scan")
	under := sync("full")
	<-reached
	tell() // the page in flight may be older than what was lost
	want("interrupted", "running", "finished", "failed", "finished")
	open()
	c.until(under)
	pim.SetHook(nil)
	if run := c.until(sync("delta")); run.Kind != "full" || run.Counts.Read != 3 {
		t.Errorf("%+v", run)
	}
	if run := c.until(sync("delta")); run.Kind != "delta" {
		t.Errorf("it is due for ever: %+v", run)
	}
}

// A notice that means more than can be found in time makes a full sync due, or its sender would try for ever.
func TestNoticesWithoutEnd(t *testing.T) {
	p, pim, shop := inMemory(t, 3)
	p.conns = []lockstep.Connector{tellers{memory.Systems{"pim": pim, "shop": shop}, &atomic.Bool{}}}
	h := p.open(p.must(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products")))
	c := outsideOf(t, h, api.Bounds{Answer: 50 * time.Millisecond})
	ask(t, h, Request{Do: DoSync, Flows: []string{"products"}})
	if r := c.hook("products", "endless", time.Now(), secret); r.status != http.StatusAccepted {
		t.Fatalf("%+v", r)
	}
	if got := queued(t, h, "products"); got != "pb" {
		t.Errorf("what was named: %s", got)
	}
	if got := fullRuns(t, h); !slices.Equal(got, []string{"interrupted", "finished"}) {
		t.Errorf("%s", got)
	}
}
