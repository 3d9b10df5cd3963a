package binlog

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// A transaction stands in the log before others see it: here for as long as the server waits for a replica that never
// answers. What a page tells must be what a query shows: whoever looks at the record would find the old one, and take
// the change for nothing new. And a place that is made meanwhile must lie before it, for a scan that follows does not
// see it either.
func TestPageWaitsUntilOthersSeeIt(t *testing.T) {
	maria := own(t, map[string]string{"rpl_semi_sync_master_enabled": "ON", "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
		"rpl_semi_sync_master_timeout": "1500", "rpl_semi_sync_master_wait_no_slave": "ON"})
	root := open(t, maria, "")
	set := func(statement string) {
		t.Helper()
		if _, err := root.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	set("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
	b := beginOn(t, maria, "id INT PRIMARY KEY")
	b.exec("INSERT INTO t VALUES (1), (2)")
	from := b.now()
	for _, made := range []bool{false, true} {
		set("SET GLOBAL rpl_semi_sync_master_enabled = OFF") // it gives up behind each time
		set("SET GLOBAL rpl_semi_sync_master_enabled = ON")
		done := make(chan error, 1)
		go func() {
			_, err := b.db.Exec("DELETE FROM t WHERE id = ?", map[bool]int{false: 1, true: 2}[made])
			done <- err
		}()
		if made { // a place that is made while it stands in the log
			time.Sleep(300 * time.Millisecond)
			from = b.now()
		}
		var got []lockstep.Change
		at := from
		for range 50 {
			p, err := b.page(at, 10)
			if err != nil {
				t.Fatal(err)
			}
			got, at = p.Changes, p.Next
			if from = at; len(got) > 0 {
				break
			}
		}
		if len(got) != 1 {
			t.Fatalf("the log tells of %d changes (the place was made meanwhile: %v)", len(got), made)
		}
		for _, c := range got {
			var there int
			if err := root.QueryRow("SELECT count(*) FROM "+b.name+".t WHERE id = ?", string(c.Record.Key)).Scan(&there); err != nil {
				t.Fatal(err)
			}
			if there != 0 {
				t.Errorf("the log tells that %s is gone while others still see it", c.Record.Key)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
