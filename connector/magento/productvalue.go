package magento

import (
	"cmp"
	"slices"

	"github.com/lockstep-sync/lockstep/value"
)

// value is a field of a product.
func (p *productPlan) value(page *productPage, w *wireProduct, name string) (value.Value, error) {
	if v, ok := p.split[name]; ok {
		in := page.inViews[v.view.code][int64(w.ID)]
		if in == nil {
			return value.Null, nil // the view shows nothing of its own
		}
		return p.attributeValue(page, in, v.code)
	}
	ext := w.Ext.it
	if ext == nil {
		ext = &productExt{}
	}
	switch name {
	case "id":
		return value.Int(int64(w.ID)), nil
	case "sku":
		return value.Text(string(w.SKU)), nil
	case "type_id":
		return value.Text(string(w.Type)), nil
	case setField:
		if set, known := page.sets.byID[int64(w.Set)]; known {
			return value.Text(set), nil
		}
		return value.Null, nil
	case "created_at":
		return readAs(instantType, w.Created)
	case updatedField:
		return readTimeOrNull(string(w.Updated))
	case websitesField:
		return page.websites(ext), nil
	case categoryIDsField:
		return idList(w.categoryIDs()), nil
	case categoriesField:
		return page.paths(w), nil
	case configurableField:
		return page.choices(ext), nil
	case childrenField:
		return page.skusOf(ext), nil
	case relatedField:
		return linked(w, linkRelated), nil
	case upsellsField:
		return linked(w, linkUpsell), nil
	case crosssellsField:
		return linked(w, linkCrosssell), nil
	case groupedField:
		return grouped(w)
	case imagesField:
		return images(w), nil
	}
	return p.attributeValue(page, w, name)
}

// attributeValue is what a product has of an attribute.
func (p *productPlan) attributeValue(page *productPage, w *wireProduct, code string) (value.Value, error) {
	raw := w.raw(code)
	switch code {
	case "name":
		return readAs(textType, raw)
	case "price", "weight":
		return readAs(decimalType(""), raw)
	case "status", "visibility":
		return readAs(intType, raw)
	}
	a := page.known.get(code)
	if a == nil {
		return value.Null, nil // taken away since
	}
	return a.read(raw)
}

func readTimeOrNull(text string) (value.Value, error) {
	if text == "" {
		return value.Null, nil
	}
	return readTime(text)
}

func (page *productPage) websites(ext *productExt) value.Value {
	if ext.Websites == nil {
		return value.List()
	}
	var out []value.Value
	for _, id := range *ext.Websites {
		if w := page.where.websiteByID(int64(id)); w != nil {
			out = append(out, value.Text(w.code))
		}
	}
	return value.List(out...)
}

func idList(ids []int64) value.Value {
	out := make([]value.Value, len(ids))
	for i, id := range ids {
		out[i] = value.Int(id)
	}
	return value.List(out...)
}

// paths are the categories of a product by the names of their ways. What has no path is the root of all.
func (page *productPage) paths(w *wireProduct) value.Value {
	var out []value.Value
	for _, id := range w.categoryIDs() {
		if n := page.tree.byID[id]; n != nil && n.path != "" {
			out = append(out, value.Text(n.path))
		}
	}
	return value.List(out...)
}

// choices are the codes of the attributes by which children differ.
func (page *productPage) choices(ext *productExt) value.Value {
	var out []value.Value
	for _, o := range ext.Options {
		if a := page.known.byID[int64(o.Attribute)]; a != nil {
			out = append(out, value.Text(a.code))
		}
	}
	return value.List(out...)
}

func (page *productPage) skusOf(ext *productExt) value.Value {
	if ext.Children == nil {
		return value.List()
	}
	var out []value.Value
	for _, id := range *ext.Children {
		if sku := page.children[int64(id)]; sku != "" {
			out = append(out, value.Text(sku))
		}
	}
	return value.List(out...)
}

// linksOf are a product's links of a type, in their order.
func linksOf(w *wireProduct, kind string) []wireLink {
	var out []wireLink
	for _, l := range w.Links {
		if l.Type == kind {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b wireLink) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

func linked(w *wireProduct, kind string) value.Value {
	var out []value.Value
	for _, l := range linksOf(w, kind) {
		out = append(out, value.Text(string(l.SKU)))
	}
	return value.List(out...)
}

var groupedNames = value.NewNames("sku", "qty")

// grouped are the products of a grouped one, each with its quantity.
func grouped(w *wireProduct) (value.Value, error) {
	var out []value.Value
	for _, l := range linksOf(w, linkGrouped) {
		qty := value.Null
		if l.Ext.it != nil && l.Ext.it.Qty != "" {
			var err error
			if qty, err = readDecimal(string(l.Ext.it.Qty)); err != nil {
				return value.Null, err
			}
			qty = value.FromDecimal(qty.Decimal().Trim())
		}
		out = append(out, value.Object(groupedNames.Fields([]value.Value{value.Text(string(l.SKU)), qty})))
	}
	return value.List(out...), nil
}

var imageNames = value.NewNames("hash", "label", "roles", "disabled")

// images are a product's images in their order; videos are left out.
func images(w *wireProduct) value.Value {
	entries := readGallery(string(w.SKU), w.Media)
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id)) })
	out := make([]value.Value, len(entries))
	for i := range entries {
		e := &entries[i]
		label := value.Null
		if e.label != "" {
			label = value.Text(e.label)
		}
		roles := make([]value.Value, len(e.roles))
		for j, role := range e.roles {
			roles[j] = value.Text(role)
		}
		out[i] = value.Object(imageNames.Fields([]value.Value{value.Text(e.hash), label, value.List(roles...), value.Bool(e.disabled)}))
	}
	return value.List(out...)
}
