package pimcore

import (
	"fmt"
	"slices"
)

// What a save wrote, in the words of the tables: the mirror repeats it, the listener tells of it.
type change struct {
	kind    string // object or asset
	op      string // add, update, delete
	before  *object
	after   *object
	asset   *asset
	draft   bool
	silent  bool // no event: children of a move, inherited rows, direct SQL
	oldPath string
	dirty   bool   // localized rows were changed
	version bool   // a row in versions was written
	rows    string // query: only the row of the query table
}

// saving says how a save is done.
type saving struct {
	date          int64 // 0: now
	user          int
	noVersion     bool
	omitMandatory bool
	event         bool
}

func (s *Server) now() int64 { return s.o.Now().Unix() }

// save puts a changed copy of an object in its place, as Pimcore's save does: date, counter and version move even if
// nothing changed; children get new paths without a new date. The caller holds the world's lock.
func (s *Server) save(o *object, how saving) error {
	old := s.w.objects[o.id]
	parent := s.w.objects[o.parent]
	if parent == nil {
		return told("ParentID not found.")
	}
	if o.parent == o.id || s.below(parent, o.id) {
		return told("ParentID and ID are identical, an element can't be the parent of itself in the tree.")
	}
	o.path = folderPath(parent.fullpath())
	if id, taken := s.w.paths[o.fullpath()]; taken && id != o.id {
		return told(fmt.Sprintf("Duplicate full path [ %s ] - cannot save object", o.fullpath()))
	}
	if o.class != nil {
		if err := s.checkMandatory(o, how); err != nil {
			return err
		}
		if err := s.checkUnique(o); err != nil {
			return err
		}
	}
	o.modified = how.date
	if o.modified == 0 {
		o.modified = s.now()
	}
	o.modifier = how.user
	if old == nil {
		o.owner = how.user
		if o.created == 0 {
			o.created = o.modified
		}
	}
	versioned := !how.noVersion && !s.o.VersioningOff
	if versioned {
		s.addVersion(o, false)
	}
	c := change{kind: "object", op: "update", before: old, after: o, version: versioned, dirty: localizedDiffer(old, o)}
	if old == nil {
		c.op = "add"
		s.w.put(o)
	} else {
		if old.fullpath() != o.fullpath() {
			c.oldPath = old.fullpath()
			s.w.replace(o)
			s.movePaths(o)
		} else {
			s.w.replace(o)
		}
	}
	s.record(c)
	s.inheritedRows(old, o)
	return nil
}

func (s *Server) addVersion(o *object, draft bool) {
	next := o.versionCount + 1
	for _, v := range o.versions {
		next = max(next, v.count+1)
	}
	if !draft {
		o.versionCount = next
	}
	o.versions = append(o.versions, version{id: s.w.nextVer, date: o.modified, count: next, user: o.modifier, draft: draft})
	s.w.nextVer++
	if n := len(o.versions) - 20; n > 0 { // the maintenance job thins them out
		o.versions = slices.Delete(o.versions, 0, n)
	}
}

// below tells whether an object lies under another.
func (s *Server) below(o *object, id int) bool {
	for n := 0; o != nil && o.id != 1 && n < 1000; n++ {
		if o.id == id {
			return true
		}
		o = s.w.objects[o.parent]
	}
	return false
}

// movePaths gives everything below its new path: rows of objects are updated, dates are not, and no event tells of it.
func (s *Server) movePaths(parent *object) {
	for _, old := range s.w.kids(parent.id) {
		o := old.clone()
		o.path = folderPath(parent.fullpath())
		s.w.replace(o)
		s.record(change{kind: "object", op: "update", before: old, after: o, silent: true, rows: "objects"})
		s.movePaths(o)
	}
}

// inheritedRows: where a parent's value changed, the query rows of children are rewritten, and nothing else of them.
func (s *Server) inheritedRows(old, o *object) {
	if old == nil || o.class == nil || !o.class.Inherit {
		return
	}
	for _, kid := range s.w.kids(o.id) {
		if kid.class != o.class {
			continue
		}
		s.record(change{kind: "object", op: "update", before: kid, after: kid, silent: true, rows: "query"})
		s.inheritedRows(kid, kid)
	}
}

func localizedDiffer(old, o *object) bool {
	if o.class == nil {
		return false
	}
	for _, f := range o.class.order {
		for _, key := range f.keys {
			if !f.Localized {
				continue
			}
			was := any(nil)
			if old != nil {
				was = old.values[key]
			}
			if was != o.values[key] {
				return true
			}
		}
	}
	return false
}

// checkMandatory: localized fields are wanted in every language that has no fallback.
func (s *Server) checkMandatory(o *object, how saving) error {
	if how.omitMandatory || !o.published {
		return nil
	}
	for _, f := range o.class.order {
		if !f.Mandatory {
			continue
		}
		keys := []string{f.own}
		if f.Localized {
			keys = nil
			for _, l := range s.o.Languages {
				if s.o.Fallback[l] == "" {
					keys = append(keys, f.at(l))
				}
			}
		}
		for _, key := range keys {
			if empty(s.w.inherited(o, key)) {
				return told(fmt.Sprintf("Validation failed: Empty mandatory field [ %s ] fieldname=%s", f.Name, f.Name))
			}
		}
	}
	return nil
}

func (s *Server) checkUnique(o *object) error {
	for _, f := range o.class.order {
		v := o.values[f.own]
		if !f.Unique || empty(v) {
			continue
		}
		old := s.w.objects[o.id]
		if old != nil && old.values[f.own] == v {
			continue
		}
		for _, other := range s.w.byClass[o.class.Name] {
			if other.id != o.id && cellOf(other.values[f.own], f.Kind).compare(cellOf(v, f.Kind)) == 0 && other.values[f.own] != nil {
				return told("unique constraint violation")
			}
		}
	}
	return nil
}

// remove deletes an object with all below it; relations to it go with it.
func (s *Server) remove(o *object) {
	for _, kid := range s.w.kids(o.id) {
		s.remove(kid)
	}
	s.w.drop(o)
	s.record(change{kind: "object", op: "delete", before: o})
}

// record notes what was written, for the mirror and the listener.
func (s *Server) record(change) {}

// published tells of what was recorded, when the request is done.
func (s *Server) published() { s.cache.clear() }
