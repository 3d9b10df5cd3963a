package magento

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// grower makes a catalogue that depends on Options.Seed alone, through the operations that a client has: a tree of
// categories, attributes with options, an attribute set, simple products, configurable ones with their children, pictures,
// stock, special and tier prices, links, and a second store view with texts of its own for a part of them.
type grower struct {
	s    *Server
	rand *rand.Rand
	now  time.Time
	err  error

	view       int // store id of the second view; 0: there is none
	set        string
	attributes map[string]string            // attribute id by code
	options    map[string]map[string]string // option id by attribute and label
	categories []string
	pictures   []string // in base64
	simple     []string // SKUs that links can go to
}

type bag = map[string]any

// grow makes n products. Its clock ran in the month before.
func (s *Server) grow(n int, seed int64) error {
	if n <= 0 {
		return nil
	}
	clock := s.world.clock
	g := &grower{s: s, rand: rand.New(rand.NewPCG(uint64(seed), 0x3a6e)), now: clock().Add(-30 * 24 * time.Hour),
		attributes: map[string]string{}, options: map[string]map[string]string{}}
	s.world.clock = func() time.Time { return g.now }
	defer func() { s.world.clock = clock }()
	if len(s.world.views) > 2 {
		g.view = 2
	}
	g.growAttributes()
	g.growCategories()
	g.drawPictures()
	for i := 1; i <= n && g.err == nil; {
		if i%8 == 1 && i+4 <= n {
			g.configurable(i)
			i += 5
			continue
		}
		g.single(i)
		i++
	}
	return g.err
}

// do performs an operation at a store and gives its answer; after a failure it does nothing.
func (g *grower) do(method, path string, store int, body any) any {
	if g.err != nil {
		return nil
	}
	if g.rand.IntN(3) > 0 { // one of three shares its second with the one before
		g.now = g.now.Add(time.Duration(1+g.rand.IntN(20)) * time.Second)
	}
	rt, vars := g.s.router.find(method, path)
	raw, err := json.Marshal(body)
	if err != nil {
		g.err = err
		return nil
	}
	v, err := decode(raw)
	if err != nil {
		g.err = err
		return nil
	}
	c := g.s.internal(context.Background(), store, vars)
	c.delay = 0
	in, _ := v.(object)
	got, err := perform(rt, c, in, vars)
	if err != nil {
		g.err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return got
}

func pick[T any](g *grower, list []T) T { return list[g.rand.IntN(len(list))] }

// word is a text in the language of the default and in that of the second view, if it has one there.
type word struct{ en, de string }

func colours() []word {
	return []word{{"Red", "Rot"}, {"Blue", "Blau"}, {"Green", "Grün"}, {"Black", "Schwarz"}, {"Aubergine", ""}}
}

func sizes() []word { return []word{{"XS", ""}, {"S", ""}, {"M", ""}, {"L", ""}, {"XL", ""}} }

func (g *grower) growAttributes() {
	answer, _ := g.do("POST", "/V1/products/attribute-sets", 0, bag{"attributeSet": bag{"attribute_set_name": "Clothing", "sort_order": 20}, "skeletonId": DefaultSet}).(obj)
	set, _ := answer.get("attribute_set_id")
	g.set = fmt.Sprint(set)
	for _, a := range []struct {
		code, label, de, input, scope string
		options                       []word
	}{
		{"color", "Color", "Farbe", "", "", colours()},
		{"manufacturer", "Manufacturer", "Hersteller", "", "", []word{{"ACME", ""}, {"Büttner & Söhne", ""}, {"Hobby <Plus>", ""}, {"O'Leary", ""}, {"Nordwind, Inc.", ""}}},
		{"size", "Size", "Größe", "select", "global", sizes()},
		{"material", "Material", "Material", "multiselect", "global", []word{{"Cotton", "Baumwolle"}, {"Wool", "Wolle"}, {"Steel", "Stahl"}, {"Oak", "Eiche"}}},
		{"eco", "Eco friendly", "Umweltfreundlich", "boolean", "website", nil},
		{"care", "Care", "Pflege", "textarea", "store", nil},
		{"tagline", "Tagline", "Slogan", "text", "store", nil},
		{"released", "Released on", "Erschienen am", "date", "global", nil},
		{"ean", "EAN", "EAN", "text", "global", nil},
	} {
		if a.input != "" {
			g.do("POST", "/V1/products/attributes", 0, bag{"attribute": bag{"attribute_code": a.code, "frontend_input": a.input, "scope": a.scope,
				"default_frontend_label": a.label, "frontend_labels": g.labels(a.de), "is_unique": zeroOne(a.code == "ean")}})
		}
		g.attributes[a.code] = itoa(g.s.world.attributes.product(a.code).id)
		g.options[a.code] = map[string]string{}
		for i, o := range a.options {
			id, _ := g.do("POST", "/V1/products/attributes/"+a.code+"/options", 0, bag{"option": bag{"label": o.en, "sort_order": i + 1, "store_labels": g.labels(o.de)}}).(string)
			g.options[a.code][o.en] = id
		}
		for _, set := range []string{itoa(DefaultSet), g.set} {
			if set == g.set || a.code != "size" {
				g.do("POST", "/V1/products/attribute-sets/attributes", 0, bag{"attributeSetId": set, "attributeGroupId": g.group(set), "attributeCode": a.code, "sortOrder": 50})
			}
		}
	}
}

// labels are those of the second view.
func (g *grower) labels(text string) []any {
	if g.view == 0 || text == "" {
		return []any{}
	}
	return []any{bag{"store_id": g.view, "label": text}}
}

// group is the first tab of a set.
func (g *grower) group(set string) string {
	for _, gr := range g.s.world.attributes.groups {
		if itoa(gr.set) == set {
			return itoa(gr.id)
		}
	}
	return ""
}

func (g *grower) growCategories() {
	for _, top := range []word{{"Clothing", "Kleidung"}, {"Tools", "Werkzeug"}, {"Garden", "Garten"}, {"Sale", ""}} {
		id := g.category("2", top)
		g.categories = append(g.categories, id)
		for _, sub := range []word{{"New in " + top.en, ""}, {top.en + " basics", top.de + ": das Wichtigste"}} {
			if top.de == "" {
				sub.de = ""
			}
			g.categories = append(g.categories, g.category(id, sub))
		}
	}
}

func (g *grower) category(parent string, name word) string {
	answer, _ := g.do("POST", "/V1/categories", 0, bag{"category": bag{"name": name.en, "parent_id": parent, "is_active": true, "custom_attributes": []any{
		custom1("description", "All about "+strings.ToLower(name.en))}}}).(obj)
	id, _ := answer.get("id")
	if g.view > 0 && name.de != "" {
		g.do("PUT", "/V1/categories/"+fmt.Sprint(id), g.view, bag{"category": bag{"name": name.de}})
	}
	return fmt.Sprint(id)
}

func custom1(code string, v any) bag { return bag{"attribute_code": code, "value": v} }

func nouns() []word {
	return []word{{"Shirt", "Hemd"}, {"Hammer", "Hammer"}, {"Rake", "Rechen"}, {"Jacket", "Jacke"}, {"Lamp", "Lampe"}, {"Gloves", "Handschuhe"}}
}

// product saves a product with what all have; more is laid over it.
func (g *grower) product(sku, name string, more bag, customs ...any) {
	body := bag{"sku": sku, "name": name, "attribute_set_id": DefaultSet, "price": float64(500+g.rand.IntN(20000)) / 100, "status": 1 + min(1, g.rand.IntN(12)/11),
		"visibility": 4, "type_id": "simple", "weight": float64(100+g.rand.IntN(5000)) / 100}
	maps.Copy(body, more)
	body["custom_attributes"] = append(customs, custom1("url_key", name+"-"+sku), custom1("ean", fmt.Sprintf("40%011d", g.rand.Int64N(1e11))),
		custom1("manufacturer", pick(g, []string{g.options["manufacturer"]["ACME"], g.options["manufacturer"]["O'Leary"], g.options["manufacturer"]["Nordwind, Inc."]})))
	g.do("POST", "/V1/products", 0, bag{"product": body})
}

// texts writes a product's texts in the second view.
func (g *grower) texts(sku, name string, customs ...any) {
	if g.view > 0 {
		g.do("PUT", "/V1/products/"+url.PathEscape(sku), g.view, bag{"product": bag{"name": name, "custom_attributes": customs}})
	}
}

func (g *grower) description(noun string, i int) string {
	return fmt.Sprintf("<p>The %s no. %d &mdash; \"good\" & lasting.</p>\n<ul><li>%s</li></ul>", noun, i, strings.Repeat("Made to be used every day. ", 1+g.rand.IntN(5)))
}

func (g *grower) links() []any {
	var list []any
	for _, id := range []string{pick(g, g.categories), pick(g, g.categories)} {
		list = append(list, bag{"category_id": id, "position": g.rand.IntN(50)})
	}
	return list
}

func stockOf(qty int) bag { return bag{"qty": qty, "is_in_stock": qty > 0} }

// single is a simple product by itself.
func (g *grower) single(i int) {
	noun, sku := pick(g, nouns()), fmt.Sprintf("SKU-%05d", i)
	ext := bag{"category_links": g.links(), "stock_item": stockOf(g.rand.IntN(200))}
	more := bag{"extension_attributes": ext, "media_gallery_entries": g.entries(sku, 1+i%2)}
	customs := []any{
		custom1("description", g.description(noun.en, i)), custom1("short_description", "A "+strings.ToLower(noun.en)+" for every day"),
		custom1("color", g.options["color"][pick(g, colours()).en]), custom1("material", g.options["material"]["Cotton"]+","+g.options["material"]["Wool"]),
		custom1("eco", itoa(g.rand.IntN(2))), custom1("released", fmt.Sprintf("%d-%02d-%02d", 2020+g.rand.IntN(6), 1+g.rand.IntN(12), 1+g.rand.IntN(28))),
		custom1("tagline", noun.en+" of the year"), custom1("care", "Keep dry.\nKeep cool."),
	}
	if i%9 == 0 {
		customs = append(customs, custom1("special_price", "4.99"), custom1("special_from_date", "2026-01-01 00:00:00"))
	}
	if i%13 == 0 {
		more["tier_prices"] = []any{bag{"customer_group_id": 32000, "qty": 10, "value": 3.5, "extension_attributes": bag{"website_id": 0}}}
	}
	if len(g.simple) > 3 {
		more["product_links"] = []any{g.linkTo(sku, "related", 1), g.linkTo(sku, "upsell", 1)}
	}
	g.product(sku, fmt.Sprintf("%s %d", noun.en, i), more, customs...)
	if i%3 > 0 {
		g.texts(sku, fmt.Sprintf("%s %d", noun.de, i), custom1("description", g.description(noun.de, i)), custom1("tagline", noun.de+" des Jahres"))
	}
	if len(g.simple) < 100 {
		g.simple = append(g.simple, sku)
	}
}

func (g *grower) linkTo(sku, typ string, position int) bag {
	return bag{"sku": sku, "link_type": typ, "linked_product_sku": pick(g, g.simple), "linked_product_type": "simple", "position": position}
}

// configurable is a product of two colours and two sizes, with its four children.
func (g *grower) configurable(i int) {
	sku, name := fmt.Sprintf("SKU-%05d", i), fmt.Sprintf("Shirt %d", i)
	var children []any
	for _, colour := range colours()[i%3 : i%3+2] {
		for _, size := range sizes()[1:3] {
			child := fmt.Sprintf("%s-%s-%s", sku, strings.ToUpper(colour.en), size.en)
			g.product(child, fmt.Sprintf("%s, %s, %s", name, colour.en, size.en), bag{"attribute_set_id": g.set, "visibility": 1, "status": 1,
				"extension_attributes": bag{"stock_item": stockOf(g.rand.IntN(40))}},
				custom1("color", g.options["color"][colour.en]), custom1("size", g.options["size"][size.en]))
			if p := g.s.world.products.find(child); p != nil {
				children = append(children, p.id)
			}
		}
	}
	g.product(sku, name, bag{"attribute_set_id": g.set, "type_id": "configurable", "media_gallery_entries": g.entries(sku, 2),
		"extension_attributes": bag{"category_links": g.links(), "configurable_product_options": []any{
			g.axis("color", "Color", 0), g.axis("size", "Size", 1)}, "configurable_product_links": children}},
		custom1("description", g.description("Shirt", i)), custom1("tagline", "One shirt, many looks"))
	g.texts(sku, fmt.Sprintf("Hemd %d", i), custom1("description", g.description("Hemd", i)))
}

func (g *grower) axis(code, label string, position int) bag {
	var values []any
	for _, id := range g.options[code] {
		values = append(values, bag{"value_index": id})
	}
	return bag{"attribute_id": g.attributes[code], "label": label, "position": position, "values": values}
}
