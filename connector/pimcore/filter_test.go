package pimcore

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

func TestFilters(t *testing.T) {
	after := behind([]string{"17", "5"})
	for name, c := range map[string]struct {
		what      condition
		now, then string
	}{
		"nothing":        {allOf(), "", ""},
		"nested nothing": {allOf(oneOf(), allOf()), "", ""},
		"equal":          {compare("sku", equal, `a"b`), `{"sku":"a\"b"}`, `{"sku":"a\"b"}`},
		"one of one":     {oneOf(compare("id", greater, "7")), `{"id":{"$gt":"7"}}`, `{"o_id":{"$gt":"7"}}`},
		"not null":       {compare("manufacturer__id", notNull, ""), `{"manufacturer__id":{"$not":null}}`, `{"manufacturer__id":{"$not":null}}`},
		"both":           {allOf(compare("type", equal, "object"), compare("path", like, "/A/%")), `[{"type":"object"},{"path":{"$like":"/A/%"}}]`, `[{"o_type":"object"},{"o_path":{"$like":"/A/%"}}]`},
		"behind": {after, `{"$or":[{"modificationDate":{"$gt":"17"}},{"$and":[{"modificationDate":"17"},{"id":{"$gt":"5"}}]}]}`,
			`{"$or":[{"o_modificationDate":{"$gt":"17"}},{"$and":[{"o_modificationDate":"17"},{"o_id":{"$gt":"5"}}]}]}`},
		"behind, of objects": {allOf(compare("type", equal, "object"), after), `[{"type":"object"},{"$or":[{"modificationDate":{"$gt":"17"}},{"$and":[{"modificationDate":"17"},{"id":{"$gt":"5"}}]}]}]`, ""},
	} {
		if got := (modern{}).filter(c.what); got != c.now {
			t.Errorf("%s: %s", name, got)
		}
		if got := (prefixed{}).filter(c.what); c.then != "" && got != c.then {
			t.Errorf("%s, Pimcore 10: %s", name, got)
		}
	}
}

// Where there is nothing to filter by there is no argument: an empty filter is an error of Pimcore's.
func TestNoFilterIsNoArgument(t *testing.T) {
	p := &plan{class: &class{name: "Product", conf: plainClass}, dialect: modern{}, ask: "{id}"}
	d := p.document("x", listing{order: []string{"id"}, first: 1})
	if strings.Contains(d.query, "filter") || len(d.vars) != 1 || !strings.Contains(d.query, "published:false") || !strings.Contains(d.query, `sortBy:["id"]`) {
		t.Errorf("%s %v", d.query, d.vars)
	}
}

func TestPimcore10And11AreTold(t *testing.T) {
	for _, version := range []int{10, 11, 12} {
		st := newStand(t, sandbox.Options{Version: version, Products: 9})
		if got := st.scan(products("sku"), 4); len(got) != len(st.srv.IDs("Product")) {
			t.Errorf("Pimcore %d: %d objects", version, len(got))
		}
		from := st.now(products("sku"))
		id := st.srv.IDs("Product")[2]
		st.do(st.srv.Save(id, map[string]any{"stock": int64(3)}))
		if got, _ := st.changes(products("sku"), from); len(got) != 1 {
			t.Errorf("Pimcore %d: %d changes", version, len(got))
		}
		named := map[int]string{10: "10", 11: "11", 12: "12"}[version]
		sys := st.open("version", named)
		if _, err := sys.Scan(t.Context(), products("sku"), nil, lockstep.Limit{Rows: 2}); err != nil {
			t.Errorf("version %s: %v", named, err)
		}
		wrong := map[int]string{10: "11", 11: "10", 12: "10"}[version]
		if _, err := st.open("version", wrong).Scan(t.Context(), products("sku"), nil, lockstep.Limit{Rows: 2}); lockstep.FaultOf(err) == nil {
			t.Errorf("version %s of a Pimcore %d is taken", wrong, version)
		}
	}
}
