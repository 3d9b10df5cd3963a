package pimcore

import (
	"fmt"
	"mime"
	"path"
)

// NewAsset is what CreateAsset makes.
type NewAsset struct {
	ID       int
	Parent   int    // 0: the root
	Path     string // or the parent's full path
	Filename string
	Folder   bool
	Data     []byte
	Date     int64
}

// CreateAsset makes an asset or a folder of assets.
func (s *Server) CreateAsset(n NewAsset) (int, error) {
	id := 0
	err := s.edit(func() (err error) {
		id, err = s.createAsset(n)
		return err
	})
	return id, err
}

func (s *Server) createAsset(n NewAsset) (int, error) {
	a := &asset{id: n.ID, parent: max(n.Parent, 1), name: n.Filename, data: n.Data, created: n.Date, kind: "document", mime: mime.TypeByExtension(path.Ext(n.Filename))}
	switch {
	case n.Folder:
		a.kind, a.mime = "folder", ""
	case len(a.mime) > 6 && a.mime[:6] == "image/":
		a.kind = "image"
	}
	if n.Path != "" {
		id, ok := s.w.files[n.Path]
		if !ok {
			return 0, fmt.Errorf("no asset %s", n.Path)
		}
		a.parent = id
	}
	if a.id == 0 {
		a.id = s.w.nextAsset
	}
	return a.id, s.saveAsset(a, n.Date, 0)
}

// saveAsset puts a changed copy of an asset in its place.
func (s *Server) saveAsset(a *asset, date int64, user int) error {
	old, parent := s.w.assets[a.id], s.w.assets[a.parent]
	if parent == nil {
		return told("ParentID not found.")
	}
	a.path = folderPath(parent.fullpath())
	if id, taken := s.w.files[a.fullpath()]; taken && id != a.id {
		return told(fmt.Sprintf("Duplicate full path [ %s ] - cannot save asset", a.fullpath()))
	}
	a.modified = date
	if date == 0 {
		a.modified = s.now()
	}
	if a.created == 0 {
		a.created = a.modified
	}
	if old == nil || string(old.data) != string(a.data) {
		a.dataModified = a.modified
	}
	a.modifier = user
	a.versionCount++
	s.begin()
	c := change{kind: "asset", op: "update", asset: a}
	if old == nil {
		c.op = "add"
	} else if old.fullpath() != a.fullpath() {
		c.oldPath = old.fullpath()
	}
	s.w.putAsset(a)
	s.moveFiles(a)
	s.record(c)
	return nil
}

func (s *Server) moveFiles(parent *asset) {
	for _, kid := range s.w.assetKids(parent.id) {
		if kid.path == folderPath(parent.fullpath()) {
			return
		}
		a := *kid
		a.path = folderPath(parent.fullpath())
		s.w.putAsset(&a)
		s.record(change{kind: "asset", op: "update", asset: &a, silent: true})
		s.moveFiles(&a)
	}
}

// ReplaceAsset gives an asset new content: its own date moves, those of the objects that show it do not.
func (s *Server) ReplaceAsset(id int, data []byte) error {
	return s.editAsset(id, func(a *asset) { a.data = data })
}

// RenameAsset changes an asset's filename.
func (s *Server) RenameAsset(id int, filename string) error {
	return s.editAsset(id, func(a *asset) { a.name = filename })
}

func (s *Server) editAsset(id int, do func(*asset)) error {
	return s.edit(func() error {
		old := s.w.assets[id]
		if old == nil || id == 1 {
			return fmt.Errorf("no asset %d", id)
		}
		a := *old
		do(&a)
		return s.saveAsset(&a, 0, 0)
	})
}

// DeleteAsset deletes an asset, or a folder with all in it.
func (s *Server) DeleteAsset(id int) error {
	return s.edit(func() error {
		a := s.w.assets[id]
		if a == nil || id == 1 {
			return fmt.Errorf("no asset %d", id)
		}
		s.removeAsset(a)
		return nil
	})
}

func (s *Server) removeAsset(a *asset) {
	s.begin()
	s.removeFiles(a)
}

func (s *Server) removeFiles(a *asset) {
	for _, kid := range s.w.assetKids(a.id) {
		s.removeFiles(kid)
	}
	s.w.dropAsset(a)
	s.record(change{kind: "asset", op: "delete", asset: a})
}

// AssetByPath is the id of an asset or folder, 0 if there is none.
func (s *Server) AssetByPath(fullpath string) int {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	return s.w.files[fullpath]
}
