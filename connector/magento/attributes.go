package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// attribute is an attribute of products or of categories.
type attribute struct {
	id       int64
	code     string
	label    string
	input    string // frontend_input
	backend  string // backend_type
	scope    string // global, website or store
	required bool
	unique   bool
	own      bool // made by people, not by Magento
	table    bool // its options are kept as such, and not made by a program
	// options are the choices of a select or multiselect, with the labels of the admin.
	options []option
	byLabel map[string]string // value by label; of two with one label the first
	byValue map[string]string
}

type option struct{ value, label string }

// The scopes of attributes.
const (
	scopeGlobal  = "global"
	scopeWebsite = "website"
)

// attributes are all of one kind of record.
type attributes struct {
	list   []*attribute // by code
	byCode map[string]*attribute
	byID   map[int64]*attribute
}

func (a *attributes) get(code string) *attribute { return a.byCode[code] }

type wireAttribute struct {
	ID       number             `json:"attribute_id"`
	Code     string             `json:"attribute_code"`
	Input    loose              `json:"frontend_input"`
	Backend  loose              `json:"backend_type"`
	Scope    loose              `json:"scope"`
	Required flag               `json:"is_required"`
	Unique   flag               `json:"is_unique"`
	Own      flag               `json:"is_user_defined"`
	Label    loose              `json:"default_frontend_label"`
	Source   loose              `json:"source_model"`
	Options  list[wireOption]   `json:"options"`
	Labels   list[wireForStore] `json:"frontend_labels"`
}

type wireForStore struct {
	Store number `json:"store_id"`
	Label loose  `json:"label"`
}

type wireOption struct {
	Label loose           `json:"label"`
	Value json.RawMessage `json:"value"`
}

// id is the option's value; "" for none, and for a group of others.
func (o *wireOption) id() string {
	var v loose
	if json.Unmarshal(o.Value, &v) != nil {
		return ""
	}
	return string(v)
}

const attributeFields = "items[attribute_id,attribute_code,frontend_input,backend_type,scope,is_required,is_unique,is_user_defined,default_frontend_label,source_model,options],total_count"

// productAttributes are the attributes of products.
func (s *shop) productAttributes(ctx context.Context) (*attributes, error) {
	return s.product.get(ctx, attributesLife, s.loadProductAttributes)
}

func (s *shop) loadProductAttributes(ctx context.Context) (*attributes, error) {
	return s.loadAttributes(ctx, "attributes of products", allViews, "V1/products/attributes")
}

// categoryAttributes are the attributes of categories.
func (s *shop) categoryAttributes(ctx context.Context) (*attributes, error) {
	return s.categ.get(ctx, attributesLife, func(ctx context.Context) (*attributes, error) {
		return s.loadAttributes(ctx, "attributes of categories", allViews, "V1/categories/attributes")
	})
}

func (s *shop) loadAttributes(ctx context.Context, name, scope, path string) (*attributes, error) {
	out := &attributes{byCode: map[string]*attribute{}, byID: map[int64]*attribute{}}
	err := s.client.findAll(ctx, name, scope, path, search{size: s.conf.page, sort: []string{"attribute_id"}, fields: attributeFields},
		eachOf(func(w *wireAttribute) {
			if w.Code == "" || out.byCode[w.Code] != nil {
				return
			}
			a := w.attribute()
			out.list = append(out.list, a)
			out.byCode[a.code], out.byID[a.id] = a, a
		}))
	slices.SortFunc(out.list, func(a, b *attribute) int { return strings.Compare(a.code, b.code) })
	return out, err
}

func (w *wireAttribute) attribute() *attribute {
	a := &attribute{
		id: int64(w.ID), code: w.Code, label: string(w.Label), input: string(w.Input), backend: string(w.Backend), scope: string(w.Scope),
		required: bool(w.Required), unique: bool(w.Unique), own: bool(w.Own),
	}
	a.table = a.chooses() && (a.own && w.Source == "" || strings.HasSuffix(string(w.Source), `\Attribute\Source\Table`))
	if !a.chooses() {
		return a
	}
	a.byLabel, a.byValue = map[string]string{}, map[string]string{}
	for i := range w.Options {
		if o := (option{w.Options[i].id(), string(w.Options[i].Label)}); o.value != "" {
			a.add(o)
		}
	}
	return a
}

func (a *attribute) add(o option) {
	a.options = append(a.options, o)
	if _, twice := a.byLabel[o.label]; !twice {
		a.byLabel[o.label] = o.value
	}
	a.byValue[o.value] = o.label
}

// with is a copy of a with one more option.
func (a *attribute) with(o option) *attribute {
	b := *a
	b.options, b.byLabel, b.byValue = nil, map[string]string{}, map[string]string{}
	for _, old := range append(slices.Clone(a.options), o) {
		b.add(old)
	}
	return &b
}

// labels are the attributes of products as the store views see them: with the labels of their options there.
func (s *shop) labels(ctx context.Context) (map[string]*attributes, error) {
	return s.named.get(ctx, attributesLife, func(ctx context.Context) (map[string]*attributes, error) {
		where, err := s.where(ctx)
		if err != nil {
			return nil, err
		}
		out := map[string]*attributes{}
		for _, v := range where.spoken {
			if out[v.code], err = s.loadAttributes(ctx, "attributes in a store view", v.code, "V1/products/attributes"); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// addOption makes an option that was just created known.
func (s *shop) addOption(code string, o option) {
	s.product.update(func(old *attributes) *attributes {
		a := old.get(code)
		if a == nil {
			return old
		}
		b, out := a.with(o), &attributes{byCode: map[string]*attribute{}, byID: map[int64]*attribute{}}
		for _, x := range old.list {
			if x == a {
				x = b
			}
			out.list = append(out.list, x)
			out.byCode[x.code], out.byID[x.id] = x, x
		}
		return out
	})
}

// chooses tells an attribute whose values are options.
func (a *attribute) chooses() bool {
	switch a.input {
	case "select", "multiselect", "swatch_visual", "swatch_text":
		return true
	}
	return false
}

// unread are attributes of products that stand elsewhere in a record, or are Magento's own business.
var unread = map[string]bool{
	"sku": true, "name": true, "price": true, "status": true, "visibility": true, "weight": true, "type_id": true, "attribute_set_id": true,
	"created_at": true, "updated_at": true, "category_ids": true, "media_gallery": true, "gallery": true, "tier_price": true,
	"image": true, "small_image": true, "thumbnail": true, "swatch_image": true, "quantity_and_stock_status": true,
	"required_options": true, "has_options": true, "old_id": true, "url_path": true, "minimal_price": true, "id": true, "websites": true, "attribute_set": true,
}

// typeOf is the type of an attribute's field; false where it has none that can be read.
func (a *attribute) typeOf() (value.Type, bool) {
	native := strings.TrimSuffix(a.input+" "+a.backend, " ")
	text := value.Type{Kind: value.TextType, Native: native}
	switch a.input {
	case "select", "swatch_visual", "swatch_text":
		text.Folded = true // options are found by their labels, whatever the case
		return text, true
	case "multiselect":
		return value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.TextType, Folded: true}, Unordered: true, Native: native}, true
	case "boolean":
		return value.Type{Kind: value.BoolType, Native: native}, true
	case "date":
		return value.Type{Kind: value.DateType, Native: native}, true
	case "datetime":
		return value.Type{Kind: value.InstantType, Unit: secondUnit, Cuts: true, Native: native}, true
	case "price", "weight":
		return decimalType(native), true
	case "media_image":
		return text, true
	case "text", "textarea", "":
	default:
		return value.Type{}, false
	}
	switch a.backend {
	case "int":
		return value.Type{Kind: value.IntType, Bits: 32, Native: native}, true
	case "decimal":
		return decimalType(native), true
	case "datetime":
		return value.Type{Kind: value.InstantType, Unit: secondUnit, Cuts: true, Native: native}, true
	case "varchar":
		text.Length = 255
	}
	return text, a.input != "" || a.backend != "static"
}

// decimalType is how Magento keeps prices and weights.
func decimalType(native string) value.Type {
	return value.Type{Kind: value.DecimalType, Precision: 20, Scale: 6, Native: native}
}

// eachOf reads the items of a page one by one.
func eachOf[T any](f func(*T)) func([]json.RawMessage) error {
	return func(items []json.RawMessage) error {
		for _, raw := range items {
			var it T
			if json.Unmarshal(raw, &it) != nil {
				return lockstep.Faultf(lockstep.CodeServer, "an item of a list has another shape than Magento's")
			}
			f(&it)
		}
		return nil
	}
}
