package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
)

// referenceWorld is products that are related to each other in rings, hold the key of their category, and carry its
// name, which their source shows.
func referenceWorld(t testing.TB) *world {
	w := newWorld(t, flowDef{name: "products", track: true, built: map[string]string{"categories": "price"}, rules: map[string]string{
		"id":    "id",
		"name":  `join(map(filter(split(split(name, " in ")[0], ","), # != ""), later(link("products", #))), ",") + " in " + split(name, " in ")[1]`,
		"price": `link("categories", price)`,
	}}, flowDef{name: "categories", track: true})
	w.source = func(a *memory.System) lockstep.Source { return joined{a} }
	return w
}

// referenceDump is how the products should be, and how they are.
func referenceDump(w *world) (string, string) {
	products := w.a.All("products")
	var want []string
	for _, key := range slices.Sorted(maps.Keys(products)) {
		r := joined{w.a}.show(lockstep.Record{Key: key, Fields: products[key]})
		name, _ := r.Fields.Get("name")
		price, _ := r.Fields.Get("price")
		ids, of, _ := strings.Cut(name.Text(), " in ")
		var there []string
		for id := range strings.SplitSeq(ids, ",") {
			if _, ok := products[lockstep.Key(id)]; ok {
				there = append(there, id)
			}
		}
		want = append(want, fmt.Sprintf("%s: %s in %s, %s", key, strings.Join(there, ","), of, price))
	}
	var got []string
	for _, key := range slices.Sorted(maps.Keys(w.b.All("products"))) {
		fields := w.b.All("products")[key]
		name, _ := fields.Get("name")
		price, _ := fields.Get("price")
		got = append(got, fmt.Sprintf("%s: %s, %s", key, name, price))
	}
	return strings.Join(want, "\n") + "\n" + dump(w.a, "categories"), strings.Join(got, "\n") + "\n" + dump(w.b, "categories")
}

func referenceLife(w *world, e *Engine) {
	sync := func(full bool) {
		_, _ = e.Sync(context.Background(), w.names(), SyncOptions{Full: full, Patience: 3 * time.Second, FullOptions: FullOptions{AllowDeletes: true}})
	}
	for id := range 5 {
		w.put("products", id, fmt.Sprintf("%d,%d", (id+1)%5, (id+4)%5), fmt.Sprint(100+id%2))
	}
	w.put("categories", 100, "even", "0.00")
	w.put("categories", 101, "odd", "0.00")
	sync(true)
	w.put("categories", 100, "straight", "0.00")
	w.put("products", 5, "0,7", "102") // waits for a category, and goes without a product
	w.put("products", 1, "5", "100")
	w.put("products", 3, "5", "100")
	w.a.Delete("categories", "101")
	sync(false)
	w.put("categories", 102, "new", "0.00")
	w.a.Delete("products", "0") // others are related to it
	w.put("products", 7, "5", "102")
	sync(false)
	w.put("categories", 102, "newer", "0.00")
	w.put("categories", 101, "odd again", "0.00")
	sync(true)
}

func referenceAfterwards(w *world) {
	w.put("categories", 100, "renamed", "0.00")
	w.put("categories", 101, "odd again", "0.00")
	w.put("categories", 102, "newest", "0.00")
	w.a.Delete("products", "2")
	w.put("products", 9, "7,3", "101")
	for _, key := range slices.Sorted(maps.Keys(w.a.All("products"))) { // whatever the life came to, every category is there now
		price, _ := w.a.All("products")[key].Get("price")
		if id, _ := price.KeyText(); w.a.Len("categories") > 0 {
			if _, ok := w.a.Get("categories", lockstep.Key(id)); !ok {
				w.t.Errorf("product %s has no category", key)
			}
		}
	}
}
