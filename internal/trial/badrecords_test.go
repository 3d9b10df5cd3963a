package trial

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// item is a row of a source that holds nothing to its word: no unique key, and every value is a text.
type item struct{ id, name, qty string } // id "" is null

// shelf is a source of items that a test rewrites.
type shelf struct {
	yaml string // of the system src
	set  func(items []item)
}

const itemTable = `(id TEXT, name TEXT, qty TEXT, changed TIMESTAMPTZ)`

// dbShelf replaces the rows that differ, and stamps them.
func dbShelf(t *testing.T, db *sql.DB, yaml, args string) shelf {
	t.Helper()
	exe(t, db, `CREATE TABLE item `+itemTable)
	var have []item
	return shelf{yaml, func(items []item) {
		t.Helper()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		touched := map[string]bool{}
		for _, it := range append(slices.Clone(have), items...) {
			if !slices.Contains(items, it) || !slices.Contains(have, it) {
				touched[it.id] = true
			}
		}
		for id := range touched {
			if _, err := tx.Exec(`DELETE FROM item WHERE coalesce(id, '') = `+args[:2], id); err != nil {
				t.Fatal(err)
			}
		}
		for _, it := range items {
			if !touched[it.id] {
				continue
			}
			now := time.Now().UTC().Format("2006-01-02 15:04:05.000000Z07:00")
			if _, err := tx.Exec(`INSERT INTO item VALUES (`+args+`)`, sql.NullString{String: it.id, Valid: it.id != ""}, it.name, it.qty, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		have = slices.Clone(items)
	}}
}

// shelves are the sources under test: by what they are and how they are tracked.
var shelves = map[string]func(*place) shelf{
	"sqlite": func(p *place) shelf {
		return dbShelf(p.t, openDB(p.t, "sqlite", p.path("src.db")), `{type: sqlite, path: src.db, max_record: 16KiB, streams: {item: {key: id}}}`, "?1, ?2, ?3, ?4")
	},
	"postgres": func(p *place) shelf {
		dsn := testkit.Postgres(p.t)
		return dbShelf(p.t, openDB(p.t, "pgx", dsn), fmt.Sprintf(`{type: postgres, dsn: %q, max_record: 16KiB, streams: {item: {key: id}}}`, dsn), "$1, $2, $3, $4")
	},
	"csv": func(p *place) shelf {
		p.mkdir("in")
		return shelf{`{type: file, path: in, max_record: 16KiB, streams: {item: {key: id}}}`, func(items []item) {
			var rows [][]string
			for _, it := range items {
				rows = append(rows, []string{it.id, it.name, it.qty})
			}
			writeCSV(p.t, p.path("in/item.csv"), []string{"id", "name", "qty"}, rows)
		}}
	},
}

func exe(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// parked are the codes of what a flow has parked, by key.
func parked(t *testing.T, h *app.House, flow string) map[string][]lockstep.Code {
	t.Helper()
	out := map[string][]lockstep.Code{}
	for _, e := range ask(t, h, app.Request{Do: app.DoParked, Flows: []string{flow}, Max: 1000}) {
		out[string(e.Entry.Key)] = append(out[string(e.Entry.Key)], e.Entry.Fault.Code)
		if e.Entry.Fault.Next == "" || e.Entry.Fault.Message == "" {
			t.Errorf("a fault that does not say what it is or what to do: %+v", *e.Entry.Fault)
		}
	}
	return out
}

// good is the shelf without anything wrong.
func good() []item {
	var out []item
	for i := range 40 {
		out = append(out, item{fmt.Sprintf("k%02d", i), fmt.Sprint("name ", i), fmt.Sprint(i)})
	}
	return out
}

// spoil makes a few of the records bad, each in its own way, and says under which code each is to be parked. "" is
// the record without a key, which is parked under its place.
func spoil(items []item) (bad []item, codes map[string]lockstep.Code) {
	bad = slices.Clone(items)
	for i := range bad {
		switch bad[i].id {
		case "k03":
			bad[i].qty = "n/a" // the expression fails
		case "k07":
			bad[i].qty = "70000" // beyond smallint
		case "k11":
			bad[i].name = strings.Repeat("long ", 60) // beyond varchar(200)
		case "k15":
			bad[i].qty = "-1" // a check constraint
		case "k19":
			bad[i].name = strings.Repeat("x", 40_000) // over max_record
		case "k23":
			bad[i].id = ""
		case "k27":
			bad[i].name = "" // not null, by what the mapping makes of it
		case "k31":
			bad[i].name = "taken" // a unique index
		}
	}
	return append(bad, item{"k35", "another k35", "1"}, item{"first", "Taken", "5"}), map[string]lockstep.Code{
		"k03": lockstep.CodeMapping, "k07": lockstep.CodeValue, "k11": lockstep.CodeValue, "k15": lockstep.CodeConstraint, "k19": lockstep.CodeTooLarge,
		"": lockstep.CodeNullKey, "k27": lockstep.CodeConstraint, "k31": lockstep.CodeUnique, "k35": lockstep.CodeDoubledKey,
	}
}

const shelfTarget = `CREATE TABLE goods (id text PRIMARY KEY, title varchar(200) NOT NULL, qty smallint CHECK (qty >= 0));
	INSERT INTO goods VALUES ('theirs', 'taken', 1); CREATE UNIQUE INDEX ON goods (title)`

// Bad records of every sort at once, from each kind of source by each of its trackers: each is parked with its own
// code and all others arrive; when they are mended in the source a sync brings both sides level and nothing is parked.
func TestBadRecords(t *testing.T) {
	for _, c := range []struct{ source, track string }{
		{"csv", "by: snapshot"}, {"sqlite", "by: snapshot"}, {"postgres", "by: snapshot"},
		{"sqlite", "by: timestamp, field: changed"}, {"postgres", "by: timestamp, field: changed"},
	} {
		t.Run(c.source+" "+strings.Split(c.track, ",")[0][4:], func(t *testing.T) {
			badRecords(t, c.source, c.track, false)
		})
		t.Run(c.source+" "+strings.Split(c.track, ",")[0][4:]+" later", func(t *testing.T) {
			badRecords(t, c.source, c.track, true)
		})
	}
}

// badRecords: later says that all was well first, and the records are spoilt behind the first full sync.
func badRecords(t *testing.T, source, track string, later bool) {
	p := newPlace(t)
	src, dsn := shelves[source](p), testkit.Postgres(t)
	pg := openDB(t, "pgx", dsn)
	exe(t, pg, shelfTarget)
	h := p.house(fmt.Sprintf(`
systems:
  src: %s
  shop: {type: postgres, dsn: %q}
flows:
  items:
    from: {system: src, stream: item, track: {%s}}
    to: {system: shop, stream: goods}
    map:
      id: id
      title: 'name == "" ? nil : name'
      qty: decimal(qty)
`, src.yaml, dsn, track))
	items := good()
	delta := strings.Contains(track, "timestamp")
	if later {
		src.set(items)
		do(t, h, app.Request{Do: app.DoSync})
	}
	bad, codes := spoil(items)
	if source == "csv" { // a row over the limit is not read, so its key is not known either
		delete(codes, "k19")
		codes["item.csv line 21"] = lockstep.CodeTooLarge
		if later { // the row without a readable key could be either of those that seem gone: neither is deleted (law 9)
			codes["k19"], codes["k23"] = lockstep.CodeTooLarge, lockstep.CodeTooLarge
		}
	}
	src.set(bad)
	sync := func() {
		t.Helper()
		_, err := try(h, app.Request{Do: app.DoSync, Full: true})
		if err != nil {
			t.Errorf("sync of bad records: %v", err)
		}
	}
	if later && delta { // a delta sees neither records without a key nor that one is gone
		do(t, h, app.Request{Do: app.DoSync})
		seen := maps.Clone(codes)
		delete(seen, "")
		checkCodes(t, parked(t, h, "items"), seen)
	}
	sync()
	checkCodes(t, parked(t, h, "items"), codes)

	// The neighbours are there, and what is parked is as it was before.
	want := map[string]item{}
	for _, it := range items {
		if later {
			want[it.id] = it
		}
	}
	for _, it := range bad {
		if codes[it.id] == "" && len(it.name) < 1000 {
			want[it.id] = it
		}
	}
	if later && source != "csv" {
		delete(want, "k23") // its key is gone from the source
	}
	sameGoods(t, pg, want)

	// Again: nothing new, nothing twice.
	sync()
	checkCodes(t, parked(t, h, "items"), codes)
	sameGoods(t, pg, want)

	mended := append(good(), item{"first", "Taken", "5"})
	for i := range mended {
		if mended[i].id != "first" {
			mended[i].name += " mended"
		}
	}
	src.set(mended)
	do(t, h, app.Request{Do: app.DoSync, Full: !delta})
	if delta { // a delta does not see that the record without a key is gone
		left := parked(t, h, "items")
		if n := len(left); n > 1 {
			t.Errorf("parked after the delta: %v", left)
		}
		do(t, h, app.Request{Do: app.DoSync, Full: true})
	}
	if left := parked(t, h, "items"); len(left) > 0 {
		t.Errorf("still parked: %v", left)
	}
	clear(want)
	for _, it := range mended {
		want[it.id] = it
	}
	sameGoods(t, pg, want)
	exe(t, pg, `DELETE FROM goods WHERE id = 'theirs'`) // it was never ours, so verify calls it extra
	level(t, h)
}

// checkCodes holds what is parked against what should be: the same keys, one fault each. A key that is none of the
// shelf's is the place of the record without a key.
func checkCodes(t *testing.T, got map[string][]lockstep.Code, want map[string]lockstep.Code) {
	t.Helper()
	seen := map[string]bool{}
	for key, codes := range got {
		name := key
		if _, known := want[key]; !known && slices.Contains(codes, lockstep.CodeNullKey) {
			name = ""
		}
		if len(codes) != 1 || codes[0] != want[name] || seen[name] {
			t.Errorf("%q is parked with %v, want %s", key, codes, want[name])
		}
		seen[name] = true
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !seen[key] {
			t.Errorf("%q is not parked, want %s", key, want[key])
		}
	}
}

func sameGoods(t *testing.T, pg *sql.DB, want map[string]item) {
	t.Helper()
	var lines []string
	for _, it := range want {
		lines = append(lines, fmt.Sprintf("'%s'|'%s'|'%s'", it.id, it.name, it.qty))
	}
	slices.Sort(lines)
	sameRows(t, "goods", rows(t, pg, `SELECT id, title, qty::text FROM goods WHERE id <> 'theirs' ORDER BY id COLLATE "C"`), lines)
}
