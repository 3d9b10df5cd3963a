package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The traps of the trigger tracker. Each test names what it guards: without it, the test fails.

type source interface {
	system
	lockstep.Acker
	lockstep.Waiter
	lockstep.Installer
	lockstep.Examiner
}

type hooked struct {
	*testing.T
	s    source
	r    lockstep.Read
	db   *sql.DB
	path string
	at   lockstep.Position
}

// newHooked makes a stream "items" whose changes are found by triggers.
func newHooked(t *testing.T, create string, streams ...any) *hooked {
	path := filepath.Join(t.TempDir(), "source.db")
	h := &hooked{T: t, db: raw(t, path), path: path, r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Trigger}}}
	h.do("PRAGMA journal_mode = WAL", create)
	settings := lockstep.Settings{"path": path, "busy_timeout": time.Second}
	if len(streams) > 0 {
		own := lockstep.Settings{}
		for i := 0; i < len(streams); i += 2 {
			own[streams[i].(string)] = streams[i+1]
		}
		settings["streams"] = map[string]lockstep.Settings{"items": own}
	}
	h.s = open(t, settings).(source)
	h.install()
	h.at = h.page(nil, 10).Next
	return h
}

func (h *hooked) do(statements ...string) {
	h.Helper()
	for _, s := range statements {
		if _, err := h.db.Exec(s); err != nil {
			h.Fatalf("%s: %v", s, err)
		}
	}
}

func (h *hooked) install() {
	h.Helper()
	if _, err := h.s.Install(h.Context(), h.r, false); err != nil {
		h.Fatal(err)
	}
}

func (h *hooked) page(from lockstep.Position, rows int) lockstep.Page {
	h.Helper()
	p, err := h.s.Changes(h.Context(), h.r, from, lockstep.Limit{Rows: rows})
	if err != nil {
		h.Fatal(err)
	}
	return p
}

func (h *hooked) ack(upTo lockstep.Position) {
	h.Helper()
	if err := h.s.Ack(h.Context(), h.r, upTo); err != nil {
		h.Fatal(err)
	}
}

// drain reads and acknowledges all there is, as the engine does, and tells it: "gone" for a delete.
func (h *hooked) drain(rows int) map[lockstep.Key]string {
	h.Helper()
	seen := map[lockstep.Key]string{}
	for range 100_000 {
		p := h.page(h.at, rows)
		for _, c := range p.Changes {
			v, _ := c.Record.Fields.Get("v")
			if seen[c.Record.Key] = v.String(); c.Op == lockstep.Delete {
				seen[c.Record.Key] = "gone"
			}
		}
		h.ack(p.Next)
		if h.at = p.Next; !p.More {
			return seen
		}
	}
	h.Fatal("it does not end")
	return nil
}

func (h *hooked) want(what string, want map[lockstep.Key]string) {
	h.Helper()
	if seen := h.drain(3); !maps.Equal(seen, want) {
		h.Errorf("%s: seen were %v, want %v", what, seen, want)
	}
}

func (h *hooked) wantFault(what string, code lockstep.Code) {
	h.Helper()
	_, err := h.s.Changes(h.Context(), h.r, h.at, lockstep.Limit{Rows: 10})
	if err == nil || lockstep.FaultOf(err).Code != code {
		h.Errorf("%s: %v, want %s", what, err, code)
	}
}

type seen = map[lockstep.Key]string

const plainItems = `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT)`

// Guards DELETE and INSERT in the triggers (an OR IGNORE of the statement would overrule an OR REPLACE of the trigger).
func TestTriggerSeesEveryWayToWrite(t *testing.T) {
	h := newHooked(t, `CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, parent INTEGER REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL)`)
	h.db.SetMaxOpenConns(1)
	h.do(`PRAGMA foreign_keys = ON`, `INSERT INTO parent VALUES (1), (2)`)
	for _, step := range []struct {
		sql  string
		want seen
	}{
		{`INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 2)`, seen{"1": "a", "2": "b", "3": "c"}},
		{`INSERT OR IGNORE INTO items (id, v) VALUES (1, 'no'), (4, 'd')`, seen{"4": "d"}},
		{`INSERT OR REPLACE INTO items (id, v, parent) VALUES (1, 'A', 1)`, seen{"1": "A"}},
		{`INSERT INTO items (id, v) VALUES (1, 'AA'), (5, 'e') ON CONFLICT (id) DO UPDATE SET v = excluded.v`, seen{"1": "AA", "5": "e"}},
		{`UPDATE items SET id = id + 10 WHERE id > 3`, seen{"4": "gone", "5": "gone", "14": "d", "15": "e"}},
		{`UPDATE items SET rowid = 24 WHERE rowid = 14`, seen{"14": "gone", "24": "d"}},
		{`DELETE FROM parent WHERE id = 1`, seen{"1": "gone", "2": "gone"}}, // a foreign key's doing
		{`UPDATE parent SET id = 7 WHERE id = 2`, seen{"3": "c"}},
		{`BEGIN; UPDATE items SET v = 'lost'; ROLLBACK`, seen{}},
		{`DELETE FROM items WHERE id = 15; INSERT INTO items (id, v) VALUES (15, 'again')`, seen{"15": "again"}},
		{`UPDATE OR IGNORE items SET v = 'u' WHERE id = 15`, seen{"15": "u"}},
		{`DELETE FROM items`, seen{"3": "gone", "15": "gone", "24": "gone"}}, // a truncation, but for the triggers
	} {
		h.do(step.sql)
		h.want(step.sql, step.want)
	}
}

// Guards the generation in what Ack deletes: by the key, or the rowid alone, the second change would go with the first.
func TestTriggerChangeBeforeAck(t *testing.T) {
	h := newHooked(t, plainItems)
	h.do(`INSERT INTO items VALUES (1, 'a')`)
	p := h.page(h.at, 10)
	h.do(`UPDATE items SET v = 'b'`) // its row of the change table has the same rowid as the one before
	h.ack(p.Next)
	h.at = p.Next
	h.want("after", seen{"1": "b"})
}

func TestTriggerKeys(t *testing.T) {
	for name, c := range map[string]struct {
		key, names string
		values     []string
	}{
		"text":          {`k TEXT`, "k", []string{`'ä'`, `'a "b'`, `''`, `'1'`, `x'00ff'`}},
		"folded":        {`k TEXT COLLATE NOCASE`, "k", []string{`'Abc'`, `'b'`}},
		"numbers":       {"k NUMERIC", "k", []string{"1", "1.5", "1e300", "'x'"}},
		"no type":       {"k", "k", []string{"1", "'b'", "2.5"}},
		"time":          {"k TIMESTAMPTZ", "k", []string{"'2026-11-23T10:00:00Z'", "'2026-11-23T10:00:01Z'"}},
		"composite":     {"k INTEGER, k2 TEXT, k3", "k, k2, k3", []string{"1, 'a', 1", "1, 'b', 1", "2, 'a', x'01'"}},
		"names":         {`"K ""x"" ]" int, "order" int`, `"K ""x"" ]", "order"`, []string{"1, 2", "2, 1"}},
		"without rowid": {"k TEXT, k2 INT", "k, k2", []string{"'a', 1", "'b', 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			options := ""
			if name == "without rowid" {
				options = " WITHOUT ROWID"
			}
			h := newHooked(t, `CREATE TABLE items (`+c.key+`, v TEXT, PRIMARY KEY (`+c.names+`))`+options)
			for i, v := range c.values {
				h.do(fmt.Sprintf(`INSERT INTO items VALUES (%s, 'v%d')`, v, i))
			}
			keys := slices.Sorted(maps.Keys(h.drain(1)))
			if len(keys) != len(c.values) {
				t.Fatalf("seen were %q", keys)
			}
			h.do(`UPDATE items SET v = 'w'`)
			if after := h.drain(2); !slices.Equal(slices.Sorted(maps.Keys(after)), keys) {
				t.Errorf("seen were %q, then %v", keys, after)
			}
			h.do(`DELETE FROM items`)
			if after := h.drain(2); len(after) != len(keys) {
				t.Errorf("after all was deleted: %v", after)
			}
		})
	}
}

// Guards that a page does not end among rows that share a key.
func TestTriggerDoubledAndNullKeys(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (k INTEGER, v TEXT)`, "key", []string{"k"})
	h.do(`INSERT INTO items VALUES (1, 'a'), (1, 'b'), (NULL, 'c'), (2, 'd'), (2, 'e')`)
	p := h.page(h.at, 1)
	if len(p.Changes) != 2 || p.Changes[0].Record.Key != "1" || p.Changes[1].Record.Key != "1" || !p.More {
		t.Fatalf("page %+v", p)
	}
	h.want("all", seen{"1": "b", "2": "e"})
	h.do(`DELETE FROM items WHERE v IN ('a', 'c')`, `UPDATE items SET k = NULL WHERE v = 'd'`, `UPDATE items SET k = 3 WHERE k IS NULL`)
	h.want("after", seen{"1": "b", "2": "e", "3": "d"})
}

func TestTriggerConditionAndSoftDelete(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, live BOOL, removed TEXT)`, "where", "live")
	h.r.Track.Deleted = "removed"
	h.do(`INSERT INTO items VALUES (1, 'a', 1, NULL), (2, 'b', 0, NULL), (3, 'c', 1, 'yesterday')`)
	h.want("inserted", seen{"1": "a", "2": "gone", "3": "gone"})
	h.do(`UPDATE items SET live = NOT live WHERE id < 3`)
	h.want("turned", seen{"1": "gone", "2": "b"})
}

// Guards the epoch, the count in the change table's own row, and the look at the triggers.
func TestTriggerNoticesWhatBroke(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		want lockstep.Code
	}{
		"change table emptied": {`DELETE FROM lockstep_items`, lockstep.CodeNotTracked},
		"change table dropped": {`DROP TRIGGER lockstep_items_i; DROP TRIGGER lockstep_items_u; DROP TRIGGER lockstep_items_k; DROP TRIGGER lockstep_items_d; DROP TABLE lockstep_items`, lockstep.CodeNotTracked},
		"restored":             {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation - 2 WHERE id IS NULL`, lockstep.CodePosition},
		"acked by somebody":    {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation + 1 WHERE id IS NULL`, lockstep.CodePosition},
		"trigger dropped":      {`DROP TRIGGER lockstep_items_u`, lockstep.CodeNotTracked},
		"stream made anew":     {`ALTER TABLE items RENAME TO old; CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT)`, lockstep.CodeNotTracked},
		"key renamed":          {`ALTER TABLE items RENAME COLUMN id TO nr`, lockstep.CodeNotTracked},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, plainItems)
			for _, v := range []string{"1", "2", "3"} {
				h.do(`INSERT INTO items VALUES (` + v + `, NULL)`)
				h.drain(10)
			}
			h.do(c.sql)
			h.s = open(t, lockstep.Settings{"path": h.path}).(source) // what was discovered is a matter of another test
			h.wantFault(name, c.want)
			if c.want == lockstep.CodePosition {
				return
			}
			h.install()
			h.wantFault("installed anew", lockstep.CodePosition)
			h.at = h.page(nil, 10).Next
			h.do(`INSERT INTO items VALUES (9, 'x')`)
			h.want("installed anew", seen{"9": "x"})
		})
	}
}

func (h *hooked) schema() string {
	h.Helper()
	var all sql.NullString
	if err := h.db.QueryRow(`SELECT group_concat(type || ' ' || name || ': ' || coalesce(sql, ''), char(10)) FROM sqlite_schema`).Scan(&all); err != nil {
		h.Fatal(err)
	}
	return all.String
}

func TestTriggerLeavesNothingBehind(t *testing.T) {
	h := newHooked(t, plainItems)
	other := h.r
	other.Track.Name = "Second; with a long name " + strings.Repeat("x", 150)
	if _, err := h.s.Install(t.Context(), other, false); err != nil {
		t.Fatal(err)
	}
	streams, err := h.s.Streams(t.Context())
	if err != nil || len(streams) != 1 {
		t.Errorf("streams %v, %v", streams, err)
	}
	h.do(`INSERT INTO items VALUES (1, 'a')`)
	for _, r := range []lockstep.Read{h.r, other} {
		if script, err := h.s.Remove(t.Context(), r, false); err != nil || script == "" {
			t.Fatal(script, err)
		}
	}
	if after := h.schema(); after != "table items: "+plainItems {
		t.Errorf("left behind:\n%s", after)
	}
}

func TestTriggerOnAView(t *testing.T) {
	path := filepath.Join(t.TempDir(), "source.db")
	db := raw(t, path)
	if _, err := db.Exec(`CREATE TABLE base (id INTEGER PRIMARY KEY, v TEXT); CREATE VIEW items AS SELECT * FROM base`); err != nil {
		t.Fatal(err)
	}
	s := open(t, lockstep.Settings{"path": path, "streams": map[string]lockstep.Settings{"items": {"key": []string{"id"}}}}).(source)
	_, err := s.Install(t.Context(), lockstep.Read{Stream: "items", Track: lockstep.Track{By: lockstep.Trigger}}, true)
	if err == nil || lockstep.FaultOf(err).Code != lockstep.CodeCannot {
		t.Errorf("Install: %v", err)
	}
}

// Guards that the version is noted before the read: what is written between the read and the wait ends the wait.
func TestTriggerWait(t *testing.T) {
	h := newHooked(t, plainItems)
	h.drain(10)
	h.drain(10) // behind what we acknowledged ourselves
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.s.Wait(short, h.r, h.at); err == nil {
		t.Error("the wait ended, and nobody wrote")
	}
	h.do(`INSERT INTO items VALUES (1, 'a')`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := h.s.Wait(ctx, h.r, h.at); err != nil {
		t.Error(err)
	}
}

// A transaction of 1,000,000 rows.
func TestTriggerMillionRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const rows = 1_000_000
	h := newHooked(t, plainItems+`; CREATE TABLE bare (id INTEGER PRIMARY KEY, v TEXT)`)
	timed := func(what, sql string) {
		start := time.Now()
		h.do(sql)
		t.Logf("%s: %s", what, time.Since(start).Round(time.Millisecond))
	}
	series := fmt.Sprintf(` WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n, 'x' FROM c`, rows)
	timed("insert without triggers", `INSERT INTO bare`+series)
	timed("insert with triggers", `INSERT INTO items`+series)
	timed("update without triggers", `UPDATE bare SET v = 'y'`)
	timed("update with triggers", `UPDATE items SET v = 'y'`)
	start := time.Now()
	if n := len(h.drain(5000)); n != rows {
		t.Errorf("%d of %d rows seen", n, rows)
	}
	t.Logf("read and acknowledged: %s", time.Since(start).Round(time.Millisecond))
}
