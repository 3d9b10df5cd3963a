package trial

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The ring: Chinook goes from SQLite to PostgreSQL to MariaDB and back into a SQLite file, which has to be equal to the
// first, by SQL that is not ours. Then the first is edited at random, through each tracker.

// ringTrackers are what is written as `track:`, and whether deletes are seen.
var ringTrackers = []struct {
	name, track string
	install     bool
	deletes     bool
}{
	{"timestamp", "{by: timestamp, field: updated_at, every: 1s}", false, false},
	{"version", "{by: version, field: rev, every: 1s}", false, false},
	{"per record", "{by: version, field: rev, per: record, every: 1m}", false, true},
	{"flag", "{by: flag, field: is_changed, every: 1s}", false, false},
	{"trigger", "{by: trigger}", true, true},
	{"log", "{by: log}", true, true},
	{"snapshot", "{by: snapshot, every: 1m}", false, true},
}

// ring is the four databases.
type ring struct {
	*place
	lite, back  *sql.DB
	pgDSN, mDSN string
	pg, maria   *sql.DB
	cols        map[string][]string // of Chinook's tables
	texts       map[string]string   // by table.column: how SQLite shows it
}

func newRing(t *testing.T) *ring {
	r := &ring{place: newPlace(t), cols: map[string][]string{}, texts: map[string]string{}}
	copyFile(t, testkit.Data(t, "chinook.sqlite"), r.path("lite.db"))
	r.pgDSN, r.mDSN = testkit.Postgres(t), testkit.MariaDB(t)
	r.lite, r.back = openDB(t, "sqlite", r.path("lite.db")), openDB(t, "sqlite", r.path("back.db"))
	r.pg, r.maria = openDB(t, "pgx", r.pgDSN), openDB(t, "mysql", r.mDSN)
	for _, c := range chinook {
		for _, line := range rows(t, r.lite, "SELECT name, lower(type) FROM pragma_table_info('"+c.lite+"')") {
			name, typ, _ := strings.Cut(strings.ReplaceAll(line, "'", ""), "|")
			r.cols[c.lite] = append(r.cols[c.lite], name)
			text := `"` + name + `"`
			switch {
			case strings.HasPrefix(typ, "numeric"):
				text = "printf('%.4f', " + text + ")"
			case strings.HasPrefix(typ, "datetime"):
				text = "datetime(" + text + ")"
			}
			r.texts[c.lite+"."+name] = text
		}
	}
	return r
}

// config is three legs of flows. Every leg is tracked in the same way, but for SQLite, which has no log that others may
// read: its changes come by trigger then.
func (r *ring) config(store, track string, create bool) string {
	cfg := fmt.Sprintf("store: %s\nsystems:\n  lite: {type: sqlite, path: lite.db}\n  pg: {type: postgres, dsn: %q}\n  maria: {type: mysql, dsn: %q}\n"+
		"  back: {type: sqlite, path: back.db, create: true}\nflows:\n", store, r.pgDSN, r.mDSN)
	for _, leg := range legs {
		track := track
		if leg[1] == "lite" && track == "{by: log}" {
			track = "{by: trigger}"
		}
		for _, c := range chinook {
			cfg += fmt.Sprintf("  %s_%s:\n    from: {system: %s, stream: %s, track: %s}\n    to: {system: %s, stream: %s, create: %v}\n    deletes: {max_share: 100%%, max: 100000}\n    map:\n",
				leg[0], c.pg, leg[1], c.lite, track, leg[2], c.lite, create)
			for _, col := range r.cols[c.lite] {
				cfg += fmt.Sprintf("      %s: %s\n", col, col)
			}
		}
	}
	return cfg
}

// legs are the names of the legs and their systems.
var legs = [][3]string{{"a", "lite", "pg"}, {"b", "pg", "maria"}, {"c", "maria", "back"}}

func leg(name string) []string {
	var flows []string
	for _, c := range chinook {
		flows = append(flows, name+"_"+c.pg)
	}
	return flows
}

// round brings the three legs level, one after the other.
func (r *ring) round(h *app.House, full bool) {
	r.t.Helper()
	for _, l := range legs {
		do(r.t, h, app.Request{Do: app.DoSync, Flows: leg(l[0]), Full: full, AllowDeletes: full})
	}
}

// same compares the two SQLite files.
func (r *ring) same(when string) {
	r.t.Helper()
	for _, c := range chinook {
		var texts []string
		for _, col := range r.cols[c.lite] {
			texts = append(texts, r.texts[c.lite+"."+col])
		}
		query := "SELECT " + strings.Join(texts, ", ") + ` FROM "` + c.lite + `" ORDER BY ` + c.key
		sameRows(r.t, when+": "+c.lite, rows(r.t, r.lite, query), rows(r.t, r.back, query))
	}
}

// exec runs a statement on a database.
func (r *ring) exec(db *sql.DB, statement string, args ...any) {
	r.t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// mark gives all tables the columns that trackers read, kept by the databases themselves, as an application's schema
// would: in SQLite the edits set them.
func (r *ring) mark() {
	r.exec(r.pg, "CREATE SEQUENCE ring_rev")
	r.exec(r.pg, `CREATE FUNCTION ring_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF TG_OP = 'UPDATE' AND OLD.is_changed AND NOT NEW.is_changed THEN RETURN NEW; END IF;
		NEW.updated_at := now(); NEW.rev := nextval('ring_rev'); NEW.is_changed := true; RETURN NEW; END $$`)
	r.exec(r.maria, "CREATE SEQUENCE ring_rev")
	for _, c := range chinook {
		r.exec(r.lite, `ALTER TABLE "`+c.lite+`" ADD COLUMN updated_at TIMESTAMPTZ`)
		r.exec(r.lite, `ALTER TABLE "`+c.lite+`" ADD COLUMN rev INTEGER`)
		r.exec(r.lite, `ALTER TABLE "`+c.lite+`" ADD COLUMN is_changed BOOLEAN`)
		r.exec(r.lite, `UPDATE "`+c.lite+`" SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), rev = 1, is_changed = 0`)
		r.exec(r.pg, `ALTER TABLE "`+c.lite+`" ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN rev bigint NOT NULL DEFAULT 1, ADD COLUMN is_changed boolean NOT NULL DEFAULT false`)
		r.exec(r.pg, `CREATE TRIGGER ring_mark BEFORE INSERT OR UPDATE ON "`+c.lite+`" FOR EACH ROW EXECUTE FUNCTION ring_mark()`)
		name := "`" + c.lite + "`"
		r.exec(r.maria, "ALTER TABLE "+name+" ADD COLUMN updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), ADD COLUMN rev bigint NOT NULL DEFAULT 1, ADD COLUMN is_changed boolean NOT NULL DEFAULT false")
		set := "SET NEW.updated_at = NOW(6), NEW.rev = NEXTVAL(ring_rev), NEW.is_changed = 1"
		r.exec(r.maria, "CREATE TRIGGER `ring_i_"+c.lite+"` BEFORE INSERT ON "+name+" FOR EACH ROW "+set)
		r.exec(r.maria, "CREATE TRIGGER `ring_u_"+c.lite+"` BEFORE UPDATE ON "+name+" FOR EACH ROW IF NOT (OLD.is_changed AND NOT NEW.is_changed) THEN "+set+"; END IF")
	}
}

// edits are what happens to the first SQLite file. Each marks what it changes as an application would.
func (r *ring) edits(n int, rng *rand.Rand) {
	r.t.Helper()
	const marks = "updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), rev = (SELECT max(rev) + 1 FROM ring_rev), is_changed = 1"
	r.exec(r.lite, "CREATE TABLE IF NOT EXISTS ring_rev (rev INTEGER)")
	r.exec(r.lite, "INSERT INTO ring_rev SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM ring_rev)")
	some := func(table string) string {
		return ` WHERE rowid IN (SELECT rowid FROM "` + table + fmt.Sprintf(`" ORDER BY random() LIMIT %d)`, 1+rng.IntN(3))
	}
	for range n {
		r.exec(r.lite, "UPDATE ring_rev SET rev = rev + 1")
		switch rng.IntN(9) {
		case 0:
			r.exec(r.lite, `INSERT INTO Artist (ArtistId, Name, updated_at, rev, is_changed) SELECT max(ArtistId) + 1, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT max(rev) FROM ring_rev), 1 FROM Artist`,
				fmt.Sprintf("Ärtist %d 🎵 'q' \"d\" \\", rng.IntN(1000)))
		case 1:
			r.exec(r.lite, "UPDATE Track SET UnitPrice = ?, Composer = CASE WHEN Composer IS NULL THEN 'someone' END, "+marks+some("Track"), fmt.Sprintf("%d.%02d", rng.IntN(90), rng.IntN(100)))
		case 2:
			r.exec(r.lite, "UPDATE Invoice SET Total = Total + 1.25, InvoiceDate = '2021-02-03 04:05:06', "+marks+some("Invoice"))
		case 3:
			r.exec(r.lite, "DELETE FROM InvoiceLine"+some("InvoiceLine"))
		case 4:
			r.exec(r.lite, "DELETE FROM PlaylistTrack"+some("PlaylistTrack"))
		case 5: // another key
			r.exec(r.lite, "UPDATE Artist SET ArtistId = (SELECT max(ArtistId) + 1 FROM Artist), "+marks+" WHERE ArtistId = (SELECT ArtistId FROM Artist ORDER BY random() LIMIT 1)")
		case 6: // another key of two fields
			r.exec(r.lite, "UPDATE OR IGNORE PlaylistTrack SET TrackId = TrackId + 10000, "+marks+some("PlaylistTrack"))
		case 7:
			r.exec(r.lite, "UPDATE Customer SET Company = CASE WHEN Company IS NULL THEN 'Ünïted' END, PostalCode = PostalCode || ' ', "+marks+some("Customer"))
		case 8:
			r.exec(r.lite, "INSERT INTO PlaylistTrack (PlaylistId, TrackId, updated_at, rev, is_changed) SELECT 100 + ?, TrackId, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT max(rev) FROM ring_rev), 1 FROM Track ORDER BY random() LIMIT 1 ON CONFLICT DO NOTHING", rng.IntN(50))
		}
	}
}

func TestChinookRing(t *testing.T) {
	r := newRing(t)
	h := r.house(r.config("first.db", "{by: snapshot, every: 1h}", true))
	r.round(h, false)
	r.same("at the start")
	level(t, h)
	r.close(h)
	r.mark()
	edits := 1000
	if testing.Short() {
		edits = 100
	}
	for i, tr := range ringTrackers {
		t.Run(tr.name, func(t *testing.T) {
			r.t = t
			h := r.house(r.config(fmt.Sprintf("store%d.db", i), tr.track, false))
			if tr.install {
				ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
			}
			r.round(h, false)
			rng := rand.New(rand.NewPCG(20261124, uint64(i)))
			for range 4 { // not all at once
				r.edits(edits/4, rng)
				r.round(h, false)
			}
			if !tr.deletes {
				r.round(h, true)
			}
			r.same(tr.name)
			level(t, h)
			if tr.install {
				ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackRemove})
			}
			r.close(h)
		})
	}
}
