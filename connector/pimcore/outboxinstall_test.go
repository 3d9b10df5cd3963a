package pimcore

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func codeOf(err error) lockstep.Code {
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f.Code
	}
	return ""
}

// made are the tables and triggers that are ours.
func (b *boxed) made() (names []string) {
	b.Helper()
	rows, err := b.db.QueryContext(b.Context(), "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_COMMENT LIKE 'lockstep%' UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()")
	b.do(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		b.do(rows.Scan(&name))
		names = append(names, name)
	}
	b.do(rows.Err())
	return names
}

func (b *boxed) wantFault(what string, want lockstep.Code) {
	b.Helper()
	_, err := b.sys.Changes(b.Context(), b.r, b.at, lockstep.Limit{Rows: 10})
	if codeOf(err) != want {
		b.Errorf("%s: %v, want %s", what, err, want)
	}
}

// Installing is safe to repeat, shows what it would do, and leaves nothing behind; two names do not touch each other.
func TestOutboxInstallAndRemove(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	two := b.r
	two.Track.Name = "second"
	call := func(what string, do func() (string, error), empty bool) {
		t.Helper()
		if script, err := do(); err != nil || (script == "") != empty {
			t.Errorf("%s: %v, %q", what, err, script)
		}
	}
	install := func(r lockstep.Read, dry bool) func() (string, error) {
		return func() (string, error) { return b.sys.Install(t.Context(), r, dry) }
	}
	remove := func(r lockstep.Read, dry bool) func() (string, error) {
		return func() (string, error) { return b.sys.Remove(t.Context(), r, dry) }
	}
	call("again", install(b.r, false), true)
	one := len(b.made())
	call("dry", install(two, true), false)
	call("second", install(two, false), false)
	if n := len(b.made()); n != 2*one {
		t.Errorf("there are %d of ours, and were %d", n, one)
	}
	p, err := b.sys.Changes(t.Context(), two, nil, lockstep.Limit{})
	b.do(err)
	id := b.single(0)
	b.do(b.srv.Save(id, map[string]any{"price": 1.0}))
	b.want("the first", "price", map[int]string{id: "1"})
	if p, err = b.sys.Changes(t.Context(), two, p.Next, lockstep.Limit{Rows: 9}); err != nil || len(p.Changes) != 1 {
		t.Errorf("the second: %v, %v", p.Changes, err)
	}
	call("remove, dry", remove(two, true), false)
	call("remove", remove(two, false), false)
	call("remove again", remove(two, false), true)
	b.do(b.srv.Save(id, map[string]any{"price": 2.0}))
	b.want("the first, after the second is gone", "price", map[int]string{id: "2"})
	if n := len(b.made()); n != one {
		t.Errorf("there are %d of ours, and were %d", n, one)
	}
	call("remove the first", remove(b.r, false), false)
	if left := b.made(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	b.do(b.srv.Save(id, nil))
	b.wantFault("without it", lockstep.CodeNotTracked)
	b.install()
	b.wantFault("an older position", lockstep.CodePosition)
}

func TestOutboxNoticesWhatBroke(t *testing.T) {
	for name, c := range map[string]struct {
		do   []string
		anew bool // seen by a process that begins
		want lockstep.Code
	}{
		"a trigger of objects is gone":  {[]string{"DROP TRIGGER %[1]s_u"}, false, lockstep.CodeNotTracked},
		"the table is gone":             {[]string{"DROP TRIGGER %[1]s_i", "DROP TABLE %[1]s"}, false, lockstep.CodeNotTracked},
		"it was emptied":                {[]string{"DELETE FROM %[1]s"}, false, lockstep.CodeNotTracked},
		"another epoch":                 {[]string{"UPDATE %[1]s SET lockstep_epoch = 'x' WHERE lockstep_own = 1"}, false, lockstep.CodePosition},
		"somebody else acknowledged":    {[]string{"UPDATE %[1]s SET lockstep_generation = 9 WHERE lockstep_own = 1"}, false, lockstep.CodePosition},
		"a class was rebuilt":           {[]string{"CREATE TABLE anew LIKE object_query_PR", "DROP TABLE object_query_PR", "RENAME TABLE anew TO object_query_PR"}, true, lockstep.CodeNotTracked},
		"a language is new":             {[]string{"CREATE TABLE object_localized_query_PR_sl LIKE object_localized_query_PR_de"}, true, lockstep.CodeNotTracked},
		"the class has another id":      {[]string{"UPDATE classes SET id = 'CA2' WHERE id = 'CA'", "UPDATE classes SET id = 'CA' WHERE id = 'PR'"}, true, lockstep.CodeNotTracked},
		"the class is gone":             {[]string{"DELETE FROM classes WHERE id = 'PR'"}, true, lockstep.CodeNoStream},
		"it is another database":        {[]string{"SET foreign_key_checks = 0", "RENAME TABLE objects TO others"}, true, lockstep.CodeConfig},
		"views are made anew: no fault": {[]string{"CREATE OR REPLACE VIEW object_PR AS SELECT * FROM object_query_PR JOIN objects ON id = oo_id", "ALTER TABLE object_query_PR ADD added int"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoxed(t, sandbox.Options{})
			box := b.boxName()
			for _, statement := range c.do {
				if strings.HasPrefix(statement, "RENAME TABLE objects") { // triggers forbid it
					for _, made := range b.made() {
						if made != box {
							run(t, b.db, "DROP TRIGGER "+made)
						}
					}
				}
				if strings.Contains(statement, "%") {
					statement = fmt.Sprintf(statement, box)
				}
				run(t, b.db, statement)
			}
			if c.anew {
				b.sys = b.open("dsn", b.dsn)
			}
			b.wantFault(name, c.want)
			if c.want != lockstep.CodeNotTracked {
				return
			}
			b.install()
			b.wantFault("a position of before", lockstep.CodePosition)
			if b.page(nil, 1).Next == nil {
				t.Error("it is not tracked after all")
			}
		})
	}
}

func TestOutboxRights(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	_, err := b.sys.Remove(t.Context(), b.r, false)
	b.do(err)
	name, asUser := testkit.MariaUser(t, b.dsn)
	database := b.dsn[strings.LastIndex(b.dsn, "/")+1:]
	run(t, b.db, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON `"+database+"`.* TO "+name)
	b.sys = b.open("dsn", asUser)
	secret := asUser[strings.Index(asUser, ":")+1 : strings.Index(asUser, "@")]
	for _, c := range []struct{ do, want, doctor string }{
		{"SET GLOBAL log_bin_trust_function_creators = OFF", "log_bin_trust_function_creators", "GRANT TRIGGER ON"},
		{"SET GLOBAL log_bin_trust_function_creators = ON", "rights CREATE", "GRANT TRIGGER ON"},
	} {
		run(t, b.db, c.do)
		_, err := b.sys.Install(t.Context(), b.r, false)
		if codeOf(err) != lockstep.CodeRights || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", c.do, err)
		}
		if left := b.made(); len(left) > 0 {
			t.Errorf("what could not be finished is left behind: %q", left)
		}
		if said := b.doctor(); !strings.Contains(said, c.doctor) || strings.Contains(said, secret) {
			t.Errorf("doctor says %s", said)
		}
	}
	run(t, b.db, "GRANT TRIGGER ON `"+database+"`.* TO "+name, "SET GLOBAL log_bin_trust_function_creators = OFF")
	b.sys = b.open("dsn", asUser)
	if said := b.doctor(); !strings.Contains(said, "log_bin_trust_function_creators") {
		t.Errorf("doctor says %s", said)
	}
	run(t, b.db, "SET GLOBAL log_bin_trust_function_creators = ON")
	b.install()
	run(t, b.db, "SET GLOBAL log_bin_trust_function_creators = OFF")
	b.at = b.page(nil, 1).Next
	id := b.single(0)
	b.do(b.srv.Save(id, map[string]any{"price": 5.0}))
	b.want("with all rights", "price", map[int]string{id: "5"})
	if said := b.doctor(); !strings.Contains(said, "ok: the outbox") || !strings.Contains(said, "refer to") {
		t.Errorf("doctor says %s", said)
	}
}

func (b *boxed) doctor() string {
	b.Helper()
	found, err := b.sys.Examine(b.Context(), b.r)
	b.do(err)
	var out strings.Builder
	for _, f := range found {
		fmt.Fprintf(&out, "%s: %s %s\n", f.Level, f.What, f.Next)
	}
	return out.String()
}

func TestOutboxIsNotMadeOverOthers(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	box := b.boxName()
	_, err := b.sys.Remove(t.Context(), b.r, false)
	b.do(err)
	run(t, b.db, "CREATE TABLE "+box+" (precious int)")
	if _, err := b.sys.Install(t.Context(), b.r, false); codeOf(err) != lockstep.CodeConfig {
		t.Errorf("%v", err)
	}
	if script, err := b.sys.Remove(t.Context(), b.r, false); err != nil || script != "" {
		t.Errorf("%q, %v", script, err)
	}
}

func TestOutboxNeedsADatabase(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3})
	r := lockstep.Read{Stream: "Product", Track: lockstep.Track{By: lockstep.Trigger}}
	if _, err := st.sys.Changes(t.Context(), r, nil, lockstep.Limit{}); codeOf(err) != lockstep.CodeConfig {
		t.Errorf("%v", err)
	}
	if _, err := st.sys.Install(t.Context(), r, true); codeOf(err) != lockstep.CodeConfig {
		t.Errorf("%v", err)
	}
	_, err := Connector.Open(t.Context(), lockstep.Settings{"url": st.url, "api_key": st.srv.Key(), "dsn": "mysql://user:hunter2@[::1/pim"})
	if codeOf(err) != lockstep.CodeConfig || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// Where the key is another field, what changed is seen, and a delete is left to others.
func TestOutboxByAnotherKey(t *testing.T) {
	b := newBoxed(t, sandbox.Options{}, "classes", map[string]lockstep.Settings{"Product": {"key": "sku"}})
	one, other := b.single(0), b.single(1)
	b.do(b.srv.Save(one, map[string]any{"price": 6.0}))
	b.do(b.srv.Delete(other))
	p := b.page(b.at, 10)
	o, _ := b.srv.Get(one)
	if len(p.Changes) != 1 || string(p.Changes[0].Record.Key) != o.Values["sku"] {
		t.Errorf("%+v", p.Changes)
	}
	b.ack(p.Next)
	if p = b.page(p.Next, 10); len(p.Changes) > 0 {
		t.Errorf("%+v", p.Changes)
	}
	if said := b.doctor(); !strings.Contains(said, "deletes cannot be resolved") {
		t.Errorf("doctor says %s", said)
	}
}

// Objects that GraphQL may not show are hints: each is looked at by itself.
func TestOutboxHiddenObjects(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	one, other := b.single(0), b.single(1)
	o, _ := b.srv.Get(one)
	b.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: o.Fullpath}})
	b.do(b.srv.Save(one, map[string]any{"price": 6.0}))
	b.do(b.srv.Save(other, map[string]any{"price": 7.0}))
	if got := b.drain("price"); !maps.Equal(got, map[int]string{one: "look", other: "7"}) {
		t.Errorf("%v", got)
	}
	if _, err := b.sys.Fetch(t.Context(), b.r, []lockstep.Key{key(one)}); codeOf(err) != lockstep.CodeHidden {
		t.Errorf("%v", err)
	}
}

// Variants that do not belong to the stream are passed over, and acknowledged.
func TestOutboxWithoutVariants(t *testing.T) {
	b := newBoxed(t, sandbox.Options{}, "classes", map[string]lockstep.Settings{"Product": {"variants": false, "inherits": false}})
	parent, variants := b.family()
	b.do(b.srv.Save(variants[0], map[string]any{"price": 6.0}))
	b.do(b.srv.Save(parent, map[string]any{"price": 7.0}))
	b.want("no variants", "price", map[int]string{parent: "7"})
	var left int
	b.do(b.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+b.boxName()+" WHERE lockstep_own = 0").Scan(&left))
	if left != 0 {
		t.Errorf("%d rows are left", left)
	}
}

// A page of many is read in parts, and ends.
func TestOutboxManyPages(t *testing.T) {
	b := newBoxed(t, sandbox.Options{Products: 40})
	want := map[int]string{}
	for _, id := range b.srv.IDs("Product") {
		b.do(b.srv.Save(id, map[string]any{"price": float64(id)}))
		want[id] = strconv.Itoa(id)
	}
	b.want("all", "price", want)
}
