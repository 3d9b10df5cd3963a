package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Fixture is one example of what a mapping must do: `lockstep test` runs them. docs/mapping.md describes the files.
type Fixture struct {
	Name     string
	Flow     string
	Pos      Pos
	Input    value.Fields
	Links    map[string]map[string]string // what link() finds: by flow, source key to target key
	Expect   *value.Fields                // the target's fields, all of them
	Contains *value.Fields                // or some of them
	Error    string                       // or a fault: its code, or a part of its message
	Filtered bool                         // or that the filter leaves the record out
}

// fixtureKeys are the members of a fixture.
var fixtureKeys = []string{"name", "flow", "input", "links", "expect", "contains", "error", "filtered"}

// ParseFixtures reads a file of fixtures: JSON Lines where its name ends in .jsonl or .ndjson, else YAML (one list,
// or one fixture for each document). All mistakes are reported at once, with their places.
func ParseFixtures(file string, data []byte) ([]Fixture, error) {
	switch path.Ext(file) {
	case ".jsonl", ".ndjson":
		return jsonFixtures(file, data)
	}
	return yamlFixtures(file, data)
}

func misread(pos Pos, format string, args ...any) error {
	return lockstep.Faultf(lockstep.CodeFormat, "%s%s", position(pos), fmt.Sprintf(format, args...))
}

func jsonFixtures(file string, data []byte) ([]Fixture, error) {
	var out []Fixture
	var errs []error
	line := 0
	for text := range strings.SplitSeq(string(data), "\n") {
		line++
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		pos := Pos{file, line, 1}
		v, err := value.ParseJSON(text)
		if err != nil || v.Kind() != value.KindObject {
			errs = append(errs, misread(pos, "a fixture is a JSON object on one line: %v", err))
			continue
		}
		f, err := newFixture(pos, v.Object(), func(string) Pos { return pos })
		out, errs = append(out, f), append(errs, err)
	}
	return out, errors.Join(errs...)
}

func yamlFixtures(file string, data []byte) ([]Fixture, error) {
	var out []Fixture
	var errs []error
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); err != nil {
			if !errors.Is(err, io.EOF) {
				errs = append(errs, misread(Pos{File: file}, "%v", err))
			}
			return out, errors.Join(errs...)
		}
		if len(doc.Content) == 0 {
			continue
		}
		nodes := []*yaml.Node{doc.Content[0]}
		if nodes[0].Kind == yaml.SequenceNode {
			nodes = nodes[0].Content
		}
		for _, n := range nodes {
			f, err := yamlFixture(file, n)
			out, errs = append(out, f), append(errs, err)
		}
	}
}

func yamlFixture(file string, n *yaml.Node) (Fixture, error) {
	pos := Pos{file, n.Line, n.Column}
	r := yamlReader{file: file, left: 100_000}
	v, err := r.value(n, 0)
	if err != nil {
		return Fixture{}, err
	}
	if v.Kind() != value.KindObject {
		return Fixture{}, misread(pos, "a fixture has members: %s", strings.Join(fixtureKeys, ", "))
	}
	return newFixture(pos, v.Object(), func(name string) Pos {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return Pos{file, n.Content[i].Line, n.Content[i].Column}
			}
		}
		return pos
	})
}

// newFixture checks the members. at says where one stands.
func newFixture(pos Pos, members value.Fields, at func(name string) Pos) (Fixture, error) {
	f := Fixture{Pos: pos}
	var errs []error
	wrong := func(name, format string, args ...any) { errs = append(errs, misread(at(name), format, args...)) }
	ends := 0
	for name, v := range members.All() {
		switch name {
		case "expect", "contains", "error", "filtered":
			ends++
		}
		k := v.Kind()
		switch {
		case !slices.Contains(fixtureKeys, name):
			wrong(name, "a fixture has no %q%s", name, hint(name, fixtureKeys))
		case name == "name" && k == value.KindText:
			f.Name = v.Text()
		case name == "flow" && k == value.KindText:
			f.Flow = v.Text()
		case name == "error" && k == value.KindText && v.Text() != "":
			f.Error = v.Text()
		case name == "filtered" && k == value.KindBool && v.Bool():
			f.Filtered = true
		case name == "input" && k == value.KindObject:
			f.Input = v.Object()
		case name == "expect" && k == value.KindObject:
			fields := v.Object()
			f.Expect = &fields
		case name == "contains" && k == value.KindObject:
			fields := v.Object()
			f.Contains = &fields
		case name == "links" && k == value.KindObject:
			f.Links = linksOf(v.Object(), func(format string, args ...any) { wrong("links", format, args...) })
		default:
			wrong(name, "%s cannot be %s", name, a(v))
		}
	}
	if _, ok := members.Get("input"); !ok {
		wrong("", "a fixture needs an input")
	}
	if ends != 1 {
		wrong("", "a fixture has one of expect, contains, error and filtered")
	}
	return f, errors.Join(errs...)
}

func linksOf(flows value.Fields, wrong func(string, ...any)) map[string]map[string]string {
	out := map[string]map[string]string{}
	for flow, keys := range flows.All() {
		if keys.Kind() != value.KindObject {
			wrong("links are keys by flow: {categories: {12: c-12}}")
			continue
		}
		out[flow] = map[string]string{}
		for key, to := range keys.Object().All() {
			out[flow][key] = (&Worker{}).textOf(to)
		}
	}
	return out
}

// yamlReader turns YAML into values: numbers exactly, everything that is not a plain number, truth or null as text.
type yamlReader struct {
	file string
	left int // nodes, against aliases that multiply
}

func (r *yamlReader) value(n *yaml.Node, depth int) (value.Value, error) {
	pos := Pos{r.file, n.Line, n.Column}
	if r.left--; r.left < 0 || depth > value.MaxDepth {
		return value.Null, misread(pos, "too much for one fixture")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		items := make([]value.Value, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := r.value(c, depth+1)
			if err != nil {
				return value.Null, err
			}
			items = append(items, v)
		}
		return value.List(items...), nil
	case yaml.MappingNode:
		b := newObject(len(n.Content) / 2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, doubled := b.index[key.Value]; doubled || key.Kind != yaml.ScalarNode {
				return value.Null, misread(Pos{r.file, key.Line, key.Column}, "a name stands here twice, or is none: %q", key.Value)
			}
			v, err := r.value(n.Content[i+1], depth+1)
			if err != nil {
				return value.Null, err
			}
			b.set(key.Value, v)
		}
		return b.value(), nil
	case yaml.ScalarNode:
		return scalar(n), nil
	}
	return value.Null, misread(pos, "this cannot stand here")
}

func scalar(n *yaml.Node) value.Value {
	switch n.ShortTag() {
	case "!!null":
		return value.Null
	case "!!bool":
		return value.Bool(strings.EqualFold(n.Value, "true"))
	case "!!int", "!!float":
		if d, err := value.ParseDecimal(strings.ReplaceAll(n.Value, "_", "")); err == nil {
			return whole(d, d.Scale() == 0)
		}
	}
	return value.Text(n.Value)
}
