package postgres_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func (f *logged) install(dry bool) string {
	f.Helper()
	script, err := f.s.(lockstep.Installer).Install(f.Context(), f.r, dry)
	if err != nil {
		f.Fatal(err)
	}
	return script
}

func (f *logged) remove(dry bool) string {
	f.Helper()
	script, err := f.s.(lockstep.Installer).Remove(f.Context(), f.r, dry)
	if err != nil {
		f.Fatal(err)
	}
	return script
}

// left is all that an installation may leave behind.
const left = `SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) || ' slots, ' || (SELECT count(*) FROM pg_publication)
	|| ' publications, identity ' || string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class WHERE relname LIKE 'goods%' AND relkind IN ('r', 'p')`

func uninstalled(t *testing.T, settings lockstep.Settings, statements ...string) *logged {
	t.Helper()
	dsn := testkit.Postgres(t)
	exec(t, dsn, statements...)
	settings["dsn"] = dsn
	return &logged{T: t, s: open(t, settings), dsn: dsn, settings: settings,
		r: lockstep.Read{Stream: "goods", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Log}}}
}

func (f *logged) left(want string) {
	f.Helper()
	if got := f.one(left); got != want {
		f.Errorf("left is %s, want %s", got, want)
	}
}

func TestLogInstallTheScript(t *testing.T) {
	f := uninstalled(t, lockstep.Settings{}, goods)
	f.left("0 slots, 0 publications, identity goods d")
	script := f.install(true)
	f.left("0 slots, 0 publications, identity goods d")
	for _, part := range []string{"CREATE PUBLICATION", `FOR TABLE "public"."goods"`, "pg_create_logical_replication_slot"} {
		if !strings.Contains(script, part) {
			t.Errorf("the script lacks %s: %s", part, script)
		}
	}
	exec(t, f.dsn, strings.Split(strings.TrimSuffix(script, ";\n"), ";\n")...) // a person may run it
	if again := f.install(true); again != "" {
		t.Errorf("there would be more to do: %s", again)
	}
	f.left("1 slots, 1 publications, identity goods d")
	exec(t, f.dsn, strings.Split(strings.TrimSuffix(f.remove(true), ";\n"), ";\n")...)
	f.left("0 slots, 0 publications, identity goods d")
	if again := f.remove(false); again != "" {
		t.Errorf("there was more to take away: %s", again)
	}
}

// Old rows must hold the key. What was there before comes back, with the last that needs it.
func TestLogInstallReplicaIdentity(t *testing.T) {
	for name, test := range map[string]struct{ before, with, after string }{
		"no key at all":                {`CREATE TABLE goods (id int, v text)`, "f", "d"},
		"another key than the primary": {`CREATE TABLE goods (v text PRIMARY KEY, id int UNIQUE NOT NULL)`, "f", "d"},
		"a unique index without nulls": {`CREATE TABLE goods (id int UNIQUE NOT NULL, v text)`, "i", "d"},
		"a unique index with nulls":    {`CREATE TABLE goods (id int UNIQUE, v text)`, "f", "d"},
		"a primary key not to be used": {`CREATE TABLE goods (id int PRIMARY KEY, v text); ALTER TABLE goods REPLICA IDENTITY NOTHING`, "i", "n"},
		"an index over something else": {`CREATE TABLE goods (id int, v text UNIQUE NOT NULL); ALTER TABLE goods REPLICA IDENTITY USING INDEX goods_v_key`, "f", "i"},
		"full already":                 {`CREATE TABLE goods (id int, v text); ALTER TABLE goods REPLICA IDENTITY FULL`, "f", "f"},
		"the key within the primary":   {`CREATE TABLE goods (id int, v text, PRIMARY KEY (id, v))`, "d", "d"},
		"a name that must be quoted":   {`CREATE TABLE goods (id int, v text, CONSTRAINT "odd "" name" UNIQUE (v)); ALTER TABLE goods ALTER v SET NOT NULL; ALTER TABLE goods REPLICA IDENTITY USING INDEX "odd "" name"`, "f", "i"},
	} {
		t.Run(name, func(t *testing.T) {
			f := uninstalled(t, lockstep.Settings{"streams": map[string]lockstep.Settings{"goods": {"key": []string{"id"}}}}, strings.Split(test.before, "; ")...)
			f.exec(`INSERT INTO goods (id, v) VALUES (1, 'a'), (2, 'b')`)
			f.install(false)
			f.left("1 slots, 1 publications, identity goods " + test.with)
			if again := f.install(true); again != "" {
				t.Errorf("there would be more to do: %s", again)
			}
			at := f.now()
			f.exec(`UPDATE goods SET id = 3 WHERE id = 1`, `DELETE FROM goods WHERE id = 2`)
			got, _ := f.all(at)
			f.want(got, "delete 1", up(3, "a"), "delete 2")
			first := f.r
			f.r.Track.Name = "another"
			f.install(false)
			f.left("2 slots, 2 publications, identity goods " + test.with)
			second := f.r
			f.r = first
			f.remove(false)
			f.left("1 slots, 1 publications, identity goods " + test.with)
			f.r = second
			f.remove(false)
			f.left("0 slots, 0 publications, identity goods " + test.after)
		})
	}
}

func TestLogPartitioned(t *testing.T) {
	f := uninstalled(t, lockstep.Settings{"streams": map[string]lockstep.Settings{"goods": {"key": []string{"v"}}}}, `CREATE TABLE goods (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`,
		`CREATE TABLE goods_low PARTITION OF goods FOR VALUES FROM (0) TO (10)`, `CREATE TABLE goods_high (v text, id int NOT NULL)`,
		`ALTER TABLE goods ATTACH PARTITION goods_high FOR VALUES FROM (10) TO (20)`)
	f.install(false)
	f.left("1 slots, 1 publications, identity goods f, goods_high f, goods_low f")
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'a'), (11, 'b')`, `UPDATE goods SET id = 12 WHERE id = 1`, `UPDATE goods SET v = 'c' WHERE id = 11`, `DELETE FROM goods WHERE id = 12`)
	got, at := f.all(at)
	f.want(got, `upsert a {"id":1,"v":"a"}`, `upsert b {"id":11,"v":"b"}`, "delete a", `upsert a {"id":12,"v":"a"}`, "delete b", `upsert c {"id":11,"v":"c"}`, "delete a")
	f.exec(`TRUNCATE goods`)
	f.lost(at)
	f.remove(false)
	f.left("0 slots, 0 publications, identity goods d, goods_high d, goods_low d")
}

// A table that is gone leaves nothing behind either.
func TestLogRemoveWithoutTheTable(t *testing.T) {
	f := follow(t, goods)
	f.exec(`DROP TABLE goods`)
	f.remove(false)
	if got := f.one(`SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) || ' ' || (SELECT count(*) FROM pg_publication)`); got != "0 0" {
		t.Errorf("left are %s", got)
	}
}

// Remove ends the stream of a lockstep that runs.
func TestLogRemoveWhileSomebodyReads(t *testing.T) {
	f := follow(t, goods)
	_, _ = f.all(f.now())
	other := *f
	other.s = open(t, f.settings)
	other.remove(false)
	f.left("0 slots, 0 publications, identity goods d")
}

func TestLogTwoNames(t *testing.T) {
	f := follow(t, goods)
	a := f.r
	b := a
	b.Track.Name = "2nd Shop/ " + strings.Repeat("long ", 20)
	f.r = b
	f.install(false)
	atB := f.now()
	f.r = a
	atA := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'x')`)
	got, atA := f.all(atA)
	f.want(got, up(1, "x"))
	f.ack(atA)
	f.r = b
	got, _ = f.all(atB)
	f.want(got, up(1, "x"))
}

// A value larger than a page may hold is not held: its neighbours come, and it is a fault where it is wanted.
func TestLogTooLarge(t *testing.T) {
	f := followBy(t, lockstep.Settings{"max_record": int64(100_000)}, goods)
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'a', 'x'), (2, 'b', repeat('x', 1000000)), (3, 'c', repeat('x', 150000)), (4, 'd', 'y')`, `UPDATE goods SET v = 'e' WHERE id = 2`)
	got, at := f.all(at)
	f.want(got, up(1, "a"), up(2, "b"), up(3, "c"), up(4, "d"), up(2, "e"))
	f.r.Fields = []string{"id", "big"}
	f.exec(`INSERT INTO goods VALUES (5, 'a', 'x'), (6, 'b', repeat('x', 1000000)), (7, 'c', repeat('x', 150000)), (8, 'd', 'y')`, `UPDATE goods SET v = 'f' WHERE id = 2`)
	got, _ = f.all(at)
	f.want(got, `upsert 5 {"id":5,"big":"x"}`, "LS-TOO-LARGE 6", "LS-TOO-LARGE 7", `upsert 8 {"id":8,"big":"y"}`, "hint 2")
}

// Doctor says what is to be done, and what the tracker cannot see.
func TestLogExamine(t *testing.T) {
	f := uninstalled(t, lockstep.Settings{"streams": map[string]lockstep.Settings{"some": {"table": "goods", "where": "id > 0", "key": []string{"v"}}}},
		`CREATE TABLE goods (id int PRIMARY KEY, v text, twice int GENERATED ALWAYS AS (id * 2) STORED)`)
	say := func(want ...string) {
		t.Helper()
		findings, err := f.s.(lockstep.Examiner).Examine(t.Context(), f.r)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, one := range findings {
			all.WriteString(one.Level + ": " + one.What + ". " + one.Next + "\n")
		}
		for _, w := range want {
			if not, ok := strings.CutPrefix(w, "not "); strings.Contains(all.String(), not) == ok {
				t.Errorf("want %q in\n%s", w, all.String())
			}
		}
	}
	f.r.Fields = []string{"id", "twice"}
	say("ok: wal_level is logical", "error: the publication", "track install")
	f.install(false)
	say("not error", "generated column twice", "the replication slot holds back", "max_slot_wal_keep_size is not set", "not FULL")
	f.r.Stream = "some"
	say("error: the publication", "has a `where`")
	f.install(false)
	say("not error", "identity of \"public\".\"goods\" is FULL")
	f.exec(`ALTER TABLE goods REPLICA IDENTITY DEFAULT`)
	say("error: old rows")
	f.r.Stream = "goods"
	_, _ = f.all(f.now())
	say("reads the replication slot")
}
