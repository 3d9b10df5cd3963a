package magento

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// galleryEntry is an entry of a product's gallery; it is replaced, never changed.
type galleryEntry struct {
	id     int
	seq    int // when its row was written: the order of entries of one position
	kind   string
	file   string
	values map[int]galleryValue // by store; 0 is what the others inherit

	content *picture // of one that is not saved yet, or whose picture is to be replaced
	fresh   bool     // sent without an id
	kept    bool     // not named in what was sent
	still   bool     // its row is not written anew
	roles   []string // as sent
}

type galleryValue struct {
	label    any // text or null
	position int
	disabled bool
}

func (e *galleryEntry) at(store int) galleryValue {
	if v, ok := e.values[store]; ok {
		return v
	}
	return e.values[0]
}

// roleCodes are the attributes that name a product's pictures; those of the first three have a label beside them.
func roleCodes() []string { return []string{"image", "small_image", "swatch_image", "thumbnail"} }

const noSelection = "no_selection"

func entryShape() *shape {
	content := func() *shape {
		return fields(map[string]typ{"base64_encoded_data": text(), "type": text(), "name": text()})
	}
	return fields(map[string]typ{"id": integer(), "media_type": text(), "label": text(), "position": integer(), "disabled": flag(),
		"types": listOf(text()), "file": text(), "content": object1(content), "extension_attributes": anything()})
}

// sorted are a product's entries as a store lists them.
func (p *product) sortedGallery(store int) []*galleryEntry {
	return slices.SortedStableFunc(slices.Values(p.gallery), func(a, b *galleryEntry) int {
		return cmp.Or(cmp.Compare(a.at(store).position, b.at(store).position), cmp.Compare(a.seq, b.seq))
	})
}

// rolesOf are the roles that a file has in a store.
func (c *call) rolesOf(p *product, file string, store int) []string {
	roles := []string{}
	for _, code := range []string{"image", "small_image", "thumbnail", "swatch_image"} {
		if s, ok := p.values.at(c.attributes.product(code).id, store); ok && s == file {
			roles = append(roles, code)
		}
	}
	return roles
}

func (c *call) entryView(p *product, e *galleryEntry) obj {
	v := e.at(c.store)
	return obj{{"id", e.id}, {"media_type", e.kind}, {"label", v.label}, {"position", v.position}, {"disabled", v.disabled},
		{"types", c.rolesOf(p, e.file, c.store)}, {"file", e.file}}
}

func (c *call) contentView(e *galleryEntry) obj {
	data := c.files[e.file]
	return obj{{"base64_encoded_data", base64.StdEncoding.EncodeToString(data)}, {"type", http.DetectContentType(data)},
		{"name", e.file[strings.LastIndexByte(e.file, '/')+1:]}}
}

// mediaPart is a product's gallery in its body: entries with an id say which are kept, those without are added, each time
// anew; if none has an id all are kept; an empty list takes all away.
func mediaPart() productPart {
	return productPart{name: "media_gallery_entries", typ: listOf(object1(entryShape)),
		apply: func(c *call, d *product, v any) error {
			gallery, err := c.galleryOf(d, v.([]any))
			if err != nil {
				return err
			}
			d.gallery = gallery
			return nil
		},
		saved: func(c *call, p *product, _ any, sent, _ bool) {
			if sent {
				c.saveGallery(p)
			}
		},
		render: func(c *call, p *product, _ bool) (any, bool) {
			list := []any{}
			for _, e := range p.sortedGallery(c.store) {
				list = append(list, c.entryView(p, e))
			}
			return list, true
		},
		deleted: func(c *call, p *product) {
			for _, e := range p.gallery {
				delete(c.files, e.file)
			}
		},
	}
}

// galleryOf is a product's gallery as a list of entries will make it. Nothing of it is saved yet.
func (c *call) galleryOf(p *product, list []any) ([]*galleryEntry, error) {
	named := map[int]object{}
	var added []*galleryEntry
	for _, e := range list {
		in := e.(object)
		if id := in.integer("id"); id != 0 {
			named[id] = in
			continue
		}
		if in["content"] == nil {
			return nil, fail(http.StatusBadRequest, "The image content is invalid. Verify the content and try again.")
		}
		fresh := &galleryEntry{fresh: true}
		if err := c.putEntry(fresh, in, 0); err != nil {
			return nil, err
		}
		added = append(added, fresh)
	}
	var gallery []*galleryEntry
	for _, e := range p.sortedGallery(c.store) {
		in, ok := named[e.id]
		switch {
		case ok:
			changed := *e
			changed.roles = c.rolesOf(p, e.file, c.store)
			if err := c.putEntry(&changed, in, c.store); err != nil {
				return nil, err
			}
			gallery = append(gallery, &changed)
		case len(named) == 0 && len(list) > 0:
			kept := *e
			kept.roles, kept.kept = nil, true // the roles are the new list's
			gallery = append(gallery, &kept)
		}
	}
	c.mixUp(gallery, added)
	return append(gallery, added...), nil
}

// mixUp is what happens to an entry when a picture of the same name comes: until its file gets the number behind its
// name the two have one path, and what is said of the one is said of the other.
func (c *call) mixUp(gallery, added []*galleryEntry) {
	for _, n := range added {
		name, err := fileName(n.content.name)
		if err != nil {
			continue
		}
		for _, e := range gallery {
			if e.file != dispersed(name) {
				continue
			}
			e.values = map[int]galleryValue{}
			for store, v := range n.values {
				e.values[store] = v
			}
			n.roles = append(slices.Clone(n.roles), e.roles...)
			e.roles, e.still = nil, e.kept
		}
	}
}

// putEntry takes what was sent into an entry.
func (c *call) putEntry(e *galleryEntry, in object, store int) error {
	v := e.at(store)
	if in.has("label") || e.fresh {
		v.label = in["label"]
	}
	if in.has("position") {
		v.position = in.integer("position")
	}
	if in.has("disabled") {
		v.disabled = in.flag("disabled")
	}
	values := map[int]galleryValue{}
	for s, had := range e.values {
		values[s] = had
	}
	values[store] = v
	e.values = values
	e.kind = or(in.text("media_type"), or(e.kind, "image"))
	if in.has("types") {
		e.roles = nil
		for _, t := range in.list("types") {
			s, _ := t.(string)
			e.roles = append(e.roles, s)
		}
	}
	if in["content"] == nil {
		return nil
	}
	pic, err := pictureOf(in.object("content"))
	if err != nil {
		return err
	}
	if _, err := fileName(pic.name); err != nil {
		return err
	}
	e.content = &pic
	return nil
}

// saveGallery writes a product's gallery: files, rows, roles.
func (c *call) saveGallery(p *product) {
	old := c.galleryFiles[p.id]
	var files []string
	gallery := make([]*galleryEntry, 0, len(p.gallery))
	write := func(fresh bool) {
		for _, e := range p.gallery {
			if e.fresh == fresh {
				gallery = append(gallery, c.saveEntry(e))
			}
		}
	}
	write(true)
	write(false)
	roles := map[string]*galleryEntry{}
	for _, had := range []bool{false, true} {
		for _, e := range gallery {
			if e.fresh == had {
				for _, r := range e.roles {
					roles[r] = e
				}
			}
		}
	}
	for i, e := range gallery {
		files = append(files, e.file)
		saved := *e
		saved.fresh, saved.kept, saved.still, saved.roles = false, false, false, nil
		gallery[i] = &saved
	}
	for _, f := range old {
		if !slices.Contains(files, f) {
			delete(c.files, f)
			p.values = slices.DeleteFunc(slices.Clone(p.values), func(v eavValue) bool { return v.store != c.store && v.text == f })
		}
	}
	p.gallery, c.galleryFiles[p.id] = gallery, files
	c.assignRoles(p, roles)
}

// saveEntry gives an entry its id and its file.
func (c *call) saveEntry(e *galleryEntry) *galleryEntry {
	saved := *e
	if saved.id == 0 {
		saved.id = c.galleryIDs.next()
	}
	if !saved.still {
		saved.seq = c.gallerySeq.next()
	}
	if saved.content != nil {
		name, _ := fileName(saved.content.name)
		saved.file = c.files.free(dispersed(name))
		c.files[saved.file] = saved.content.data
		saved.content = nil
	}
	return &saved
}

// assignRoles writes the roles at the scope's store, and the labels beside them.
func (c *call) assignRoles(p *product, roles map[string]*galleryEntry) {
	p.values = slices.Clone(p.values)
	for _, code := range roleCodes() {
		at := c.attributes.product(code)
		if !c.attributes.sets[p.set].members[at.id] {
			continue
		}
		e, label := roles[code], c.attributes.product(code+"_label")
		if e == nil {
			c.write(&p.values, at, c.store, noSelection)
			if label != nil {
				c.write(&p.values, label, c.store, nil)
			}
			continue
		}
		c.write(&p.values, at, c.store, e.file)
		if label != nil {
			c.write(&p.values, label, c.store, e.at(c.store).label)
		}
	}
}

// saveRoles says of roles that nothing has that nothing has them: a save that loads the whole product does so.
func (c *call) saveRoles(p *product, codes ...string) {
	for _, code := range codes {
		at := c.attributes.product(code)
		if _, ok := p.values.at(at.id, c.store); !ok {
			p.values = slices.Clone(p.values)
			c.write(&p.values, at, 0, noSelection)
		}
	}
}
