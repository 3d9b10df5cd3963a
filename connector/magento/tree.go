package magento

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// tree is where the categories stand, with the names that count in all store views.
type tree struct {
	byID   map[int64]*node
	byPath map[string]int64 // id by path of names; of two with one path the first
}

// node is a category in the tree.
type node struct {
	id, parent int64
	name       string
	level      int
	path       string // of names, from the root category on: "Default Category/Men/Tops"
}

// topCategory is the parent of the root categories. It has no place in paths.
const topCategory = 1

// pathSeparator stands between the names of a path; in a name it is doubled.
const pathSeparator = "/"

// joinPath is the path of a category below another.
func joinPath(parent, name string) string {
	name = strings.ReplaceAll(name, pathSeparator, pathSeparator+pathSeparator)
	if parent == "" {
		return name
	}
	return parent + pathSeparator + name
}

// splitPath is the names of a path.
func splitPath(path string) []string {
	var names []string
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] != '/':
			b.WriteByte(path[i])
		case i+1 < len(path) && path[i+1] == '/':
			b.WriteByte('/')
			i++
		default:
			names = append(names, strings.TrimSpace(b.String()))
			b.Reset()
		}
	}
	return append(names, strings.TrimSpace(b.String()))
}

const (
	maxLevels    = 100
	categoryPath = "V1/categories/list"
)

// categories are the tree as it is, or was a while ago.
func (s *shop) categories(ctx context.Context) (*tree, error) {
	return s.trees.get(ctx, treeLife, s.loadTree)
}

func (s *shop) loadTree(ctx context.Context) (*tree, error) {
	t := &tree{byID: map[int64]*node{}, byPath: map[string]int64{}}
	last := int64(0)
	for {
		got, err := s.client.find(ctx, "categories", allViews, categoryPath, search{
			groups: [][]filter{{{"entity_id", greater, number(last).text()}}}, sort: []string{"entity_id"}, size: s.conf.page,
			fields: "items[id,parent_id,name,level],total_count",
		})
		if err != nil {
			return nil, err
		}
		before := last
		err = eachOf(func(c *struct {
			ID     number `json:"id"`
			Parent number `json:"parent_id"`
			Name   loose  `json:"name"`
			Level  number `json:"level"`
		}) {
			t.byID[int64(c.ID)] = &node{id: int64(c.ID), parent: int64(c.Parent), name: string(c.Name), level: int(c.Level)}
			last = max(last, int64(c.ID))
		})(got.items)
		if err != nil {
			return nil, err
		}
		if len(got.items) == 0 || len(got.items) >= got.total {
			t.index()
			return t, nil
		}
		if last == before {
			return nil, lockstep.Faultf(lockstep.CodeServer, "the pages of the categories do not end").On(lockstep.About{Request: "categories"})
		}
	}
}

// index makes the paths.
func (t *tree) index() {
	ids := make([]*node, 0, len(t.byID))
	for _, n := range t.byID {
		ids = append(ids, n)
	}
	slices.SortFunc(ids, func(a, b *node) int { return cmp.Compare(a.id, b.id) })
	for _, n := range ids {
		n.path = t.pathOf(n, 0)
		if _, twice := t.byPath[n.path]; !twice && n.path != "" {
			t.byPath[n.path] = n.id
		}
	}
}

func (t *tree) pathOf(n *node, depth int) string {
	if n.id == topCategory || n.parent == 0 || depth > maxLevels {
		return ""
	}
	if n.path != "" {
		return n.path
	}
	up := t.byID[n.parent]
	if up == nil {
		return joinPath("", n.name)
	}
	return joinPath(t.pathOf(up, depth+1), n.name)
}

// child is the id of a category by its parent and name, 0 where there is none; of two the first.
func (t *tree) child(parent int64, name string) int64 {
	found := int64(0)
	for id, n := range t.byID {
		if n.parent == parent && n.name == name && (found == 0 || id < found) {
			found = id
		}
	}
	return found
}

// addCategory makes a category that was just created known.
func (s *shop) addCategory(id, parent int64, name string) {
	s.trees.update(func(old *tree) *tree {
		t := &tree{byID: map[int64]*node{}, byPath: map[string]int64{}}
		for id, n := range old.byID {
			again := *n
			again.path = ""
			t.byID[id] = &again
		}
		level := 1
		if up := old.byID[parent]; up != nil {
			level = up.level + 1
		}
		t.byID[id] = &node{id: id, parent: parent, name: name, level: level}
		t.index()
		return t
	})
}
