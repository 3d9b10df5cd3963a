package pimcore

import (
	"errors"
	"fmt"
	"strings"
)

// mutationRoot is the type Mutations. Its fields run in order, each with saves of its own: there is no common
// transaction.
type mutationRoot struct{}

func (mutationRoot) typeName() string { return "Mutations" }

func (mutationRoot) field(r *request, f *planned) (any, error) {
	name := f.node.Name
	verb := [...]string{"create", "update", "delete"}[strings.IndexByte("cud", name[0])]
	switch name[len(verb):] {
	case "Asset", "AssetFolder":
		return r.mutateAsset(verb, strings.HasSuffix(name, "Folder"), f)
	case "ObjectFolder":
		return r.mutateFolder(verb, f)
	}
	c := r.classOf(name, verb)
	switch verb {
	case "create":
		return r.createObject(c, f)
	case "update":
		return r.updateObject(c, f)
	}
	return r.deleteObject(c, f)
}

// result is what a mutation answers. A refusal is no error of GraphQL's: success is false, and output has all its
// fields null.
type result struct {
	typ     string
	ok      bool
	message string
	output  source // an object or asset, or nothing
	id      int
}

func (m result) typeName() string { return m.typ }

func (m result) field(r *request, f *planned) (any, error) {
	switch f.node.Name {
	case "success":
		return m.ok, nil
	case "message":
		return m.message, nil
	case "id":
		if m.id != 0 {
			return m.id, nil
		}
	case "output", "assetData":
		r.locale(f)
		return m.output, nil
	}
	return nil, nil
}

// nothing is an object of which everything is null.
type nothing string

func (n nothing) typeName() string { return string(n) }

func (nothing) field(*request, *planned) (any, error) { return nil, nil }

// refused turns what Pimcore tells into success: false; what it does not foresee stays an error.
func refused(err error, m result) (any, error) {
	t, ok := errors.AsType[told](err)
	if !ok {
		return nil, err
	}
	m.ok, m.message = false, string(t)
	return m, nil
}

func (r *request) saving(f *planned) saving {
	how := saving{}
	how.user, _ = f.number("userId")
	how.omitMandatory, _ = f.flag("omitMandatoryCheck")
	how.noVersion, _ = f.flag("omitVersionCreate")
	return how
}

// createObject saves twice, as the real one does: once when the object is made, once with its values. A refused create
// leaves no object, but its id is gone.
func (r *request) createObject(c *class, f *planned) (any, error) {
	m := result{typ: "Create" + upperFirst(c.Name) + "Result", output: nothing("object_" + c.Name)}
	r.locale(f)
	parent, err := r.parent(f)
	if err != nil {
		return refused(err, m)
	}
	if !r.w.may(mayCreate, folderPath(parent.fullpath())+f.text("key"), false) {
		return refused(told("not allowed to create object "+c.Name), m)
	}
	o := &object{id: r.w.nextID, parent: parent.id, kind: "object", class: c, key: f.text("key"), published: true, values: map[string]any{}}
	r.w.nextID++
	if on, given := f.flag("published"); given {
		o.published = on
	}
	if t := f.text("type"); t != "" {
		o.kind = t
	}
	how := r.saving(f)
	if err := r.input(o, f); err != nil {
		return refused(err, m)
	}
	if err := r.s.save(o, how); err != nil {
		return refused(err, m)
	}
	o = o.clone()
	if err := r.s.save(o, how); err != nil {
		return refused(err, m)
	}
	m.ok, m.message, m.output = true, fmt.Sprintf("object created: %d", o.id), node{o}
	return m, nil
}

func (r *request) parent(f *planned) (*object, error) {
	id, _ := f.number("parentId")
	if id == 0 {
		id = r.w.paths[f.text("path")]
	}
	if p := r.w.objects[id]; p != nil {
		return p, nil
	}
	return nil, told("unable to resolve parent")
}

// target is the object that a mutation names.
func (r *request) target(c *class, f *planned) *object {
	id, _ := f.number("id")
	if id == 0 {
		id = r.w.paths[f.text("fullpath")]
	}
	if o := r.w.objects[id]; o != nil && o.class == c && id != 1 {
		return o
	}
	return nil
}

// updateObject changes what the input names and saves, also where nothing differs. There is no lock: the last one wins.
func (r *request) updateObject(c *class, f *planned) (any, error) {
	m := result{typ: "Update" + upperFirst(c.Name) + "Result", output: nothing("object_" + c.Name)}
	r.locale(f)
	old := r.target(c, f)
	if old == nil {
		return refused(told("unable to update object. Unknown id or fullpath"), m)
	}
	if !r.w.may(mayUpdate, old.fullpath(), false) {
		return refused(told("permission denied."), m)
	}
	o := old.clone()
	if id, ok := f.number("parentId"); ok {
		o.parent = id
	}
	how := r.saving(f)
	if err := r.input(o, f); err != nil {
		return refused(err, m)
	}
	if err := r.s.save(o, how); err != nil {
		return refused(err, m)
	}
	m.ok, m.message, m.output = true, fmt.Sprintf("object %d updated", o.id), node{o}
	return m, nil
}

func (r *request) deleteObject(c *class, f *planned) (any, error) {
	m := result{typ: "DeleteResult"}
	o := r.target(c, f)
	if o == nil {
		return refused(told("unable to delete object. Unknown id or fullpath"), m)
	}
	if !r.w.may(mayDelete, o.fullpath(), false) {
		return refused(told("permission denied."), m)
	}
	r.s.remove(o)
	m.ok = true
	return m, nil
}

// mutateFolder makes, changes and deletes folders of objects.
func (r *request) mutateFolder(verb string, f *planned) (any, error) {
	m := result{typ: "FolderResult"}
	if verb == "delete" {
		m.typ = "DeleteResult"
	}
	how := r.saving(f)
	if verb == "create" {
		parent, err := r.parent(f)
		if err != nil {
			return refused(err, m)
		}
		if !r.w.may(mayCreate, folderPath(parent.fullpath())+f.text("key"), false) {
			return refused(told("not allowed to create object folder"), m)
		}
		o := &object{id: r.w.nextID, parent: parent.id, kind: "folder", key: f.text("key"), published: true, values: map[string]any{}}
		r.w.nextID++
		if err := r.s.save(o, how); err != nil {
			return refused(err, m)
		}
		m.ok, m.message, m.id = true, fmt.Sprintf("object folder created: %d", o.id), o.id
		return m, nil
	}
	old := r.target(nil, f)
	if old == nil {
		return refused(told("unable to "+verb+" folder. Unknown id or fullpath"), m)
	}
	if p := map[string]permission{"update": mayUpdate, "delete": mayDelete}[verb]; !r.w.may(p, old.fullpath(), false) {
		return refused(told("permission denied."), m)
	}
	if verb == "delete" {
		r.s.remove(old)
		m.ok = true
		return m, nil
	}
	o := old.clone()
	if id, ok := f.number("parentId"); ok {
		o.parent = id
	}
	if key := f.text("key"); key != "" {
		o.key = key
	}
	if err := r.s.save(o, how); err != nil {
		return refused(err, m)
	}
	m.ok, m.message, m.id = true, fmt.Sprintf("object folder %d updated", o.id), o.id
	return m, nil
}
