package pimcore

import (
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// writer is how a field is written.
type writer struct {
	input string // the member of the mutation's input
	lang  string // of a localized field: one mutation writes one language
	part  string // of a quantity: which of its members this field is
	as    inputKind
	gql   string   // inScalar: the input's scalar type, "" where it is not known
	ends  string   // inRelation: "object" or "asset"; "" where each end says its own type
	items []string // inCollection: the types of entries
}

// inputKind is what a mutation takes for a field.
type inputKind uint8

const (
	inScalar inputKind = iota
	inTexts            // several texts
	inQuantity
	inRelation // one end
	inRelations
	inImage
	inGallery
	inLink
	inCollection
	inKey // an argument of create; of update where the input has it
	inPublished
	inParent
)

// What the mutations call the inputs of fields that are no scalars. Source: DataHub's generators of input types, and
// the schema that an endpoint shows.
var inputKinds = map[string]inputKind{
	"QuantityValueInput": inQuantity, "InputQuantityValueInput": inQuantity,
	"ElementDescriptorInput": inRelation, "ImageInput": inImage, "HotspotImageInput": inImage,
	"ImageGalleryInput": inGallery, "LinkInput": inLink,
}

// Why a field cannot be written.
const (
	whySystem     = "Pimcore sets it itself"
	whyNoMutation = "the endpoint's configuration has no mutation for the class"
	whyNoInput    = "no mutation takes it: GraphQL cannot write bricks, blocks, classification stores, URL slugs, videos and tables, and other fields only where the endpoint's configuration offers them for writing"
	whyTags       = "a mutation's `tags` are always the element's, not the field of this name"
	whyInside     = "it is inside of another value; map the whole"
	whyMixed      = "its ends may be of several kinds"
	whyUnknown    = "introspection is off, so it is not known what a mutation takes"
)

// markWritable says of each field of a class how it is written, or why it is not. Types of inputs that are not known yet
// are noted, to be asked for.
func (c *class) markWritable(d *deriver) {
	for _, f := range c.fields {
		f.write, f.fixed = c.writerOf(d, f)
	}
}

// writerOf is how a field is written; nil where it is not, with the reason.
func (c *class) writerOf(d *deriver, f *field) (*writer, string) {
	p := f.path
	first := p.steps[0]
	switch {
	case !c.can.create && !c.can.update:
		return nil, whyNoMutation
	case len(p.steps) == 1 && first.name == "key":
		return &writer{input: "key", as: inKey}, ""
	case len(p.steps) == 1 && first.name == publishedPath && c.field(f.name).system:
		return &writer{input: publishedPath, as: inPublished}, ""
	case f.name == "parentId" && f.system:
		return &writer{as: inParent}, ""
	case f.system:
		return nil, whySystem
	case first.name == "tags":
		return nil, whyTags
	case c.input == nil && d.types.offline && len(p.steps) == 1 && p.members == nil && !first.list && isSingle(f.typ.Kind):
		return &writer{input: first.name, lang: first.lang, as: inScalar}, ""
	case c.input == nil:
		return nil, whyUnknown
	}
	in := c.input.field(first.name)
	if in == nil {
		return nil, whyNoInput
	}
	w := &writer{input: in.name, lang: first.lang}
	kind, known := inputKinds[in.typ.name]
	switch {
	case known:
		w.as = kind
	case !in.typ.isInput(d):
		w.gql, w.as = in.typ.name, inScalar
		if in.typ.list {
			w.as = inTexts
		}
	default:
		return w.collection(d, f, in)
	}
	return w.fit(c, d, f, in)
}

// isSingle tells kinds of single values.
func isSingle(k value.TypeKind) bool {
	return k != value.AnyType && k != value.ListType && k != value.ObjectType && k != value.JSONType
}

// isInput tells an input of members from a scalar.
func (g graphType) isInput(d *deriver) bool {
	if isScalar(g.name) {
		return false
	}
	info := d.types.get(g.name)
	return info != nil && info.kind == "INPUT_OBJECT"
}

// fit tells whether the path is one that the input's whole value stands at.
func (w *writer) fit(c *class, d *deriver, f *field, in *graphField) (*writer, string) {
	steps := f.path.steps
	rest := ""
	for _, s := range steps[1:] {
		rest += "." + s.name
	}
	if f.path.members != nil && w.as != inLink && w.as != inRelation && w.as != inImage && w.as != inGallery {
		return nil, whyInside
	}
	switch w.as {
	case inQuantity:
		switch rest {
		case ".value":
			w.part = "value"
		case ".unit.id", ".unit":
			w.part = "unitId"
		case ".unit.abbreviation":
			w.part = "unit"
		default:
			return nil, whyInside
		}
		return w, ""
	case inRelation:
		if rest != "" && rest != ".id" && rest != ".fullpath" && rest != ".element.id" {
			return nil, whyInside
		}
		if in.typ.list {
			w.as = inRelations
		}
		return w.endsOf(c, d, steps[0])
	case inImage:
		if rest != "" && rest != ".id" && rest != ".image.id" && rest != ".image" {
			return nil, whyInside
		}
		return w, ""
	case inGallery:
		if rest != "" && rest != ".image.id" && rest != ".image" {
			return nil, whyInside
		}
		return w, ""
	}
	if rest != "" {
		return nil, whyInside
	}
	return w, ""
}

// endsOf sets what a relation's ends are.
func (w *writer) endsOf(c *class, d *deriver, s step) (*writer, string) {
	names := map[string]bool{}
	var note func(name string, deep int)
	note = func(name string, deep int) {
		info := d.types.get(name)
		switch {
		case info == nil || deep > 3:
		case info.field("element") != nil && info.field("metadata") != nil:
			note(info.field("element").typ.name, deep+1)
		case info.kind == "UNION":
			for _, one := range info.possible {
				names[kindOfEnd(one)] = true
			}
		default:
			names[kindOfEnd(name)] = true
		}
	}
	if g := c.root.field(s.name); g != nil {
		note(g.typ.name, 0)
	}
	if len(names) == 1 {
		for kind := range names {
			w.ends = kind
		}
	}
	if len(names) == 0 {
		return nil, whyMixed
	}
	return w, "" // several kinds: each end says its own
}

func kindOfEnd(name string) string {
	switch {
	case strings.HasPrefix(name, objectPrefix):
		return "object"
	case strings.HasPrefix(name, "document"):
		return "document"
	}
	return "asset"
}

// collection is how a field collection is written.
func (w *writer) collection(d *deriver, f *field, in *graphField) (*writer, string) {
	info := d.types.get(in.typ.name)
	if info == nil || info.field("items") == nil || len(f.path.steps) > 1 || f.path.members != nil {
		return nil, whyNoInput
	}
	items := d.types.get(info.field("items").typ.name)
	if items == nil {
		return nil, whyNoInput
	}
	w.as = inCollection
	for i := range items.fields {
		w.items = append(w.items, items.fields[i].name)
	}
	return w, ""
}

// noNull is why a null cannot be written: Pimcore ignores some without a word, and breaks at others. "" where it clears.
func (w *writer) noNull() string {
	switch w.as {
	case inQuantity:
		return "Pimcore ignores a null for a quantity, and says success: it cannot be emptied by GraphQL"
	case inCollection:
		return "Pimcore ignores a null for a field collection, and says success: it cannot be emptied by GraphQL"
	case inImage, inGallery:
		return "Pimcore fails inside for a null of an image: it cannot be taken away by GraphQL"
	case inKey:
		return "an object's key cannot be empty"
	}
	return ""
}

func noWrite(f *field) error {
	return lockstep.Faultf(lockstep.CodeCannot, "field %q cannot be written: %s", f.name, f.fixed).On(lockstep.About{Field: f.name})
}

func badWrite(f *field, format string, args ...any) error {
	return lockstep.Faultf(lockstep.CodeValue, "field %q: %s", f.name, fmt.Sprintf(format, args...)).On(lockstep.About{Field: f.name})
}

// textOf is a value as the texts of inputs are written.
func textOf(v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindText:
		return v.Text(), true
	case value.KindInt, value.KindDecimal, value.KindFloat:
		return v.String(), true
	}
	return "", false
}
