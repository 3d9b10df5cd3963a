package app

import (
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// A flow can say how its writes go over, and is told where the target cannot do that.
func TestTransfer(t *testing.T) {
	fields := []lockstep.Field{{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}
	config := func(how string) string {
		return `systems:
  pim:  {type: memory, name: pim}
  shop: {type: memory, name: shop}
flows:
  products:
    from: {system: pim, stream: products, track: {by: snapshot}}
    to:   {system: shop, stream: products}
    map: {sku: sku, name: name}
    deliver: {transfer: ` + how + `}
`
	}
	for how, accepted := range map[string]int{"auto": 2, "bulk": 2, "single": 0} {
		p, pim, shop := inMemory(t, 2)
		shop.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: fields}, memory.Rules{Later: func(_, asked int) memory.Fate {
			if asked < 2 {
				return memory.NotYet
			}
			return memory.Do
		}})
		_ = pim
		h := p.open(p.must(config(how)))
		var run *Run
		for _, e := range ask(t, h, Request{Do: DoSync, Full: true}) {
			if e.Event == RunEvent {
				run = e.Run
			}
		}
		if run == nil || run.Counts.Created != 2 || int(run.Counts.Accepted) != accepted || shop.Accepted("products") != accepted {
			t.Errorf("%s: %+v, %d were accepted", how, run, shop.Accepted("products"))
		}
	}
	p, _, _ := inMemory(t, 0)
	same(t, problems(t, p.open(p.must(config("bulk"))).Connect(t.Context(), true)), []string{
		"9:25 flows.products.deliver.transfer LS-CANNOT products of shop takes no writes in bulk; leave it out, or say `auto`",
	})
}
