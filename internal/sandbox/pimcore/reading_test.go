package pimcore

import (
	"strings"
	"testing"
	"time"
)

func TestRelations(t *testing.T) {
	s, _ := six(t)
	ask := func(want string) {
		t.Helper()
		s.want(`{getProduct(id:11){categories{... on object_Category{id}} manufacturer{__typename} crossSell{element{id}} downloads{... on asset{id}}}}`, nil, `{"data":{"getProduct":`+want+`}}`)
	}
	const cross = `"crossSell":[{"element":{"id":"10"}}],"downloads":[{"id":"3"}]`
	ask(`{"categories":[{"id":"5"},{"id":"6"}],"manufacturer":{"__typename":"object_Manufacturer"},` + cross + `}`)
	s.do(s.Unpublish(6))
	s.do(s.Unpublish(7))
	ask(`{"categories":[{"id":"5"}],"manufacturer":null,` + cross + `}`)
	s.do(s.Unpublish(5))
	ask(`{"categories":[],"manufacturer":null,` + cross + `}`) // all hidden
	s.do(s.Publish(5))
	s.do(s.Publish(6))
	s.do(s.Publish(7))
	s.SetWorkspaces([]Workspace{{Path: "/", Read: true}, {Path: "/Categories", Read: true}, {Path: "/Categories/sale"}, {Path: "/Manufacturers"}, {Path: "/", Assets: true}})
	ask(`{"categories":[{"id":"5"}],"manufacturer":null,"crossSell":[{"element":{"id":"10"}}],"downloads":[]}`)
	s.do(s.Configure(func(o *Options) { o.NotAllowedFails = true }))
	if got := s.ask(`{getProduct(id:11){categories{__typename}}}`, nil); !strings.Contains(got, "permission denied") {
		t.Errorf("not_allowed_policy 1: %s", got)
	}
	s.SetWorkspaces(nil)
	s.do(s.Delete(5))
	ask(`{"categories":[{"id":"6"}],"manufacturer":{"__typename":"object_Manufacturer"},` + cross + `}`)
	s.do(s.Save(11, map[string]any{"categories": nil, "crossSell": nil}))
	s.want(`{getProduct(id:11){categories{__typename} crossSell{element{id}} gallery{image{id}}}}`, nil, `{"data":{"getProduct":{"categories":[],"crossSell":[],"gallery":[{"image":{"id":"3"}}]}}}`)
	s.want(`{getCategory(id:6){products{... on object_Product{id}}}}`, nil, `{"data":{"getCategory":{"products":[{"id":"10"},{"id":"12"},{"id":"13"},{"id":"14"}]}}}`)
}

// Rows that may not be read are dropped behind the limit: pages come short, and a single get is refused.
func TestPermissions(t *testing.T) {
	s, _ := six(t)
	s.SetWorkspaces([]Workspace{{Path: "/Products", Read: true}, {Path: "/Products/p-0001"}})
	if got := s.ids(`sortBy:"id",first:2`, nil); got != "11 of 6" {
		t.Errorf("want a short page, got %q", got)
	}
	s.SetWorkspaces([]Workspace{})
	if got := s.ids(`sortBy:"id"`, nil); got != " of 6" {
		t.Errorf("nothing configured is nothing visible, got %q", got)
	}
	s.want(`mutation{createProduct(key:"x",parentId:2,input:{sku:"X"}){success message}}`, nil, `{"data":{"createProduct":{"success":false,"message":"not allowed to create object Product"}}}`)
}

func TestSingle(t *testing.T) {
	s, _ := six(t)
	s.do(s.Unpublish(12))
	for query, want := range map[string]string{
		`{getProduct(id:12){id published}}`:                      `{"data":{"getProduct":{"id":"12","published":false}}}`, // unpublished, too
		`{getProduct(fullpath:"/Products/p-0002"){id}}`:          `{"data":{"getProduct":{"id":"11"}}}`,
		`{getProduct(id:5){id}}`:                                 `{"errors":[{"message":"object with id:'5' not found","path":["getProduct"]}],"data":{"getProduct":null}}`, // of another class
		`{getProduct(fullpath:"/nope"){id}}`:                     `{"errors":[{"message":"object with fullpath:'/nope' not found","path":["getProduct"]}],"data":{"getProduct":null}}`,
		`{getProduct{id}}`:                                       `{"errors":[{"message":"object id or fullpath expected","path":["getProduct"]}],"data":{"getProduct":null}}`,
		`{getAsset(id:3,fullpath:"/x"){id}}`:                     `{"errors":[{"message":"either id or fullpath expected but not both","path":["getAsset"]}],"data":{"getAsset":null}}`,
		`{getAsset(id:3){filename dimensions{width} type}}`:      `{"data":{"getAsset":{"filename":"shirt.png","dimensions":{"width":32},"type":"image"}}}`,
		`{getAssetListing(first:5){totalCount edges{node{id}}}}`: `{"data":{"getAssetListing":{"totalCount":1,"edges":[{"node":{"id":"3"}}]}}}`,
		`{a:getProduct(id:11){id} b:getProduct(id:99){id}}`:      `{"errors":[{"message":"object with id:'99' not found","path":["b"]}],"data":{"a":{"id":"11"},"b":null}}`,
		`{getProduct(id:10){children(objectTypes:["variant"]){... on object_Product{id}} _siblings{... on object_Product{id}}}}`: `{"data":{"getProduct":{"children":[{"id":"15"}],"_siblings":[{"id":"11"},{"id":"13"},{"id":"14"}]}}}`,
	} {
		same(t, withoutLocations(t, s.ask(query, nil)), want)
	}
}

// A variant shows its parent's values, bricks too, but not those of the classification store.
func TestInheritance(t *testing.T) {
	s, _ := six(t)
	id := s.must(s.Create(NewObject{Class: "Product", Kind: "variant", Parent: 11, Key: "v", Values: map[string]any{"sku": "V", "stock": 1}}))
	s.want(`query($id:Int){getProduct(id:$id){stock price power weight{value} categories{... on object_Category{id}} bullets{... on fieldcollection_Bullet{text}} attributes{name}}}`, map[string]any{"id": id},
		`{"data":{"getProduct":{"stock":1,"price":21.95,"power":5.5,"weight":{"value":252.5},"categories":[{"id":"5"},{"id":"6"}],"bullets":[{"text":"soft"}],"attributes":null}}}`)
}

func TestLanguages(t *testing.T) {
	s, _ := six(t)
	s.do(s.Save(11, map[string]any{"name@de": nil}))
	s.want(`{getProduct(id:11){name de:name(language:"de") fr:name(language:"fr") xx:name(language:"xx")}}`, nil, `{"data":{"getProduct":{"name":"Shirt 2","de":"Shirt 2","fr":null,"xx":null}}}`)
	s.want(`{a:getProduct(id:10,defaultLanguage:"de"){name} b:getProduct(id:12){name}}`, nil, `{"data":{"a":{"name":"Hemd 1"},"b":{"name":"Hemd 3"}}}`) // it holds for the rest
	s.want(`{getProduct(id:15){name de:name(language:"de") objectType sku}}`, nil, `{"data":{"getProduct":{"name":"Shirt 1","de":"Hemd 1","objectType":"variant","sku":"SKU-0001-M"}}}`)
}

// What Pimcore does not date is not dated here.
func TestSilentChanges(t *testing.T) {
	s, clock := six(t)
	clock.at += 1000
	dates := func(id int) int64 { o, _ := s.Get(id); return o.Modified }
	before := dates(11)
	s.do(s.Rename(2, "Goods"))
	s.want(`{getProduct(id:11){fullpath}}`, nil, `{"data":{"getProduct":{"fullpath":"/Goods/p-0002"}}}`)
	s.do(s.Save(10, map[string]any{"color": "green"}))
	s.want(`{getProduct(id:15){color}}`, nil, `{"data":{"getProduct":{"color":"green"}}}`)
	s.do(s.Unpublish(5))
	s.do(s.ReplaceAsset(3, picture(9, 8, 8)))
	s.do(s.SaveVersion(11, map[string]any{"price": 5}))
	s.want(`{getProduct(id:11){price}}`, nil, `{"data":{"getProduct":{"price":21.95}}}`)
	s.do(s.SilentEdit(12, map[string]any{"price": 5}))
	if dates(11) != before || dates(15) != before+1 || dates(12) != before {
		t.Error("a date moved that does not")
	}
	if dates(10) != clock.at {
		t.Error("the parent's own date moves")
	}
	s.do(s.SaveWithDate(11, map[string]any{"price": 6}, 1000))
	if dates(11) != 1000 {
		t.Error("a date set by code is taken")
	}
	s.FailNext(FaultLate, 1)
	s.do(s.Save(11, nil))
	if dates(11) != clock.at-60 {
		t.Error("a late save has an old date")
	}
	commit := s.SaveLate(12, map[string]any{"price": 7})
	at := clock.at
	clock.at += 300
	s.do(commit())
	if dates(12) != at {
		t.Error("a late save has the date of its beginning")
	}
	s.do(s.Save(13, nil))
	s.do(s.Save(13, nil))
	if o, _ := s.Get(13); o.Modified != clock.at || o.VersionCount != 3 {
		t.Errorf("two saves in a second: %+v", o)
	}
	s.do(s.Move(14, 10))
	s.do(s.Move(10, 1))
	s.want(`{getProduct(id:14){fullpath}}`, nil, `{"data":{"getProduct":{"fullpath":"/p-0001/p-0005"}}}`)
	if err := s.Move(10, 14); err == nil {
		t.Error("an object below itself")
	}
}

func TestZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Ljubljana")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := observed(t, Options{Zone: zone})
	s.must(s.Create(NewObject{ID: 10, Class: "Product", Parent: 2, Key: "a", Values: full(1)}))
	s.want(`{getProduct(id:10){availableFrom}}`, nil, `{"data":{"getProduct":{"availableFrom":"2024-03-05 14:30:15"}}}`)
	s.want(`mutation{updateProduct(id:10,input:{releaseDate:"2025-07-01"}){output{releaseDate}}}`, nil, `{"data":{"updateProduct":{"output":{"releaseDate":"2025-07-01 00:00:00"}}}}`)
}
