package pimcore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// maxTokens bounds a document.
const maxTokens = 100_000

// execute runs a document and answers as JSON.
func (s *Server) execute(body []byte) []byte {
	d := decodeDocument(body)
	if strings.TrimSpace(d.Query) == "" {
		return answer([]gqlError{{message: "Syntax Error: Unexpected <EOF>", line: 1, column: 1}}, nil)
	}
	conf := s.conf()
	doc, errs := conf.parse(d.Query)
	if errs != nil {
		return answer(errs, nil)
	}
	if len(doc.Operations) > 1 { // operationName is ignored
		return answer([]gqlError{{message: "Must provide operation name if query contains multiple operations."}}, nil)
	}
	op := doc.Operations[0]
	vars, errs := conf.variables(op, d.Variables)
	if errs != nil {
		return answer(errs, nil)
	}
	r := &request{s: s, w: s.w, schema: conf.schema, doc: doc, vars: vars, language: conf.Languages[0], plans: map[planKey][]*planned{}}
	root := &planned{sets: []ast.SelectionSet{op.SelectionSet}}
	if op.Operation == ast.Mutation {
		s.w.mu.Lock()
		r.object(root, mutationRoot{})
		s.w.mu.Unlock()
		if err := s.published(); err != nil {
			return answer([]gqlError{{message: "Internal server error"}}, nil)
		}
	} else {
		s.w.mu.RLock()
		r.object(root, queryRoot{})
		s.w.mu.RUnlock()
	}
	return answer(r.errs, r.out)
}

func (c *config) parse(text string) (*ast.QueryDocument, []gqlError) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		var one *gqlerror.Error
		if errors.As(err, &one) {
			return nil, invalid(gqlerror.List{one}, "Syntax Error: ")
		}
		return nil, []gqlError{{message: "Syntax Error: " + err.Error()}}
	}
	if list := validator.ValidateWithRules(c.schema, doc, nil); len(list) > 0 {
		return nil, invalid(list, "")
	}
	if len(doc.Operations) == 0 {
		return nil, []gqlError{{message: "Must provide an operation."}}
	}
	if c.NoIntrospection {
		if errs := introspects(doc); errs != nil {
			return nil, errs
		}
	}
	return doc, nil
}

// introspects finds __schema and __type; __typename is no introspection.
func introspects(doc *ast.QueryDocument) []gqlError {
	var errs []gqlError
	var look func(set ast.SelectionSet)
	look = func(set ast.SelectionSet) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.InlineFragment:
				look(sel.SelectionSet)
			case *ast.Field:
				if sel.Name == "__schema" || sel.Name == "__type" {
					errs = append(errs, gqlError{
						message: "GraphQL introspection is not allowed, but the query contained __schema or __type",
						line:    sel.Position.Line, column: sel.Position.Column,
					})
				}
			}
		}
	}
	for _, op := range doc.Operations {
		look(op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		look(f.SelectionSet)
	}
	return errs
}

// variables checks and coerces what the client sent for the operation's variables.
func (c *config) variables(op *ast.OperationDefinition, given map[string]any) (map[string]any, []gqlError) {
	vars := map[string]any{}
	var errs []gqlError
	for _, v := range op.VariableDefinitions {
		val, ok := given[v.Variable]
		at := gqlError{}
		if v.Position != nil {
			at.line, at.column = v.Position.Line, v.Position.Column
		}
		switch {
		case !ok && v.DefaultValue != nil:
			val, _ = v.DefaultValue.Value(nil)
			vars[v.Variable] = val
		case !ok && v.Type.NonNull:
			at.message = fmt.Sprintf("Variable \"$%s\" of required type \"%s\" was not provided.", v.Variable, v.Type)
			errs = append(errs, at)
		case !ok:
		default:
			coerced, why := c.coerce(v.Type, val)
			if why != "" {
				at.message = fmt.Sprintf("Variable \"$%s\" got invalid value; %s", v.Variable, why)
				errs = append(errs, at)
				continue
			}
			vars[v.Variable] = coerced
		}
	}
	return vars, errs
}
