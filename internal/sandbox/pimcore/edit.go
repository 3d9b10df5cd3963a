package pimcore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// NewObject is what Create makes.
type NewObject struct {
	ID          int    // 0: the next one
	Class       string // empty: a folder
	Kind        string // object (default), variant, folder
	Parent      int    // or Path
	Path        string // the parent's full path
	Key         string
	Unpublished bool
	Values      map[string]any
	Date        int64 // creation and modification, unix seconds; 0: now
	User        int
	Tags        []string
	Unchecked   bool // no check of mandatory fields
}

// Object is an object as it is: own values only, nothing inherited.
type Object struct {
	ID, Parent       int
	Class, Kind      string
	Key, Fullpath    string
	Published        bool
	Created          int64
	Modified         int64
	VersionCount     int
	UserModification int
	UserOwner        int
	Values           map[string]any
}

// Create makes an object or folder, in one save.
func (s *Server) Create(n NewObject) (int, error) {
	id := 0
	err := s.edit(func() (err error) {
		id, err = s.create(n)
		return err
	})
	return id, err
}

func (s *Server) create(n NewObject) (int, error) {
	o := &object{id: n.ID, parent: n.Parent, kind: n.Kind, key: n.Key, published: !n.Unpublished, values: map[string]any{}, tags: n.Tags, created: n.Date}
	if n.Class != "" {
		if o.class = s.w.classes[n.Class]; o.class == nil {
			return 0, fmt.Errorf("no class %q", n.Class)
		}
	}
	if o.kind == "" {
		o.kind = "object"
		if o.class == nil {
			o.kind = "folder"
		}
	}
	if n.Path != "" {
		id, ok := s.w.paths[n.Path]
		if !ok {
			return 0, fmt.Errorf("no object %s", n.Path)
		}
		o.parent = id
	}
	if o.id == 0 {
		o.id = s.w.nextID
		s.w.nextID++
	}
	if s.w.objects[o.id] != nil {
		return 0, fmt.Errorf("the id %d is taken", o.id)
	}
	if err := o.set(n.Values); err != nil {
		return 0, err
	}
	return o.id, s.save(o, saving{date: n.Date, user: n.User, omitMandatory: n.Unchecked})
}

// set puts values; nil takes one away.
func (o *object) set(values map[string]any) error {
	for key, v := range values {
		if o.class == nil {
			return fmt.Errorf("a folder has no field %q", key)
		}
		f := o.class.valueField(key)
		if f == nil {
			return fmt.Errorf("class %s has no value %q", o.class.Name, key)
		}
		own, err := f.kept(v)
		if err != nil {
			return fmt.Errorf("value %q: %w", key, err)
		}
		if own == nil {
			delete(o.values, key)
			continue
		}
		o.values[key] = own
	}
	return nil
}

// kept is a value in the type that the field keeps.
func (f *field) kept(v any) (any, error) {
	switch f.Kind {
	case Numeric:
		switch n := v.(type) {
		case int:
			return float64(n), nil
		case int64:
			return float64(n), nil
		}
	case Integer, Date, Datetime:
		switch n := v.(type) {
		case int:
			return int64(n), nil
		case float64:
			return int64(n), nil
		}
	case Image, HotspotImage:
		if id, ok := v.(int); ok {
			return Ref{ID: id, Asset: true}, nil
		}
	case ManyToOne:
		if id, ok := v.(int); ok {
			return Ref{ID: id}, nil
		}
	}
	if v != nil && !f.takes(v) {
		return nil, fmt.Errorf("a %T is no value of a field of kind %s", v, f.Kind)
	}
	return v, nil
}

func (f *field) takes(v any) bool {
	ok := false
	switch f.Kind {
	case Numeric:
		_, ok = v.(float64)
	case Integer, Date, Datetime:
		_, ok = v.(int64)
	case Checkbox, BooleanSelect:
		_, ok = v.(bool)
	case Multiselect:
		_, ok = v.([]string)
	case QuantityValue:
		_, ok = v.(Quantity)
	case ManyToOne, Image, HotspotImage:
		_, ok = v.(Ref)
	case ManyToMany, ManyToManyObj, ImageGallery:
		_, ok = v.([]Ref)
	case AdvancedObj:
		_, ok = v.([]Meta)
	case LinkField:
		_, ok = v.(Link)
	case FieldCollection, Block:
		_, ok = v.([]Entry)
	case ClassStore:
		_, ok = v.([]Feature)
	case ReverseObj:
	default:
		_, ok = v.(string)
	}
	return ok
}

// edit runs a change under the lock and tells of it afterwards.
func (s *Server) edit(do func() error) error {
	s.w.mu.Lock()
	err := do()
	s.w.mu.Unlock()
	return errors.Join(err, s.published())
}

// change edits one object: how saves it.
func (s *Server) change(id int, how saving, do func(o *object) error) error {
	return s.edit(func() error { return s.changeOne(id, how, do) })
}

// changeOne is change under a lock that the caller holds.
func (s *Server) changeOne(id int, how saving, do func(o *object) error) error {
	old := s.w.objects[id]
	if old == nil || id == 1 {
		return fmt.Errorf("no object %d", id)
	}
	o := old.clone()
	if err := do(o); err != nil {
		return err
	}
	return s.save(o, how)
}

// Save changes values; without any it saves an unchanged object.
func (s *Server) Save(id int, values map[string]any) error {
	return s.change(id, saving{omitMandatory: true}, func(o *object) error { return o.set(values) })
}

// SaveAs is Save by a user of Pimcore's.
func (s *Server) SaveAs(user, id int, values map[string]any) error {
	return s.change(id, saving{omitMandatory: true, user: user}, func(o *object) error { return o.set(values) })
}

// SaveUnversioned is a save with versioning switched off, as importers do: the date moves, the counter does not.
func (s *Server) SaveUnversioned(id int, values map[string]any) error {
	return s.change(id, saving{omitMandatory: true, noVersion: true}, func(o *object) error { return o.set(values) })
}

// SaveWithDate is a save by code that sets the date itself, be it in the past.
func (s *Server) SaveWithDate(id int, values map[string]any, date int64) error {
	return s.change(id, saving{omitMandatory: true, date: date}, func(o *object) error { return o.set(values) })
}

// SaveVersion saves a draft: nothing of it is visible, no date moves.
func (s *Server) SaveVersion(id int, values map[string]any) error {
	return s.edit(func() error {
		old := s.w.objects[id]
		if old == nil || old.class == nil {
			return fmt.Errorf("no object %d", id)
		}
		draft := old.clone()
		if err := draft.set(values); err != nil {
			return err
		}
		o := old.clone()
		draft.modified = s.now()
		s.addVersion(draft, true)
		o.versions = draft.versions
		s.w.replace(o)
		s.begin()
		s.record(change{kind: "object", op: "update", before: old, after: draft, draft: true, version: true})
		return nil
	})
}

// SilentEdit changes values by SQL: no date, no counter, no event.
func (s *Server) SilentEdit(id int, values map[string]any) error {
	return s.edit(func() error {
		old := s.w.objects[id]
		if old == nil || old.class == nil {
			return fmt.Errorf("no object %d", id)
		}
		o := old.clone()
		if err := o.set(values); err != nil {
			return err
		}
		s.w.replace(o)
		s.begin()
		s.record(change{kind: "object", op: "update", before: old, after: o, silent: true, rows: valuesRows})
		return nil
	})
}

// Move puts an object or folder below another one.
func (s *Server) Move(id, parent int) error {
	return s.change(id, saving{omitMandatory: true}, func(o *object) error { o.parent = parent; return nil })
}

// Rename changes an object's key; what lies below it gets a new path and nothing else.
func (s *Server) Rename(id int, key string) error {
	return s.change(id, saving{omitMandatory: true}, func(o *object) error { o.key = key; return nil })
}

// Unpublish hides an object.
func (s *Server) Unpublish(id int) error { return s.publish(id, false) }

// Publish shows it again.
func (s *Server) Publish(id int) error { return s.publish(id, true) }

func (s *Server) publish(id int, on bool) error {
	return s.change(id, saving{omitMandatory: true}, func(o *object) error { o.published = on; return nil })
}

// Tag sets the element's tags. Tags are no save.
func (s *Server) Tag(id int, tags ...string) error {
	return s.edit(func() error {
		old := s.w.objects[id]
		if old == nil {
			return fmt.Errorf("no object %d", id)
		}
		o := old.clone()
		o.tags = tags
		s.w.replace(o)
		return nil
	})
}

// Delete deletes an object or folder with all below it, without a trace.
func (s *Server) Delete(id int) error {
	return s.edit(func() error {
		o := s.w.objects[id]
		if o == nil || id == 1 {
			return fmt.Errorf("no object %d", id)
		}
		s.remove(o)
		return nil
	})
}

// Get is an object as it is.
func (s *Server) Get(id int) (Object, bool) {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	o := s.w.objects[id]
	if o == nil {
		return Object{}, false
	}
	return o.public(), true
}

func (o *object) public() Object {
	p := Object{
		ID: o.id, Parent: o.parent, Kind: o.kind, Key: o.key, Fullpath: o.fullpath(), Published: o.published, Created: o.created,
		Modified: o.modified, VersionCount: o.versionCount, UserModification: o.modifier, UserOwner: o.owner, Values: maps.Clone(o.values),
	}
	if o.class != nil {
		p.Class = o.class.Name
	}
	return p
}

// ByPath is the id of an object or folder, 0 if there is none.
func (s *Server) ByPath(fullpath string) int {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	return s.w.paths[fullpath]
}

// IDs are the ids of a class's objects and variants, or, with an empty class, of folders, in order.
func (s *Server) IDs(class string) []int {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	var ids []int
	for id, o := range s.w.objects {
		if id != 1 && (class == "" && o.class == nil || o.class != nil && o.class.Name == class) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// SetWorkspaces changes what the endpoint may see and do; nil permits everything.
func (s *Server) SetWorkspaces(list []Workspace) {
	_ = s.edit(func() error {
		s.w.work, s.w.useWork = list, list != nil
		return nil
	})
}
