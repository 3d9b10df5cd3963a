package postgres_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The rows of docs/performance.md: about 1 kB each.
const benchTable = `CREATE TABLE products (id bigint PRIMARY KEY, sku text NOT NULL UNIQUE, name text NOT NULL, description text, price numeric(12,4),
	attrs jsonb, is_changed boolean NOT NULL, version bigint NOT NULL, updated_at timestamptz NOT NULL)`

const benchFill = `INSERT INTO products SELECT n, 'SKU-' || lpad(n::text, 9, '0'), 'Product number ' || n || ' with a usual name', repeat('A plain description of ' || n || '. ', 14),
	(n % 100000) / 100.0, jsonb_build_object('color', 'red', 'size', n % 50, 'tags', jsonb_build_array('a', 'b', n), 'text', repeat('x', 200)), n % 2 = 0, n,
	'2026-01-01'::timestamptz + n * interval '1.000001 seconds' FROM generate_series(1, 50000) n`

const benchRows = 50_000

var benchFields = []string{"id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at"}

func benchOpen(b *testing.B, statements ...string) *postgres.System {
	dsn := testkit.Postgres(b)
	exec(b, dsn, statements...)
	s, err := postgres.Connector.Open(b.Context(), lockstep.Settings{"dsn": dsn, "pool": int64(2)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s.(*postgres.System)
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, rows int, used time.Duration) {
	b.ReportMetric(float64(used.Nanoseconds())/float64(rows), "cpu-ns/row")
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func scanAll(b *testing.B, s *postgres.System, r lockstep.Read, each func([]lockstep.Change)) int {
	n := 0
	for from := lockstep.Position(nil); ; {
		page, err := s.Scan(b.Context(), r, from, lockstep.Limit{Rows: 2000, Bytes: 4 << 20})
		if err != nil {
			b.Fatal(err)
		}
		n += len(page.Changes)
		if each != nil {
			each(page.Changes)
		}
		if from = page.Next; !page.More {
			return n
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := benchOpen(b, benchTable, benchFill, "ANALYZE products")
	b.ReportAllocs()
	start, rows := cpu(), 0
	for b.Loop() {
		rows += scanAll(b, s, lockstep.Read{Stream: "products", Fields: benchFields}, nil)
	}
	report(b, rows, cpu()-start)
}

func BenchmarkLightScan(b *testing.B) {
	s := benchOpen(b, benchTable, benchFill, "ANALYZE products")
	b.ReportAllocs()
	start, rows := cpu(), 0
	for b.Loop() {
		rows += scanAll(b, s, lockstep.Read{Stream: "products", Track: lockstep.Track{By: lockstep.Timestamp, Field: "updated_at"}}, nil)
	}
	report(b, rows, cpu()-start)
}

// BenchmarkApply merges rows that are there already; BenchmarkApplyEmpty copies into an empty table.
func BenchmarkApply(b *testing.B) { benchApply(b, false) }

func BenchmarkApplyEmpty(b *testing.B) { benchApply(b, true) }

func benchApply(b *testing.B, empty bool) {
	dsn := testkit.Postgres(b)
	exec(b, dsn, benchTable, benchFill)
	s, err := postgres.Connector.Open(b.Context(), lockstep.Settings{"dsn": dsn})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	sys := s.(*postgres.System)
	var batches [][]lockstep.Write
	scanAll(b, sys, lockstep.Read{Stream: "products", Fields: benchFields}, func(changes []lockstep.Change) {
		writes := make([]lockstep.Write, len(changes))
		for i, c := range changes {
			writes[i] = lockstep.Write{Key: c.Record.Key, Fields: c.Record.Fields}
		}
		batches = append(batches, writes)
	})
	b.ReportAllocs()
	rows, used := 0, time.Duration(0)
	for b.Loop() {
		target := sys
		if empty {
			b.StopTimer()
			exec(b, dsn, "TRUNCATE products")
			again, err := postgres.Connector.Open(b.Context(), lockstep.Settings{"dsn": dsn})
			if err != nil {
				b.Fatal(err)
			}
			target = again.(*postgres.System)
			b.StartTimer()
		}
		start := cpu()
		for _, writes := range batches {
			if _, err := target.Apply(b.Context(), "products", writes); err != nil {
				b.Fatal(err)
			}
		}
		used += cpu() - start
		rows += benchRows
		if empty {
			_ = target.Close()
		}
	}
	report(b, rows, used)
}

// BenchmarkFetch reads records by key, a page at a time.
func BenchmarkFetch(b *testing.B) {
	s := benchOpen(b, benchTable, benchFill, "ANALYZE products")
	var keys []lockstep.Key
	scanAll(b, s, lockstep.Read{Stream: "products"}, func(changes []lockstep.Change) {
		for _, c := range changes {
			keys = append(keys, c.Record.Key)
		}
	})
	b.ReportAllocs()
	start, rows := cpu(), 0
	for i := 0; b.Loop(); i++ {
		at := i * 1000 % benchRows
		got, err := s.Fetch(b.Context(), lockstep.Read{Stream: "products", Fields: benchFields}, keys[at:at+1000])
		if err != nil || len(got) != 1000 {
			b.Fatal(len(got), err)
		}
		rows += len(got)
	}
	report(b, rows, cpu()-start)
}
