package postgres_test

import (
	"context"
	"fmt"
	"maps"
	command "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
	"github.com/lockstep-sync/lockstep/internal/testkit"
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
	s   source
	r   lockstep.Read
	dsn string
	at  lockstep.Position
}

// newHooked makes a stream "items" whose changes are found by triggers.
func newHooked(t *testing.T, create string, settings ...any) *hooked {
	dsn := testkit.Postgres(t)
	exec(t, dsn, create)
	return hook(t, dsn, settings...)
}

func hook(t *testing.T, dsn string, settings ...any) *hooked {
	all := lockstep.Settings{"dsn": dsn}
	for i := 0; i < len(settings); i += 2 {
		all[settings[i].(string)] = settings[i+1]
	}
	h := &hooked{T: t, s: open(t, all).(source), r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Trigger}}, dsn: dsn}
	h.install()
	h.at = h.page(nil, 10).Next
	return h
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

// drain reads and acknowledges all there is, as the engine does, and tells it: "" for a delete.
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

func (h *hooked) ack(upTo lockstep.Position) {
	h.Helper()
	if err := h.s.Ack(h.Context(), h.r, upTo); err != nil {
		h.Fatal(err)
	}
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
	if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != code {
		h.Errorf("%s: %v, want %s", what, err, code)
	}
}

type seen = map[lockstep.Key]string

const plainItems = `CREATE TABLE items (id int PRIMARY KEY, v text)`

// Guards that nothing is paged by sequence: the late one has the lowest generation of all.
func TestTriggerLateCommitAndRollback(t *testing.T) {
	h := newHooked(t, plainItems)
	late, lost := connect(t, h.dsn), connect(t, h.dsn)
	do(t, late, `BEGIN`, `INSERT INTO items VALUES (1, 'late')`)
	do(t, lost, `BEGIN`, `INSERT INTO items VALUES (2, 'lost')`)
	exec(t, h.dsn, `INSERT INTO items SELECT n, 'x' FROM generate_series(10, 12) n`)
	h.want("before", seen{"10": "x", "11": "x", "12": "x"})
	do(t, late, `COMMIT`)
	do(t, lost, `ROLLBACK`)
	h.want("after", seen{"1": "late"})
	h.want("in the end", seen{})
}

// Guards SKIP LOCKED in Ack, and held: a transaction that has touched a pending row neither waits for Ack nor holds it
// up, nor does the row come again with every poll.
func TestTriggerAckNeverWaits(t *testing.T) {
	h := newHooked(t, plainItems)
	exec(t, h.dsn, `INSERT INTO items SELECT n, 'x' FROM generate_series(1, 3) n`)
	app := connect(t, h.dsn)
	for _, end := range []string{`ROLLBACK`, `COMMIT`} {
		p := h.page(h.at, 10)
		if len(p.Changes) != 3 {
			t.Fatalf("%d changes", len(p.Changes))
		}
		do(t, app, `BEGIN`, `UPDATE items SET v = 'mine' WHERE id = 2`)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := h.s.Ack(ctx, h.r, p.Next); err != nil {
			t.Fatal(err)
		}
		cancel()
		h.at = p.Next
		h.want("while the transaction is open", seen{})
		do(t, app, `UPDATE items SET v = 'mine' WHERE id = 1`, end)
		if end == `COMMIT` {
			h.want("after the commit", seen{"1": "mine", "2": "mine"})
		}
		exec(t, h.dsn, `UPDATE items SET v = 'x'`)
	}
}

// Transactions that touch different rows never meet in the change table, whatever their isolation; nor does who touches
// a row that was read and acknowledged meanwhile.
func TestTriggerWritersDoNotMeet(t *testing.T) {
	for _, level := range []string{"READ COMMITTED", "REPEATABLE READ"} { // in tables of one page, SERIALIZABLE meets itself without triggers, too
		h := newHooked(t, plainItems)
		exec(t, h.dsn, `INSERT INTO items SELECT n, 'x' FROM generate_series(1, 4) n`)
		h.drain(10)
		exec(t, h.dsn, `UPDATE items SET v = 'pending' WHERE id = 4`)
		a, b := connect(t, h.dsn), connect(t, h.dsn)
		for i, conn := range []*pgx.Conn{a, b} {
			do(t, conn, `SET lock_timeout = '10s'`, `BEGIN ISOLATION LEVEL `+level, fmt.Sprintf(`UPDATE items SET v = 'a' WHERE id = %d`, i+1))
		}
		h.want("what is committed", seen{"4": "pending"}) // deletes the row of 4, which b is to touch
		do(t, a, `INSERT INTO items VALUES (11, 'a')`, `DELETE FROM items WHERE id = 3`)
		do(t, b, `INSERT INTO items VALUES (12, 'b')`, `UPDATE items SET v = 'b' WHERE id = 4`, `COMMIT`)
		do(t, a, `COMMIT`)
		h.want(level, seen{"1": "a", "2": "a", "3": "gone", "4": "b", "11": "a", "12": "b"})
	}
}

func TestTriggerSeesEveryWayToWrite(t *testing.T) {
	h := newHooked(t, plainItems+`; CREATE TABLE parent (id int PRIMARY KEY); ALTER TABLE items ADD parent int REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL`)
	exec(t, h.dsn, `INSERT INTO parent VALUES (1), (2)`)
	for _, step := range []struct {
		sql  string
		want seen
	}{
		{`INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 2)`, seen{"1": "a", "2": "b", "3": "c"}},
		{`INSERT INTO items VALUES (1, 'A'), (4, 'd') ON CONFLICT (id) DO UPDATE SET v = excluded.v`, seen{"1": "A", "4": "d"}},
		{`MERGE INTO items USING (VALUES (1), (5)) x(id) ON items.id = x.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (x.id, 'e')`, seen{"1": "gone", "5": "e"}},
		{`UPDATE items SET id = id + 10 WHERE id > 3`, seen{"4": "gone", "5": "gone", "14": "d", "15": "e"}},
		{`DELETE FROM parent WHERE id = 1`, seen{"2": "gone"}}, // a foreign key's doing
		{`UPDATE parent SET id = 7 WHERE id = 2`, seen{"3": "c"}},
		{`DELETE FROM items WHERE id = 14; INSERT INTO items VALUES (14, 'again')`, seen{"14": "again"}},
		{`SET session_replication_role = replica; UPDATE items SET v = 'r' WHERE id = 15`, seen{"15": "r"}},
		{`UPDATE items SET v = 'none' WHERE false`, seen{}},
		{`WITH d AS (DELETE FROM items WHERE id = 3 RETURNING *), i AS (INSERT INTO items VALUES (30, 'i')) UPDATE items SET v = 'u' WHERE id = 14`, seen{"3": "gone", "30": "i", "14": "u"}},
	} {
		exec(t, h.dsn, step.sql)
		h.want(step.sql, step.want)
	}
}

// Guards the copy of the key's types, and the order of its columns, for keys of all kinds; also names that need care.
func TestTriggerKeys(t *testing.T) {
	long := strings.Repeat("länger", 12)[:60]
	for name, c := range map[string]struct {
		key, other string
		keys       []string
		values     []string
	}{
		"text":       {`k text COLLATE "C"`, "", nil, []string{`'ä'`, `'a "b'`, `''`, `'NULL'`, `'{a,b}'`, `'a\b'`}},
		"uuid":       {"k uuid", "", nil, []string{"gen_random_uuid()", "gen_random_uuid()"}},
		"timestamp":  {"k timestamptz", "", nil, []string{"'2026-11-23 10:00:00.123456+02'", "'2026-11-23 10:00:00+00'"}},
		"numeric":    {"k numeric(20,4)", "", nil, []string{"1.5", "-2", "1e10"}},
		"char":       {"k char(5)", "", nil, []string{"'ab'", "'abcde'"}},
		"bytea":      {"k bytea", "", nil, []string{`'\x00ff'`, `''`}},
		"bool, date": {"k bool, k2 date", ", k2", nil, []string{"true, '2026-01-01'", "false, '2026-01-01'"}},
		"composite":  {"k int, k2 text, k3 smallint", ", k2, k3", nil, []string{"1, 'a', 1", "1, 'b', 1", "2, 'a', 0"}},
		"domain":     {"k solid", "", nil, []string{"'a'", "'b'"}},
		"enum":       {"k mood", "", nil, []string{"'sad'", "'glad'"}},
		"names":      {`"K ""x"" $lockstep$" int, "` + long + `" int`, `, "` + long + `"`, []string{`K "x" $lockstep$`, long}, []string{"1, 2", "2, 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			first := "k"
			if c.keys != nil {
				first = `"K ""x"" $lockstep$"`
			}
			h := newHooked(t, `CREATE DOMAIN solid AS text NOT NULL CHECK (value <> ''); CREATE TYPE mood AS ENUM ('sad', 'glad');
				CREATE TABLE items (`+c.key+`, v text, PRIMARY KEY (`+first+c.other+`))`)
			for i, v := range c.values {
				exec(t, h.dsn, fmt.Sprintf(`INSERT INTO items VALUES (%s, 'v%d')`, v, i))
			}
			keys := slices.Sorted(maps.Keys(h.drain(1)))
			if len(keys) != len(c.values) {
				t.Fatalf("seen were %q", keys)
			}
			exec(t, h.dsn, `UPDATE items SET v = 'w'`)
			after := h.drain(2)
			scanned, err := h.s.Fetch(t.Context(), h.r, keys)
			if err != nil || len(scanned) != len(keys) || !slices.Equal(slices.Sorted(maps.Keys(after)), keys) {
				t.Errorf("seen were %q, then %v; fetched %d, %v", keys, after, len(scanned), err)
			}
			exec(t, h.dsn, `DELETE FROM items`)
			for key, v := range h.drain(2) {
				if v != "gone" || !slices.Contains(keys, key) {
					t.Errorf("%q is %q after all was deleted", key, v)
				}
			}
		})
	}
}

func table(fields ...any) map[string]lockstep.Settings {
	s := lockstep.Settings{}
	for i := 0; i < len(fields); i += 2 {
		s[fields[i].(string)] = fields[i+1]
	}
	return map[string]lockstep.Settings{"items": s}
}

// Guards DISTINCT, and that a page does not end among rows that share a key.
func TestTriggerDoubledAndNullKeys(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (k int, v text); CREATE INDEX ON items (k)`, "streams", table("key", []string{"k"}))
	exec(t, h.dsn, `INSERT INTO items VALUES (1, 'a'), (1, 'b'), (NULL, 'c'), (2, 'd'), (2, 'e')`)
	p := h.page(h.at, 3)
	if len(p.Changes) != 2 || p.Changes[0].Record.Key != "1" || p.Changes[1].Record.Key != "1" || !p.More {
		t.Fatalf("page %+v", p)
	}
	h.want("all", seen{"1": "b", "2": "e"})
	exec(t, h.dsn, `DELETE FROM items WHERE v IN ('a', 'c')`, `UPDATE items SET k = NULL WHERE v = 'd'`, `UPDATE items SET k = 3 WHERE k IS NULL`)
	h.want("after", seen{"1": "b", "2": "e", "3": "d"})
}

func TestTriggerConditionAndSoftDelete(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (id int PRIMARY KEY, v text, live bool, removed timestamptz)`, "streams", table("where", "live"))
	h.r.Track.Deleted = "removed"
	exec(t, h.dsn, `INSERT INTO items VALUES (1, 'a', true, NULL), (2, 'b', false, NULL), (3, 'c', true, now())`)
	h.want("inserted", seen{"1": "a", "2": "gone", "3": "gone"})
	exec(t, h.dsn, `UPDATE items SET live = NOT live WHERE id < 3`)
	h.want("turned", seen{"1": "gone", "2": "b"})
}

// Guards the epoch, the count in the change table's own row, and the look at the triggers.
func TestTriggerNoticesWhatBroke(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		want lockstep.Code
	}{
		"stream truncated":       {`TRUNCATE items`, lockstep.CodePosition},
		"change table truncated": {`TRUNCATE lockstep_items`, lockstep.CodeNotTracked},
		"change table dropped":   {`DROP TABLE lockstep_items`, lockstep.CodeNotTracked},
		"restored":               {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation - 2 WHERE id IS NULL`, lockstep.CodePosition},
		"acked by somebody":      {`UPDATE lockstep_items SET lockstep_generation = lockstep_generation + 1 WHERE id IS NULL`, lockstep.CodePosition},
		"trigger dropped":        {`DROP TRIGGER lockstep_items_u ON items`, lockstep.CodeNotTracked},
		"trigger disabled":       {`ALTER TABLE items DISABLE TRIGGER lockstep_items_d`, lockstep.CodeNotTracked},
		"all disabled":           {`ALTER TABLE items DISABLE TRIGGER ALL`, lockstep.CodeNotTracked},
		"stream made anew":       {`DROP TABLE items; ` + plainItems, lockstep.CodeNotTracked},
		"key retyped":            {`DROP TRIGGER lockstep_items_k ON items; ALTER TABLE items ALTER id TYPE bigint`, lockstep.CodeNotTracked},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t, plainItems)
			for _, v := range []string{"1", "2", "3"} {
				exec(t, h.dsn, `INSERT INTO items VALUES (`+v+`)`)
				h.drain(10)
			}
			exec(t, h.dsn, c.sql)
			h.s = open(t, lockstep.Settings{"dsn": h.dsn}).(source) // what was discovered is a matter of another test
			h.wantFault(name, c.want)
			if c.want == lockstep.CodePosition {
				return
			}
			h.install()
			h.wantFault("installed anew", lockstep.CodePosition)
			h.at = h.page(nil, 10).Next
			exec(t, h.dsn, `INSERT INTO items VALUES (9, 'x')`)
			h.want("installed anew", seen{"9": "x"})
		})
	}
}

func dump(t *testing.T, dsn string) string {
	t.Helper()
	bin, err := pgserver.Bin()
	if err != nil {
		t.Skip(err)
	}
	var out []byte
	for _, options := range [][]string{{"--restrict-key=x"}, nil} { // older ones do not know it, and write none
		if out, err = command.Command(filepath.Join(bin, "pg_dump"), append(options, "--schema-only", "-d", dsn)...).Output(); err == nil {
			return string(out)
		}
	}
	t.Fatalf("pg_dump: %v", err)
	return ""
}

func TestTriggerLeavesNothingBehind(t *testing.T) {
	for name, create := range map[string]string{
		"plain":       plainItems,
		"partitioned": `CREATE TABLE items (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF items FOR VALUES FROM (0) TO (100); CREATE TABLE high PARTITION OF items DEFAULT`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testkit.Postgres(t)
			exec(t, dsn, create)
			before := dump(t, dsn)
			h := hook(t, dsn)
			other := h.r
			other.Track.Name = "Second, with a name that is longer than PostgreSQL allows; " + strings.Repeat("x", 50)
			if _, err := h.s.Install(t.Context(), other, false); err != nil {
				t.Fatal(err)
			}
			streams, err := h.s.Streams(t.Context())
			if err != nil || len(streams) != 1 {
				t.Errorf("streams %v, %v", streams, err)
			}
			exec(t, dsn, `INSERT INTO items VALUES (1, 'a'), (200, 'b')`, `UPDATE items SET id = id + 150 WHERE id = 1`, `DELETE FROM items WHERE id = 200`)
			h.want("writes", seen{"1": "gone", "151": "a", "200": "gone"})
			for _, r := range []lockstep.Read{h.r, other} {
				if _, err := h.s.Remove(t.Context(), r, false); err != nil {
					t.Fatal(err)
				}
			}
			if after := dump(t, dsn); after != before {
				t.Errorf("left behind:\n%s", after)
			}
		})
	}
}

func TestTriggerRemoveWithoutTheStream(t *testing.T) {
	h := newHooked(t, plainItems)
	exec(t, h.dsn, `DROP TABLE items`)
	if script, err := h.s.Remove(t.Context(), h.r, false); err != nil || script == "" {
		t.Errorf("%q, %v", script, err)
	}
}

func TestTriggerRights(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, plainItems)
	tracker, asTracker := testkit.Role(t, dsn)
	app, asApp := testkit.Role(t, dsn)
	exec(t, dsn, `GRANT SELECT, UPDATE ON items TO `+tracker, `GRANT INSERT, UPDATE, SELECT ON items TO `+app)
	s := open(t, lockstep.Settings{"dsn": asTracker}).(source)
	r := lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Trigger}}
	for _, grant := range []string{"TRIGGER on", "CREATE on"} {
		_, err := s.Install(t.Context(), r, false)
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeRights || !strings.Contains(err.Error(), grant) {
			t.Errorf("without the right to %s: %v", grant, err)
		}
		exec(t, dsn, `GRANT TRIGGER ON items TO `+tracker)
	}
	// Whoever has the rights can run the script; the tracker can use what it made.
	script, err := s.Install(t.Context(), r, true)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, dsn, script)
	h := &hooked{T: t, s: s, r: r, dsn: dsn}
	h.at = h.page(nil, 10).Next
	exec(t, asApp, `INSERT INTO items VALUES (1, 'app')`) // which has no right to the change table
	h.want("by the application", seen{"1": "app"})
	conn := connect(t, asApp)
	if _, err := conn.Exec(t.Context(), `DELETE FROM lockstep_items`); err == nil {
		t.Error("the application may write to the change table")
	}
	if _, err := s.Install(t.Context(), r, false); err != nil {
		t.Error(err)
	}
}

func TestTriggerOnAView(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE base (id int PRIMARY KEY, v text); CREATE VIEW items AS SELECT * FROM base`)
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": table("key", []string{"id"})}).(source)
	r := lockstep.Read{Stream: "items", Track: lockstep.Track{By: lockstep.Trigger}}
	_, err := s.Install(t.Context(), r, true)
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeCannot {
		t.Errorf("Install: %v", err)
	}
	_, err = s.Changes(t.Context(), r, nil, lockstep.Limit{})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeCannot {
		t.Errorf("Changes: %v", err)
	}
}

// Guards that whoever listens anew reads before it waits: what was notified while nobody heard would be missed.
func TestTriggerWaitSurvivesABrokenConnection(t *testing.T) {
	h := newHooked(t, plainItems)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := h.s.Wait(ctx, h.r, h.at); err != nil { // begins to listen
		t.Fatal(err)
	}
	h.drain(10)
	exec(t, h.dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`)
	exec(t, h.dsn, `INSERT INTO items VALUES (1, 'unheard')`)
	for ctx.Err() == nil {
		if err := h.s.Wait(ctx, h.r, h.at); err == nil {
			break
		}
	}
	h.want("after the wait", seen{"1": "unheard"})
	woken := make(chan error)
	go func() {
		for { // what remains of the notifications before
			err := h.s.Wait(ctx, h.r, h.at)
			if p, failed := h.s.Changes(ctx, h.r, h.at, lockstep.Limit{Rows: 1}); err != nil || failed != nil || len(p.Changes) > 0 {
				woken <- err
				return
			}
		}
	}()
	exec(t, h.dsn, `INSERT INTO items VALUES (2, 'heard')`)
	if err := <-woken; err != nil {
		t.Error(err)
	}
}

// A record that is too large is parked once, by its key, and its neighbours go on.
func TestTriggerAndFlagTooLarge(t *testing.T) {
	h := newHooked(t, `CREATE TABLE items (id int PRIMARY KEY, v text, changed boolean)`)
	exec(t, h.dsn, `INSERT INTO items VALUES (1, 'a', true), (2, repeat('x', 3000000), true), (3, 'c', true)`)
	for _, by := range []lockstep.Track{h.r.Track, {By: lockstep.Flag, Field: "changed"}} {
		h.r.Track = by
		if by.By == lockstep.Flag {
			h.at = h.page(nil, 10).Next
		}
		limit := lockstep.Limit{Rows: 10, Bytes: 100_000}
		for more := true; more; {
			p, err := h.s.Changes(t.Context(), h.r, h.at, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Changes {
				if large := c.Record.Key == "2"; large != (c.Fault != nil) || large && c.Fault.Code != lockstep.CodeTooLarge {
					t.Errorf("%s: %s %v", by.By, c.Record.Key, c.Fault)
				}
			}
			h.ack(p.Next)
			h.at, more = p.Next, len(p.Changes) > 0
		}
	}
	if got := h.drain(10); len(got) != 0 {
		t.Errorf("%v came again", got)
	}
}

// A transaction of 1,000,000 rows: the triggers must neither fill the memory nor take an unreasonable time.
func TestTriggerMillionRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const rows = 1_000_000
	h := newHooked(t, plainItems)
	start := time.Now()
	exec(t, h.dsn, fmt.Sprintf(`BEGIN; INSERT INTO items SELECT n, 'x' FROM generate_series(1, %d) n; UPDATE items SET v = 'y' WHERE id %% 10 = 0; COMMIT`, rows))
	t.Logf("written: %s", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	if n := len(h.drain(5000)); n != rows {
		t.Errorf("%d of %d rows seen", n, rows)
	}
	t.Logf("read and acknowledged: %s", time.Since(start).Round(time.Millisecond))
	if left := h.drain(10); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
}
