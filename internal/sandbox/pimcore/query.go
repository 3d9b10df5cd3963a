package pimcore

import (
	"fmt"
	"sort"
	"strings"
)

// queryRoot is the type Query.
type queryRoot struct{}

func (queryRoot) typeName() string { return "Query" }

func (queryRoot) field(r *request, f *planned) (any, error) {
	name := f.node.Name
	switch name {
	case "__schema":
		return schemaNode{}, nil
	case "__type":
		if d := r.schema.Types[f.text("name")]; d != nil {
			return definition{d}, nil
		}
		return nil, nil
	case "getAsset":
		return r.asset(f, false)
	case "getAssetFolder":
		return r.asset(f, true)
	case "getAssetListing":
		return r.assets(f)
	case "getObjectFolder":
		return r.folder(f)
	}
	if c := r.classOf(strings.TrimSuffix(name, "Listing"), "get"); c != nil && strings.HasSuffix(name, "Listing") {
		return r.listing(c, f)
	}
	return r.single(r.classOf(name, "get"), f)
}

// classOf is the class that a query or mutation is named after.
func (r *request) classOf(name, verb string) *class {
	name = strings.TrimPrefix(name, verb)
	for _, c := range r.w.classList {
		if upperFirst(c.Name) == name {
			return c
		}
	}
	return nil
}

// locale: a default language given once holds for the rest of the request, as PHP's locale service does.
func (r *request) locale(f *planned) {
	if l := f.text("defaultLanguage"); l != "" {
		r.language = l
	}
}

// single is getX: unpublished objects, too, and a missing one is an error.
func (r *request) single(c *class, f *planned) (any, error) {
	id, _ := f.number("id")
	path := f.text("fullpath")
	if id == 0 && path == "" {
		return nil, told("object id or fullpath expected")
	}
	r.locale(f)
	o := r.w.objects[id]
	if id == 0 {
		o = r.w.objects[r.w.paths[path]]
	}
	if o == nil || o.class != c || path != "" && o.fullpath() != path {
		var what []string
		if id != 0 {
			what = append(what, fmt.Sprintf("id:'%d'", id))
		}
		if path != "" {
			what = append(what, fmt.Sprintf("fullpath:'%s'", path))
		}
		return nil, told("object with " + strings.Join(what, " ") + " not found")
	}
	if !r.w.may(mayRead, o.fullpath(), false) {
		return nil, told("permission denied. check your workspace settings")
	}
	return node{o}, nil
}

// either is the id or path of an asset or folder.
func either(f *planned) (id int, path string, err error) {
	id, _ = f.number("id")
	path = f.text("fullpath")
	if id == 0 && path == "" {
		return 0, "", told("object id or fullpath expected")
	}
	if id != 0 && path != "" {
		return 0, "", told("either id or fullpath expected but not both")
	}
	return id, path, nil
}

func (r *request) folder(f *planned) (any, error) {
	id, path, err := either(f)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		id = r.w.paths[path]
	}
	o := r.w.objects[id]
	if o == nil || o.class != nil || !r.w.may(mayRead, o.fullpath(), false) {
		return nil, nil
	}
	return node{o}, nil
}

func (r *request) asset(f *planned, folder bool) (any, error) {
	id, path, err := either(f)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		id = r.w.files[path]
	}
	a := r.w.assets[id]
	if a == nil || (a.kind == "folder") != folder || !r.w.may(mayRead, a.fullpath(), true) {
		return nil, nil
	}
	return file{a}, nil
}

// assets is getAssetListing: ids, fullpaths, paging and an order by id, path or date; its filter is not imitated.
func (r *request) assets(f *planned) (any, error) {
	var list []*asset
	ids, byID := f.args["ids"].(string)
	paths, byPath := f.args["fullpaths"].(string)
	if _, ok := f.args["filter"].(string); ok {
		return nil, errInternal
	}
	for _, a := range r.w.assets {
		if a.kind == "folder" || byID && !listed(ids, a.id) || byPath && !pathListed(paths, a.fullpath()) || !r.w.may(mayRead, a.fullpath(), true) {
			continue
		}
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id })
	total := len(list)
	after, _ := f.number("after")
	list = list[min(max(after, 0), total):]
	if n, ok := f.number("first"); ok {
		if n < 0 {
			return nil, errInternal
		}
		list = list[:min(n, len(list))]
	}
	edges := []source{}
	for _, a := range list {
		edges = append(edges, rec{"AssetEdge", []string{"cursor", "node"}, []any{fmt.Sprint("asset-", a.id), file{a}}})
	}
	return rec{"AssetConnection", []string{"edges", "totalCount"}, []any{edges, total}}, nil
}

func listed(ids string, id int) bool {
	for _, s := range strings.Split(ids, ",") {
		if int(leadingNumber(s)) == id {
			return true
		}
	}
	return false
}

func pathListed(paths, path string) bool {
	for _, p := range splitQuoted(paths) {
		if p == path {
			return true
		}
	}
	return false
}
