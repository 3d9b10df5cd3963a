package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// shopWorld is a stand-in for a Magento, and a client of it that is nobody's but the test's.
type shopWorld struct {
	t   *testing.T
	srv *sandbox.Server
	url string

	mu    sync.Mutex
	calls map[string]int // since the last look: "PUT products", by what the path names first
}

func newShopWorld(t *testing.T, o sandbox.Options) *shopWorld {
	t.Helper()
	o.Bearer = true
	srv, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &shopWorld{t: t, srv: srv, calls: map[string]int{}}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Test") == "" {
			w.count(r)
		}
		srv.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		web.Close()
		_ = srv.Close()
	})
	w.url = web.URL
	return w
}

// token is what opens the shop.
func (w *shopWorld) token() string { return w.srv.Integration().Token }

func (w *shopWorld) count(r *http.Request) {
	_, rest, _ := strings.Cut(r.URL.Path, "/V1/")
	name, _, _ := strings.Cut(rest, "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[r.Method+" "+name]++
}

// counted are the calls since the last look, all writes of them in one number.
func (w *shopWorld) counted() (calls map[string]int, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls, w.calls = w.calls, map[string]int{}
	for what, n := range calls {
		if !strings.HasPrefix(what, "GET ") {
			writes += n
		}
	}
	return calls, writes
}

// call sends a request of the test's own; the answer is read into out.
func (w *shopWorld) call(method, path string, body, out any) {
	w.t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, w.url+path, sent)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Test", "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Body.Close() != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %d %.500s", method, path, resp.StatusCode, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			w.t.Fatalf("%s %s: %v in %.300s", method, path, err, text)
		}
	}
}

// shopProduct is a product as the shop shows it.
type shopProduct struct {
	ID               int
	SKU              string
	Name             string
	AttributeSetID   int         `json:"attribute_set_id"`
	Price            json.Number `json:"price"`
	Status           int
	Visibility       int
	TypeID           string      `json:"type_id"`
	UpdatedAt        string      `json:"updated_at"`
	Weight           json.Number `json:"weight"`
	CustomAttributes []struct {
		Code  string          `json:"attribute_code"`
		Value json.RawMessage `json:"value"`
	} `json:"custom_attributes"`
	Extension json.RawMessage `json:"extension_attributes"`
	Media     []struct {
		ID       int
		Label    *string
		Position int
		Types    []string
		File     string
	} `json:"media_gallery_entries"`
	Links []struct {
		Type   string `json:"link_type"`
		Linked string `json:"linked_product_sku"`
	} `json:"product_links"`
}

// text is the value of an attribute as text, "" where there is none.
func (p *shopProduct) text(code string) string {
	for _, a := range p.CustomAttributes {
		if a.Code == code {
			var s string
			if json.Unmarshal(a.Value, &s) == nil {
				return s
			}
			return string(a.Value)
		}
	}
	return ""
}

// ends are the ids that a configurable product is linked to.
func (p *shopProduct) ends() []int {
	var ext struct {
		Links []json.RawMessage `json:"configurable_product_links"`
	}
	_ = json.Unmarshal(p.Extension, &ext) // an empty list where there is nothing
	out := make([]int, len(ext.Links))
	for i, l := range ext.Links {
		out[i], _ = strconv.Atoi(strings.Trim(string(l), `"`))
	}
	return out
}

// products are all products of the shop, as a store view shows them, by SKU.
func (w *shopWorld) products(view string) map[string]*shopProduct {
	w.t.Helper()
	out := map[string]*shopProduct{}
	for last := 0; ; {
		q := url.Values{
			"searchCriteria[filter_groups][0][filters][0][field]":          {"entity_id"},
			"searchCriteria[filter_groups][0][filters][0][value]":          {strconv.Itoa(last)},
			"searchCriteria[filter_groups][0][filters][0][condition_type]": {"gt"},
			"searchCriteria[sortOrders][0][field]":                         {"entity_id"},
			"searchCriteria[sortOrders][0][direction]":                     {"ASC"},
			"searchCriteria[pageSize]":                                     {"300"},
		}
		var page struct{ Items []*shopProduct }
		w.call(http.MethodGet, "/rest/"+view+"/V1/products?"+q.Encode(), nil, &page)
		for _, p := range page.Items {
			if out[p.SKU] != nil {
				w.t.Errorf("the shop has %s twice", p.SKU)
			}
			out[p.SKU], last = p, p.ID
		}
		if len(page.Items) == 0 {
			return out
		}
	}
}

// options are the labels of an attribute's options by id.
func (w *shopWorld) options(code string) map[string]string {
	w.t.Helper()
	var list []struct{ Label, Value string }
	w.call(http.MethodGet, "/rest/all/V1/products/attributes/"+code+"/options", nil, &list)
	out := map[string]string{}
	for _, o := range list {
		out[o.Value] = o.Label
	}
	return out
}

// labels are the labels of an attribute's value.
func (p *shopProduct) labels(code string, options map[string]string) []string {
	var out []string
	for _, id := range strings.Split(p.text(code), ",") {
		if id != "" {
			out = append(out, options[id])
		}
	}
	return out
}

// attribute makes an attribute and puts it into the Default set.
func (w *shopWorld) attribute(code, input, scope string) {
	w.t.Helper()
	w.call(http.MethodPost, "/rest/all/V1/products/attributes", map[string]any{"attribute": map[string]any{
		"attribute_code": code, "frontend_input": input, "scope": scope, "default_frontend_label": strings.ReplaceAll(code, "_", " "), "is_required": false,
	}}, nil)
	w.assign(4, code)
}

// manyOptions gives ids to options of an attribute that nobody uses. Magento takes an option's id for a label, too: in a
// shop so new that option 31 is a size, there is no making the size 31 over its API.
func (w *shopWorld) manyOptions(n int) {
	w.t.Helper()
	w.attribute("filling", "select", "global")
	for i := range n {
		w.rest(http.MethodPost, "/rest/all/V1/products/attributes/filling/options", map[string]any{"option": map[string]any{"label": fmt.Sprintf("filling %d", i)}})
	}
}

// assign puts an attribute into a set, in its first group.
func (w *shopWorld) assign(set int, code string) {
	w.t.Helper()
	w.rest(http.MethodPost, "/rest/all/V1/products/attribute-sets/attributes", map[string]any{
		"attributeSetId": set, "attributeGroupId": w.group(set), "attributeCode": code, "sortOrder": 0,
	})
}

// group is the first group of a set.
func (w *shopWorld) group(set int) string {
	w.t.Helper()
	text := w.rest(http.MethodGet, fmt.Sprintf("/rest/all/V1/products/attribute-sets/groups/list?searchCriteria[filterGroups][0][filters][0][field]=attribute_set_id&searchCriteria[filterGroups][0][filters][0][value]=%d", set), nil)
	var groups struct {
		Items []struct {
			ID string `json:"attribute_group_id"`
		}
	}
	if err := json.Unmarshal(text, &groups); err != nil || len(groups.Items) == 0 {
		w.t.Fatalf("the set has no groups: %v", err)
	}
	return groups.Items[0].ID
}

// rest does something in the shop as its owner would.
func (w *shopWorld) rest(method, uri string, body any) json.RawMessage {
	w.t.Helper()
	text, err := w.srv.Rest(method, uri, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, uri, err)
	}
	return text
}
