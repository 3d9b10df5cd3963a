package pimcore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// schemaOf writes the endpoint's schema, as the operator's configuration makes it: the classes, and of them only the
// fields that are not hidden.
func schemaOf(o Options, classes []*class) (*ast.Schema, error) {
	b := &sdl{o: o, classes: classes}
	b.WriteString(fixedTypes)
	b.features()
	b.tree()
	for _, c := range classes {
		b.class(c)
	}
	b.query()
	if !o.ReadOnly {
		b.mutations()
		b.line("schema { query: Query mutation: Mutations }")
	} else {
		b.line("schema { query: Query }")
	}
	return gqlparser.LoadSchema(&ast.Source{Name: "datahub", Input: b.String()})
}

// sdl writes a schema in GraphQL's own language.
type sdl struct {
	strings.Builder
	o       Options
	classes []*class
	later   []string // types that a field needs, written behind the type that holds it
	done    map[string]bool
}

func (b *sdl) line(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

func (b *sdl) hidden(c *class, f *field) bool {
	return slices.Contains(b.o.HideFields, c.Name+"."+f.Name)
}

const fixedTypes = `
type element_tag { id: Int name: String path: String }
type ElementProperty { name: String type: String text: String }
type element_metadata_item { name: String value: String }
type QuantityValueUnit { id: String abbreviation: String longname: String }
type QuantityValue { value: Float unit: QuantityValueUnit }
type UrlSlug { slug: String siteId: Int }
type Link { text: String path: String target: String anchor: String title: String accesskey: String rel: String class: String attributes: String tabindex: String parameters: String }
type hotspotcrop { cropTop: Float cropLeft: Float cropHeight: Float cropWidth: Float }
type hotspot { name: String top: Float left: Float height: Float width: Float }
type hotspotmarker { name: String top: Float left: Float }
type hotspotimage { image: asset crop: hotspotcrop hotspots: [hotspot] marker: [hotspotmarker] }
type dimensions { width: Int height: Int }
type asset_metadataItem { name: String type: String language: String data: String }
type asset {
  id: ID creationDate: Int modificationDate: Int version: Int filename: String fullpath(thumbnail: String, format: String): String
  mimetype: String type: String filesize: Int data(thumbnail: String): String dimensions(thumbnail: String): dimensions
  metadata(language: String): [asset_metadataItem] tags(name: String): [element_tag] properties(keys: [String]): [ElementProperty]
  parent: asset_tree children: [asset_tree] _siblings: [asset_tree]
}
type asset_folder {
  id: ID creationDate: Int modificationDate: Int filename: String fullpath: String
  properties(keys: [String]): [ElementProperty] parent: asset_tree children: [asset_tree] _siblings: [asset_tree]
}
union asset_tree = asset | asset_folder
type AssetEdge { cursor: String node: asset }
type AssetConnection { edges: [AssetEdge] totalCount: Int }
type object_folder {
  id: ID key: String fullpath: String creationDate: Int modificationDate: Int index: Int childrenSortBy: String
  tags(name: String): [element_tag] properties(keys: [String]): [ElementProperty]
  parent: object_tree children(objectTypes: [String]): [object_tree] _siblings(objectTypes: [String]): [object_tree]
}
`

// The union of what a classification store can hold has 20 types; those the stand-in fills are told apart by kind.
func (b *sdl) features() {
	text := []string{"Input", "Textarea", "Wysiwyg", "Time", "Language", "Country", "RgbaColor"}
	var names []string
	add := func(name, value string) {
		b.line("type csFeature%s { id: Int name: String description: String type: String %s }", name, value)
		names = append(names, "csFeature"+name)
	}
	for _, n := range text {
		add(n, "text: String")
	}
	for _, n := range []string{"Numeric", "Slider"} {
		add(n, "number: String")
	}
	for _, n := range []string{"Checkbox", "BooleanSelect"} {
		add(n, "checked: Boolean")
	}
	for _, n := range []string{"Date", "Datetime"} {
		add(n, "date: String")
	}
	for _, n := range []string{"Select", "User", "EncryptedField"} {
		add(n, "selection: String")
	}
	for _, n := range []string{"Multiselect", "CountryMultiselect", "LanguageMultiselect"} {
		add(n, "selections: [String]")
	}
	add("QuantityValue", "quantityvalue: QuantityValue")
	b.line("union csFeature = %s", strings.Join(names, " | "))
	b.line("type csGroup { id: Int name: String description: String features: [csFeature] }")
}

func (b *sdl) tree() {
	names := []string{"object_folder"}
	for _, c := range b.classes {
		names = append(names, "object_"+c.Name)
	}
	b.line("union object_tree = %s", strings.Join(names, " | "))
}

func (b *sdl) class(c *class) {
	b.line("type object_%s {", c.Name)
	b.later = nil
	builtin := []string{
		"id: ID", "creationDate: Int", "modificationDate: Int", "version: Int", "objectType: String", "index: Int", "childrenSortBy: String",
		"classname: String", "tags(name: String): [element_tag]", "properties(keys: [String]): [ElementProperty]", "parent: object_tree",
		"children(objectTypes: [String]): [object_tree]", "_siblings(objectTypes: [String]): [object_tree]",
	}
	for _, col := range systemColumns {
		if !slices.Contains(b.o.HideColumns, col) {
			builtin = append(builtin, col+": "+map[bool]string{true: "Boolean", false: "String"}[col == "published"])
		}
	}
	for _, line := range builtin {
		name := line[:strings.IndexAny(line, ":(")]
		if f := c.fields[name]; f == nil || b.hidden(c, f) { // a class field of the same name wins
			b.line("  %s", line)
		}
	}
	for _, f := range c.order {
		if b.hidden(c, f) {
			continue
		}
		args := ""
		if f.Localized || f.Kind == ClassStore {
			args = "(language: String)"
		}
		b.line("  %s%s: %s", f.Name, args, b.typeOf(c, f))
	}
	b.line("}")
	for _, t := range b.later {
		b.line("%s", t)
	}
	b.line("type %sEdge { cursor: String node: object_%s }", upperFirst(c.Name), c.Name)
	b.line("type %sConnection { edges: [%sEdge] totalCount: Int }", upperFirst(c.Name), upperFirst(c.Name))
}

var systemColumns = [...]string{"key", "fullpath", "published"}

// ends are the types at the other end of a relation; an end whose class is not in the schema cannot be asked for.
func (b *sdl) ends(f *field) []string {
	var names []string
	for _, e := range f.Ends {
		if e == "asset" {
			names = append(names, "asset")
		} else if slices.ContainsFunc(b.classes, func(c *class) bool { return c.Name == e }) {
			names = append(names, "object_"+e)
		}
	}
	return names
}

func (b *sdl) typeOf(c *class, f *field) string {
	own := "object_" + c.Name + "_" + f.Name
	switch f.Kind {
	case Numeric:
		return "Float"
	case Integer:
		return "Int"
	case Checkbox, BooleanSelect:
		return "Boolean"
	case Multiselect:
		return "[String]"
	case QuantityValue:
		return "QuantityValue"
	case Image:
		return "asset"
	case ImageGallery:
		return "[hotspotimage]"
	case HotspotImage:
		return "hotspotimage"
	case LinkField:
		return "Link"
	case URLSlug:
		return "[UrlSlug]"
	case ClassStore:
		return "[csGroup]"
	case ManyToOne:
		b.later = append(b.later, "union "+own+" = "+strings.Join(b.ends(f), " | "))
		return own
	case ManyToMany, ManyToManyObj, ReverseObj:
		b.later = append(b.later, "union "+own+" = "+strings.Join(b.ends(f), " | "))
		return "[" + own + "]"
	case AdvancedObj:
		b.later = append(b.later, "type "+own+" { element: "+b.ends(f)[0]+" metadata: [element_metadata_item] }")
		return "[" + own + "]"
	case FieldCollection:
		var names []string
		for _, p := range f.Types {
			names = append(names, "fieldcollection_"+p.Name)
			if b.done == nil {
				b.done = map[string]bool{}
			}
			if !b.done[p.Name] {
				b.done[p.Name] = true
				b.later = append(b.later, "type fieldcollection_"+p.Name+" {"+b.partFields(c, p)+" }")
			}
		}
		b.later = append(b.later, "union "+own+" = "+strings.Join(names, " | "))
		return "[" + own + "]"
	case Block:
		name := "block_" + c.Name + "_" + f.Name + "_entry"
		b.later = append(b.later, "type "+name+" {"+b.partFields(c, f.Types[0])+" }")
		return "[" + name + "]"
	}
	return "String"
}

func (b *sdl) partFields(c *class, p Part) string {
	var s strings.Builder
	for i := range p.Fields {
		f := &field{Field: &p.Fields[i]}
		fmt.Fprintf(&s, " %s: %s", f.Name, b.typeOf(c, f))
	}
	return s.String()
}

const listingArgs = `(ids: String, fullpaths: String, tags: String, defaultLanguage: String, first: Int, after: Int, sortBy: [String], sortOrder: [String], filter: String, published: Boolean)`

func (b *sdl) query() {
	b.line("type Query {")
	for _, c := range b.classes {
		b.line("  get%s(id: Int, fullpath: String, defaultLanguage: String): object_%s", upperFirst(c.Name), c.Name)
		b.line("  get%sListing%s: %sConnection", upperFirst(c.Name), listingArgs, upperFirst(c.Name))
	}
	b.line("  getAsset(id: Int, fullpath: String, defaultLanguage: String): asset")
	b.line("  getAssetListing(ids: String, fullpaths: String, tags: String, defaultLanguage: String, first: Int, after: Int, sortBy: [String], sortOrder: [String], filter: String): AssetConnection")
	b.line("  getObjectFolder(id: Int, fullpath: String, defaultLanguage: String): object_folder")
	b.line("  getAssetFolder(id: Int, fullpath: String, defaultLanguage: String): asset_folder")
	b.line("}")
}
