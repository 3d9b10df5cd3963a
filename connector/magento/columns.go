package magento

import (
	"context"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// productColumn is what products are searched by for a field: a column, or an attribute at its value for all views.
func (s *System) productColumn(ctx context.Context, r *reading, by string) (column, error) {
	switch by {
	case "id":
		return column{name: numberColumn}, nil
	case "sku", "name", "price", "weight", "status", "visibility", "type_id", "created_at", updatedField:
		return column{name: by}, nil
	case setField:
		sets, err := s.shop.attributeSets(ctx)
		return column{name: "attribute_set_id", text: func(v value.Value) (string, bool) {
			id, known := sets.byName[textOf(v)]
			return number(id).text(), known
		}}, err
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return column{}, err
	}
	return attributeColumn(known, r, by)
}

// attributeColumn is what an attribute is searched by.
func attributeColumn(known *attributes, r *reading, by string) (column, error) {
	a, f := known.get(by), r.def.Field(by)
	switch {
	case f != nil && f.Inherits != "":
		return column{}, notSearched(by, "it is of one store view")
	case a == nil || f == nil || f.Type.Kind == value.ListType:
		return column{}, notSearched(by, "Magento searches plain fields only")
	case a.chooses():
		return column{name: by, text: func(v value.Value) (string, bool) {
			id, known := a.byLabel[textOf(v)]
			return id, known
		}}, nil
	}
	return column{name: by}, nil
}

func notSearched(by, why string) error {
	return lockstep.Faultf(lockstep.CodeCannot, "records cannot be found by %q: %s", by, why).On(lockstep.About{Field: by})
}

// textOf is a text, "" for everything else.
func textOf(v value.Value) string {
	if v.Kind() != value.KindText {
		return ""
	}
	return v.Text()
}

// plainColumns is what entities without attributes are searched by: their columns, by their own names.
func plainColumns(_ context.Context, r *reading, by string) (column, error) {
	f := r.def.Field(by)
	switch {
	case f == nil || f.Type.Kind == value.ListType || f.Type.Kind == value.ObjectType:
		return column{}, notSearched(by, "Magento searches plain fields only")
	case by == "id":
		return column{name: numberColumn}, nil
	}
	return column{name: by}, nil
}
