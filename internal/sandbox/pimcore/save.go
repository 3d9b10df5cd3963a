package pimcore

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// What a save wrote, in the words of the tables: the mirror repeats it, the listener tells of it.
type change struct {
	kind     string // object or asset
	op       string // add, update, delete
	before   *object
	after    *object
	asset    *asset
	draft    bool
	silent   bool // no event: children of a move, inherited rows, direct SQL
	oldPath  string
	version  bool // a row in versions was written
	mirrored bool // its rows are in the database already
	rows     rows // which rows were written; all of a save by default
}

// rows are which of an object's rows a change wrote.
type rows int

const (
	allRows    rows = iota
	objectRow       // of a moved parent's child: its path
	queryRow        // of an inheriting child
	valuesRows      // direct SQL: values, not the object's own row
)

// saving says how a save is done.
type saving struct {
	date          int64 // 0: now
	user          int
	noVersion     bool
	mirrored      bool
	omitMandatory bool
}

func (s *Server) now() int64 { return s.conf().Now().Unix() }

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
		o.modified = s.now() - s.faults.late()
	}
	o.modifier = how.user
	if old == nil {
		o.owner = how.user
		if o.created == 0 {
			o.created = o.modified
		}
	}
	versioned := !how.noVersion && !s.conf().VersioningOff
	if versioned {
		s.addVersion(o, false)
	}
	s.begin()
	c := change{kind: "object", op: "update", before: old, after: o, version: versioned, mirrored: how.mirrored}
	if old == nil {
		c.op = "add"
		s.w.put(o)
		s.record(c)
		return nil
	}
	o.spoke = spoken(s.conf().Languages, old, o)
	s.w.replace(o)
	if old.fullpath() != o.fullpath() {
		c.oldPath = old.fullpath()
		s.movePaths(o) // their rows are written before the parent's
	}
	s.record(c)
	if o.class != nil && o.class.Inherit {
		s.inheritedRows(o, changedKeys(old, o))
	}
	return nil
}

// spoken remembers languages whose texts went: their rows stay.
func spoken(languages []string, old, o *object) map[string]bool {
	out := old.spoke
	for _, l := range languages {
		if old.speaks(l) && !o.speaks(l) {
			out = maps.Clone(out)
			if out == nil {
				out = map[string]bool{}
			}
			out[l] = true
		}
	}
	return out
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
		s.record(change{kind: "object", op: "update", before: old, after: o, silent: true, rows: objectRow})
		s.movePaths(o)
	}
}

// inheritedRows: where a parent's value changed and the child has none of its own, the child's query row is rewritten,
// and nothing else of it.
func (s *Server) inheritedRows(parent *object, keys []string) {
	if len(keys) == 0 {
		return
	}
	for _, kid := range s.w.kids(parent.id) {
		if kid.class != parent.class {
			continue
		}
		var through []string
		for _, key := range keys {
			if empty(kid.values[key]) {
				through = append(through, key)
			}
		}
		if len(through) > 0 {
			s.record(change{kind: "object", op: "update", before: kid, after: kid, silent: true, rows: queryRow})
		}
		s.inheritedRows(kid, through)
	}
}

// changedKeys are the values that differ between two states of an object; without a state before, all.
func changedKeys(old, o *object) []string {
	var keys []string
	for key, v := range o.values {
		if old == nil || !reflect.DeepEqual(old.values[key], v) {
			keys = append(keys, key)
		}
	}
	if old != nil {
		for key := range old.values {
			if _, still := o.values[key]; !still {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
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
			for _, l := range s.conf().Languages {
				if s.conf().Fallback[l] == "" {
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
	for _, v := range o.uniques() {
		if id, taken := s.w.unique[v]; taken && id != o.id {
			return told("unique constraint violation")
		}
	}
	return nil
}

// remove deletes an object with all below it, in one transaction; relations that point to it dangle.
func (s *Server) remove(o *object) {
	s.begin()
	s.removeTree(o)
}

func (s *Server) removeTree(o *object) {
	for _, kid := range s.w.kids(o.id) {
		s.removeTree(kid)
	}
	s.w.drop(o)
	s.record(change{kind: "object", op: "delete", before: o})
}
