package magento

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

// exchange is a request and what a real Magento answered.
type exchange struct {
	Name    string
	Request struct {
		Method, Path string
		Body         json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

// playback answers with one recorded exchange at a time.
type playback struct {
	mu  sync.Mutex
	now exchange
}

func (p *playback) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, v := range p.now.Response.Headers {
		w.Header().Set(name, v)
	}
	w.WriteHeader(p.now.Response.Status)
	var text string
	if json.Unmarshal(p.now.Response.Body, &text) == nil && !strings.Contains(p.now.Response.Headers["content-type"], "json") {
		_, _ = io.WriteString(w, text)
		return
	}
	_, _ = w.Write(p.now.Response.Body)
}

// wantFault is what each recorded refusal must become, by the beginning of its text.
var wantFault = map[string]lockstep.Code{
	"The linked products data is invalid":      lockstep.CodeReference,
	"The consumer isn't authorized":            lockstep.CodeRights,
	"The signature is invalid":                 lockstep.CodeLogin,
	"The nonce is already being used":          lockstep.CodeServer,
	"A consumer having the specified key":      lockstep.CodeLogin,
	"Consumer key is not the correct length":   lockstep.CodeLogin,
	"Specified token does not exist":           lockstep.CodeLogin,
	"Signature method %1":                      lockstep.CodeLogin,
	"The account sign-in was incorrect":        lockstep.CodeLogin,
	"URL key for specified store":              lockstep.CodeUnique,
	"Could not save category: %1":              "", // by what is in it
	"Admin store attribute option label":       lockstep.CodeUnique,
	"%1 already exists.":                       lockstep.CodeUnique,
	"A customer with the same email":           lockstep.CodeUnique,
	"Could not save Source Item":               lockstep.CodeServer,
	"The product was unable to be saved":       lockstep.CodeServer,
	"Maximum SearchCriteria pageSize":          lockstep.CodeCannot,
	"Maximum items of type":                    lockstep.CodeCannot,
	"Request does not match any route":         lockstep.CodeCannot,
	"Specified request cannot be processed":    lockstep.CodeConfig,
	"Decoding error.":                          lockstep.CodeInvariant,
	"Server cannot understand":                 lockstep.CodeInvariant,
	"Internal Error. Details are available":    lockstep.CodeServer,
	"An error has happened during application": lockstep.CodeValue,
}

func wantCode(x *exchange, message string) lockstep.Code {
	for text, code := range wantFault {
		if strings.HasPrefix(message, text) && code != "" {
			return code
		}
	}
	switch {
	case strings.HasPrefix(message, "Could not save category") && strings.Contains(string(x.Response.Body), "URL key"):
		return lockstep.CodeUnique
	case x.Response.Status == 400:
		return lockstep.CodeValue
	case x.Response.Status == 404:
		return lockstep.CodeGone
	case x.Response.Status == 405:
		return lockstep.CodeCannot
	}
	return lockstep.CodeServer
}

func TestRecordedRefusalsBecomeFaults(t *testing.T) {
	play := &playback{}
	srv := httptest.NewServer(play)
	defer srv.Close()
	sys := openSystem(t, lockstep.Settings{"url": srv.URL, "token": "t"})
	files, err := filepath.Glob(filepath.Join(contracts, "exchanges", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded exchanges are not here")
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []exchange
		if json.Unmarshal(text, &all) != nil {
			continue // of another form: no exchanges
		}
		for _, x := range all {
			if x.Response.Status < 400 || x.Request.Method == http.MethodHead {
				continue
			}
			seen++
			play.mu.Lock()
			play.now = x
			play.mu.Unlock()
			path := strings.TrimPrefix(strings.Split(x.Request.Path, "?")[0], "/rest/")
			_, err := sys.client.do(t.Context(), call{name: "recorded", method: x.Request.Method, path: strings.ReplaceAll(path, "%2F", "/")})
			var body struct {
				Message    string
				Parameters json.RawMessage
			}
			if json.Unmarshal(x.Response.Body, &body) != nil {
				_ = json.Unmarshal(x.Response.Body, &body.Message)
			}
			f := lockstep.FaultOf(err)
			if f == nil || f.Code != wantCode(&x, body.Message) {
				t.Errorf("%s, %s: status %d %q became %v, want %s", filepath.Base(file), x.Name, x.Response.Status, body.Message, err, wantCode(&x, body.Message))
				continue
			}
			for _, p := range readParams(body.Parameters) {
				if !shown[p.name] && len(p.text) > 2 && p.text != "Invalid attribute set entity type" && p.text != "HMAC-SHA1" && strings.Contains(f.Error(), p.text) &&
					!strings.Contains(body.Message, "attribute") && !strings.HasPrefix(body.Message, "Could not save category") && !strings.HasPrefix(body.Message, "%1 already") {
					t.Errorf("%s: the value %q is in %v", x.Name, p.text, f)
				}
			}
		}
	}
	if seen < 80 {
		t.Errorf("only %d refusals", seen)
	}
}

func openSystem(t *testing.T, s lockstep.Settings) *System {
	t.Helper()
	sys, err := Connector.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	return sys.(*System)
}

func TestAnswersAndWhatTheyMean(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		path   string
		status int
		body   string
		code   lockstep.Code
		kind   lockstep.FaultKind
		maybe  bool
	}{
		{"a deadlock that wears a 400", "PUT", "V1/products/x", 400, `{"message":"Database deadlock found when trying to get lock"}`, lockstep.CodeDeadlock, lockstep.Transient, false},
		{"a lock wait", "PUT", "V1/products/x", 400, `{"message":"Database lock wait timeout exceeded"}`, lockstep.CodeDeadlock, lockstep.Transient, false},
		{"a lost database", "PUT", "V1/products/x", 400, `{"message":"Database connection error"}`, lockstep.CodeServer, lockstep.Transient, false},
		{"stock that was locked", "POST", "V1/products", 400, `{"message":"Could not save Source Item Configuration"}`, lockstep.CodeServer, lockstep.Transient, false},
		{"a deadlock in a list of errors", "POST", "V1/x", 400, `{"message":"Validation Failed","errors":[{"message":"Database deadlock found when trying to get lock","parameters":[]}]}`, lockstep.CodeDeadlock, lockstep.Transient, false},
		{"two factors", "POST", "V1/integration/admin/token", 400, `{"message":"Please ask an administrator with sufficient access to configure 2FA first"}`, lockstep.CodeLogin, lockstep.Denied, false},
		{"a broken PHP", "POST", "V1/products", 500, `{"message":"Internal Error. Details are available in Magento log file. Report ID: webapi-1"}`, lockstep.CodeServer, lockstep.Transient, true},
		{"a broken PHP at a read", "GET", "V1/products", 500, `{"message":"Internal Error. Details are available in Magento log file. Report ID: webapi-1"}`, lockstep.CodeServer, lockstep.Transient, false},
		{"a TypeError", "POST", "V1/products", 500, "An error has happened during application run. See exception log for details.\n", lockstep.CodeValue, lockstep.Invalid, false},
		{"maintenance", "PUT", "V1/products/x", 503, "<h1>Service Temporarily Unavailable</h1>", lockstep.CodeUnavailable, lockstep.Unavailable, false},
		{"a cache before it", "PUT", "V1/products/x", 503, "<h1>Error 503 Backend fetch failed</h1>", lockstep.CodeUnavailable, lockstep.Unavailable, true},
		{"a proxy that gave up", "PUT", "V1/products/x", 504, "<html>", lockstep.CodeTimeout, lockstep.Transient, true},
		{"a bad gateway", "PUT", "V1/products/x", 502, "<html>", lockstep.CodeTimeout, lockstep.Transient, true},
		{"a bad gateway at a read", "GET", "V1/products/x", 502, "<html>", lockstep.CodeTimeout, lockstep.Transient, false},
		{"too many", "PUT", "V1/products/x", 429, `{"message":"Too Many Requests"}`, lockstep.CodeThrottled, lockstep.Throttled, false},
		{"no Magento", "GET", "V1/products", 404, "<html>", lockstep.CodeNoStream, lockstep.Denied, false},
		{"a slash that Apache refuses", "GET", "V1/products/a%2Fb", 404, "<html>", lockstep.CodeValue, lockstep.Invalid, false},
		{"a slash that was decoded", "PUT", "V1/products/a%2Fb", 404, `{"message":"Request does not match any route."}`, lockstep.CodeValue, lockstep.Invalid, false},
		{"a firewall", "PUT", "V1/products/x", 403, "<html>", lockstep.CodeRights, lockstep.Denied, false},
		{"a large body", "PUT", "V1/products/x", 413, "<html>", lockstep.CodeTooLarge, lockstep.Invalid, false},
		{"HTML for a success", "GET", "V1/products", 200, "<html>", lockstep.CodeUnavailable, lockstep.Unavailable, false},
		{"half an answer", "PUT", "V1/products/x", 200, `{"id":1,`, lockstep.CodeNetwork, lockstep.Transient, true},
		{"another shape", "PUT", "V1/products/x", 200, `"x"`, lockstep.CodeServer, lockstep.Transient, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer srv.Close()
			sys := openSystem(t, lockstep.Settings{"url": srv.URL, "token": "t"})
			_, err := sys.client.into(t.Context(), call{name: "test", method: c.method, scope: allViews, path: c.path}, &struct{ ID int }{})
			f := lockstep.FaultOf(err)
			if f == nil || f.Code != c.code || f.Kind != c.kind || f.Unknown != c.maybe {
				t.Errorf("%v: kind %v, unknown %v", err, f.Kind, f.Unknown)
			}
			if f != nil && f.About.Request != "test" {
				t.Error("the request is not named")
			}
		})
	}
}

func TestARefusalShowsNoValue(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"Error occurred during \"custom_attributes\" processing. Attribute \"shade\" has invalid value. The \"secret\" value's type is invalid. The \"int\" type was expected."}`: `Error occurred during "custom_attributes" processing. Attribute "shade" has invalid value. The "…" value's type is invalid. The "int" type was expected.`,
		`{"message":"No such entity with %fieldName = %fieldValue","parameters":{"fieldName":"id","fieldValue":4711}}`:                                                                        `No such entity with id = …`,
		`{"message":"\"%fieldName\" is required. Enter and try again.","parameters":{"fieldName":"product"}}`:                                                                                 `"product" is required. Enter and try again.`,
		`{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Catalog::products"}}`:                                                            `The consumer isn't authorized to access Magento_Catalog::products.`,
		`{"message":"Could not save category: %1","parameters":["URL key for specified store already exists."]}`:                                                                              `Could not save category: URL key for specified store already exists.`,
		`{"message":"Admin store attribute option label \"%1\" is already exists.","parameters":["Red"]}`:                                                                                     `Admin store attribute option label "…" is already exists.`,
		`{"message":"Requested store is not found. Row ID: SKU = hush, Store ID: 77."}`:                                                                                                       `Requested store is not found. Row ID: SKU = … Store ID: …`,
		`{"message":"The email me@example.test is taken","parameters":[]}`:                                                                                                                    `The email … is taken`,
	} {
		r, ok := readRefusal(400, []byte(body))
		if !ok {
			t.Fatal(body)
		}
		if got := r.Error(); got != "Magento says: "+want+" (status 400)" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(`{"message":"a %1 \"b\"","parameters":["x"],"errors":[{"message":"c"}]}`)
	f.Add(`{"message":"%x","parameters":{"x":{"y":[1]}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		err := refused(&call{name: "fuzz", method: "PUT"}, httpkit.Request{Name: "fuzz", Write: true}, &httpkit.Answer{Status: 400, Body: []byte(body)})
		if err == nil {
			t.Fatal("no fault")
		}
		if text := err.Error(); len(text) > 1000 {
			t.Fatalf("a fault of %d bytes", len(text))
		}
	})
}
