package magento

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// writeBench is a shop with a few attributes, to be written to.
type writeBench struct {
	t    *testing.T
	shop *testShop
	sys  *System
}

func newWriteBench(t *testing.T, o sandbox.Options, set lockstep.Settings) *writeBench {
	t.Helper()
	shop := newTestShop(t, o)
	for _, a := range []struct{ code, input, scope string }{
		{"shade", "select", "global"}, {"size_x", "select", "global"}, {"material_x", "multiselect", "global"}, {"eco", "boolean", "website"},
		{"short_txt", "text", "store"}, {"long_note", "textarea", "store"}, {"web_txt", "text", "website"}, {"born_on", "date", "global"},
		{"seen_at", "datetime", "global"}, {"cost_x", "price", "global"},
	} {
		shop.post(t, "POST", "all/V1/products/attributes", fmt.Sprintf(
			`{"attribute":{"attribute_code":%q,"frontend_input":%q,"scope":%q,"is_required":false,"default_frontend_label":%q}}`, a.code, a.input, a.scope, a.code))
		shop.post(t, "POST", "all/V1/products/attribute-sets/attributes", fmt.Sprintf(
			`{"attributeSetId":4,"attributeGroupId":"7","attributeCode":%q,"sortOrder":10}`, a.code))
	}
	shop.post(t, "POST", "all/V1/products/attributes", `{"attribute":{"attribute_code":"homeless","frontend_input":"text","scope":"global","is_required":false,"default_frontend_label":"In no set"}}`)
	for _, o := range []string{"shade Red", "shade Green", "shade Blue", "size_x S", "size_x M", "material_x Cotton", "material_x Wool"} {
		code, label, _ := strings.Cut(o, " ")
		shop.post(t, "POST", "all/V1/products/attributes/"+code+"/options", fmt.Sprintf(`{"option":{"label":%q}}`, label))
	}
	b := &writeBench{t, shop, shop.open(t, set)}
	shop.writes()
	return b
}

func (b *writeBench) write(pairs ...any) lockstep.Write {
	f := value.F(pairs...)
	sku, _ := f.Get("sku")
	return lockstep.Write{Key: lockstep.Key(sku.Text()), Fields: f}
}

func (b *writeBench) apply(writes ...lockstep.Write) []lockstep.Result {
	b.t.Helper()
	res, err := b.sys.Apply(b.t.Context(), productsStream, writes)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// must makes writes that must be done, and answers with the calls that changed something.
func (b *writeBench) must(writes ...lockstep.Write) []string {
	b.t.Helper()
	b.shop.writes()
	for i, r := range b.apply(writes...) {
		if r.Err != nil {
			b.t.Fatalf("write %d: %v", i, r.Err)
		}
	}
	return b.shop.writes()
}

// fails makes a write that must be refused by a code.
func (b *writeBench) fails(code lockstep.Code, w lockstep.Write) *lockstep.Fault {
	b.t.Helper()
	f := lockstep.FaultOf(b.apply(w)[0].Err)
	if f == nil || f.Code != code {
		b.t.Fatalf("the answer is %v, want %s", f, code)
	}
	return f
}

// get is a product as the shop has it in a scope, with its attributes as members.
func (b *writeBench) get(scope, sku string) map[string]any {
	b.t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", scope+"/V1/products/"+escape(sku), "")), &out); err != nil {
		b.t.Fatal(err)
	}
	list, _ := out["custom_attributes"].([]any)
	for _, it := range list {
		at := it.(map[string]any)
		out[at["attribute_code"].(string)] = at["value"]
	}
	return out
}

// want checks members of a product in a scope.
func (b *writeBench) want(scope, sku string, pairs ...any) {
	b.t.Helper()
	got := b.get(scope, sku)
	for i := 0; i < len(pairs); i += 2 {
		if name := pairs[i].(string); fmt.Sprint(got[name]) != fmt.Sprint(pairs[i+1]) {
			b.t.Errorf("%s of %s in %s is %v, want %v", name, sku, scope, got[name], pairs[i+1])
		}
	}
}

func shirt(sku string, more ...any) []any {
	return append([]any{"sku", sku, "name", "Shirt", "price", 10, "status", 1, "visibility", 4}, more...)
}

func TestAProductIsWrittenInFewCalls(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	full := shirt("S-1", "name_de", "Hemd", "shade", "Red", "material_x", []any{"Wool", "Cotton"}, "eco", true, "short_txt", "x", "cost_x", 1.5)
	if got := b.must(b.write(full...)); !slices.Equal(got, []string{"POST all/V1/products", "PUT de/V1/products/S-1"}) {
		t.Errorf("a first sync with one view: %v", got)
	}
	b.want("all", "S-1", "name", "Shirt", "price", 10, "url_key", "shirt-s-1", "eco", "1", "short_txt", "x", "cost_x", "1.500000")
	b.want("de", "S-1", "name", "Hemd", "short_txt", "x")
	if got := b.must(b.write(full...)); len(got) > 0 {
		t.Errorf("an unchanged product: %v", got)
	}
	changed := slices.Clone(full)
	changed[5] = 11
	if got := b.must(b.write(changed...)); !slices.Equal(got, []string{"PUT all/V1/products/S-1"}) {
		t.Errorf("one changed field: %v", got)
	}
	if got := b.must(b.write("sku", "S-1", "name_de", "Bluse")); !slices.Equal(got, []string{"PUT de/V1/products/S-1"}) {
		t.Errorf("one changed field of a view: %v", got)
	}
	b.want("all", "S-1", "name", "Shirt", "price", 11)
}

func TestAViewFollowsWhatCountsForAll(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("S-1", "name_de", "Hemd", "short_txt", "base", "short_txt_de", "deutsch")...))
	// null, and the value of all, take a view's own value away.
	b.must(b.write("sku", "S-1", "name_de", nil, "short_txt_de", "base"))
	b.want("de", "S-1", "name", "Shirt", "short_txt", "base")
	b.must(b.write("sku", "S-1", "name", "Blouse", "name_de", nil, "short_txt", "new", "short_txt_de", nil))
	b.want("de", "S-1", "name", "Blouse", "short_txt", "new")
	// A view that shows the old value of all is to keep it.
	b.must(b.write("sku", "S-1", "short_txt", "newer", "short_txt_de", "new"))
	b.want("all", "S-1", "short_txt", "newer")
	b.want("de", "S-1", "short_txt", "new")
	// And one that has, by its own value, what counts for all does not follow: it is looked at.
	b.shop.post(t, "PUT", "de/V1/products/S-1", `{"product":{"name":"Blouse"}}`)
	b.must(b.write("sku", "S-1", "name", "Tunic", "name_de", nil))
	b.want("de", "S-1", "name", "Tunic")
}

func TestAViewsOwnMemberIsLevelEvenWhereNullDoesNotTakeItAway(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("S-1", "name_de", "Hemd")...))
	b.shop.interfere(func(_ http.ResponseWriter, r *http.Request, body []byte) bool { // some versions pass over a member that is null
		if r.Method == http.MethodPut && strings.Contains(string(body), `"name":null`) {
			r.Body = http.NoBody
			body = []byte(strings.Replace(string(body), `"name":null`, `"weight":2`, 1))
			*r = *httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
		}
		return false
	}, nil)
	b.must(b.write("sku", "S-1", "name_de", nil))
	b.want("de", "S-1", "name", "Shirt")
}

func TestWebsiteAttributesAreWrittenOncePerWebsite(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	got := b.must(b.write(shirt("S-1", "web_txt", "base", "web_txt_de", "here", "web_txt_default", "here")...))
	if !slices.Equal(got, []string{"POST all/V1/products", "PUT default/V1/products/S-1"}) {
		t.Errorf("two views of one website: %v", got)
	}
	b.want("de", "S-1", "web_txt", "here")
	b.fails(lockstep.CodeValue, b.write("sku", "S-1", "web_txt_de", "a", "web_txt_default", "b"))
	b.must(b.write("sku", "S-1", "web_txt_de", nil, "web_txt_default", nil))
	b.want("de", "S-1", "web_txt", "base")
	b.want("default", "S-1", "web_txt", "base")
	b.want("all", "S-1", "web_txt", "base")
}

func TestNullTakesAValueAway(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("S-1", "short_txt", "x", "shade", "Red", "material_x", []any{"Wool"}, "cost_x", 5, "eco", true)...))
	none := []any{"sku", "S-1", "short_txt", nil, "shade", nil, "material_x", nil, "cost_x", nil, "eco", nil}
	b.must(b.write(none...))
	b.want("all", "S-1", "short_txt", nil, "shade", nil, "material_x", nil, "cost_x", nil, "eco", nil)
	if got := b.must(b.write(none...)); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
	b.fails(lockstep.CodeConstraint, b.write("sku", "S-1", "name", nil))
}

func TestSKUs(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	for _, sku := range []string{"A/B", "A B", "A+B", "A%B", "A&B?C#D", "a,b;c=d", "it's", `A\B`, "Ä-ß", "A:B@C"} {
		b.must(b.write(shirt(sku)...))
		b.must(b.write("sku", sku, "price", 12, "name_de", "Hemd"))
		b.want("all", sku, "price", 12)
		if got := b.must(b.write("sku", sku, "price", 12, "name_de", "Hemd")); len(got) > 0 {
			t.Errorf("%s: %v", sku, got)
		}
		if r := b.apply(lockstep.Write{Op: lockstep.Delete, Key: lockstep.Key(sku)})[0]; r.Err != nil {
			t.Errorf("deleting %s: %v", sku, r.Err)
		}
		if n := b.rows(sku); n != 0 && !strings.Contains(sku, ",") {
			t.Errorf("%s is still there", sku)
		}
	}
	b.fails(lockstep.CodeKey, b.write(shirt(strings.Repeat("L", 65))...))
	b.must(b.write(shirt("Keep-Me")...))
	if r := b.apply(b.write("sku", " keep-me ", "price", 13))[0]; r.Err != nil || r.Key != "Keep-Me" {
		t.Errorf("another spelling is answered with %+v", r)
	}
	b.want("all", "Keep-Me", "sku", "Keep-Me", "price", 13)
	b.fails(lockstep.CodeKey, lockstep.Write{Key: "Keep-Me", Fields: value.F("sku", "Other", "price", 1)})
}

func TestASKUThatTheDatabaseTakesForAnotherOne(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("Keep-Me")...))
	b.shop.interfere(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool { // the usual collations compare without marks
		r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, escape("Këep-Me"), "Keep-Me")
		return false
	}, nil)
	b.shop.writes()
	b.fails(lockstep.CodeUnique, b.write(shirt("Këep-Me")...))
	if got := b.shop.writes(); len(got) > 0 {
		t.Errorf("sent: %v", got)
	}
}

func TestURLKeys(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("A/1")...), b.write(shirt("A-1")...))
	one, two := b.get("all", "A/1")["url_key"], b.get("all", "A-1")["url_key"]
	if one == two || !strings.HasPrefix(fmt.Sprint(one), "shirt-a-1") || !strings.HasPrefix(fmt.Sprint(two), "shirt-a-1") {
		t.Errorf("the keys are %v and %v", one, two)
	}
	b.must(b.write(shirt("B-1", "url_key", "mine")...))
	f := b.fails(lockstep.CodeUnique, b.write(shirt("B-2", "url_key", "mine")...))
	if f.Kind != lockstep.Invalid {
		t.Errorf("a mapped key that clashes is %v", f)
	}
	b.sys = b.shop.open(t, lockstep.Settings{"url_key_clash": "suffix"})
	b.must(b.write(shirt("B-2", "url_key", "Mine")...))
	b.want("all", "B-2", "url_key", "mine-b-2")
	if got := b.must(b.write(shirt("B-2", "url_key", "Mine")...)); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
	b.sys = b.shop.open(t, lockstep.Settings{"url_key_clash": "park"})
	b.shop.post(t, "POST", "all/V1/products", `{"product":{"sku":"C-0","name":"Shirt C 1","attribute_set_id":4,"price":1}}`)
	b.fails(lockstep.CodeUnique, b.write("sku", "C-1", "name", "Shirt", "price", 1))
}

func TestADoubledSKUIsNamedAsSuch(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("S-1")...))
	b.shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if r.Method == http.MethodPut {
			a.Code = http.StatusBadRequest
			a.Body.Reset()
			fmt.Fprintf(a.Body, `{"message":%q}`, saysURLKey)
		}
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/V1/products") {
			text := a.Body.String()
			if i, j := strings.Index(text, `[{"id"`), strings.LastIndex(text, "]"); i > 0 && j > i {
				item := text[i+1 : j]
				second := strings.Replace(item, `{"id":1,`, `{"id":99,`, 1)
				a.Body.Reset()
				fmt.Fprintf(a.Body, `{"items":[%s,%s],"total_count":2}`, item, second)
			}
		}
	})
	b.fails(lockstep.CodeAmbiguous, b.write("sku", "S-1", "price", 99))
}

func TestAProductThatSomebodyElseMakesMeanwhileIsLookedAtAgain(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodPost {
			return false
		}
		b.shop.interfere(nil, nil)
		b.shop.product(t, "S-1")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":%q}`, saysURLKey)
		return true
	}, nil)
	if f := b.fails(lockstep.CodeVersionMoved, b.write(shirt("S-1")...)); f.Kind != lockstep.Conflict {
		t.Errorf("the answer is %v", f)
	}
}

// A batch is looked at by one search for each scope, however many products are in it.
func TestABatchIsLookedAtOnce(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	var writes []lockstep.Write
	for i := range 50 {
		writes = append(writes, b.write(shirt(fmt.Sprint("S-", i), "name_de", "Hemd")...))
	}
	b.must(writes...)
	b.apply(writes...)
	b.shop.mu.Lock()
	defer b.shop.mu.Unlock()
	slices.Sort(b.shop.log) // they go side by side
	if want := []string{"GET /rest/all/V1/products", "GET /rest/de/V1/products"}; !slices.Equal(b.shop.log, want) {
		t.Errorf("fifty unchanged products: %v", b.shop.log)
	}
}
