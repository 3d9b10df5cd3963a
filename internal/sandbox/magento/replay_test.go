package magento

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recorded is one request that was sent to the real server, and its answer.
type recorded struct {
	Name    string
	Request struct {
		Method, Path, Auth string
		Headers            map[string]string
		Body               json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

// recordings are the files in the order in which they were recorded, all on one installation: what a file presupposes is
// what the ones before it left. A file is played against a fresh stand-in, after those before it.
var recordings = [...]string{
	"auth", "attributes", "products", "sku_encoding", "scopes", "search", "media", "inventory", "prices", "categories", "configurable",
	"links_misc", "customers_orders", "async_bulk", "concurrency_duplicates", "url_key", "limits", "orders", "misc", "media_distinct", "category_links", "scope_keep",
}

// TestReplay plays what was recorded on the real server. A run of one file: go test -run 'TestReplay/products'.
func TestReplay(t *testing.T) {
	for i, file := range recordings {
		t.Run(file, func(t *testing.T) {
			p := newPlayer(t)
			for _, before := range recordings[:i] {
				p.play(before, false)
			}
			p.play(file, true)
		})
	}
}

// player sends recorded requests.
type player struct {
	t     *testing.T
	s     *Server
	url   string
	clock *clock
	nonce int

	uuids map[string]string     // what stands for a recorded uuid or cart here
	times map[string][2]string  // by product and member: the last time recorded, and here
	jwt   string                // the admin token here
	known map[string]Difference // by file and name of an exchange

	answered func(e recorded, status int, body string) // told of every answer, if it is set
}

// clock is one that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newPlayer(t *testing.T) *player {
	t.Helper()
	c := &clock{time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)}
	s, err := New(recordedInstallation(c))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Cleanup(func() { _ = s.Close() })
	p := &player{t: t, s: s, url: web.URL, clock: c, uuids: map[string]string{}, times: map[string][2]string{}, known: map[string]Difference{}}
	for _, d := range Differences() {
		for _, e := range d.Exchanges {
			p.known[e] = d
		}
	}
	return p
}

// play plays a file. Without judge it only leaves what the file leaves.
func (p *player) play(file string, judge bool) {
	p.t.Helper()
	var list []recorded
	contract(p.t, "exchanges/"+file+".json", &list)
	if f := before[file]; f != nil {
		f(p)
	}
	for _, e := range list {
		name := file + "/" + e.Name
		p.clock.at = p.clock.at.Add(2 * time.Second)
		if f := before[name]; f != nil {
			f(p)
		}
		p.forceIDs(e)
		p.forceTime(e)
		status, header, body := p.send(e)
		if p.answered != nil {
			p.answered(e, status, body)
		}
		wrong := p.differs(e, status, header, body)
		if !judge {
			continue
		}
		d, deliberate := p.known[name]
		switch {
		case len(wrong) > 0 && !deliberate:
			p.t.Errorf("%s\n  %s %s\n  sent %s\n  %s", name, e.Request.Method, e.Request.Path, shortened(compact(e.Request.Body)), strings.Join(wrong, "\n  "))
		case len(wrong) == 0 && deliberate:
			p.t.Errorf("%s answers as recorded: it is no difference any more (%s)", name, d.Reason)
		}
	}
}

// forceTime lets a product be saved when it was saved in the recording: searches ask for such times.
func (p *player) forceTime(e recorded) {
	var body struct {
		SKU     string `json:"sku"`
		Updated string `json:"updated_at"`
	}
	if e.Request.Method == http.MethodGet || json.Unmarshal(e.Response.Body, &body) != nil || body.SKU == "" {
		return
	}
	if at, err := time.Parse(stampLayout, body.Updated); err == nil {
		p.clock.at = at
	}
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

func shortened(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

// send sends a request as it was recorded, signed anew.
func (p *player) send(e recorded) (int, http.Header, string) {
	p.t.Helper()
	path, query, _ := strings.Cut(p.translated(e.Request.Path), "?")
	var body io.Reader
	if raw := e.Request.Body; len(raw) > 0 && string(raw) != "null" {
		var text string
		if json.Unmarshal(raw, &text) != nil { // a JSON string is a body that is no JSON
			text = p.translated(string(raw))
		}
		if text == `{"p":"ÿ"}` {
			text = "{\"p\":\"\xff\"}"
		}
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), e.Request.Method, p.url, body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.URL.Opaque, req.URL.RawQuery = path, query
	for k, v := range e.Request.Headers {
		req.Header.Set(k, v)
	}
	p.authorize(req, e.Request.Auth, path, query)
	if e.Name == "bad bearer" {
		req.Header.Set("Authorization", "Bearer notoken")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatalf("%s: %v", e.Name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", e.Name, err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// translated puts what stands here for what was recorded.
func (p *player) translated(s string) string {
	for was, is := range p.uuids {
		s = strings.ReplaceAll(s, was, is)
	}
	return strings.ReplaceAll(s, "<PASSWORD>", DefaultPassword)
}

// authorize signs a request as its recording says.
func (p *player) authorize(r *http.Request, how, path, query string) {
	p.t.Helper()
	i := p.s.Integration()
	switch {
	case how == "none" || how == "Bearer <token>" && p.jwt == "":
		return
	case how == "Bearer <token>":
		r.Header.Set("Authorization", "Bearer "+p.jwt)
		return
	case how == "Bearer <ACCESS_TOKEN>":
		r.Header.Set("Authorization", "Bearer "+i.Token)
		return
	}
	p.nonce++
	params := map[string]string{
		"oauth_consumer_key": i.ConsumerKey, "oauth_token": i.Token, "oauth_signature_method": "HMAC-SHA256", "oauth_version": "1.0",
		"oauth_timestamp": strconv.FormatInt(p.clock.at.Unix(), 10), "oauth_nonce": "nonce" + strconv.Itoa(p.nonce),
	}
	if strings.Contains(how, "HMAC-SHA1") {
		params["oauth_signature_method"] = "HMAC-SHA1"
	}
	altered := map[string]any{}
	if _, text, ok := strings.Cut(how, "altered: "); ok {
		if err := json.Unmarshal([]byte(text), &altered); err != nil {
			p.t.Fatal(err)
		}
	}
	for k, v := range altered {
		if s, ok := v.(string); ok {
			params[k] = s
		}
	}
	if _, ok := altered["oauth_timestamp"]; ok {
		params["oauth_timestamp"] = strconv.FormatInt(p.clock.at.Add(-4000*time.Second).Unix(), 10)
	}
	base := baseString(r.Method, p.url, path, query, params)
	switch {
	case strings.Contains(query, "x=a=b"), strings.Contains(query, "=A+B"), altered["__bytesort"] != nil, altered["__rawpath"] != nil:
		base = standardBase(r.Method, p.url, path, query, params) // these were signed as RFC 5849 says
	case altered["__badsig"] != nil:
		base = "x"
	}
	mac := hmac.New(sha256.New, []byte(i.ConsumerSecret+"&"+i.TokenSecret))
	mac.Write([]byte(base))
	params["oauth_signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	var parts []string
	for k, v := range params {
		parts = append(parts, k+`="`+encoded(v)+`"`)
	}
	r.Header.Set("Authorization", "OAuth "+strings.Join(parts, ", "))
}

// standardBase is the base string of RFC 5849.
func standardBase(method, origin, path, query string, oauth map[string]string) string {
	params := url.Values{}
	for k, v := range oauth {
		params.Set(k, v)
	}
	for part := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(part, "=")
		params.Add(rawDecoded(k), strings.ReplaceAll(rawDecoded(v), "+", " "))
	}
	sorted := strings.ReplaceAll(params.Encode(), "+", "%20")
	return method + "&" + encoded(origin+path) + "&" + encoded(sorted)
}

// decodedJSON reads an answer; numbers stay as they were written.
func decodedJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
