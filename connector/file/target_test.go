package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func applyAll(t *testing.T, sys *System, stream string, writes ...lockstep.Write) {
	t.Helper()
	results, err := sys.Apply(t.Context(), stream, writes)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("write %d: %v", i, r.Err)
		}
	}
}

func upsert(id string, pairs ...any) lockstep.Write {
	return lockstep.Write{Key: lockstep.Key(id), Fields: value.F(append([]any{"id", id}, pairs...)...)}
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatIsWritten(t *testing.T) {
	dec := func(s string) value.Value {
		d, err := value.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return value.FromDecimal(d)
	}
	at := time.Date(2026, 11, 23, 14, 30, 0, 500_000_000, time.FixedZone("", 3600))
	fields := []string{"id", "ok bool", "n int", "f float", "price decimal(12,4)", "day date", "at instant", "wall wall", "data bytes", "tags list<text>", "doc json", "note"}
	record := upsert("a", "ok", true, "n", -5, "f", 1e21, "price", dec("12.3400"), "day", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), "at", at,
		"wall", at.UTC(), "data", []byte{0, 255}, "tags", []any{"a,b", "c\"d"}, "doc", value.F("x", []any{1, nil}), "note", "two\nlines")
	empty := upsert("b", "note", "")
	for name, want := range map[string]string{
		"p.csv": "id,ok,n,f,price,day,at,wall,data,tags,doc,note\n" +
			`a,true,-5,1e+21,12.3400,2026-01-02,2026-11-23T14:30:00.5+01:00,2026-11-23T13:30:00.5,AP8=,"[""a,b"",""c\""d""]","{""x"":[1,null]}","two` + "\nlines\"\n" +
			`b,,,,,,,,,,,""` + "\n",
		"p.jsonl": `{"id":"a","ok":true,"n":-5,"f":1e+21,"price":12.3400,"day":"2026-01-02","at":"2026-11-23T14:30:00.5+01:00","wall":"2026-11-23T13:30:00.5",` +
			`"data":"AP8=","tags":["a,b","c\"d"],"doc":{"x":[1,null]},"note":"two\nlines"}` + "\n" + `{"id":"b","note":""}` + "\n",
	} {
		dir := t.TempDir()
		sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"pattern": name, "key": []string{"id"}, "fields": fields}})
		applyAll(t, sys, "p", record, empty)
		if err := sys.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, dir, name); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// With a text of its own for null, an empty field is an empty text, and that text in quotes is none.
func TestOwnNull(t *testing.T) {
	dir := t.TempDir()
	table := map[string]lockstep.Settings{"p": {"key": []string{"id"}, "null": `\N`, "delimiter": `\t`}}
	sys := mustOpen(t, dir, table)
	applyAll(t, sys, "p", upsert("a", "x", nil, "y", ""), upsert("b", "x", `\N`, "y", "tab\there"))
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := content(t, dir, "p.csv"), "id\tx\ty\na\t\\N\t\"\"\nb\t\"\\N\"\t\"tab\there\"\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	changes, err := scanAll(t, sys, "p", 10, "x", "y")
	if err != nil || len(changes) != 2 || !changes[0].Record.Fields.Equal(value.F("x", nil, "y", "")) || !changes[1].Record.Fields.Equal(value.F("x", `\N`, "y", "tab\there")) {
		t.Errorf("%v, %v", changes, err)
	}
}

// The order of arrival stays, a row that is not written keeps its text, and a new field widens the header.
func TestOldRowsStayAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.csv", "id,name\r\n\"b\", blanks \r\na,\"x\ny\"\r\nwrong\r\nc,plain\r\nd,\"\"\r\n")
	if err := os.Chmod(filepath.Join(dir, "p.csv"), 0o640); err != nil {
		t.Fatal(err)
	}
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
	applyAll(t, sys, "p", upsert("z", "name", 7, "price, net", 1), upsert("c", "price, net", 2), lockstep.Write{Op: lockstep.Delete, Key: "a"}, upsert("y"))
	recs, err := sys.Fetch(t.Context(), lockstep.Read{Stream: "p", Fields: []string{"name", "price, net"}}, []lockstep.Key{"c", "z", "b"})
	if err != nil || len(recs) != 3 {
		t.Fatalf("%v, %v", recs, err)
	}
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	want := "id,name,\"price, net\"\n\"b\", blanks ,\nwrong\nc,plain,2\nd,\"\",\nz,7,1\ny,,\n"
	if got := content(t, dir, "p.csv"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if info, _ := os.Stat(filepath.Join(dir, "p.csv")); info.Mode().Perm() != 0o640 {
		t.Errorf("the rights are %v now", info.Mode())
	}
	if m, err := readManifest(filepath.Join(dir, "p.csv")); err != nil || *m.Rows != 6 {
		t.Errorf("%v, %v", m, err)
	}
}

// A file that somebody else has written since is not written over; what was acknowledged stays in the journal.
func TestForeignEditIsNotLost(t *testing.T) {
	dir := t.TempDir()
	table := map[string]lockstep.Settings{"p": {"key": []string{"id"}}}
	sys := mustOpen(t, dir, table)
	applyAll(t, sys, "p", upsert("a", "name", "ours"))
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "p.csv", "id,name\na,theirs\n")
	sys = mustOpen(t, dir, table)
	applyAll(t, sys, "p", upsert("b", "name", "ours"))
	wantFault(t, sys.Close(), lockstep.CodeShortRead, "manifest")
	if got := content(t, dir, "p.csv"); got != "id,name\na,theirs\n" {
		t.Errorf("%q", got)
	}
	if err := os.Remove(filepath.Join(dir, "p.csv.manifest.json")); err != nil {
		t.Fatal(err)
	}
	sys = mustOpen(t, dir, table)
	if changes, err := scanAll(t, sys, "p", 10, "id"); err != nil || len(changes) != 2 {
		t.Errorf("%v, %v", changes, err)
	}
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "p.csv"); got != "id,name\na,theirs\nb,ours\n" {
		t.Errorf("%q", got)
	}
}

func TestFetchByOffsets(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("id,n,pad\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "k%d,%d,%s\n", i, i, strings.Repeat("x", 60))
	}
	write(t, dir, "p.csv", b.String())
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
	read := lockstep.Read{Stream: "p", Fields: []string{"id", "n"}}
	check := func(want map[lockstep.Key]string, keys ...lockstep.Key) {
		t.Helper()
		recs, err := sys.Fetch(t.Context(), read, keys)
		if err != nil || len(recs) != len(want) {
			t.Fatalf("%v, %v", recs, err)
		}
		for _, rec := range recs {
			if n, _ := rec.Fields.Get("n"); n.Text() != want[rec.Key] {
				t.Errorf("key %q has n %q, want %q", rec.Key, n.Text(), want[rec.Key])
			}
		}
	}
	check(map[lockstep.Key]string{"k0": "0", "k19999": "19999", "k777": "777"}, "k19999", "none", "k0", "k777")
	if st := sys.stream("p"); st.offsets == nil || len(st.offsets.list) != 20_000 {
		t.Fatal("the offsets were not kept")
	}
	applyAll(t, sys, "p", upsert("k777", "n", "new"), upsert("fresh", "n", "f"), lockstep.Write{Op: lockstep.Delete, Key: "k0"})
	check(map[lockstep.Key]string{"k777": "new", "fresh": "f"}, "k777", "fresh", "k0")
	if changes, err := scanAll(t, sys, "p", 1000, "id"); err != nil || len(changes) != 20_000 { // folds
		t.Fatalf("%d, %v", len(changes), err)
	}
	check(map[lockstep.Key]string{"k777": "new", "fresh": "f", "k19999": "19999"}, "k777", "fresh", "k0", "k19999")
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
}

// Loading many records folds a few times only, and keeps the order of their coming.
func TestLargeLoad(t *testing.T) {
	dir := t.TempDir()
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
	sys.journalMax = 64 << 10
	folds := 0
	sys.step = func(step string) {
		if step == "data renamed" {
			folds++
		}
	}
	const n = 20_000
	for from := 0; from < n; from += 500 {
		var writes []lockstep.Write
		for i := range 500 {
			writes = append(writes, upsert(fmt.Sprintf("k%05d", from+i), "name", "some name", "n", i))
		}
		applyAll(t, sys, "p", writes...)
	}
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(content(t, dir, "p.csv")), "\n")
	if len(lines) != n+1 || !slices.IsSorted(lines[1:]) {
		t.Errorf("%d lines, sorted: %v", len(lines), slices.IsSorted(lines[1:]))
	}
	if folds > 20 {
		t.Errorf("%d folds", folds)
	}
}

// A stream of which the settings say no more than how it is written is not there before it is created.
func TestStreamThatIsToBeCreated(t *testing.T) {
	dir := t.TempDir()
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"format": "jsonl"}, "q": {"pattern": "q.csv.gz"}})
	if streams, err := sys.Streams(t.Context()); err != nil || len(streams) != 0 {
		t.Fatalf("%+v, %v", streams, err)
	}
	for _, name := range []string{"p", "q"} {
		def := lockstep.Stream{Name: name, Key: []string{"id"}, Fields: []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.IntType}}}}
		if _, err := sys.Create(t.Context(), def, false); err != nil {
			t.Fatal(err)
		}
	}
	streams, err := sys.Streams(t.Context())
	if err != nil || len(streams) != 2 || streams[0].Key[0] != "id" || streams[1].Fields[0].Type.Kind != value.IntType {
		t.Fatalf("%+v, %v", streams, err)
	}
	for _, file := range []string{"p.jsonl", "q.csv.gz"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}
