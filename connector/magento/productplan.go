package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

const productPath = "V1/products"

func (s *System) products() *entity {
	return &entity{client: s.client, conf: s.conf, name: "products", path: productPath, key: "sku", plan: s.planProducts, columns: s.productColumn}
}

const productHead = "id,sku,updated_at"

// productPlan is how products are read: one search for what counts for all store views, one for each store view that
// fields are wanted of, and what is needed to name what they refer to.
type productPlan struct {
	s      *System
	names  *value.Names
	def    *lockstep.Stream
	known  *attributes
	where  *places
	split  map[string]viewField
	views  []view
	inView []string // what to ask the views for
	needs  map[string]bool
	wants  map[string]bool // attributes, at whatever scope
}

// planProducts asks for what the fields need and for nothing else.
func (s *System) planProducts(ctx context.Context, r *reading) (*plan, error) {
	light := asked([]string{productHead})
	e := s.products()
	if r.light() {
		return &plan{fields: light, light: light, rows: e.lightRows}, nil
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return nil, err
	}
	where, err := s.shop.where(ctx)
	if err != nil {
		return nil, err
	}
	p := &productPlan{s: s, names: value.NewNames(r.Fields...), def: &r.def, known: known, where: where, split: splitViews(&r.def, where), needs: map[string]bool{}, wants: map[string]bool{}}
	base, own := newParts(productHead), newParts(productHead)
	for _, name := range r.Fields {
		p.needs[name] = true
		v, viewed := p.split[name]
		if !viewed {
			p.wants[name] = true
			base.add(productPart(name))
			continue
		}
		p.wants[v.code] = true
		own.add(productPart(v.code))
		if !slices.ContainsFunc(p.views, func(x view) bool { return x.code == v.view.code }) {
			p.views = append(p.views, v.view)
		}
	}
	p.inView = own.list()
	return &plan{fields: asked(base.list()), light: light, rows: p.rows}, nil
}

// productPart is what to ask for to know a field.
func productPart(name string) string {
	switch name {
	case "sku", "id", updatedField:
		return ""
	case "name", "price", "status", "visibility", "weight", "type_id", "created_at":
		return name
	case setField:
		return "attribute_set_id"
	case websitesField:
		return "extension_attributes[website_ids]"
	case categoryIDsField, categoriesField:
		return "extension_attributes[category_links]"
	case configurableField:
		return "extension_attributes[configurable_product_options]"
	case childrenField:
		return "extension_attributes[configurable_product_links]"
	case relatedField, upsellsField, crosssellsField, groupedField:
		return "product_links"
	case imagesField:
		return "media_gallery_entries[" + galleryFields + "]"
	}
	return "custom_attributes"
}

// parts are what to ask for of a record, without doubles; what is of extension_attributes stands in one.
type parts struct {
	plain []string
	ext   []string
}

func newParts(head string) *parts { return &parts{plain: []string{head}} }

func (p *parts) add(part string) {
	into := &p.plain
	if inner, ok := strings.CutPrefix(part, "extension_attributes["); ok {
		into, part = &p.ext, strings.TrimSuffix(inner, "]")
	}
	if part != "" && !slices.Contains(*into, part) {
		*into = append(*into, part)
	}
}

func (p *parts) list() []string {
	if len(p.ext) == 0 {
		return p.plain
	}
	return append(slices.Clone(p.plain), "extension_attributes["+strings.Join(p.ext, ",")+"]")
}

// asked is the answer that a search is to give.
func asked(parts []string) string { return "items[" + strings.Join(parts, ",") + "],total_count" }

// productPage is a page of products with what belongs to them.
type productPage struct {
	products []*wireProduct
	inViews  map[string]map[int64]*wireProduct // by view and number
	children map[int64]string                  // SKUs by number
	tree     *tree
	sets     *sets
	known    *attributes
	where    *places
}

func (p *productPlan) rows(ctx context.Context, items []json.RawMessage) ([]row, error) {
	rows := make([]row, len(items))
	var err error
	page := &productPage{products: make([]*wireProduct, len(items)), known: p.known}
	for i, raw := range items {
		w := &wireProduct{}
		if json.Unmarshal(raw, w) == nil && w.ID > 0 {
			page.products[i] = w
			rows[i] = bareRow(int64(w.ID), lockstep.Key(w.SKU), string(w.Updated))
			continue
		}
		if rows[i], err = p.s.products().head(raw); err != nil {
			return nil, err
		}
		rows[i].change.Fault = lockstep.NewFault(lockstep.CodeServer, errValue).On(lockstep.About{Key: rows[i].change.Record.Key})
	}
	if len(rows) == 0 {
		return rows, nil
	}
	if err := p.fill(ctx, page, rows); err != nil {
		return nil, err
	}
	for i, w := range page.products {
		if w == nil {
			continue
		}
		rec := &rows[i].change.Record
		values := make([]value.Value, p.names.Len())
		for j, name := range p.names.List() {
			if values[j], err = p.value(page, w, name); err != nil {
				rows[i].change.Fault = lockstep.NewFault(lockstep.CodeServer, err).On(lockstep.About{Key: rec.Key, Field: name})
				break
			}
		}
		if rows[i].change.Fault == nil {
			rec.Fields = p.names.Fields(values)
		}
	}
	return rows, nil
}

// fill asks for what a page needs besides itself: for the whole page at once.
func (p *productPlan) fill(ctx context.Context, page *productPage, rows []row) (err error) {
	if p.needs[setField] {
		if page.sets, err = p.freshSets(ctx, page); err != nil {
			return err
		}
	}
	page.where = p.where
	if p.needs[websitesField] {
		if page.where, err = p.freshPlaces(ctx, page); err != nil {
			return err
		}
	}
	if p.needs[categoriesField] {
		if page.tree, err = p.treeFor(ctx, page); err != nil {
			return err
		}
	}
	var calls []func() error
	if p.needs[childrenField] {
		calls = append(calls, func() (err error) {
			page.children, err = p.childrenOf(ctx, page)
			return err
		})
	}
	inViews := make([]map[int64]*wireProduct, len(p.views))
	for i, v := range p.views {
		calls = append(calls, func() (err error) {
			inViews[i], err = p.s.productsInView(ctx, v, p.inView, rows)
			return err
		})
	}
	if err := inParallel(p.s.conf.writers, calls...); err != nil {
		return err
	}
	page.inViews = map[string]map[int64]*wireProduct{}
	for i, v := range p.views {
		page.inViews[v.code] = inViews[i]
	}
	return p.freshOptions(ctx, page)
}

// productsInView reads the products of a page as a store view shows them.
func (s *System) productsInView(ctx context.Context, v view, parts []string, rows []row) (map[int64]*wireProduct, error) {
	out := make(map[int64]*wireProduct, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = number(rows[i].id).text()
	}
	// Numbers are short: a page of them fits into one filter.
	for some := range slices.Chunk(ids, s.conf.page) {
		got, err := s.client.find(ctx, "products in a store view", v.code, productPath, search{
			groups: [][]filter{{{numberColumn, oneOf, strings.Join(some, ",")}}}, sort: []string{numberColumn}, size: len(some), fields: asked(parts),
		})
		if err != nil {
			return nil, err
		}
		for _, raw := range got.items {
			w := &wireProduct{}
			if json.Unmarshal(raw, w) != nil {
				return nil, lockstep.Faultf(lockstep.CodeServer, "a product has another shape than Magento's").On(lockstep.About{Request: "products in a store view"})
			}
			out[int64(w.ID)] = w
		}
	}
	return out, nil
}

// treeFor is the tree with all categories of a page in it: those that are not there may have been made since.
func (p *productPlan) treeFor(ctx context.Context, page *productPage) (*tree, error) {
	t, err := p.s.shop.categories(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range page.products {
		if w == nil {
			continue
		}
		for _, id := range w.categoryIDs() {
			if t.byID[id] == nil {
				p.s.shop.trees.forget()
				return p.s.shop.categories(ctx)
			}
		}
	}
	return t, nil
}

// childrenOf are the SKUs of all children of a page's configurables.
func (p *productPlan) childrenOf(ctx context.Context, page *productPage) (map[int64]string, error) {
	out, ids := map[int64]string{}, []string{}
	for _, w := range page.products {
		if w == nil {
			continue
		}
		out[int64(w.ID)] = string(w.SKU)
	}
	for _, w := range page.products {
		if w == nil || w.Ext.it == nil || w.Ext.it.Children == nil {
			continue
		}
		for _, id := range *w.Ext.it.Children {
			if _, known := out[int64(id)]; !known {
				out[int64(id)] = ""
				ids = append(ids, id.text())
			}
		}
	}
	for some := range slices.Chunk(ids, p.s.conf.page) {
		got, err := p.s.client.find(ctx, "SKUs of children", allViews, productPath, search{
			groups: [][]filter{{{numberColumn, oneOf, strings.Join(some, ",")}}}, sort: []string{numberColumn}, size: len(some), fields: asked([]string{"id,sku"}),
		})
		if err != nil {
			return nil, err
		}
		if err := eachOf(func(w *wireProduct) { out[int64(w.ID)] = string(w.SKU) })(got.items); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// freshOptions looks at the attributes anew where a product has an option that is not known: it may have been made
// since, and to read it as nothing would lose it. One that is not there then is none, and is not looked for again.
func (p *productPlan) freshOptions(ctx context.Context, page *productPage) error {
	strange := func(known *attributes, each func(option string)) {
		for _, w := range page.products {
			for i := 0; w != nil && i < len(w.Custom); i++ {
				c := &w.Custom[i]
				if a := known.get(c.Code); a != nil && p.wants[c.Code] {
					for _, id := range a.unknownOptions(c.Value) {
						each(c.Code + "=" + id)
					}
				}
			}
		}
	}
	fresh := false
	strange(page.known, func(option string) { fresh = fresh || !p.s.shop.strange.has(option) })
	if !fresh {
		return nil
	}
	p.s.shop.product.forget()
	known, err := p.s.shop.productAttributes(ctx)
	if err != nil {
		return err
	}
	page.known = known
	strange(known, p.s.shop.strange.add)
	return nil
}

// freshSets are the attribute sets with those of all products of a page.
func (p *productPlan) freshSets(ctx context.Context, page *productPage) (*sets, error) {
	known, err := p.s.shop.attributeSets(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range page.products {
		if w != nil && known.byID[int64(w.Set)] == "" {
			p.s.shop.sets.forget()
			return p.s.shop.attributeSets(ctx)
		}
	}
	return known, nil
}

// freshPlaces are the websites with those of all products of a page.
func (p *productPlan) freshPlaces(ctx context.Context, page *productPage) (*places, error) {
	for _, w := range page.products {
		if w == nil || w.Ext.it == nil || w.Ext.it.Websites == nil {
			continue
		}
		for _, id := range *w.Ext.it.Websites {
			if p.where.websiteByID(int64(id)) == nil {
				p.s.shop.places.forget()
				return p.s.shop.where(ctx)
			}
		}
	}
	return p.where, nil
}
