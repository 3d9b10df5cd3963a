package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func refersStream() lockstep.Stream {
	list := value.Type{Kind: value.JSONType}
	return lockstep.Stream{Name: "s", Key: []string{"id"}, Fields: []lockstep.Field{
		{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "parent", Type: value.Type{Kind: value.IntType}, Nullable: true},
		{Name: "related", Type: list, Nullable: true}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
	}}
}

func linksText(refs []lockstep.Reference) string {
	var out []string
	for _, r := range refs {
		out = append(out, fmt.Sprintf("%s/%s:%d", r.Flow, r.Key, r.Use))
	}
	return strings.Join(out, " ")
}

// TestLater: what is not there yet is left out, what is there goes, and what the record was made with is known.
func TestLater(t *testing.T) {
	ints := func(n ...any) []any { return n }
	for _, c := range []struct {
		expr, null   string
		give, refers string
		fails        string
	}{
		{expr: `later(link("p", 1))`, give: `{"x":"P1"}`, refers: "p/1:2"},
		{expr: `later(link("p", 9))`, give: `{}`, refers: "p/9:6"},
		{expr: `later(link("p", nil))`, give: `{"x":null}`},
		{expr: `map(related, later(link("p", #)))`, give: `{"x":["P1","P2"]}`, refers: "p/1:2 p/2:2 p/9:6"},
		{expr: `later(map(related, link("p", #)))`, give: `{"x":["P1","P2"]}`, refers: "p/1:2 p/2:2 p/9:6"},
		{expr: `map(related, ({sku: later(link("p", #)), qty: 1}))`, give: `{"x":[{"sku":"P1","qty":1},{"sku":"P2","qty":1}]}`, refers: "p/1:2 p/2:2 p/9:6"},
		{expr: `[later(link("p", 9)), later(link("p", 1))]`, give: `{"x":["P1"]}`, refers: "p/1:2 p/9:6"},
		{expr: `later(link("p", 9)) ?? "none"`, give: `{"x":"none"}`, refers: "p/9:6"},
		{expr: `coalesce(later(link("p", 9)), later(link("p", 2)))`, give: `{"x":"P2"}`, refers: "p/2:2 p/9:6"},
		{expr: `"a" + (later(link("p", 9)) ?? "b")`, give: `{"x":"ab"}`, refers: "p/9:6"},
		{expr: `link("p", 1) + (later(link("p", 9)) ?? "")`, give: `{"x":"P1"}`, refers: "p/1:2 p/9:6"},
		{expr: `[link("p", 9), later(link("p", 1))]`, fails: "LS-REFERENCE"},
	} {
		m, err := Compile(Spec{Flow: "f", Source: refersStream(), Fields: []Rule{{Name: "x", Expr: c.expr}}})
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		w := m.Worker()
		for range 2 { // nothing of one record is left for the next
			rec := lockstep.Record{Fields: value.F("id", 1, "parent", nil, "related", ints(1, 9, 2), "name", "n")}
			out, _, err := w.Map(rec, func(r lockstep.Ref) (lockstep.Key, bool) { return "P" + r.Key, r.Key != "9" })
			if c.fails != "" {
				if err == nil || string(lockstep.FaultOf(err).Code) != c.fails {
					t.Errorf("%s: %v", c.expr, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", c.expr, err)
				continue
			}
			if got := string(value.AppendFields(nil, out)); got != c.give {
				t.Errorf("%s gives %s, want %s", c.expr, got, c.give)
			}
			if got := linksText(w.References()); got != c.refers {
				t.Errorf("%s refers to %q, want %q", c.expr, got, c.refers)
			}
		}
		if c.refers != "" && strings.HasPrefix(c.expr, "later(link") && (len(m.Waits()) > 0 || len(m.Absent()) != 1) {
			t.Errorf("%s: waits for %v, may be absent %v", c.expr, m.Waits(), m.Absent())
		}
	}
}

// TestBuiltFrom: keys, lists of them, keys of several parts, and nothing for null.
func TestBuiltFrom(t *testing.T) {
	m, err := Compile(Spec{Flow: "f", Source: refersStream(), Identity: true, Built: []Rule{
		{Name: "f", Expr: "parent"}, {Name: "c", Expr: `map(related, #)`}, {Name: "two", Expr: `[[name, id], [nil, id]]`}}})
	if err != nil {
		t.Fatal(err)
	}
	w := m.Worker()
	out, keep, err := w.Map(lockstep.Record{Fields: value.F("id", 1, "parent", 7, "related", []any{3, 4, 3}, "name", "n")}, nil)
	if err != nil || !keep || out.Len() != 4 {
		t.Fatal(err, keep, out)
	}
	if got := linksText(w.References()); got != `c/3:1 c/4:1 f/7:1 two/["n","1"]:1` {
		t.Error(got)
	}
	if _, _, err = w.Map(lockstep.Record{Fields: value.F("id", 1, "parent", nil, "related", nil, "name", nil)}, nil); err != nil || len(w.References()) > 0 {
		t.Error(err, w.References())
	}
	if !m.Refers() || len(m.Built()) != 3 || len(m.Links()) != 0 {
		t.Error(m.Built(), m.Links())
	}
	m, err = Compile(Spec{Flow: "f", Source: refersStream(), Identity: true, Built: []Rule{{Name: "f", Expr: `{id: parent}`}}})
	if err == nil {
		_, _, err = m.Worker().Map(lockstep.Record{Fields: value.F("id", 1, "parent", 7)}, nil)
	}
	if err == nil || lockstep.FaultOf(err).Code != lockstep.CodeMapping || lockstep.FaultOf(err).About.Field != "built_from.f" {
		t.Error(err)
	}
}

// TestLaterIsRefused where nothing can come later.
func TestLaterIsRefused(t *testing.T) {
	target := lockstep.Stream{Name: "t", Key: []string{"k"}, Fields: []lockstep.Field{{Name: "k", Type: value.Type{Kind: value.TextType}}}}
	for name, s := range map[string]Spec{
		"a link() in it":    {Fields: []Rule{{Name: "k", Expr: "later(name)"}}},
		"cannot come later": {Target: &target, Fields: []Rule{{Name: "k", Expr: `later(link("p", id))`}}},
		"cannot have later": {Fields: []Rule{{Name: "k", Expr: "name"}}, Filter: &Rule{Expr: `later(link("p", id)) == "1"`}},
	} {
		s.Flow, s.Source = "f", refersStream()
		if _, err := Compile(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHashOfReferences: what is declared is part of the mapping, and a mapping without is as it was.
func TestHashOfReferences(t *testing.T) {
	s := Spec{Flow: "f", Source: refersStream(), Fields: []Rule{{Name: "x", Expr: "name"}}}
	before := s.Written()
	s.Built = []Rule{{Name: "c", Expr: "parent"}}
	if s.Written() == before {
		t.Error("built_from changes nothing")
	}
}
