package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var flowF = lockstep.FlowDef{Name: "f", Feed: "feed", Set: "f"}

func openBench(b testing.TB, opts Options) *Store {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "lockstep.db"), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	must(b, s.Attach(b.Context(), []lockstep.FlowDef{flowF}))
	return s
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// names are the fields of a product of about 1 kB.
var names = value.NewNames("sku", "name", "text", "price", "qty", "status", "weight", "color", "size", "note")

func product(i int) lockstep.Change {
	v := []value.Value{value.Text(key(i)), value.Text(fmt.Sprint("product ", i)), value.Text(strings.Repeat("lorem ipsum ", 70)),
		value.Float(12.5), value.Int(int64(i)), value.Int(1), value.Int(200), value.Text("red"), value.Text("XL"), value.Null}
	return lockstep.Change{Record: lockstep.Record{Key: lockstep.Key(key(i)), Fields: names.Fields(v), Version: "1"}}
}

func key(i int) string { return fmt.Sprintf("sku-%07d", i) }

func products(from, n int) []lockstep.Change {
	out := make([]lockstep.Change, n)
	for i := range out {
		out[i] = product(from + i)
	}
	return out
}

func place(i int) lockstep.Position { return lockstep.Position(fmt.Sprint(i)) }

func perSecond(b *testing.B, n int, took time.Duration) {
	b.ReportMetric(float64(n)/took.Seconds(), "rows/s")
}

// BenchmarkAppend appends pages of changes of about 1 kB.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openBench(b, Options{})
			n := 0
			var took time.Duration
			for i := 0; b.Loop(); i++ {
				changes := products(n, size)
				start := time.Now()
				from := place(i)
				if i == 0 {
					from = nil
				}
				must(b, s.Append(b.Context(), "feed", from, changes, place(i+1), time.Time{}))
				took += time.Since(start)
				n += size
			}
			perSecond(b, n, took)
		})
	}
}

// BenchmarkLeaseSettle leases a thousand and settles them as done, each with a link.
func BenchmarkLeaseSettle(b *testing.B) {
	for _, links := range []bool{false, true} {
		b.Run(fmt.Sprintf("links=%v", links), func(b *testing.B) {
			s := openBench(b, Options{})
			n := 0
			var took time.Duration
			at := lockstep.Position(nil)
			for i := 0; b.Loop(); i++ {
				must(b, s.Append(b.Context(), "feed", at, products(n, 1000), place(i+1), time.Time{}))
				at = place(i + 1)
				start := time.Now()
				ds, err := s.Lease(b.Context(), "f", 1000, time.Minute)
				must(b, err)
				outcomes := make([]lockstep.Outcome, len(ds))
				for i, d := range ds {
					outcomes[i] = lockstep.Outcome{Delivery: d, Verdict: lockstep.Done, Did: "created"}
					if links {
						outcomes[i].Link = link(d.Change.Record.Key)
					}
				}
				must(b, s.Settle(b.Context(), outcomes...))
				took += time.Since(start)
				n += len(ds)
			}
			perSecond(b, n, took)
		})
	}
}

func link(key lockstep.Key) *lockstep.Link {
	return &lockstep.Link{A: lockstep.End{Key: key}, B: lockstep.End{Key: key, Digest: "1:0123456789abcdef"}, Run: 1}
}

const manyLinks = 1_000_000

// fill saves links page by page as a full run does.
func fill(b testing.TB, s *Store, n int, other func(i int) lockstep.Key) time.Duration {
	r, err := s.StartRun(b.Context(), lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
	must(b, err)
	var took time.Duration
	for from := 0; from < n; from += 2000 {
		links := make([]lockstep.Link, 2000)
		for i := range links {
			links[i] = *link(lockstep.Key(key(from + i)))
			links[i].B.Key = other(from + i)
		}
		start := time.Now()
		must(b, s.SettlePage(b.Context(), "f", lockstep.PageEnd{Run: r, Links: links}))
		took += time.Since(start)
	}
	return took
}

func sameKey(i int) lockstep.Key { return lockstep.Key(key(i)) }

// BenchmarkLinks fills a million links, looks each up in the order of the keys and out of it, and scans them.
func BenchmarkLinks(b *testing.B) {
	for name, other := range map[string]func(int) lockstep.Key{"same": sameKey, "other": func(i int) lockstep.Key { return lockstep.Key(fmt.Sprint(i)) }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := openBench(b, Options{})
				report := func(what string, took time.Duration) {
					b.ReportMetric(float64(manyLinks)/took.Seconds(), what+"/s")
				}
				report("insert", fill(b, s, manyLinks, other))
				look := func(at func(i int) int) (took time.Duration) {
					for from := 0; from < manyLinks; from += 2000 {
						keys := make([]lockstep.Key, 2000)
						for i := range keys {
							keys[i] = lockstep.Key(key(at(from + i)))
						}
						start := time.Now()
						st, err := s.Links(context.Background(), "f", keys)
						must(b, err)
						took += time.Since(start)
						if st[1999].Link.ID == 0 {
							b.Fatal("a link is missing")
						}
					}
					return took
				}
				report("ordered", look(func(i int) int { return i }))
				report("random", look(func(i int) int { return i * 7919 % manyLinks }))
				start := time.Now()
				for after := lockstep.Key(""); ; {
					page, err := s.ScanLinks(context.Background(), "f", after, 2000)
					must(b, err)
					if len(page) == 0 {
						break
					}
					after = page[len(page)-1].A.Key
				}
				report("scan", time.Since(start))
				must(b, s.Close())
			}
		})
	}
}
