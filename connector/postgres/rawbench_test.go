package postgres_test

import (
	"bytes"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// BenchmarkRawMerge is the limit that BenchmarkApply is held against: the same rows as ready-made COPY text through a
// staging table, in one transaction.
func BenchmarkRawMerge(b *testing.B) {
	dsn := testkit.Postgres(b)
	exec(b, dsn, benchTable, benchFill)
	conn := connect(b, dsn).PgConn()
	var text bytes.Buffer
	if _, err := conn.CopyTo(b.Context(), &text, "COPY products TO STDOUT"); err != nil {
		b.Fatal(err)
	}
	run := func(sql string) {
		if _, err := conn.Exec(b.Context(), sql).ReadAll(); err != nil {
			b.Fatal(err)
		}
	}
	run("CREATE TEMP TABLE stage ON COMMIT DELETE ROWS AS SELECT * FROM products WITH NO DATA")
	rows, start := 0, cpu()
	for b.Loop() {
		run("BEGIN")
		if _, err := conn.CopyFrom(b.Context(), bytes.NewReader(text.Bytes()), "COPY stage FROM STDIN"); err != nil {
			b.Fatal(err)
		}
		run(`INSERT INTO products SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET sku = excluded.sku, name = excluded.name, description = excluded.description,
			price = excluded.price, attrs = excluded.attrs, is_changed = excluded.is_changed, version = excluded.version, updated_at = excluded.updated_at`)
		run("COMMIT")
		rows += benchRows
	}
	report(b, rows, cpu()-start)
}

// BenchmarkRawCopyOut is the limit for BenchmarkScan: COPY … TO STDOUT, thrown away.
func BenchmarkRawCopyOut(b *testing.B) {
	dsn := testkit.Postgres(b)
	exec(b, dsn, benchTable, benchFill)
	conn := connect(b, dsn).PgConn()
	rows, start := 0, cpu()
	for b.Loop() {
		if _, err := conn.CopyTo(b.Context(), discard{}, "COPY products TO STDOUT"); err != nil {
			b.Fatal(err)
		}
		rows += benchRows
	}
	report(b, rows, cpu()-start)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
