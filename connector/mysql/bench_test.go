package mysql_test

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

// The rows of docs/performance.md: about 1 kB each.
const benchTable = `CREATE TABLE products (id bigint PRIMARY KEY, sku varchar(64) NOT NULL UNIQUE, name varchar(255) NOT NULL, description text, price decimal(12,4),
	attrs json, is_changed boolean NOT NULL, version bigint NOT NULL, updated_at timestamp(6) NOT NULL) DEFAULT CHARACTER SET utf8mb4`

const benchFill = `INSERT INTO products SELECT seq, CONCAT('SKU-', LPAD(seq, 9, '0')), CONCAT('Product number ', seq, ' with a usual name'), REPEAT(CONCAT('A plain description of ', seq, '. '), 14),
	seq % 100000 / 100, JSON_OBJECT('color', 'red', 'size', seq % 50, 'tags', JSON_ARRAY('a', 'b', seq), 'text', REPEAT('x', 200)), seq % 2 = 0, seq,
	'2026-01-01' + INTERVAL seq * 1000001 MICROSECOND FROM seq_1_to_50000`

const benchRows = 50_000

var benchFields = []string{"id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at"}

func benchOpen(b *testing.B, statements ...string) (system, string) {
	dsn := testkit.MariaDB(b)
	exec(b, dsn, statements...)
	return open(b, lockstep.Settings{"dsn": dsn, "pool": int64(2)}), dsn
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

func scanAll(b *testing.B, s system, r lockstep.Read, each func([]lockstep.Change)) (n int) {
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
	s, _ := benchOpen(b, benchTable, benchFill)
	b.ReportAllocs()
	start, rows := cpu(), 0
	for b.Loop() {
		rows += scanAll(b, s, lockstep.Read{Stream: "products", Fields: benchFields}, nil)
	}
	report(b, rows, cpu()-start)
}

// BenchmarkRawRead is the limit for BenchmarkScan: one SELECT by the driver, thrown away.
func BenchmarkRawRead(b *testing.B) {
	_, dsn := benchOpen(b, benchTable, benchFill)
	conn, err := connect(b, dsn).Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	start, n := cpu(), 0
	for b.Loop() {
		_ = conn.Raw(func(c any) error {
			rows, err := c.(driver.QueryerContext).QueryContext(b.Context(), "SELECT * FROM products", nil)
			if err != nil {
				b.Fatal(err)
			}
			cells := make([]driver.Value, len(rows.Columns()))
			for rows.Next(cells) == nil {
				n++
			}
			return rows.Close()
		})
	}
	report(b, n, cpu()-start)
}

// BenchmarkApply writes over rows that are there; BenchmarkApplyEmpty loads an empty table; BenchmarkApplyNew adds to one
// that is not.
func BenchmarkApply(b *testing.B) { benchApply(b, "there") }

func BenchmarkApplyEmpty(b *testing.B) { benchApply(b, "empty") }

func BenchmarkApplyNew(b *testing.B) { benchApply(b, "new") }

// BenchmarkApplySome sets some fields of rows that are there: a join with the values.
func BenchmarkApplySome(b *testing.B) { benchApply(b, "some") }

func benchApply(b *testing.B, how string) {
	source, dsn := benchOpen(b, benchTable, benchFill)
	table := strings.Replace(benchTable, "products", "copies", 1)
	exec(b, dsn, table)
	var batches [][]lockstep.Write
	scanAll(b, source, lockstep.Read{Stream: "products", Fields: benchFields}, func(changes []lockstep.Change) {
		batch := make([]lockstep.Write, len(changes))
		for i, c := range changes {
			batch[i] = lockstep.Write{Key: c.Record.Key, Fields: c.Record.Fields}
			if how == "some" {
				price, _ := c.Record.Fields.Get("price")
				batch[i].Fields = value.F("price", price, "version", 7)
			}
		}
		batches = append(batches, batch)
	})
	if how == "there" || how == "some" {
		exec(b, dsn, "INSERT INTO copies SELECT * FROM products")
	}
	rows, start := 0, cpu()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		switch how {
		case "empty":
			exec(b, dsn, "TRUNCATE copies")
		case "new":
			exec(b, dsn, "TRUNCATE copies", "INSERT INTO copies SELECT * FROM products LIMIT 1", "UPDATE copies SET id = -1, sku = ''")
		case "there":
			exec(b, dsn, fmt.Sprintf("UPDATE copies SET version = -%d", n))
		}
		s := open(b, lockstep.Settings{"dsn": dsn})
		b.StartTimer()
		for _, batch := range batches {
			results, err := s.Apply(b.Context(), "copies", batch)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range results {
				if r.Err != nil {
					b.Fatal(r.Err)
				}
			}
			rows += len(batch)
		}
	}
	report(b, rows, cpu()-start)
}

// BenchmarkRawLoad is the limit for BenchmarkApplyEmpty: the same rows as a file that the server loads.
func BenchmarkRawLoad(b *testing.B) {
	_, dsn := benchOpen(b, benchTable, benchFill)
	exec(b, dsn, strings.Replace(benchTable, "products", "copies", 1))
	dir := testkit.MariaServer(b).Dir()
	exec(b, dsn, "SELECT * FROM products INTO OUTFILE '"+dir+"/"+strings.ReplaceAll(b.Name(), "/", "")+".tsv'")
	rows, start := 0, cpu()
	for b.Loop() {
		b.StopTimer()
		exec(b, dsn, "TRUNCATE copies")
		b.StartTimer()
		exec(b, dsn, "LOAD DATA INFILE '"+dir+"/"+strings.ReplaceAll(b.Name(), "/", "")+".tsv' INTO TABLE copies CHARACTER SET utf8mb4")
		rows += benchRows
	}
	report(b, rows, cpu()-start)
}
