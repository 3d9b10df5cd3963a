package pimcore

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// storeColumns are the columns of a class's own values: relations and side tables have none here.
func (c *class) storeColumns() []column { return c.columns((*field).storeColumns) }

// queryColumns are those of the table that is searched: relations as texts of ids.
func (c *class) queryColumns() []column { return c.columns((*field).queryColumns) }

func (c *class) columns(of func(*field) []column) []column {
	var out []column
	for _, f := range c.order {
		if !f.Localized && f.Brick == "" {
			out = append(out, of(f)...)
		}
	}
	return out
}

func (c *class) localizedColumns() []column {
	var out []column
	for _, f := range c.order {
		if f.Localized {
			out = append(out, f.storeColumns()...)
		}
	}
	return out
}

func (c *class) bricks() []string {
	var out []string
	for _, f := range c.order {
		if f.Brick != "" && !slices.Contains(out, f.Brick) {
			out = append(out, f.Brick)
		}
	}
	return out
}

func (c *class) brickColumns(brick string) []column {
	var out []column
	for _, f := range c.order {
		if f.Brick == brick {
			out = append(out, f.storeColumns()...)
		}
	}
	return out
}

func partColumns(p Part) []column {
	var out []column
	for i := range p.Fields {
		f := &field{Field: &p.Fields[i]}
		out = append(out, f.storeColumns()...)
	}
	return out
}

func (f *field) storeColumns() []column {
	whole := func(v any) any { return v }
	one := func(ddl string, value func(any) any) []column { return []column{{f.Name, ddl, value}} }
	switch f.Kind {
	case Input, Select:
		return one("varchar(190)", whole)
	case Textarea, Wysiwyg:
		return one("longtext", whole)
	case Numeric:
		return one("double", whole)
	case Integer:
		return one("bigint(20)", whole)
	case Date, Datetime:
		return one("bigint(20)", whole)
	case Checkbox:
		return one("tinyint(1)", whole)
	case BooleanSelect:
		return one("tinyint(1)", func(v any) any {
			if on, ok := v.(bool); ok && !on {
				return -1
			}
			return v
		})
	case Multiselect:
		return one("text", joined("", ""))
	case QuantityValue:
		return []column{
			{f.Name + "__value", "double", func(v any) any {
				if q, ok := v.(Quantity); ok {
					return q.Value
				}
				return nil
			}},
			{f.Name + "__unit", "varchar(64)", func(v any) any {
				if q, ok := v.(Quantity); ok {
					return q.Unit
				}
				return nil
			}},
		}
	case Image:
		return one("int(11)", refID)
	case HotspotImage:
		return []column{{f.Name + "__image", "int(11)", refID}, {f.Name + "__hotspots", "text", func(any) any { return nil }}}
	case ImageGallery:
		return []column{{f.Name + "__images", "text", refIDs}, {f.Name + "__hotspots", "longtext", func(any) any { return nil }}}
	case LinkField, Block:
		return one("longtext", serialized)
	}
	return nil
}

func (f *field) queryColumns() []column {
	switch f.Kind {
	case Checkbox:
		return []column{{f.Name, "tinyint(1)", func(v any) any { return v == true }}} // 0 where it was never set
	case Multiselect:
		return []column{{f.Name, "text", joined(",", ",")}}
	case ManyToOne:
		return []column{{f.Name + "__id", "int(11)", refID}, {f.Name + "__type", "enum('document','asset','object')", func(v any) any {
			if r, ok := v.(Ref); ok {
				return r.kind()
			}
			return nil
		}}}
	case ManyToMany, ManyToManyObj, AdvancedObj:
		return []column{{f.Name, "text", refIDs}}
	case Block:
		return nil
	}
	return f.storeColumns()
}

func joined(before, behind string) func(any) any {
	return func(v any) any {
		if list, ok := v.([]string); ok && len(list) > 0 {
			return before + strings.Join(list, ",") + behind
		}
		return nil
	}
}

func refID(v any) any {
	if r, ok := v.(Ref); ok {
		return r.ID
	}
	return nil
}

func refIDs(v any) any {
	if c := cellOf(v, ""); !c.null {
		return c.text
	}
	return nil
}

// serialized is a value in PHP's own format there; here it is JSON, for nobody can read either by SQL.
func serialized(v any) any {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return string(text)
}

// scalarText is a classification store's value: a text whatever it is.
func scalarText(v any) any {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return "1"
		}
		return "0"
	}
	return v
}
