package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// plan is the table and the plan of a read.
func (s *System) plan(ctx context.Context, r lockstep.Read) (*sqlkit.Plan, error) {
	t, err := s.table(ctx, r.Stream)
	if err != nil {
		return nil, err
	}
	return s.plans.Plan(t, r)
}

// selectList is what a read selects: the plan's columns, then the record's size. The plus hides a column's declared
// type from the driver, which would make times of texts; a value over the limit is never loaded. keys, if given, are
// where the key fields stand as well, for rows that may not be there.
func selectList(p *sqlkit.Plan, limit int, keys ...string) string {
	var b strings.Builder
	size := make([]string, 0, len(p.Columns))
	for i, c := range p.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		name := "t." + sqlkit.Quote(c.Name)
		if at := slices.Index(p.Key, i); at >= 0 && len(keys) > 0 {
			name = "ifnull(" + name + ", " + keys[at] + ")"
		}
		if fixed(c) {
			b.WriteString("+" + name)
			continue
		}
		fmt.Fprintf(&b, "iif(octet_length(%s) > %d, NULL, +%s)", name, limit, name)
		size = append(size, "ifnull(octet_length("+name+"), 0)")
	}
	if len(size) == 0 {
		size = append(size, "0")
	}
	return b.String() + ", " + strings.Join(size, "+")
}

// fixed tells whether a column's values are small whatever is stored: its affinity keeps texts out of no column, so
// only the alias of the rowid is.
func fixed(c *sqlkit.Column) bool {
	return c.Default && !c.Nullable && c.Type.Native == "INTEGER" && c.Indexed
}

// present is the condition that a row counts: the stream's own, and not softly deleted.
func present(p *sqlkit.Plan, more ...string) string {
	var terms []string
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	if p.Deleted != nil {
		terms = append(terms, "NOT "+goneSQL(p.Deleted))
	}
	return and(append(terms, more...))
}

func and(terms []string) string {
	if len(terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

// goneSQL is 1 where a soft-delete field says that the row is gone: true, or not null. Texts and numbers that say no
// are no.
func goneSQL(c *sqlkit.Column) string {
	return "(ifnull(lower(CAST(t." + sqlkit.Quote(c.Name) + " AS TEXT)), '') NOT IN ('', '0', '0.0', 'f', 'false', 'n', 'no'))"
}

// reader turns rows into records.
type reader struct {
	plan  *sqlkit.Plan
	limit int
	cells []any
	dest  []any
	slab  sqlkit.Slab
	size  int // of the last record
	note  *trackedColumn
	// begins is told each key of a stream whose rows may share one.
	begins func(lockstep.Key)
}

func newReader(p *sqlkit.Plan, limit, extra int) *reader {
	n := len(p.Columns) + 1 + extra
	r := &reader{plan: p, limit: limit, cells: make([]any, n), dest: make([]any, n), slab: sqlkit.NewSlab(p.Names.Len())}
	for i := range r.cells {
		r.dest[i] = &r.cells[i]
	}
	return r
}

// record reads the current row. Its fault, if any, is about this one record.
func (r *reader) record(rows *sql.Rows) (lockstep.Record, *lockstep.Fault, error) {
	if err := rows.Scan(r.dest...); err != nil {
		return lockstep.Record{}, nil, err
	}
	p := r.plan
	parts := make([]string, len(p.Key))
	for i, at := range p.Key {
		parts[i] = keyText(p.Columns[at], r.cells[at])
	}
	rec := lockstep.Record{Key: lockstep.MakeKey(parts...)}
	if p.Version >= 0 {
		if text, ok := r.cells[p.Version].(string); ok && r.note != nil {
			r.note.note(text)
		}
		rec.Version = storedText(r.cells[p.Version])
		if v := decode(trackKind(p.Columns[p.Version]), r.cells[p.Version]); v.Kind() == value.KindTime {
			rec.At = v.Time()
		}
	}
	about := lockstep.About{Stream: p.Table.Stream.Name, Key: rec.Key}
	size, _ := r.cells[len(p.Columns)].(int64)
	if r.size = int(size) + 24*len(p.Columns); size > int64(r.limit) {
		r.size = 0
		return rec, lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, the limit is %d", size, r.limit).On(about), nil
	}
	values := r.slab.Row()
	for i := range values {
		values[i] = decode(p.Columns[i].Type.Kind, r.cells[i])
	}
	rec.Fields = p.Names.Fields(values)
	return rec, nil, nil
}

// trackKind reads a version column as a time where it may be one.
func trackKind(c *sqlkit.Column) value.TypeKind {
	if isTime(c.Type.Kind) {
		return c.Type.Kind
	}
	return value.InstantType
}

// Scan reads the page after from, in the order of the key.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	place, err := sqlkit.ReadPlace(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, about(err, r.Stream)
	}
	db, err := s.read()
	if err != nil {
		return lockstep.Page{}, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	if p.Table.KeyIsNullable() && len(place.After) == 0 {
		page, err := s.nullKeys(ctx, db, p, place, l)
		if err != nil || len(page.Changes) > 0 {
			return page, about(err, r.Stream)
		}
	}
	page, err := s.scanKeys(ctx, db, p, place, l)
	return page, about(err, r.Stream)
}

func (s *System) scanKeys(ctx context.Context, db *sql.DB, p *sqlkit.Plan, place sqlkit.Place, l lockstep.Limit) (lockstep.Page, error) {
	limit := sqlkit.MaxRecord(s.options.MaxRecord, l)
	key := keyList(p)
	var terms []string
	var args []any
	if len(place.After) > 0 {
		terms = append(terms, "("+key+") > ("+marks(len(p.Key))+")")
		for _, a := range place.After {
			v, ok := unplace(a)
			if !ok {
				return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the place of the scan cannot be read")
			}
			args = append(args, v)
		}
	} else if p.Table.KeyIsNullable() {
		for i := range p.Key {
			terms = append(terms, "t."+sqlkit.Quote(p.Columns[p.Key[i]].Name)+" IS NOT NULL")
		}
	}
	count := p.Rows(lockstep.Limit{Rows: l.Rows})
	query := "SELECT " + selectList(p, limit) + " FROM " + p.Table.SQL + " t" + present(p, terms...) + " ORDER BY " + key + " LIMIT " + strconv.Itoa(count+1)
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer rows.Close()
	page := lockstep.Page{Next: place.Position()}
	rd := newReader(p, limit, 0)
	rd.note = s.noted(p)
	cut := func() (lockstep.Page, error) { page.More = true; return page, nil }
	if !p.Table.KeyIsUnique() { // a page does not end among rows that share a key, for the place behind a key passes all
		run, before := 0, page.Next
		rd.begins = func(key lockstep.Key) {
			if n := len(page.Changes); n > 0 && page.Changes[n-1].Record.Key != key {
				run, before = n, page.Next
			}
		}
		cut = func() (lockstep.Page, error) {
			if page.More = true; run > 0 {
				page.Changes, page.Next = page.Changes[:run], before
			}
			return page, nil
		}
	}
	for bytes := 0; rows.Next(); {
		if len(page.Changes) == count || (l.Bytes > 0 && bytes >= l.Bytes) {
			return cut()
		}
		rec, fault, err := rd.record(rows)
		if err != nil {
			return lockstep.Page{}, err
		}
		if l.Bytes > 0 && bytes > 0 && bytes+rd.size > l.Bytes {
			return cut()
		}
		if rd.begins != nil {
			rd.begins(rec.Key)
		}
		bytes += rd.size
		page.Changes = append(page.Changes, lockstep.Change{Record: rec, Fault: fault})
		page.Next = rd.place().Position()
	}
	return page, rows.Err()
}

// place is the place behind the current row.
func (r *reader) place() sqlkit.Place {
	after := make([]string, len(r.plan.Key))
	for i, at := range r.plan.Key {
		after[i] = place(r.cells[at])
	}
	return sqlkit.Place{After: after}
}

// nullKeys reads the rows whose key is null: nobody could link them, so each is a fault at a place that people find.
func (s *System) nullKeys(ctx context.Context, db *sql.DB, p *sqlkit.Plan, place sqlkit.Place, l lockstep.Limit) (lockstep.Page, error) {
	terms := make([]string, len(p.Key))
	for i, at := range p.Key {
		terms[i] = "t." + sqlkit.Quote(p.Columns[at].Name) + " IS NULL"
	}
	condition := "(" + strings.Join(terms, " OR ") + ")"
	if info := p.Table.Info.(tableInfo); !info.rowid {
		return s.countNullKeys(ctx, db, p, place, condition)
	}
	after, _ := strconv.ParseInt(place.Nulls, 10, 64)
	count := p.Rows(lockstep.Limit{Rows: l.Rows})
	query := "SELECT t.rowid FROM " + p.Table.SQL + " t" + present(p, condition, "(? OR t.rowid > ?)") + " ORDER BY t.rowid LIMIT " + strconv.Itoa(count)
	rows, err := db.QueryContext(ctx, query, place.Nulls == "", after)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer rows.Close()
	page := lockstep.Page{More: true}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return page, err
		}
		at := strconv.FormatInt(id, 10)
		page.Changes = append(page.Changes, nullKey(p, "rowid "+at))
		page.Next = sqlkit.Place{Nulls: at}.Position()
	}
	return page, rows.Err()
}

// countNullKeys is nullKeys for a view, whose rows have no name of their own: one fault stands for all.
func (s *System) countNullKeys(ctx context.Context, db *sql.DB, p *sqlkit.Plan, place sqlkit.Place, condition string) (lockstep.Page, error) {
	if place.Nulls != "" {
		return lockstep.Page{}, nil
	}
	var n int64
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+p.Table.SQL+" t"+present(p, condition)).Scan(&n)
	if err != nil || n == 0 {
		return lockstep.Page{}, err
	}
	return lockstep.Page{
		Changes: []lockstep.Change{nullKey(p, fmt.Sprintf("%d rows of %s", n, p.Table.Stream.Name))},
		Next:    sqlkit.Place{Nulls: "all"}.Position(), More: true,
	}, nil
}

func nullKey(p *sqlkit.Plan, where string) lockstep.Change {
	key := lockstep.Key(where)
	f := lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Stream: p.Table.Stream.Name, Key: key})
	return lockstep.Change{Record: lockstep.Record{Key: key}, Fault: f}
}

func keyList(p *sqlkit.Plan) string {
	names := make([]string, len(p.Key))
	for i, at := range p.Key {
		names[i] = "t." + sqlkit.Quote(p.Columns[at].Name)
	}
	return strings.Join(names, ", ")
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
