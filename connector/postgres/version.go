package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// byVersion reads what has a higher number, in sweeps in the order of (number, key). A row without a number is not seen.
func (s *System) byVersion(ctx context.Context, p *sqlkit.Plan, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	field, err := p.Number()
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		now, err := s.numbers(ctx, p, field, nil)
		return lockstep.Page{Next: sqlkit.Counted{Numbers: now}.Position(), UpTo: now.Clock}, err
	}
	feed, err := sqlkit.ReadCounted(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	if feed.Sweep == nil {
		now, err := s.numbers(ctx, p, field, &feed.Numbers)
		if err != nil {
			return lockstep.Page{}, err
		}
		feed.Sweep = feed.Begin(&now, p.Track.Overlap)
	}
	return s.countedSweep(ctx, p, field, feed, l)
}

// numbers reads the highest numbers, and then the open transactions. last is the position, nil for the first one.
func (s *System) numbers(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last *sqlkit.Numbers) (n sqlkit.Numbers, err error) {
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return n, err
	}
	defer conn.release()
	if last == nil && (p.Table.Info.(tableInfo).kind == "r" || p.Table.Info.(tableInfo).kind == "p") { // rows that tell who wrote them
		row, err := conn.one(ctx, "SELECT txid_snapshot_xmin(txid_current_snapshot()) & 4294967295")
		if err != nil {
			return n, err
		}
		n.Start = row[0]
	}
	n.Last = sqlkit.NoNumber
	if n.Top, err = conn.topRows(ctx, p, field); err != nil {
		return n, err
	}
	if len(n.Top) > 0 {
		n.Last = n.Top[0].Number
	}
	if n.Counter, err = conn.counter(ctx, p, field); err != nil {
		return n, err
	}
	if last != nil {
		if err := conn.setBack(ctx, p, field, last, &n); err != nil {
			return n, err
		}
	}
	h, err := conn.horizon(ctx, last == nil)
	n.Clock, n.Blind = h.Clock, h.Blind
	for _, o := range h.Open {
		n.Open = append(n.Open, sqlkit.OpenNumber{ID: o.ID, Above: sqlkit.NoNumber, Late: strings.HasPrefix(o.ID, "prepared/")})
	}
	return n, err
}

// topRows are the rows with the highest numbers.
func (c link) topRows(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column) (top []sqlkit.TopRow, err error) {
	number := "t." + sqlkit.Quote(field.Name)
	err = c.rows(ctx, "SELECT "+number+", "+strings.Join(keyNames(p), ", ")+" FROM "+p.Table.SQL+" t WHERE "+strings.Join(append(whereOf(p), number+" IS NOT NULL"), " AND ")+
		" ORDER BY "+number+" DESC LIMIT "+strconv.Itoa(sqlkit.TopRows), nil, func(cells [][]byte) error {
		row := sqlkit.TopRow{}
		var err error
		if row.Number, err = whole(cells[0], field); err != nil {
			return err
		}
		for _, cell := range cells[1:] {
			row.Key = append(row.Key, string(cell))
		}
		top = append(top, row)
		return nil
	})
	return top, err
}

func whole(cell []byte, field *sqlkit.Column) (int64, error) {
	text, rest, _ := strings.Cut(string(cell), ".")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(rest, "0") != "" {
		return 0, lockstep.Faultf(lockstep.CodeCannot, "column %q holds something that is no whole number of 64 bits", field.Name).On(lockstep.About{Field: field.Name})
	}
	return n, nil
}

func whereOf(p *sqlkit.Plan) []string {
	if p.Table.Where == "" {
		return nil
	}
	return []string{"(" + p.Table.Where + ")"}
}

// counterSQL finds the sequence behind a column's default or identity, and what it has given out; 0 where it was not used.
const counterSQL = `SELECT coalesce(CASE WHEN has_sequence_privilege(s.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(s.oid) END, 0)
FROM (SELECT d.refobjid AS oid FROM pg_attribute a JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
		JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
		JOIN pg_class q ON q.oid = d.refobjid AND q.relkind = 'S' WHERE a.attrelid = $1::oid AND a.attname = $2
	UNION SELECT d.objid FROM pg_attribute a JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
		JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S' WHERE a.attrelid = $1::oid AND a.attname = $2) s LIMIT 1`

func (c link) counter(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column) (*int64, error) {
	row, err := c.one(ctx, counterSQL, strconv.FormatUint(uint64(p.Table.Info.(tableInfo).oid), 10), field.Name)
	if err != nil || row == nil {
		return nil, err
	}
	n, err := strconv.ParseInt(row[0], 10, 64)
	return &n, err
}

// setBack is a fault where the counter stands behind the position.
func (c link) setBack(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last, now *sqlkit.Numbers) error {
	found := map[string]int64{}
	if now.Last < last.Last && len(last.Top) > 0 {
		keys := make([]lockstep.Key, len(last.Top))
		for i, t := range last.Top {
			keys[i] = lockstep.MakeKey(t.Key...)
		}
		texts, args, err := keysAsRead(keyColumns(p), keys)
		if err != nil {
			return err
		}
		err = c.rows(ctx, "SELECT coalesce(t."+sqlkit.Quote(field.Name)+", 0), "+strings.Join(keyNames(p), ", ")+" FROM "+p.Table.SQL+" t WHERE "+texts, args, func(cells [][]byte) error {
			n, err := whole(cells[0], field)
			key := make([]string, len(cells)-1)
			for i, cell := range cells[1:] {
				key[i] = string(cell)
			}
			found[sqlkit.TopKey(key)] = n
			return err
		})
		if err != nil {
			return err
		}
	}
	return last.SetBack(now, found)
}

// keysAsRead is keysIn for the texts of key cells.
func keysAsRead(columns []*sqlkit.Column, keys []lockstep.Key) (string, [][]byte, error) {
	plain := make([]*sqlkit.Column, len(columns))
	for i, c := range columns {
		copied := *c
		copied.Type = value.Type{Kind: value.TextType}
		plain[i] = &copied
	}
	return keysIn(plain, keys, 1)
}

func (s *System) countedSweep(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, feed sqlkit.Counted, l lockstep.Limit) (lockstep.Page, error) {
	sweep := *feed.Sweep
	number, keys := "t."+sqlkit.Quote(field.Name), keyNames(p)
	q := &query{plan: p, from: p.Table.SQL + " t", order: number + ", " + strings.Join(keys, ", "), extra: []string{number},
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), terms: whereOf(p)}
	if p.Deleted != nil {
		q.gone = true
		q.extra = append(q.extra, goneSQL(p.Deleted))
	}
	for _, k := range keys {
		q.terms = append(q.terms, k+" IS NOT NULL")
	}
	above := number + " > " + strconv.FormatInt(sweep.Above, 10)
	if sweep.Since != "" {
		xid, err := strconv.ParseUint(sweep.Since, 10, 32)
		if err != nil {
			return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a version tracker")
		}
		above = "(" + above + " OR " + number + " IS NOT NULL AND age(t.xmin) <= age('" + strconv.FormatUint(xid, 10) + "'::xid))"
	}
	q.terms = append(q.terms, above)
	if len(sweep.After) > 0 {
		marks := make([]string, len(sweep.After))
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(i+1)
		}
		q.terms = append(q.terms, "("+q.order+") > ("+strings.Join(marks, ", ")+")")
		q.args = bytesOf(sweep.After)
	}
	place := func(keys, extra []string) lockstep.Position {
		after := sweep
		after.After = append([]string{extra[0]}, keys...)
		return sqlkit.Counted{Numbers: feed.Numbers, Sweep: &after}.Position()
	}
	var page lockstep.Page
	ok := false
	if len(sweep.After) > 0 {
		page, ok = s.goOn(ctx, *q, string(feed.Position()), l, place)
	}
	end := sqlkit.Counted{Numbers: sweep.Next}.Position()
	if !ok {
		var err error
		if page, err = s.page(ctx, q, l, end, place); err != nil {
			return page, err
		}
	}
	if !page.More {
		page.Next, page.UpTo = end, sweep.Next.Clock
	}
	return page, nil
}
