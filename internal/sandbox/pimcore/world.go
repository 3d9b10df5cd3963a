package pimcore

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
)

// object is an object, a variant or a folder.
type object struct {
	id, parent      int
	kind            string // object, variant, folder
	class           *class // nil: folder
	key, path       string // path: the parent's full path with a slash behind it
	index           int
	published       bool
	created         int64
	modified        int64
	owner, modifier int
	versionCount    int
	values          map[string]any
	versions        []version
	spoke           map[string]bool // languages that have a row, be it empty by now
	tags            []string
}

// version is a row of the table versions.
type version struct {
	id    int
	date  int64
	count int
	user  int
	draft bool
}

func (o *object) fullpath() string { return o.path + o.key }

// asset is an asset or a folder of assets.
type asset struct {
	id, parent   int
	kind         string // image, document, folder
	name, path   string
	mime         string
	data         []byte
	created      int64
	modified     int64
	dataModified int64
	modifier     int
	versionCount int
}

func (a *asset) fullpath() string { return a.path + a.name }

// world is all that the stand-in holds. Requests read it under the lock, edits write it.
type world struct {
	mu        sync.RWMutex
	objects   map[int]*object
	assets    map[int]*asset
	paths     map[string]int // of objects
	files     map[string]int // of assets
	children  map[int]map[int]bool
	folders   map[int]map[int]bool // children of asset folders
	byClass   map[string]map[int]*object
	unique    map[uniqueValue]int
	classes   map[string]*class
	classList []*class
	nextID    int // of objects: refused creates burn one, as auto_increment does
	nextAsset int
	nextVer   int
	gen       uint64 // counts writes: what was sorted before is stale

	sortMu sync.Mutex
	sorted map[string][]*object
	sortAt uint64

	languages []string
	fallback  map[string]string
	work      []Workspace
	useWork   bool
}

func newWorld(o Options) *world {
	w := &world{
		objects: map[int]*object{}, assets: map[int]*asset{}, paths: map[string]int{}, files: map[string]int{},
		children: map[int]map[int]bool{}, folders: map[int]map[int]bool{}, byClass: map[string]map[int]*object{}, unique: map[uniqueValue]int{}, classes: map[string]*class{},
		nextID: 2, nextAsset: 2, nextVer: 1, languages: o.Languages, fallback: o.Fallback, sorted: map[string][]*object{},
		work: o.Workspaces, useWork: o.Workspaces != nil,
	}
	for _, c := range o.Classes {
		own := newClass(c, o.Languages)
		w.classes[c.Name], w.classList = own, append(w.classList, own)
		w.byClass[c.Name] = map[int]*object{}
	}
	now := o.Now().Unix()
	w.objects[1] = &object{id: 1, kind: "folder", path: "/", published: true, created: now, modified: now}
	w.assets[1] = &asset{id: 1, kind: "folder", path: "/", created: now, modified: now}
	w.paths["/"], w.files["/"] = 1, 1
	return w
}

// folderPath is what stands before the key of a child.
func folderPath(fullpath string) string {
	if fullpath == "/" {
		return "/"
	}
	return fullpath + "/"
}

// put adds an object to the indexes.
func (w *world) put(o *object) {
	w.objects[o.id], w.paths[o.fullpath()] = o, o.id
	if w.children[o.parent] == nil {
		w.children[o.parent] = map[int]bool{}
	}
	w.children[o.parent][o.id] = true
	if o.class != nil {
		w.byClass[o.class.Name][o.id] = o
		for _, v := range o.uniques() {
			w.unique[v] = o.id
		}
	}
	w.nextID = max(w.nextID, o.id+1)
	w.gen++
}

func (w *world) drop(o *object) {
	delete(w.objects, o.id)
	delete(w.paths, o.fullpath())
	delete(w.children[o.parent], o.id)
	delete(w.children, o.id)
	if o.class != nil {
		delete(w.byClass[o.class.Name], o.id)
	}
	w.forget(o)
	w.gen++
}

// uniqueValue is a value that a unique field holds, as the index compares it.
type uniqueValue struct {
	field *field
	text  string
}

func (o *object) uniques() []uniqueValue {
	if o.class == nil {
		return nil
	}
	var out []uniqueValue
	for _, f := range o.class.order {
		if v := o.values[f.own]; f.Unique && !empty(v) {
			out = append(out, uniqueValue{f, strings.ToLower(cellOf(v, f.Kind).asText())})
		}
	}
	return out
}

func (w *world) forget(o *object) {
	for _, v := range o.uniques() {
		if w.unique[v] == o.id {
			delete(w.unique, v)
		}
	}
}

// replace puts a changed copy of an object in its place, so that what was read before stays as it was.
func (w *world) replace(o *object) {
	old := w.objects[o.id]
	delete(w.paths, old.fullpath())
	w.forget(old)
	if old.parent != o.parent {
		delete(w.children[old.parent], o.id)
	}
	w.put(o)
}

func (w *world) putAsset(a *asset) {
	if old := w.assets[a.id]; old != nil {
		delete(w.files, old.fullpath())
		delete(w.folders[old.parent], a.id)
	}
	w.assets[a.id], w.files[a.fullpath()] = a, a.id
	if w.folders[a.parent] == nil {
		w.folders[a.parent] = map[int]bool{}
	}
	w.folders[a.parent][a.id] = true
	w.nextAsset = max(w.nextAsset, a.id+1)
	w.gen++
}

func (w *world) dropAsset(a *asset) {
	delete(w.assets, a.id)
	delete(w.files, a.fullpath())
	delete(w.folders[a.parent], a.id)
	delete(w.folders, a.id)
	w.gen++
}

// kids are an object's children by key.
func (w *world) kids(id int) []*object {
	kids := make([]*object, 0, len(w.children[id]))
	for c := range w.children[id] {
		kids = append(kids, w.objects[c])
	}
	sort.Slice(kids, func(i, j int) bool { return kids[i].key < kids[j].key })
	return kids
}

func (w *world) assetKids(id int) []*asset {
	kids := make([]*asset, 0, len(w.folders[id]))
	for c := range w.folders[id] {
		kids = append(kids, w.assets[c])
	}
	sort.Slice(kids, func(i, j int) bool { return kids[i].name < kids[j].name })
	return kids
}

// clone copies an object with its values; the values themselves are never changed in place.
func (o *object) clone() *object {
	c := *o
	c.values, c.versions = maps.Clone(o.values), slices.Clone(o.versions)
	if c.values == nil {
		c.values = map[string]any{}
	}
	return &c
}

// empty tells what inheritance and fallback step over.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case []Ref:
		return len(v) == 0
	case []Meta:
		return len(v) == 0
	case []Entry:
		return len(v) == 0
	case []Feature:
		return len(v) == 0
	}
	return false
}

// inherited is a value with the parent's in place of an empty one, where the class wants that.
func (w *world) inherited(o *object, key string) any {
	v := o.values[key]
	if !o.class.Inherit || !empty(v) {
		return v
	}
	for p := w.objects[o.parent]; p != nil && p.class == o.class; p = w.objects[p.parent] {
		if up := p.values[key]; !empty(up) {
			return up
		}
	}
	return v
}

// read is a field's value as a request sees it: inherited, and with the fallback language in the place of an empty one.
func (w *world) read(o *object, f *field, language string) any {
	v := w.inherited(o, f.at(language))
	if !f.Localized || !empty(v) {
		return v
	}
	for l, n := w.fallback[language], 0; l != "" && n < len(w.languages); l, n = w.fallback[l], n+1 {
		if v := w.inherited(o, f.at(l)); !empty(v) {
			return v
		}
	}
	return v
}

type permission int

const (
	mayRead permission = iota
	mayCreate
	mayUpdate
	mayDelete
)

// may asks the workspaces: the deepest path that fits decides, and nothing configured is nothing permitted.
func (w *world) may(p permission, fullpath string, assets bool) bool {
	if !w.useWork {
		return true
	}
	best, ok := -1, false
	for _, s := range w.work {
		if s.Assets != assets || len(s.Path) <= best {
			continue
		}
		if s.Path != "/" && fullpath != s.Path && !strings.HasPrefix(fullpath, folderPath(s.Path)) {
			continue
		}
		best, ok = len(s.Path), [...]bool{s.Read, s.Create, s.Update, s.Delete}[p]
	}
	return ok
}

// end is what stands at the other end of a relation: nil where it is gone, unpublished or not permitted.
func (w *world) end(r Ref) (o *object, a *asset, permitted bool) {
	if r.Asset {
		a = w.assets[r.ID]
		if a == nil {
			return nil, nil, true
		}
		if !w.may(mayRead, a.fullpath(), true) {
			return nil, nil, false
		}
		return nil, a, true
	}
	o = w.objects[r.ID]
	if o == nil || !o.published {
		return nil, nil, true
	}
	if !w.may(mayRead, o.fullpath(), false) {
		return nil, nil, false
	}
	return o, nil, true
}
