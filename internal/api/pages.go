package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

func schemaOf[T any](api huma.API) *huma.Schema {
	return api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// Documents are the OpenAPI document as JSON and as YAML.
func (s *Server) Documents() (asJSON, asYAML []byte, err error) {
	doc := s.huma.OpenAPI()
	for _, name := range []string{"ErrorModel", "ErrorDetail"} { // huma's own, which nobody gets
		delete(doc.Components.Schemas.Map(), name)
	}
	if asJSON, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return nil, nil, err
	}
	asYAML, err = doc.YAML()
	return asJSON, asYAML, err
}

// pages serves what there is to read: the document, a page made from it, and whether the server is well. None of it
// is secret, and none is about flows, so that it needs no token.
func (s *Server) pages() {
	asJSON, asYAML, err := s.Documents()
	if err != nil {
		panic("api: the OpenAPI document cannot be written: " + err.Error()) // it is made of constants
	}
	s.mux.HandleFunc("GET /openapi.json", asset("application/openapi+json", asJSON))
	s.mux.HandleFunc("GET /openapi.yaml", asset("application/openapi+yaml", asYAML))
	s.mux.HandleFunc("GET /docs", asset("text/html; charset=utf-8", s.page()))
	s.mux.HandleFunc("GET /healthz", asset("application/json", []byte("{\"status\":\"ok\"}\n")))
}
