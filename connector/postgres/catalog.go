package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// tableInfo is sqlkit.Table.Info.
type tableInfo struct {
	oid       uint32
	schema    string // quoted
	kind      string // pg_class.relkind
	ctid      bool   // rows have a place: what names a row whose key is null
	generated bool   // a key column is GENERATED ALWAYS: a key of ours must override it
}

// visibleSQL are the tables and views that the user may read or write, without partitions: their parent stands for
// them.
const visibleSQL = `SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples::bigint,
	n.nspname = coalesce(nullif($1, ''), current_schema(), 'public') AS home, c.relkind IN ('v', 'm') AS readonly
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
	AND has_schema_privilege(n.oid, 'USAGE') AND (has_any_column_privilege(c.oid, 'SELECT') OR has_table_privilege(c.oid, 'INSERT'))
ORDER BY n.nspname, c.relname`

// columnsSQL follows domains down to their base types.
const columnsSQL = `WITH RECURSIVE base AS (
	SELECT a.attrelid, a.attnum, a.atttypid AS typ, a.atttypmod AS mod, a.attnotnull AS solid
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
	UNION ALL
	SELECT b.attrelid, b.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.mod END, b.solid OR t.typnotnull
	FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype = 'd')
SELECT b.attrelid, a.attname, b.typ, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, b.mod, format_type(a.atttypid, a.atttypmod),
	format_type(b.typ, -1), b.solid, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '', a.attidentity,
	coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)
FROM base b JOIN pg_type t ON t.oid = b.typ AND t.typtype <> 'd' JOIN pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum ORDER BY b.attrelid, b.attnum`

// indexesSQL lists the columns of indexes without conditions; "" is an expression.
const indexesSQL = `SELECT i.indrelid, i.indexrelid, i.indisprimary, i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indisvalid,
	coalesce(a.attname, '')
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, no)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE k.no <= i.indnkeyatts AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
ORDER BY i.indrelid, i.indisprimary DESC, i.indexrelid, k.no`

const referencesSQL = `SELECT DISTINCT conrelid, confrelid FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1, 2`

// Streams lists the tables and views that the user may read or write.
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
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.release()
	c := catalog{byOID: map[string]*sqlkit.Table{}, primary: map[string][]string{}}
	for _, step := range []struct {
		query string
		args  [][]byte
		row   func([]string)
	}{{visibleSQL, [][]byte{[]byte(s.schema)}, c.table}, {columnsSQL, nil, c.column}, {indexesSQL, nil, c.index}, {referencesSQL, nil, c.reference}} {
		err := conn.rows(ctx, step.query, step.args, func(cells [][]byte) error {
			texts := make([]string, len(cells))
			for i, b := range cells {
				texts[i] = string(b)
			}
			step.row(texts)
			return nil
		})
		if err != nil {
			return nil, fault(err)
		}
	}
	tables := c.finish()
	sqlkit.DropChangeTables(tables)
	tables = sqlkit.Overridden(tables, s.options.Streams)
	s.mu.Lock()
	s.tables = tables
	s.mu.Unlock()
	return tables, nil
}

// catalog collects the tables by OID, as text.
type catalog struct {
	byOID   map[string]*sqlkit.Table
	primary map[string][]string
	last    string // the index that the last row of indexes was about
}

func (c *catalog) table(row []string) {
	name := row[2]
	if row[5] != "t" {
		name = row[1] + "." + name
	}
	oid, _ := strconv.ParseUint(row[0], 10, 32)
	t := &sqlkit.Table{SQL: sqlkit.Quote(row[1]) + "." + sqlkit.Quote(row[2]), View: row[6] == "t",
		Info: tableInfo{oid: uint32(oid), schema: sqlkit.Quote(row[1]), kind: row[3], ctid: row[3] == "r" || row[3] == "m"}}
	t.Stream.Name, t.Stream.ReadOnly = name, t.View
	t.Stream.About, _ = strconv.ParseInt(row[4], 10, 64)
	if row[3] == "v" || row[3] == "f" {
		t.Stream.About = -1
	}
	c.byOID[row[0]] = t
}

func (c *catalog) column(row []string) {
	t := c.byOID[row[0]]
	if t == nil {
		return
	}
	oid, _ := strconv.ParseUint(row[2], 10, 32)
	elem, _ := strconv.ParseUint(row[3], 10, 32)
	mod, _ := strconv.Atoi(row[4])
	col := sqlkit.Column{Cast: row[6]}
	col.Name, col.Type = row[1], typeOf(uint32(oid), uint32(elem), mod, row[5])
	col.Nullable, col.Default = row[7] != "t", row[8] == "t"
	col.ReadOnly = row[9] == "t" || t.View
	t.Columns = append(t.Columns, col)
	if row[10] != "" || row[11] == "t" { // identity or serial: counts if it is the key
		info := t.Info.(tableInfo)
		info.generated = info.generated || row[10] == "a"
		t.Info = info
		t.Stream.ServerKeys = true
	}
}

func (c *catalog) index(row []string) {
	t := c.byOID[row[0]]
	if t == nil {
		return
	}
	unique := row[3] == "t"
	if first := row[1] != c.last; first {
		c.last = row[1]
		if col := t.Column(row[4]); col != nil {
			col.Indexed = true
		}
		if unique {
			t.Unique = append(t.Unique, nil)
		}
	}
	if unique {
		at := len(t.Unique) - 1
		t.Unique[at] = append(t.Unique[at], row[4])
	}
	if row[2] == "t" {
		c.primary[row[0]] = append(c.primary[row[0]], row[4])
	}
}

func (c *catalog) reference(row []string) {
	t, other := c.byOID[row[0]], c.byOID[row[1]]
	if t != nil && other != nil {
		t.Stream.DependsOn = append(t.Stream.DependsOn, other.Stream.Name)
	}
}

func (c *catalog) finish() map[string]*sqlkit.Table {
	tables := make(map[string]*sqlkit.Table, len(c.byOID))
	for oid, t := range c.byOID {
		t.ChooseKey(c.primary[oid])
		t.Stream.ServerKeys = t.Stream.ServerKeys && len(t.Stream.Key) == 1 && t.Column(t.Stream.Key[0]).Default
		t.Finish()
		tables[t.Stream.Name] = t
	}
	return tables
}
