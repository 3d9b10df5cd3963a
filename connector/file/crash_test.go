package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// died is what a system panics with when it is told to die.
type died string

// world writes batches to a folder and remembers what was acknowledged.
type world struct {
	*testing.T
	dir     string
	table   map[string]lockstep.Settings
	journal int64
	acked   map[lockstep.Key]string // the name of each record, by key
	maybe   map[lockstep.Key]string // of the batch under way: "" is deleted
}

// live runs the workload until it is done, or dead at the nth step; it says at which, "" for none.
func (w *world) live(n int) (at string) {
	w.Helper()
	sys := mustOpen(w.T, w.dir, w.table)
	sys.journalMax = w.journal
	sys.step = func(step string) {
		if n--; n == 0 {
			panic(died(step))
		}
	}
	defer func() {
		if p := recover(); p != nil {
			step, ok := p.(died)
			if !ok {
				panic(p)
			}
			at = string(step)
		}
		for _, st := range sys.streams { // what the kernel does for a process that is gone
			if st.journal != nil {
				_ = st.journal.close()
			}
		}
	}()
	w.apply(sys, map[lockstep.Key]string{"a": "1", "b": "1", "c": "1"})
	w.apply(sys, map[lockstep.Key]string{"b": "2", "d": "2", "c": ""})
	w.apply(sys, map[lockstep.Key]string{"a": "3", "c": "3", "d": "", "e": "line\n\"3\""})
	w.apply(sys, map[lockstep.Key]string{"f": "4"})
	if err := sys.Close(); err != nil {
		w.Fatal(err)
	}
	return ""
}

func (w *world) apply(sys *System, batch map[lockstep.Key]string) {
	w.Helper()
	w.maybe = batch
	var writes []lockstep.Write
	for key, name := range batch {
		if name == "" {
			writes = append(writes, lockstep.Write{Op: lockstep.Delete, Key: key})
		} else {
			writes = append(writes, lockstep.Write{Key: key, Fields: value.F("id", string(key), "name", name)})
		}
	}
	results, err := sys.Apply(w.Context(), "item", writes)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			w.Fatal(r.Err)
		}
	}
	w.take(batch)
	w.maybe = nil
}

func (w *world) take(batch map[lockstep.Key]string) {
	for key, name := range batch {
		if name == "" {
			delete(w.acked, key)
		} else {
			w.acked[key] = name
		}
	}
}

// check looks at the folder as another process finds it: every acknowledged write is there, each key once, and a
// write without an answer either way.
func (w *world) check() {
	w.Helper()
	for _, how := range []string{"journal and file", "after the fold"} {
		sys := mustOpen(w.T, w.dir, w.table)
		got := map[lockstep.Key]string{}
		give := func(rec lockstep.Record) {
			if _, twice := got[rec.Key]; twice {
				w.Fatalf("%s: key %q twice", how, rec.Key)
			}
			name, _ := rec.Fields.Get("name")
			got[rec.Key] = name.Text()
		}
		read := lockstep.Read{Stream: "item", Fields: []string{"id", "name"}}
		if how == "journal and file" {
			recs, err := sys.Fetch(w.Context(), read, []lockstep.Key{"a", "b", "c", "d", "e", "f"})
			if err != nil {
				w.Fatalf("%s: %v", how, err)
			}
			for _, rec := range recs {
				give(rec)
			}
		} else {
			page, err := sys.Scan(w.Context(), read, nil, lockstep.Limit{Rows: 100, Bytes: 1 << 20})
			if err != nil {
				w.Fatalf("%s: %v", how, err)
			}
			for _, c := range page.Changes {
				if c.Fault != nil {
					w.Fatalf("%s: %v", how, c.Fault)
				}
				give(c.Record)
			}
		}
		for _, key := range []lockstep.Key{"a", "b", "c", "d", "e", "f"} {
			other, open := w.maybe[key]
			if got[key] != w.acked[key] && (!open || got[key] != other) {
				w.Errorf("%s: key %q is %q, acknowledged was %q", how, key, got[key], w.acked[key])
			}
		}
		if err := sys.Close(); err != nil {
			w.Fatalf("%s: %v", how, err)
		}
	}
}

// whole holds what a reader of the folder, who knows no journal, finds: a file that is whole, if there is one.
func (w *world) whole(file string) {
	w.Helper()
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return
	}
	m, err := readManifest(file)
	if err != nil || m == nil {
		w.Fatalf("manifest: %v, %v", m, err)
	}
	if err := checkManifest(file, m); err != nil {
		w.Fatal(err)
	}
}

// Law 5, and no half files: dead at every step of writing, opened again, the file is whole and nothing is lost; then
// the same once more leaves what it leaves without dying.
func TestDeadAtEveryStep(t *testing.T) {
	for _, ext := range []string{".csv", ".csv.gz", ".jsonl"} {
		for _, journal := range []int64{1, 1 << 20} {
			t.Run(fmt.Sprintf("%s journal %d", ext[1:], journal), func(t *testing.T) {
				var steps []string
				for n := 1; ; n++ {
					w := &world{T: t, dir: t.TempDir(), journal: journal, acked: map[lockstep.Key]string{},
						table: map[string]lockstep.Settings{"item": {"pattern": "item" + ext, "key": []string{"id"}}}}
					at := w.live(n)
					w.whole(filepath.Join(w.dir, "item"+ext))
					w.check()
					w.maybe = nil
					w.live(0)
					w.check()
					if left := leftovers(t, w.dir); len(left) != 2 {
						t.Errorf("dead at %q: left in the folder: %q", at, left)
					}
					if at == "" {
						break
					}
					if !slices.Contains(steps, at) {
						steps = append(steps, at)
					}
				}
				want := []string{"journal written", "journal synced", "temp written", "temp synced", "manifest written", "manifest renamed", "data renamed", "folder synced", "journal emptied", "journal removed"}
				if slices.Sort(steps); !slices.Equal(steps, slices.Sorted(slices.Values(want))) {
					t.Errorf("died at %q, want %q", steps, want)
				}
			})
		}
	}
}

func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// A last line of the journal that is not whole was never acknowledged; a damaged line before it is a fault.
func TestTornJournal(t *testing.T) {
	table := map[string]lockstep.Settings{"item": {"key": []string{"id"}}}
	good := string(appendEntry(nil, "a", value.F("id", "a", "name", "n"), false))
	for tail, want := range map[string]int{"": 1, `{"key":"b","set":{"id`: 1, "\x00\x00\x00": 1, "\x00\x00\x00\"}}\n" + strings.ReplaceAll(good, `"a"`, `"b"`): 1, `{"key":"b"` + "\n": 1} {
		dir := t.TempDir()
		write(t, dir, "item.csv.journal", good+tail)
		sys := mustOpen(t, dir, table)
		recs, err := sys.Fetch(t.Context(), lockstep.Read{Stream: "item"}, []lockstep.Key{"a", "b"})
		if err != nil || len(recs) != want {
			t.Errorf("%q: %d records, %v", tail, len(recs), err)
		}
		if err := sys.Close(); err != nil {
			t.Errorf("%q: %v", tail, err)
		}
	}
	// What is appended behind a torn line is found again, and nothing of the torn line.
	dir := t.TempDir()
	write(t, dir, "item.csv.journal", good+`{"key":"b","set":{"id":"b","name":"`+strings.Repeat("torn ", 100))
	for _, id := range []string{"c", "d"} {
		sys := mustOpen(t, dir, table)
		applyAll(t, sys, "item", upsert(id))
		_ = sys.stream("item").journal.close() // dead, before anything is folded
	}
	last := mustOpen(t, dir, table)
	if changes, err := scanAll(t, last, "item", 10, "id"); err != nil || len(changes) != 3 {
		t.Errorf("%v, %v", changes, err)
	}
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	dir = t.TempDir()
	write(t, dir, "item.csv.journal", "rubbish\n"+good)
	sys := mustOpen(t, dir, table)
	if _, err := sys.Fetch(t.Context(), lockstep.Read{Stream: "item"}, []lockstep.Key{"a"}); lockstep.FaultOf(err).Code != lockstep.CodeFormat {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Two processes cannot write one stream at a time.
func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	table := map[string]lockstep.Settings{"item": {"key": []string{"id"}}}
	one, two := mustOpen(t, dir, table), mustOpen(t, dir, table)
	writes := []lockstep.Write{{Key: "a", Fields: value.F("id", "a")}}
	if _, err := one.Apply(t.Context(), "item", writes); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Apply(t.Context(), "item", writes); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeBusy {
		t.Errorf("%v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Apply(t.Context(), "item", writes); err != nil {
		t.Error(err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
}
