package pimcore

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
)

// seed fills the stand-in with a catalogue that depends on Options.Seed alone: a tree of categories, manufacturers with
// logos, products in folders with texts in two languages (a part of them without German, all without French), images,
// quantities, bricks, field collections, and variants that inherit. Some products are unpublished.
func (s *Server) seed() error {
	g := &grower{s: s, rand: rand.New(rand.NewPCG(uint64(s.conf().Seed), 0x10c5)), date: s.now() - 30*24*3600}
	g.folders()
	g.categories()
	g.manufacturers()
	g.images()
	for i := 1; i <= s.conf().Products && g.err == nil; i++ {
		g.product(i)
	}
	return g.err
}

type grower struct {
	s             *Server
	rand          *rand.Rand
	err           error
	date          int64
	cats          []int
	makers        []int
	pictures      []int
	products      []int
	productFolder []int
}

func (g *grower) object(n NewObject) int {
	if g.err != nil {
		return 0
	}
	n.Date = g.date
	if g.rand.IntN(3) > 0 { // two of three share their second with the one before
		g.date += int64(g.rand.IntN(90))
	}
	id, err := g.s.create(n)
	g.err = err
	return id
}

func (g *grower) asset(n NewAsset) int {
	if g.err != nil {
		return 0
	}
	n.Date = g.date
	id, err := g.s.createAsset(n)
	g.err = err
	return id
}

func pick[T any](g *grower, list []T) T { return list[g.rand.IntN(len(list))] }

func (g *grower) folders() {
	root := g.object(NewObject{Parent: 1, Key: "Products"})
	g.object(NewObject{Parent: 1, Key: "Categories"})
	g.object(NewObject{Parent: 1, Key: "Manufacturers"})
	g.productFolder = []int{root}
	for _, key := range []string{"outdoor", "home"} {
		g.productFolder = append(g.productFolder, g.object(NewObject{Parent: root, Key: key}))
	}
	g.asset(NewAsset{Filename: "product-images", Folder: true})
	g.asset(NewAsset{Filename: "logos", Folder: true})
}

type word struct{ key, en, de string }

func (g *grower) categories() {
	for _, top := range []word{{"clothing", "Clothing", "Kleidung"}, {"tools", "Tools", "Werkzeug"}, {"garden", "Garden", "Garten"}, {"sale", "Sale", ""}} {
		id := g.category("/Categories", top)
		g.cats = append(g.cats, id)
		for _, sub := range []word{{"new", "New in " + top.en, ""}, {"basics", top.en + " basics", ""}} {
			if top.de != "" && sub.key == "basics" {
				sub.de = top.de + ": das Wichtigste"
			}
			g.cats = append(g.cats, g.category("/Categories/"+top.key, word{sub.key, sub.en, sub.de}))
		}
	}
}

func (g *grower) category(path string, w word) int {
	code := strings.ToUpper(w.key)
	if path != "/Categories" {
		code = strings.ToUpper(strings.TrimPrefix(path, "/Categories/")) + "-" + code
	}
	values := map[string]any{"code": code, "name@en": w.en}
	if w.de != "" {
		values["name@de"] = w.de
	}
	return g.object(NewObject{Class: "Category", Path: path, Key: w.key, Values: values})
}

func (g *grower) manufacturers() {
	for i, name := range []string{"ACME", "Büttner & Söhne", "Hobby <Plus>", "Nordwind", "O'Leary"} {
		logo := g.asset(NewAsset{Path: "/logos", Filename: fmt.Sprintf("maker-%d.png", i+1), Data: picture(i, 24, 24)})
		g.makers = append(g.makers, g.object(NewObject{Class: "Manufacturer", Path: "/Manufacturers", Key: fmt.Sprintf("maker-%d", i+1),
			Values: map[string]any{"name": name, "logo": logo}}))
	}
}

func (g *grower) images() {
	for i := range 24 {
		g.pictures = append(g.pictures, g.asset(NewAsset{Path: "/product-images", Filename: fmt.Sprintf("p-%02d.png", i+1), Data: picture(i+7, 32, 32)}))
	}
}

// picture draws a PNG of two colours, another one for each number.
func picture(n, w, h int) []byte {
	img := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{
		color.RGBA{uint8(40 + n*53%200), uint8(60 + n*97%180), uint8(80 + n*31%170), 255}, color.White,
	})
	for y := range h {
		for x := range w {
			if (x*(n%5+1)+y*(n%3+1))/8%2 == 0 {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a bytes.Buffer takes everything
	return b.Bytes()
}

var nouns = [...]word{{"", "Shirt", "Hemd"}, {"", "Hammer", "Hammer"}, {"", "Rake", "Rechen"}, {"", "Jacket", "Jacke"}, {"", "Lamp", "Lampe"}, {"", "Gloves", "Handschuhe"}}

func (g *grower) product(i int) {
	noun := pick(g, nouns[:])
	values := map[string]any{
		"sku": fmt.Sprintf("SKU-%05d", i), "price": float64(1000+g.rand.IntN(20000)) / 100, "stock": int64(g.rand.IntN(200)),
		"active": g.rand.IntN(10) > 0, "releaseDate": int64(1704067200 + 86400*g.rand.IntN(700)),
		"availableFrom": int64(1704067200 + 60*g.rand.IntN(1000000)),
		"name@en":       fmt.Sprintf("%s %d", noun.en, i),
		"description@en": fmt.Sprintf("<p>The %s no. %d &mdash; \"good\" & lasting.</p>\n<ul><li>%s</li></ul>", noun.en, i,
			strings.Repeat("Made to be used every day. ", 1+g.rand.IntN(5))),
		"slug@en":    fmt.Sprintf("/%s-%d", strings.ToLower(noun.en), i),
		"categories": g.someCategories(), "manufacturer": pick(g, g.makers), "color": pick(g, []string{"red", "blue", "green", "black"}),
		"mainImage": pick(g, g.pictures), "gallery": Assets(pick(g, g.pictures), pick(g, g.pictures)),
		"weight": Quantity{float64(100+g.rand.IntN(5000)) / 2, pick(g, []string{"g", "kg"})},
	}
	if g.rand.IntN(5) > 0 {
		values["name@de"] = fmt.Sprintf("%s %d", noun.de, i)
		values["description@de"] = fmt.Sprintf("<p>Nr. %d: für jeden Tag, auch für Größeres.</p>", i)
	}
	g.rarer(i, values)
	id := g.object(NewObject{Class: "Product", Parent: pick(g, g.productFolder), Key: fmt.Sprintf("p-%05d", i), Values: values, Unpublished: g.rand.IntN(25) == 0})
	g.products = append(g.products, id)
	if i%3 == 0 {
		for v := range g.s.conf().VariantsPerThird {
			g.variant(id, i, v)
		}
	}
}

func (g *grower) someCategories() []Ref {
	ids := []int{pick(g, g.cats)}
	for range g.rand.IntN(3) {
		if id := pick(g, g.cats); id != ids[0] && id != ids[len(ids)-1] {
			ids = append(ids, id)
		}
	}
	return Refs(ids...)
}

func (g *grower) rarer(i int, values map[string]any) {
	switch g.rand.IntN(3) {
	case 0:
		values["discontinued"] = true
	case 1:
		values["discontinued"] = false
	}
	if g.rand.IntN(2) == 0 {
		values["badges"] = []string{"new", "sale"}[:1+g.rand.IntN(2)]
		values["power"], values["voltage"] = float64(g.rand.IntN(400))/4, pick(g, []string{"12V", "230V"})
		values["moreInfo"] = Link{Text: "more", Path: fmt.Sprintf("https://example.test/p/%d?a=1&b=2", i)}
	}
	if g.rand.IntN(3) == 0 {
		values["bullets"] = []Entry{{"Bullet", map[string]any{"text": "soft", "position": int64(1)}}, {"Bullet", map[string]any{"text": "lasting", "position": int64(2)}}}
		values["faq"] = []Entry{{"", map[string]any{"question": "Washable?", "answer": "Yes"}}}
		values["attributes"] = []Feature{{1, 1, pick(g, []string{"cotton", "wool", "steel"})}, {1, 2, float64(g.rand.IntN(2000)) / 10}}
		values["downloads"] = Assets(pick(g, g.pictures))
	}
	if len(g.products) > 2 && g.rand.IntN(3) == 0 {
		values["crossSell"] = []Meta{{Ref{ID: pick(g, g.products)}, map[string]string{"sort": "1", "note": "hi"}}}
	}
}

func (g *grower) variant(parent, i, n int) {
	size := []string{"s", "m", "l", "xl"}[n%4]
	g.object(NewObject{Class: "Product", Kind: "variant", Parent: parent, Key: fmt.Sprintf("p-%05d-%s", i, size), Values: map[string]any{
		"sku": fmt.Sprintf("SKU-%05d-%s", i, strings.ToUpper(size)), "stock": int64(g.rand.IntN(50)),
	}})
}
