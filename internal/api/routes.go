package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// routes makes the mux and the OpenAPI document.
func (s *Server) routes() {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	jsonFormat := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: json.Unmarshal}
	s.huma = humago.New(s.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Lockstep", Version: "1",
				Description: "What others may ask of a running lockstep: to look at records (webhooks), to take records that are pushed, " +
					"to hand out records that are pulled, to start runs and to follow them. Errors are problems as RFC 9457 has them, with a stable `code`.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "A token of `api.tokens` in the configuration."},
				"signature": {Type: "apiKey", In: "header", Name: webhook.SignatureHeader,
					Description: "`sha256=` and the HMAC-SHA256, in hex, of " + webhook.TimestampHeader + ", a dot and the body, by a secret of the flow's `hook.secrets`; " +
						"several, separated by commas, while a secret is changed."},
			}},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{ours},
	})
	s.huma.UseMiddleware(s.gate)
	s.mux.HandleFunc("POST /hooks/{flow}", s.takeNotice)
	s.hookOperation()
	s.runOperations()
	s.flowOperations()
	s.recordOperations()
	s.pages()
}

// op is an operation of huma's that a token with this right may do. The body was read and bounded before huma sees it.
func (s *Server) op(right config.Right, method, path, id, summary, description string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Description: description,
		Tags: []string{tagOf[right]}, Metadata: map[string]any{mayKey: right},
		Security:     []map[string][]string{{"token": {}}},
		Responses:    s.problems(),
		MaxBodyBytes: int64(s.api.MaxBody) + 1, BodyReadTimeout: -1,
	}
}

// tagOf groups operations by what a token must be allowed.
var tagOf = map[config.Right]string{
	config.MayHook: "webhooks", config.MayPush: "push", config.MayPull: "pull", config.MayRun: "runs", config.MayRead: "look",
}

// problems are the answers that every operation may give.
func (s *Server) problems() map[string]*huma.Response {
	return map[string]*huma.Response{"default": {
		Description: "A problem: its `code` says which",
		Content:     map[string]*huma.MediaType{problemType: {Schema: schemaOf[Problem](s.huma)}},
	}}
}

// hookOperation describes the route that is not huma's.
func (s *Server) hookOperation() {
	taken := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Taken](s.huma)}}}
	}
	responses := s.problems()
	responses[strconv.Itoa(http.StatusAccepted)] = taken("The notice is durable: it survives whatever becomes of lockstep")
	responses[strconv.Itoa(http.StatusOK)] = taken("The same notice was taken before")
	stamp := &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,12}$"}
	s.huma.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: "/hooks/{flow}", OperationID: "take-notice", Tags: []string{tagOf[config.MayHook]},
		Summary: "Says that records of a flow's source have changed",
		Description: "Takes the notice of a flow's source: the body that its system sends, or the house's own, `{\"keys\": [\"1\", \"2\"]}`. " +
			"It is a hint: the records are read again, so that repeated, reordered and untrue notices do no harm. " +
			"`\"overflow\": true` in either says that others were lost: a full sync is due then. `\"notice\"` beside the keys may be anything, " +
			"and makes two notices of one second different. " +
			"The answer comes once the notice is durable. Whatever answer is not 2xx, send it again.\n\n" +
			"It is signed by a secret of the flow (`" + webhook.TimestampHeader + "` and `" + webhook.SignatureHeader + "`), or shows a token that may `hook`.",
		Security: []map[string][]string{{"signature": {}}, {"token": {}}},
		Parameters: []*huma.Param{
			{Name: "flow", In: "path", Required: true, Description: "The flow", Schema: &huma.Schema{Type: huma.TypeString}},
			{Name: webhook.TimestampHeader, In: "header", Description: "When it is sent, in unix seconds; needed with a signature", Schema: stamp},
		},
		RequestBody: &huma.RequestBody{Required: true, Description: "What the source's system sends, or the house's own body",
			Content: map[string]*huma.MediaType{"application/json": {
				Schema: &huma.Schema{Description: "Whatever the system sends"}, Example: map[string]any{"keys": []any{"1", "2"}},
			}}},
		Responses: responses,
	})
}
