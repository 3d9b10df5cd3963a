package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// scene is a piece of work in steps, and what must be seen after each of them.
type scene struct {
	steps []func(s *Store) error
}

// crashScene takes a change through all three atomic steps.
func crashScene(t *testing.T) scene {
	var ds []lockstep.Delivery
	var run lockstep.Run
	return scene{[]func(*Store) error{
		func(s *Store) error {
			return s.Append(t.Context(), "feed", nil, products(0, 3), place(1), time.Now())
		},
		func(s *Store) (err error) {
			ds, err = s.Lease(t.Context(), "f", 2, time.Minute)
			return err
		},
		func(s *Store) error {
			o := lockstep.Outcome{Delivery: ds[0], Verdict: lockstep.Done, Link: link(ds[0].Change.Record.Key)}
			return s.Settle(t.Context(), o, lockstep.Outcome{Delivery: ds[1], Verdict: lockstep.Park})
		},
		func(s *Store) error {
			return s.Append(t.Context(), "feed", place(1), products(1, 9), place(2), time.Now())
		},
		func(s *Store) (err error) {
			run, err = s.StartRun(t.Context(), lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
			return err
		},
		func(s *Store) error {
			since, err := s.Mark(t.Context())
			if err != nil {
				return err
			}
			_, err = s.BeginPage(t.Context(), run.ID, "f", since, []lockstep.PageWrite{{Change: product(50)}, {Change: product(5)}})
			return err
		},
		func(s *Store) error {
			run.Place = place(1)
			return s.SettlePage(t.Context(), "f", lockstep.PageEnd{Run: run, Links: []lockstep.Link{*link("sku-0000050")},
				Seen: []lockstep.Chunk{{No: 1, Bits: []byte{1}}}, Queue: []lockstep.Change{{Op: lockstep.Delete, Record: lockstep.Record{Key: "old"}}}})
		},
		func(s *Store) error {
			_, err := s.Discard(t.Context(), "no", 1, 2, 3)
			return err
		},
	}}
}

// seen is all that the file holds, as text.
func seen(t *testing.T, s *Store) string {
	t.Helper()
	var out string
	err := s.read(t.Context(), func(c *conn) error {
		for _, query := range []string{"SELECT feed || position FROM checkpoints", "SELECT key || generation || state || attempts FROM queue ORDER BY id",
			"SELECT a_key FROM links ORDER BY 1", "SELECT id || coalesce(place, '') FROM runs", "SELECT records FROM flight_rows", "SELECT no FROM chunk_rows",
			"SELECT name || links FROM set_rows", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'timeline_2%' AND type = 'table'"} {
			err := c.query(query, nil, func(v cells) error {
				out += v.text(0) + " "
				return nil
			})
			if err != nil {
				return err
			}
			out += "\n"
		}
		return nil
	})
	must(t, err)
	return out
}

// copyFile copies what a kill would leave of the store: the file and its log, without the index in shared memory.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if os.IsNotExist(err) {
			continue
		}
		must(t, err)
		must(t, os.WriteFile(to+suffix, b, 0o600))
	}
}

// TestCrashAtEveryPoint lets the store die at the nth point, for every n, and looks that the file then holds exactly
// the state before or after the step in hand: before, unless the point is behind the commit. It looks at a copy, as a
// kill leaves it, and at the file itself after Abandon.
func TestCrashAtEveryPoint(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "lockstep.db")
		plain := openAt(t, filepath.Join(dir, "plain.db"), Options{})
		points, at := 0, ""
		armed := false
		s := openAt(t, path, Options{Hook: func(point string) {
			if !armed {
				return
			}
			if points++; points == n {
				at = point
				copyStore(t, path, filepath.Join(dir, "killed.db"))
				panic("dead")
			}
		}})
		must(t, s.Attach(t.Context(), []lockstep.FlowDef{flowF}))
		must(t, plain.Attach(t.Context(), []lockstep.FlowDef{flowF}))
		armed = true
		want, died := seen(t, plain), false
		ours, theirs := crashScene(t), crashScene(t)
		for i := range ours.steps {
			before := want
			must(t, theirs.steps[i](plain))
			want = seen(t, plain)
			err := ours.steps[i](s)
			if err == nil {
				continue
			}
			died = true
			if lockstep.FaultOf(err).Code != lockstep.CodeStore {
				t.Fatalf("step %d at %s: %v", i, at, err)
			}
			if at != PointCommitted {
				want = before
			}
			break
		}
		if died {
			if err := s.Append(t.Context(), "feed", nil, nil, nil, time.Time{}); err == nil {
				t.Fatal("a dead store takes a call")
			}
		}
		must(t, s.Abandon())
		for _, file := range []string{path, filepath.Join(dir, "killed.db")} {
			if !died && file != path {
				continue
			}
			again := openAt(t, file, Options{})
			if got := seen(t, again); got != want {
				t.Fatalf("point %d (%s), %s:\n%s\nwant\n%s", n, at, filepath.Base(file), got, want)
			}
			must(t, again.Close())
		}
		must(t, plain.Close())
		if !died {
			if n < 4*len(ours.steps) {
				t.Fatalf("only %d points were passed", n)
			}
			return
		}
	}
}

func openAt(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, opts)
	must(t, err)
	return s
}
