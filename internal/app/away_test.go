package app

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

const awayYAML = `
systems:
  pim:  {type: memory, name: pim}
  erp:  {type: memory, name: erp}
  shop: {type: memory, name: shop}
  crm:  {type: memory, name: crm}
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved, every: 100ms}}
    to:   {system: shop, stream: products}
    map: {sku: sku, name: name}
  orders:
    from: {system: erp, stream: orders, track: {by: snapshot, every: 1h}}
    to:   {system: shop, stream: orders}
`

// threeSystems are a place with a catalogue, an ERP that is away until back is set, and a shop.
func threeSystems(t *testing.T) (p *place, shop, erp *memory.System, back *atomic.Bool) {
	t.Helper()
	p, pim, shop := inMemory(t, 2)
	erp, back = memory.New(), new(atomic.Bool)
	fields := []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "total", Type: value.Type{Kind: value.IntType}}}
	for _, sys := range []*memory.System{erp, shop} {
		sys.DefineStream(lockstep.Stream{Name: "orders", Key: []string{"id"}, Fields: fields})
	}
	erp.Put("orders", value.F("id", 1, "total", 5))
	erp.SetHook(func(c memory.Call) error {
		if c.Name == "Streams" && !c.After && !back.Load() {
			return lockstep.Faultf(lockstep.CodeUnavailable, "not at home")
		}
		return nil
	})
	p.conns = []lockstep.Connector{memory.Systems{"pim": pim, "shop": shop, "erp": erp, "crm": erp}}
	return p, shop, erp, back
}

// TestOneSystemAway leaves out the flows of a system that is away, and carries the others.
func TestOneSystemAway(t *testing.T) {
	p, shop, _, back := threeSystems(t)
	h := p.open(p.must(awayYAML))
	events, err := try(t.Context(), h, Request{Do: DoSync})
	if code(err) != lockstep.CodeUnavailable || !strings.Contains(err.Error(), "system erp") {
		t.Errorf("a sync with one system away: %v", err)
	}
	if len(events) != 1 || events[0].Run.Flow != "products" || shop.Len("products") != 2 {
		t.Errorf("the other flow: %+v", events)
	}
	ask(t, h, Request{Do: DoSync, Flows: []string{"products"}})
	ask(t, h, Request{Do: DoVerify, Flows: []string{"products"}})
	if _, err := try(t.Context(), h, Request{Do: DoPlan, Flows: []string{"orders"}}); code(err) != lockstep.CodeUnavailable {
		t.Errorf("a plan of a flow whose system is away: %v", err)
	}
	if got := ask(t, h, Request{Do: DoStatus}); len(got) != 2 {
		t.Errorf("status: %+v", got)
	}
	var found []string
	for _, e := range ask(t, h, Request{Do: DoDoctor}) {
		found = append(found, e.Finding.System+" "+e.Finding.Level)
	}
	if text := strings.Join(found[:3], ", "); text != "pim ok, erp error, shop ok" {
		t.Errorf("doctor finds %s", text)
	}
	back.Store(true)
	ask(t, h, Request{Do: DoSync})
	if shop.Len("orders") != 1 {
		t.Error("the flow of a system that came back was not carried")
	}
}

// TestSharedFeed: the checkpoint of a feed must not move past a flow that cannot be carried (law 1).
func TestSharedFeed(t *testing.T) {
	p, shop, erp, back := threeSystems(t)
	erp.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: []lockstep.Field{{Name: "sku"}, {Name: "cost"}}})
	h := p.open(p.must(awayYAML + `  costs:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved}}
    to:   {system: crm, stream: products}
    map: {sku: sku, cost: cost}
`))
	_, err := try(t.Context(), h, Request{Do: DoSync, Flows: []string{"products"}})
	if code(err) != lockstep.CodeUnavailable || !strings.Contains(err.Error(), "shares the feed pim/products/timestamp:moved") {
		t.Errorf("a flow that shares its feed with one that cannot be carried: %v", err)
	}
	back.Store(true)
	ask(t, h, Request{Do: DoSync})
	if shop.Len("products") != 2 || erp.Len("products") != 2 {
		t.Errorf("%d and %d products", shop.Len("products"), erp.Len("products"))
	}
}

// TestDaemonTakesUp carries what it can, and takes up a flow when its system answers.
func TestDaemonTakesUp(t *testing.T) {
	p, shop, _, back := threeSystems(t)
	h := p.open(p.must(awayYAML))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	until(t, "the flow whose systems answer is carried", func() bool { return shop.Len("products") == 2 })
	back.Store(true)
	until(t, "the flow whose system was away is taken up", func() bool { return shop.Len("orders") == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if !strings.Contains(p.logged.String(), `"system":"erp","flows":"[orders]"`) {
		t.Errorf("nothing says what is away: %s", p.logged.String())
	}
}
