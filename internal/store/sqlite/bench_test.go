package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// meter counts wall and processor time of the parts that are measured: on a busy machine the latter says more.
type meter struct{ wall, cpu time.Duration }

func (m *meter) time(f func()) {
	start, cpu := time.Now(), cpuTime()
	f()
	m.wall += time.Since(start)
	m.cpu += cpuTime() - cpu
}

func cpuTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (m *meter) report(b *testing.B, what string, n int) {
	b.ReportMetric(float64(n)/m.wall.Seconds(), what+"/s")
	b.ReportMetric(float64(m.cpu.Nanoseconds())/1e3/float64(n), what+"-cpu-µs")
}

// BenchmarkAppend appends pages of changes of about 1 kB.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openBench(b, Options{})
			n := 0
			var m meter
			for i := 0; b.Loop(); i++ {
				changes := products(n, size)
				from := place(i)
				if i == 0 {
					from = nil
				}
				m.time(func() { must(b, s.Append(b.Context(), "feed", from, changes, place(i+1), time.Time{})) })
				n += size
			}
			m.report(b, "rows", n)
		})
	}
}

// BenchmarkLeaseSettle leases a thousand and settles them as done, each with a link.
func BenchmarkLeaseSettle(b *testing.B) {
	for _, links := range []bool{false, true} {
		b.Run(fmt.Sprintf("links=%v", links), func(b *testing.B) {
			s := openBench(b, Options{})
			n := 0
			var m meter
			at := lockstep.Position(nil)
			for i := 0; b.Loop(); i++ {
				must(b, s.Append(b.Context(), "feed", at, products(n, 1000), place(i+1), time.Time{}))
				at = place(i + 1)
				m.time(func() { n += leaseSettle(b, s, links) })
			}
			m.report(b, "rows", n)
		})
	}
}

func leaseSettle(b *testing.B, s *Store, links bool) int {
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
	return len(ds)
}

func link(key lockstep.Key) *lockstep.Link {
	return &lockstep.Link{A: lockstep.End{Key: key}, B: lockstep.End{Key: key, Digest: "1:0123456789abcdef"}, Run: 1}
}

const manyLinks = 1_000_000

// fill saves links page by page as a full run does.
func fill(b testing.TB, s *Store, n int, other func(i int) lockstep.Key) (m meter) {
	r, err := s.StartRun(b.Context(), lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
	must(b, err)
	for from := 0; from < n; from += linkPage {
		links := make([]lockstep.Link, linkPage)
		for i := range links {
			links[i] = *link(lockstep.Key(key(from + i)))
			links[i].B.Key = other(from + i)
		}
		m.time(func() { must(b, s.SettlePage(b.Context(), "f", lockstep.PageEnd{Run: r, Links: links})) })
	}
	return m
}

const linkPage = 2000

// lookUp looks every link up in pages; at says which is the ith.
func lookUp(b testing.TB, s *Store, at func(i int) int) (m meter) {
	for from := 0; from < manyLinks; from += linkPage {
		keys := make([]lockstep.Key, linkPage)
		for i := range keys {
			keys[i] = lockstep.Key(key(at(from + i)))
		}
		m.time(func() {
			st, err := s.Links(b.Context(), "f", keys)
			must(b, err)
			if st[linkPage-1].Link.ID == 0 {
				b.Fatal("a link is missing")
			}
		})
	}
	return m
}

func scanAll(b testing.TB, s *Store) (m meter) {
	m.time(func() {
		for after := lockstep.Key(""); ; {
			page, err := s.ScanLinks(b.Context(), "f", after, linkPage)
			must(b, err)
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].A.Key
		}
	})
	return m
}

// BenchmarkLinks fills a million links, looks each up in the order of the keys and out of it, and scans them: with
// equal keys on both sides, and with keys that the target chose.
func BenchmarkLinks(b *testing.B) {
	for name, other := range map[string]func(int) lockstep.Key{
		"same":  func(i int) lockstep.Key { return lockstep.Key(key(i)) },
		"other": func(i int) lockstep.Key { return lockstep.Key(fmt.Sprint(i)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := openBench(b, Options{})
				for _, part := range []struct {
					what string
					m    meter
				}{
					{"insert", fill(b, s, manyLinks, other)},
					{"ordered", lookUp(b, s, func(i int) int { return i })},
					{"random", lookUp(b, s, func(i int) int { return i * 7919 % manyLinks })},
					{"scan", scanAll(b, s)},
				} {
					part.m.report(b, part.what, manyLinks)
				}
				must(b, s.Close())
			}
		})
	}
}
