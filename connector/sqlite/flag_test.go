package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The traps of the flag and of the version tracker. Each test names what it guards: without it, the test fails.

// newTracked makes a stream "items" whose changes are found by a field.
func newTracked(t *testing.T, by lockstep.Tracker, field, create string, streams ...any) *hooked {
	path := filepath.Join(t.TempDir(), "source.db")
	h := &hooked{T: t, db: raw(t, path), path: path, r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: by, Field: field}}}
	h.do("PRAGMA journal_mode = WAL", create)
	settings := lockstep.Settings{"path": path, "busy_timeout": 100 * time.Millisecond}
	if len(streams) > 0 {
		own := lockstep.Settings{}
		for i := 0; i < len(streams); i += 2 {
			own[streams[i].(string)] = streams[i+1]
		}
		settings["streams"] = map[string]lockstep.Settings{"items": own}
	}
	h.s = open(t, settings).(source)
	h.at = h.page(nil, 10).Next
	return h
}

const flaggedItems = `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE, changed BOOLEAN)`

// Guards the comparison with what was read, each value as it is stored: 'A' is not 'a', whatever the column says.
func TestFlagRowChangedBeforeAck(t *testing.T) {
	for name, c := range map[string]struct {
		create string
		set    []any
		fields []string
	}{
		"image":      {create: flaggedItems, fields: []string{"v"}},
		"light read": {create: flaggedItems},
		"version":    {create: `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, changed BOOLEAN, rev INTEGER)`, set: []any{"version", "rev"}, fields: []string{"v"}},
		"text key":   {create: `CREATE TABLE items (id TEXT PRIMARY KEY COLLATE NOCASE, v TEXT, changed) WITHOUT ROWID`, fields: []string{"v"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTracked(t, lockstep.Flag, "changed", c.create, c.set...)
			h.r.Fields = c.fields
			h.do(`INSERT INTO items (id, v, changed) VALUES (1, 'a', 1), (2, 'a', 'true'), (3, NULL, 1), (4, 'a', 'false'), (5, 'a', 0), (6, 'a', NULL)`)
			p := h.page(h.at, 10)
			if len(p.Changes) != 3 {
				t.Fatalf("page %+v", p)
			}
			touch := ""
			if name == "version" {
				touch = ", rev = 1"
			}
			h.do(`UPDATE items SET v = 'A'`+touch+` WHERE id = 2`, `DELETE FROM items WHERE id = 3`, `INSERT INTO items (id, v, changed) VALUES (3, 'new', 1)`+map[bool]string{true: ` ON CONFLICT DO NOTHING; UPDATE items SET rev = 2 WHERE id = 3`}[name == "version"])
			h.ack(p.Next)
			h.at, h.r.Fields = p.Next, []string{"v"}
			h.want("after", seen{"2": "A", "3": "new"})
			h.want("in the end", seen{})
		})
	}
}

// Guards that each page is acknowledged with the columns that it was read with.
func TestFlagAckByAnotherRead(t *testing.T) {
	h := newTracked(t, lockstep.Flag, "changed", `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, w TEXT, changed BOOLEAN)`)
	h.do(`INSERT INTO items VALUES (1, 'a', 'b', 1), (2, 'a', 'b', 1)`)
	h.r.Fields = []string{"w", "v"}
	p := h.page(h.at, 10)
	h.do(`UPDATE items SET v = 'changed' WHERE id = 2`)
	h.r.Fields = []string{"v"}
	h.ack(p.Next)
	h.at = p.Next
	h.want("after", seen{"2": "changed"})
}

// A record that is too large to be read is parked once, and not read with each poll.
func TestFlagTooLarge(t *testing.T) {
	h := newTracked(t, lockstep.Flag, "changed", flaggedItems)
	h.do(`INSERT INTO items VALUES (1, hex(zeroblob(50000)), 1), (2, hex(zeroblob(50000)), 1), (3, 'a', 1)`)
	p, err := h.s.Changes(t.Context(), h.r, h.at, lockstep.Limit{Rows: 10, Bytes: 10_000})
	if err != nil || len(p.Changes) != 3 || p.Changes[0].Fault == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	h.do(`UPDATE items SET v = hex(zeroblob(60000)) WHERE id = 2`)
	h.ack(p.Next)
	p, err = h.s.Changes(t.Context(), h.r, p.Next, lockstep.Limit{Rows: 10, Bytes: 10_000})
	if err != nil || len(p.Changes) != 1 || p.Changes[0].Record.Key != "2" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Guards what the triggers compare: an application that writes back all it once read, the mark too; a trigger that
// touches a time with every write, Ack's among them.
func TestFlagTriggers(t *testing.T) {
	h := newTracked(t, lockstep.Flag, "changed", `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, data, changed BOOLEAN, updated_at TEXT, twice INTEGER GENERATED ALWAYS AS (id * 2));
		CREATE TRIGGER touch AFTER UPDATE ON items BEGIN UPDATE items SET updated_at = strftime('%Y-%m-%d %H:%M:%f') || random() WHERE id = NEW.id; END`, "fields", []string{"v", "changed"})
	h.do(`INSERT INTO items (id, v, changed) VALUES (1, 'before', 0)`)
	before := h.schema()
	h.install()
	h.want("what was there", seen{})
	for _, recursive := range []string{"OFF", "ON"} {
		h.db.SetMaxOpenConns(1)
		h.do(`PRAGMA recursive_triggers = `+recursive, `DROP TRIGGER IF EXISTS touch`) // which would go round in circles by itself
		if recursive == "OFF" {
			h.do(`CREATE TRIGGER touch AFTER UPDATE ON items BEGIN UPDATE items SET updated_at = strftime('%Y-%m-%d %H:%M:%f') || random() WHERE id = NEW.id; END`)
		}
		for _, step := range []struct {
			sql  string
			want seen
		}{
			{`INSERT OR REPLACE INTO items (id, v, changed) VALUES (2, 'a', 0)`, seen{"2": "a"}},
			{`UPDATE items SET v = 'b', changed = 0 WHERE id = 2`, seen{"2": "b"}},
			{`UPDATE items SET v = v, changed = 0`, seen{}},
			{`UPDATE items SET changed = 1 WHERE id = 1`, seen{"1": "before"}},
			{`UPDATE items SET data = random() WHERE id = 2`, seen{"2": "b"}}, // a column that is not of the stream
		} {
			h.do(step.sql)
			h.want(step.sql, step.want)
			h.want("again", seen{})
		}
	}
	if _, err := h.s.Remove(t.Context(), h.r, false); err != nil {
		t.Fatal(err)
	}
	h.do(`CREATE TRIGGER touch AFTER UPDATE ON items BEGIN UPDATE items SET updated_at = strftime('%Y-%m-%d %H:%M:%f') || random() WHERE id = NEW.id; END`)
	if after := h.schema(); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

const countedItems = `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, n INTEGER); CREATE INDEX n ON items (n)`

// The file is in WAL mode, so that we read while somebody writes.
func TestVersionWriterOpen(t *testing.T) {
	h := newTracked(t, lockstep.Version, "n", countedItems)
	h.do(`INSERT INTO items VALUES (1, 'a', 1)`)
	h.want("one", seen{"1": "a"})
	h.db.SetMaxOpenConns(1)
	h.do(`BEGIN IMMEDIATE`, `INSERT INTO items VALUES (2, 'late', 2)`)
	h.want("while somebody writes", seen{}) // and does not wait for long
	h.do(`COMMIT`)
	h.want("then", seen{"2": "late"})
	h.want("in the end", seen{})
}

// Guards the key in the order of a sweep, and what is no number.
func TestVersionEqualNumbers(t *testing.T) {
	h := newTracked(t, lockstep.Version, "n", countedItems)
	h.do(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50) INSERT INTO items SELECT i, 'x', 7 FROM c`,
		`INSERT INTO items VALUES (100, 'x', NULL), (101, 'x', 'text')`)
	p := h.page(h.at, 20)
	h.s = open(t, lockstep.Settings{"path": h.path}).(source)
	h.at = p.Next
	if got := h.drain(20); len(got) != 30 {
		t.Errorf("%d of 30 seen behind the first page: %v", len(got), got)
	}
	h.want("nothing new", seen{})
}

// Guards SetBack.
func TestVersionCounterSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		lost bool
	}{
		"a row has an older one":  {`UPDATE items SET n = n - 50 WHERE id = 20`, true},
		"all of the highest gone": {`DELETE FROM items WHERE id > 5`, true},
		"the highest deleted":     {`DELETE FROM items WHERE id > 15`, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTracked(t, lockstep.Version, "n", countedItems)
			for i := range 20 {
				h.do(fmt.Sprintf(`INSERT INTO items VALUES (%d, 'x', %d)`, i+1, i+101))
			}
			h.drain(100)
			h.do(c.sql)
			_, err := h.s.Changes(t.Context(), h.r, h.at, lockstep.Limit{})
			if lost := lockstep.KindOf(err) == lockstep.Lost; lost != c.lost || !lost && err != nil {
				t.Errorf("%v; want lost: %v", err, c.lost)
			}
			if !c.lost {
				h.do(strings.ReplaceAll(`INSERT INTO items VALUES (30, 'y', 130)`, "\n", ""))
				h.want("after", seen{"30": "y"})
			}
		})
	}
}
