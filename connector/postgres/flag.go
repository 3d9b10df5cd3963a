package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// byFlag reads the rows that are marked, in the order of the key.
func (s *System) byFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	mark, err := p.Mark()
	if err != nil {
		return lockstep.Page{}, err
	}
	exact, err := exactly(p)
	if err != nil {
		return lockstep.Page{}, err
	}
	clock, err := s.clock(ctx)
	if err != nil || from == nil {
		return lockstep.Page{Next: sqlkit.Marked{}.Position(), UpTo: clock}, err
	}
	place, err := sqlkit.ReadMarked(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	keys := keyNames(p)
	q := &query{plan: p, from: p.Table.SQL + " t", order: strings.Join(keys, ", "), doubles: !p.Table.KeyIsUnique(),
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), terms: []string{markedSQL(mark)}, args: bytesOf(place.After)}
	if p.Table.Where != "" {
		q.terms = append(q.terms, "("+p.Table.Where+")")
	}
	if len(place.After) > 0 {
		marks := make([]string, len(keys))
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(i+1)
		}
		q.terms = append(q.terms, "("+q.order+") > ("+strings.Join(marks, ", ")+")")
	} else if p.Table.KeyIsNullable() {
		for _, k := range keys {
			q.terms = append(q.terms, k+" IS NOT NULL")
		}
	}
	q.extra = append(append(q.extra, keys...), exact...)
	if p.Deleted != nil {
		q.gone, q.extra = true, append(q.extra, goneSQL(p.Deleted))
	}
	page, items, err := s.itemsPage(ctx, q, l, len(keys)+len(exact), func(*row) {})
	if err != nil {
		return lockstep.Page{}, err
	}
	next := sqlkit.Marked{}
	if page.More {
		next.After = items[len(items)-1][:len(keys)]
	} else {
		page.UpTo = clock
	}
	page.Next = next.Position()
	s.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// itemsPage reads a page, and of each row the first n extra cells.
func (s *System) itemsPage(ctx context.Context, q *query, l lockstep.Limit, n int, look func(*row)) (lockstep.Page, []changed, error) {
	var items []changed
	page, err := s.pageBy(ctx, q, l, nil, func([]string, []string) lockstep.Position { return nil }, func(begin func(), each func(*row) error) error {
		return s.collect(ctx, q, func() { items = items[:0]; begin() }, func(r *row) error {
			look(r)
			if err := each(r); err != nil {
				return err
			}
			items = append(items, r.changed(n))
			return nil
		})
	})
	return page, items[:min(len(items), len(page.Changes))], err
}

func (s *System) clock(ctx context.Context) (at time.Time, err error) {
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return at, err
	}
	defer conn.release()
	row, err := conn.one(ctx, clockSQL)
	if err != nil {
		return at, err
	}
	return instant(row[0])
}

// markedSQL is true on marked rows. Written so, an index on the column serves as well as one with a condition.
func markedSQL(mark *sqlkit.Column) string {
	name := "t." + sqlkit.Quote(mark.Name)
	if mark.Type.Kind == value.BoolType {
		return name
	}
	return "(" + name + " > 0 OR " + name + " < 0)"
}

// exactly are the columns that tell whether a row is still the one that was read: the place and the transaction of the
// row's version. Each write makes a new version at another place. A place is used again only after the version in it is
// dead and was vacuumed, by a later transaction then; numbers of transactions come again after 2^32 of them. A table
// that is rewritten (VACUUM FULL, CLUSTER) may put another row of the same transaction there, so the key counts, too.
// A view's rows have no place: it needs a version column.
func exactly(p *sqlkit.Plan) ([]string, error) {
	switch p.Table.Info.(tableInfo).kind {
	case "r", "p":
		return []string{"t.ctid", "t.xmin"}, nil
	}
	if c := p.Table.Column(p.Table.Version); c != nil {
		return []string{"coalesce(t." + sqlkit.Quote(c.Name) + "::text, '')", "''"}, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeCannot, "%s is no table: to take a mark away safely, the stream needs a `version:` field in the settings", p.Table.SQL).
		On(lockstep.About{Stream: p.Table.Stream.Name})
}

// ackFlag takes the marks of what was read up to a position, in one statement that never waits: a row that somebody has
// changed, or is about to, keeps its mark and comes again.
func (s *System) ackFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, upTo lockstep.Position) error {
	mark, err := p.Mark()
	if err != nil {
		return err
	}
	if _, err := sqlkit.ReadMarked(upTo, len(p.Key)); err != nil {
		return err
	}
	var items []changed
	for _, page := range s.unacked.Take(sqlkit.FeedName(r), upTo) {
		items = append(items, page...)
	}
	if len(items) == 0 {
		return nil
	}
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return err
	}
	defer conn.release()
	return conn.rows(ctx, clearSQL(p, mark), transposed(items), func([][]byte) error { return nil })
}

// transposed are items as one array for each of their cells.
func transposed(items []changed) [][]byte {
	args := make([][]byte, len(items[0]))
	for i := range args {
		column := make([][]byte, len(items))
		for j, item := range items {
			column[j] = []byte(item[i])
		}
		args[i] = appendArray(nil, column)
	}
	return args
}

func clearSQL(p *sqlkit.Plan, mark *sqlkit.Column) string {
	n := len(p.Key)
	marks, on := make([]string, n+2), make([]string, n)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1) + "::text[]"
	}
	for i, at := range p.Key {
		c := p.Columns[at]
		on[i] = "t." + sqlkit.Quote(c.Name) + " = w." + column(i) + "::" + c.Cast
	}
	from := "unnest(" + strings.Join(marks, ", ") + ") w(" + columnList(n+2) + ")"
	none := "0"
	if mark.Type.Kind == value.BoolType {
		none = "false"
	}
	set := " SET " + sqlkit.Quote(mark.Name) + " = " + none
	if kind := p.Table.Info.(tableInfo).kind; kind != "r" && kind != "p" {
		version := "t." + sqlkit.Quote(p.Table.Version)
		return "UPDATE " + p.Table.SQL + " t" + set + " FROM " + from + " WHERE " + strings.Join(on, " AND ") + " AND " + version + "::text = w." + column(n)
	}
	again := strings.Join(on, " AND ") // by the key, too, for there may be no way to a place but a scan of all partitions
	on = append(on, "t.ctid = w."+column(n)+"::tid", "t.xmin = w."+column(n+1)+"::xid", markedSQL(mark))
	return "WITH w AS MATERIALIZED (SELECT * FROM " + from + "), free AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS place, w.* FROM w JOIN " + p.Table.SQL +
		" t ON " + strings.Join(on, " AND ") + " FOR NO KEY UPDATE OF t SKIP LOCKED) UPDATE " + p.Table.SQL + " t" + set +
		" FROM free w WHERE " + again + " AND t.ctid = w.place AND t.tableoid = w.part"
}
