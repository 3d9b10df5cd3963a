package magento

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// The flags of an attribute: those that the wire has as booleans, and those that it has as "0" and "1".
func boolFlags() []string {
	return []string{"is_wysiwyg_enabled", "is_html_allowed_on_front", "used_for_sort_by", "is_filterable", "is_filterable_in_search",
		"is_used_in_grid", "is_visible_in_grid", "is_filterable_in_grid"}
}

func textFlags() []string {
	return []string{"is_searchable", "is_visible_in_advanced_search", "is_comparable", "is_used_for_promo_rules", "is_visible_on_front",
		"used_in_product_listing"}
}

func attributeShape() *shape {
	pair := func() *shape { return fields(map[string]typ{"key": text(), "value": text()}) }
	label := func() *shape { return fields(map[string]typ{"store_id": integer(), "label": text()}) }
	s := &shape{class: `\Magento\Catalog\Api\Data\ProductAttributeInterface`, fields: map[string]typ{
		"attribute_id": integer(), "attribute_code": text(), "frontend_input": text(), "entity_type_id": text(), "is_required": flag(),
		"is_user_defined": flag(), "is_visible": flag(), "scope": text(), "position": integer(), "apply_to": listOf(text()),
		"default_frontend_label": text(), "frontend_labels": listOf(object1(label)), "options": listOf(object1(optionShape)), "note": text(),
		"backend_type": text(), "backend_model": text(), "source_model": text(), "default_value": text(), "is_unique": text(),
		"frontend_class": text(), "validation_rules": listOf(object1(pair)), "extension_attributes": anything(), "custom_attributes": anything(),
	}}
	for _, f := range boolFlags() {
		s.fields[f] = flag()
	}
	for _, f := range textFlags() {
		s.fields[f] = text()
	}
	return s
}

func attributeRoutes() []route {
	const acl = "Magento_Catalog::attributes_attributes"
	params := []param{req("attribute", object1(attributeShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/products/attributes", resource: acl, run: listAttributes(productEntity)},
		{method: http.MethodGet, path: "/V1/products/attributes/types", resource: acl, run: attributeTypes},
		{method: http.MethodGet, path: "/V1/products/attributes/:attributeCode", resource: acl, run: getAttribute(productEntity)},
		{method: http.MethodPost, path: "/V1/products/attributes", resource: acl, run: saveAttribute, params: params},
		{method: http.MethodPut, path: "/V1/products/attributes/:attributeCode", resource: acl, run: saveAttribute, params: params},
		{method: http.MethodDelete, path: "/V1/products/attributes/:attributeCode", resource: acl, run: deleteAttribute},
		{method: http.MethodGet, path: "/V1/categories/attributes", resource: acl, run: listAttributes(categoryEntity)},
		{method: http.MethodGet, path: "/V1/categories/attributes/:attributeCode", resource: acl, run: getAttribute(categoryEntity)},
		{method: http.MethodGet, path: "/V1/categories/attributes/:attributeCode/options", resource: acl, run: categoryOptions},
	}
}

// attributeOf is the attribute of a code, or of an id.
func (c *call) attributeOf(entity int, code string) (*attribute, error) {
	if at := c.attributes.byCode[entity][code]; at != nil {
		return at, nil
	}
	if id, err := strconv.Atoi(code); err == nil {
		if at := c.attributes.byID[id]; at != nil && at.entity == entity {
			return at, nil
		}
	}
	return nil, fail(http.StatusNotFound, `The attribute with a "%1" attributeCode doesn't exist. Verify the attribute and try again.`, code)
}

func getAttribute(entity int) func(*call) (any, error) {
	return func(c *call) (any, error) {
		at, err := c.attributeOf(entity, c.path["attributeCode"])
		if err != nil {
			return nil, err
		}
		return c.attributeView(at), nil
	}
}

func categoryOptions(c *call) (any, error) {
	at, err := c.attributeOf(categoryEntity, c.path["attributeCode"])
	if err != nil {
		return nil, err
	}
	return at.optionViews(c.store), nil
}

func listAttributes(entity int) func(*call) (any, error) {
	return func(c *call) (any, error) {
		rows := make([]obj, 0, len(c.attributes.byCode[entity]))
		for _, id := range slices.Sorted(maps.Keys(c.attributes.byID)) {
			if at := c.attributes.byID[id]; at.entity == entity {
				rows = append(rows, c.attributeView(at))
			}
		}
		return searchRows(c, rows, map[string]string{"frontend_label": "default_frontend_label"})
	}
}

func (c *call) attributeView(at *attribute) obj {
	o := obj{}
	for _, f := range boolFlags() {
		o = append(o, member{f, at.flags[f]})
	}
	o = append(o, member{"position", at.position}, member{"apply_to", append([]string{}, at.applyTo...)})
	for _, f := range textFlags() {
		o = append(o, member{f, zeroOne(at.flags[f])})
	}
	o = append(o, member{"is_visible", at.user || at.label != ""}, member{"scope", at.scope}, member{"attribute_id", at.id},
		member{"attribute_code", at.code})
	if at.input == "" {
		o = append(o, member{"frontend_input", nil})
	} else {
		o = append(o, member{"frontend_input", at.input})
	}
	labels := []any{}
	for _, store := range slices.Sorted(maps.Keys(at.labels)) {
		labels = append(labels, obj{{"store_id", store}, {"label", at.labels[store]}})
	}
	o = append(o, member{"entity_type_id", itoa(at.entity)}, member{"is_required", at.required}, member{"options", at.optionViews(c.store)},
		member{"is_user_defined", at.user})
	if at.label != "" {
		o = append(o, member{"default_frontend_label", at.label})
	}
	o = append(o, member{"frontend_labels", labels})
	if at.note != "" {
		o = append(o, member{"note", at.note})
	}
	o = append(o, member{"backend_type", at.backend})
	backend, source := models(at)
	if backend != "" {
		o = append(o, member{"backend_model", backend})
	}
	if source != "" {
		o = append(o, member{"source_model", source})
	}
	if at.defaults || at.defaultValue != "" {
		o = append(o, member{"default_value", at.defaultValue})
	}
	return append(o, member{"is_unique", zeroOne(at.unique)}, member{"validation_rules", []any{}})
}

// models are the PHP classes behind an attribute.
func models(at *attribute) (backend, source string) {
	switch at.input {
	case "select":
		if at.table {
			source = `Magento\Eav\Model\Entity\Attribute\Source\Table`
		}
	case "boolean":
		source = `Magento\Eav\Model\Entity\Attribute\Source\Boolean`
	case "multiselect":
		backend = `Magento\Eav\Model\Entity\Attribute\Backend\ArrayBackend`
	case "date", "datetime":
		backend = `Magento\Eav\Model\Entity\Attribute\Backend\Datetime`
	case "price":
		backend = `Magento\Catalog\Model\Product\Attribute\Backend\Price`
	}
	return backend, source
}

// backendOf is the type of column that an input makes.
func backendOf(input string) string {
	switch input {
	case "textarea", "multiselect", "texteditor", "pagebuilder":
		return "text"
	case "date", "datetime":
		return "datetime"
	case "select", "boolean", "swatch_visual", "swatch_text":
		return "int"
	case "price", "weight":
		return "decimal"
	case "text", "media_image":
		return "varchar"
	}
	return ""
}

func invalidValue(field, value string) error {
	return failNamed(http.StatusBadRequest, `Invalid value of "%value" provided for the %fieldName field.`, "fieldName", field, "value", value)
}

// saveAttribute is POST and PUT. A body without attribute_id is a new attribute, whatever the path says.
func saveAttribute(c *call) (any, error) {
	in := c.in.object("attribute")
	if in.integer("attribute_id") == 0 {
		return c.createAttribute(in)
	}
	at, err := c.attributeOf(productEntity, in.text("attribute_code"))
	if err != nil {
		return nil, err
	}
	c.putAttribute(at, in)
	at.labels = storeLabels(in)
	return c.attributeView(at), nil
}

func (c *call) createAttribute(in object) (any, error) {
	labels := storeLabels(in)
	label := in.text("default_frontend_label")
	for _, e := range in.list("frontend_labels") {
		if l := e.(object); label == "" && l.integer("store_id") == 0 {
			label = l.text("label")
		}
	}
	if label == "" {
		return nil, missing("frontend_label")
	}
	code := in.text("attribute_code")
	if !regexp.MustCompile(`^[a-z][a-z_0-9]{0,59}$`).MatchString(code) {
		return nil, invalidValue("attribute_code", code)
	}
	input := in.text("frontend_input")
	if backendOf(input) == "" {
		return nil, invalidValue("frontend_input", input)
	}
	if c.attributes.byCode[productEntity][code] != nil {
		return nil, fail(http.StatusBadRequest, "%1 already exists.", "Attribute with the same code")
	}
	at := &attribute{entity: productEntity, code: code, label: label, labels: labels, input: input, backend: backendOf(input), scope: "global",
		user: true, table: input == "select" || input == "swatch_visual" || input == "swatch_text"}
	c.attributes.add(at)
	c.putAttribute(at, in)
	return c.attributeView(at), nil
}

func storeLabels(in object) map[int]string {
	labels := map[int]string{}
	for _, e := range in.list("frontend_labels") {
		if l := e.(object); l.integer("store_id") != 0 && l.text("label") != "" {
			labels[l.integer("store_id")] = l.text("label")
		}
	}
	return labels
}

// putAttribute takes what was sent into an attribute; code, input and backend stay.
func (c *call) putAttribute(at *attribute, in object) {
	if in.text("default_frontend_label") != "" {
		at.label = in.text("default_frontend_label")
	}
	if s := in.text("scope"); s == "global" || s == "website" || s == "store" {
		at.scope = s
	}
	if in.has("is_required") {
		at.required = in.flag("is_required")
	}
	if in.has("is_unique") {
		at.unique = in.text("is_unique") == "1"
	}
	if in.has("default_value") {
		at.defaultValue = in.text("default_value")
	}
	if in.has("apply_to") {
		at.applyTo = nil
		for _, e := range in.list("apply_to") {
			s, _ := e.(string)
			at.applyTo = append(at.applyTo, s)
		}
	}
	at.position, at.note = in.integer("position"), in.text("note")
	flags := map[string]bool{}
	maps.Copy(flags, at.flags)
	for _, f := range boolFlags() {
		if in.has(f) {
			flags[f] = in.flag(f)
		}
	}
	for _, f := range textFlags() {
		if in.has(f) {
			flags[f] = in.text(f) == "1"
		}
	}
	at.flags = flags
	if at.hasSource() && in.has("options") {
		c.putOptions(at, in.list("options"))
	}
}

func deleteAttribute(c *call) (any, error) {
	at, err := c.attributeOf(productEntity, c.path["attributeCode"])
	if err != nil {
		return nil, err
	}
	for _, p := range c.products.rows {
		p.values = slices.DeleteFunc(slices.Clone(p.values), func(v eavValue) bool { return v.attribute == at.id })
	}
	for _, s := range c.attributes.sets {
		delete(s.members, at.id)
	}
	delete(c.attributes.byID, at.id)
	delete(c.attributes.byCode[productEntity], at.code)
	return true, nil
}

func attributeTypes(*call) (any, error) {
	list := []any{}
	for _, t := range [][2]string{{"text", "Text Field"}, {"textarea", "Text Area"}, {"texteditor", "Text Editor"}, {"date", "Date"},
		{"datetime", "Date and Time"}, {"boolean", "Yes/No"}, {"multiselect", "Multiple Select"}, {"select", "Dropdown"}, {"price", "Price"},
		{"media_image", "Media Image"}, {"weee", "Fixed Product Tax"}, {"swatch_visual", "Visual Swatch"}, {"swatch_text", "Text Swatch"}} {
		list = append(list, obj{{"value", t[0]}, {"label", t[1]}})
	}
	return list, nil
}
