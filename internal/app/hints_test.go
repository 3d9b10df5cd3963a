package app

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/value"
)

// A flow whose only net is a look at everything once an hour lives by its notices meanwhile; and a notice of what is not
// there leaves a story that says so.
func TestNoticesBesideASnapshot(t *testing.T) {
	p, pim, shop := inMemory(t, 3)
	shop.DefineStream(lockstep.Stream{Name: "others", Key: []string{"sku"}, Fields: []lockstep.Field{
		{Name: "sku", Type: value.Type{Kind: value.TextType}}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}}, memory.Rules{})
	h := p.open(p.must(strings.Replace(outsideYAML, "stream: others}\n", "stream: others}\n    hook: {secrets: [the secret of the hook]}\n", 1)))
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	until := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			if time.Sleep(10 * time.Millisecond); ctx.Err() != nil {
				t.Fatal(what)
			}
		}
	}
	until("no first full sync", func() bool {
		s := ask(t, h, Request{Do: DoStatus, Flows: []string{"others"}})[0].Status
		return s.LastFull != nil && s.LastFull.State == "finished"
	})
	pim.Put("products", value.F("sku", "told", "name", "told"))
	pim.Put("products", value.F("sku", "not told", "name", "not told"))
	c := outsideOf(t, h, api.Bounds{})
	if r := c.hook("others", `{"keys":["told","never there"]}`, time.Now(), secret); r.status != http.StatusAccepted {
		t.Fatalf("%+v", r)
	}
	until("the notice was not heeded", func() bool {
		_, there := shop.Get("others", "told")
		return there && queued(t, h, "others") == ""
	})
	if _, there := shop.Get("others", "not told"); there {
		t.Error("something else has brought it")
	}
	story := ask(t, h, Request{Do: DoExplain, Flows: []string{"others"}, Keys: []lockstep.Key{"never there"}})[0].Story
	if len(story.Steps) == 0 || story.Steps[0].Did != "hinted" || !strings.Contains(story.Why, "the source has no such record") {
		t.Errorf("%s, %+v", story.Why, story.Steps)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
