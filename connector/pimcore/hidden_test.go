package pimcore

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// related makes a product with three categories and a manufacturer, of which ends are unpublished.
func related(t *testing.T, policy string) (st *stand, whole, part, none, empty int, hide func()) {
	st = newStand(t, sandbox.Options{Products: 6})
	if policy != "" {
		st.sys = st.open("classes", classSet("relations", policy, "fields", map[string]string{"codes": "categories[].code", "maker": "manufacturer.name"}))
	}
	ids, cats, makers := st.srv.IDs("Product"), st.srv.IDs("Category"), st.srv.IDs("Manufacturer")
	whole, part, none, empty = ids[0], ids[1], ids[4], ids[5]
	st.do(st.srv.Save(whole, map[string]any{"categories": sandbox.Refs(cats[0], cats[1]), "manufacturer": sandbox.Ref{ID: makers[0]}}))
	st.do(st.srv.Save(part, map[string]any{"categories": sandbox.Refs(cats[0], cats[2], cats[1]), "manufacturer": sandbox.Ref{ID: makers[0]}}))
	st.do(st.srv.Save(none, map[string]any{"categories": sandbox.Refs(cats[2]), "manufacturer": sandbox.Ref{ID: makers[1]}}))
	st.do(st.srv.Save(empty, map[string]any{"categories": sandbox.Refs(), "manufacturer": nil}))
	return st, whole, part, none, empty, func() {
		st.do(st.srv.Unpublish(cats[2]))
		st.do(st.srv.Unpublish(makers[1]))
	}
}

// A relation that reads empty, or shorter than it is, because its end is unpublished is not cleared: its fields are
// left out of the record.
func TestAVanishedRelationIsKept(t *testing.T) {
	st, whole, part, none, empty, hide := related(t, keepHidden)
	r := products("sku", "categories", "codes", "maker", "stock")
	for _, rec := range st.fetch(r, whole, part, none, empty) {
		if rec.Fields.Len() != 5 {
			t.Errorf("nothing hides yet: %v", rec.Fields)
		}
	}
	hide()
	check := func(rec lockstep.Record, categories, maker string) {
		t.Helper()
		if text(rec.Fields, "codes") == "absent" != (categories == "absent") || (text(rec.Fields, "categories") == "absent") != (categories == "absent") ||
			(text(rec.Fields, "maker") == "absent") != (maker == "absent") || text(rec.Fields, "stock") == "absent" {
			t.Errorf("%s: %v", rec.Key, rec.Fields)
		}
	}
	for how, got := range map[string]map[lockstep.Key]lockstep.Record{"fetch": st.fetch(r, whole, part, none, empty), "scan": records(st.scan(r, 3)), "changes": records(first(st.changes(r, ago(time.Hour))))} {
		t.Log(how)
		check(got[key(whole)], "there", "there")
		check(got[key(part)], "absent", "there")
		check(got[key(none)], "absent", "absent")
		check(got[key(empty)], "there", "there")
		if text(got[key(empty)].Fields, "categories") != "[]" || text(got[key(empty)].Fields, "maker") != "null" {
			t.Errorf("what is empty is empty: %v", got[key(empty)].Fields)
		}
	}
}

func TestAVanishedRelationParks(t *testing.T) {
	st, whole, part, none, empty, hide := related(t, parkHidden)
	hide()
	r := products("sku", "codes", "maker")
	got := st.scan(r, 4)
	for id, parked := range map[int]bool{whole: false, part: true, none: true, empty: false} {
		c := got[key(id)]
		if (c.Fault != nil) != parked || parked && (c.Fault.Code != lockstep.CodeHidden || c.Fault.About.Key != key(id)) {
			t.Errorf("%d: %v", id, c.Fault)
		}
	}
	if _, err := st.sys.Fetch(t.Context(), r, []lockstep.Key{key(none)}); lockstep.FaultOf(err).Code != lockstep.CodeHidden {
		t.Errorf("fetch: %v", err)
	}
	if got := st.fetch(products("sku"), none); len(got) != 1 {
		t.Errorf("a read without the relation: %v", got)
	}
}

func TestAVanishedRelationClearsWhereTheSettingsSay(t *testing.T) {
	st, _, part, none, _, hide := related(t, clearHidden)
	hide()
	st.fetch(products("codes", "maker"), part)
	before := st.srv.Requests()
	got := st.fetch(products("codes", "maker"), part, none)
	if text(got[key(none)].Fields, "codes") != "[]" || text(got[key(none)].Fields, "maker") != "null" {
		t.Errorf("%v", got)
	}
	if n := st.srv.Requests() - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// The look behind relations must be whole, too: half an answer to it would let through what hides.
func TestHalfALookBehindRelationsIsNone(t *testing.T) {
	st, _, part, none, _, hide := related(t, keepHidden)
	hide()
	r := products("codes")
	st.fetch(r, part)
	p, err := st.sys.plan(t.Context(), r)
	st.do(err)
	st.do(st.srv.Save(part, map[string]any{"categories": sandbox.Refs(st.srv.IDs("Category")[2])})) // both read empty
	got, err := st.sys.list(t.Context(), p, "test", listing{ids: []string{string(key(part)), string(key(none))}})
	st.do(err)
	st.srv.FailNext(sandbox.FaultHalf, 1)
	if err := st.sys.unhide(t.Context(), p, got.rows); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeServer {
		t.Errorf("%v", err)
	}
}

// An end outside the endpoint's workspaces hides, too.
func TestAnEndThatIsNotPermittedHides(t *testing.T) {
	st, whole, _, _, _, _ := related(t, "")
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/Products", Read: true}, {Path: "/", Assets: true, Read: true}})
	got := st.fetch(products("categories", "manufacturer", "sku"), whole)[key(whole)]
	if text(got.Fields, "categories") != "absent" || text(got.Fields, "manufacturer") != "absent" || text(got.Fields, "sku") == "absent" {
		t.Errorf("%v", got.Fields)
	}
}

func records(changes map[lockstep.Key]lockstep.Change) map[lockstep.Key]lockstep.Record {
	out := map[lockstep.Key]lockstep.Record{}
	for k, c := range changes {
		out[k] = c.Record
	}
	return out
}

func first[A, B any](a A, _ B) A { return a }

// ago is a position of some time ago.
func ago(d time.Duration) lockstep.Position {
	return lockstep.Position(`{"clock":"` + time.Now().Add(-d).UTC().Format(time.RFC3339) + `"}`)
}
