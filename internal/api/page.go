package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

//go:embed page.html
var pageText string

// shownOperation is an operation as the page shows it.
type shownOperation struct {
	Method, Path    string
	Op              *huma.Operation
	Text            []string // the paragraphs of its description
	Let             string   // who may
	Right           config.Right
	Body            string // the schema of its body, as JSON
	Answers         []shownAnswer
	ID, ContentType string
}

type shownAnswer struct{ Status, Text, Schema string }

// page is the document for people: plain HTML that needs nothing from elsewhere.
func (s *Server) page() []byte {
	var out bytes.Buffer
	page := template.Must(template.New("page").Parse(pageText))
	if err := page.Execute(&out, map[string]any{"Info": s.huma.OpenAPI().Info, "Ops": s.operations(), "Codes": lockstep.Codes, "Schemas": s.schemas()}); err != nil {
		panic("api: the page cannot be made: " + err.Error()) // it is made of constants
	}
	return out.Bytes()
}

// operations are all operations, by their paths.
func (s *Server) operations() (ops []shownOperation) {
	doc := s.huma.OpenAPI()
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, s.shown(op))
			}
		}
	}
	return ops
}

func (s *Server) shown(op *huma.Operation) shownOperation {
	out := shownOperation{Method: op.Method, Path: op.Path, Op: op, ID: op.OperationID, Text: strings.Split(op.Description, "\n\n")}
	var let []string
	for _, way := range op.Security {
		let = append(let, slices.Collect(maps.Keys(way))...)
	}
	out.Let = strings.Join(let, " or ")
	if right, ok := op.Metadata[mayKey].(config.Right); ok {
		out.Right = right
		out.Let += " that may " + string(right)
	}
	if op.RequestBody != nil {
		for kind, content := range op.RequestBody.Content {
			out.Body, out.ContentType = pretty(content.Schema), kind
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		a := shownAnswer{Status: status, Text: op.Responses[status].Description}
		for _, content := range op.Responses[status].Content {
			a.Schema = strings.TrimPrefix(content.Schema.Ref, "#/components/schemas/")
		}
		out.Answers = append(out.Answers, a)
	}
	return out
}

// shownSchema is a schema of the document by its name.
type shownSchema struct{ Name, JSON string }

func (s *Server) schemas() []shownSchema {
	all := s.huma.OpenAPI().Components.Schemas.Map()
	var out []shownSchema
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, shownSchema{name, pretty(all[name])})
	}
	return out
}

func pretty(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("api: a schema is no JSON: " + err.Error())
	}
	return string(b)
}

// asset serves a constant.
func asset(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_, _ = w.Write(body) // who does not listen any more needs nothing
	}
}
