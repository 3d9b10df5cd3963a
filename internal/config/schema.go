package config

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// Schema is the JSON schema (2020-12) of the file, for editors. It is made from the shapes that the decoder goes by;
// what it cannot say (that a system exists, that 0777 is a trap) only the decoder reports.
func Schema(connectors []lockstep.Connector) []byte {
	root := schemaOf(fileShape.describe())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "lockstep configuration"
	root["patternProperties"] = map[string]any{"^x-": map[string]any{"description": "ignored: a place for anchors"}}
	defs := map[string]any{"variable": map[string]any{
		"type": "string", "pattern": `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`, "description": "from the environment: ${NAME} or ${NAME:-default}",
	}}
	systems := root["properties"].(map[string]any)["systems"].(map[string]any)
	systems["additionalProperties"] = systemSchema(connectors, defs)
	by := root
	for _, name := range []string{"flows", "*", "from", "track", "by"} {
		if name == "*" {
			by = by["additionalProperties"].(map[string]any)
		} else {
			by = by["properties"].(map[string]any)[name].(map[string]any)
		}
	}
	by["anyOf"] = leaf(trackers(connectors).describe().schema)["anyOf"]
	root["$defs"] = defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: the schema holds what is no JSON: " + err.Error())
	}
	return append(out, '\n')
}

// systemSchema picks the settings by the type.
func systemSchema(connectors []lockstep.Connector, defs map[string]any) map[string]any {
	var kinds []string
	var branches []any
	for _, c := range connectors {
		spec := c.Spec()
		kinds = append(kinds, spec.Kind)
		defs["system-"+spec.Kind] = described(schemaOf(systemDoc(spec)), spec.Summary, "")
		branches = append(branches, map[string]any{
			"if":   map[string]any{"required": []string{"type"}, "properties": map[string]any{"type": map[string]any{"const": spec.Kind}}},
			"then": map[string]any{"$ref": "#/$defs/system-" + spec.Kind},
		})
	}
	system := map[string]any{
		"type":       "object",
		"required":   []string{"type"},
		"properties": map[string]any{"type": leaf(map[string]any{"enum": kinds})},
	}
	if len(branches) > 0 {
		system["allOf"] = branches
	}
	return system
}

// systemDoc describes a system of one type: what all have, and its connector's own.
func systemDoc(spec lockstep.Spec) *doc {
	common := commonShape.describe()
	out := &doc{word: "settings", fields: slices.Clone(common.fields)}
	for _, s := range spec.Settings {
		if commonShape.field(s.Name) == nil {
			out.fields = append(out.fields, settingField(s))
		}
	}
	return out
}

func schemaOf(d *doc) map[string]any {
	switch {
	case d.variants != nil:
		var anyOf []any
		for _, v := range d.variants {
			anyOf = append(anyOf, schemaOf(v))
		}
		return map[string]any{"anyOf": anyOf}
	case d.fields != nil:
		return objectSchema(d)
	case d.table:
		out := map[string]any{"type": "object", "additionalProperties": schemaOf(d.item)}
		if d.names != "" {
			out["propertyNames"] = map[string]any{"pattern": d.names}
		}
		if d.least > 0 {
			out["minProperties"] = d.least
		}
		maps.Copy(out, d.also)
		return out
	case d.item != nil:
		return map[string]any{"type": "array", "items": schemaOf(d.item)}
	}
	return leaf(d.schema)
}

func objectSchema(d *doc) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range d.fields {
		properties[f.name] = described(schemaOf(f.doc), f.help, f.standard)
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	maps.Copy(out, d.also)
	return out
}

func described(schema map[string]any, help, standard string) map[string]any {
	if help != "" {
		schema["description"] = sentence(help)
	}
	if standard != "" {
		schema["default"] = standard
		if json.Valid([]byte(standard)) { // a number or a truth
			schema["default"] = json.RawMessage(standard)
		}
	}
	return schema
}

// leaf is a single value's schema, or a variable that holds it. A plain text may hold one anyway.
func leaf(schema map[string]any) map[string]any {
	out := maps.Clone(schema)
	if out == nil {
		out = map[string]any{}
	}
	if len(schema) == 0 || schema["pattern"] == `\S` || (schema["enum"] == nil && schema["anyOf"] == nil && schema["pattern"] == nil) {
		return out
	}
	return map[string]any{"anyOf": []any{out, map[string]any{"$ref": "#/$defs/variable"}}}
}

func needs(names ...string) map[string]any { return map[string]any{"required": names} }

// whenThen says what holds where a setting has a value, and what otherwise.
func whenThen(name string, is any, then, otherwise map[string]any) map[string]any {
	return map[string]any{
		"if":   map[string]any{"required": []string{name}, "properties": map[string]any{name: map[string]any{"const": is}}},
		"then": then,
		"else": otherwise,
	}
}
