package sqlite

import (
	"fmt"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// A category that 50,000 products are made from changes: what its capture costs, how long one lease holds others up that
// takes the news on, and how long all takes.
func BenchmarkNews(b *testing.B) {
	const many = 50_000
	s := openBench(b, Options{})
	must(b, s.Attach(b.Context(), []lockstep.FlowDef{{Name: "products", Set: "products"}, {Name: "categories", Feed: "feed", Set: "categories"}}))
	r, err := s.StartRun(b.Context(), lockstep.Run{Flow: "products", Kind: lockstep.FullRun})
	must(b, err)
	began := time.Now()
	for at := 0; at < many; at += 2000 {
		end := lockstep.PageEnd{Run: r}
		for i := range 2000 {
			end.Refs = append(end.Refs, lockstep.Refers{Key: lockstep.Key(fmt.Sprint("p", at+i)), To: []lockstep.Reference{{Ref: lockstep.Ref{Flow: "categories", Key: "17"}, Use: lockstep.Built}}})
		}
		must(b, s.SettlePage(b.Context(), "products", end))
	}
	saved := time.Since(began)
	for n := 0; b.Loop(); n++ {
		from := lockstep.Position(nil)
		if n > 0 {
			from = lockstep.Position(fmt.Sprint(n))
		}
		began := time.Now()
		must(b, s.Append(b.Context(), "feed", from, []lockstep.Change{{Record: lockstep.Record{Key: "17"}, Hint: true}}, lockstep.Position(fmt.Sprint(n+1)), time.Time{}))
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "append-ms")
		var longest time.Duration
		for {
			st, err := s.Status(b.Context(), "products")
			must(b, err)
			if st.Spreading == 0 {
				break
			}
			one := time.Now()
			_, err = s.Lease(b.Context(), "categories", 1, time.Minute)
			must(b, err)
			longest = max(longest, time.Since(one))
		}
		b.ReportMetric(float64(longest.Microseconds())/1000, "longest-lease-ms")
		b.ReportMetric(time.Since(began).Seconds(), "all-s")
	}
	b.ReportMetric(float64(saved.Microseconds())/many, "save-µs/record")
}
