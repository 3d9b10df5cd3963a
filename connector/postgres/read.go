package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// query is one SELECT for records.
type query struct {
	plan *sqlkit.Plan
	with string // in front of SELECT
	from string // what stands behind FROM; the table is t
	// join, if given, is FROM by the LIMIT: what the table is joined with has a limit of its own. The key fields stand
	// in it as keys, too, for there may be no row of the table.
	join  func(limit string) string
	keys  []string
	terms []string // of the condition
	extra []string // further columns, behind the plan's
	order string
	lock  string // behind everything
	gone  bool   // the last extra column tells a soft delete
	// doubles says that rows may share a key: a page does not end among them, for the place behind a key passes all.
	doubles bool
	rows    int  // LIMIT, or 0
	fetch   bool // the rows come from the connection's cursor
	args    [][]byte
	large   int // a record over so many bytes is a fault
}

// sql is the statement. Guarded, it checks the sizes of values on the server and does not send those that are too
// large: that costs a little for each row, so it is done only after a row was too large for a connection.
func (q *query) sql(guarded bool) string {
	var b strings.Builder
	b.WriteString(q.with + "SELECT ")
	sizes := []string{}
	for i, c := range q.plan.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		name := "t." + sqlkit.Quote(c.Name)
		if at := slices.Index(q.plan.Key, i); at >= 0 && q.keys != nil {
			name = "coalesce(" + name + ", " + q.keys[at] + ")"
		}
		if !guarded || !mayBeLarge(c) {
			b.WriteString(name)
			continue
		}
		size := sizeSQL(c, name)
		sizes = append(sizes, "coalesce("+size+", 0)::bigint")
		b.WriteString("CASE WHEN " + size + " <= " + strconv.Itoa(q.large) + " THEN " + name + " END")
	}
	for _, x := range q.extra {
		b.WriteString(", " + x)
	}
	if guarded {
		b.WriteString(", " + strings.Join(append(sizes, "0"), " + "))
	}
	limit := ""
	if q.rows > 0 {
		limit = " LIMIT " + strconv.Itoa(q.rows)
	}
	if q.join != nil {
		q.from = q.join(limit)
	}
	b.WriteString(" FROM " + q.from)
	if len(q.terms) > 0 {
		b.WriteString(" WHERE " + strings.Join(q.terms, " AND "))
	}
	if q.order != "" {
		b.WriteString(" ORDER BY " + q.order)
	}
	b.WriteString(limit + q.lock)
	return b.String()
}

func mayBeLarge(c *sqlkit.Column) bool {
	switch c.Type.Kind {
	case value.TextType, value.BytesType, value.JSONType, value.ListType, value.DecimalType:
		return true
	}
	return false
}

// sizeSQL is a value's size as text. The stored size is cheap to have; compression makes it less than the real one by
// a factor that cannot reach 256, so small ones need no closer look.
func sizeSQL(c *sqlkit.Column, name string) string {
	switch c.Cast {
	case "text", "bytea", "character varying":
		return "octet_length(" + name + ")"
	}
	return "CASE WHEN pg_column_size(" + name + ") < 1024 THEN pg_column_size(" + name + ") ELSE octet_length(" + name + "::text) END"
}

// present are the conditions that a row counts: the stream's own, and not softly deleted.
func present(p *sqlkit.Plan) []string {
	var terms []string
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	if p.Deleted != nil {
		terms = append(terms, "NOT "+goneSQL(p.Deleted))
	}
	return terms
}

// goneSQL is true where a soft-delete field says that the row is gone: true, or not null. Texts and numbers that say
// no are no.
func goneSQL(c *sqlkit.Column) string {
	return "(coalesce(lower(t." + sqlkit.Quote(c.Name) + "::text), '') NOT IN ('', '0', '0.0', 'f', 'false', 'n', 'no'))"
}

// row is what collect hands out. The cells are valid until the next row.
type row struct {
	op     lockstep.Op
	record lockstep.Record
	fault  *lockstep.Fault
	cells  [][]byte // of the extra columns
	keys   [][]byte // of the key columns
	size   int
}

// errEnough ends collect early: the page is full.
var errEnough = errors.New("enough")

// overhead is what a message may have beyond the texts of its values.
const overhead = 64 << 10

// collect runs q and hands out its rows.
func (c link) collect(ctx context.Context, q *query, each func(*row) error) error {
	front := c.pg.Frontend()
	front.SetMaxBodyLen(2*q.large + overhead) // bytea goes as hex: two for one
	defer front.SetMaxBodyLen(0)
	return c.decodeRows(ctx, q, false, each)
}

// collect runs q on a connection of the reading pool. A row that is too large for the connection breaks it: then the
// statement runs again, guarded, from the start; each is told by begin.
func (s *System) collect(ctx context.Context, q *query, begin func(), each func(*row) error) error {
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return err
	}
	begin()
	err = conn.collect(ctx, q, each)
	conn.release()
	if _, large := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); !large {
		return err
	}
	if conn, err = s.acquire(ctx, s.reader); err != nil {
		return err
	}
	defer conn.release()
	begin()
	return conn.decodeRows(ctx, q, true, each)
}

func (c link) decodeRows(ctx context.Context, q *query, guarded bool, each func(*row) error) error {
	sql, args := q.sql(guarded), q.args
	if q.fetch {
		sql, args = "FETCH FORWARD "+strconv.Itoa(q.rows)+" FROM lockstep_sweep", nil
	}
	rr := c.pg.ExecParams(ctx, sql, args, nil, nil, nil)
	d := newDecoder(q)
	var failed error
	for failed == nil && rr.NextRow() {
		failed = each(d.row(rr.Values(), guarded))
	}
	if failed != nil {
		// What is left of the rows would have to be read to use the connection again. There are never many: the
		// LIMIT is fitted to the page. Where rows grew all of a sudden, a new connection is cheaper.
		if q.rows-d.count > 500 {
			_ = c.pg.Conn().Close()
		}
		_, _ = rr.Close()
		return failed
	}
	_, err := rr.Close()
	return err
}

// decoder makes records of cells.
type decoder struct {
	q     *query
	arena sqlkit.Arena
	slab  sqlkit.Slab
	keys  [][]byte
	parts []string
	types []*value.Type
	out   row
	count int
}

func newDecoder(q *query) *decoder {
	d := &decoder{q: q, slab: sqlkit.NewSlab(q.plan.Names.Len()), keys: make([][]byte, len(q.plan.Key)), parts: make([]string, len(q.plan.Key))}
	for _, c := range q.plan.Columns {
		d.types = append(d.types, &c.Type)
	}
	return d
}

func (d *decoder) row(cells [][]byte, guarded bool) *row {
	d.count++
	p := d.q.plan
	size := 0
	for _, c := range cells[:len(p.Columns)] {
		size += len(c)
	}
	extra := len(p.Columns) + len(d.q.extra)
	d.out = row{cells: cells[len(p.Columns):extra], size: size + 24*len(p.Columns)}
	if d.q.gone && string(cells[extra-1]) == "t" {
		d.out.op = lockstep.Delete
	}
	rec := &d.out.record
	for i, at := range p.Key {
		d.keys[i] = cells[at]
		d.parts[i] = d.keyText(d.types[at], cells[at])
	}
	d.out.keys = d.keys
	rec.Key = lockstep.MakeKey(d.parts...)
	if p.Version >= 0 {
		if cell := cells[p.Version]; cell != nil {
			rec.Version = d.arena.Text(cell)
			if at, ok := parseTime(cell); ok {
				rec.At = at
			}
		}
	}
	if guarded {
		if n, _ := parseInt(cells[len(cells)-1]); int(n) > d.q.large {
			d.tooLarge(int(n))
			return &d.out
		}
	}
	if size > d.q.large {
		d.tooLarge(size)
		return &d.out
	}
	d.values(cells)
	return &d.out
}

func (d *decoder) values(cells [][]byte) {
	p := d.q.plan
	values := d.slab.Row()
	for i := range values {
		v, err := decode(&d.arena, d.types[i], cells[i])
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

// keyText is value.KeyText of a key cell, without a detour where the cell is it already.
func (d *decoder) keyText(t *value.Type, cell []byte) string {
	switch t.Kind {
	case value.IntType, value.UUIDType, value.ClockType:
		return d.arena.Text(cell)
	case value.TextType:
		if t.Padded {
			return strings.TrimRight(d.arena.Text(cell), " ")
		}
		return d.arena.Text(cell)
	}
	v, err := decode(&d.arena, t, cell)
	if err != nil {
		return d.arena.Text(cell)
	}
	text, _ := v.KeyText()
	return text
}
