package pimcore

import "strings"

// Kind is a type of field of a class, in Pimcore's words.
type Kind string

// The kinds of fields that the stand-in knows.
const (
	Input           Kind = "input"
	Textarea        Kind = "textarea"
	Wysiwyg         Kind = "wysiwyg"
	Select          Kind = "select"
	Numeric         Kind = "numeric"
	Integer         Kind = "integer" // numeric with the "integer" tick: reads as Int
	Checkbox        Kind = "checkbox"
	BooleanSelect   Kind = "booleanSelect"
	Date            Kind = "date"
	Datetime        Kind = "datetime"
	Multiselect     Kind = "multiselect"
	QuantityValue   Kind = "quantityValue"
	ManyToOne       Kind = "manyToOneRelation"
	ManyToMany      Kind = "manyToManyRelation"
	ManyToManyObj   Kind = "manyToManyObjectRelation"
	AdvancedObj     Kind = "advancedManyToManyObjectRelation"
	ReverseObj      Kind = "reverseObjectRelation"
	Image           Kind = "image"
	ImageGallery    Kind = "imageGallery"
	HotspotImage    Kind = "hotspotimage"
	LinkField       Kind = "link"
	URLSlug         Kind = "urlSlug"
	FieldCollection Kind = "fieldcollections"
	Block           Kind = "block"
	ClassStore      Kind = "classificationstore"
)

// Field is a field of a class.
type Field struct {
	Name      string
	Kind      Kind
	Localized bool
	Mandatory bool
	Unique    bool
	Brick     string   // the brick that the field lies in; reading flattens it
	Ends      []string // relations: the classes of the other end, or "asset"
	Metadata  []string // advanced relations: the columns
	Reverse   string   // reverseObjectRelation: the field of the one class in Ends that points here
	Types     []Part   // field collections: the types; block: the one entry
}

// Part is a type of a field collection, or the entry of a block.
type Part struct {
	Name   string
	Fields []Field
}

// Class is a class of objects.
type Class struct {
	ID      string // names the tables: object_store_<ID>
	Name    string
	Inherit bool // a child shows its parent's value where its own is empty
	Fields  []Field
}

// Group is a group of the classification store.
type Group struct {
	ID       int
	Name     string
	Features []FeatureKey
}

// FeatureKey is a key of the classification store.
type FeatureKey struct {
	ID   int
	Name string
	Kind Kind // input, numeric, select, checkbox
}

// Unit is a unit of quantity values.
type Unit struct{ ID, Abbreviation, Longname string }

// The values of fields that are no Go scalars. Texts are string, numbers float64 (Integer: int64), dates int64 (unix
// seconds), multiselects []string. Localized fields have one value for each language, named "name@de".
type (
	// Quantity is a number with the id of its unit.
	Quantity struct {
		Value float64
		Unit  string
	}
	// Ref points to an object or, with Asset set, to an asset.
	Ref struct {
		ID    int
		Asset bool
	}
	// Meta is one end of an advanced relation, with the texts of its columns.
	Meta struct {
		Ref
		Data map[string]string
	}
	// Link is a link field.
	Link struct{ Text, Path, Target, Title string }
	// Entry is an item of a field collection (Type names it) or of a block.
	Entry struct {
		Type   string
		Values map[string]any
	}
	// Feature is a value of the classification store.
	Feature struct {
		Group, Key int
		Value      any
	}
)

// Refs makes a relation's list of objects.
func Refs(ids ...int) []Ref {
	refs := make([]Ref, len(ids))
	for i, id := range ids {
		refs[i] = Ref{ID: id}
	}
	return refs
}

// Assets makes a list of assets.
func Assets(ids ...int) []Ref {
	refs := Refs(ids...)
	for i := range refs {
		refs[i].Asset = true
	}
	return refs
}

// class is a Class with what is asked of it on every request.
type class struct {
	Class
	fields map[string]*field
	order  []*field
}

type field struct {
	*Field
	class *class
	keys  map[string]string // by language: the name of the value
	own   string            // the name of the value without a language
}

func newClass(c Class, languages []string) *class {
	out := &class{Class: c, fields: map[string]*field{}}
	for i := range out.Fields {
		f := &field{Field: &out.Fields[i], class: out, own: out.Fields[i].Name, keys: map[string]string{}}
		for _, l := range languages {
			f.keys[l] = f.Name + "@" + l
		}
		out.fields[f.Name], out.order = f, append(out.order, f)
	}
	return out
}

// at names the value of a field in a language.
func (f *field) at(language string) string {
	if !f.Localized {
		return f.own
	}
	if key, ok := f.keys[language]; ok {
		return key
	}
	return f.own + "@" + language
}

// valueField is the field that a value's name belongs to.
func (c *class) valueField(key string) *field {
	name, language, localized := strings.Cut(key, "@")
	f := c.fields[name]
	if f == nil || f.Localized != localized || localized && f.keys[language] == "" {
		return nil
	}
	return f
}

func (f *field) takesAssets() bool {
	for _, e := range f.Ends {
		if e == "asset" {
			return true
		}
	}
	return false
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
