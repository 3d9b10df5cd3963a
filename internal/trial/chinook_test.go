package trial

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// chinook are the tables of the Chinook music store: SQLite name, PostgreSQL name, key.
var chinook = []struct{ lite, pg, key string }{
	{"Album", "album", "AlbumId"}, {"Artist", "artist", "ArtistId"}, {"Customer", "customer", "CustomerId"},
	{"Employee", "employee", "EmployeeId"}, {"Genre", "genre", "GenreId"}, {"Invoice", "invoice", "InvoiceId"},
	{"InvoiceLine", "invoice_line", "InvoiceLineId"}, {"MediaType", "media_type", "MediaTypeId"}, {"Playlist", "playlist", "PlaylistId"},
	{"PlaylistTrack", "playlist_track", "PlaylistId,TrackId"}, {"Track", "track", "TrackId"},
}

// snake is AlbumId as album_id.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// chinookScript is Chinook's own PostgreSQL script without the lines that make and enter its database.
func chinookScript(t *testing.T) string {
	raw, err := os.ReadFile(testkit.Data(t, "chinook-postgres.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(string(raw), "\n") {
		if !strings.HasPrefix(line, "DROP DATABASE") && !strings.HasPrefix(line, "CREATE DATABASE") && !strings.HasPrefix(line, `\c `) {
			lines = append(lines, line)
		}
	}
	// The two editions of Chinook differ in one thing: a blank behind one customer's city, which only the SQLite file has.
	return strings.Join(lines, "\n") + "\nUPDATE customer SET city = 'Edinburgh ' WHERE customer_id = 54;\nUPDATE invoice SET billing_city = 'Edinburgh ' WHERE customer_id = 54;\n"
}

// The whole database from SQLite to PostgreSQL, by flows that run at the same time, into tables that are created; the
// same rows as Chinook's own script loads.
func TestChinookIntoCreatedTables(t *testing.T) {
	p := newPlace(t)
	copyFile(t, testkit.Data(t, "chinook.sqlite"), p.path("chinook.sqlite"))
	dsn := testkit.Postgres(t)
	cfg := fmt.Sprintf("systems:\n  lite: {type: sqlite, path: chinook.sqlite}\n  pg: {type: postgres, dsn: %q}\nflows:\n", dsn)
	for _, c := range chinook {
		cfg += fmt.Sprintf("  %s:\n    from: {system: lite, stream: %s, track: {by: snapshot, every: 1h}}\n    to: {system: pg, stream: %s, create: true}\n", c.pg, c.lite, c.lite)
	}
	h := p.house(cfg)
	runs := do(t, h, app.Request{Do: app.DoSync})
	if n := runs["track"].Counts.Created; n != 3503 {
		t.Errorf("%d tracks created: %+v", n, runs["track"])
	}
	level(t, h)

	own := testkit.Postgres(t)
	psql(t, own, chinookScript(t))
	a, b := openDB(t, "pgx", dsn), openDB(t, "pgx", own)
	for _, c := range chinook {
		cols := columns(t, b, c.pg)
		var quoted, texts []string
		for _, col := range cols {
			quoted = append(quoted, `"`+camel(t, p, c.lite, col)+`"::text`)
			texts = append(texts, col+"::text")
		}
		var lite, pg []string
		for key := range strings.SplitSeq(c.key, ",") {
			lite, pg = append(lite, `"`+key+`"`), append(pg, snake(key))
		}
		sameRows(t, c.lite,
			rows(t, a, "SELECT "+strings.Join(quoted, ", ")+` FROM "`+c.lite+`" ORDER BY `+strings.Join(lite, ", ")),
			rows(t, b, "SELECT "+strings.Join(texts, ", ")+" FROM "+c.pg+" ORDER BY "+strings.Join(pg, ", ")))
	}
}

// The same into the schema of Chinook's own script, with its foreign keys and other names: children wait for their
// parents, and in the end all are there.
func TestChinookIntoForeignKeys(t *testing.T) {
	p := newPlace(t)
	copyFile(t, testkit.Data(t, "chinook.sqlite"), p.path("chinook.sqlite"))
	dsn, own := testkit.Postgres(t), testkit.Postgres(t)
	psql(t, dsn, chinookScript(t))
	psql(t, own, chinookScript(t))
	pg := openDB(t, "pgx", dsn)
	var names []string
	for _, c := range chinook {
		names = append(names, c.pg)
	}
	if _, err := pg.Exec("TRUNCATE " + strings.Join(names, ", ")); err != nil {
		t.Fatal(err)
	}
	cfg := fmt.Sprintf("systems:\n  lite: {type: sqlite, path: chinook.sqlite}\n  pg: {type: postgres, dsn: %q}\nflows:\n", dsn)
	for _, c := range chinook {
		cfg += fmt.Sprintf("  %s:\n    from: {system: lite, stream: %s, track: {by: snapshot, every: 1h}}\n    to: {system: pg, stream: %s}\n    map:\n", c.pg, c.lite, c.pg)
		for _, col := range columns(t, pg, c.pg) {
			cfg += fmt.Sprintf("      %s: %s\n", col, camel(t, p, c.lite, col))
		}
	}
	h := p.house(cfg)
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	ref := openDB(t, "pgx", own)
	for _, c := range chinook {
		query := "SELECT t::text FROM " + c.pg + " t ORDER BY t"
		sameRows(t, c.pg, rows(t, pg, query), rows(t, ref, query))
	}
}

// columns are a PostgreSQL table's columns in order.
func columns(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	var out []string
	for _, line := range rows(t, db, "SELECT column_name FROM information_schema.columns WHERE table_name = '"+table+"' ORDER BY ordinal_position") {
		out = append(out, strings.Trim(line, "'"))
	}
	return out
}

func camel(t *testing.T, p *place, table, column string) string {
	t.Helper()
	db := openDB(t, "sqlite", p.path("chinook.sqlite"))
	for _, line := range rows(t, db, "SELECT name FROM pragma_table_info('"+table+"')") {
		if name := strings.Trim(line, "'"); snake(name) == column {
			return name
		}
	}
	t.Fatalf("%s has no column for %s", table, column)
	return ""
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
