package magento

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// wanted is what a write asks for, in Magento's terms. What is nil is not spoken of.
type wanted struct {
	sku      string
	set      *string                       // the attribute set's name
	typ      *string                       //
	values   map[string]map[string]*string // by scope, then attribute code; nil takes a value away
	websites *[]int64
	members  *[]int64 // the categories it is in, and no others
	paths    *[]string
	links    *[]categoryLink // to be added, or moved to another position
	axes     *[]string
	children *[]string
	linked   map[string][]linkWant // by link type; one that is there replaces all of its type
	images   *[]picture
	urls     map[string]string
	left     []string // what was left out, and why
}

type linkWant struct{ sku, quantity string }

// The kinds of links between products, by the field that holds them.
var linkKinds = map[string]string{relatedField: linkRelated, upsellsField: linkUpsell, crosssellsField: linkCrosssell, groupedField: linkGrouped}

// The types of products that Magento knows. It takes any other word, and loses the price.
var productTypes = []string{"simple", "virtual", "configurable", "grouped", "bundle", "downloadable"}

// productReader reads writes of products. Look-ups that create on demand happen here, before anything of the product is
// written.
type productReader struct {
	sys    *System
	attrs  *attributes
	places *places
}

// read is what a write asks for. A value that Magento would spoil in silence is a fault, or is left out, by the setting.
func (r *productReader) read(ctx context.Context, w *lockstep.Write) (*wanted, error) {
	out := &wanted{values: map[string]map[string]*string{}, linked: map[string][]linkWant{}}
	for name, v := range w.Fields.All() {
		err := r.field(ctx, out, name, v)
		if err = r.sys.quietly(err, name, &out.left); err != nil {
			return nil, onField(err, name)
		}
	}
	if out.members != nil && out.paths != nil {
		return nil, lockstep.Faultf(lockstep.CodeMapping, "a mapping sets category_ids or categories, not both")
	}
	sku := string(w.Key)
	if v, ok := w.Fields.Get("sku"); ok && v.Kind() == value.KindText {
		sku = v.Text()
	}
	var err error
	out.sku, err = checkSKU(sku)
	return out, err
}

// quietly turns what Magento would not complain of into a fault, or into a remark.
func (s *System) quietly(err error, field string, left *[]string) error {
	q, is := err.(*quiet)
	switch {
	case !is:
		return err
	case s.conf.unknown == warnUnknown:
		*left = append(*left, field+" was left out: "+q.text)
		return nil
	}
	return lockstep.NewFault(lockstep.CodeValue, q)
}

func onField(err error, name string) error {
	if _, is := err.(*lockstep.Fault); !is && lockstep.FaultOf(err).Code == lockstep.CodeUnclassified {
		err = lockstep.NewFault(lockstep.CodeValue, err)
	}
	return lockstep.FaultOf(err).On(lockstep.About{Field: name})
}

func (r *productReader) field(ctx context.Context, out *wanted, name string, v value.Value) error {
	switch name {
	case "sku", "id", "created_at", "updated_at":
		return nil
	case "type_id":
		return readType(&out.typ, v)
	case "attribute_set":
		return readText(&out.set, v)
	case "websites":
		return r.websites(&out.websites, v)
	case "category_ids":
		return r.categoryIDs(&out.members, v)
	case "categories":
		return readTexts(&out.paths, v, true)
	case "category_links":
		return r.categoryLinks(&out.links, v)
	case "configurable_attributes":
		return readTexts(&out.axes, v, false)
	case "children":
		return readTexts(&out.children, v, false)
	case "related", "upsells", "crosssells", "grouped":
		links, err := readLinks(v)
		out.linked[linkKinds[name]] = links
		return err
	case "images":
		return readPictures(&out.images, v)
	case "image_urls":
		return readURLs(&out.urls, v)
	}
	at, scope, err := r.attribute(ctx, name)
	if err != nil {
		return err
	}
	if at == nil {
		return noSuchField(r.sys.conf)
	}
	text, err := r.sys.encode(ctx, at, v)
	if err != nil {
		return err
	}
	if out.values[scope] == nil {
		out.values[scope] = map[string]*string{}
	}
	out.values[scope][at.code] = text
	return nil
}

// noSuchField is for an attribute that there is not: a mistake of the configuration, or one that somebody deleted.
func noSuchField(c *conf) error {
	if c.unknown == warnUnknown {
		return quietf("there is no such attribute")
	}
	return lockstep.Faultf(lockstep.CodeNoField, "the shop has no such attribute")
}

// attribute is what a field is the value of, and at which scope. One that is not known may have been made a moment ago.
func (r *productReader) attribute(ctx context.Context, name string) (*attribute, string, error) {
	at, scope := scopedAttribute(r.attrs, r.places, name)
	if at != nil || !r.sys.lookups.again("attribute\x00"+name) {
		return at, scope, nil
	}
	r.sys.shop.product.forget()
	attrs, err := r.sys.shop.productAttributes(ctx)
	if err != nil {
		return nil, "", err
	}
	r.attrs = attrs
	at, scope = scopedAttribute(r.attrs, r.places, name)
	return at, scope, nil
}

// scopedAttribute finds an attribute by its own name, or by that with the suffix of a store view behind it.
func scopedAttribute(attrs *attributes, places *places, name string) (*attribute, string) {
	if at := attrs.get(name); at != nil {
		return at, allViews
	}
	for i := range places.spoken {
		v := &places.spoken[i]
		if base, ok := strings.CutSuffix(name, "_"+v.suffix); ok {
			if at := attrs.get(base); at != nil && at.scope != scopeGlobal {
				return at, v.code
			}
		}
	}
	return nil, ""
}

// websites are the ids of codes. null keeps them as they are.
func (r *productReader) websites(into **[]int64, v value.Value) error {
	var codes *[]string
	if err := readTexts(&codes, v, true); err != nil || codes == nil {
		return err
	}
	ids := []int64{}
	for _, code := range *codes {
		w := r.places.website(code)
		if w == nil {
			return fmt.Errorf("there is no website of this code")
		}
		ids = append(ids, w.id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	*into = &ids
	return nil
}

func (r *productReader) categoryIDs(into **[]int64, v value.Value) error {
	ids := []int64{}
	list, err := items(v)
	if err != nil {
		return err
	}
	for _, item := range list {
		id, err := wholeNumber(item)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	*into = &ids
	return nil
}

// categoryLinks are the categories to be added; null says nothing, an empty list takes all away.
func (r *productReader) categoryLinks(into **[]categoryLink, v value.Value) error {
	if v.IsNull() {
		return nil
	}
	links := []categoryLink{}
	list, err := items(v)
	if err != nil {
		return err
	}
	for _, item := range list {
		if item.Kind() != value.KindObject {
			return fmt.Errorf("a list of objects with category_id and position is expected")
		}
		id, _ := item.Object().Get("category_id")
		n, err := wholeNumber(id)
		if err != nil {
			return err
		}
		position, _ := item.Object().Get("position")
		at, err := int64(0), error(nil)
		if !position.IsNull() {
			at, err = wholeNumber(position)
		}
		if err != nil {
			return err
		}
		links = append(links, categoryLink{number(at), number(n)})
	}
	*into = &links
	return nil
}

func readType(into **string, v value.Value) error {
	if err := readText(into, v); err != nil || *into == nil {
		return err
	}
	if !slices.Contains(productTypes, **into) {
		*into = nil
		return quietf("Magento has no such type of product")
	}
	return nil
}

func readText(into **string, v value.Value) error {
	if v.IsNull() {
		return nil
	}
	if v.Kind() != value.KindText {
		return fmt.Errorf("a text is expected")
	}
	text := strings.TrimSpace(v.Text())
	if text != "" {
		*into = &text
	}
	return nil
}

// readTexts reads a list of texts without doubles. null is an empty list, unless it keeps what is there.
func readTexts(into **[]string, v value.Value, keeps bool) error {
	if v.IsNull() && keeps {
		return nil
	}
	list, err := items(v)
	if err != nil {
		return err
	}
	out := []string{}
	for _, item := range list {
		if item.Kind() != value.KindText {
			return fmt.Errorf("a list of texts is expected")
		}
		if text := strings.TrimSpace(item.Text()); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	*into = &out
	return nil
}

// readLinks reads SKUs in order, or objects with sku and qty. A doubled one counts once.
func readLinks(v value.Value) ([]linkWant, error) {
	out := []linkWant{}
	list, err := items(v)
	if err != nil {
		return nil, err
	}
	for _, item := range list {
		var one linkWant
		switch item.Kind() {
		case value.KindText:
			one.sku = strings.TrimSpace(item.Text())
		case value.KindObject:
			if sku, _ := item.Object().Get("sku"); sku.Kind() == value.KindText {
				one.sku = strings.TrimSpace(sku.Text())
			}
			if qty, _ := item.Object().Get("qty"); !qty.IsNull() {
				if one.quantity, err = numberText(qty); err != nil {
					return nil, err
				}
			}
		}
		if one.sku == "" {
			return nil, fmt.Errorf("a list of SKUs, or of objects with sku and qty, is expected")
		}
		if !slices.ContainsFunc(out, func(l linkWant) bool { return foldSKU(l.sku) == foldSKU(one.sku) }) {
			out = append(out, one)
		}
	}
	return out, nil
}

func items(v value.Value) ([]value.Value, error) {
	switch v.Kind() {
	case value.KindNull:
		return nil, nil
	case value.KindList:
		return v.List(), nil
	}
	return nil, fmt.Errorf("a list is expected")
}

func wholeNumber(v value.Value) (int64, error) {
	text, err := numberText(v)
	if err != nil {
		return 0, err
	}
	var n number
	if err := n.UnmarshalJSON([]byte(text)); err != nil {
		return 0, fmt.Errorf("a whole number is expected")
	}
	return int64(n), nil
}
