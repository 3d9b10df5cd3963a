package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The traps of the flag tracker. Each test names what it guards: without it, the test fails.

// newFlagged makes a stream "items" whose changes are found by the mark "changed".
func newFlagged(t *testing.T, create string, settings ...any) *hooked {
	dsn := testkit.Postgres(t)
	exec(t, dsn, create)
	all := lockstep.Settings{"dsn": dsn}
	for i := 0; i < len(settings); i += 2 {
		all[settings[i].(string)] = settings[i+1]
	}
	h := &hooked{T: t, s: open(t, all).(source), dsn: dsn,
		r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Flag, Field: "changed"}}}
	h.at = h.page(nil, 10).Next
	return h
}

const flaggedItems = `CREATE TABLE items (id int PRIMARY KEY, v text, changed boolean)`

// Guards the comparison of the row's version: by the key alone, a change before Ack would lose its mark.
func TestFlagRowChangedBeforeAck(t *testing.T) {
	for name, create := range map[string]string{
		"boolean":     flaggedItems,
		"number":      `CREATE TABLE items (id int PRIMARY KEY, v text, changed smallint)`,
		"partitioned": `CREATE TABLE items (id int PRIMARY KEY, v text, changed boolean) PARTITION BY HASH (id); CREATE TABLE a PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE b PARTITION OF items FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			on := "true"
			if name == "number" {
				on = "-1"
			}
			h := newFlagged(t, create)
			exec(t, h.dsn, `INSERT INTO items SELECT n, 'a', `+on+` FROM generate_series(1, 4) n`, `INSERT INTO items VALUES (9, 'unmarked', NULL)`)
			p := h.page(h.at, 10)
			exec(t, h.dsn, `UPDATE items SET v = 'b', changed = `+on+` WHERE id = 2`, `DELETE FROM items WHERE id = 3`, `VACUUM items`,
				`INSERT INTO items VALUES (3, 'new', `+on+`)`) // where the old one was, maybe
			h.ack(p.Next)
			h.at = p.Next
			h.want("after", seen{"2": "b", "3": "new"})
			h.want("in the end", seen{})
		})
	}
}

// Guards SKIP LOCKED: Ack waits for nobody, and the rows that somebody holds hide no others.
func TestFlagAckNeverWaits(t *testing.T) {
	h := newFlagged(t, flaggedItems)
	exec(t, h.dsn, `INSERT INTO items SELECT n, 'a', true FROM generate_series(1, 5) n`)
	app := connect(t, h.dsn)
	do(t, app, `BEGIN`, `UPDATE items SET v = 'b', changed = true WHERE id <= 2`)
	all := map[lockstep.Key]bool{}
	for range 6 {
		p := h.page(h.at, 2)
		for _, c := range p.Changes {
			all[c.Record.Key] = true
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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
}

// A view's rows are told by their version.
func TestFlagOnAView(t *testing.T) {
	create := `CREATE TABLE base (id int PRIMARY KEY, v text, changed boolean, rev int); CREATE VIEW items AS SELECT * FROM base`
	h := newFlagged(t, create, "streams", table("key", []string{"id"}, "version", "rev"))
	exec(t, h.dsn, `INSERT INTO base VALUES (1, 'a', true, 1), (2, 'b', true, NULL), (3, 'c', true, 7)`)
	p := h.page(h.at, 10)
	exec(t, h.dsn, `UPDATE base SET v = 'd', rev = 8 WHERE id = 3`)
	h.ack(p.Next)
	h.at = p.Next
	if got := h.drain(10); len(got) != 2 || got["2"] != "b" || got["3"] != "d" {
		t.Errorf("seen were %v", got)
	}
	dsn := testkit.Postgres(t)
	exec(t, dsn, create)
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": table("key", []string{"id"})}).(source)
	if _, err := s.Changes(t.Context(), h.r, nil, lockstep.Limit{}); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeCannot {
		t.Errorf("without a version: %v", err)
	}
}

// Guards what the trigger compares: an application that writes back all it once read, the mark too; a trigger that
// touches a time with every write, Ack's among them; a column that is computed.
func TestFlagTrigger(t *testing.T) {
	h := newFlagged(t, `CREATE TABLE items (id int PRIMARY KEY, v text, data json, changed boolean, updated_at timestamptz, twice int GENERATED ALWAYS AS (id * 2) STORED);
		CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
		CREATE TRIGGER "  first" BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
		CREATE TRIGGER zlast BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()`, "streams", table("fields", []string{"v", "changed"}))
	exec(t, h.dsn, `INSERT INTO items (id, v, changed) VALUES (1, 'before', false)`)
	h.install()
	h.want("what was there", seen{})
	for _, step := range []struct {
		sql  string
		want seen
	}{
		{`INSERT INTO items (id, v, data, changed) VALUES (2, 'a', '{}', false)`, seen{"2": "a"}},
		{`UPDATE items SET v = 'b', data = '{"a": 1}', changed = false WHERE id = 2`, seen{"2": "b"}},
		{`UPDATE items SET v = v, changed = false`, seen{}},
		{`UPDATE items SET changed = true WHERE id = 1`, seen{"1": "before"}},
		{`UPDATE items SET data = '{"a": 2}' WHERE id = 2`, seen{"2": "b"}}, // a column that is not of the stream
	} {
		exec(t, h.dsn, step.sql)
		h.want(step.sql, step.want)
		h.want("again", seen{})
	}
	if _, err := h.s.Remove(t.Context(), h.r, false); err != nil {
		t.Fatal(err)
	}
	exec(t, h.dsn, `UPDATE items SET v = 'c'`)
	h.want("without the trigger", seen{})
}

func TestFlagLeavesNothingBehind(t *testing.T) {
	h := newFlagged(t, flaggedItems)
	before := dump(t, h.dsn)
	h.install()
	trigger := h.r
	trigger.Track.By = lockstep.Trigger // one name serves both
	for _, r := range []lockstep.Read{trigger, h.r} {
		if _, err := h.s.Install(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []lockstep.Read{trigger, h.r} {
		if _, err := h.s.Remove(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
	}
	if after := dump(t, h.dsn); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

func TestFlagRights(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, flaggedItems, `INSERT INTO items VALUES (1, 'a', true)`)
	role, as := testkit.Role(t, dsn)
	exec(t, dsn, `GRANT SELECT ON items TO `+role)
	h := &hooked{T: t, s: open(t, lockstep.Settings{"dsn": as}).(source), dsn: dsn,
		r: lockstep.Read{Stream: "items", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Flag, Field: "changed"}}}
	h.at = h.page(nil, 10).Next
	p := h.page(h.at, 10)
	if err := h.s.Ack(t.Context(), h.r, p.Next); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeRights {
		t.Errorf("Ack without a right: %v", err)
	}
	exec(t, dsn, `GRANT UPDATE (changed) ON items TO `+role)
	h.want("with it", seen{"1": "a"})
	h.want("then", seen{})
}
