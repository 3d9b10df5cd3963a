package config

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add(minimal("", "", ""))
	f.Add("x-a: &a [*a]\nsystems: *a\nflows: {<<: *a}\n")
	f.Add("systems: {a: {type: database, dsn: file:/dev/zero}}\nflows: {a: {values: {x: {csv: /dev/zero, key: a, value: b}}}}")
	f.Add("a: \"b\n\t- |\r\n  ? {[x]: !!binary y, *z : ${A:-${B}} }\u2028...\n---")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f.yaml", []byte(text), connectors(), testEnv)
		if (c == nil) == (err == nil) {
			t.Fatalf("neither a configuration nor an error, or both: %v", err)
		}
		if err != nil {
			all, ok := errors.AsType[*Errors](err)
			if !ok || len(all.Problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			for _, p := range all.Problems {
				if p.Message == "" || !utf8.ValidString(p.String()) || len(p.Source) > 8*maxLine || p.Caret < 0 {
					t.Fatalf("%+v", p)
				}
			}
			if strings.Contains(err.Error(), "topsecretvalue") && !strings.Contains(text, "topsecretvalue") {
				t.Fatalf("an error shows what a variable holds: %v", err)
			}
			return
		}
		for _, flow := range c.Flows {
			for _, r := range flow.Map {
				if r.Expr != nil && r.Expr.At(1, 1).Line < 1 {
					t.Fatalf("the expression %+v is nowhere", r.Expr)
				}
			}
		}
	})
}
