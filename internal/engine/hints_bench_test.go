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

// Creates that come from hints pay for one more write of the store per batch: what is to be created is kept first.
func BenchmarkHintedCreates(b *testing.B) {
	for _, batch := range []int{1, 20, 500} {
		b.Run(fmt.Sprintf("batch %d", batch), func(b *testing.B) {
			const n = 5000
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b)
				w.adjust = func(f *Flow) { f.Batch, f.Page = batch, lockstep.Limit{Rows: 2000, Bytes: 4 << 20} }
				s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{})
				if err != nil {
					b.Fatal(err)
				}
				e := w.engine(s)
				keys := make([]lockstep.Key, n)
				for i := range n {
					w.put("products", i, "a name of some forty characters, as it is", "1.00")
					keys[i] = lockstep.Key(fmt.Sprint(i))
				}
				if err := s.Hint(context.Background(), "products", keys); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				began := time.Now()
				for done := 0; done < n; {
					m, fault, err := e.worker(e.flows[0], 0).deliver(context.Background())
					if err != nil || fault != nil {
						b.Fatal(err, fault)
					}
					done += m
				}
				b.ReportMetric(n/time.Since(began).Seconds(), "records/s")
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
		})
	}
}
