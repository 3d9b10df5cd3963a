package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// sight is a product as a look found it: what is compared with what a write wants.
type sight struct {
	id       int64
	sku      string
	typ      string
	set      int64
	updated  string
	websites []int64
	members  []categoryLink // the categories it is in
	axes     []axis         // what a configurable product's children differ in, by position
	children []int64
	linked   []productLink
	gallery  []wireEntry
	scopes   map[string]map[string]string // by scope, then attribute code: values as Magento writes them
	twins    int                          // how many more products there are with this SKU
}

// value is what an attribute has at a scope.
func (s *sight) value(scope, code string) (string, bool) {
	if s == nil {
		return "", false
	}
	text, ok := s.scopes[scope][code]
	return text, ok
}

type categoryLink struct {
	Position number `json:"position"`
	Category number `json:"category_id"`
}

// axis is an attribute that the children of a configurable product differ in.
type axis struct {
	Attribute number `json:"attribute_id"`
	Position  number `json:"position"`
}

type productLink struct {
	SKU      string     `json:"sku"`
	Kind     string     `json:"link_type"`
	Linked   string     `json:"linked_product_sku"`
	Type     string     `json:"linked_product_type,omitempty"`
	Position number     `json:"position"`
	Ext      *linkExtra `json:"extension_attributes,omitempty"`
}

// linkExtra is how many of a product a grouped one begins with.
type linkExtra struct {
	Quantity json.Number `json:"qty,omitempty"`
}

// seenProduct is a product on the wire, as far as a look needs it.
type seenProduct struct {
	ID         number `json:"id"`
	SKU        loose  `json:"sku"`
	Name       *loose `json:"name"`
	Price      *loose `json:"price"`
	Status     *loose `json:"status"`
	Visibility *loose `json:"visibility"`
	Weight     *loose `json:"weight"`
	Type       string `json:"type_id"`
	Set        number `json:"attribute_set_id"`
	Updated    string `json:"updated_at"`
	Ext        object[struct {
		Websites list[number]       `json:"website_ids"`
		Members  list[categoryLink] `json:"category_links"`
		Axes     list[axis]         `json:"configurable_product_options"`
		Children list[number]       `json:"configurable_product_links"`
	}] `json:"extension_attributes"`
	Linked  list[looseLink]   `json:"product_links"`
	Gallery list[wireEntry]   `json:"media_gallery_entries"`
	Custom  list[customValue] `json:"custom_attributes"`
}

// looseLink is a link as PHP writes it.
type looseLink struct {
	productLink
	Ext object[linkExtra] `json:"extension_attributes"`
}

const (
	lookAllFields = "items[id,sku,name,price,status,visibility,weight,type_id,attribute_set_id,updated_at," +
		"extension_attributes[website_ids,category_links,configurable_product_options,configurable_product_links]," +
		"product_links,media_gallery_entries[" + galleryFields + "],custom_attributes],total_count"
	lookViewFields = "items[id,sku,name,price,status,visibility,weight,custom_attributes],total_count"
)

// sight is what a product on the wire is, seen from one scope.
func (p *seenProduct) sight(scope string) *sight {
	s := &sight{id: int64(p.ID), sku: string(p.SKU), typ: p.Type, set: int64(p.Set), updated: p.Updated, scopes: map[string]map[string]string{scope: p.values()}}
	if ext := p.Ext.it; ext != nil {
		s.websites, s.children, s.members = wholeNumbers(ext.Websites), wholeNumbers(ext.Children), ext.Members
		s.axes = slices.Clone(ext.Axes)
		slices.SortStableFunc(s.axes, func(a, b axis) int { return int(a.Position - b.Position) })
	}
	for _, l := range p.Linked {
		one := l.productLink
		if l.Ext.it != nil {
			one.Ext = l.Ext.it
		}
		s.linked = append(s.linked, one)
	}
	s.gallery = p.Gallery
	return s
}

func wholeNumbers(in []number) []int64 {
	out := make([]int64, len(in))
	for i, n := range in {
		out[i] = int64(n)
	}
	return out
}

// values are the attributes' values; what is not there has none.
func (p *seenProduct) values() map[string]string {
	out := make(map[string]string, len(p.Custom)+5)
	for _, c := range p.Custom {
		var text loose
		if json.Unmarshal(c.Value, &text) == nil && text != "" {
			out[c.Code] = string(text)
		}
	}
	for code, v := range map[string]*loose{"name": p.Name, "status": p.Status, "visibility": p.Visibility, "price": p.Price, "weight": p.Weight} {
		if v != nil && *v != "" {
			out[code] = string(*v)
		}
	}
	return out
}

// lookAt reads products as they are, by one search for each scope and for as many SKUs as a URL holds, side by side. The
// answer is by folded SKU.
func (s *System) lookAt(ctx context.Context, skus, views []string) (map[string]*sight, error) {
	groups, scopes := inGroups("sku", skus), append([]string{allViews}, views...)
	found := make([][]*seenProduct, len(groups)*len(scopes)) // first those of all views
	var calls []func() error
	for i, scope := range scopes {
		fields := lookAllFields
		if scope != allViews {
			fields = lookViewFields
		}
		for j, group := range groups {
			into := &found[i*len(groups)+j]
			calls = append(calls, func() error {
				return s.client.findAll(ctx, "look at products", scope, "V1/products", search{groups: [][]filter{group}, sort: []string{"entity_id"}, size: s.conf.page, fields: fields},
					eachOf(func(p *seenProduct) { *into = append(*into, p) }))
			})
		}
	}
	if err := inParallel(s.conf.writers, calls...); err != nil {
		return nil, err
	}
	out := map[string]*sight{}
	for i, some := range found {
		scope := scopes[i/len(groups)]
		for _, p := range some {
			had := out[foldSKU(string(p.SKU))]
			switch {
			case scope == allViews && had == nil:
				out[foldSKU(string(p.SKU))] = p.sight(scope)
			case scope == allViews:
				had.twins++ // a SKU in a path means the first of them
			case had != nil && had.id == int64(p.ID):
				had.scopes[scope] = p.values()
			}
		}
	}
	return out, nil
}

// sightOf reads the answer of a save.
func sightOf(body []byte, scope string) (*sight, error) {
	var p seenProduct
	if json.Unmarshal(body, &p) != nil || p.SKU == "" {
		return nil, notUnderstood(&call{name: "save a product", method: http.MethodPut}, body)
	}
	return p.sight(scope), nil
}

// sameSKUs finds, for a SKU that no product has, one that the database would take for it all the same.
func sameSKUs(sku string, seen map[string]*sight) *sight {
	bare := bareSKU(sku)
	for _, s := range seen {
		if bareSKU(s.sku) == bare {
			return s
		}
	}
	return nil
}

// sameValue tells whether two values of an attribute are one to Magento.
func (a *attribute) sameValue(x, y string) bool {
	switch {
	case x == y:
		return true
	case a == nil:
		return false
	case a.code == "url_key":
		return slug(x) == slug(y)
	case a.input == "multiselect":
		return slices.Equal(splitIDs(x), splitIDs(y))
	case a.input == "date":
		return len(x) >= 10 && len(y) >= 10 && x[:10] == y[:10]
	case a.backend == "decimal" || a.input == "price" || a.input == "weight":
		return sameNumber(x, y)
	}
	return false
}

func splitIDs(text string) []string {
	ids := strings.Split(text, ",")
	slices.Sort(ids)
	return slices.Compact(ids)
}

// differentSKU is the fault of a SKU that the database takes for another one's.
func differentSKU(other string) error {
	f := lockstep.Faultf(lockstep.CodeUnique, "Magento takes the SKU for that of another product, %q", other)
	f.Next = "Give one of the two another SKU: they differ in marks of letters only."
	return f
}
