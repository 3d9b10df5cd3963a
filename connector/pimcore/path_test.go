package pimcore

import (
	"testing"

	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

func TestPathsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"name", "name@de", "name@de_AT", "weight.unit.id", "categories[].id", "categories[](Category|Product).name@de",
		"categories[]{id code name@de}", "crossSell[]{code:element.sku metadata.sort}", "attributes@de(csGroup).Apparel.material",
		"attributes.`Apparel size`.`Neck.width`", "bullets[](fieldcollection_Bullet){text position}", "a{b{c{d}}}"} {
		p, err := parsePath(text)
		if err != nil || p.String() != text {
			t.Errorf("%s: %s, %v", text, p, err)
		}
	}
	if p, err := parsePath("TechSpec~power"); err != nil || p.String() != "power" {
		t.Errorf("a brick's column: %s, %v", p, err)
	}
}

func TestWrongPaths(t *testing.T) {
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[0]", "a@", "a@1", "a()", "a(b", "a(b|)", "a{}", "a{b", "a{b b}", "a{b}c", "`", "``", "a b c d[", "a{b.c:d}",
		"a.b.c.d.e.f.g.h.i", "a{b{c{d{e}}}}", "a\"b", "a\nb"} {
		if f, err := readField("x", text); err == nil {
			t.Errorf("%q is read as %s", text, f.path)
		}
	}
}

func TestFieldsWithTypes(t *testing.T) {
	for text, want := range map[string][2]string{
		"price decimal(12, 2)":          {"price", "decimal(12,2)"},
		"releaseDate date":              {"releaseDate", "date"},
		"categories[]{id code} list":    {"categories[]{id code}", "list"},
		" categories[].id  list<text> ": {"categories[].id", "list<text>"},
		"`net price` decimal":           {"`net price`", "decimal"},
	} {
		f, err := readField("x", text)
		if err != nil || !f.typed || f.path.String() != want[0] || typetext.Of(f.typ) != want[1] {
			t.Errorf("%q: %s %s, %v", text, f.path, typetext.Of(f.typ), err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"name@de", "a{b: c.d[] e}", "`x y`.z(A|B)", "price decimal(12,2)", "T~p", "a{`b c`:d}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text)
		if err != nil {
			return
		}
		again, err := parsePath(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q is written %q, which is read as %q, %v", text, p, again, err)
		}
	})
}
