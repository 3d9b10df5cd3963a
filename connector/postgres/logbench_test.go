package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func logBench(b *testing.B) (*postgres.System, string, lockstep.Read, lockstep.Position) {
	dsn := testkit.Postgres(b)
	exec(b, dsn, benchTable)
	sys, err := postgres.Connector.Open(b.Context(), lockstep.Settings{"dsn": dsn})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sys.Close() })
	s := sys.(*postgres.System)
	r := lockstep.Read{Stream: "products", Fields: benchFields, Track: lockstep.Track{By: lockstep.Log}}
	if _, err := s.Install(b.Context(), r, false); err != nil {
		b.Fatal(err)
	}
	page, err := s.Changes(b.Context(), r, nil, lockstep.Limit{Rows: 1})
	if err != nil {
		b.Fatal(err)
	}
	return s, dsn, r, page.Next
}

// BenchmarkLogTransaction reads one transaction of 50,000 rows in pages.
func BenchmarkLogTransaction(b *testing.B) {
	s, dsn, r, at := logBench(b)
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		exec(b, dsn, `DELETE FROM products`)
		at = logDrain(b, s, r, at, benchRows)
		exec(b, dsn, benchFill)
		b.StartTimer()
		before := cpu()
		at = logDrain(b, s, r, at, benchRows)
		used += cpu() - before
	}
	report(b, benchRows*b.N, used)
}

func logDrain(b *testing.B, s *postgres.System, r lockstep.Read, at lockstep.Position, most int) lockstep.Position {
	n := 0
	for {
		page, err := s.Changes(b.Context(), r, at, lockstep.Limit{Rows: 2000, Bytes: 4 << 20})
		if err != nil {
			b.Fatal(err)
		}
		n += len(page.Changes)
		at = page.Next
		if err := s.Ack(b.Context(), r, at); err != nil {
			b.Fatal(err)
		}
		if n > most {
			b.Fatalf("%d changes", n)
		}
		if !page.More {
			return at
		}
	}
}

// BenchmarkLogLatency is the time from the start of an INSERT to its row on a page, while 5,000 rows a second are
// written, each in a transaction of its own or five at a time.
func BenchmarkLogLatency(b *testing.B) {
	for _, together := range []int{1, 5} {
		b.Run(fmt.Sprintf("%d rows a transaction", together), func(b *testing.B) { logLatency(b, together) })
	}
}

func logLatency(b *testing.B, together int) {
	s, dsn, r, at := logBench(b)
	const total, perSecond = 25_000, 5_000
	begun := make([]time.Time, total+1)
	ended := make([]time.Time, total+1)
	for b.Loop() {
		var wg sync.WaitGroup
		const writers = 2
		for w := range writers {
			conn := connect(b, dsn)
			wg.Go(func() {
				tick := time.NewTicker(4 * time.Millisecond)
				defer tick.Stop()
				next := w*total/writers + 1
				for due := 0.0; next <= (w+1)*total/writers; {
					<-tick.C
					for due += perSecond / writers * 0.004; due >= float64(together) && next <= (w+1)*total/writers; due -= float64(together) {
						now := time.Now()
						for i := range together {
							begun[next+i] = now
						}
						if _, err := conn.Exec(b.Context(), `INSERT INTO products SELECT n, n::text, 'name', 'text', 1, '{}', true, 1, now() FROM generate_series($1::int, $2::int) n`, next, next+together-1); err != nil {
							b.Error(err)
							return
						}
						next += together
					}
				}
			})
		}
		pages := 0
		for seen := 0; seen < total; pages++ {
			page, err := s.Changes(b.Context(), r, at, lockstep.Limit{Rows: 1000, Bytes: 4 << 20})
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			for _, c := range page.Changes {
				id, _ := c.Record.Fields.Get("id")
				ended[id.Int()] = now
			}
			seen += len(page.Changes)
			at = page.Next
			if err := s.Ack(b.Context(), r, at); err != nil {
				b.Fatal(err)
			}
			if !page.More {
				limit, cancel := context.WithTimeout(b.Context(), time.Second)
				_ = s.Wait(limit, r, at)
				cancel()
			}
		}
		wg.Wait()
		took := make([]time.Duration, 0, total)
		for i := 1; i <= total; i++ {
			took = append(took, ended[i].Sub(begun[i]))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[total/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(took[total*99/100].Microseconds()), "p99-us")
		b.ReportMetric(float64(pages), "pages")
		exec(b, dsn, `DELETE FROM products`)
		at = logDrain(b, s, r, at, total)
	}
}
