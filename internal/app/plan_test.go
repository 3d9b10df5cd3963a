package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func TestPlanAndApply(t *testing.T) {
	p, pim, shop := inMemory(t, 3)
	h := p.open(p.must(memoryYAML))
	ask(t, h, Request{Do: DoSync})
	pim.Edit("products", "pa", "name", "Another")
	pim.Put("products", value.F("sku", "new", "name", "New"))
	pim.Delete("products", "pb")
	file := filepath.Join(p.dir, "plan.jsonl")
	actions := map[lockstep.Key]string{}
	for _, e := range ask(t, h, Request{Do: DoPlan, PlanFile: file}) {
		if e.Event == PlanItemEvent {
			actions[e.PlanItem.Key] = e.PlanItem.Action
			if e.PlanItem.Key == "pa" && (len(e.PlanItem.Fields) != 1 || string(e.PlanItem.Fields[0].Ours) != `"Another"` || string(e.PlanItem.Fields[0].Theirs) != `"Product"`) {
				t.Errorf("the fields of an update: %+v", e.PlanItem.Fields)
			}
		}
	}
	if len(actions) != 3 || actions["pa"] != "update" || actions["new"] != "create" || actions["pb"] != "delete" {
		t.Errorf("the plan is %v", actions)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the plan file: %v, %v", info, err)
	}
	if shop.Len("products") != 3 || nameOf(shop, "pa") != "Product" {
		t.Error("a plan changed the target")
	}
	row := ask(t, h, Request{Do: DoApply, PlanFile: file})[0].Run
	if row.Kind != "apply" || row.Counts.Created != 1 || row.Counts.Updated != 1 || row.Counts.Deleted != 1 {
		t.Errorf("apply: %+v", row)
	}
	if shop.Len("products") != 3 || nameOf(shop, "pa") != "Another" || nameOf(shop, "new") != "New" {
		t.Errorf("the shop has %v", shop.All("products"))
	}
	if _, err := try(t.Context(), h, Request{Do: DoApply, PlanFile: file}); code(err) != lockstep.CodeStalePlan {
		t.Errorf("the same plan again: %v", err)
	}
}

func TestPlanFiles(t *testing.T) {
	p, _, _ := inMemory(t, 1)
	h := p.open(p.must(memoryYAML))
	for text, want := range map[string]lockstep.Code{
		"":                                       lockstep.CodeFormat,
		"{":                                      lockstep.CodeFormat,
		`{"plan":{"version":2}}`:                 lockstep.CodeFormat,
		`{"plan":{"version":1,"flow":"nobody"}}`: lockstep.CodeNoFlow,
		`{"plan":{"version":1,"flow":"products","mapping":""}}`: lockstep.CodeStalePlan,
	} {
		file := filepath.Join(p.dir, "plan")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := try(t.Context(), h, Request{Do: DoApply, PlanFile: file}); code(err) != want {
			t.Errorf("a plan of %q: %v, want %s", text, err, want)
		}
	}
	for _, file := range []string{"", "plan", filepath.Join(p.dir, "no", "plan")} {
		if _, err := try(t.Context(), h, Request{Do: DoApply, PlanFile: file}); err == nil {
			t.Errorf("apply of the plan file %q", file)
		}
	}
	if _, err := try(t.Context(), h, Request{Do: DoPlan, PlanFile: filepath.Join(p.dir, "no", "plan")}); code(err) != lockstep.CodeFile {
		t.Errorf("a plan into a folder that is not there: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(p.dir, ".plan-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPilotAndRepair(t *testing.T) {
	p, _, shop := inMemory(t, 5)
	h := p.open(p.must(memoryYAML))
	row := ask(t, h, Request{Do: DoSync, Sample: 2})[0].Run
	if row.Kind != "pilot" || row.Counts.Created != 2 || shop.Len("products") != 2 {
		t.Errorf("a pilot of 2: %+v", row)
	}
	ask(t, h, Request{Do: DoSync, Flows: []string{"products"}, Keys: []lockstep.Key{"pe"}})
	if shop.Len("products") != 3 {
		t.Errorf("a pilot of one key: %d in the shop", shop.Len("products"))
	}
	ask(t, h, Request{Do: DoSync})
	shop.Edit("products", "pa", "name", "Edited")
	shop.Delete("products", "pb")
	var what []string
	for _, e := range ask(t, h, Request{Do: DoVerify, Repair: true}) {
		if e.Event == DriftEvent {
			what = append(what, string(e.Drift.Key)+" "+e.Drift.What+" "+e.Drift.Done)
		}
	}
	if len(what) != 2 {
		t.Errorf("verify found %q", what)
	}
	ask(t, h, Request{Do: DoSync})
	if shop.Len("products") != 5 || nameOf(shop, "pa") != "Product" {
		t.Errorf("after the repair: %v", shop.All("products"))
	}
}

func TestDiscardAndQueue(t *testing.T) {
	p, pim, _ := inMemory(t, 1)
	pim.Put("products", value.F("sku", "bad1", "name", nil))
	pim.Put("products", value.F("sku", "bad2", "name", nil))
	h := p.open(p.must(memoryYAML))
	ask(t, h, Request{Do: DoSync})
	if got := ask(t, h, Request{Do: DoQueue}); len(got) != 2 {
		t.Errorf("the queue: %+v", got)
	}
	if got := ask(t, h, Request{Do: DoParked, Max: 1}); len(got) != 1 {
		t.Errorf("one parked entry: %+v", got)
	}
	text := ask(t, h, Request{Do: DoDiscard, Flows: []string{"products"}, Keys: []lockstep.Key{"bad1"}, Reason: "a trial"})[0].Text
	if text != "1 discarded" {
		t.Error(text)
	}
	story := ask(t, h, Request{Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"bad1"}})[0].Story
	last := story.Steps[len(story.Steps)-1]
	if story.Entry != nil || !strings.Contains(last.Did+last.Note, "a trial") {
		t.Errorf("the story of a discarded record: %s, %+v", story.Why, last)
	}
	left := ask(t, h, Request{Do: DoParked})
	if len(left) != 1 || left[0].Entry.Key != "bad2" {
		t.Errorf("left: %+v", left)
	}
	if text := ask(t, h, Request{Do: DoRetry, IDs: []int64{left[0].Entry.ID}})[0].Text; !strings.HasPrefix(text, "1 made ready") {
		t.Error(text)
	}
}

// TestListenerFails ends a request whose listener cannot take any more.
func TestListenerFails(t *testing.T) {
	p, _, _ := inMemory(t, 3)
	h := p.open(p.must(memoryYAML))
	n := 0
	err := h.Do(t.Context(), Request{Do: DoSync}, func(Event) error {
		n++
		return os.ErrClosed
	})
	if err != os.ErrClosed || n != 1 {
		t.Errorf("%d events, then %v", n, err)
	}
}
