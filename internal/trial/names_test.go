package trial

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// nasty are identifiers that SQL, CSV, YAML or an expression could stumble over.
const nastyTable = `order "items"; DROP TABLE x --`

var nastyColumns = []string{`select`, `a "b"`, `per cent %s`, `semi;colon`, `tab.le`, `čšž 日本`, `UPPER lower`, `it's`, `$1`, `[x]`}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Identifiers of all sorts and a composite key, of which a part holds what its encoding uses, from SQLite to
// PostgreSQL to a file, created on the way; then an edit and a delete.
func TestNastyIdentifiers(t *testing.T) {
	p := newPlace(t)
	p.mkdir("out")
	src, dsn := openDB(t, "sqlite", p.path("src.db")), testkit.Postgres(t)
	defs, marks := []string{`"key one" TEXT NOT NULL`, `"KEY,[2]" INTEGER NOT NULL`}, "?, ?"
	for _, c := range nastyColumns {
		defs, marks = append(defs, quoted(c)+" TEXT"), marks+", ?"
	}
	exe(t, src, "CREATE TABLE "+quoted(nastyTable)+" ("+strings.Join(defs, ", ")+`, PRIMARY KEY ("key one", "KEY,[2]"))`)
	for i, key := range []string{`a`, `a","b`, `["a","1"]`, ` `, `čšž😀`, `back\slash`, `new
line`} {
		for j := range 3 {
			args := []any{key, j}
			for _, c := range nastyColumns {
				args = append(args, fmt.Sprint(c, " ", i, " ", j))
			}
			if _, err := src.Exec("INSERT INTO "+quoted(nastyTable)+" VALUES ("+marks+")", args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	cfg := fmt.Sprintf(`
systems:
  lite: {type: sqlite, path: src.db}
  pg:   {type: postgres, dsn: %q}
  out:  {type: file, path: out}
flows:
  first:
    from: {system: lite, stream: '%s', track: {by: snapshot}}
    to:   {system: pg, stream: '%s', create: true}
`, dsn, nastyTable, nastyTable)
	h := p.house(cfg)
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	p.close(h)
	h = p.house(cfg + fmt.Sprintf(`
  second:
    from: {system: pg, stream: '%s', track: {by: snapshot}}
    to:   {system: out, stream: plain, create: true}
`, nastyTable))
	do(t, h, app.Request{Do: app.DoSync, Flows: []string{"second"}})
	exe(t, src, "UPDATE "+quoted(nastyTable)+` SET "it's" = 'edited' WHERE "KEY,[2]" = 1`, "DELETE FROM "+quoted(nastyTable)+` WHERE "key one" = 'a","b' AND "KEY,[2]" = 2`)
	for _, flow := range []string{"first", "second"} {
		if c := do(t, h, app.Request{Do: app.DoSync, Flows: []string{flow}})[flow].Counts; c.Updated != 7 || c.Deleted != 1 {
			t.Errorf("%s: %+v", flow, c)
		}
	}
	level(t, h)
	pg := openDB(t, "pgx", dsn)
	sameRows(t, "nasty", rows(t, pg, "SELECT * FROM "+quoted(nastyTable)+` ORDER BY "key one" COLLATE "C", "KEY,[2]"`),
		rows(t, src, "SELECT * FROM "+quoted(nastyTable)+` ORDER BY "key one", "KEY,[2]"`))
	p.close(h)
	if header, records := readCSV(t, p.path("out/plain.csv")); len(header) != 12 || len(records) != 20 {
		t.Errorf("%q, %d records", header, len(records))
	}
}
