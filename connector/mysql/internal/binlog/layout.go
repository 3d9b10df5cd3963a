package binlog

import (
	"context"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/lockstep-sync/lockstep"
)

// layout is how the rows behind a table map are read, and where in them the columns asked for stand.
type layout struct {
	columns []column
	json    int   // columns of MySQL's JSON
	at      []int // for each column asked for: where it stands, -1 where the rows do not have it

	versioned bool // the table keeps its history among its rows
}

// layouts makes layouts of table maps, and remembers the last ones.
type layouts struct {
	server *Server
	sets   charsets
	table  table
	now    catalog // nil: to be read
	made   map[string]*layout
	names  []string // what the layouts were made for
}

func newLayouts(s *Server, t table) *layouts {
	return &layouts{server: s, sets: charsets{db: s.DB}, table: t, made: map[string]*layout{}}
}

// stale has the catalog read again before the next row.
func (l *layouts) stale() { l.now = nil; clear(l.made) }

// keep is how many layouts are remembered: those before and behind an ALTER TABLE.
const keep = 16

// of is the layout of a table map. names are the columns asked for, and key tells which of them make the key.
func (l *layouts) of(ctx context.Context, m *tableMap, names []string, key []int) (*layout, error) {
	if !slices.Equal(names, l.names) {
		clear(l.made)
		l.names = names
	}
	if known := l.made[m.signature]; known != nil {
		return known, nil
	}
	if err := l.sets.load(ctx); err != nil {
		return nil, err
	}
	made, err := l.build(ctx, m, names, key)
	if err != nil {
		return nil, err
	}
	if len(l.made) >= keep {
		clear(l.made)
	}
	l.made[m.signature] = made
	return made, nil
}

func (l *layouts) build(ctx context.Context, m *tableMap, names []string, key []int) (_ *layout, err error) {
	defer func() { // the library trusts the lists of a table map to be long enough
		if recover() != nil {
			err = unreadable(errEvent)
		}
	}()
	n := int(m.ColumnCount)
	if n > maxColumns || len(m.ColumnType) != n || len(m.ColumnMeta) != n {
		return nil, unreadable(errEvent)
	}
	if l.now == nil {
		if l.now, err = l.server.catalog(ctx, l.table); err != nil {
			return nil, err
		}
	}
	out := &layout{columns: make([]column, n), at: make([]int, len(names)), versioned: l.now[0].versioned}
	for i := range out.columns {
		c := &out.columns[i]
		c.kind, c.length = realType(m.ColumnType[i], m.ColumnMeta[i])
		c.meta = m.ColumnMeta[i]
		if c.kind == mysql.MYSQL_TYPE_JSON {
			out.json++
		}
		if err := l.readable(c); err != nil {
			return nil, err
		}
	}
	for i, name := range names {
		at, certain := l.find(m, name)
		out.at[i] = at
		if at < 0 {
			continue
		}
		cat := l.now.named(name)
		isKey := slices.Contains(key, i)
		if cat < 0 || l.now[cat].virtual || !l.now[cat].fits(out.columns[at].kind) || (!certain && !isKey) {
			continue // the row is looked at when it is delivered
		}
		if err := l.describe(ctx, m, at, &l.now[cat], &out.columns[at]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readable refuses columns whose values have a length that we do not know: nothing behind them could be read.
func (l *layouts) readable(c *column) error {
	refuse := func(what, next string) error {
		f := lockstep.Faultf(lockstep.CodeCannot, "table %s.%s has a column that is %s, which cannot be read from the log", l.table.schema, l.table.name, what)
		f.Next = next
		return f
	}
	switch c.kind {
	case mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIME: // of old tables; MariaDB's may have a fraction
		for i := range l.now {
			if l.now[i].fits(c.kind) && l.now[i].precision > 0 {
				return refuse("a time of the old form with a fraction", "Run ALTER TABLE … FORCE with mysql56_temporal_format=ON, or choose another tracker.")
			}
		}
		return nil
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_LONGLONG,
		mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_DOUBLE, mysql.MYSQL_TYPE_NEWDECIMAL, mysql.MYSQL_TYPE_YEAR, mysql.MYSQL_TYPE_BIT,
		mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_TIMESTAMP2, mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_TIME2,
		mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_BLOB,
		mysql.MYSQL_TYPE_ENUM, mysql.MYSQL_TYPE_SET, mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_GEOMETRY, mysql.MYSQL_TYPE_VECTOR:
		return nil
	}
	return refuse("compressed, or of an unknown type", "Take the column's COMPRESSED away, or choose another tracker.")
}

// find is where a column stands in the rows. By its name that is certain; where the log has no names
// (binlog_row_metadata), by its place in the catalog, as long as that looks like the rows.
func (l *layouts) find(m *tableMap, name string) (at int, certain bool) {
	if len(m.ColumnName) == int(m.ColumnCount) {
		return namedBytes(m.ColumnName, name), true
	}
	if len(l.now) != int(m.ColumnCount) {
		return -1, false
	}
	for i := range l.now {
		kind, _ := realType(m.ColumnType[i], m.ColumnMeta[i])
		if !l.now[i].plausible(kind) {
			return -1, false
		}
	}
	return l.now.named(name), false
}

func namedBytes(names [][]byte, name string) int {
	c := make(catalog, len(names))
	for i := range names {
		c[i].name = string(names[i])
	}
	return c.named(name)
}

// describe fills in what the values of a column need: sign, character set, the texts of enums and sets. The log's own
// word counts before the catalog's.
func (l *layouts) describe(ctx context.Context, m *tableMap, at int, cat *catalogColumn, c *column) (err error) {
	c.unsigned, c.uuid = cat.unsigned, cat.dataType == "uuid"
	if signs := m.UnsignedMap(); signs != nil {
		c.unsigned = signs[at]
	}
	c.certain = true
	name := cat.charset
	if name == "" {
		name = "binary"
	}
	collations := m.CollationMap()
	if c.kind == mysql.MYSQL_TYPE_ENUM || c.kind == mysql.MYSQL_TYPE_SET {
		collations = m.EnumSetCollationMap()
	}
	if id, ok := collations[at]; ok {
		name = l.sets.ids[id]
	}
	if c.set, err = l.sets.named(ctx, name); err != nil {
		return err
	}
	if c.set != nil && c.set.binary == cat.text() { // a text that was bytes when the row was written, or the other way
		c.certain = c.kind != mysql.MYSQL_TYPE_STRING && c.kind != mysql.MYSQL_TYPE_VARCHAR && c.kind != mysql.MYSQL_TYPE_VAR_STRING && c.kind != mysql.MYSQL_TYPE_BLOB
	}
	switch c.kind {
	case mysql.MYSQL_TYPE_ENUM:
		c.values, c.certain = l.texts(m.EnumStrValueMap()[at], c.set)
	case mysql.MYSQL_TYPE_SET:
		c.values, c.certain = l.texts(m.SetStrValueMap()[at], c.set)
	}
	return nil
}

func (l *layouts) texts(stored []string, set *charset) ([]string, bool) {
	if stored == nil || set == nil || len(stored) > 1<<16 {
		return nil, false
	}
	out := make([]string, len(stored))
	for i, s := range stored {
		if set.binary {
			out[i] = s
			continue
		}
		text, ok := set.decode([]byte(s))
		if !ok {
			return nil, false
		}
		out[i] = string(text)
	}
	return out, true
}
