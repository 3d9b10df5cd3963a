package file

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The Luma catalogue, with its lines of HTML: read, written to another folder, read again, nothing differs; and
// encoding/csv, which is not ours, reads the same of both files.
func TestLumaCatalogue(t *testing.T) {
	dir := filepath.Dir(testkit.Data(t, "luma-products.csv"))
	from := mustOpen(t, dir, map[string]lockstep.Settings{"luma-products": {"key": []string{"sku"}}})
	d, err := from.find("luma-products")
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range d.fields {
		fields = append(fields, f.Name)
	}
	source, err := scanAll(t, from, "luma-products", 300, fields...)
	if err != nil {
		t.Fatal(err)
	}
	if len(source) != 1994 {
		t.Fatalf("%d products, want 1994", len(source))
	}
	for _, name := range []string{"products.csv", "products.csv.gz", "products.jsonl"} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			to := mustOpen(t, out, map[string]lockstep.Settings{"products": {"pattern": name, "key": []string{"sku"}}})
			var writes []lockstep.Write
			for _, c := range source {
				if c.Fault != nil {
					t.Fatal(c.Fault)
				}
				writes = append(writes, lockstep.Write{Key: c.Record.Key, Fields: c.Record.Fields})
			}
			applyAll(t, to, "products", writes[:1000]...)
			applyAll(t, to, "products", writes[1000:]...)
			applyAll(t, to, "products", writes...) // law 5
			if err := to.Close(); err != nil {
				t.Fatal(err)
			}
			back, err := scanAll(t, to, "products", 300, fields...)
			if err != nil || len(back) != len(source) {
				t.Fatalf("%d products, %v", len(back), err)
			}
			for i, c := range back {
				if c.Fault != nil || c.Record.Key != source[i].Record.Key || !c.Record.Fields.Equal(source[i].Record.Fields) {
					t.Fatalf("product %q differs: %v", source[i].Record.Key, c.Fault)
				}
			}
			if name == "products.csv" {
				sameCSV(t, filepath.Join(dir, "luma-products.csv"), filepath.Join(out, name))
			}
		})
	}
}

func sameCSV(t *testing.T, a, b string) {
	t.Helper()
	x, y := stdCSV(t, a), stdCSV(t, b)
	if len(x) != len(y) {
		t.Fatalf("%d rows and %d", len(x), len(y))
	}
	for i := range x {
		for j := range x[i] {
			if x[i][j] != y[i][j] {
				t.Fatalf("row %d, %s: %q and %q", i, x[0][j], x[i][j], y[i][j])
			}
		}
	}
}

func stdCSV(t *testing.T, file string) [][]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
