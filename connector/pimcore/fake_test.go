package pimcore

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// endpoint answers with recorded answers: introspection from a table of types, the rest by a function of the test.
type endpoint struct {
	types  map[string]fakeType
	off    bool // introspection
	answer func(w http.ResponseWriter, query string, vars map[string]any)

	mu      sync.Mutex
	queries []string
	bodies  []string
	url     string
}

// fakeType is a type: its fields as `name type` with `@` behind the name of a localized one, or what a union may be.
type fakeType struct {
	kind   string
	fields []string
}

func obj(fields ...string) fakeType { return fakeType{"OBJECT", fields} }

func union(types ...string) fakeType { return fakeType{"UNION", types} }

// productTypes is the schema of the contract's examples.
func productTypes() map[string]fakeType {
	element := []string{"id ID", "creationDate Int", "modificationDate Int", "classname String", "objectType String", "index Int", "childrenSortBy String", "version Int",
		"tags [element_tag]", "properties [ElementProperty]", "parent object_tree", "children [object_tree]", "_siblings [object_tree]"}
	with := func(more ...string) fakeType { return obj(append(append([]string{}, element...), more...)...) }
	return map[string]fakeType{
		"Query": obj("getProduct object_Product", "getProductListing ProductConnection", "getCategory object_Category", "getCategoryListing CategoryConnection",
			"getManufacturer object_Manufacturer", "getManufacturerListing ManufacturerConnection", "getAsset asset", "getAssetListing AssetConnection"),
		"Mutations": obj("createProduct CreateProductResult", "updateProduct UpdateProductResult", "deleteProduct DeleteProductResult"),
		"object_Product": with("key String", "fullpath String", "published Boolean", "sku String", "price Float", "stock Int", "active Boolean", "discontinued Boolean", "releaseDate String",
			"availableFrom String", "name@ String", "description@ String", "slug@ [UrlSlug]", "categories [object_Product_categories]", "manufacturer object_Product_manufacturer",
			"crossSell [object_Product_crossSell]", "downloads [object_Product_downloads]", "color String", "badges [String]", "mainImage asset", "gallery [hotspotimage]",
			"weight QuantityValue", "power Float", "voltage String", "bullets [object_Product_bullets]", "faq [block_Product_faq_entry]", "attributes@ [csGroup]", "moreInfo Link"),
		"object_Category":           with("key String", "fullpath String", "published Boolean", "code String", "name@ String"),
		"object_Manufacturer":       with("key String", "fullpath String", "published Boolean", "name String", "logo asset"),
		"object_folder":             obj("id ID", "key String", "fullpath String"),
		"object_tree":               union("object_folder", "object_Product", "object_Category"),
		"object_Product_categories": union("object_Category"), "object_Product_manufacturer": union("object_Manufacturer"), "object_Product_downloads": union("asset", "object_Product"),
		"object_Product_crossSell": obj("element object_Product_crossSell_element", "metadata [element_metadata_item]"), "object_Product_crossSell_element": union("object_Product"),
		"element_metadata_item": obj("name String", "value String"),
		"asset":                 obj("id ID", "fullpath String", "filename String", "mimetype String", "filesize Int", "modificationDate Int", "data String"),
		"hotspotimage":          obj("image asset", "crop HotspotCrop"), "HotspotCrop": obj("cropTop Float"),
		"QuantityValue": obj("value Float", "unit QuantityValueUnit"), "QuantityValueUnit": obj("id String", "abbreviation String", "longname String"),
		"object_Product_bullets": union("fieldcollection_Bullet", "fieldcollection_Note"), "fieldcollection_Bullet": obj("text String", "position Int"), "fieldcollection_Note": obj("text String", "position String"),
		"block_Product_faq_entry": obj("question String", "answer String"),
		"csGroup":                 obj("id Int", "name String", "features [csFeature]"), "csFeature": union("csFeatureInput", "csFeatureNumeric", "csFeatureCheckbox"),
		"csFeatureInput":    obj("id Int", "name String", "type String", "text String"),
		"csFeatureNumeric":  obj("id Int", "name String", "type String", "number String"),
		"csFeatureCheckbox": obj("id Int", "name String", "type String", "checked Boolean"),
		"Link":              obj("text String", "path String", "target String"), "UrlSlug": obj("slug String", "siteId Int"),
		"UpdateProductInput": {"INPUT_OBJECT", []string{"sku String", "name String"}},
	}
}

func newEndpoint(t *testing.T, types map[string]fakeType) *endpoint {
	e := &endpoint{types: types}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	e.url = srv.URL + "/pimcore-graphql-webservices/sync"
	return e
}

func (e *endpoint) open(t *testing.T, more ...any) *System {
	t.Helper()
	set := lockstep.Settings{"url": e.url, "api_key": "0123456789abcdef0123"}
	for i := 0; i+1 < len(more); i += 2 {
		set[more[i].(string)] = more[i+1]
	}
	sys, err := Connector.Open(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Close() })
	return sys.(*System)
}

var typeAsked = regexp.MustCompile(`(\w+):__type\(name:"(\w+)"\)`)

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var body struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		http.Error(w, "no JSON", 400)
		return
	}
	if r.Header.Get("X-API-Key") == "" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(403)
		io.WriteString(w, "<!DOCTYPE html><html></html>")
		return
	}
	asked := typeAsked.FindAllStringSubmatch(body.Query, -1)
	e.mu.Lock()
	e.bodies = append(e.bodies, string(raw))
	if asked == nil {
		e.queries = append(e.queries, body.Query)
	}
	e.mu.Unlock()
	switch {
	case asked != nil && e.off:
		io.WriteString(w, `{"errors":[{"message":"GraphQL introspection is not allowed, but the query contained __schema or __type","locations":[{"line":1,"column":2}]}]}`)
	case asked != nil:
		out := map[string]any{}
		for _, a := range asked {
			out[a[1]] = e.typeOf(a[2])
		}
		json.NewEncoder(w).Encode(map[string]any{"data": out})
	case e.answer != nil:
		e.answer(w, body.Query, body.Variables)
	default:
		http.Error(w, "nothing to say", 500)
	}
}

func (e *endpoint) typeOf(name string) any {
	t, ok := e.types[name]
	if !ok {
		return nil
	}
	ref := func(text string) any {
		inner, list := strings.CutPrefix(text, "[")
		inner = strings.TrimSuffix(inner, "]")
		kind := "OBJECT"
		if isScalar(inner) {
			kind = "SCALAR"
		} else if known, ok := e.types[inner]; ok {
			kind = known.kind
		}
		one := map[string]any{"kind": kind, "name": inner}
		if list {
			return map[string]any{"kind": "LIST", "name": nil, "ofType": one}
		}
		return one
	}
	out := map[string]any{"kind": t.kind}
	var fields, possible []any
	for _, f := range t.fields {
		n, typ, _ := strings.Cut(f, " ")
		n, localized := strings.CutSuffix(n, "@")
		if t.kind == "UNION" {
			possible = append(possible, map[string]any{"name": f})
			continue
		}
		args := []any{}
		if localized {
			args = append(args, map[string]any{"name": "language", "type": map[string]any{"kind": "SCALAR"}})
		}
		fields = append(fields, map[string]any{"name": n, "args": args, "type": ref(typ)})
	}
	switch t.kind {
	case "UNION":
		out["possibleTypes"] = possible
	case "INPUT_OBJECT":
		out["inputFields"] = fields
	default:
		out["fields"] = fields
	}
	return out
}

func classSet(pairs ...any) map[string]lockstep.Settings {
	out := lockstep.Settings{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return map[string]lockstep.Settings{"Product": out}
}
