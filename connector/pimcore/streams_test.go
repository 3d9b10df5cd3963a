package pimcore

import (
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

func TestSpec(t *testing.T) { connectortest.CheckSpec(t, Connector.Spec()) }

func streamNamed(t *testing.T, s *System, name string) lockstep.Stream {
	t.Helper()
	streams, err := s.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no stream %s in %v", name, streams)
	}
	return streams[i]
}

func TestStreamsAreWhatIntrospectionFinds(t *testing.T) {
	e := newEndpoint(t, productTypes())
	s := e.open(t, "languages", []string{"en", "de"}, "classes", classSet("fields", map[string]string{
		"price": "price decimal(12,2)", "released": "releaseDate date", "codes": "categories[].code", "material": "attributes@de.Apparel.material", "maker": "manufacturer.name",
		"sort": "crossSell[].metadata.sort", "power": "TechSpec~power", "cats": "categories[]{id code name@de}",
	}))
	p := streamNamed(t, s, "Product")
	got := map[string]string{}
	for _, f := range p.Fields {
		got[f.Name] = typetext.Of(f.Type)
	}
	for name, typ := range map[string]string{
		"id": "text", "key": "text", "fullpath": "text", "published": "bool", "type": "text", "creationDate": "instant(s)", "modificationDate": "instant(s)", "parentId": "text",
		"sku": "text", "price": "decimal(12,2)", "stock": "int", "active": "bool", "name_en": "text", "name_de": "text", "categories": "list<object>", "manufacturer": "object",
		"crossSell": "list<object>", "badges": "list<text>", "mainImage": "object", "gallery": "list<object>", "weight": "decimal", "weight_unit": "text", "power": "decimal",
		"bullets": "list<object>", "faq": "list<object>", "attributes_en": "object", "moreInfo": "object", "slug_en": "list<object>", "downloads": "list<object>",
		"released": "date", "codes": "list<text>", "material": "any", "maker": "text", "sort": "list<text>", "cats": "list<object>",
	} {
		if got[name] != typ {
			t.Errorf("%s is %q, want %q", name, got[name], typ)
		}
	}
	for _, name := range []string{"name", "tags", "children", "parent", "properties", "path", "classname"} {
		if typ, there := got[name]; there {
			t.Errorf("%s is there: %s", name, typ)
		}
	}
	if !slices.Equal(p.Key, []string{"id"}) {
		t.Errorf("key %v", p.Key)
	}
}

func TestWithoutIntrospectionTheSettingsSayWhatIsThere(t *testing.T) {
	e := newEndpoint(t, productTypes())
	e.off = true
	s := e.open(t)
	if _, err := s.Streams(t.Context()); lockstep.FaultOf(err).Code != lockstep.CodeConfig {
		t.Errorf("%v", err)
	}
	s = e.open(t, "classes", classSet("key", "sku", "fields", map[string]string{
		"sku": "sku text", "published": "published bool", "price": "price decimal(12,2)", "codes": "categories[](Category).code list<text>", "material": "attributes(csGroup).Apparel.material text", "name_de": "name@de text",
	}))
	known, err := s.schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := known.classes["Product"].stream()
	if len(p.Fields) != 10 || p.Field("codes").Type.Kind.String() != "list" || !slices.Equal(p.Key, []string{"sku"}) {
		t.Errorf("%+v", p)
	}
}

func TestWrongFieldsAreNamed(t *testing.T) {
	e := newEndpoint(t, productTypes())
	for _, text := range []string{"nosuch", "sku@de", "sku[]", "categories.id", "categories[].nosuch", "weight.nosuch", "attributes.Apparel", "manufacturer.code"} {
		s := e.open(t, "classes", classSet("fields", map[string]string{"x": text}))
		if _, err := s.Streams(t.Context()); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeConfig {
			t.Errorf("%s: %v", text, err)
		}
	}
}
