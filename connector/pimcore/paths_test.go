package pimcore

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// product is one with a value in every kind of field.
func product(st *stand) int {
	st.Helper()
	ids, cats := st.srv.IDs("Product"), st.srv.IDs("Category")
	image := st.srv.AssetByPath("/product-images/p-01.png")
	if image == 0 {
		st.Fatal("the catalogue has other images")
	}
	st.do(st.srv.Save(cats[0], map[string]any{"code": "SHIRTS", "name@en": "Shirts", "name@de": "Hemden"}))
	st.do(st.srv.Save(ids[0], map[string]any{
		"sku": "SKU-0001", "name@en": "Shirt", "name@de": "Hemd", "categories": sandbox.Refs(cats[0]), "crossSell": []sandbox.Meta{{Ref: sandbox.Ref{ID: ids[1]}, Data: map[string]string{"sort": "1", "note": "hi"}}},
		"downloads": sandbox.Assets(image), "weight": sandbox.Quantity{Value: 252.5, Unit: "g"}, "power": 5.5, "badges": []string{"new", "sale"},
		"attributes": []sandbox.Feature{{Group: 1, Key: 1, Value: "cotton"}, {Group: 1, Key: 2, Value: 71.5}},
		"bullets":    []sandbox.Entry{{Type: "Bullet", Values: map[string]any{"text": "soft", "position": int64(1)}}},
		"faq":        []sandbox.Entry{{Type: "entry", Values: map[string]any{"question": "Washable?", "answer": "Yes"}}},
		"moreInfo":   sandbox.Link{Text: "more", Path: "https://example.test/x"}, "mainImage": sandbox.Ref{ID: image, Asset: true}, "gallery": sandbox.Assets(image),
	}))
	return ids[0]
}

// wantPaths are paths and what the product has there: in GraphQL with introspection, and, with "offline", what has to be
// written where it is off.
var wantPaths = map[string]struct{ path, offline, want string }{
	"name_de":     {"name@de", "name@de text", "Hemd"},
	"unit":        {"weight.unit.abbreviation", "weight.unit.abbreviation text", "g"},
	"codes":       {"categories[].code", "categories[](Category).code list<text>", `["SHIRTS"]`},
	"names":       {"categories[].name@de", "categories[](Category).name@de list<text>", `["Hemden"]`},
	"cats":        {"categories[]{code title: name@de}", "categories[](Category){code title:name@de}", `[{"code":"SHIRTS","title":"Hemden"}]`},
	"sort":        {"crossSell[].metadata.sort", "crossSell[].metadata.sort list<text>", `["1"]`},
	"material":    {"attributes.Apparel.material", "attributes(csGroup).Apparel.material text", "cotton"},
	"length":      {"attributes.`Apparel`.length decimal(8,2)", "attributes(csGroup).Apparel.length decimal(8,2)", "71.5"},
	"files":       {"downloads[](asset).fullpath", "downloads[](asset).fullpath list<text>", `["/product-images/p-01.png"]`},
	"power":       {"TechSpec~power", "power decimal", "5.5"},
	"bulletTexts": {"bullets[].text", "bullets[](fieldcollection_Bullet).text list<text>", `["soft"]`},
	"bullet":      {"bullets", "bullets[](fieldcollection_Bullet){text position}", ""},
	"answers":     {"faq[].answer", "faq[].answer list<text>", `["Yes"]`},
	"link":        {"moreInfo.path", "moreInfo.path text", "https://example.test/x"},
	"picture":     {"mainImage.filename", "mainImage.filename text", "p-01.png"},
	"pictures":    {"gallery[].image.filename", "gallery[].image.filename list<text>", `["p-01.png"]`},
	"folder":      {"parent.key", "parent(object_folder).key text", "home"},
	"badge":       {"badges set<text>", "badges set<text>", `["new","sale"]`},
}

func TestPathsReadWhatStandsThere(t *testing.T) {
	for _, off := range []bool{false, true} {
		st := newStand(t, sandbox.Options{Products: 6, NoIntrospection: off})
		fields := map[string]string{}
		for name, p := range wantPaths {
			if fields[name] = p.path; off {
				fields[name] = p.offline
			}
		}
		st.sys = st.open("classes", classSet("fields", fields))
		id := product(st)
		rec := st.fetch(products(slices.Sorted(maps.Keys(wantPaths))...), id)[key(id)]
		for name, p := range wantPaths {
			if got := text(rec.Fields, name); p.want != "" && got != p.want {
				t.Errorf("introspection off %v: %s is %s, want %s", off, fields[name], got, p.want)
			}
		}
		if got := text(rec.Fields, "bullet"); !strings.Contains(got, `"text":"soft"`) {
			t.Errorf("introspection off %v: %s", off, got)
		}
		if n := len(st.scan(products("name_de", "sort"), 3)); n != len(st.srv.IDs("Product")) {
			t.Errorf("introspection off %v: %d objects", off, n)
		}
	}
}

func TestUsualForms(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 6})
	id := product(st)
	rec := st.fetch(products("crossSell", "attributes_en", "bullets", "faq", "moreInfo", "mainImage", "gallery", "weight", "weight_unit"), id)[key(id)]
	for name, want := range map[string]string{
		"crossSell": `"metadata":{"sort":"1","note":"hi"}`, "attributes_en": `{"Apparel":{"material":"cotton","length":71.5}}`, "bullets": `[{"type":"Bullet","text":"soft","position":1}]`,
		"faq": `[{"question":"Washable?","answer":"Yes"}]`, "moreInfo": `"path":"https://example.test/x"`, "mainImage": `"filename":"p-01.png"`, "gallery": `"mimetype":"image/png"`, "weight": "252.5", "weight_unit": "g",
	} {
		if got := text(rec.Fields, name); !strings.Contains(got, want) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// What docs/pimcore.md shows as a path is one.
func TestDocsShowPaths(t *testing.T) {
	page, err := os.ReadFile("../../docs/pimcore.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| path | is |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	n := 0
	for _, line := range strings.Split(table, "\n") {
		cell := strings.TrimSpace(strings.Split(line, "|")[1])
		for _, part := range strings.Split(cell, ", ") {
			if part = strings.Trim(part, "` "); strings.Contains(cell, "``") {
				part += "`"
			}
			if strings.Count(part, "`")%2 == 1 {
				part = strings.TrimSuffix(part, "`")
			}
			if _, err := parsePath(part); err != nil {
				t.Errorf("%q: %v", part, err)
			}
			n++
		}
	}
	if n < 9 {
		t.Errorf("%d paths in the docs", n)
	}
}
