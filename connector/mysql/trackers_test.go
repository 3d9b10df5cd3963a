package mysql_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The traps of the trackers that take away what was acknowledged. Each test names what it guards: without it, the test
// fails.

type source interface {
	system
	lockstep.Acker
	lockstep.Installer
}

type hooked struct {
	*testing.T
	s   source
	r   lockstep.Read
	dsn string
	at  lockstep.Position
}

// newHooked makes a stream "items" whose changes are found by a tracker, and installs what it needs.
func newHooked(t *testing.T, track lockstep.Track, create string, own ...any) *hooked {
	h := &hooked{T: t, dsn: testkit.MariaDB(t), r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: track}}
	exec(t, h.dsn, strings.Split(create, ";\n")...)
	h.reopen(own...)
	h.install()
	h.at = h.page(nil, 10).Next
	return h
}

func (h *hooked) reopen(own ...any) {
	h.Helper()
	settings := lockstep.Settings{"dsn": h.dsn}
	if len(own) > 0 {
		of := lockstep.Settings{}
		for i := 0; i < len(own); i += 2 {
			of[own[i].(string)] = own[i+1]
		}
		settings["streams"] = map[string]lockstep.Settings{"items": of}
	}
	h.s = open(h.T, settings).(source)
}

func (h *hooked) do(statements ...string) {
	h.Helper()
	exec(h.T, h.dsn, append([]string{"SET NAMES utf8mb4"}, statements...)...)
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
	for range 10_000 {
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

func (h *hooked) wantFault(what string, want lockstep.Code) {
	h.Helper()
	_, err := h.s.Changes(h.Context(), h.r, h.at, lockstep.Limit{Rows: 10})
	if code(err) != want {
		h.Errorf("%s: %v, want %s", what, err, want)
	}
}

type seen = map[lockstep.Key]string

const plainItems = `CREATE TABLE items (id int PRIMARY KEY, v text)`

func byTrigger() lockstep.Track { return lockstep.Track{By: lockstep.Trigger} }

func byFlag() lockstep.Track { return lockstep.Track{By: lockstep.Flag, Field: "changed"} }

func TestTriggerSeesEveryWayToWrite(t *testing.T) {
	h := newHooked(t, byTrigger(), plainItems)
	for _, step := range []struct {
		sql  string
		want seen
	}{
		{`INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')`, seen{"1": "a", "2": "b", "3": "c"}},
		{`INSERT IGNORE INTO items (id, v) VALUES (1, 'no'), (4, 'd')`, seen{"4": "d"}},
		{`REPLACE INTO items (id, v) VALUES (1, 'A')`, seen{"1": "A"}},
		{`INSERT INTO items (id, v) VALUES (1, 'AA'), (5, 'e') ON DUPLICATE KEY UPDATE v = VALUES(v)`, seen{"1": "AA", "5": "e"}},
		{`UPDATE items SET id = id + 10 WHERE id > 3`, seen{"4": "gone", "5": "gone", "14": "d", "15": "e"}},
		{`UPDATE items i JOIN items j ON j.id = i.id + 1 SET i.v = 'joined'`, seen{"1": "joined", "2": "joined", "14": "joined"}},
		{`DELETE FROM items WHERE id = 1`, seen{"1": "gone"}},
	} {
		h.do(step.sql)
		h.want(step.sql, step.want)
	}
	h.do(`SET autocommit = 0`, `UPDATE items SET v = 'lost'`, `ROLLBACK`)
	h.want("rolled back", seen{})
	h.do(`SET autocommit = 0`, `DELETE FROM items WHERE id = 15`, `INSERT INTO items (id, v) VALUES (15, 'again')`, `COMMIT`)
	h.want("deleted and made again", seen{"15": "again"})
}

// Guards the generation in what Ack deletes: by the key alone, the second change would go with the first.
func TestTriggerChangeBeforeAck(t *testing.T) {
	h := newHooked(t, byTrigger(), plainItems)
	h.do(`INSERT INTO items VALUES (1, 'a')`)
	p := h.page(h.at, 10)
	h.do(`UPDATE items SET v = 'b'`)
	h.ack(p.Next)
	h.at = p.Next
	h.want("after", seen{"1": "b"})
}

func TestTriggerKeys(t *testing.T) {
	for name, c := range map[string]struct {
		key, names string
		values     []string
	}{
		"text":      {"k varchar(20) COLLATE utf8mb4_bin", "k", []string{`'ä'`, `'a "b'`, `''`, `'1'`, "'A'", "'a'"}},
		"folded":    {"k varchar(20) COLLATE utf8mb4_general_ci", "k", []string{`'Abc'`, `'b'`}},
		"latin1":    {"k varchar(20) CHARACTER SET latin1", "k", []string{`'ä'`, `'b'`}},
		"unsigned":  {"k bigint unsigned", "k", []string{"0", "18446744073709551615"}},
		"decimal":   {"k decimal(30,4)", "k", []string{"1", "1.5", "-12345678901234567890.1234"}},
		"enum":      {"k enum('z','a')", "k", []string{"'a'", "'z'"}},
		"bytes":     {"k varbinary(9)", "k", []string{"X'00'", "X'FF'", "''"}},
		"uuid":      {"k uuid", "k", []string{"'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "'00000000-9dad-11d1-80b4-00c04fd430c8'"}},
		"time":      {"k timestamp(6)", "k", []string{"'2026-11-23 10:00:00'", "'2026-11-23 10:00:00.000001'"}},
		"date":      {"k date", "k", []string{"'2026-11-23'", "'1999-01-01'"}},
		"composite": {"k int, k2 varchar(5), k3 datetime", "k, k2, k3", []string{"1, 'a', '2026-01-01'", "1, 'b', '2026-01-01'", "2, 'a', '2026-01-02'"}},
		"names":     {"`K ``x\"\" ]` int, `order` int", "`K ``x\"\" ]`, `order`", []string{"1, 2", "2, 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, byTrigger(), "CREATE TABLE items ("+c.key+", v text, PRIMARY KEY ("+c.names+"))")
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
			h.want("in the end", seen{})
		})
	}
}

// Guards that a page does not end among rows that share a key.
func TestTriggerDoubledAndNullKeys(t *testing.T) {
	h := newHooked(t, byTrigger(), `CREATE TABLE items (k int, v text)`, "key", []string{"k"})
	h.do(`INSERT INTO items VALUES (1, 'a'), (1, 'b'), (NULL, 'c'), (2, 'd'), (2, 'e')`)
	if p := h.page(h.at, 2); len(p.Changes) != 2 || p.Changes[0].Record.Key != "1" || p.Changes[1].Record.Key != "1" || !p.More {
		t.Fatalf("page %+v", p)
	}
	if got := h.drain(3); len(got) != 2 {
		t.Errorf("seen were %v", got)
	}
	h.do(`DELETE FROM items WHERE v IN ('a', 'c')`, `UPDATE items SET k = NULL WHERE v = 'd'`, `UPDATE items SET k = 3 WHERE k IS NULL`)
	h.want("after", seen{"1": "b", "2": "e", "3": "d"})
}

func TestTriggerConditionAndSoftDelete(t *testing.T) {
	h := newHooked(t, byTrigger(), `CREATE TABLE items (id int PRIMARY KEY, v text, live boolean, removed datetime)`, "where", "live", "version", "removed")
	h.r.Track.Deleted = "removed"
	h.do(`INSERT INTO items VALUES (1, 'a', 1, NULL), (2, 'b', 0, NULL), (3, 'c', 1, NOW())`)
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
		"change table truncated": {`TRUNCATE lockstep_items`, lockstep.CodeNotTracked},
		"change table dropped":   {`DROP TABLE lockstep_items`, lockstep.CodeNotTracked},
		"restored":               {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation - 2 WHERE lockstep_own = 1`, lockstep.CodePosition},
		"acked by somebody":      {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation + 1 WHERE lockstep_own = 1`, lockstep.CodePosition},
		"trigger dropped":        {`DROP TRIGGER lockstep_items_u`, lockstep.CodeNotTracked},
		"stream made anew":       {"DROP TABLE items;\n" + plainItems, lockstep.CodeNotTracked},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, byTrigger(), plainItems)
			for _, v := range []string{"1", "2", "3"} {
				h.do(`INSERT INTO items VALUES (` + v + `, NULL)`)
				h.drain(10)
			}
			h.do(strings.Split(c.sql, ";\n")...)
			h.reopen() // what was discovered is a matter of another test
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

func (h *hooked) objects() (names []string) {
	h.Helper()
	rows, err := connect(h.T, h.dsn).Query(`SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1`)
	must(h.T, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		must(h.T, rows.Scan(&name))
		names = append(names, name)
	}
	must(h.T, rows.Err())
	return names
}

func TestTrackersLeaveNothingBehind(t *testing.T) {
	h := newHooked(t, byTrigger(), `CREATE TABLE items (id int PRIMARY KEY, v text, changed boolean)`)
	flag, long := h.r, h.r
	flag.Track = byFlag()
	long.Track.Name = "Second; with a long name " + strings.Repeat("x", 150)
	for _, r := range []lockstep.Read{flag, long} {
		if _, err := h.s.Install(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
		if script, err := h.s.Install(t.Context(), r, true); err != nil || script != "" {
			t.Errorf("installed, and there is more to do: %s, %v", script, err)
		}
	}
	streams, err := h.s.Streams(t.Context())
	if err != nil || len(streams) != 1 {
		t.Errorf("%d streams, %v", len(streams), err)
	}
	h.do(`INSERT INTO items VALUES (1, 'a', 0)`)
	for _, r := range []lockstep.Read{h.r, flag, long} {
		if script, err := h.s.Remove(t.Context(), r, false); err != nil || script == "" {
			t.Fatal(script, err)
		}
	}
	if left := h.objects(); !slices.Equal(left, []string{"items"}) {
		t.Errorf("left behind: %q", left)
	}
}

func TestTriggerRights(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, plainItems, "CREATE VIEW seen AS SELECT * FROM items", "CREATE TABLE lockstep_seen2 (a int)", "CREATE TABLE seen2 (id int PRIMARY KEY)")
	name, asUser := testkit.MariaUser(t, dsn)
	database := dsn[strings.LastIndex(dsn, "/")+1:]
	exec(t, dsn, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON `"+database+"`.* TO "+name)
	s := open(t, lockstep.Settings{"dsn": asUser, "streams": map[string]lockstep.Settings{"seen": {"key": []string{"id"}}}}).(source)
	r := lockstep.Read{Stream: "items", Track: byTrigger()}
	for _, c := range []struct{ do, want string }{
		{"SET GLOBAL log_bin_trust_function_creators = OFF", "log_bin_trust_function_creators"},
		{"SET GLOBAL log_bin_trust_function_creators = ON", "rights CREATE"},
	} {
		exec(t, dsn, c.do)
		if _, err := s.Install(t.Context(), r, false); code(err) != lockstep.CodeRights || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.do, err)
		}
		if left := (&hooked{T: t, dsn: dsn}).objects(); slices.Contains(left, "lockstep_items") {
			t.Errorf("what could not be finished is left behind: %q", left)
		}
	}
	exec(t, dsn, "GRANT TRIGGER ON `"+database+"`.* TO "+name)
	s = open(t, lockstep.Settings{"dsn": asUser, "streams": map[string]lockstep.Settings{"seen": {"key": []string{"id"}}}}).(source)
	if _, err := s.Install(t.Context(), r, false); err != nil {
		t.Errorf("with all rights: %v", err)
	}
	exec(t, dsn, "SET GLOBAL log_bin_trust_function_creators = OFF")
	if _, err := s.Install(t.Context(), lockstep.Read{Stream: "seen", Track: byTrigger()}, true); code(err) != lockstep.CodeCannot {
		t.Errorf("on a view: %v", err)
	}
	if _, err := s.Install(t.Context(), lockstep.Read{Stream: "seen2", Track: byTrigger()}, false); code(err) != lockstep.CodeConfig {
		t.Errorf("over a table that is not ours: %v", err)
	}
}

// Guards SKIP LOCKED: Ack waits for nobody, and the rows that somebody holds hide no others.
func TestAckNeverWaits(t *testing.T) {
	for name, track := range map[string]lockstep.Track{"trigger": byTrigger(), "flag": byFlag()} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, track, `CREATE TABLE items (id int PRIMARY KEY, v text, changed boolean)`)
			h.do(`INSERT INTO items VALUES (1, 'a', 1), (2, 'a', 1), (3, 'a', 1), (4, 'a', 1), (5, 'a', 1)`)
			app := session(t, h.dsn)
			do(t, app, `BEGIN`, `UPDATE items SET v = 'b', changed = 1 WHERE id IN (1, 2)`)
			all := map[lockstep.Key]bool{}
			for range 6 {
				p := h.page(h.at, 2)
				for _, c := range p.Changes {
					all[c.Record.Key] = true
				}
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				if err := h.s.Ack(ctx, h.r, p.Next); err != nil {
					t.Fatal(err)
				}
				cancel()
				h.at = p.Next
			}
			if len(all) != 5 {
				t.Errorf("seen were %v", all)
			}
			do(t, app, `COMMIT`)
			h.want("after the commit", seen{"1": "b", "2": "b"})
		})
	}
}

// Guards the way in which many keys are deleted from a change table: the server would read all of a small one, and wait for
// a row that somebody holds.
func TestAckOfManyNeverWaits(t *testing.T) {
	for name, key := range map[string]string{"int": "int", "text": "varchar(20)"} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, byTrigger(), `CREATE TABLE items (id `+key+` PRIMARY KEY, v text)`)
			h.do(`INSERT INTO items SELECT seq, 'a' FROM seq_1_to_300`)
			h.drain(1000)
			h.do(`UPDATE items SET v = 'c'`)
			app := session(t, h.dsn)
			do(t, app, `BEGIN`, `INSERT INTO items VALUES ('1000', 'b')`)
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			p := h.page(h.at, 1000)
			if len(p.Changes) != 300 {
				t.Errorf("%d changes", len(p.Changes))
			}
			if err := h.s.Ack(ctx, h.r, p.Next); err != nil {
				do(t, app, `ROLLBACK`) // or the database could not be dropped
				t.Fatal(err)
			}
			h.at = p.Next
			h.want("beside an open transaction", seen{})
			do(t, app, `COMMIT`)
			h.want("after the commit", seen{"1000": "b"})
		})
	}
}

// Guards the digest of the row: by the key alone, a change before Ack would lose its mark.
func TestFlagRowChangedBeforeAck(t *testing.T) {
	h := newHooked(t, byFlag(), `CREATE TABLE items (id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_general_ci, w float, b bit(4), x longblob, z datetime, changed boolean)`)
	h.do(`INSERT INTO items (id, v, w, b, changed) VALUES (1, 'a', 0, 0, 1), (2, 'a', 16777216, 0, 1), (3, 'a', 0, 0, 1), (4, 'a', 0, 1, 1), (5, 'a', 0, 0, 1), (6, 'a', 0, 0, 1)`,
		`UPDATE items SET x = REPEAT('x', 9000000) WHERE id = 5`)
	p := h.page(h.at, 10)
	h.do(`UPDATE items SET v = 'A' WHERE id = 1`, `UPDATE items SET w = 16777218 WHERE id = 2`, `UPDATE items SET b = 2 WHERE id = 4`,
		`UPDATE items SET x = CONCAT(REPEAT('x', 8999999), 'y') WHERE id = 5`, `UPDATE items SET z = '2026-01-01' WHERE id = 6`)
	h.ack(p.Next)
	h.at = p.Next
	h.want("after", seen{"1": "A", "2": "a", "4": "a", "5": "a", "6": "a"})
	h.want("in the end", seen{})
}

// Guards the columns that an Ack leaves alone: ON UPDATE CURRENT_TIMESTAMP would move, and whoever tracks by it would
// see a change.
func TestFlagAckMovesNoTime(t *testing.T) {
	h := newHooked(t, byFlag(), `CREATE TABLE items (id int PRIMARY KEY, v text, changed tinyint, stamp timestamp(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))`, "fields", []string{"v", "changed"})
	h.do(`INSERT INTO items (id, v, changed) VALUES (1, 'a', 0)`)
	read := func() (stamp string, changed int) {
		must(t, connect(t, h.dsn).QueryRow(`SELECT stamp, changed FROM items`).Scan(&stamp, &changed))
		return stamp, changed
	}
	before, _ := read()
	h.want("inserted", seen{"1": "a"})
	if after, changed := read(); after != before || changed != 0 {
		t.Errorf("the time was %s and is %s, the mark is %d", before, after, changed)
	}
}

// Guards what the triggers compare, and that they come first: an application that writes back all it once read, the mark
// too; a trigger that touches a row with every write, Ack's among them; a column that is computed.
func TestFlagTriggers(t *testing.T) {
	h := newHooked(t, byFlag(), "CREATE TABLE items (id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_general_ci, data json, changed boolean, updated_at datetime(6), rev int DEFAULT 0, twice int AS (id * 2) STORED);\n"+
		"CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW SET NEW.updated_at = SYSDATE(6), NEW.rev = OLD.rev + 1;\n"+
		"INSERT INTO items (id, v, changed) VALUES (1, 'before', false)", "fields", []string{"v", "changed"})
	h.want("what was there", seen{})
	for _, step := range []struct {
		sql  string
		want seen
	}{
		{`INSERT INTO items (id, v, data, changed) VALUES (2, 'a', '{}', false)`, seen{"2": "a"}},
		{`UPDATE items SET v = 'b', data = '{"a": 1}', changed = false WHERE id = 2`, seen{"2": "b"}},
		{`UPDATE items SET v = 'B' WHERE id = 2`, seen{"2": "B"}}, // equal by collation
		{`UPDATE items SET v = v, changed = false`, seen{}},
		{`UPDATE items SET changed = true WHERE id = 1`, seen{"1": "before"}},
		{`UPDATE items SET data = '{"a": 2}' WHERE id = 2`, seen{"2": "B"}}, // a column that is not of the stream
	} {
		h.do(step.sql)
		h.want(step.sql, step.want)
		h.want("again", seen{})
	}
	if _, err := h.s.Remove(t.Context(), h.r, false); err != nil {
		t.Fatal(err)
	}
	h.do(`UPDATE items SET v = 'c'`)
	h.want("without the triggers", seen{})
}

// The version tracker.

const countedItems = `CREATE TABLE items (id int PRIMARY KEY, v text, n bigint NOT NULL DEFAULT (NEXTVAL(counter)), KEY (n))`

func newCounted(t *testing.T) *feed {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE SEQUENCE counter", countedItems)
	return &feed{t, s, lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Version, Field: "n"}}, dsn}
}

// Guards Numbers.Open, and Above in it: by the highest number alone, what commits late is never read.
func TestVersionLateCommitWithALowerNumber(t *testing.T) {
	f := newCounted(t)
	a, b := session(t, f.dsn), session(t, f.dsn)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (1, 'x')`)
	_, from := f.drain(f.page(nil, 10).Next, 10)
	do(t, a, `BEGIN`, `INSERT INTO items (id, v) VALUES (2, 'late')`)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (3, 'x')`)
	seen, from := f.drain(from, 10)
	f.want(seen, "3")
	do(t, b, `BEGIN`, `INSERT INTO items (id, v) VALUES (4, 'later')`)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (5, 'x')`)
	_, from = f.drain(from, 10)
	if seen, from = f.drain(from, 10); len(seen) != 0 {
		t.Errorf("nothing new, and seen were %v", seen)
	}
	do(t, a, `COMMIT`)
	seen, from = f.drain(from, 10)
	f.want(seen, "2")
	do(t, b, `COMMIT`)
	seen, from = f.drain(from, 10)
	f.want(seen, "4")
	if seen, _ = f.drain(from, 10); len(seen) != 0 {
		t.Errorf("nothing new, and seen were %v", seen)
	}
}

// A transaction that is prepared goes on under another name, and its numbers are as old as it is.
func TestVersionPreparedTransaction(t *testing.T) {
	f := newCounted(t)
	late := session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, late, `XA START 'version'`, `INSERT INTO items (id, v) VALUES (1, 'late')`, `XA END 'version'`)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (2, 'x')`)
	_, from = f.drain(from, 10)
	do(t, late, `XA PREPARE 'version'`)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (3, 'x')`)
	_, from = f.drain(from, 10)
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (4, 'x')`)
	_, from = f.drain(from, 10)
	do(t, late, `XA COMMIT 'version'`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards SetBack, and the key in the order of a sweep.
func TestVersionEqualNumbersAndCounterSetBack(t *testing.T) {
	f := newCounted(t)
	from := f.page(nil, 10).Next
	for i := range 20 {
		exec(t, f.dsn, fmt.Sprintf(`INSERT INTO items VALUES (%d, 'x', 100)`, i))
	}
	seen, from := f.drain(from, 3)
	if len(seen) != 20 {
		t.Errorf("%d of 20 seen", len(seen))
	}
	exec(t, f.dsn, `UPDATE items SET n = n - 50`)
	if _, err := f.s.Changes(t.Context(), f.r, from, lockstep.Limit{}); lockstep.KindOf(err) != lockstep.Lost {
		t.Errorf("%v", err)
	}
}

// What doctor says of the trackers, and that it says when all is there.
func TestExamineTrackers(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, "CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE items (id int PRIMARY KEY, v text, n bigint, changed boolean, parent int, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE SET NULL)")
	name, asUser := testkit.MariaUser(t, dsn)
	exec(t, dsn, "GRANT SELECT ON items TO "+name)
	s, poor := open(t, lockstep.Settings{"dsn": dsn}).(source), open(t, lockstep.Settings{"dsn": asUser})
	for _, c := range []struct {
		track lockstep.Track
		s     system
		want  []string
	}{
		{lockstep.Track{By: lockstep.Version, Field: "n"}, s, []string{"deletes are not seen", "no number twice", "no index begins with n", "ok: open transactions are seen", "SET NULL"}},
		{lockstep.Track{By: lockstep.Version, Field: "n"}, poor, []string{"GRANT PROCESS"}},
		{byFlag(), s, []string{"must be set by the application", "no index begins with changed", "SET NULL"}},
		{byFlag(), poor, []string{"error: the user may not take the marks away"}},
		{byTrigger(), s, []string{"error: there is no change table", "track install", "TRUNCATE", "SET NULL"}},
	} {
		r := lockstep.Read{Stream: "items", Track: c.track}
		got := findings(t, c.s, r)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in:\n%s", c.track.By, want, got)
			}
		}
		if c.track.By == lockstep.Version || c.s != system(s) {
			continue
		}
		if _, err := s.Install(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
		if got := findings(t, s, r); !strings.Contains(got, "ok: a trigger sets changed") && !strings.Contains(got, "ok: the change table") {
			t.Errorf("%s, installed:\n%s", c.track.By, got)
		}
	}
}
