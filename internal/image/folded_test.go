package image_test

import (
	"testing"

	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// A choice that is found by its label in any case is the same in any case; it is sent as it was said.
func TestFoldedTexts(t *testing.T) {
	choice := value.Type{Kind: value.TextType, Folded: true}
	for name, typ := range map[string]value.Type{"a text": choice, "a set": {Kind: value.ListType, Elem: &choice, Unordered: true}} {
		s := shape(t, typ, image.Options{})
		of := func(text string) value.Fields {
			v := value.Text(text)
			if typ.Kind == value.ListType {
				v = value.List(v, value.Text("Wool"))
			}
			f, err := s.Coerce(value.NewNames("x").Fields([]value.Value{v}))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		a, b, other := of("Čipka Fine"), of("čipka fine"), of("Čipka")
		if s.Digest(a) != s.Digest(b) || !s.Level(a, b) || s.Digest(a) == s.Digest(other) || s.Level(a, other) {
			t.Errorf("%s: letter case counts, or nothing does", name)
		}
		if v, _ := a.Get("x"); typ.Kind == value.TextType && v.Text() != "Čipka Fine" {
			t.Errorf("%s is sent as %s", name, v.Text())
		}
	}
}
