package pimcore

import (
	"maps"
	"slices"
	"sort"

	"github.com/vektah/gqlparser/v2/ast"
)

// The schema as an answer: __schema and __type.
type (
	schemaNode struct{}
	definition struct{ d *ast.Definition }
	typeRef    struct{ t *ast.Type } // list or non-null
	fieldDef   struct{ f *ast.FieldDefinition }
	inputDef   struct {
		name, description string
		t                 *ast.Type
		value             *ast.Value
	}
	enumDef   struct{ e *ast.EnumValueDefinition }
	directive struct{ d *ast.DirectiveDefinition }
)

func (schemaNode) typeName() string { return "__Schema" }
func (definition) typeName() string { return "__Type" }
func (typeRef) typeName() string    { return "__Type" }
func (fieldDef) typeName() string   { return "__Field" }
func (inputDef) typeName() string   { return "__InputValue" }
func (enumDef) typeName() string    { return "__EnumValue" }
func (directive) typeName() string  { return "__Directive" }

func (schemaNode) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "queryType":
		return definition{r.schema.Query}, nil
	case "mutationType":
		if r.schema.Mutation != nil {
			return definition{r.schema.Mutation}, nil
		}
	case "types":
		out := []source{}
		for _, name := range slices.Sorted(maps.Keys(r.schema.Types)) {
			out = append(out, definition{r.schema.Types[name]})
		}
		return out, nil
	case "directives":
		out := []source{}
		for _, name := range []string{"include", "skip", "deprecated"} {
			out = append(out, directive{r.schema.Directives[name]})
		}
		return out, nil
	}
	return nil, nil
}

// typeNode is a type where it is used.
func (r *request) typeNode(t *ast.Type) any {
	if t == nil {
		return nil
	}
	if t.NonNull || t.Elem != nil {
		return typeRef{t}
	}
	return definition{r.schema.Types[t.NamedType]}
}

func (n typeRef) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "kind":
		if n.t.NonNull {
			return "NON_NULL", nil
		}
		return "LIST", nil
	case "ofType":
		if n.t.NonNull {
			bare := *n.t
			bare.NonNull = false
			return r.typeNode(&bare), nil
		}
		return r.typeNode(n.t.Elem), nil
	}
	return nil, nil
}

func (n definition) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "kind":
		return string(n.d.Kind), nil
	case "name":
		return n.d.Name, nil
	case "description":
		return orNull(n.d.Description), nil
	case "fields":
		if n.d.Kind == ast.Object {
			return fieldNodes(n.d.Fields), nil
		}
	case "inputFields":
		if n.d.Kind == ast.InputObject {
			out := []source{}
			for _, in := range n.d.Fields {
				out = append(out, inputDef{in.Name, in.Description, in.Type, in.DefaultValue})
			}
			return out, nil
		}
	case "interfaces":
		if n.d.Kind == ast.Object {
			return []source{}, nil
		}
	case "possibleTypes":
		if n.d.Kind == ast.Union {
			out := []source{}
			for _, t := range n.d.Types {
				out = append(out, definition{r.schema.Types[t]})
			}
			return out, nil
		}
	case "enumValues":
		if n.d.Kind == ast.Enum {
			out := []source{}
			for _, e := range n.d.EnumValues {
				out = append(out, enumDef{e})
			}
			return out, nil
		}
	}
	return nil, nil
}

// fieldNodes leaves out what every type has without saying so.
func fieldNodes(fields ast.FieldList) []source {
	out := []source{}
	for _, f := range fields {
		if len(f.Name) < 2 || f.Name[:2] != "__" {
			out = append(out, fieldDef{f})
		}
	}
	return out
}

func argNodes(args ast.ArgumentDefinitionList) []source {
	out := []source{}
	for _, a := range args {
		out = append(out, inputDef{a.Name, a.Description, a.Type, a.DefaultValue})
	}
	return out
}

func (n fieldDef) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "name":
		return n.f.Name, nil
	case "description":
		return orNull(n.f.Description), nil
	case "args":
		return argNodes(n.f.Arguments), nil
	case "type":
		return r.typeNode(n.f.Type), nil
	case "isDeprecated":
		return false, nil
	}
	return nil, nil
}

func (n inputDef) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "name":
		return n.name, nil
	case "description":
		return orNull(n.description), nil
	case "type":
		return r.typeNode(n.t), nil
	case "defaultValue":
		if n.value != nil {
			return n.value.String(), nil
		}
	case "isDeprecated":
		return false, nil
	}
	return nil, nil
}

func (n enumDef) field(_ *request, f *planned) (any, error) {
	switch f.node.Name {
	case "name":
		return n.e.Name, nil
	case "description":
		return orNull(n.e.Description), nil
	case "isDeprecated":
		return false, nil
	}
	return nil, nil
}

func (n directive) field(_ *request, f *planned) (any, error) {
	switch f.node.Name {
	case "name":
		return n.d.Name, nil
	case "description":
		return orNull(n.d.Description), nil
	case "isRepeatable":
		return false, nil
	case "args":
		return argNodes(n.d.Arguments), nil
	case "locations":
		var out []string
		for _, l := range n.d.Locations {
			out = append(out, string(l))
		}
		sort.Strings(out)
		return out, nil
	}
	return nil, nil
}
