package magento

import (
	"fmt"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

// readPictures reads the list of images: objects with hash, label, roles, disabled, in the order in which they are shown. null
// says nothing of the images, an empty list takes all away.
func readPictures(into **[]picture, v value.Value) error {
	if v.IsNull() {
		return nil
	}
	list, err := items(v)
	if err != nil {
		return err
	}
	out := []picture{}
	for i, item := range list {
		if item.Kind() != value.KindObject {
			return fmt.Errorf("a list of objects with hash, label, roles and disabled is expected")
		}
		p := picture{position: int64(i)}
		for name, f := range item.Object().All() {
			if err := p.read(name, f); err != nil {
				return err
			}
		}
		if p.hash == "" {
			return fmt.Errorf("an image without a hash")
		}
		out = append(out, p)
	}
	*into = &out
	return nil
}

func (p *picture) read(name string, v value.Value) (err error) {
	switch {
	case v.IsNull():
	case name == "hash" && v.Kind() == value.KindText:
		p.hash = v.Text()
	case name == "label" && v.Kind() == value.KindText:
		if p.label = v.Text(); beyondThreeBytes(p.label) || utf8.RuneCountInString(p.label) > mostVarchar {
			return quietf("Magento does not keep the label of an image as this one is")
		}
	case name == "disabled" && v.Kind() == value.KindBool:
		p.disabled = v.Bool()
	case name == "roles":
		var roles *[]string
		if err = readTexts(&roles, v, false); err == nil {
			p.roles = sortRoles(*roles)
		}
	default:
		err = fmt.Errorf("an image's %q is not understood", name)
	}
	return err
}

// readURLs reads where the bytes of each hash are: a list of objects with hash and url.
func readURLs(into *map[string]string, v value.Value) error {
	if v.IsNull() {
		return nil
	}
	list, err := items(v)
	if err != nil {
		return err
	}
	out := map[string]string{}
	for _, item := range list {
		if item.Kind() != value.KindObject {
			return fmt.Errorf("a list of objects with hash and url is expected")
		}
		hash, _ := item.Object().Get("hash")
		url, _ := item.Object().Get("url")
		if hash.Kind() == value.KindText && url.Kind() == value.KindText {
			out[hash.Text()] = url.Text()
		}
	}
	*into = out
	return nil
}
