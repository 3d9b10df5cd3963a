package image_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// pictures is a list of objects whose members are declared.
func pictures() value.Type {
	text, truth := value.Type{Kind: value.TextType}, value.Type{Kind: value.BoolType}
	roles := value.Type{Kind: value.ListType, Elem: &text, Unordered: true}
	return value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.ObjectType, Members: []value.Member{
		{Name: "hash", Type: text}, {Name: "label", Type: text}, {Name: "roles", Type: roles, Default: value.List()}, {Name: "hidden", Type: truth, Default: value.Bool(false)},
	}}}
}

// What is not said of an object is what its type says, whatever else is said in whichever order.
func TestMembersHaveDefaults(t *testing.T) {
	s := shape(t, pictures(), image.Options{})
	of := func(text string) value.Fields {
		f, err := s.Coerce(value.NewNames("x").Fields([]value.Value{from(t, raw(text))}))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	long := of(`[{"hash":"a","label":null,"roles":["b","a"],"hidden":false},{"hash":"c","label":null,"roles":[],"hidden":false}]`)
	short := of(`[{"roles":["a","b"],"hash":"a"},{"hidden":0,"hash":"c"}]`)
	if s.Digest(long) != s.Digest(short) || !s.Level(long, short) {
		t.Error("the same said shortly differs")
	}
	for name, text := range map[string]string{
		"another member": `[{"hash":"a","roles":["a","b"]},{"hash":"c","hidden":true}]`, "another order": `[{"hash":"c"},{"hash":"a","roles":["a","b"]}]`,
		"fewer": `[{"hash":"a","roles":["a","b"]}]`, "a label": `[{"hash":"a","label":"","roles":["a","b"]},{"hash":"c"}]`,
	} {
		if other := of(text); s.Digest(long) == s.Digest(other) || s.Level(long, other) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestMembersThatAreNotDeclared(t *testing.T) {
	for name, one := range map[string]struct{ text, want string }{
		"unknown":   {`[{"hash":"a","size":1}]`, `a member that is none of ["hash" "label" "roles" "hidden"]`},
		"bad":       {`[{"hash":"a","hidden":"maybe"}]`, `item 1: member "hidden"`},
		"no object": {`["a"]`, "an object"},
	} {
		_, err := coerce(t, pictures(), raw(one.text))
		if err == nil || !strings.Contains(err.Error(), one.want) || lockstep.FaultOf(err).Code != lockstep.CodeValue {
			t.Errorf("%s: %v", name, err)
		}
	}
}
