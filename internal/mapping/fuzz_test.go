package mapping_test

import (
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// FuzzExpression: whatever is written, compiling gives a mapping or faults, and running a result or a fault.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{`round(price * 1.22, 2)`, `attrs?.sizes[0].s ?? "x"`, `map(tags, {let u = upper(#); u + u})`, `reduce(1..9, #acc * #, 1)`, `sortBy(attrs.sizes, .n, "desc")[0:1]`, `{a: 1, "b": [nil, true]}.a`,
		`format(add(created, -3, "months"), "YYYY-MM-DD HH:mm:ss.SSS Z")`, `lookup("colors", sku, 1) in [1, 2.5]`, `link("categories", id, sku)`, `name[-3:] | padLeft(12, "ab") | slug()`, `-9223372036854775808 / 0.1 ** 3`,
		`if published { qty % 0 } else { weight ^ 9 }`, `groupBy(tags, len(#))`, `unique(flatten([tags, [[price]]]))`, `json(toJson(attrs)).color`, `price..qty`, `"\xff"`, `#acc`, `a?.[0]?.b`, `not (1 < 2 < 3)`} {
		f.Add(s, false)
		f.Add(s, true)
	}
	null := lockstep.Record{Key: "7", Fields: value.F("id", nil, "attrs", nil)}
	f.Fuzz(func(t *testing.T, expr string, empty bool) {
		rec := record()
		if empty {
			rec = null
		}
		v, err := eval(expr, rec)
		if err != nil {
			if len(faults(err)) == 0 {
				t.Fatalf("%q: an error that is no fault: %v", expr, err)
			}
			for _, fault := range faults(err) {
				if fault.Code == lockstep.CodeMapping && containsInternal(fault.Error()) {
					t.Fatalf("%q: %v", expr, fault)
				}
			}
			return
		}
		again, err := eval(expr, rec)
		if err != nil || string(value.AppendTagged(nil, value.F("v", v))) != string(value.AppendTagged(nil, value.F("v", again))) {
			t.Fatalf("%q is not pure: %v, %v, %v", expr, v, again, err)
		}
	})
}

// FuzzPath: a path that is read is written and read again as the same.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a.b[0].c", `["a.b"].c`, `a[k=v].x`, `a["\u00e9"]`, "..", "[", `a[""]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := mapping.ParsePath(s)
		if err != nil {
			return
		}
		q, err := mapping.ParsePath(p.String())
		if err != nil || q.String() != p.String() || len(q) != len(p) {
			t.Fatalf("%q: %s, then %s: %v", s, p, q, err)
		}
	})
}

// FuzzFixtures: no file of fixtures panics.
func FuzzFixtures(f *testing.F) {
	f.Add(fixturesYAML, false)
	f.Add(`{"input": {}, "filtered": true}`, true)
	f.Fuzz(func(t *testing.T, s string, lines bool) {
		name := "a.yaml"
		if lines {
			name = "a.jsonl"
		}
		_, _ = mapping.ParseFixtures(name, []byte(s))
	})
}
