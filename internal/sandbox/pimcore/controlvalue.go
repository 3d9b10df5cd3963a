package pimcore

import (
	"encoding/json"
	"fmt"
)

// fromJSON reads values of a control request: {"price": 9.5, "name@de": "Hemd", "weight": {"value": 2, "unit": "kg"},
// "categories": [5, 6], "mainImage": 3}. null takes a value away.
func (c *class) fromJSON(in map[string]json.RawMessage) (map[string]any, error) {
	out := map[string]any{}
	for key, raw := range in {
		f := c.valueField(key)
		if f == nil {
			return nil, fmt.Errorf("class %s has no value %q (localized ones are named name@en)", c.Name, key)
		}
		v, err := f.fromJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("value %q of kind %s: %w", key, f.Kind, err)
		}
		out[key] = v
	}
	return out, nil
}

func (f *field) fromJSON(raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	switch f.Kind {
	case Numeric:
		return read[float64](raw)
	case Integer, Date, Datetime:
		return read[int64](raw)
	case Checkbox, BooleanSelect:
		return read[bool](raw)
	case Multiselect:
		return read[[]string](raw)
	case QuantityValue:
		return read[Quantity](raw)
	case ManyToOne:
		id, err := read[int](raw)
		return Ref{ID: id}, err
	case Image, HotspotImage:
		id, err := read[int](raw)
		return Ref{ID: id, Asset: true}, err
	case ManyToMany, ManyToManyObj, ImageGallery:
		ids, err := read[[]int](raw)
		refs := Refs(ids...)
		for i := range refs {
			refs[i].Asset = f.Kind == ImageGallery || f.Kind == ManyToMany && f.takesAssets()
		}
		return refs, err
	case AdvancedObj:
		return read[[]Meta](raw)
	case LinkField:
		return read[Link](raw)
	case FieldCollection, Block:
		return read[[]Entry](raw)
	case ClassStore:
		return read[[]Feature](raw)
	}
	return read[string](raw)
}

func read[T any](raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}
