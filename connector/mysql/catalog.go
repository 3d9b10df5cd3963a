package mysql

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// tableInfo is sqlkit.Table.Info.
type tableInfo struct {
	name    string // without its database
	engine  string
	primary []string
	columns map[string]*columnInfo
	// inserting says that triggers run before inserts: an INSERT that becomes an update would run them, too.
	inserting bool
	cascades  []string // foreign keys that change rows of this table without a trigger, in words
}

// columnInfo is what only MySQL's own columns have.
type columnInfo struct {
	base      string   // the type's name: "varchar"
	words     []string // of an enum
	charset   string   // of texts
	collation string
	auto      bool // AUTO_INCREMENT
	onUpdate  bool // ON UPDATE CURRENT_TIMESTAMP
	large     bool // its values may be longer than a row is otherwise
}

func infoOf(t *sqlkit.Table) *tableInfo { return t.Info.(*tableInfo) }

func columnOf(t *sqlkit.Table, c *sqlkit.Column) *columnInfo { return infoOf(t).columns[c.Name] }

const tablesSQL = `SELECT TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), COALESCE(TABLE_ROWS, -1) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')`

const columnsSQL = `SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(NUMERIC_PRECISION, 0), COALESCE(NUMERIC_SCALE, 0),
	COALESCE(DATETIME_PRECISION, 0), COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''), IS_NULLABLE, COLUMN_DEFAULT IS NOT NULL, EXTRA, COLUMN_COMMENT
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION`

// indexesSQL: an index on the first characters of a column is none on the column.
const indexesSQL = `SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, CASE WHEN SUB_PART IS NULL THEN COALESCE(COLUMN_NAME, '') ELSE '' END
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX`

const referencesSQL = `SELECT TABLE_NAME, REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE, CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = ? AND UNIQUE_CONSTRAINT_SCHEMA = CONSTRAINT_SCHEMA ORDER BY 1, 2`

const triggersSQL = `SELECT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT'`

// jsonSQL: MariaDB's JSON is a text with a check.
const jsonSQL = `SELECT TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND CHECK_CLAUSE LIKE 'json_valid(%'`

// Streams lists the tables and views of the database that the user has a right to.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	tables, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	streams := make([]lockstep.Stream, 0, len(tables))
	for _, t := range tables {
		streams = append(streams, t.Stream)
	}
	slices.SortFunc(streams, func(a, b lockstep.Stream) int { return strings.Compare(a.Name, b.Name) })
	return streams, nil
}

// discover reads the catalog and remembers it.
func (s *System) discover(ctx context.Context) (map[string]*sqlkit.Table, error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c := catalog{database: s.database, maria: s.known().maria, tables: map[string]*sqlkit.Table{}}
	for _, step := range []struct {
		query string
		row   func([]string)
		skip  bool
	}{{tablesSQL, c.table, false}, {columnsSQL, c.column, false}, {jsonSQL, c.json, !c.maria}, {indexesSQL, c.index, false},
		{referencesSQL, c.reference, false}, {triggersSQL, c.trigger, false}} {
		if step.skip {
			continue
		}
		err := conn.Rows(ctx, step.query, []driver.Value{s.database}, func(cells []driver.Value) error {
			texts := make([]string, len(cells))
			for i, v := range cells {
				texts[i] = mykit.TextOf(v)
			}
			step.row(texts)
			return nil
		})
		if err != nil {
			return nil, mykit.Fault(err)
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

// catalog collects the tables by name.
type catalog struct {
	database string
	maria    bool
	tables   map[string]*sqlkit.Table
	last     [2]string // table and index that the last row of indexes was about
}

func (c *catalog) table(row []string) {
	view := row[1] == "VIEW"
	t := &sqlkit.Table{SQL: mykit.Quote(c.database) + "." + mykit.Quote(row[0]), View: view,
		Info: &tableInfo{name: row[0], engine: row[2], columns: map[string]*columnInfo{}}}
	t.Stream.Name, t.Stream.ReadOnly, t.Stream.About = row[0], view, -1
	if n, err := strconv.ParseInt(row[3], 10, 64); err == nil && !view {
		t.Stream.About = n
	}
	c.tables[row[0]] = t
}

func (c *catalog) column(row []string) {
	t := c.tables[row[0]]
	if t == nil {
		return
	}
	number := func(i int) int { n, _ := strconv.Atoi(row[i]); return n }
	def := definition{base: strings.ToLower(row[2]), native: row[3], length: number(4), precision: number(5), scale: number(6), digits: number(7), comment: row[13]}
	extra := strings.ToUpper(row[12])
	info := &columnInfo{base: def.base, words: wordsOf(def.native), charset: row[8], collation: row[9],
		auto: strings.Contains(extra, "AUTO_INCREMENT"), onUpdate: strings.Contains(extra, "ON UPDATE"), large: mayBeLarge(def.base)}
	infoOf(t).columns[row[1]] = info
	generated := strings.Contains(extra, "GENERATED") && !strings.Contains(extra, "DEFAULT_GENERATED") || strings.Contains(extra, "PERSISTENT")
	t.Columns = append(t.Columns, sqlkit.Column{
		Field: lockstep.Field{
			Name: row[1], Type: typeOf(def), Nullable: row[10] == "YES", Default: row[11] == "1" || info.auto || strings.Contains(extra, "DEFAULT_GENERATED"),
			ReadOnly: generated || t.View,
		},
		Folds: folds(info.collation),
	})
}

// folds tells whether a collation takes texts for equal that differ by letter case.
func folds(collation string) bool {
	return collation != "" && collation != "binary" && !strings.HasSuffix(collation, "_bin") && !strings.Contains(collation, "_cs")
}

func (c *catalog) json(row []string) {
	t := c.tables[row[0]]
	if t == nil {
		return
	}
	name := strings.TrimSuffix(strings.TrimPrefix(row[1], "json_valid(`"), "`)")
	if col := t.Column(strings.ReplaceAll(name, "``", "`")); col != nil && col.Type.Kind == value.TextType {
		col.Type = value.Type{Kind: value.JSONType, Native: "json"}
	}
}

func (c *catalog) index(row []string) {
	t := c.tables[row[0]]
	if t == nil {
		return
	}
	unique := row[2] == "0"
	if id := [2]string{row[0], row[1]}; id != c.last {
		c.last = id
		if col := t.Column(row[3]); col != nil {
			col.Indexed = true
		}
		if unique {
			t.Unique = append(t.Unique, nil)
		}
	}
	if unique {
		at := len(t.Unique) - 1
		t.Unique[at] = append(t.Unique[at], row[3])
	}
	if info := infoOf(t); row[1] == "PRIMARY" {
		info.primary = append(info.primary, row[3])
	}
}

func (c *catalog) reference(row []string) {
	t := c.tables[row[0]]
	if t == nil || c.tables[row[1]] == nil {
		return
	}
	if !slices.Contains(t.Stream.DependsOn, row[1]) {
		t.Stream.DependsOn = append(t.Stream.DependsOn, row[1])
	}
	for i, rule := range row[2:4] {
		if rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT" {
			infoOf(t).cascades = append(infoOf(t).cascades, row[4]+" (ON "+[...]string{"UPDATE", "DELETE"}[i]+" "+rule+" of "+row[1]+")")
		}
	}
}

func (c *catalog) trigger(row []string) {
	if t := c.tables[row[0]]; t != nil {
		infoOf(t).inserting = true
	}
}

func (c *catalog) finish() {
	for _, t := range c.tables {
		info := infoOf(t)
		primary := info.primary
		if slices.Contains(primary, "") { // the first characters of a column do not name a row to others
			primary = nil
		}
		t.ChooseKey(primary)
		if slices.ContainsFunc(t.Stream.Key, func(name string) bool { return info.columns[name].base == "set" }) {
			t.Stream.Key = nil // a set has no text that the server orders it by
		}
		t.Stream.ServerKeys = len(t.Stream.Key) == 1 && info.columns[t.Stream.Key[0]].auto
		for i := range t.Columns {
			t.Stream.CaseFoldText = t.Stream.CaseFoldText || t.Columns[i].Folds
		}
		t.Finish()
	}
}

// wordsOf are the words of an enum: enum('a','it”s').
func wordsOf(native string) []string {
	rest, ok := strings.CutPrefix(native, "enum(")
	if !ok {
		return nil
	}
	var words []string
	for strings.HasPrefix(rest, "'") {
		var word strings.Builder
		for rest = rest[1:]; rest != ""; rest = rest[1:] {
			if rest[0] == '\'' {
				if !strings.HasPrefix(rest, "''") {
					break
				}
				rest = rest[1:]
			}
			word.WriteByte(rest[0])
		}
		words = append(words, word.String())
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "'"), ",")
	}
	return words
}
