package trial

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// chinookMariaDB is the DSN of a database that Chinook's own MySQL script has filled.
func chinookMariaDB(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(testkit.Data(t, "chinook-mysql.sql"))
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"SET sql_mode = 'NO_BACKSLASH_ESCAPES';"} // one track's name has backslashes, which the script does not escape
	for line := range strings.SplitSeq(string(raw), "\n") {
		if !strings.HasPrefix(line, "DROP DATABASE") && !strings.HasPrefix(line, "CREATE DATABASE") && !strings.HasPrefix(line, "USE ") {
			lines = append(lines, line)
		}
	}
	// As with the PostgreSQL edition: a blank behind one customer's city, which only the SQLite file has.
	lines = append(lines, "UPDATE Customer SET City = 'Edinburgh ' WHERE CustomerId = 54;", "UPDATE Invoice SET BillingCity = 'Edinburgh ' WHERE CustomerId = 54;")
	dsn := testkit.MariaDB(t)
	cmd := testkit.MariaServer(t).Client(t.Context(), dsn[strings.LastIndex(dsn, "/")+1:])
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dsn
}

// The store from SQLite into the schema of Chinook's own MySQL script, with its foreign keys: children wait for their
// parents, and in the end all are there. From there on to PostgreSQL, into the schema of that script.
func TestChinookThroughMySQLForeignKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a database twice")
	}
	p := newPlace(t)
	copyFile(t, testkit.Data(t, "chinook.sqlite"), p.path("chinook.sqlite"))
	dsn, own, pg, ownPG := chinookMariaDB(t), chinookMariaDB(t), testkit.Postgres(t), testkit.Postgres(t)
	psql(t, pg, chinookScript(t))
	psql(t, ownPG, chinookScript(t))
	var names []string
	for _, c := range chinook {
		names = append(names, c.pg)
	}
	if _, err := openDB(t, "pgx", pg).Exec("TRUNCATE " + strings.Join(names, ", ")); err != nil {
		t.Fatal(err)
	}
	maria := openDB(t, "mysql", dsn)
	maria.SetMaxOpenConns(1) // one session, for the sake of its setting
	if _, err := maria.Exec("SET foreign_key_checks = 0"); err != nil {
		t.Fatal(err)
	}
	for _, c := range chinook {
		if _, err := maria.Exec("TRUNCATE " + c.lite); err != nil {
			t.Fatal(err)
		}
	}
	systems := fmt.Sprintf("systems:\n  lite: {type: sqlite, path: chinook.sqlite}\n  maria: {type: mysql, dsn: %q}\n  pg: {type: postgres, dsn: %q}\nflows:\n", dsn, pg)
	first, second := systems, systems
	for _, c := range chinook {
		first += fmt.Sprintf("  %s:\n    from: {system: lite, stream: %s, track: {by: snapshot, every: 1h}}\n    to: {system: maria, stream: %s}\n", c.pg, c.lite, c.lite)
		second += fmt.Sprintf("  on_%s:\n    from: {system: maria, stream: %s, track: {by: snapshot, every: 1h}}\n    to: {system: pg, stream: %s}\n    map:\n", c.pg, c.lite, c.pg)
		for _, col := range columns(t, openDB(t, "pgx", pg), c.pg) {
			second += fmt.Sprintf("      %s: %s\n", col, camel(t, p, c.lite, col))
		}
	}
	for _, cfg := range []string{first, second} {
		h := p.house(cfg)
		do(t, h, app.Request{Do: app.DoSync})
		level(t, h)
		p.close(h)
	}
	ref := openDB(t, "mysql", own)
	a, b := openDB(t, "pgx", pg), openDB(t, "pgx", ownPG)
	for _, c := range chinook {
		query := "SELECT * FROM " + c.lite + " ORDER BY " + c.key
		sameRows(t, c.lite, rows(t, maria, query), rows(t, ref, query))
		query = "SELECT t::text FROM " + c.pg + " t ORDER BY t"
		sameRows(t, c.pg, rows(t, a, query), rows(t, b, query))
	}
}
