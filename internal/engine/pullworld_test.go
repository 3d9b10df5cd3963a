package engine

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/api"
)

// apiSystem declares the products for a program that calls.
func apiSystem(t testing.TB, serverKeys bool) *api.System {
	t.Helper()
	sys, err := api.Connector.Open(context.Background(), lockstep.Settings{"streams": map[string]lockstep.Settings{
		"products": {"key": []string{"id"}, "fields": []string{"id int", "name text", "price decimal(12,2)"}, "server_keys": serverKeys},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*api.System)
}

// pullWorld is a world whose target pulls.
func pullWorld(t testing.TB, serverKeys bool) *world {
	w := newWorld(t)
	sys := apiSystem(t, serverKeys)
	streams, err := sys.Streams(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.adjust = func(f *Flow) { f.Target, f.To = sys, streams[0] }
	return w
}

// puller holds what it was told to hold, by the target's key.
type puller struct {
	t     testing.TB
	e     *Engine
	holds map[lockstep.Key]string
	made  int
	ids   map[string]int // how often each id came
}

func newPuller(t testing.TB, e *Engine) *puller {
	return &puller{t: t, e: e, holds: map[lockstep.Key]string{}, ids: map[string]int{}}
}

func (p *puller) pull(most int, ttl, wait time.Duration) Handed {
	p.t.Helper()
	h, err := p.e.Pull(context.Background(), "products", Ask{Max: most, TTL: ttl, Wait: wait})
	if err != nil {
		p.t.Fatalf("pull: %v", err)
	}
	for _, wr := range h.Writes {
		p.ids[wr.ID]++
	}
	return h
}

func (p *puller) settle(h Handed, results ...PullResult) PullSettled {
	p.t.Helper()
	s, err := p.e.SettlePull(context.Background(), "products", h.Lease, results)
	if err != nil {
		p.t.Fatalf("settle: %v", err)
	}
	return s
}

// take does what the records say.
func (p *puller) take(h Handed) (results []PullResult) {
	for _, wr := range h.Writes {
		r := PullResult{ID: wr.ID, Status: PullDone}
		switch _, there := p.holds[wr.Key]; {
		case wr.Op == lockstep.Delete && !there:
			r.Status = PullGone
		case wr.Op == lockstep.Delete:
			delete(p.holds, wr.Key)
		case wr.Key == "":
			p.made++
			r.Key = lockstep.Key(fmt.Sprint(1000 + p.made))
			p.holds[r.Key] = textOf(wr.Write)
		default:
			p.holds[wr.Key] = textOf(wr.Write)
		}
		results = append(results, r)
	}
	return results
}

func textOf(wr lockstep.Write) string {
	name, _ := wr.Fields.Get("name")
	price, _ := wr.Fields.Get("price")
	return name.String() + " " + price.String()
}

// all pulls and settles until there is nothing more.
func (p *puller) all() {
	p.t.Helper()
	for {
		h := p.pull(3, time.Minute, 2*time.Second)
		if len(h.Writes) == 0 {
			return
		}
		p.settle(h, p.take(h)...)
	}
}

func (p *puller) level(w *world) {
	p.t.Helper()
	want := map[lockstep.Key]string{}
	for key, fields := range w.a.All("products") {
		want[key] = textOf(lockstep.Write{Fields: fields})
	}
	if !maps.Equal(want, p.holds) {
		p.t.Errorf("the source holds %v, the target %v", want, p.holds)
	}
}
