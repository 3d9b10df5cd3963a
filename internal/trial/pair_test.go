package trial

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// A table of a SQLite file and one of PostgreSQL are kept in step both ways, and edited at random on both sides: rows that
// are new, changed and deleted, keys that change, and conflicts. In the end both are equal, by SQL that is not ours, and
// nobody writes any more.

// pairTrackers are what is written as `track:` on both sides.
var pairTrackers = []struct {
	name, lite, pg string
	install        bool
	deletes        bool // seen by the tracker
	timed          bool // the newer edit wins
	identity       bool // no mapping: the tracker's columns go over, too
}{
	{name: "timestamp", lite: "{by: timestamp, field: updated_at, every: 1s}", timed: true},
	{name: "timestamp, all columns", lite: "{by: timestamp, field: updated_at, every: 1s}", timed: true, identity: true},
	{name: "version", lite: "{by: version, field: rev, every: 1s}"},
	{name: "per record", lite: "{by: version, field: rev, per: record, every: 1m}", deletes: true},
	{name: "flag", lite: "{by: flag, field: is_changed, every: 1s}", identity: true},
	{name: "trigger", lite: "{by: trigger}", install: true, deletes: true},
	{name: "log", lite: "{by: trigger}", pg: "{by: log}", install: true, deletes: true},
	{name: "snapshot", lite: "{by: snapshot, every: 1m}", deletes: true},
}

type pairTrial struct {
	*place
	lite, pg *sql.DB
	dsn      string
	edits    int
	last     map[int]string // by key: what the newest edit says, "" for a delete
	deleted  map[int]bool   // deleted on either side since both were level
}

func newPairTrial(t *testing.T) *pairTrial {
	p := &pairTrial{place: newPlace(t), dsn: testkit.Postgres(t), last: map[int]string{}, deleted: map[int]bool{}}
	p.lite, p.pg = openDB(t, "sqlite", p.path("lite.db")), openDB(t, "pgx", p.dsn)
	p.lite.SetMaxOpenConns(1)
	const now = `strftime('%Y-%m-%d %H:%M:%fZ', 'now')`
	exe(t, p.lite, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`, `CREATE TABLE revs (rev INTEGER)`, `INSERT INTO revs VALUES (1)`,
		`CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(12,2), note TEXT, updated_at TIMESTAMPTZ DEFAULT (`+now+`), rev INTEGER, is_changed BOOLEAN DEFAULT 0)`,
		`CREATE TRIGGER rev AFTER INSERT ON things WHEN new.rev IS NULL BEGIN UPDATE revs SET rev = rev + 1; UPDATE things SET rev = (SELECT rev FROM revs) WHERE id = new.id; END`)
	exe(t, p.pg, `CREATE SEQUENCE revs START 2`,
		`CREATE TABLE things (id bigint PRIMARY KEY, name text, price numeric(12,2), note text, updated_at timestamptz NOT NULL DEFAULT now(), rev bigint NOT NULL DEFAULT 1, is_changed boolean NOT NULL DEFAULT false)`,
		`CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF TG_OP = 'UPDATE' AND OLD.is_changed AND NOT NEW.is_changed THEN RETURN NEW; END IF;
			NEW.updated_at := clock_timestamp(); NEW.rev := nextval('revs'); NEW.is_changed := true; RETURN NEW; END $$`,
		`CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION mark()`)
	return p
}

// put writes a row on a side, as an application there would.
func (p *pairTrial) put(inA bool, id int) {
	p.edits++
	name, price := fmt.Sprintf("näme %d 'q'", p.edits), fmt.Sprintf("%d.%02d", p.edits%90, p.edits%100)
	if inA {
		exe(p.t, p.lite, `UPDATE revs SET rev = rev + 1`, fmt.Sprintf(`INSERT INTO things (id, name, price, updated_at, rev, is_changed)
			VALUES (%d, '%s', '%s', strftime('%%Y-%%m-%%d %%H:%%M:%%fZ', 'now'), (SELECT rev FROM revs), 1)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price, note = CASE WHEN note IS NULL THEN 'a' END,
			updated_at = excluded.updated_at, rev = excluded.rev, is_changed = 1`, id, quote(name), price))
	} else {
		exe(p.t, p.pg, fmt.Sprintf(`INSERT INTO things (id, name, price) VALUES (%d, '%s', %s)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price, note = CASE WHEN things.note IS NULL THEN 'b' END`, id, quote(name), price))
	}
	p.last[id] = name
	time.Sleep(3 * time.Millisecond) // the clock of the one shows milliseconds
}

func quote(text string) string { return strings.ReplaceAll(text, "'", "''") }

func (p *pairTrial) side(inA bool) *sql.DB {
	if inA {
		return p.lite
	}
	return p.pg
}

func (p *pairTrial) del(inA bool, id int) {
	exe(p.t, p.side(inA), fmt.Sprintf(`DELETE FROM things WHERE id = %d`, id))
	p.last[id], p.deleted[id] = "", true
}

// rekey gives a row another key: for everybody else it is gone, and another is there.
func (p *pairTrial) rekey(inA bool, id, to int) {
	if len(rows(p.t, p.side(inA), fmt.Sprintf(`SELECT id FROM things WHERE id = %d`, id))) == 0 || len(rows(p.t, p.side(inA), fmt.Sprintf(`SELECT id FROM things WHERE id = %d`, to))) > 0 {
		return
	}
	exe(p.t, p.side(inA), fmt.Sprintf(`UPDATE things SET id = %d WHERE id = %d`, to, id))
	p.last[id], p.deleted[id] = "", true
	p.put(inA, to)
}

// some makes random edits on both sides.
func (p *pairTrial) some(n int, rng *rand.Rand) {
	for range n {
		inA, id := rng.IntN(2) == 0, rng.IntN(80)
		switch rng.IntN(10) {
		case 0:
			p.del(inA, id)
		case 1:
			p.rekey(inA, id, 100+rng.IntN(40))
		case 2: // a conflict
			p.put(inA, id)
			p.put(!inA, id)
		default:
			p.put(inA, id)
		}
	}
}

// state is all that a write of anybody would change.
func (p *pairTrial) state() string {
	return fmt.Sprint(rows(p.t, p.pg, `SELECT id, xmin, ctid FROM things ORDER BY id`), rows(p.t, p.lite, `SELECT id, name, price, note, updated_at, rev, is_changed FROM things ORDER BY id`))
}

func (p *pairTrial) config(store, lite, pg string, identity bool) string {
	maps := "\n    map: {id: id, name: name, price: price, note: note}"
	if identity {
		maps = ""
	}
	return fmt.Sprintf(`
store: %s
systems:
  lite: {type: sqlite, path: lite.db}
  pg: {type: postgres, dsn: %q}
flows:
  there:
    from: {system: lite, stream: things, track: %s}
    to: {system: pg, stream: things}
    deletes: {max_share: 100%%}%s
  back:
    from: {system: pg, stream: things, track: %s}
    to: {system: lite, stream: things}
    deletes: {max_share: 100%%}%s
pairs:
  things: {a: there, b: back}
`, store, p.dsn, lite, maps, pg, maps)
}

func (p *pairTrial) same(when string) {
	p.t.Helper()
	sameRows(p.t, when, rows(p.t, p.lite, `SELECT id, name, printf('%.2f', price), note FROM things ORDER BY id`), rows(p.t, p.pg, `SELECT id, name, price, note FROM things ORDER BY id`))
}

func TestPairOfSQLiteAndPostgres(t *testing.T) {
	p := newPairTrial(t)
	n := 500
	if testing.Short() {
		n = 100
	}
	for i := range 40 { // some are on one side, some on both, and differ
		p.put(i%2 == 0, i)
		if i%3 == 0 {
			p.put(i%2 != 0, i)
		}
	}
	for i, tr := range pairTrackers {
		t.Run(tr.name, func(t *testing.T) {
			p.t = t
			exe(t, p.lite, `UPDATE revs SET rev = (SELECT max(rev) + 1 FROM things)`) // all columns went over before, this one, too
			pg := tr.pg
			if pg == "" {
				pg = tr.lite
			}
			h := p.house(p.config(fmt.Sprintf("store%d.db", i), tr.lite, pg, tr.identity))
			defer p.close(h)
			if tr.install {
				ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
				defer ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackRemove})
			}
			do(t, h, app.Request{Do: app.DoSync})
			rng := rand.New(rand.NewPCG(20261124, uint64(i)))
			flows := [][]string{{"there"}, {"back"}, nil, nil, {"back"}}
			for round := range 5 {
				p.some(n/5, rng)
				do(t, h, app.Request{Do: app.DoSync, Flows: flows[round]})
			}
			if !tr.deletes {
				do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
			}
			before := ""
			for round := 0; ; round++ {
				do(t, h, app.Request{Do: app.DoSync})
				now := p.state()
				if now == before {
					break
				}
				if before = now; round == 6 {
					t.Fatal("the two sides do not come to rest")
				}
			}
			p.same(tr.name)
			level(t, h)
			do(t, h, app.Request{Do: app.DoSync, Full: true})
			if p.state() != before {
				t.Error("a full sync of what is level wrote something")
			}
			if tr.timed {
				p.newest()
			}
			clear(p.deleted)
			clear(p.last)
		})
	}
}

// newest checks that of each row the newest edit stands. A delete that met an edit is another matter.
func (p *pairTrial) newest() {
	p.t.Helper()
	have := map[string]bool{}
	for _, line := range rows(p.t, p.pg, `SELECT id, name FROM things`) {
		have[line] = true
	}
	for id, name := range p.last {
		if line := fmt.Sprintf("'%d'|'%s'", id, name); name != "" && !p.deleted[id] && !have[line] {
			p.t.Errorf("%s is the newest, and not there", line)
		}
	}
}
