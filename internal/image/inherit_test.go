package image_test

import (
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

func shop(t *testing.T) *image.Shape {
	t.Helper()
	s, err := image.New(lockstep.Stream{Name: "products", Fields: []lockstep.Field{
		{Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
		{Name: "name_de", Type: value.Type{Kind: value.TextType}, Nullable: true, Inherits: "name"},
		{Name: "cost", Type: value.Type{Kind: value.DecimalType, Precision: 10, Scale: 2}, Nullable: true},
		{Name: "cost_de", Type: value.Type{Kind: value.DecimalType, Precision: 10, Scale: 2}, Nullable: true, Inherits: "cost"},
		{Name: "bytes_from", Type: value.Type{Kind: value.TextType}, Nullable: true, WriteOnly: true},
	}}, nil, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func imageOf(t *testing.T, s *image.Shape, names []string, values ...any) value.Fields {
	t.Helper()
	all := make([]value.Value, len(values))
	for i, v := range values {
		all[i] = from(t, v)
	}
	f, err := s.Coerce(value.NewNames(names...).Fields(all))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What a field would inherit anyway and null are one, whichever side says which, after coercion to the declared type.
func TestInheritedIsNull(t *testing.T) {
	s := shop(t)
	names := []string{"name", "name_de", "cost", "cost_de"}
	said := imageOf(t, s, names, "Lamp", "Lamp", "1.50", "1.5")
	left := imageOf(t, s, names, "Lamp", nil, "1.50", nil)
	own := imageOf(t, s, names, "Lamp", "Lampe", "1.50", "2")
	if v, _ := said.Get("name_de"); !v.IsNull() {
		t.Error("a text that says what it inherits is kept")
	}
	if s.Digest(said) != s.Digest(left) || !s.Level(said, left) {
		t.Error("what is inherited and what says the same differ")
	}
	if s.Digest(own) == s.Digest(left) || len(s.Diff(own, left)) != 2 {
		t.Errorf("values of their own: %v, want two differences", s.Diff(own, left))
	}
}

// A mapping that gives the heir a value and leaves the default alone is compared with what the record really says.
func TestInheritedAlone(t *testing.T) {
	s := shop(t)
	theirs := imageOf(t, s, []string{"name", "name_de"}, "Lamp", "Lamp")
	if !s.Level(imageOf(t, s, []string{"name_de"}, "Lamp"), theirs) {
		t.Error("the same text differs")
	}
	if s.Level(imageOf(t, s, []string{"name_de"}, "Lampe"), theirs) {
		t.Error("another text is level")
	}
}

func TestWriteOnlyIsNoPartOfEquality(t *testing.T) {
	s := shop(t)
	ours := imageOf(t, s, []string{"name", "bytes_from"}, "Lamp", "https://a.example/1.png")
	theirs := imageOf(t, s, []string{"name"}, "Lamp")
	if s.Digest(ours) != s.Digest(theirs) || !s.Level(ours, theirs) {
		t.Error("what never comes back makes a difference")
	}
	if v, ok := ours.Get("bytes_from"); !ok || v.IsNull() {
		t.Error("what is written only is not in the image, so that it is never sent")
	}
}
