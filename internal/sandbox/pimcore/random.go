package pimcore

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// RandomEdits makes n edits of all kinds: values, texts, relations, bricks and the classification store, moves, renames and
// moves of folders, unpublishing, deletes, new objects and variants, saves that change nothing, drafts, two saves in a
// second, saves with a date in the past, direct SQL. The same seed on the same catalogue makes the same edits.
func (s *Server) RandomEdits(n int, seed uint64) error {
	e := editor{s: s, rand: rand.New(rand.NewPCG(seed, 0xed17))}
	for range n {
		if err := e.edit(); err != nil {
			return err
		}
	}
	return nil
}

type editor struct {
	s    *Server
	rand *rand.Rand
	made int
}

func (e *editor) pick(class string) int {
	ids := e.s.IDs(class)
	if len(ids) == 0 {
		return 0
	}
	return ids[e.rand.IntN(len(ids))]
}

// edit makes one edit. An edit that cannot be made (nothing left, a key that is taken) is passed over.
func (e *editor) edit() error {
	id := e.pick("Product")
	if id == 0 {
		return e.create()
	}
	o, _ := e.s.Get(id)
	switch r := e.rand.IntN(100); {
	case r < 25:
		return e.s.Save(id, map[string]any{"price": float64(e.rand.IntN(100000)) / 100, "stock": e.rand.IntN(500)})
	case r < 27:
		return e.s.SaveWithDate(id, map[string]any{"stock": e.rand.IntN(500)}, o.Modified-int64(e.rand.IntN(1000000))-1)
	case r < 29:
		return e.silent(id)
	case r < 32:
		return e.s.Save(id, map[string]any{"power": float64(e.rand.IntN(400)) / 4, "attributes": []Feature{{1, 1, fmt.Sprintf("cloth %d", e.rand.IntN(1000))}, {1, 2, float64(e.rand.IntN(2000)) / 10}}})
	case r < 42:
		language := []string{"en", "de"}[e.rand.IntN(2)]
		return e.s.Save(id, map[string]any{"name@" + language: fmt.Sprintf("Text %d", e.rand.IntN(1000000))})
	case r < 48:
		return e.s.Save(id, map[string]any{"name@de": nil, "color": nil}) // falls back, is inherited
	case r < 56:
		return e.s.Save(id, map[string]any{"categories": Refs(e.pick("Category")), "manufacturer": e.pick("Manufacturer"), "weight": Quantity{float64(e.rand.IntN(1000)), "kg"}})
	case r < 62:
		return e.s.Save(id, nil)
	case r < 66:
		return e.s.SaveVersion(id, map[string]any{"price": 1})
	case r < 72:
		return e.s.publish(id, !o.Published)
	case r < 76:
		return e.create()
	case r < 80:
		return e.variant(id, o)
	case r < 84:
		return e.s.Delete(id)
	case r < 89:
		return e.s.Rename(id, fmt.Sprintf("r-%d-%d", id, e.rand.IntN(1000000)))
	case r < 91:
		return e.folder()
	case r < 92:
		return e.moveFolder()
	case r < 96:
		return e.move(id, o)
	}
	if err := e.s.Save(id, map[string]any{"stock": 1}); err != nil {
		return err
	}
	return e.s.Save(id, map[string]any{"stock": 2})
}

func (e *editor) create() error {
	e.made++
	n := e.rand.IntN(1 << 30)
	_, err := e.s.Create(NewObject{Class: "Product", Parent: e.home(), Key: fmt.Sprintf("n-%d-%d", e.made, n), Values: map[string]any{
		"sku": fmt.Sprintf("NEW-%d-%d", e.made, n), "price": float64(n%10000) / 100, "name@en": fmt.Sprintf("New %d", e.made),
	}})
	return err
}

// home is a folder for products.
func (e *editor) home() int {
	var homes []int
	for _, id := range e.s.IDs("") {
		if o, _ := e.s.Get(id); o.Key != "Categories" && o.Key != "Manufacturers" {
			homes = append(homes, id)
		}
	}
	if len(homes) == 0 {
		return 1
	}
	return homes[e.rand.IntN(len(homes))]
}

func (e *editor) variant(parent int, o Object) error {
	if o.Kind != "object" {
		return nil
	}
	e.made++
	n := e.rand.IntN(1 << 30)
	_, err := e.s.Create(NewObject{Class: "Product", Kind: "variant", Parent: parent, Key: fmt.Sprintf("v-%d-%d", e.made, n), Values: map[string]any{"sku": fmt.Sprintf("V-%d-%d", e.made, n)}})
	return err
}

// folder renames a folder: everything below it gets another path and no new date.
func (e *editor) folder() error {
	id := e.home()
	if id == 1 {
		return nil
	}
	return e.s.Rename(id, fmt.Sprintf("folder-%d-%d", id, e.rand.IntN(1000000)))
}

// moveFolder puts a folder below another one.
func (e *editor) moveFolder() error {
	id, to := e.home(), e.home()
	o, _ := e.s.Get(id)
	p, _ := e.s.Get(to)
	if id == 1 || id == to || o.Parent == to || strings.HasPrefix(folderPath(p.Fullpath), folderPath(o.Fullpath)) || e.s.ByPath(folderPath(p.Fullpath)+o.Key) != 0 {
		return nil
	}
	return e.s.Move(id, to)
}

// silent is direct SQL. What inherits from the object would show it with no row of its own written, so that nothing but
// reading everything could find it: only objects without children are edited so.
func (e *editor) silent(id int) error {
	e.s.w.mu.RLock()
	kids := len(e.s.w.kids(id))
	e.s.w.mu.RUnlock()
	if kids > 0 {
		return nil
	}
	return e.s.SilentEdit(id, map[string]any{"stock": e.rand.IntN(500)})
}

func (e *editor) move(id int, o Object) error {
	to := e.home()
	if o.Kind == "variant" || o.Parent == to {
		return nil
	}
	if p, _ := e.s.Get(to); e.s.ByPath(folderPath(p.Fullpath)+o.Key) != 0 {
		return nil
	}
	return e.s.Move(id, to)
}
