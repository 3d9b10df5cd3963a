package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// reference is a product that others name.
type reference struct {
	id     int64
	sku    string
	typ    string
	values map[string]string // at the scope of all views
}

const (
	linkedFields = "items[id,sku,type_id],total_count"
	childFields  = "items[id,sku,type_id,custom_attributes],total_count"
)

// references reads the products that others name, by folded SKU.
func (s *System) references(ctx context.Context, skus []string, fields string) (map[string]*reference, error) {
	out := map[string]*reference{}
	for _, group := range inGroups("sku", skus) {
		err := s.client.findAll(ctx, "look at linked products", allViews, "V1/products",
			search{groups: [][]filter{group}, sort: []string{"entity_id"}, size: s.conf.page, fields: fields},
			eachOf(func(p *seenProduct) {
				if fold := foldSKU(string(p.SKU)); out[fold] == nil {
					out[fold] = &reference{int64(p.ID), string(p.SKU), p.Type, p.values()}
				}
			}))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// waiting is the fault of products that are named and are not there.
func waiting(what string, missing []string) error {
	slices.Sort(missing)
	shown := missing[:min(len(missing), 5)]
	for i, sku := range shown {
		shown[i] = strconv.Quote(sku)
	}
	more := ""
	if n := len(missing) - len(shown); n > 0 {
		more = " and " + strconv.Itoa(n) + " more"
	}
	return lockstep.Faultf(lockstep.CodeReference, "%s not there yet: %s%s", what, strings.Join(shown, ", "), more)
}

// variants brings together what a configurable product's children differ in, and its children; nil where it is level.
func (p *planner) variants(w *wanted, s *sight, refs map[string]*reference) (map[string]any, error) {
	if w.axes == nil && w.children == nil {
		return nil, nil
	}
	axes, err := p.axes(w, s)
	if err != nil {
		return nil, err
	}
	if w.children == nil { // they stay
		if sameAxes(axes, s) {
			return nil, nil
		}
		return map[string]any{"configurable_product_options": options(axes, nil)}, nil
	}
	children, err := resolveChildren(*w.children, refs)
	if err != nil {
		return nil, err
	}
	if len(children) > 0 && len(axes) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeValue, "a configurable product with children needs attributes that they differ in").On(lockstep.About{Field: configurableField})
	}
	if err := distinctChildren(children, axes); err != nil {
		return nil, err
	}
	ids := make([]int64, len(children))
	for i, c := range children {
		ids[i] = c.id
	}
	slices.Sort(ids)
	if s != nil && sameAxes(axes, s) && sameSet(ids, s.children) || s == nil && len(ids) == 0 && len(axes) == 0 {
		return nil, nil
	}
	out := map[string]any{"configurable_product_links": ids}
	if len(axes) > 0 { // links without what they differ in are refused by some versions
		out["configurable_product_options"] = options(axes, children)
	}
	return out, nil
}

// axes are the attributes that the children differ in: those that are wanted, else those that there are.
func (p *planner) axes(w *wanted, s *sight) ([]*attribute, error) {
	var out []*attribute
	if w.axes == nil {
		if s != nil {
			for _, a := range s.axes {
				if at := p.attrs.byID[int64(a.Attribute)]; at != nil {
					out = append(out, at)
				}
			}
		}
		return out, nil
	}
	for _, code := range *w.axes {
		at := p.attrs.get(code)
		if at == nil || at.input != "select" && !strings.HasPrefix(at.input, "swatch_") || at.scope != scopeGlobal {
			return nil, lockstep.Faultf(lockstep.CodeValue, "children can differ in selects of global scope only, and %q is none", code).On(lockstep.About{Field: configurableField})
		}
		out = append(out, at)
	}
	return out, nil
}

func sameAxes(axes []*attribute, s *sight) bool {
	var want, have []int64
	for _, a := range axes {
		want = append(want, a.id)
	}
	if s != nil {
		for _, a := range s.axes {
			have = append(have, int64(a.Attribute))
		}
	}
	return sameSet(want, have)
}

func sameSet(a, b []int64) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func resolveChildren(skus []string, refs map[string]*reference) ([]*reference, error) {
	var out []*reference
	var missing []string
	for _, sku := range skus {
		switch c := refs[foldSKU(sku)]; {
		case c == nil:
			missing = append(missing, sku)
		case c.typ != "simple" && c.typ != "virtual" && c.typ != "downloadable":
			return nil, lockstep.Faultf(lockstep.CodeValue, "a product of type %s cannot be a child: %q", c.typ, c.sku).On(lockstep.About{Field: childrenField})
		case !slices.Contains(out, c):
			out = append(out, c)
		}
	}
	if len(missing) > 0 {
		return nil, lockstep.FaultOf(waiting("children are", missing)).On(lockstep.About{Field: childrenField})
	}
	return out, nil
}

// distinctChildren refuses, in words of SKUs, what Magento refuses in words of ids, or not at all.
func distinctChildren(children []*reference, axes []*attribute) error {
	seen := map[string]string{}
	for _, c := range children {
		combination := make([]string, len(axes))
		for i, at := range axes {
			if combination[i] = c.values[at.code]; combination[i] == "" {
				return lockstep.Faultf(lockstep.CodeValue, "the child %q has no value of %s", c.sku, at.code).On(lockstep.About{Field: childrenField})
			}
		}
		key := strings.Join(combination, ",")
		if other, twice := seen[key]; twice {
			return lockstep.Faultf(lockstep.CodeValue, "the children %q and %q have the same values of what children differ in", other, c.sku).On(lockstep.About{Field: childrenField})
		}
		seen[key] = c.sku
	}
	return nil
}

// wireAxis is what children differ in, on the wire.
type wireAxis struct {
	Attribute string      `json:"attribute_id"`
	Label     string      `json:"label"`
	Position  int         `json:"position"`
	Values    []axisValue `json:"values"`
}

type axisValue struct {
	Index json.Number `json:"value_index"`
}

// options are the axes with the values that the children have; with all values where they are not known.
func options(axes []*attribute, children []*reference) []wireAxis {
	out := make([]wireAxis, len(axes))
	for i, at := range axes {
		var ids []string
		for _, c := range children {
			ids = append(ids, c.values[at.code])
		}
		if children == nil {
			for _, o := range at.options {
				ids = append(ids, o.value)
			}
		}
		slices.Sort(ids)
		label := at.label
		if label == "" {
			label = at.code
		}
		out[i] = wireAxis{Attribute: number(at.id).text(), Label: label, Position: i, Values: []axisValue{}}
		for _, id := range slices.Compact(ids) {
			if isDigits(id) {
				out[i].Values = append(out[i].Values, axisValue{json.Number(id)})
			}
		}
	}
	return out
}

// links brings together the links of all types: a list that is sent replaces all of them. It is false where they are
// level. Those to products that are not there are left out, and named.
func (p *planner) links(w *wanted, s *sight, refs map[string]*reference) (all []productLink, differ bool, missing []string) {
	all = []productLink{}
	have := map[string][]productLink{}
	if s != nil {
		for _, l := range s.linked {
			have[l.Kind] = append(have[l.Kind], l)
		}
	}
	kinds := []string{linkRelated, linkUpsell, linkCrosssell, linkGrouped}
	for kind := range have {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds[4:])
	for _, kind := range kinds {
		old := have[kind]
		slices.SortStableFunc(old, func(a, b productLink) int { return int(a.Position - b.Position) })
		want, asked := w.linked[kind]
		if !asked {
			all = append(all, old...)
			continue
		}
		now := make([]productLink, 0, len(want))
		for _, l := range want {
			one, ok := linkOf(w.sku, kind, l, old, refs)
			if !ok {
				missing = append(missing, l.sku)
				continue
			}
			one.Position = number(len(now) + 1)
			now = append(now, one)
		}
		differ = differ || !sameLinks(now, old)
		all = append(all, now...)
	}
	return all, differ, missing
}

// linkOf is a link as it is to be; one that there is needs no look at its product.
func linkOf(sku, kind string, want linkWant, old []productLink, refs map[string]*reference) (productLink, bool) {
	one := productLink{SKU: sku, Kind: kind}
	if i := slices.IndexFunc(old, func(l productLink) bool { return foldSKU(l.Linked) == foldSKU(want.sku) }); i >= 0 {
		one = old[i]
	} else if ref := refs[foldSKU(want.sku)]; ref != nil {
		one.Linked, one.Type = ref.sku, ref.typ
	} else {
		return one, false
	}
	if want.quantity != "" {
		one.Ext = &linkExtra{json.Number(want.quantity)}
	}
	return one, true
}

func sameLinks(now, old []productLink) bool {
	return slices.EqualFunc(now, old, func(a, b productLink) bool {
		return foldSKU(a.Linked) == foldSKU(b.Linked) && (a.quantity() == b.quantity() || sameNumber(a.quantity(), b.quantity()))
	})
}

func (l *productLink) quantity() string {
	if l.Ext == nil {
		return ""
	}
	return string(l.Ext.Quantity)
}
