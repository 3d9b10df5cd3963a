package pimcore

import (
	"strconv"
	"strings"
)

// cell is a value of the query view, as the database compares it.
type cell struct {
	null    bool
	numeric bool
	binary  bool // compared byte by byte: key and path
	num     float64
	text    string
}

type columnFn func(o *object) cell

func intCell(n int64) cell { return cell{numeric: true, num: float64(n)} }
func flagCell(on bool) cell {
	if on {
		return intCell(1)
	}
	return intCell(0)
}
func textCell(s string) cell { return cell{text: s} }

// systemColumn are the columns of the table objects. Pimcore 10 has them with the prefix o_ only, later ones without.
func systemColumn(name string) columnFn {
	switch name {
	case "id":
		return func(o *object) cell { return intCell(int64(o.id)) }
	case "parentId":
		return func(o *object) cell { return intCell(int64(o.parent)) }
	case "type":
		return func(o *object) cell { return textCell(o.kind) }
	case "key":
		return func(o *object) cell { return cell{text: o.key, binary: true} }
	case "path":
		return func(o *object) cell { return cell{text: o.path, binary: true} }
	case "index":
		return func(o *object) cell { return intCell(int64(o.index)) }
	case "published":
		return func(o *object) cell { return flagCell(o.published) }
	case "creationDate":
		return func(o *object) cell { return intCell(o.created) }
	case "modificationDate":
		return func(o *object) cell { return intCell(o.modified) }
	case "userOwner":
		return func(o *object) cell { return intCell(int64(o.owner)) }
	case "userModification":
		return func(o *object) cell { return intCell(int64(o.modifier)) }
	case "versionCount":
		return func(o *object) cell { return intCell(int64(o.versionCount)) }
	case "classId":
		return func(o *object) cell { return textCell(o.class.ID) }
	case "className":
		return func(o *object) cell { return textCell(o.class.Name) }
	case "childrenSortBy", "childrenSortOrder":
		return func(*object) cell { return cell{null: true} }
	}
	return nil
}

// column finds a column of a class's query view. brick is set for a column that lies in a brick's table: equality only.
func (s *Server) column(c *class, name, language string) (fn columnFn, brick bool) {
	if s.conf().Version == 10 {
		if bare, ok := strings.CutPrefix(name, "o_"); ok {
			if fn := systemColumn(bare); fn != nil {
				return fn, false
			}
		}
	} else if fn := systemColumn(name); fn != nil {
		return fn, false
	}
	if name == "oo_id" {
		return systemColumn("id"), false
	}
	base, part, _ := strings.Cut(name, "__")
	f := c.fields[base]
	if f == nil {
		return nil, false
	}
	return s.fieldColumn(f, part, language), f.Brick != ""
}

func (s *Server) fieldColumn(f *field, part, language string) columnFn {
	read := func(o *object) any { return s.w.read(o, f, language) }
	switch f.Kind {
	case QuantityValue:
		if part != "value" && part != "unit" {
			return nil
		}
		return func(o *object) cell {
			q, ok := read(o).(Quantity)
			if !ok {
				return cell{null: true}
			}
			if part == "unit" {
				return textCell(q.Unit)
			}
			return cell{numeric: true, num: q.Value}
		}
	case ManyToOne:
		if part != "id" && part != "type" {
			return nil
		}
		return func(o *object) cell {
			r, ok := read(o).(Ref)
			if !ok {
				return cell{null: true}
			}
			if part == "type" {
				return textCell(r.kind())
			}
			return intCell(int64(r.ID))
		}
	case FieldCollection, Block, ClassStore, ReverseObj, URLSlug:
		return nil
	}
	if part != "" {
		return nil
	}
	return func(o *object) cell { return cellOf(read(o), f.Kind) }
}

func (r Ref) kind() string {
	if r.Asset {
		return "asset"
	}
	return "object"
}

func cellOf(v any, k Kind) cell {
	switch v := v.(type) {
	case string:
		return textCell(v)
	case float64:
		return cell{numeric: true, num: v}
	case int64:
		return intCell(v)
	case bool:
		return flagCell(v)
	case []string:
		return textCell("," + strings.Join(v, ",") + ",")
	case Ref:
		return intCell(int64(v.ID))
	case []Ref:
		if len(v) > 0 {
			return textCell(idList(len(v), func(i int) int { return v[i].ID }))
		}
	case []Meta:
		if len(v) > 0 {
			return textCell(idList(len(v), func(i int) int { return v[i].ID }))
		}
	}
	if k == Checkbox {
		return flagCell(false) // one that was never set came back as 0
	}
	return cell{null: true}
}

// idList is how the query table holds many ends: a text of ids with commas around it.
func idList(n int, id func(int) int) string {
	b := []byte{','}
	for i := range n {
		b = append(strconv.AppendInt(b, int64(id(i)), 10), ',')
	}
	return string(b)
}

// compare orders two cells of one column as MariaDB does: NULL first, numbers by value, texts without regard to case
// unless the column is binary.
func (c cell) compare(d cell) int {
	switch {
	case c.null || d.null:
		return btoi(d.null) - btoi(c.null)
	case c.numeric:
		return byValue(c.num, d.num)
	case c.binary:
		return strings.Compare(c.text, d.text)
	}
	if n := strings.Compare(strings.ToLower(c.text), strings.ToLower(d.text)); n != 0 {
		return n
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func byValue(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
