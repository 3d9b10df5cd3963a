package pimcore

import (
	"encoding/base64"
	"fmt"
	"mime"
	"path"
)

// mutateAsset makes, changes and deletes assets and their folders; content comes as base64.
func (r *request) mutateAsset(verb string, folder bool, f *planned) (any, error) {
	m := result{typ: "AssetResult", output: nothing("asset")}
	switch {
	case verb == "delete":
		m.typ = "DeleteResult"
	case folder:
		m.typ = "FolderResult"
	}
	if verb == "create" {
		return r.createAsset(folder, f, m)
	}
	id, _ := f.number("id")
	if id == 0 {
		id = r.w.files[f.text("fullpath")]
	}
	old := r.w.assets[id]
	if old == nil || id == 1 || (old.kind == "folder") != folder {
		return refused(told("unable to "+verb+" asset. Unknown id or fullpath"), m)
	}
	if p := map[string]permission{"update": mayUpdate, "delete": mayDelete}[verb]; !r.w.may(p, old.fullpath(), true) {
		return refused(told("permission denied."), m)
	}
	if verb == "delete" {
		r.s.removeAsset(old)
		m.ok = true
		return m, nil
	}
	a := *old
	if id, ok := f.number("parentId"); ok {
		a.parent = id
	}
	if name := f.text("filename"); name != "" {
		a.name = name
	}
	if err := content(&a, f); err != nil {
		return nil, err
	}
	user, _ := f.number("userId")
	if err := r.s.saveAsset(&a, 0, user); err != nil {
		return refused(err, m)
	}
	m.ok, m.message, m.output, m.id = true, fmt.Sprintf("asset %d updated", a.id), file{&a}, a.id
	return m, nil
}

func (r *request) createAsset(folder bool, f *planned, m result) (any, error) {
	id, _ := f.number("parentId")
	if id == 0 {
		id = r.w.files[f.text("path")]
	}
	parent := r.w.assets[id]
	if parent == nil {
		return refused(told("unable to resolve parent"), m)
	}
	if !r.w.may(mayCreate, folderPath(parent.fullpath())+f.text("filename"), true) {
		return refused(told("not allowed to create asset"), m)
	}
	a := &asset{id: r.w.nextAsset, parent: id, name: f.text("filename"), kind: f.text("type"), mime: mime.TypeByExtension(path.Ext(f.text("filename")))}
	r.w.nextAsset++
	if folder {
		a.kind, a.mime = "folder", ""
	}
	if err := content(a, f); err != nil {
		return nil, err
	}
	user, _ := f.number("userId")
	if err := r.s.saveAsset(a, 0, user); err != nil {
		return refused(err, m)
	}
	m.ok, m.message, m.output, m.id = true, fmt.Sprintf("asset created: %d", a.id), file{a}, a.id
	return m, nil
}

// content takes the input's data into an asset.
func content(a *asset, f *planned) error {
	in, _ := f.args["input"].(map[string]any)
	text, ok := in["data"].(string)
	if !ok {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return errInternal
	}
	a.data = data
	return nil
}
