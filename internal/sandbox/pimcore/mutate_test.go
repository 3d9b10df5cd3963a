package pimcore

import (
	"strings"
	"testing"
)

func TestExampleMutations(t *testing.T) {
	// The requests that the file leaves out.
	requests := map[string]string{
		"create, key taken":          `mutation{createProduct(key:"p-00003",parentId:2,input:{sku:"X"}){success message output{id fullpath}}}`,
		"create, unique field taken": `mutation{createProduct(key:"p-x",parentId:2,input:{sku:"SKU-0001"}){success message output{id}}}`,
		"mandatory field empty":      `mutation{createProduct(key:"p-x",parentId:2,input:{price:1}){success message output{id published}}}`,
		"unknown relation target":    `mutation{updateProduct(id:10,input:{categories:[{fullpath:"/Categories/nope",type:"object"}]}){success message output{id}}}`,
		"unknown id":                 `mutation{updateProduct(id:99999,input:{price:1}){success message output{id}}}`,
		"null on an image":           `mutation{updateProduct(id:11,input:{mainImage:null}){success message}}`,
		"not permitted":              `mutation{updateProduct(id:10,input:{price:1}){success message}}`,
	}
	for _, c := range readExample[[]example](t, examples(t)["mutations"]) {
		t.Run(c.Case, func(t *testing.T) {
			s, clock := six(t)
			s.must(s.Create(NewObject{ID: 9, Class: "Product", Parent: 2, Key: "p-00003", Values: full(9)}))
			s.do(s.Save(9, map[string]any{"weight": Quantity{252.5, "g"}}))
			s.w.nextID = 22
			clock.at = 1795423534
			query := c.Request.Query
			if query == "" {
				query = requests[c.Case]
			}
			switch c.Case {
			case "delete":
				s.must(s.Create(NewObject{Class: "Product", Parent: 2, Key: "api-10", Values: map[string]any{"sku": "API"}}))
			case "not permitted":
				s.SetWorkspaces([]Workspace{{Path: "/", Read: true}})
			}
			s.want(query, nil, string(c.Response))
			if o, ok := s.Get(22); c.Case == "create" && (!ok || o.VersionCount != 2) {
				t.Errorf("a create is two saves: %+v", o)
			}
			if c.Case == "delete" && s.ByPath("/Products/api-10") != 0 {
				t.Error("the object is still there")
			}
		})
	}
}

func TestWrites(t *testing.T) {
	s, clock := six(t)
	clock.at += 100
	update := func(id, input, output string) string {
		return s.ask("mutation{updateProduct(id:"+id+",userId:7,defaultLanguage:\"de\",input:{"+input+"}){success message output{"+output+"}}}", nil)
	}
	for _, c := range []struct{ about, input, output, want string }{
		{"relations replace the list", `categories:[{id:6,type:"object"}]`, "categories{...on object_Category{id}}", `{"categories":[{"id":"6"}]}`},
		{"an empty list clears, and shows as null", `categories:[]`, "categories{__typename}", `{"categories":null}`},
		{"null clears a relation", `manufacturer:null`, "manufacturer{__typename}", `{"manufacturer":null}`},
		{"null clears a text", `color:null,price:null,active:null,discontinued:null,releaseDate:null,moreInfo:null,badges:null`, "color price active discontinued releaseDate moreInfo{text} badges", `{"color":null,"price":null,"active":null,"discontinued":null,"releaseDate":null,"moreInfo":null,"badges":null}`},
		{"null is ignored on quantities and collections", `weight:null,bullets:null`, "weight{value} bullets{...on fieldcollection_Bullet{text}}", `{"weight":{"value":252.5},"bullets":[{"text":"soft"}]}`},
		{"a text in one language", `name:"Neu"`, `name en:name(language:"en")`, `{"name":"Neu","en":"Shirt 2"}`},
		{"dates by number, text and word", `releaseDate:1735776000,availableFrom:"2025-01-02 03:04:05"`, "releaseDate availableFrom", `{"releaseDate":"2025-01-02 00:00:00","availableFrom":"2025-01-02 03:04:05"}`},
		{"a unit by its abbreviation", `weight:{value:2,unit:"cm"}`, "weight{value unit{id}}", `{"weight":{"value":2,"unit":{"id":"1"}}}`},
		{"metadata", `crossSell:[{id:12,type:"object",metadata:[{name:"note",value:"x"}]}]`, "crossSell{element{id} metadata{name value}}", `{"crossSell":[{"element":{"id":"12"},"metadata":[{"name":"sort","value":null},{"name":"note","value":"x"}]}]}`},
		{"collections and galleries", `bullets:{replace:true,items:{Bullet:[{text:"a",position:2}]}},gallery:{replace:true,images:[{id:3},{id:3}]}`, "bullets{...on fieldcollection_Bullet{text position}} gallery{image{id}}", `{"bullets":[{"text":"a","position":2}],"gallery":[{"image":{"id":"3"}},{"image":{"id":"3"}}]}`},
		{"key renames, published hides", `key:"other",published:false`, "fullpath published", `{"fullpath":"/Products/other","published":false}`},
		{"tags are the element's", `tags:[{name:"hot"}]`, "tags{name}", `{"tags":[{"name":"hot"}]}`},
	} {
		t.Run(c.about, func(t *testing.T) {
			same(t, update("11", c.input, c.output), `{"data":{"updateProduct":{"success":true,"message":"object 11 updated","output":`+c.want+`}}}`)
		})
	}
	before, _ := s.Get(12)
	s.ask(`mutation{updateProduct(id:12,userId:7,input:{sku:"SKU-0003"}){success}}`, nil)
	after, _ := s.Get(12)
	if after.Modified <= before.Modified || after.VersionCount != before.VersionCount+1 || after.UserModification != 7 {
		t.Errorf("a save without a change moves the date, the counter and the user: %+v", after)
	}
	s.ask(`mutation{updateProduct(id:12,omitVersionCreate:true,input:{}){success}}`, nil)
	if last, _ := s.Get(12); last.VersionCount != after.VersionCount {
		t.Error("omitVersionCreate moved the counter")
	}
	s.want(`mutation{deleteProduct(id:10){success message}}`, nil, `{"data":{"deleteProduct":{"success":true,"message":""}}}`)
	if _, ok := s.Get(15); ok {
		t.Error("the variant outlived its parent")
	}
	if id := s.w.nextID; !strings.Contains(s.ask(`mutation{createProduct(key:"other",parentId:2,input:{sku:"N"}){message}}`, nil), "Duplicate full path") || s.w.nextID != id+1 {
		t.Error("a refused create burns an id")
	}
}

func TestFoldersAndAssets(t *testing.T) {
	s, _ := six(t)
	s.want(`mutation{a:createObjectFolder(key:"Sub",parentId:2){success id} b:updateProduct(id:11,parentId:16,input:{}){success output{fullpath}}
		c:updateObjectFolder(id:16,key:"Moved"){success} d:createAsset(filename:"new.png",type:"image",path:"/product-images",input:{data:"aGVsbG8="}){success assetData{id filesize fullpath}}
		e:updateAsset(id:4,input:{data:"aGk="}){success assetData{filesize}} f:deleteAsset(id:4){success} g:createAssetFolder(filename:"f",parentId:1){success}}`, nil,
		`{"data":{"a":{"success":true,"id":16},"b":{"success":true,"output":{"fullpath":"/Products/Sub/p-0002"}},"c":{"success":true},
		"d":{"success":true,"assetData":{"id":"4","filesize":5,"fullpath":"/product-images/new.png"}},"e":{"success":true,"assetData":{"filesize":2}},"f":{"success":true},"g":{"success":true}}}`)
	s.want(`{getProduct(id:11){fullpath parent{... on object_folder{id}}}}`, nil, `{"data":{"getProduct":{"fullpath":"/Products/Moved/p-0002","parent":{"id":"16"}}}}`)
	s.want(`mutation{deleteObjectFolder(id:16){success message}}`, nil, `{"data":{"deleteObjectFolder":{"success":true,"message":""}}}`)
	if _, ok := s.Get(11); ok {
		t.Error("a folder's delete leaves its objects")
	}
}
