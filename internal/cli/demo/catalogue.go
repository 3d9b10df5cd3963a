// Package demo holds the two made-up businesses of `lockstep demo`: a product catalogue with people who edit it, a
// shop with another schema, and a watch that measures in the shop itself when a change has arrived.
package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Product is a product as the catalogue holds it. Prices are in cents, weights in grams.
type Product struct {
	ID        int64
	SKU       string
	Name      string
	HTML      string
	Cents     int64
	Category  int64
	Brand     string
	Grams     int64
	Published bool
}

// Category is a category of the catalogue.
type Category struct {
	ID   int64
	Name string
}

type kind struct {
	category, noun, code string
	cents, grams         int64 // of a plain one
}

var kinds = []kind{
	{"Lighting", "Desk Lamp", "LMP", 4900, 1400}, {"Lighting", "Floor Lamp", "FLR", 11900, 5200}, {"Lighting", "Pendant Light", "PND", 8900, 2100},
	{"Chairs", "Dining Chair", "CHR", 12900, 6300}, {"Chairs", "Armchair", "ARM", 34900, 18500}, {"Chairs", "Bar Stool", "STL", 9900, 5400},
	{"Tables", "Side Table", "SDT", 14900, 8200}, {"Tables", "Dining Table", "DNT", 64900, 41000}, {"Tables", "Desk", "DSK", 39900, 28000},
	{"Shelves", "Wall Shelf", "SHF", 5900, 3100}, {"Shelves", "Bookcase", "BKC", 24900, 26500}, {"Textiles", "Wool Throw", "THR", 7900, 900},
	{"Textiles", "Cushion Cover", "CSH", 2400, 250}, {"Textiles", "Linen Curtain", "CRT", 6900, 1500}, {"Kitchen", "Chopping Board", "BRD", 3400, 1700},
	{"Kitchen", "Coffee Mug", "MUG", 1450, 380}, {"Kitchen", "Cast Iron Pan", "PAN", 5900, 2600}, {"Kitchen", "Water Carafe", "CRF", 3900, 950},
	{"Bath", "Bath Towel", "TWL", 2900, 650}, {"Bath", "Soap Dish", "SOP", 1290, 300}, {"Garden", "Plant Pot", "POT", 2690, 2200},
	{"Garden", "Watering Can", "CAN", 3200, 800}, {"Garden", "Garden Bench", "BNC", 28900, 19500}, {"Storage", "Storage Basket", "BSK", 2990, 700},
	{"Storage", "Coat Rack", "RCK", 8900, 4300}, {"Office", "Pen Tray", "PEN", 1990, 400},
}

var (
	styles  = []string{"Alva", "Bohinj", "Calm", "Dune", "Élan", "Fjord", "Gala", "Hygge", "Idrija", "Jasna", "Kolo", "Lumi", "Mira", "Nord", "Obla", "Piran", "Quiet", "Rila", "Soča", "Tisa", "Uma", "Vela", "Zarja"}
	stuffs  = []string{"Oak", "Walnut", "Ash", "Brass", "Steel", "Linen", "Wool", "Glass", "Stone", "Bamboo", "Clay", "Cork"}
	colours = []string{"black", "white", "sand", "olive", "navy", "rust", "grey", "moss", "plum", "ochre"}
	brands  = []string{"Haus & Hof", "Nordlys", "Lipa", "Atelier Šiška", "Brown & Daughters", "Kobalt"}
	praises = []string{"Made to be used every day.", "Looks better with age.", "Put together in minutes.", "Repairs are part of the deal.", "A quiet piece for a busy room."}
)

// Categories are the catalogue's categories.
func Categories() []Category {
	var all []Category
	seen := map[string]bool{}
	for _, k := range kinds {
		if !seen[k.category] {
			seen[k.category] = true
			all = append(all, Category{int64(10 * (len(all) + 1)), k.category})
		}
	}
	return all
}

// Catalogue makes products with the IDs from first on; equal seeds make equal catalogues.
func Catalogue(r *rand.Rand, first int64, n int) []Product {
	ids := map[string]int64{}
	for _, c := range Categories() {
		ids[c.Name] = c.ID
	}
	all := make([]Product, n)
	for i := range all {
		all[i] = product(r, first+int64(i), ids)
	}
	return all
}

func product(r *rand.Rand, id int64, categories map[string]int64) Product {
	k := kinds[r.IntN(len(kinds))]
	style, stuff, colour := pick(r, styles), pick(r, stuffs), pick(r, colours)
	p := Product{
		ID: id, SKU: fmt.Sprintf("%s-%05d", k.code, id), Name: fmt.Sprintf("%s %s %s, %s", style, stuff, k.noun, colour),
		Cents: price(r, k.cents), Category: categories[k.category], Brand: pick(r, brands),
		Grams: k.grams + int64(r.IntN(int(k.grams/2))), Published: r.IntN(12) > 0,
	}
	p.HTML = description(r, p.Name, k, stuff, colour, p.Grams)
	return p
}

// price is near what such a thing costs, and ends as prices end.
func price(r *rand.Rand, cents int64) int64 {
	c := cents*7/10 + int64(r.IntN(int(cents)))
	return c/100*100 + []int64{0, 50, 90, 95, 99}[r.IntN(5)]
}

func description(r *rand.Rand, name string, k kind, stuff, colour string, grams int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<p>The <strong>%s</strong> is a %s in %s, finished in %s. %s</p>\n", name, strings.ToLower(k.noun), strings.ToLower(stuff), colour, pick(r, praises))
	b.WriteString("<ul>\n")
	fmt.Fprintf(&b, "  <li>Material: %s &amp; care oil</li>\n  <li>Weight: %d.%03d&nbsp;kg</li>\n", strings.ToLower(stuff), grams/1000, grams%1000)
	fmt.Fprintf(&b, "  <li>Size: %d × %d × %d cm</li>\n", 10+r.IntN(90), 10+r.IntN(60), 5+r.IntN(80))
	b.WriteString("</ul>\n")
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "<p><em>%s</em> Ask us about matching pieces from the same series.</p>\n", pick(r, praises))
	}
	return b.String()
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }
