package mysql

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// changed is a record as it was read: its key, and what tells whether it is still as it was.
type changed struct {
	key  lockstep.Key
	mark string
}

// byFlag reads the rows that are marked, in the order of the key.
func (s *System) byFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	mark, err := p.Mark()
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
	names := keyNames(p, "t.")
	q := &selection{plan: p, from: p.Table.SQL + " t", order: strings.Join(names, ", "), doubles: !p.Table.KeyIsUnique(),
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), terms: append(counted(p), markedSQL(mark)), extra: []string{imageSQL(p.Table, mark)}}
	if p.Deleted != nil {
		q.gone, q.extra = true, append(q.extra, goneSQL(p.Table, p.Deleted))
	}
	if len(place.After) > 0 {
		marks, args, err := placeArgs(p, place.After)
		if err != nil {
			return lockstep.Page{}, err
		}
		term, args := behind(names, marks, args)
		q.terms, q.args = append(q.terms, term), args
	}
	page, items, err := s.itemsPage(ctx, q, l, sqlkit.Marked{}.Position(), func(keys []string) lockstep.Position { return sqlkit.Marked{After: keys}.Position() })
	if err != nil {
		return lockstep.Page{}, err
	}
	if !page.More {
		page.Next, page.UpTo = sqlkit.Marked{}.Position(), clock
	}
	s.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// itemsPage reads a page, and of each row what tells whether it is still as it was: its first extra column.
func (s *System) itemsPage(ctx context.Context, q *selection, l lockstep.Limit, start lockstep.Position, place func(keys []string) lockstep.Position) (lockstep.Page, []changed, error) {
	var items []changed
	q.look = func(r *row) { items = append(items, changed{r.record.Key, r.extra[0]}) }
	page, err := s.page(ctx, q, l, start, func(keys, _ []string) lockstep.Position { return place(slices.Clone(keys)) })
	return page, items[:min(len(items), len(page.Changes))], err
}

func (s *System) clock(ctx context.Context) (at time.Time, err error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return at, err
	}
	defer conn.Release()
	return clockOf(ctx, conn)
}

// markedSQL is true on marked rows. Written so, an index on the column serves.
func markedSQL(mark *sqlkit.Column) string {
	name := "t." + mykit.Quote(mark.Name)
	return "(" + name + " > 0 OR " + name + " < 0)"
}

// imageSQL is a digest of all of a row but its mark: the server has no other sign that a row is still the one that was
// read. Each text is digested by itself, for a text that is too long for a packet would be null.
func imageSQL(t *sqlkit.Table, mark *sqlkit.Column) string {
	var parts []string
	every := t.Every()
	for i := range every {
		c := &every[i]
		if c.Name == mark.Name {
			continue
		}
		name := "t." + mykit.Quote(c.Name)
		switch {
		case columnOf(t, c).base == "bit":
			name = "CAST(" + name + " + 0 AS CHAR)"
		case c.Type.Kind == value.FloatType:
			name = "CAST(" + name + " + 0e0 AS CHAR)"
		case columnOf(t, c).charset != "" || c.Type.Kind == value.BytesType || c.Type.Kind == value.JSONType:
			name = "SHA1(" + name + ")"
		default:
			name = "CAST(" + name + " AS CHAR)"
		}
		parts = append(parts, "COALESCE("+name+", '-')")
	}
	return "SHA1(CONCAT_WS(',', " + strings.Join(append(parts, "''"), ", ") + "))"
}

// ackFlag takes the marks of what was read up to a position, and never waits for an application: a row that somebody
// has changed, or is about to, keeps its mark and comes again. Times that the server sets with any write stay as they
// are.
func (s *System) ackFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, upTo lockstep.Position) error {
	mark, err := p.Mark()
	if err != nil {
		return err
	}
	if _, err := sqlkit.ReadMarked(upTo, len(p.Key)); err != nil {
		return err
	}
	items := slices.Concat(s.unacked.Take(sqlkit.FeedName(r), upTo)...)
	if len(items) == 0 {
		return nil
	}
	sets := mykit.Quote(mark.Name) + " = 0"
	for name, info := range infoOf(p.Table).columns {
		if info.onUpdate {
			sets += ", " + mykit.Quote(name) + " = " + mykit.Quote(name)
		}
	}
	return s.inWriter(ctx, p.Table, func(a *applier) error {
		for chunk := range slices.Chunk(items, keysAtOnce) {
			free, err := a.unchanged(p, p.Table.SQL, imageSQL(p.Table, mark), markedSQL(mark), keyColumns(p), chunk)
			if err != nil {
				return err
			}
			condition, args := keysIn(keyColumns(p), free, "")
			if condition == "" {
				continue
			}
			if _, err := a.link.Exec(ctx, "UPDATE "+p.Table.SQL+" SET "+sets+" WHERE "+condition, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// unchanged locks the rows of a table that are still as they were read and that nobody else holds, and gives their keys.
func (a *applier) unchanged(p *sqlkit.Plan, table, mark, condition string, key []*sqlkit.Column, items []changed) ([]lockstep.Key, error) {
	read := make(map[changed]bool, len(items))
	keys := make([]lockstep.Key, len(items))
	for i, item := range items {
		keys[i], read[item] = item.key, true
	}
	in, args := keysIn(key, keys, "t.")
	if in == "" {
		return nil, nil
	}
	bare := *p.Table
	bare.Version = "" // a change table has none
	light, err := bare.Plan(lockstep.Read{Stream: p.Table.Stream.Name})
	if err != nil {
		return nil, err
	}
	q := &selection{plan: light, from: table + " t", terms: []string{in, condition}, args: args, extra: []string{mark}, large: 1 << 30, lock: mykit.LockSQL(a.facts.maria, a.facts.version)}
	state := map[lockstep.Key]bool{}
	err = a.sys.collectBy(a.ctx, a.link, q, func(r *row) error {
		key := r.record.Key
		same, seen := state[key]
		state[key] = read[changed{key, r.extra[0]}] && (same || !seen) // of rows that share a key, all must be
		return nil
	})
	var free []lockstep.Key
	for key, same := range state {
		if same {
			free = append(free, key)
		}
	}
	return free, err
}

// inWriter does what it is given in a transaction that writes.
func (s *System) inWriter(ctx context.Context, t *sqlkit.Table, do func(*applier) error) error {
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return err
	}
	defer conn.Release()
	a := &applier{ctx: ctx, sys: s, link: conn, facts: s.known(), table: t}
	return a.transaction(func() error { return do(a) })
}
