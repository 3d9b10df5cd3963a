package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// tableInfo is sqlkit.Table.Info.
type tableInfo struct {
	name    string
	rowid   bool // it has one: what names a row whose key is null
	virtual bool
}

const tablesSQL = `SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
	AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`

const columnsSQL = `SELECT l.name, x.name, x.type, x."notnull", x.dflt_value IS NOT NULL, x.pk, x.hidden
	FROM pragma_table_list l, pragma_table_xinfo(l.name) x WHERE l.schema = 'main' AND l.type IN ('table', 'view', 'virtual') ORDER BY l.name, x.cid`

const indexesSQL = `SELECT l.name, i.name, i."unique" AND NOT i.partial, x.name, x.coll
	FROM pragma_table_list l, pragma_index_list(l.name) i, pragma_index_xinfo(i.name) x
	WHERE l.schema = 'main' AND l.type = 'table' AND x.key ORDER BY l.name, i.origin DESC, i.seq, x.seqno`

const referencesSQL = `SELECT DISTINCT l.name, f."table" FROM pragma_table_list l, pragma_foreign_key_list(l.name) f
	WHERE l.schema = 'main' AND l.type = 'table' ORDER BY 1, 2`

// Streams lists tables and views. Views are read-only and need a key in the settings.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	tables, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	streams := make([]lockstep.Stream, 0, len(tables))
	for _, t := range tables {
		stream := t.Stream
		stream.About = -1
		if !t.View {
			if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+t.SQL+where(t)).Scan(&stream.About); err != nil {
				stream.About = -1
			}
		}
		streams = append(streams, stream)
	}
	slices.SortFunc(streams, func(a, b lockstep.Stream) int { return strings.Compare(a.Name, b.Name) })
	return streams, nil
}

// discover reads the schema and remembers it.
func (s *System) discover(ctx context.Context) (map[string]*sqlkit.Table, error) {
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c := catalog{tables: map[string]*sqlkit.Table{}, primary: map[string][]string{}}
	for _, step := range []struct {
		query string
		row   func(*sql.Rows) error
	}{{tablesSQL, c.table}, {columnsSQL, c.column}, {indexesSQL, c.index}, {referencesSQL, c.reference}} {
		if err := each(ctx, db, step.query, step.row); err != nil {
			return nil, fault(err)
		}
	}
	c.finish()
	sqlkit.DropChangeTables(c.tables)
	tables := sqlkit.Overridden(c.tables, s.options.Streams)
	s.mu.Lock()
	s.tables = tables
	s.mu.Unlock()
	return tables, nil
}

func each(ctx context.Context, db *sql.DB, query string, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// catalog collects the schema.
type catalog struct {
	tables  map[string]*sqlkit.Table
	primary map[string][]string // in the order of the key
	last    string              // the index that the last row of indexes was about
}

func (c *catalog) table(rows *sql.Rows) error {
	var name, kind string
	var withoutRowid bool
	if err := rows.Scan(&name, &kind, &withoutRowid); err != nil {
		return err
	}
	t := &sqlkit.Table{SQL: sqlkit.Quote(name), View: kind == "view", Info: tableInfo{name: name, rowid: kind == "table" && !withoutRowid, virtual: kind == "virtual"}}
	t.Stream.Name, t.Stream.ReadOnly, t.Stream.About = name, t.View, -1
	c.tables[name] = t
	return nil
}

func (c *catalog) column(rows *sql.Rows) error {
	var table, name, declared string
	var notNull, dflt bool
	var pk, hidden int
	if err := rows.Scan(&table, &name, &declared, &notNull, &dflt, &pk, &hidden); err != nil {
		return err
	}
	t := c.tables[table]
	if t == nil || hidden == 1 {
		return nil
	}
	t.Columns = append(t.Columns, sqlkit.Column{Field: lockstep.Field{
		Name: name, Type: typeOf(declared), Nullable: !notNull, Default: dflt, ReadOnly: hidden >= 2 || t.View,
	}})
	if pk > 0 {
		key := c.primary[table]
		for len(key) < pk {
			key = append(key, "")
		}
		key[pk-1] = name
		c.primary[table] = key
	}
	return nil
}

func (c *catalog) index(rows *sql.Rows) error {
	var table, index, collation string
	var column sql.NullString
	var unique bool
	if err := rows.Scan(&table, &index, &unique, &column, &collation); err != nil {
		return err
	}
	t := c.tables[table]
	if t == nil {
		return nil
	}
	if first := index != c.last; first {
		c.last = index
		if col := t.Column(column.String); col != nil {
			col.Indexed = true
		}
		if unique {
			t.Unique = append(t.Unique, nil)
		}
	}
	if unique {
		at := len(t.Unique) - 1
		t.Unique[at] = append(t.Unique[at], column.String) // "" for an expression: matches no column
		t.Stream.FoldKeys = t.Stream.FoldKeys || (collation == "NOCASE" && slices.Contains(c.primary[table], column.String))
	}
	return nil
}

func (c *catalog) reference(rows *sql.Rows) error {
	var table, other string
	if err := rows.Scan(&table, &other); err != nil {
		return err
	}
	if t := c.tables[table]; t != nil {
		for name := range c.tables { // SQLite finds tables by name without regard to case
			if strings.EqualFold(name, other) {
				t.Stream.DependsOn = append(t.Stream.DependsOn, name)
			}
		}
	}
	return nil
}

func (c *catalog) finish() {
	for name, t := range c.tables {
		key := c.primary[name]
		if len(key) > 0 && !slices.ContainsFunc(t.Unique, func(u []string) bool { return slices.Equal(u, key) }) {
			t.Unique = append(t.Unique, key) // the rowid itself has no index of its own
		}
		if info := t.Info.(tableInfo); len(key) == 1 && info.rowid {
			if col := t.Column(key[0]); strings.EqualFold(col.Type.Native, "INTEGER") { // an alias of the rowid
				col.Nullable, col.Default, col.Indexed = false, true, true
				t.Stream.ServerKeys = true
			}
		} else if len(key) > 0 && !info.rowid {
			for _, k := range key {
				t.Column(k).Nullable = false
			}
		}
		t.ChooseKey(key)
		t.Finish()
	}
}

// where is the table's own condition as a clause, or "".
func where(t *sqlkit.Table) string {
	if t.Where == "" {
		return ""
	}
	return " WHERE (" + t.Where + ")"
}

// isTime tells whether a column of that kind holds times that SQLite stores as text or numbers.
func isTime(k value.TypeKind) bool { return sqlkit.IsTime(k) }
