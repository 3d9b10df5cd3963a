package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// selection is one SELECT for records.
type selection struct {
	plan  *sqlkit.Plan
	from  string   // what stands behind FROM; the table is t
	terms []string // of the condition
	extra []string // further columns, behind the plan's
	order string
	lock  string // behind everything
	gone  bool   // the last extra column tells a soft delete
	// doubles says that rows may share a key: a page does not end among them, for the place behind a key passes all.
	doubles bool
	rows    int // LIMIT, or 0
	args    []driver.Value
	large   int // a record over so many bytes is a fault
	// inner, if given, makes from of how many rows are read; keys stand for the key columns then.
	inner func(limit string) string
	keys  []string
	look  func(*row) // sees each row of the page
}

// sql is the statement. Where a row may be larger than a packet, the server looks at its size first and leaves out what
// is too large; the last column is then the size.
func (q *selection) sql() (statement string, sized bool) {
	var b strings.Builder
	b.WriteString("SELECT ")
	size := sizeSQL(q.plan)
	for i, c := range q.plan.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		name := "t." + mykit.Quote(c.Name)
		if at := slices.Index(q.plan.Key, i); at >= 0 && q.keys != nil {
			name = q.keys[at]
		}
		switch {
		case columnOf(q.plan.Table, c).large:
			b.WriteString("IF(" + size + " <= " + strconv.Itoa(q.large) + ", " + name + ", NULL)")
		case c.Type.Kind == value.FloatType && c.Type.Bits == 32: // as a float it would come with six digits
			b.WriteString(name + " + 0e0")
		default:
			b.WriteString(name)
		}
	}
	for _, x := range q.extra {
		b.WriteString(", " + x)
	}
	if size != "" {
		b.WriteString(", " + size)
	}
	from := q.from
	if q.inner != nil {
		from = q.inner(" LIMIT " + strconv.Itoa(q.rows))
	}
	b.WriteString(" FROM " + from)
	if len(q.terms) > 0 {
		b.WriteString(" WHERE " + strings.Join(q.terms, " AND "))
	}
	if q.order != "" {
		b.WriteString(" ORDER BY " + q.order)
	}
	if q.rows > 0 {
		b.WriteString(" LIMIT " + strconv.Itoa(q.rows))
	}
	b.WriteString(q.lock)
	return b.String(), size != ""
}

// sizeSQL is the size of all large values of a row, "" where there are none.
func sizeSQL(p *sqlkit.Plan) string {
	var sizes []string
	for _, c := range p.Columns {
		if columnOf(p.Table, c).large {
			sizes = append(sizes, "COALESCE(OCTET_LENGTH(t."+mykit.Quote(c.Name)+"), 0)")
		}
	}
	return strings.Join(sizes, " + ")
}

// present are the conditions that a row counts: the stream's own, and not softly deleted.
func present(p *sqlkit.Plan) []string {
	var terms []string
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	if p.Deleted != nil {
		terms = append(terms, "NOT "+goneSQL(p.Table, p.Deleted))
	}
	return terms
}

// goneSQL is true where a soft-delete field says that the row is gone: true, or not null. Texts and numbers that say
// no are no, and so is a zero date.
func goneSQL(t *sqlkit.Table, c *sqlkit.Column) string {
	name := "t." + mykit.Quote(c.Name)
	if columnOf(t, c).base == "bit" {
		name += " + 0"
	}
	text := "LOWER(COALESCE(CAST(" + name + " AS CHAR), ''))"
	return "(" + text + " NOT IN ('', '0', '0.0', 'f', 'false', 'n', 'no') AND " + text + " NOT LIKE '0000-00-00%')"
}

// row is what collect hands out. Its lists are valid until the next row.
type row struct {
	op     lockstep.Op
	record lockstep.Record
	fault  *lockstep.Fault
	place  []string // of the key fields, as they are compared
	extra  []string
	size   int
}

// errEnough ends collect early: the page is full.
var errEnough = errors.New("enough")

// overhead is what a packet has room for beside a record's large values.
const overhead = 128 << 10

// collect runs q on a connection of the reading pool and hands out its rows.
func (s *System) collect(ctx context.Context, q *selection, each func(*row) error) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return err
	}
	defer conn.Release()
	return s.collectBy(ctx, conn, q, each)
}

func (s *System) collectBy(ctx context.Context, conn mykit.Link, q *selection, each func(*row) error) error {
	q.large = min(q.large, max(1024, s.known().packet-overhead)) // the server sends no larger row
	statement, sized := q.sql()
	d := newDecoder(q, s.park)
	enough := false
	err := conn.Rows(ctx, statement, q.args, func(cells []driver.Value) error {
		err := each(d.row(cells, sized))
		if enough = err == errEnough; enough && q.rows-d.count > 500 {
			// What is left would have to be read to use the connection again. There is never much: the LIMIT is
			// fitted to the page. Where rows grew all of a sudden, a new connection is cheaper.
			return mykit.ErrDrop
		}
		return err
	})
	if enough {
		return errEnough
	}
	return err
}

// decoder makes records of cells.
type decoder struct {
	q     *selection
	park  bool
	arena sqlkit.Arena
	slab  sqlkit.Slab
	parts []string
	words [][]string // of key columns that are enums: their order is that of the declaration
	types []*value.Type
	out   row
	text  []byte
	count int
}

func newDecoder(q *selection, park bool) *decoder {
	p := q.plan
	d := &decoder{q: q, park: park, slab: sqlkit.NewSlab(p.Names.Len()), parts: make([]string, len(p.Key)), words: make([][]string, len(p.Key))}
	for _, c := range p.Columns {
		d.types = append(d.types, &c.Type)
	}
	for i, at := range p.Key {
		d.words[i] = columnOf(p.Table, p.Columns[at]).words
	}
	d.out.place, d.out.extra = make([]string, len(p.Key)), make([]string, len(q.extra))
	return d
}

func (d *decoder) row(cells []driver.Value, sized bool) *row {
	d.count++
	p := d.q.plan
	d.out = row{place: d.out.place, extra: d.out.extra}
	extra := len(p.Columns) + len(d.q.extra)
	for i, cell := range cells[len(p.Columns):extra] {
		d.out.extra[i] = d.cellText(cell)
	}
	if d.q.gone && d.out.extra[len(d.out.extra)-1] == "1" {
		d.out.op = lockstep.Delete
	}
	rec := &d.out.record
	for i, at := range p.Key {
		d.parts[i] = d.keyText(d.types[at], cells[at])
		d.out.place[i] = placeText(d.words[i], d.parts[i])
	}
	rec.Key = lockstep.MakeKey(d.parts...)
	if p.Version >= 0 && cells[p.Version] != nil {
		rec.Version = d.cellText(cells[p.Version])
		if at, zero, ok := parseTime([]byte(rec.Version)); ok && !zero {
			rec.At = at
		}
	}
	size := 0
	for _, c := range cells[:len(p.Columns)] {
		if b, ok := c.([]byte); ok {
			size += len(b)
		}
	}
	d.out.size = size + 24*len(p.Columns)
	if sized {
		n, _ := strconv.Atoi(d.cellText(cells[len(cells)-1]))
		size = max(size, n)
	}
	if size > d.q.large {
		d.tooLarge(size)
		return &d.out
	}
	d.values(cells)
	return &d.out
}

func (d *decoder) values(cells []driver.Value) {
	p := d.q.plan
	values := d.slab.Row()
	for i := range values {
		v, err := decode(&d.arena, d.types[i], cells[i], d.park)
		if err != nil {
			d.out.fault = lockstep.NewFault(lockstep.CodeValue, err).
				On(lockstep.About{Stream: p.Table.Stream.Name, Key: d.out.record.Key, Field: p.Columns[i].Name})
			return
		}
		values[i] = v
	}
	d.out.record.Fields = p.Names.Fields(values)
}

func (d *decoder) tooLarge(size int) {
	d.out.size = 0
	d.out.fault = lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, the limit is %d", size, d.q.large).
		On(lockstep.About{Stream: d.q.plan.Table.Stream.Name, Key: d.out.record.Key})
}

func (d *decoder) cellText(cell driver.Value) string {
	d.text = mykit.AppendCell(d.text[:0], cell)
	return d.arena.Text(d.text)
}

// keyText is value.KeyText of a key cell, without a detour where the cell is it already. A zero date stays as it is.
func (d *decoder) keyText(t *value.Type, cell driver.Value) string {
	switch t.Kind {
	case value.IntType, value.UUIDType:
		if b, bits := cell.([]byte); !bits || t.Kind == value.UUIDType || len(b) == 0 {
			return d.cellText(cell)
		}
	case value.TextType:
		return d.cellText(cell)
	}
	v, err := decode(&d.arena, t, cell, false)
	if err == nil {
		if text, ok := v.KeyText(); ok {
			return text
		}
	}
	return d.cellText(cell)
}

// placeText is a key field's text as the server orders it: an enum by the number of its word.
func placeText(words []string, part string) string {
	if words == nil {
		return part
	}
	return strconv.Itoa(slices.Index(words, part) + 1)
}
