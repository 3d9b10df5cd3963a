package magento

import (
	"fmt"
	"testing"
)

func TestChildrenOfAConfigurableDiffer(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/V1/products/attributes", `{"attribute":{"attribute_code":"shade","frontend_input":"select","default_frontend_label":"Shade","options":[{"label":"Red"},{"label":"Blue"}]}}`)
	ask(t, srv, "POST", "/rest/V1/products/attribute-sets/attributes", `{"attributeSetId":4,"attributeGroupId":7,"attributeCode":"shade","sortOrder":1}`)
	for i, shade := range []string{"4", "5", "4", ""} {
		custom := ""
		if shade != "" {
			custom = fmt.Sprintf(`,"custom_attributes":[{"attribute_code":"shade","value":"%s"}]`, shade)
		}
		ask(t, srv, "POST", "/rest/all/V1/products", fmt.Sprintf(`{"product":{"sku":"C-%d","name":"C %d","attribute_set_id":4,"price":1,"visibility":1%s}}`, i+1, i+1, custom))
	}
	put := func(ext string) (int, map[string]any) {
		return ask(t, srv, "PUT", "/rest/all/V1/products/P", `{"product":{"name":"P","attribute_set_id":4,"type_id":"configurable","extension_attributes":{`+ext+`}}}`)
	}
	const option = `"configurable_product_options":[{"attribute_id":"137","label":"Shade","position":0,"values":[{"value_index":4}]}],`
	for _, c := range []struct {
		ext, message, params string
		code                 int
	}{
		{`"configurable_product_links":[1,2]`, `Products "%1" and "%2" have the same set of attribute values.`, "[2 1]", 400},
		{option + `"configurable_product_links":[1,3]`, `Products "%1" and "%2" have the same set of attribute values.`, "[3 1]", 400},
		{option + `"configurable_product_links":[1,4]`, `Product with id "%1" does not contain required attribute "%2".`, "[4 shade]", 400},
		{option + `"configurable_product_links":[1,99]`, "The product that was requested doesn't exist. Verify the product and try again.", "<nil>", 404},
		{option + `"configurable_product_links":[1,2]`, "<nil>", "<nil>", 200},
	} {
		code, got := put(c.ext)
		if code != c.code || fmt.Sprint(got["message"]) != c.message || fmt.Sprint(got["parameters"]) != c.params {
			t.Errorf("%s: %d %v %v", c.ext, code, got["message"], got["parameters"])
		}
	}
	ext := func() string {
		_, got := ask(t, srv, "GET", "/rest/all/V1/products/P?fields=extension_attributes[configurable_product_links,configurable_product_options[id,values]]", "")
		return fmt.Sprint(got["extension_attributes"])
	}
	if got := ext(); got != "map[configurable_product_links:[1 2] configurable_product_options:[map[id:1 values:[map[value_index:4] map[value_index:5]]]]]" {
		t.Error(got)
	}
	ask(t, srv, "DELETE", "/rest/all/V1/products/C-2", "")
	if got := ext(); got != "map[configurable_product_links:[1] configurable_product_options:[map[id:1 values:[map[value_index:4]]]]]" {
		t.Errorf("without a deleted child: %s", got)
	}
}

// A label is an option's whatever its case is, and a number is the option that has it as its id.
func TestAnOptionsLabelIsFoundWithoutRegardToCase(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/V1/products/attributes", `{"attribute":{"attribute_code":"shade","frontend_input":"select","default_frontend_label":"Shade"}}`)
	const options = "/rest/V1/products/attributes/shade/options"
	if code, got := ask(t, srv, "POST", options, `{"option":{"label":"Red","store_labels":[{"store_id":2,"label":"Rot"}]}}`); code != 200 || got[""] != "4" {
		t.Fatalf("%d %v", code, got)
	}
	for _, label := range []string{"RED", " red ", "4"} {
		if code, got := ask(t, srv, "POST", options, `{"option":{"label":"`+label+`"}}`); code != 400 || got["message"] != `Admin store attribute option label "%1" is already exists.` {
			t.Errorf("%q: %d %v", label, code, got)
		}
	}
	ask(t, srv, "PUT", options+"/4", `{"option":{"label":"Crimson"}}`)
	if _, got := ask(t, srv, "GET", "/rest/de/V1/products/attributes/shade/options", ""); fmt.Sprint(got[""]) != "[map[label:  value:] map[label:Crimson value:4]]" {
		t.Errorf("what a PUT leaves away is gone: %v", got)
	}
}

// An attribute that is sent with its options as they are listed loses their labels of the store views.
func TestAnAttributeSentWithItsOptionsLosesTheirLabels(t *testing.T) {
	srv := shop(t, Options{Open: true})
	const shade = `{"attribute":{"attribute_id":%d,"attribute_code":"shade","frontend_input":"select","default_frontend_label":"Shade"%s}}`
	ask(t, srv, "POST", "/rest/V1/products/attributes", fmt.Sprintf(shade, 0, ""))
	ask(t, srv, "POST", "/rest/V1/products/attributes/shade/options", `{"option":{"label":"Red","store_labels":[{"store_id":2,"label":"Rot"}]}}`)
	for _, c := range []struct{ sent, want string }{{"", "Rot"}, {`,"options":[{"label":" ","value":""},{"label":"Red","value":"4"}]`, "Red"}} {
		if code, got := ask(t, srv, "PUT", "/rest/V1/products/attributes/shade", fmt.Sprintf(shade, 137, c.sent)); code != 200 {
			t.Fatalf("%d %v", code, got)
		}
		if _, got := ask(t, srv, "GET", "/rest/de/V1/products/attributes/shade/options", ""); fmt.Sprint(got[""]) != "[map[label:  value:] map[label:"+c.want+" value:4]]" {
			t.Errorf("%q: %v", c.sent, got)
		}
	}
	if code, _ := ask(t, srv, "PUT", "/rest/V1/products/attributes/shade", fmt.Sprintf(shade, 0, "")); code != 400 {
		t.Errorf("a PUT without attribute_id is a new attribute, whose code is taken: %d", code)
	}
}
