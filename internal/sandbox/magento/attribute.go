package magento

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// The entity types that have attributes.
const (
	customerEntity = 1
	categoryEntity = 3
	productEntity  = 4
)

// attribute is one attribute of an entity type.
type attribute struct {
	id, entity   int
	code, label  string
	input        string // select, text, …
	backend      string // varchar, int, text, datetime, decimal; static: a column of the entity
	scope        string // global, website, store
	required     bool
	unique       bool
	user         bool // user defined
	defaultValue string
	applyTo      []string // product types; empty: all

	labels   map[int]string // of store views
	flags    map[string]bool
	position int
	note     string
	options  []*option // in the order in which they were made
	table    bool      // its options are in the database, not in code
	defaults bool      // its options have been saved, and with them a default value, be it none
}

// attributes are all attributes and attribute sets.
type attributes struct {
	ids    counter
	byID   map[int]*attribute
	byCode map[int]map[string]*attribute // by entity type
	setIDs counter
	sets   map[int]*attributeSet

	optionIDs, groupIDs, placeIDs counter
	groups                        []*attributeGroup
	places                        map[placed]*place
}

// attributeSet is which attributes a product has.
type attributeSet struct {
	id, entity, sort int
	name             string
	members          map[int]bool // by attribute id
}

// DefaultSet is the id of the attribute set of the product that every shop has.
const DefaultSet = 4

func (w *world) openAttributes(websitePrices bool) {
	a := &w.attributes
	a.byID = map[int]*attribute{}
	a.byCode = map[int]map[string]*attribute{customerEntity: {}, categoryEntity: {}, productEntity: {}}
	a.sets = map[int]*attributeSet{}
	for _, s := range []attributeSet{{id: 1, entity: 1, name: "Default", sort: 2}, {id: 3, entity: categoryEntity, name: "Default", sort: 1},
		{id: DefaultSet, entity: productEntity, name: "Default", sort: 1}} {
		s.members = map[int]bool{}
		a.sets[s.id] = &s
	}
	a.setIDs = 8
	for _, at := range systemAttributes() {
		if websitePrices && at.input == "price" {
			at.scope = "website"
		}
		a.add(at)
		if at.code == "manufacturer" || at.code == "color" {
			continue // there, but in no set
		}
		set := map[int]int{customerEntity: 1, categoryEntity: 3, productEntity: DefaultSet}[at.entity]
		a.sets[set].members[at.id] = true
	}
	a.ids = 136
	a.openOptions()
	a.openGroups()
}

// add puts an attribute into the tables; it is in no set yet.
func (a *attributes) add(at *attribute) {
	if at.id == 0 {
		at.id = a.ids.next()
	}
	a.byID[at.id] = at
	a.byCode[at.entity][at.code] = at
}

func (a *attributes) product(code string) *attribute { return a.byCode[productEntity][code] }

// inSet are the attributes of a set by their id.
func (a *attributes) inSet(set int) []*attribute {
	s := a.sets[set]
	if s == nil {
		return nil
	}
	list := make([]*attribute, 0, len(s.members))
	for _, id := range slices.Sorted(maps.Keys(s.members)) {
		list = append(list, a.byID[id])
	}
	return list
}

// customValue is one of custom_attributes: value is nil, a text as the database would hold it, or a list of texts.
type customValue struct {
	code  string
	value any
}

// convertCustom checks custom_attributes by the backend types of the entity's attributes. Codes that nothing has are
// taken as they are, and dropped when they are saved.
func (w *world) convertCustom(v any, entity int) (any, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, typeError()
	}
	out := make([]customValue, 0, len(list))
	for _, e := range list {
		o, ok := e.(object)
		if !ok {
			return nil, typeError()
		}
		cv := customValue{}
		var given any
		for k, v := range o {
			switch snake(k) {
			case "attribute_code":
				cv.code, _ = v.(string)
			case "value":
				given = v
			}
		}
		got, err := customScalar(given, w.attributes.byCode[entity][cv.code])
		if f, ok := err.(*fault); ok && f.value {
			return nil, &fault{status: http.StatusBadRequest, value: true, message: `Attribute "` + cv.code + `" has invalid value. ` + f.message}
		}
		if err != nil {
			return nil, err
		}
		cv.value = got
		out = append(out, cv)
	}
	return out, nil
}

func customScalar(v any, at *attribute) (any, error) {
	if v == nil {
		return nil, nil
	}
	if at == nil || at.backend == "static" {
		return looseValue(v), nil
	}
	switch at.backend {
	case "int":
		n, err := scalar(v, intKind)
		if err != nil {
			return nil, err
		}
		return strconv.Itoa(n.(int)), nil
	case "decimal":
		n, err := scalar(v, floatKind)
		if f, ok := err.(*fault); ok && f.value {
			return nil, wrongType(v, "double")
		}
		if err != nil {
			return nil, err
		}
		return decimal(n.(float64)), nil
	}
	s, err := scalar(v, textKind)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func looseValue(v any) any {
	if list, ok := v.([]any); ok {
		texts := make([]string, 0, len(list))
		for _, e := range list {
			if s, err := scalar(e, textKind); err == nil {
				texts = append(texts, s.(string))
			}
		}
		return texts
	}
	s, err := scalar(v, textKind)
	if err != nil {
		return nil
	}
	return s
}

const maxDecimal = 1e14

// decimal is a number as a decimal(20,6) holds it: what is too large is cut to the largest, silently.
func decimal(f float64) string {
	f = max(min(f, maxDecimal), -maxDecimal)
	return strconv.FormatFloat(f, 'f', 6, 64)
}
