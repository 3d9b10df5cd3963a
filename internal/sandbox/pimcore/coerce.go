package pimcore

import (
	"encoding/json"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// coerce makes a variable's JSON value one of its type; why tells what is wrong with it.
func (c *config) coerce(t *ast.Type, v any) (out any, why string) {
	if v == nil {
		if t.NonNull {
			return nil, fmt.Sprintf("Expected non-nullable type \"%s\" not to be null.", t)
		}
		return nil, ""
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok {
			list = []any{v} // a lone value is a list of one
		}
		out := make([]any, 0, len(list))
		for _, e := range list {
			item, why := c.coerce(t.Elem, e)
			if why != "" {
				return nil, why
			}
			out = append(out, item)
		}
		return out, ""
	}
	if d := c.schema.Types[t.NamedType]; d.Kind == ast.InputObject {
		return c.coerceInput(d, v)
	}
	return coerceScalar(t.NamedType, v)
}

func (c *config) coerceInput(d *ast.Definition, v any) (any, string) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Sprintf("Expected type \"%s\" to be an object.", d.Name)
	}
	out := map[string]any{}
	for name, e := range m {
		f := d.Fields.ForName(name)
		if f == nil {
			return nil, fmt.Sprintf("Field \"%s\" is not defined by type \"%s\".", name, d.Name)
		}
		member, why := c.coerce(f.Type, e)
		if why != "" {
			return nil, why
		}
		out[name] = member
	}
	return out, ""
}

func coerceScalar(name string, v any) (any, string) {
	switch name {
	case "Int":
		if n, ok := v.(json.Number); ok {
			if i, err := n.Int64(); err == nil && i >= -1<<31 && i < 1<<31 {
				return i, ""
			}
		}
		return nil, "Int cannot represent non-integer value"
	case "Float":
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err == nil {
				return f, ""
			}
		}
		return nil, "Float cannot represent non numeric value"
	case "Boolean":
		if b, ok := v.(bool); ok {
			return b, ""
		}
		return nil, "Boolean cannot represent a non boolean value"
	}
	switch v := v.(type) {
	case string:
		return v, ""
	case json.Number:
		if name == "DateScalar" {
			f, _ := v.Float64()
			return f, ""
		}
	}
	return nil, name + " cannot represent a non string value"
}
