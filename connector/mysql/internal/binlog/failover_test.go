package binlog

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// Another server takes over. What it has, too, is gone on with; what it never got is lost.
func TestFailover(t *testing.T) {
	port := freePort(t)
	primary := own(t, map[string]string{"skip_networking": "0", "bind_address": "127.0.0.1", "port": port, "server_id": "11"})
	replica := own(t, map[string]string{"log_slave_updates": "ON", "server_id": "12"})
	b := beginOn(t, primary, "id INT PRIMARY KEY")
	b.exec("CREATE USER 'repl'@'127.0.0.1' IDENTIFIED BY 'secret'", "GRANT REPLICATION SLAVE ON *.* TO 'repl'@'127.0.0.1'")
	there := open(t, replica, "")
	if _, err := there.Exec("CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = " + port + ", MASTER_USER = 'repl', MASTER_PASSWORD = 'secret', MASTER_USE_GTID = slave_pos"); err != nil {
		t.Fatal(err)
	}
	if _, err := there.Exec("START SLAVE"); err != nil {
		t.Fatal(err)
	}
	from := b.now()
	b.exec("INSERT INTO t VALUES (1), (2), (3)", "INSERT INTO t VALUES (4)")
	p, err := b.page(from, 2) // in the middle of a transaction
	if err != nil || len(p.Changes) != 2 {
		t.Fatalf("%v, %v", p.Changes, err)
	}
	var end string
	if err := b.db.QueryRow("SELECT @@gtid_binlog_pos").Scan(&end); err != nil {
		t.Fatal(err)
	}
	var late int
	if err := there.QueryRow("SELECT MASTER_GTID_WAIT(?, 30)", end).Scan(&late); err != nil || late != 0 {
		t.Fatalf("the replica does not follow: %d, %v", late, err)
	}
	if _, err := there.Exec("STOP SLAVE"); err != nil {
		t.Fatal(err)
	}
	whole, _ := b.all(p.Next, 10)
	b.exec("INSERT INTO t VALUES (5)")
	_, ahead := b.all(p.Next, 10) // a place that the replica does not have

	b.db, b.server = open(t, replica, b.name), &Server{Address: Address{Network: "unix", Address: replica.Socket(), User: "root"}}
	b.reopen()
	b.exec("INSERT INTO t VALUES (6)", "INSERT INTO t VALUES (7)")
	got, next := b.all(p.Next, 10)
	if want := fmt.Sprint(append(whole, "+6", "+7")); fmt.Sprint(got) != want {
		t.Errorf("the replica went on with %v, want %s", got, want)
	}
	b.exec("INSERT INTO t VALUES (8)")
	b.want(next, "+8")
	b.reopen()
	if _, err := b.page(ahead, 10); lockstep.KindOf(err) != lockstep.Lost {
		t.Errorf("%v, want a fault of kind lost", err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
