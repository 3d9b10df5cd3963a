package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// plain is what an editor makes of a node: YAML's own reading.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, plain(c))
		}
		return out
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := plain(n.Content[i+1]); n.Content[i].Tag != "!!merge" {
				out[n.Content[i].Value] = v
			} else if m, ok := v.(map[string]any); ok {
				for name, v := range m {
					if _, there := out[name]; !there {
						out[name] = v
					}
				}
			}
		}
		return out
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if _, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64); err == nil {
			return json.Number(strings.TrimLeft(strings.ReplaceAll(n.Value, "_", ""), "0") + map[bool]string{true: "0"}[strings.Trim(n.Value, "0_") == ""])
		}
	case "!!float":
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(connectors())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("lockstep.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("lockstep.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	var n yaml.Node
	if err := yaml.Load([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return s.Validate(plain(&n))
}

// What the decoder takes the schema takes, and what is wrong in form alone both refuse.
func TestSchemaAndDecoderAgree(t *testing.T) {
	s := compiled(t)
	good := []string{
		full, minimal("", "", ""),
		minimal("connections: '8'\ntls: \"true\"\nsearch: lone\nmode: ${MODE:-safe}\ntimeout: ${EVERY}", "match: [a, b]\nfull: {at_start: true}", "zone: UTC"),
		minimal("", "map: {a: b, c: 1, d: 1.5, e: true, f: null, g: {expr: x}, h: {const: [1]}, i: {const: null, null: skip}}", "x-any: [thing]"),
		minimal("", "values: {a: {x: 1}, b: {}}\nwindow: 06:00-23:00\nfull: {every: 1d12h}\nignore: [x]", "log: {}"),
	}
	for _, text := range good {
		if _, err := parse(t, text); err != nil {
			t.Errorf("the decoder refuses\n%s\n%v", text, err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", text, err)
		}
	}
	bad := []string{
		"systems: {}", "flows: {}", "systems: {a: {path: x}}\nflows: {}", "systems: {a: {type: nope}}\nflows: {}",
		"systems: {a b: {type: folder, path: x}}\nflows: {}",
		"systems: {a: {type: folder}}\nflows: {}", "systems: {a: {type: folder, path: x, more: y}}\nflows: {}",
		minimal("mode: z", "", ""), minimal("connections: x", "", ""), minimal("tls: maybe", "", ""), minimal("timeout: 5", "", ""),
		minimal("max_record: 5", "", ""), minimal("streams: {a: {where: b}}", "", ""), minimal("streams: {a: {key: b, c: d}}", "", ""),
		minimal("limits: {rows: 0}", "", ""), minimal("limits: {rate: 5}", "", ""), minimal("allow: x", "", ""),
		minimal("", "wndow: x", ""), minimal("", "map: {}", ""), minimal("", "map: {a: [b]}", ""), minimal("", "map: {a: {}}", ""),
		minimal("", "map: {a: {expr: b, const: c}}", ""), minimal("", "nulls: x", ""), minimal("", "full: {}", ""), minimal("", "full: {cron: x, every: 5s}", ""),
		minimal("", "full: {at_start: false}", ""), minimal("", "deliver: {batch: 0}", ""), minimal("", "deliver: {retry: {from: 5}}", ""),
		minimal("", "deletes: {max_share: 5}", ""), minimal("", "values: {a: {csv: b}}", ""), minimal("", "values: {a b: {}}", ""),
		minimal("", "tolerance: {a: b}", ""), minimal("", "priority: {create: 1}", ""), minimal("", "where: ''", ""),
		minimal("", "", "log: {level: x}"), minimal("", "", "pairs: {a b: {}}"), minimal("", "", "pairs: {p: {a: f}}"), minimal("", "", "peers: {}"), minimal("", "", "retention: 5"),
		strings.Replace(minimal("", "", ""), "by: snapshot", "by: timestamp", 1), strings.Replace(minimal("", "", ""), "by: snapshot", "by: snapshot, field: x", 1),
		strings.Replace(minimal("", "", ""), "stream: t", "stream: t, on_delete: disable", 1), strings.Replace(minimal("", "", ""), "stream: t", "stream: t, disable: {a: 1}", 1),
		strings.Replace(minimal("", "", ""), "stream: t", "stream: t, on_delete: disable, disable: {}", 1), strings.Replace(minimal("", "", ""), "stream: t", "stream: ''", 1),
	}
	for _, text := range bad {
		if _, err := parse(t, text); err == nil {
			t.Errorf("the decoder takes\n%s", text)
		}
		if err := validate(t, s, text); err == nil {
			t.Errorf("the schema takes\n%s", text)
		}
	}
}

// Every setting of the shapes is in the schema with its help, and every default is one that the decoder takes.
func TestEverySettingIsDescribed(t *testing.T) {
	var walk func(at string, d *doc)
	walk = func(at string, d *doc) {
		if d == nil {
			return
		}
		for _, f := range d.fields {
			if f.help == "" || strings.HasSuffix(f.help, ".") || f.doc == nil || f.doc.word == "" {
				t.Errorf("%s.%s has no help, or one that ends in a stop", at, f.name)
			}
			walk(at+"."+f.name, f.doc)
		}
		walk(at+".*", d.item)
		for _, v := range d.variants {
			walk(at, v)
		}
	}
	walk("", fileShape.describe())
	for _, c := range connectors() {
		walk(c.Spec().Kind, systemDoc(c.Spec()))
	}
	if !slices.Contains(fileShape.names(), "systems") {
		t.Error("no systems")
	}
}
