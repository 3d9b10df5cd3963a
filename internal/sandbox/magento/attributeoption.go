package magento

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// option is one option of a select or multiselect.
type option struct {
	id, sort int
	labels   map[int]string // by store; 0 is the admin's, which the others fall back to
}

func (o *option) label(store int) string {
	if s, ok := o.labels[store]; ok {
		return s
	}
	return o.labels[0]
}

func (a *attributes) openOptions() {
	a.optionIDs = 3 // the genders of customers
	for _, at := range a.byID {
		at.table = at.entity == productEntity && at.user && at.input == "select"
	}
}

// sortedOptions are an attribute's options as a store lists them: by their order, then by label.
func (at *attribute) sortedOptions(store int) []*option {
	return slices.SortedStableFunc(slices.Values(at.options), func(a, b *option) int {
		return cmp.Or(cmp.Compare(a.sort, b.sort), cmp.Compare(strings.ToLower(a.label(store)), strings.ToLower(b.label(store))),
			cmp.Compare(a.id, b.id))
	})
}

func (at *attribute) option(id int) *option {
	for _, o := range at.options {
		if o.id == id {
			return o
		}
	}
	return nil
}

// hasSource says whether an attribute works with options.
func (at *attribute) hasSource() bool {
	switch at.input {
	case "select", "multiselect", "boolean", "swatch_visual", "swatch_text":
		return true
	}
	return false
}

// optionViews are an attribute's options as a store sees them.
func (at *attribute) optionViews(store int) []any {
	list := []any{}
	add := func(label, value string) { list = append(list, obj{{"label", label}, {"value", value}}) }
	switch {
	case at.table || at.input == "multiselect":
		add(" ", "")
		for _, o := range at.sortedOptions(store) {
			add(o.label(store), itoa(o.id))
		}
	case at.input == "boolean":
		add("Yes", "1")
		add("No", "0")
	case at.hasSource():
		for _, o := range builtInOptions(at.code) {
			add(o[1], o[0])
		}
	}
	return list
}

// builtInOptions are the options of attributes whose source is in code, as far as a sync meets them.
func builtInOptions(code string) [][2]string {
	switch code {
	case "status":
		return [][2]string{{"1", "Enabled"}, {"2", "Disabled"}}
	case "visibility":
		return [][2]string{{"1", "Not Visible Individually"}, {"2", "Catalog"}, {"3", "Search"}, {"4", "Catalog, Search"}}
	case "tax_class_id":
		return [][2]string{{"0", "None"}, {"2", "Taxable Goods"}}
	case "quantity_and_stock_status":
		return [][2]string{{"1", "In Stock"}, {"0", "Out of Stock"}}
	case "country_of_manufacture":
		return [][2]string{{"", " "}, {"AT", "Austria"}, {"CN", "China"}, {"DE", "Germany"}, {"IT", "Italy"}, {"SI", "Slovenia"}, {"US", "United States"}}
	case "msrp_display_actual_price_type":
		return [][2]string{{"0", "Use config"}, {"1", "On Gesture"}, {"2", "In Cart"}, {"3", "Before Order Confirmation"}}
	case "options_container":
		return [][2]string{{"container1", "Product Info Column"}, {"container2", "Block after Info Column"}}
	case "is_active", "include_in_menu", "is_anchor", "gift_message_available", "custom_use_parent_settings", "custom_apply_to_products":
		return [][2]string{{"1", "Yes"}, {"0", "No"}}
	case "display_mode":
		return [][2]string{{"PRODUCTS", "Products only"}, {"PAGE", "Static block only"}, {"PRODUCTS_AND_PAGE", "Static block and products"}}
	}
	return nil
}

func optionShape() *shape {
	return fields(map[string]typ{"label": text(), "value": text(), "sort_order": integer(), "is_default": flag(),
		"store_labels": listOf(object1(func() *shape { return fields(map[string]typ{"store_id": integer(), "label": text()}) }))})
}

func optionRoutes() []route {
	const acl = "Magento_Catalog::attributes_attributes"
	params := []param{req("option", object1(optionShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/products/attributes/:attributeCode/options", resource: acl, run: listOptions},
		{method: http.MethodPost, path: "/V1/products/attributes/:attributeCode/options", resource: acl, run: addOption, params: params},
		{method: http.MethodPut, path: "/V1/products/attributes/:attributeCode/options/:optionId", resource: acl, run: changeOption, params: params},
		{method: http.MethodDelete, path: "/V1/products/attributes/:attributeCode/options/:optionId", resource: acl, run: deleteOption},
	}
}

func listOptions(c *call) (any, error) {
	at, err := c.attributeOf(productEntity, c.path["attributeCode"])
	if err != nil {
		return nil, err
	}
	return at.optionViews(c.store), nil
}

// optionAttribute is the attribute whose options are to be changed.
func (c *call) optionAttribute() (*attribute, error) {
	at, err := c.attributeOf(productEntity, c.path["attributeCode"])
	if err != nil {
		return nil, err
	}
	if !at.hasSource() {
		return nil, fail(http.StatusBadRequest, `The "%1" attribute doesn't work with options.`, at.code)
	}
	return at, nil
}

func noLabel() error {
	return fail(http.StatusBadRequest, "The attribute option label is empty. Enter the value and try again.")
}

// labelled is the option that a label means: without regard to case, and an option's id is a label, too.
func (at *attribute) labelled(label string) *option {
	for _, o := range at.options {
		if strings.EqualFold(o.labels[0], label) || itoa(o.id) == label {
			return o
		}
	}
	return nil
}

func addOption(c *call) (any, error) {
	at, err := c.optionAttribute()
	if err != nil {
		return nil, err
	}
	in := c.in.object("option")
	label := strings.TrimSpace(in.text("label"))
	if label == "" {
		return nil, noLabel()
	}
	if at.labelled(label) != nil {
		return nil, fail(http.StatusBadRequest, `Admin store attribute option label "%1" is already exists.`, in.text("label"))
	}
	o := &option{id: c.attributes.optionIDs.next()}
	at.put(o, in)
	at.options = append(at.options, o)
	return itoa(o.id), nil
}

// put takes what was sent into an option. What was not sent is reset.
func (at *attribute) put(o *option, in object) {
	o.sort = in.integer("sort_order")
	o.labels = map[int]string{0: strings.TrimSpace(in.text("label"))}
	for _, e := range in.list("store_labels") {
		l := e.(object)
		if l.integer("store_id") != 0 && l.text("label") != "" {
			o.labels[l.integer("store_id")] = l.text("label")
		}
	}
	at.defaults = true
	if in.flag("is_default") {
		at.defaultValue = itoa(o.id)
	}
}

func changeOption(c *call) (any, error) {
	at, err := c.optionAttribute()
	if err != nil {
		return nil, err
	}
	id, err := c.pathID("optionId")
	if err != nil {
		return nil, err
	}
	in := c.in.object("option")
	label := strings.TrimSpace(in.text("label"))
	if label == "" {
		return nil, noLabel()
	}
	o := at.option(id)
	if o == nil {
		return nil, fail(http.StatusBadRequest, `The '%1' attribute doesn't include an option id '%2'.`, at.code, id)
	}
	if other := at.labelled(label); other != nil && other != o {
		return nil, fail(http.StatusBadRequest, `Admin store attribute option label '%1' is already exists.`, in.text("label"))
	}
	at.put(o, in)
	return true, nil
}

func deleteOption(c *call) (any, error) {
	at, err := c.optionAttribute()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(at.options, func(o *option) bool { return itoa(o.id) == c.path["optionId"] })
	if i < 0 {
		return nil, fail(http.StatusNotFound, `The "%1" attribute doesn't include an option with "%2" ID.`, at.code, c.path["optionId"])
	}
	if at.defaultValue == c.path["optionId"] {
		at.defaultValue = ""
	}
	at.options = slices.Delete(at.options, i, i+1)
	return true, nil
}

// putOptions takes the options of an attribute in a body: those with an id change that one, the others are new.
func (c *call) putOptions(at *attribute, list []any) {
	next := 0
	for _, e := range list {
		in := maps.Clone(e.(object))
		if in.integer("sort_order") == 0 {
			in["sort_order"] = next
			next++
		}
		o := at.option(int(asNumber(in.text("value"))))
		if o == nil {
			if strings.TrimSpace(in.text("label")) == "" {
				continue // the empty one that every list begins with
			}
			o = &option{id: c.attributes.optionIDs.next()}
			at.options = append(at.options, o)
		}
		at.put(o, in)
	}
}
