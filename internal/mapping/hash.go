package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// sum hashes all that makes the mapping what it is: the rules after identity, the filter, the maps, the script, the
// types read.
func (m *Mapping) sum(s Spec) string {
	rules := make([]Rule, len(m.rules))
	for i, r := range m.rules {
		rules[i] = r.Rule
	}
	h := sha256.New()
	put(h, "mapping 1", s.Flow)
	s.put(h, rules)
	for _, name := range m.reads {
		put(h, "read", name, s.Source.Field(name).Type.Kind.String())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Written hashes a mapping as it stands in the configuration: what can be told of it without the systems.
func (s Spec) Written() string {
	h := sha256.New()
	put(h, "written 1", s.Flow, fmt.Sprint(s.Identity))
	s.put(h, s.Fields)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (s Spec) put(h hash.Hash, rules []Rule) {
	for _, r := range rules {
		constant := ""
		if r.HasConst {
			constant = r.Const.Kind().String() + string(value.AppendJSON(nil, r.Const))
		}
		put(h, "field", r.Name, strings.TrimSpace(r.Expr), constant, r.Null.String())
	}
	if s.Filter != nil {
		put(h, "where", s.Filter.Expr)
	}
	for _, r := range s.Built {
		put(h, "built", r.Name, strings.TrimSpace(r.Expr))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Maps)) {
		put(h, "map", name)
		for _, key := range slices.Sorted(maps.Keys(s.Maps[name])) {
			put(h, key, string(value.AppendJSON(nil, s.Maps[name][key])))
		}
	}
	if s.Script != nil {
		put(h, "script", s.Script.Text)
	}
}

func put(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	fmt.Fprintln(h)
}
