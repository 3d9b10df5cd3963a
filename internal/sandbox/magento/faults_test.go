package magento

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// stall is a stand-in under test, with a client that needs no credentials.
type stall struct {
	*Server
	t   *testing.T
	url string
}

func newStall(t *testing.T, o Options) *stall {
	t.Helper()
	o.Open = true
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		_ = s.Close()
	})
	return &stall{s, t, web.URL}
}

func (s *stall) send(method, path, body string) (status int, kind, answer string, err error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.Split(resp.Header.Get("Content-Type"), ";")[0], string(raw), err
}

const aProduct = `{"product":{"sku":"F-1","name":"One","attribute_set_id":4,"price":1,"weight":1}}`

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault  Fault
		status int
		kind   string
		done   bool // the product is there afterwards
	}{
		{FaultDeadlock, 400, "application/json", false},
		{Fault429, 429, "text/html", false},
		{Fault500, 500, "application/json", false},
		{FaultText500, 500, "text/plain", false},
		{Fault502, 502, "text/html", false},
		{Fault503, 503, "text/html", false},
		{Fault503Text, 503, "text/plain", false},
		{Fault504, 504, "text/html", true},
		{FaultLost, 0, "", true},
		{FaultHTML, 200, "text/html", false},
		{FaultSlow, 200, "application/json", true},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			s := newStall(t, Options{})
			s.SetSlow(time.Millisecond)
			s.FailNext(c.fault, 1)
			status, kind, _, err := s.send("POST", "/rest/all/V1/products", aProduct)
			if status != c.status || kind != c.kind || (err != nil) != (c.fault == FaultLost) {
				t.Errorf("%d %s %v", status, kind, err)
			}
			s.background.Wait()
			if s.Has("F-1") != c.done {
				t.Errorf("the product is there: %v", !c.done)
			}
			total, routes := s.Counts()
			if total != 1 || routes["POST /V1/products"].Requests != 1 {
				t.Errorf("the log has %v", routes)
			}
		})
	}
}

// A fault of writes leaves reads alone, and one of a route the others.
func TestFaultsOfSomeRequests(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	s.Fail(FaultDeadlock, 1)
	if status, _, answer, _ := s.send("GET", "/rest/all/V1/products/P-1", ""); status != 200 {
		t.Errorf("a read: %d %s", status, answer)
	}
	s.FailOnly("DELETE")
	if status, _, answer, _ := s.send("POST", "/rest/all/V1/products", aProduct); status != 200 {
		t.Errorf("a POST: %d %s", status, answer)
	}
	if status, _, _, _ := s.send("DELETE", "/rest/all/V1/products/P-1", ""); status != 400 {
		t.Errorf("a DELETE: %d", status)
	}
}

func TestMaintenance(t *testing.T) {
	for form, kind := range map[string]string{"html": "text/html", "text": "text/plain"} {
		s := newStall(t, Options{Maintenance: form})
		if status, got, _, _ := s.send("GET", "/rest/V1/store/storeViews", ""); status != 503 || got != kind {
			t.Errorf("%d %s", status, got)
		}
	}
}

// What an operator and people in the Admin do, they do by POST /_sandbox/.
func TestControl(t *testing.T) {
	s := newStall(t, Options{Products: 2})
	for _, c := range [][2]string{
		{"rename", `{"sku":"P-1","name":"Other"}`}, {"disable", `{"sku":"P-1"}`}, {"edit", `{"sku":"P-1","view":"de","values":{"name":"Anders"}}`},
		{"stock", `{"sku":"P-1","quantity":4}`}, {"price", `{"sku":"P-1","price":9.5}`}, {"order", `{"sku":"P-1","quantity":2}`}, {"ship", `{"id":1}`}, {"delete", `{"sku":"P-2"}`},
		{"fail", `{"fault":"slow","next":1}`}, {"slow", `{"for":"1ms"}`}, {"delay", `{"for":"0s"}`}, {"consumer", `{"do":"start"}`}, {"consumer", `{"do":"stop"}`},
		{"requests", `{"last":1}`}, {"state", `{}`}, {"rest", `{"path":"/rest/V1/store/websites"}`},
	} {
		if status, _, answer, _ := s.send("POST", "/_sandbox/"+c[0], c[1]); status != 200 {
			t.Errorf("%s %s: %d %s", c[0], c[1], status, answer)
		}
	}
	_, _, answer, _ := s.send("GET", "/rest/de/V1/products/P-1?fields=name,status,price,extension_attributes[stock_item[qty]]", "")
	if answer != `{"name":"Anders","price":9.5,"status":2,"extension_attributes":{"stock_item":{"qty":2}}}` {
		t.Error(answer)
	}
	if s.Has("P-2") {
		t.Error("P-2 is still there")
	}
	for verb, body := range map[string]string{"nope": "{}", "fail": `{"fault":"418"}`, "delete": `{"sku":"P-9"}`, "price": `{"sku":"P-9","price":1}`, "rename": `{"sku":"P-9","name":"x"}`, "state": `{"zzz":1}`} {
		if status, _, answer, _ := s.send("POST", "/_sandbox/"+verb, body); status < 400 {
			t.Errorf("%s %s: %d %s", verb, body, status, answer)
		}
	}
}

func TestTwoFactorAndLockout(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s := newStall(t, Options{Clock: func() time.Time { return now }})
	login := func(password string) (int, string) {
		status, _, answer, _ := s.send("POST", "/rest/V1/integration/admin/token", `{"username":"admin","password":"`+password+`"}`)
		return status, answer
	}
	if status, _ := login(DefaultPassword); status != 200 {
		t.Fatal(status)
	}
	for range maxFailures {
		login("wrong")
	}
	if status, _ := login(DefaultPassword); status != 401 {
		t.Errorf("a locked account: %d", status)
	}
	now = now.Add(31 * time.Minute)
	if status, _ := login(DefaultPassword); status != 200 {
		t.Errorf("half an hour later: %d", status)
	}
	s.Configure(func(o *Options) { o.TwoFactor = true })
	if status, answer := login(DefaultPassword); status != 400 || !strings.Contains(answer, "2FA") {
		t.Errorf("%d %s", status, answer)
	}
}

// A token ends when it says so, an integration sees what it is granted, and its token alone is no key by default.
func TestWhoMayDoWhat(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	i := DefaultIntegration()
	i.Resources = []string{"Magento_Backend::store"}
	s := newStall(t, Options{Integration: i, Clock: func() time.Time { return now }})
	s.Configure(func(o *Options) { o.Open = false })
	get := func(path, token string) (int, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	token, err := s.Rest("POST", "/rest/V1/integration/admin/token", map[string]any{"username": "admin", "password": DefaultPassword})
	if err != nil {
		t.Fatal(err)
	}
	jwt := strings.Trim(string(token), `"`)
	if status, _ := get("/rest/V1/products/types", jwt); status != 200 {
		t.Errorf("an admin: %d", status)
	}
	now = now.Add(61 * time.Minute)
	if status, _ := get("/rest/V1/products/types", jwt); status != 401 {
		t.Errorf("an hour later: %d", status)
	}
	if status, _ := get("/rest/V1/store/websites", i.Token); status != 401 {
		t.Errorf("a bearer that is not allowed: %d", status)
	}
	s.Configure(func(o *Options) { o.Bearer = true })
	if status, _ := get("/rest/V1/store/websites", i.Token); status != 200 {
		t.Errorf("a bearer that is allowed: %d", status)
	}
	if status, answer := get("/rest/V1/products/types", i.Token); status != 401 || !strings.Contains(answer, "Magento_Catalog::products") {
		t.Errorf("what is not granted: %d %s", status, answer)
	}
}
