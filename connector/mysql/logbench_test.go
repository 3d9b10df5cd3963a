package mysql_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// BenchmarkLog reads rows of one transaction from the binary log, in pages.
func BenchmarkLog(b *testing.B) {
	const rows = 200_000
	s := benchLogged(b)
	from := s.now(b)
	exec(b, s.dsn, fmt.Sprintf("INSERT INTO t SELECT seq, CONCAT('name ', seq), seq, seq / 7, NOW(6) FROM seq_1_to_%d", rows))
	for b.Loop() {
		n := 0
		for at := from; n < rows; {
			p, err := s.src.Changes(b.Context(), s.read, at, lockstep.Limit{Rows: 5000, Bytes: 8 << 20})
			if err != nil {
				b.Fatal(err)
			}
			n, at = n+len(p.Changes), p.Next
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkLogLatency is the time from the begin of an INSERT to its change in hand.
func BenchmarkLogLatency(b *testing.B) {
	s := benchLogged(b)
	at := s.now(b)
	db := connect(b, s.dsn)
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		begin := time.Now()
		done := make(chan error, 1)
		go func() {
			for {
				if err := s.src.(lockstep.Waiter).Wait(b.Context(), s.read, at); err != nil {
					done <- err
					return
				}
				p, err := s.src.Changes(b.Context(), s.read, at, lockstep.Limit{Rows: 100, Bytes: 1 << 20})
				if at = p.Next; err != nil || len(p.Changes) > 0 {
					done <- err
					return
				}
			}
		}()
		if _, err := db.Exec("INSERT INTO t VALUES (?, 'a', 1, 1, NOW())", i); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "µs-p99")
}

type benchLog struct {
	dsn  string
	src  lockstep.Source
	read lockstep.Read
}

func benchLogged(b *testing.B) *benchLog {
	b.Helper()
	s := &benchLog{dsn: testkit.MariaDB(b)}
	exec(b, s.dsn, "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(100), qty INT, price DECIMAL(12,2), changed DATETIME(6))")
	s.src = open(b, lockstep.Settings{"dsn": s.dsn, "statement_timeout": time.Minute})
	s.read = lockstep.Read{Stream: "t", Fields: []string{"id", "name", "qty", "price", "changed"}, Track: lockstep.Track{By: lockstep.Log}}
	return s
}

func (s *benchLog) now(b *testing.B) lockstep.Position {
	b.Helper()
	p, err := s.src.Changes(b.Context(), s.read, nil, lockstep.Limit{})
	if err != nil {
		b.Fatal(err)
	}
	return p.Next
}
