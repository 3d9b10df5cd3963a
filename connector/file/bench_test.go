package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// BenchmarkScan reads a file of 100,000 rows of about 200 bytes in pages of 1,000.
func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	var text strings.Builder
	text.WriteString("id,sku,name,price,qty,changed,note\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "%d,sku-%d,\"name, %d\",%d.50,%d,2026-01-02T03:04:05Z,%s\n", i, i, i, i%1000, i%50, strings.Repeat("some words ", 11))
	}
	file := filepath.Join(dir, "p.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	sys, err := Connector.Open(b.Context(), lockstep.Settings{"path": dir, "streams": map[string]lockstep.Settings{"p": {
		"key": []string{"id"}, "fields": []string{"id int", "sku", "name", "price decimal(12,2)", "qty int", "changed instant", "note"}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		var from lockstep.Position
		for {
			p, err := sys.(*System).Scan(b.Context(), lockstep.Read{Stream: "p", Fields: []string{"id", "sku", "name", "price", "qty", "changed", "note"}}, from, lockstep.Limit{Rows: 1000, Bytes: 8 << 20})
			if err != nil {
				b.Fatal(err)
			}
			rows += len(p.Changes)
			if from = p.Next; !p.More {
				break
			}
		}
		if rows != 100_000 {
			b.Fatal(rows)
		}
	}
}

// BenchmarkLoad writes 100,000 records in batches of 1,000 and folds them.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sys, err := Connector.Open(b.Context(), lockstep.Settings{"path": b.TempDir(), "streams": map[string]lockstep.Settings{"p": {
			"key": []string{"id"}, "fields": []string{"id int", "sku", "name", "price decimal(12,2)", "qty int"}}}})
		if err != nil {
			b.Fatal(err)
		}
		for from := 0; from < 100_000; from += 1000 {
			writes := make([]lockstep.Write, 1000)
			for i := range writes {
				n := from + i
				writes[i] = lockstep.Write{Key: lockstep.Key(fmt.Sprint(n)), Fields: value.F("id", n, "sku", fmt.Sprint("sku-", n), "name", strings.Repeat("n", 40), "price", n, "qty", 1)}
			}
			if _, err := sys.(*System).Apply(b.Context(), "p", writes); err != nil {
				b.Fatal(err)
			}
		}
		if err := sys.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
