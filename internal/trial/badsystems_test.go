package trial

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const systemsYAML = `
systems:
  erp:  {type: postgres, dsn: %q}
  near: {type: sqlite, path: near.db}
  out:  {type: sqlite, path: out.db, create: true}
flows:
  far:
    from: {system: erp, stream: item, track: {by: timestamp, field: changed}}
    to:   {system: out, stream: far, create: true}
  close:
    from: {system: near, stream: item, track: {by: timestamp, field: changed}}
    to:   {system: out, stream: close, create: true}
`

// A DSN that is wrong, each way: one error with its code and without the password, the flow of the other system is
// delivered, and with the right DSN again all is brought level.
func TestWrongDSN(t *testing.T) {
	p := newPlace(t)
	dsn := testkit.Postgres(t)
	pg := openDB(t, "pgx", dsn)
	exe(t, pg, `CREATE TABLE item (id int PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now())`,
		`INSERT INTO item SELECT i, 'far ' || i FROM generate_series(1, 20) i`)
	near := openDB(t, "sqlite", p.path("near.db"))
	exe(t, near, `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, changed TIMESTAMPTZ NOT NULL)`)
	role, asRole := testkit.Role(t, dsn)
	exe(t, pg, `GRANT SELECT ON item TO `+role, `REVOKE ALL ON item FROM PUBLIC`)
	password := "secret-" + role
	for i, c := range []struct {
		name, dsn string
		want      lockstep.Code
	}{
		{"nobody listens", "postgres://nobody:" + password + "@127.0.0.1:1/none?sslmode=disable", lockstep.CodeUnavailable},
		{"no such database", strings.Replace(dsn, "/test_", "/missing_", 1), lockstep.CodeUnavailable},
		{"no such user", strings.Replace(asRole, role+":", "ghost:", 1), lockstep.CodeLogin},
	} {
		h := p.house(fmt.Sprintf(systemsYAML, c.dsn))
		exe(t, near, fmt.Sprintf(`INSERT INTO item VALUES (%d, 'near', strftime('%%Y-%%m-%%d %%H:%%M:%%fZ', 'now'))`, i))
		_, err := try(h, app.Request{Do: app.DoSync})
		oneFault(t, err, c.want, "erp")
		if t.Failed() {
			t.Fatal(c.name)
		}
		if strings.Contains(fmt.Sprintf("%+v %v", faults(err)[0], err), password) {
			t.Errorf("%s: the error shows the password: %v", c.name, err)
		}
		p.close(h)
		sameRows(t, c.name, rows(t, openDB(t, "sqlite", p.path("out.db")), `SELECT count(*) FROM close`), []string{fmt.Sprintf("'%d'", i+1)})
		exe(t, pg, `UPDATE item SET name = 'x' || name, changed = clock_timestamp() WHERE id = 7`)
	}
	h := p.house(fmt.Sprintf(systemsYAML, dsn))
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	sameRows(t, "mended", rows(t, openDB(t, "sqlite", p.path("out.db")), `SELECT count(*), (SELECT name FROM far WHERE id = 7) FROM far`), []string{"'20'|'xxxfar 7'"})
}

// A column or a table that goes while flows run, at the source and at the target: one error for the
// flow that needs it and none for the other flow of the same system; what is changed meanwhile arrives when the
// column is back.
func TestMissingColumn(t *testing.T) {
	for _, c := range []struct {
		name, breaks, mends string
		want                lockstep.Code
		track               string
	}{
		{"source, timestamp", `ALTER TABLE item RENAME name TO title`, `ALTER TABLE item RENAME title TO name`, lockstep.CodeNoField, "by: timestamp, field: changed"},
		{"source, snapshot", `ALTER TABLE item RENAME name TO title`, `ALTER TABLE item RENAME title TO name`, lockstep.CodeNoField, "by: snapshot"},
		{"tracked field", `ALTER TABLE item RENAME changed TO moved`, `ALTER TABLE item RENAME moved TO changed`, lockstep.CodeNoField, "by: timestamp, field: changed"},
		{"target", `ALTER TABLE goods RENAME name TO title`, `ALTER TABLE goods RENAME title TO name`, lockstep.CodeNoField, "by: timestamp, field: changed"},
		{"source table", `ALTER TABLE item RENAME TO items`, `ALTER TABLE items RENAME TO item`, lockstep.CodeNoStream, "by: timestamp, field: changed"},
		{"target table", `ALTER TABLE goods RENAME TO wares`, `ALTER TABLE wares RENAME TO goods`, lockstep.CodeNoStream, "by: timestamp, field: changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			dsn := testkit.Postgres(t)
			pg := openDB(t, "pgx", dsn)
			exe(t, pg, `CREATE TABLE item (id int PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now())`,
				`INSERT INTO item SELECT i, 'name ' || i FROM generate_series(1, 50) i`, `CREATE TABLE goods (id int PRIMARY KEY, name text)`,
				`CREATE TABLE other (id int PRIMARY KEY, name text)`, `CREATE TABLE others (id int PRIMARY KEY, name text)`)
			cfg := fmt.Sprintf(`
systems:
  erp: {type: postgres, dsn: %q}
flows:
  items:
    from: {system: erp, stream: item, track: {%s}}
    to:   {system: erp, stream: goods}
  others:
    from: {system: erp, stream: other, track: {by: snapshot}}
    to:   {system: erp, stream: others}
`, dsn, c.track)
			h := p.house(cfg)
			do(t, h, app.Request{Do: app.DoSync})
			exe(t, pg, `UPDATE item SET name = 'changed', changed = clock_timestamp() WHERE id < 10`, `INSERT INTO other VALUES (1, 'one')`, c.breaks)
			_, err := try(h, app.Request{Do: app.DoSync})
			oneFault(t, err, c.want, "items")
			sameRows(t, "the neighbour", rows(t, pg, `SELECT * FROM others`), []string{"'1'|'one'"})
			p.close(h)
			exe(t, pg, c.mends)
			h = p.house(cfg)
			do(t, h, app.Request{Do: app.DoSync})
			sameRows(t, "goods", rows(t, pg, `SELECT * FROM goods ORDER BY id`), rows(t, pg, `SELECT id, name FROM item ORDER BY id`))
			do(t, h, app.Request{Do: app.DoSync, Full: true})
			level(t, h)
		})
	}
}
