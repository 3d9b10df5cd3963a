package pimcore

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"strconv"
)

// file is an asset in an answer.
type file struct{ a *asset }

func (n file) typeName() string {
	if n.a.kind == "folder" {
		return "asset_folder"
	}
	return "asset"
}

func (n file) field(r *request, f *planned) (any, error) {
	a := n.a
	switch f.node.Name {
	case "id":
		return strconv.Itoa(a.id), nil
	case "creationDate":
		return a.created, nil
	case "modificationDate":
		return a.modified, nil
	case "filename":
		return a.name, nil
	case "fullpath":
		if t := f.text("thumbnail"); t != "" {
			return r.s.conf().AssetPrefix + a.path + "image-thumb__" + strconv.Itoa(a.id) + "__" + t + "/" + a.name, nil
		}
		return r.s.conf().AssetPrefix + a.fullpath(), nil
	case "mimetype":
		return a.mime, nil
	case "type":
		return a.kind, nil
	case "filesize":
		return len(a.data), nil
	case "data":
		return base64.StdEncoding.EncodeToString(a.data), nil
	case "dimensions":
		if c, err := png.DecodeConfig(bytes.NewReader(a.data)); err == nil {
			return rec{"dimensions", []string{"width", "height"}, []any{c.Width, c.Height}}, nil
		}
		return nil, nil
	case "parent":
		if p := r.w.assets[a.parent]; p != nil && r.w.may(mayRead, p.fullpath(), true) {
			return file{p}, nil
		}
		return nil, nil
	case "children":
		return r.files(r.w.assetKids(a.id), 0), nil
	case "_siblings":
		return r.files(r.w.assetKids(a.parent), a.id), nil
	case "metadata", "tags", "properties":
		return []source{}, nil
	}
	return nil, nil
}

func (r *request) files(list []*asset, without int) []source {
	out := []source{}
	for _, a := range list {
		if a.id != without && r.w.may(mayRead, a.fullpath(), true) {
			out = append(out, file{a})
		}
	}
	return out
}
