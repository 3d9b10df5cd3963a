package binlog

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// texts are an examination's remarks, one on a line.
func (b *bench) examine() string {
	b.Helper()
	found, err := b.server.Examine(b.Context(), b.name, "t")
	if err != nil {
		b.Fatal(err)
	}
	var s strings.Builder
	for _, f := range found {
		s.WriteString(f.Level + ": " + f.What + "\n")
	}
	return s.String()
}

func (b *bench) wantRemark(want string) {
	b.Helper()
	if got := b.examine(); !strings.Contains(got, want) {
		b.Errorf("got\n%swant %q", got, want)
	}
}

func TestExamine(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, place POINT, v INT AS (id + 1) VIRTUAL")
	if got := b.examine(); strings.Contains(got, "error") || strings.Contains(got, "warning") {
		t.Errorf("of a server and a table that are fit: %s", got)
	}
	b.wantRemark("ok: the log can be read")
	b.wantRemark("looked at by a query: place, v")
	b.exec("CREATE TABLE parent (id INT PRIMARY KEY)", "ALTER TABLE t ADD COLUMN p INT, ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE")
	b.wantRemark("warning: what these foreign keys change in the table by themselves (CASCADE, SET NULL) is not in the log: fk")
	b.exec("ALTER TABLE t ADD COLUMN c TEXT COMPRESSED")
	b.wantRemark("error: column c is compressed")
	for _, s := range []struct{ name, value, want string }{
		{"binlog_format", "STATEMENT", "error: binlog_format is STATEMENT"},
		{"binlog_row_image", "MINIMAL", "error: binlog_row_image is MINIMAL"},
		{"binlog_row_metadata", "MINIMAL", "warning: the log has no names"},
		{"expire_logs_days", "3", "note: the server keeps its log for 3 days"},
	} {
		var old string
		if err := b.db.QueryRow("SELECT @@GLOBAL." + s.name).Scan(&old); err != nil {
			t.Fatal(err)
		}
		if err := b.server.Ready(t.Context()); err != nil {
			t.Errorf("of a server that is fit: %v", err)
		}
		b.exec("SET GLOBAL " + s.name + " = " + s.value)
		b.wantRemark(s.want)
		err := b.server.Ready(t.Context())
		if wrong := strings.HasPrefix(s.want, "error"); wrong != (lockstep.FaultOf(err) != nil && lockstep.FaultOf(err).Code == lockstep.CodeNotTracked) {
			t.Errorf("%s = %s: %v", s.name, s.value, err)
		}
		if s.name == "expire_logs_days" {
			old = "0"
		}
		b.exec("SET GLOBAL " + s.name + " = " + old)
	}
}

func TestRightsAreNamed(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	name, dsn := testkit.MariaUser(t, b.maria.DSN(b.name))
	b.exec("GRANT SELECT ON " + b.name + ".* TO " + name)
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxIdleConns(-1) // sessions keep the rights they began with
	user := strings.Split(name, "'")[1]
	b.server = &Server{DB: db, Address: Address{Network: "unix", Address: b.maria.Socket(), User: user, Password: "secret-" + user}}
	b.wantRemark("error: the log cannot be read: LS-RIGHTS")
	b.exec("GRANT REPLICATION SLAVE ON *.* TO " + name)
	b.wantRemark("ok: the log can be read")
	b.wantRemark("note: it cannot be seen")
	b.exec("GRANT BINLOG MONITOR ON *.* TO " + name)
	if got := b.examine(); strings.Contains(got, "cannot be seen") {
		t.Error(got)
	}
	b.server.Address.Password = "wrong"
	b.wantRemark("error: the log cannot be read: LS-LOGIN")
}

func TestAServerWithoutALog(t *testing.T) {
	maria := own(t, map[string]string{"skip_log_bin": "1"})
	b := beginOn(t, maria, "id INT PRIMARY KEY")
	if _, err := b.page(nil, 1); lockstep.FaultOf(err).Code != lockstep.CodeNotTracked {
		t.Errorf("%v, want LS-NOT-TRACKED", err)
	}
	b.wantRemark("error: log_bin must be on")
	if err := b.server.Ready(t.Context()); lockstep.FaultOf(err).Code != lockstep.CodeNotTracked {
		t.Errorf("%v, want LS-NOT-TRACKED", err)
	}
}
