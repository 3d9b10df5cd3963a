package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/sqlite"
)

// An API gives pages of a hundred records: what a page costs besides its records must not make a full sync slow.
func BenchmarkFullSyncByPages(b *testing.B) {
	const n = 100_000
	for _, rows := range []int{100, 2000} {
		b.Run(fmt.Sprintf("pages of %d", rows), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b, flowDef{name: "products"})
				w.adjust = func(f *Flow) { f.Page = lockstep.Limit{Rows: rows, Bytes: 4 << 20} }
				commits := 0
				s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{Hook: func(p string) {
					if p == sqlite.PointCommitted {
						commits++
					}
				}})
				if err != nil {
					b.Fatal(err)
				}
				e := w.engine(s)
				for i := range n {
					w.put("products", i, "a name of some forty characters, as it is", "1.00")
				}
				b.StartTimer()
				for _, what := range []string{"first", "unchanged"} {
					began, before := time.Now(), commits
					if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(time.Since(began).Seconds(), what+"-s")
					b.ReportMetric(float64(commits-before), what+"-commits")
				}
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
		})
	}
}
