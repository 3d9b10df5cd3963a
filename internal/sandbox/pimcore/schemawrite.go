package pimcore

import (
	"fmt"
	"slices"
	"strings"
)

const inputTypes = `
input ElementTag { id: Int name: String }
input ElementDescriptorMetadata { name: String value: String }
input ElementDescriptorInput { type: String id: Int fullpath: String metadata: [ElementDescriptorMetadata] }
input QuantityValueInput { value: Float unit: String unitId: String }
input ImageInput { id: Int }
input ImageGalleryInput { replace: Boolean images: [ImageInput] }
input LinkInput { text: String path: String target: String anchor: String title: String accesskey: String rel: String class: String attributes: String tabindex: String parameters: String }
input AssetInput { data: String }
scalar DateScalar
type DeleteResult { success: Boolean message: String }
type FolderResult { success: Boolean message: String id: Int }
type AssetResult { success: Boolean message: String assetData: asset }
`

// mutations writes the root of mutations with its inputs. What no mutation exists for (bricks, blocks, the
// classification store, slugs) is not in the input at all.
func (b *sdl) mutations() {
	b.WriteString(inputTypes)
	for _, c := range b.classes {
		b.input(c)
		name := upperFirst(c.Name)
		for _, verb := range []string{"Create", "Update"} {
			b.line("type %s%sResult { success: Boolean message: String output(defaultLanguage: String): object_%s }", verb, name, c.Name)
		}
	}
	b.line("type Mutations {")
	for _, c := range b.classes {
		name := upperFirst(c.Name)
		b.line("  create%s(key: String!, parentId: Int, path: String, published: Boolean = true, type: String, defaultLanguage: String, omitMandatoryCheck: Boolean, userId: Int, input: Update%sInput): Create%sResult", name, name, name)
		b.line("  update%s(id: Int, fullpath: String, parentId: Int, defaultLanguage: String, omitMandatoryCheck: Boolean, omitVersionCreate: Boolean, userId: Int, input: Update%sInput): Update%sResult", name, name, name)
		b.line("  delete%s(id: Int, fullpath: String): DeleteResult", name)
	}
	for _, kind := range []string{"Object", "Asset"} {
		key := map[string]string{"Object": "key", "Asset": "filename"}[kind]
		b.line("  create%sFolder(%s: String!, parentId: Int, path: String, userId: Int): FolderResult", kind, key)
		b.line("  update%sFolder(id: Int, fullpath: String, parentId: Int, %s: String, userId: Int): FolderResult", kind, key)
		b.line("  delete%sFolder(id: Int, fullpath: String): DeleteResult", kind)
	}
	b.line("  createAsset(filename: String!, type: String!, parentId: Int, path: String, userId: Int, input: AssetInput): AssetResult")
	b.line("  updateAsset(id: Int, fullpath: String, parentId: Int, filename: String, userId: Int, input: AssetInput): AssetResult")
	b.line("  deleteAsset(id: Int, fullpath: String): DeleteResult")
	b.line("}")
}

func (b *sdl) input(c *class) {
	for _, f := range c.order {
		if f.Kind != FieldCollection || b.hidden(c, f) {
			continue
		}
		items := ""
		for _, p := range f.Types {
			one := fmt.Sprintf("%sInput_%s_%s", c.Name, f.Name, p.Name)
			b.line("input %s {%s }", one, b.partFields(c, p))
			items += fmt.Sprintf(" %s: [%s]", p.Name, one)
		}
		b.line("input %sInput_%s_items {%s }", c.Name, f.Name, items)
		b.line("input %sInput_%s { replace: Boolean items: %sInput_%s_items }", c.Name, f.Name, c.Name, f.Name)
	}
	b.line("input Update%sInput {", upperFirst(c.Name))
	b.line("  tags: [ElementTag]") // always the element's, whatever the class calls so
	for _, col := range []string{"key: String", "published: Boolean"} {
		if !slices.Contains(b.o.HideColumns, col[:strings.IndexByte(col, ':')]) {
			b.line("  %s", col)
		}
	}
	for _, f := range c.order {
		if t := inputType(c, f); t != "" && !b.hidden(c, f) && f.Name != "tags" && f.Name != "key" && f.Name != "published" {
			b.line("  %s: %s", f.Name, t)
		}
	}
	b.line("}")
}

// inputType is empty where GraphQL cannot write the field.
func inputType(c *class, f *field) string {
	if f.Brick != "" {
		return ""
	}
	switch f.Kind {
	case Numeric:
		return "Float"
	case Integer:
		return "Int"
	case Checkbox, BooleanSelect:
		return "Boolean"
	case Date, Datetime:
		return "DateScalar" // unix seconds as number or text, or a text for strtotime
	case Multiselect:
		return "[String]"
	case QuantityValue:
		return "QuantityValueInput"
	case Image, HotspotImage:
		return "ImageInput"
	case ImageGallery:
		return "ImageGalleryInput"
	case LinkField:
		return "LinkInput"
	case ManyToOne:
		return "ElementDescriptorInput"
	case ManyToMany, ManyToManyObj, AdvancedObj:
		return "[ElementDescriptorInput]"
	case FieldCollection:
		return c.Name + "Input_" + f.Name
	case ReverseObj, URLSlug, Block, ClassStore:
		return ""
	}
	return "String"
}
