package pimcore

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

// client sends documents to the endpoint, one operation in each.
type client struct {
	http *httpkit.Client
	url  string
	mark string // of this process; with a number behind it no two documents are equal
	sent atomic.Int64
}

func newClient(url, key string, o httpkit.Options, mark string) *client {
	o.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "X-Api-Key": {key}}
	c := &client{http: httpkit.New(o), url: url, mark: mark}
	return c
}

// document is one operation with its variables.
type document struct {
	name  string // what faults call it
	query string
	vars  []variable
	write bool // it is a mutation
}

type variable struct {
	name  string
	value any // what encoding/json takes
}

// answer is what came for a document.
type answer struct {
	data   string // the JSON text of "data", "" where there is none
	errors []graphError
	clock  time.Time // the endpoint's, when it began to answer; zero where it does not say
}

// graphError is one of "errors".
type graphError struct {
	Message string `json:"message"`
	Path    []any  `json:"path"`
}

// at is the name of the field that failed, as the document calls it.
func (e graphError) at() string {
	for _, p := range slices.Backward(e.Path) {
		if name, ok := p.(string); ok {
			return name
		}
	}
	return ""
}

// root is the root field that failed, as the document calls it: "" where the document as a whole did.
func (e graphError) root() string {
	if len(e.Path) == 0 {
		return ""
	}
	name, _ := e.Path[0].(string)
	return name
}

// inNode tells an error inside an object of a listing: ["getProductListing","edges",3,"node","manufacturer"].
func (e graphError) inNode() bool { return len(e.Path) > 3 && e.Path[3] == "node" }

// post sends a document and reads its answer. That "errors" is set is no error of post: a query that reads a page
// must use ask.
func (c *client) post(ctx context.Context, d document) (*answer, error) {
	req := httpkit.Request{Method: http.MethodPost, URL: c.url, Body: c.body(d), Write: d.write, Name: d.name}
	a, err := c.http.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := statusFault(req, a); err != nil {
		return nil, err
	}
	if err := req.NotJSON(a); err != nil {
		return nil, err
	}
	out, err := readAnswer(unsafe.String(unsafe.SliceData(a.Body), len(a.Body))) // nobody writes to it again
	if err != nil {
		return nil, req.Cut()
	}
	if out.data == "" && out.errors == nil {
		return nil, maybe(d, lockstep.Faultf(lockstep.CodeServer, "the answer has neither data nor errors"))
	}
	out.clock, _ = a.Clock()
	return out, nil
}

// ask is post for documents of which any error fails the whole: half an answer must not be read.
func (c *client) ask(ctx context.Context, d document) (*answer, error) {
	a, err := c.post(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(a.errors) > 0 {
		return nil, graphFault(d, a.errors)
	}
	return a, nil
}

// body is the JSON of a document. Its last line is a comment that no other document has: an endpoint with an output
// cache answers equal bodies, mutations among them, without running them.
func (c *client) body(d document) []byte {
	n := c.sent.Add(1)
	var b bytes.Buffer
	b.WriteString(`{"query":`)
	writeJSON(&b, d.query+"\n# r-"+c.mark+"-"+strconv.FormatInt(n, 10))
	if len(d.vars) > 0 {
		b.WriteString(`,"variables":{`)
		for i, v := range d.vars {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(&b, v.name)
			b.WriteByte(':')
			writeJSON(&b, v.value)
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return b.Bytes()
}

// writeJSON appends what is known to be encodable.
func writeJSON(b *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("null")
	}
	b.Write(text)
}

// statusFault is httpkit's fault of a status, in Pimcore's words.
func statusFault(req httpkit.Request, a *httpkit.Answer) error {
	err := req.Check(a)
	f := lockstep.FaultOf(err)
	switch {
	case err == nil:
		return nil
	case a.Status == 403 || a.Status == 401:
		f = lockstep.Faultf(lockstep.CodeLogin, "status %d: the endpoint refuses the API key", a.Status).On(f.About)
		f.Next = "Check `api_key` against the keys of the endpoint's DataHub configuration, then start the flow again."
	case a.Status == 404 || a.Status == 410:
		f = lockstep.Faultf(lockstep.CodeNoStream, "status %d: there is no endpoint at this address", a.Status).On(f.About)
		f.Next = "Check `url`: it ends with the name of the DataHub configuration, which must be active."
	}
	return f
}

// readAnswer takes the parts of an answer's body.
func readAnswer(body string) (*answer, error) {
	out := &answer{}
	if !utf8.ValidString(body) {
		return out, errJSON
	}
	c := cursor{text: body}
	err := c.members(func(name string) error {
		span, err := c.span()
		if err != nil {
			return err
		}
		switch name {
		case "data":
			if span != "null" {
				out.data = span
			}
		case "errors":
			if err := json.Unmarshal([]byte(span), &out.errors); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = c.end()
	}
	return out, err
}

// What Pimcore and graphql-php say; there are no codes to go by.
const (
	saysNotFound    = "not found"
	saysDenied      = "permission denied"
	saysInternal    = "Internal server error"
	saysNoIntro     = "introspection is not allowed"
	saysNoField     = "Cannot query field"
	saysUnknownType = "Unknown type"
	saysUnknownArg  = "Unknown argument"
)

// isMissing tells the answer for an object that is not there: the only proof of a deletion.
func (e graphError) isMissing() bool {
	return strings.HasPrefix(e.Message, "object with ") && strings.HasSuffix(e.Message, saysNotFound)
}

func (e graphError) isDenied() bool { return strings.HasPrefix(e.Message, saysDenied) }

// isSchema tells that the document names what the endpoint does not have, or not any more.
func (e graphError) isSchema() bool {
	return strings.HasPrefix(e.Message, saysNoField) || strings.HasPrefix(e.Message, saysUnknownType) || strings.HasPrefix(e.Message, saysUnknownArg)
}

// graphFault is the fault of an answer with errors: of the worst of them.
func graphFault(d document, errs []graphError) error {
	is := func(test func(graphError) bool) *graphError {
		if i := slices.IndexFunc(errs, test); i >= 0 {
			return &errs[i]
		}
		return nil
	}
	var f *lockstep.Fault
	e := &errs[0]
	if one := is(graphError.isSchema); one != nil {
		e, f = one, lockstep.Faultf(lockstep.CodeDrift, "the endpoint's schema has changed: %s", short(one.Message))
	} else if one := is(func(e graphError) bool { return e.inNode() && e.isDenied() }); one != nil {
		e, f = one, lockstep.Faultf(lockstep.CodeHidden, "it refers to an object that the endpoint may not show")
	} else if one := is(graphError.isDenied); one != nil {
		e, f = one, lockstep.Faultf(lockstep.CodeRights, "permission denied: the endpoint's workspaces do not cover this")
	} else if one := is(graphError.isMissing); one != nil {
		e, f = one, lockstep.Faultf(lockstep.CodeGone, "the object is not there")
	} else if one := is(func(e graphError) bool { return strings.Contains(e.Message, saysInternal) }); one != nil {
		e, f = one, maybe(d, lockstep.Faultf(lockstep.CodeServer, "Pimcore answered %q", saysInternal))
	} else {
		f = maybe(d, lockstep.Faultf(lockstep.CodeUnclassified, "Pimcore answered %q", short(e.Message)))
	}
	return f.On(lockstep.About{Field: e.at(), Request: d.name})
}

// badPage is the fault of a page of which single objects may be the cause.
type badPage struct{ fault *lockstep.Fault }

func (b *badPage) Error() string { return b.fault.Error() }

func (b *badPage) Unwrap() error { return b.fault }

// pageFault is graphFault, of a page of objects.
func pageFault(d document, errs []graphError) error {
	err := graphFault(d, errs)
	for _, e := range errs {
		if !e.inNode() && !strings.Contains(e.Message, saysInternal) {
			return err
		}
	}
	return &badPage{lockstep.FaultOf(err)}
}

func maybe(d document, f *lockstep.Fault) *lockstep.Fault {
	if d.write {
		return f.Maybe()
	}
	return f
}

// short is a message cut to what fits on a line.
func short(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\ufffd")), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
