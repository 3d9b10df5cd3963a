package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
)

const benchTable = `CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT, price DECIMAL_TEXT(12,4),
	attrs JSON_TEXT, is_changed BOOLEAN NOT NULL, version INTEGER NOT NULL, updated_at TIMESTAMPTZ NOT NULL)`

const benchFill = `INSERT INTO products WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)
	SELECT n, printf('SKU-%09d', n), 'Product number ' || n || ' with a usual name', replace(hex(zeroblob(200)), '00', 'ab'), printf('%.4f', n / 100.0),
	json_object('color', 'red', 'size', n % 50, 'text', replace(hex(zeroblob(120)), '00', 'xy')), n % 2, n, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch') FROM c`

func benchSystem(b *testing.B) lockstep.System {
	path := filepath.Join(b.TempDir(), "bench.db")
	exec(b, path, "PRAGMA journal_mode = WAL", benchTable, benchFill)
	s, err := sqlite.Connector.Open(b.Context(), lockstep.Settings{"path": path})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func benchPages(b *testing.B, s lockstep.System) [][]lockstep.Write {
	r := lockstep.Read{Stream: "products", Fields: []string{"id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at"}}
	var batches [][]lockstep.Write
	for from := lockstep.Position(nil); ; {
		page, err := s.(lockstep.Scanner).Scan(b.Context(), r, from, lockstep.Limit{Rows: 2000, Bytes: 4 << 20})
		if err != nil {
			b.Fatal(err)
		}
		writes := make([]lockstep.Write, len(page.Changes))
		for i, c := range page.Changes {
			writes[i] = lockstep.Write{Key: c.Record.Key, Fields: c.Record.Fields}
		}
		batches = append(batches, writes)
		if from = page.Next; !page.More {
			return batches
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := benchSystem(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		benchPages(b, s)
		n += 20000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkApply(b *testing.B) {
	s := benchSystem(b)
	batches := benchPages(b, s)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, writes := range batches {
			if _, err := s.(lockstep.Target).Apply(b.Context(), "products", writes); err != nil {
				b.Fatal(err)
			}
			n += len(writes)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
