package magento

import (
	"context"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

const secondUnit = time.Second

// The types that fields of several streams have.
var (
	textType    = value.Type{Kind: value.TextType}
	varcharType = value.Type{Kind: value.TextType, Length: 255}
	intType     = value.Type{Kind: value.IntType, Bits: 32}
	boolType    = value.Type{Kind: value.BoolType}
	instantType = value.Type{Kind: value.InstantType, Unit: secondUnit, Cuts: true}
	anyObject   = value.Type{Kind: value.ObjectType}
	anyList     = value.Type{Kind: value.ListType}
)

func listType(elem value.Type, unordered bool) value.Type {
	return value.Type{Kind: value.ListType, Elem: &elem, Unordered: unordered}
}

func field(name string, t value.Type) lockstep.Field { return lockstep.Field{Name: name, Type: t} }

func nullable(name string, t value.Type) lockstep.Field {
	return lockstep.Field{Name: name, Type: t, Nullable: true}
}

func fixed(name string, t value.Type) lockstep.Field {
	return lockstep.Field{Name: name, Type: t, Nullable: true, ReadOnly: true}
}

func defaulted(name string, t value.Type) lockstep.Field {
	return lockstep.Field{Name: name, Type: t, Nullable: true, Default: true}
}

// The fields of products that are no attributes.
const (
	websitesField     = "websites"
	categoryIDsField  = "category_ids"
	categoriesField   = "categories"
	categoryLinks     = "category_links"
	configurableField = "configurable_attributes"
	childrenField     = "children"
	relatedField      = "related"
	upsellsField      = "upsells"
	crosssellsField   = "crosssells"
	groupedField      = "grouped"
	imagesField       = "images"
	imageURLsField    = "image_urls"
	updatedField      = "updated_at"
	setField          = "attribute_set"
)

// productColumns are the fields of products that are the same in all shops, but for their scope.
func productColumns() []lockstep.Field {
	skus := listType(value.Type{Kind: value.TextType, Length: 64}, false)
	typeID := defaulted("type_id", value.Type{Kind: value.TextType, Length: 32})
	imageURLs := nullable(imageURLsField, objectsOf(member("hash", textType, value.Null), member("url", textType, value.Null)))
	imageURLs.WriteOnly = true
	categoryPlaces := nullable(categoryLinks, objectsOf(member("category_id", intType, value.Null), member("position", intType, value.Int(0))))
	categoryPlaces.Type.Unordered = true
	categoryPlaces.WriteOnly = true
	return []lockstep.Field{
		field("sku", value.Type{Kind: value.TextType, Length: 64}),
		typeID,
		defaulted(setField, varcharType),
		field("name", varcharType),
		nullable("price", decimalType("price")),
		defaulted("status", intType),
		defaulted("visibility", intType),
		nullable("weight", decimalType("weight")),
		defaulted(websitesField, listType(textType, true)),
		nullable(categoryIDsField, listType(intType, true)),
		nullable(categoriesField, listType(textType, true)),
		categoryPlaces,
		nullable(configurableField, listType(textType, true)),
		nullable(childrenField, listType(value.Type{Kind: value.TextType, Length: 64}, true)),
		nullable(relatedField, skus), nullable(upsellsField, skus), nullable(crosssellsField, skus),
		nullable(groupedField, objectsOf(member("sku", value.Type{Kind: value.TextType, Length: 64}, value.Null), member("qty", value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}, value.Null))),
		nullable(imagesField, imagesType()),
		imageURLs,
		fixed("id", intType), fixed("created_at", instantType), fixed(updatedField, instantType),
	}
}

// imagesType is a product's images: what they are known by, and how each is shown. Their order is that of the list.
func imagesType() value.Type {
	return objectsOf(member("hash", textType, value.Null), member("label", varcharType, value.Null),
		member("roles", listType(textType, true), value.List()), member("disabled", value.Type{Kind: value.BoolType}, value.Bool(false)))
}

// objectsOf is a list of objects with these members.
func objectsOf(members ...value.Member) value.Type {
	return listType(value.Type{Kind: value.ObjectType, Members: members}, false)
}

func member(name string, t value.Type, byDefault value.Value) value.Member {
	return value.Member{Name: name, Type: t, Default: byDefault}
}

// viewColumns are columns of products that are attributes, too, and so may have values of store views.
var viewColumns = []string{"name", "price", "status", "visibility", "weight"}

// describeProducts is the stream of products as the shop's attributes make it.
func (s *System) describeProducts(ctx context.Context) (lockstep.Stream, error) {
	out := lockstep.Stream{
		Key: []string{"sku"}, FoldKeys: true, Bulk: true, TrackFields: []string{updatedField}, Fields: productColumns(), DependsOn: []string{categoriesStream},
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return out, err
	}
	where, err := s.shop.where(ctx)
	if err != nil {
		return out, err
	}
	taken := taken(out.Fields)
	for _, a := range known.list {
		t, ok := a.typeOf()
		if !ok || unread[a.code] || taken[a.code] {
			continue
		}
		out.Fields = append(out.Fields, a.field(t))
		taken[a.code] = true
	}
	out.Fields = append(out.Fields, viewFields(known, where, out.Fields, func(code string) bool { return !unread[code] || slices.Contains(viewColumns, code) })...)
	return out, nil
}

func (a *attribute) field(t value.Type) lockstep.Field {
	f := nullable(a.code, t)
	if a.input == "media_image" {
		f.ReadOnly, f.Why = true, "roles of images are written by `images`"
	}
	f.Default = a.required
	return f
}

func taken(fields []lockstep.Field) map[string]bool {
	out := make(map[string]bool, 2*len(fields))
	for _, f := range fields {
		out[f.Name] = true
	}
	return out
}

// viewFields are the fields of store views: of the attributes that can have another value there. While such a field is
// null, the view shows what counts for all.
func viewFields(known *attributes, where *places, fields []lockstep.Field, of func(code string) bool) []lockstep.Field {
	var out []lockstep.Field
	used := taken(fields)
	for _, f := range fields {
		a := known.get(f.Name)
		if a == nil || a.scope == scopeGlobal || a.scope == "" || !of(f.Name) {
			continue
		}
		for _, v := range where.spoken {
			name := viewName(f.Name, v.suffix)
			if used[name] {
				continue // an attribute has this very code
			}
			used[name] = true
			own := nullable(name, f.Type)
			own.Inherits, own.ReadOnly, own.Why = f.Name, f.ReadOnly, f.Why
			out = append(out, own)
		}
	}
	return out
}

func viewName(code, suffix string) string { return code + "_" + suffix }

// viewField is a field of a store view, taken apart.
type viewField struct {
	code string
	view view
}

// splitViews says which of the fields of a stream are of which store view. def is what describe gave.
func splitViews(def *lockstep.Stream, where *places) map[string]viewField {
	out := map[string]viewField{}
	for i := range def.Fields {
		f := &def.Fields[i]
		if f.Inherits == "" {
			continue
		}
		for _, v := range where.spoken {
			if f.Name == viewName(f.Inherits, v.suffix) {
				out[f.Name] = viewField{f.Inherits, v}
			}
		}
	}
	return out
}

// categoryColumns are the fields of categories that are the same in all shops.
func categoryColumns() []lockstep.Field {
	return []lockstep.Field{
		field("id", intType),
		field("parent_id", intType),
		field("name", varcharType),
		defaulted("is_active", boolType),
		defaulted("position", intType),
		defaulted("include_in_menu", boolType),
		fixed("path", textType), fixed("level", intType), fixed("created_at", instantType), fixed(updatedField, instantType),
	}
}

// unreadCategory are attributes of categories that stand elsewhere, or are Magento's own business.
var unreadCategory = map[string]bool{
	"name": true, "is_active": true, "position": true, "include_in_menu": true, "path": true, "level": true, "children": true, "children_count": true,
	"all_children": true, "path_in_store": true, "created_at": true, "updated_at": true, "url_path": true, "parent_id": true, "id": true,
}

// categoryViewColumns are columns of categories that are attributes, too.
var categoryViewColumns = []string{"name", "is_active", "include_in_menu"}

func (s *System) describeCategories(ctx context.Context) (lockstep.Stream, error) {
	out := lockstep.Stream{Key: []string{"id"}, ServerKeys: true, Fields: categoryColumns(), DependsOn: []string{categoriesStream}}
	known, err := s.shop.categoryAttributes(ctx)
	if err != nil {
		return out, err
	}
	where, err := s.shop.where(ctx)
	if err != nil {
		return out, err
	}
	taken := taken(out.Fields)
	for _, a := range known.list {
		t, ok := a.categoryType()
		if !ok || unreadCategory[a.code] || taken[a.code] {
			continue
		}
		f := nullable(a.code, t)
		f.Default = a.required
		out.Fields = append(out.Fields, f)
	}
	out.Fields = append(out.Fields, viewFields(known, where, out.Fields, func(code string) bool {
		return !unreadCategory[code] || slices.Contains(categoryViewColumns, code)
	})...)
	return out, nil
}

// categoryType is typeOf, with an image as the text of its file.
func (a *attribute) categoryType() (value.Type, bool) {
	if a.input == "image" {
		return value.Type{Kind: value.TextType, Length: 255, Native: "image"}, true
	}
	return a.typeOf()
}

// plainStream describes a stream that is the same in all shops.
func plainStream(def lockstep.Stream) func(context.Context) (lockstep.Stream, error) {
	return func(context.Context) (lockstep.Stream, error) { return def, nil }
}

func attributesDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"attribute_code"}, Fields: []lockstep.Field{
		field("attribute_code", value.Type{Kind: value.TextType, Length: 60}),
		field("frontend_input", value.Type{Kind: value.TextType, Length: 50}),
		defaulted("scope", value.Type{Kind: value.TextType, Length: 16}),
		field("default_frontend_label", varcharType),
		defaulted("is_required", boolType), defaulted("is_unique", boolType),
		fixed("backend_type", value.Type{Kind: value.TextType, Length: 8}), fixed("is_user_defined", boolType), fixed("id", intType),
	}}
}

func (s *System) describeOptions(ctx context.Context) (lockstep.Stream, error) {
	order := defaulted("sort_order", intType)
	order.WriteOnly = true // lists are in its order, and do not say it
	out := lockstep.Stream{Key: []string{"attribute_code", "id"}, ServerKeys: true, DependsOn: []string{attributesStream}, Fields: []lockstep.Field{
		field("attribute_code", value.Type{Kind: value.TextType, Length: 60}),
		field("id", value.Type{Kind: value.TextType, Length: 32}),
		field("label", varcharType),
		order,
	}}
	where, err := s.shop.where(ctx)
	if err != nil {
		return out, err
	}
	for _, v := range where.spoken {
		f := nullable(viewName("label", v.suffix), varcharType)
		f.Inherits = "label"
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

func setsDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"id"}, ServerKeys: true, Fields: []lockstep.Field{
		field("id", intType), field("name", varcharType), defaulted("sort_order", intType),
	}}
}

var skuType = value.Type{Kind: value.TextType, Length: 64}

func stockDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"sku", "source_code"}, FoldKeys: true, DependsOn: []string{productsStream}, Fields: []lockstep.Field{
		field("sku", skuType), field("source_code", varcharType),
		field("quantity", value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}), defaulted("status", intType),
	}}
}

func basePricesDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"sku", "store_id"}, FoldKeys: true, Bulk: true, DependsOn: []string{productsStream}, Fields: []lockstep.Field{
		field("sku", skuType), field("store_id", intType), field("price", decimalType("price")),
	}}
}

func specialPricesDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"sku", "store_id", "price_from"}, FoldKeys: true, Bulk: true, DependsOn: []string{productsStream}, Fields: []lockstep.Field{
		field("sku", skuType), field("store_id", intType), field("price_from", instantType), nullable("price_to", instantType),
		field("price", decimalType("price")),
	}}
}

func tierPricesDef() lockstep.Stream {
	return lockstep.Stream{Key: []string{"sku", "website_id", "customer_group", "quantity"}, FoldKeys: true, Bulk: true, DependsOn: []string{productsStream}, Fields: []lockstep.Field{
		field("sku", skuType), field("website_id", intType), field("customer_group", varcharType),
		field("quantity", value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}),
		field("price", decimalType("price")), defaulted("price_type", value.Type{Kind: value.TextType, Length: 16}),
	}}
}

func customersDef() lockstep.Stream {
	name := value.Type{Kind: value.TextType, Length: 255}
	return lockstep.Stream{Key: []string{"id"}, ServerKeys: true, TrackFields: []string{updatedField}, Fields: []lockstep.Field{
		field("id", intType), field("email", name), field("firstname", name), field("lastname", name),
		nullable("middlename", name), nullable("prefix", name), nullable("suffix", name), nullable("dob", value.Type{Kind: value.DateType}),
		nullable("gender", intType), nullable("taxvat", name),
		defaulted("website_id", intType), defaulted("store_id", intType), defaulted("group_id", intType),
		nullable("addresses", anyList),
		fixed("created_at", instantType), fixed(updatedField, instantType),
	}}
}

func ordersDef() lockstep.Stream {
	money := value.Type{Kind: value.DecimalType, Precision: 20, Scale: 4}
	out := lockstep.Stream{Key: []string{"id"}, TrackFields: []string{updatedField}}
	add := func(t value.Type, names ...string) {
		for _, n := range names {
			out.Fields = append(out.Fields, fixed(n, t))
		}
	}
	out.Fields = append(out.Fields, field("id", intType))
	add(varcharType, "increment_id", "state", "status", "store_name", "customer_email", "customer_firstname", "customer_lastname", "order_currency_code",
		"base_currency_code", "shipping_description", "coupon_code", "remote_ip")
	add(intType, "store_id", "customer_id", "customer_group_id", "customer_is_guest", "is_virtual", "total_item_count", "quote_id")
	add(money, "grand_total", "base_grand_total", "subtotal", "subtotal_incl_tax", "shipping_amount", "shipping_incl_tax", "tax_amount", "discount_amount",
		"total_due", "total_paid", "total_refunded", "total_qty_ordered", "weight")
	add(instantType, "created_at", updatedField)
	add(anyObject, "billing_address", "payment")
	add(anyList, "items", "status_histories", "shipping_assignments")
	return out
}
