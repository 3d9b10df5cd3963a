package file

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var page = lockstep.Limit{Rows: 1000, Bytes: 1 << 20}

func scanAll(t *testing.T, sys *System, stream string, rows int, fields ...string) ([]lockstep.Change, error) {
	t.Helper()
	var out []lockstep.Change
	var from lockstep.Position
	for {
		p, err := sys.Scan(t.Context(), lockstep.Read{Stream: stream, Fields: fields}, from, lockstep.Limit{Rows: rows, Bytes: 1 << 20})
		if err != nil {
			return out, err
		}
		out = append(out, p.Changes...)
		if from = p.Next; !p.More {
			return out, nil
		}
	}
}

func wantFault(t *testing.T, err error, code lockstep.Code, says string) {
	t.Helper()
	if err == nil || lockstep.FaultOf(err).Code != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %s with %q", err, code, says)
	}
}

var keyed = map[string]lockstep.Settings{"p": {"key": []string{"id"}, "fields": []string{"id text", "n int", "d date", "price decimal(12,2)"}}}

func TestBadRowsHurtOnlyThemselves(t *testing.T) { // law 4
	dir := t.TempDir()
	write(t, dir, "p.csv", "id,n,d,price\n"+
		"a,1,2026-01-02,1.50\n"+
		"b,1\n"+ // line 3: columns
		"c,many,,\n"+ // line 4: value
		",1,,\n"+ // line 5: null key
		"d\xff,1,,\n"+ // line 6: UTF-8
		"e,\"1\n\",,\n"+ // line 7 and 8: value
		"f,1,,"+strings.Repeat("9", 2000)+"\n"+ // line 9: too large
		"\"\",7,,\n"+ // line 10: an empty text is a key
		"g,2,2026-02-30,\n"+ // line 11: no such day
		"h,3,,-0.10\n")
	sys := mustOpen(t, dir, keyed)
	sys.maxRecord = 1000
	changes, err := scanAll(t, sys, "p", 3, "id", "n", "d", "price")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		if c.Fault == nil {
			got = append(got, string(c.Record.Key))
		} else {
			got = append(got, fmt.Sprintf("%s %s %s in %s", c.Record.Key, c.Fault.Code, c.Fault.About.Field, c.Fault.About.Request))
		}
	}
	// A row whose key can be read has it, so that its record does not count as gone (law 9).
	want := []string{"a", "p.csv line 3 LS-FORMAT  in p.csv line 3", "c LS-VALUE n in p.csv line 4", "p.csv line 5 LS-NULL-KEY id in p.csv line 5",
		"p.csv line 6 LS-FORMAT  in p.csv line 6", "e LS-VALUE n in p.csv line 7", "p.csv line 9 LS-TOO-LARGE  in p.csv line 9", "",
		"g LS-VALUE d in p.csv line 11", "h"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	read := lockstep.Read{Stream: "p", Fields: []string{"price"}}
	if recs, err := sys.Fetch(t.Context(), read, []lockstep.Key{"h", "", "g"}); err != nil || len(recs) != 3 { // g's price is right
		t.Errorf("%v, %v", recs, err)
	}
	// What cannot be read is not left out, as if it were gone.
	_, err = sys.Fetch(t.Context(), read, []lockstep.Key{"h", "b"})
	wantFault(t, err, lockstep.CodeFormat, "not known whether 1 records are there")
	read.Fields = []string{"d"}
	_, err = sys.Fetch(t.Context(), read, []lockstep.Key{"h", "g"})
	wantFault(t, err, lockstep.CodeValue, "p.csv line 11")
}

func TestBadLinesOfJSON(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.jsonl", `{"id":"a","n":1,"d":"2026-01-02","price":1.5,"more":[1,{"x":null}]}`+"\n"+
		`{"id":"b",`+"\n[1]\n\n"+`{"n":1}`+"\n"+`{"id":"c","n":"x"}`+"\n"+`{"id":"d","n":1.5}`+"\r\n"+`{"id":7}`)
	sys := mustOpen(t, dir, keyed)
	changes, err := scanAll(t, sys, "p", 2, "id", "n", "d")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		if got = append(got, string(c.Record.Key)); c.Fault != nil {
			got[len(got)-1] += " " + string(c.Fault.Code)
		}
	}
	want := []string{"a", "p.jsonl line 2 LS-FORMAT", "p.jsonl line 3 LS-FORMAT", "p.jsonl line 5 LS-NULL-KEY", "c LS-VALUE", "d LS-VALUE", "7"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if day, _ := changes[0].Record.Fields.Get("d"); day.Kind() != value.KindTime {
		t.Errorf("d is a %s", day.Kind())
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       lockstep.Code
		says       string
	}{
		{"p.csv", "id,n\na,\"1\nb,2\n", lockstep.CodeFormat, "line 2, column 3: a quoted field has no end"},
		{"p.csv", "id,n\na,\"1\"x\n", lockstep.CodeFormat, "line 2, column 6: after the closing quote"},
		{"p.csv", "id,n,id\n", lockstep.CodeFormat, `"id" twice`},
		{"p.csv", "", lockstep.CodeFormat, "the file is empty"},
		{"p.csv", "\xff\xfei\x00", lockstep.CodeFormat, "UTF-16"},
		{"p.csv.gz", "no gzip at all", lockstep.CodeFormat, "gzip"},
		{"p.csv.gz", string(zipped("id,n\na,1\n"))[:20], lockstep.CodeFormat, "gzip"},
		{"other.csv", "id\n", lockstep.CodeFile, "no such file"},
	} {
		dir := t.TempDir()
		write(t, dir, c.name, c.text)
		sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
		_, err := scanAll(t, sys, "p", 100, "id")
		wantFault(t, err, c.code, c.says)
		if err != nil && c.code == lockstep.CodeFormat && !strings.Contains(err.Error(), c.name) {
			t.Errorf("%v does not name %s", err, c.name)
		}
	}
	sys := mustOpen(t, filepath.Join(t.TempDir(), "none"), nil)
	_, err := sys.Streams(t.Context())
	wantFault(t, err, lockstep.CodeFile, "no such file")
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// A file that changes under a scan must not look like deletes (law 9).
func TestFileThatChangesUnderAScan(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"replaced": func(file string) error {
			if err := os.WriteFile(file+".new", []byte("id\nz\n"), 0o644); err != nil {
				return err
			}
			return os.Rename(file+".new", file)
		},
		"cut short": func(file string) error { return os.Truncate(file, 7) },
		"removed":   os.Remove,
	} {
		for _, again := range []bool{false, true} {
			dir := t.TempDir()
			file := write(t, dir, "p.csv", "id\na\nb\nc\nd\n")
			sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
			read := lockstep.Read{Stream: "p", Fields: []string{"id"}}
			first, err := sys.Scan(t.Context(), read, nil, lockstep.Limit{Rows: 2, Bytes: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if again {
				_ = sys.Close()
				sys = mustOpen(t, dir, sys.tables())
			}
			if err := change(file); err != nil {
				t.Fatal(err)
			}
			if p, err := sys.Scan(t.Context(), read, first.Next, page); err == nil {
				t.Errorf("%s: the scan goes on with %d records", name, len(p.Changes))
			}
			_ = sys.Close()
		}
	}
}

func (s *System) tables() map[string]lockstep.Settings {
	out := map[string]lockstep.Settings{}
	for name, c := range s.conf {
		out[name] = lockstep.Settings{"key": c.key}
	}
	return out
}

// Nor does a file that is gone look like a file without the records (law 9).
func TestFetchFromAFileThatIsGone(t *testing.T) {
	dir := t.TempDir()
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}, "q": {"pattern": "q-*.csv", "key": []string{"id"}}})
	read := lockstep.Read{Stream: "p", Fields: []string{"id"}}
	if recs, err := sys.Fetch(t.Context(), read, []lockstep.Key{"a"}); err != nil || len(recs) != 0 {
		t.Errorf("a target that was never written: %v, %v", recs, err)
	}
	file := write(t, dir, "p.csv", "id\na\n")
	if recs, err := sys.Fetch(t.Context(), read, []lockstep.Key{"a"}); err != nil || len(recs) != 1 {
		t.Errorf("%v, %v", recs, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, err := sys.Fetch(t.Context(), read, []lockstep.Key{"a"})
	wantFault(t, err, lockstep.CodeFile, "no such file")
	read.Stream = "q"
	_, err = sys.Fetch(t.Context(), read, []lockstep.Key{"a"})
	wantFault(t, err, lockstep.CodeFile, "no such file")
}

func TestManifestIsChecked(t *testing.T) {
	text := "id\na\nb\n"
	sum := sha256.Sum256([]byte(text))
	right := hex.EncodeToString(sum[:])
	for manifest, ok := range map[string]bool{
		fmt.Sprintf(`{"rows":2,"bytes":7,"sha256":%q}`, right): true,
		`{"rows":2}`:            true,
		`{}`:                    true,
		`{"rows":3}`:            false,
		`{"bytes":8}`:           false,
		`{"sha256":"00"}`:       false,
		`{"rows":2,"bytes":70}`: false,
	} {
		dir := t.TempDir()
		write(t, dir, "p.csv", text)
		write(t, dir, "p.csv.manifest.json", manifest)
		sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
		_, err := scanAll(t, sys, "p", 100, "id")
		if ok && err != nil {
			t.Errorf("%s: %v", manifest, err)
		}
		if !ok {
			wantFault(t, err, lockstep.CodeShortRead, "manifest")
		}
	}
}

func TestDiscoveryAndPatterns(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "one.csv", "\ufeffid,name\n1,\"a\nb\"\n2,\n3,\"\"\n")
	write(t, dir, "two.jsonl", `{"id":1,"price":1.10,"tags":["a"]}`+"\n")
	write(t, dir, "three.csv.gz", string(zipped("id\nx\n")))
	write(t, dir, "orders-1.csv", "id;n\n1;a\n2;b\n")
	write(t, dir, "orders-2.csv", "n;id\nc;3\n")
	write(t, dir, "notes.txt", "no stream")
	write(t, dir, "raw.csv", "1,x\n2,\\N\n3,\n4,\"\\N\"\n")
	table := map[string]lockstep.Settings{
		"orders": {"pattern": "orders-*.csv", "delimiter": ";", "key": []string{"id"}},
		"raw":    {"header": false, "fields": []string{"id int", "name"}, "key": []string{"id"}, "null": `\N`},
		"one":    {"key": []string{"id"}}, "two": {"key": []string{"id"}},
	}
	sys := mustOpen(t, dir, table)
	streams, err := sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range streams {
		text := s.Name
		for _, f := range s.Fields {
			text += " " + f.Name + ":" + f.Type.Kind.String()
		}
		got = append(got, fmt.Sprint(text, " ", s.ReadOnly))
	}
	want := []string{"one id:text name:text false", "orders id:text n:text true", "raw id:int name:text false", "three id:text false", "two id:any price:any tags:any false"}
	// The key of two is not declared as a field, so it is a text.
	want[4] = "two id:text price:any tags:any false"
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for stream, want := range map[string]string{
		"one":    `{"id":"1","name":"a\nb"}{"id":"2","name":null}{"id":"3","name":""}`,
		"orders": `{"id":"1","n":"a"}{"id":"2","n":"b"}{"id":"3","n":"c"}`,
		"raw":    `{"id":1,"name":"x"}{"id":2,"name":null}{"id":3,"name":""}{"id":4,"name":"\\N"}`,
	} {
		for rows := 1; rows < 4; rows++ {
			fields := []string{"id", "name"}
			if stream == "orders" {
				fields[1] = "n"
			}
			changes, err := scanAll(t, sys, stream, rows, fields...)
			if err != nil {
				t.Fatal(err)
			}
			var b []byte
			for _, c := range changes {
				b = value.AppendFields(b, c.Record.Fields)
			}
			if string(b) != want {
				t.Errorf("%s by %d: %s", stream, rows, b)
			}
		}
	}
	_, err = scanAll(t, sys, "three", 10, "id")
	wantFault(t, err, lockstep.CodeNoKey, "no key")
	_, err = sys.Changes(t.Context(), lockstep.Read{Stream: "one"}, nil, page)
	wantFault(t, err, lockstep.CodeCannot, "no changes")
	_, err = sys.Apply(t.Context(), "orders", []lockstep.Write{{Key: "1"}})
	wantFault(t, err, lockstep.CodeCannot, "several files")
}

func TestSoftDeletes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.csv", "id,gone\na,\nb,true\nc,false\nd,2026-01-01\n")
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
	r := lockstep.Read{Stream: "p", Fields: []string{"id"}, Track: lockstep.Track{By: lockstep.Snapshot, Deleted: "gone"}}
	p, err := sys.Scan(t.Context(), r, nil, page)
	if err != nil || len(p.Changes) != 2 {
		t.Errorf("%v, %v", p, err)
	}
	if recs, err := sys.Fetch(t.Context(), r, []lockstep.Key{"a", "b", "c", "d"}); err != nil || len(recs) != 2 {
		t.Errorf("%v, %v", recs, err)
	}
}

func TestWrongSettings(t *testing.T) {
	for _, c := range []struct {
		set  lockstep.Settings
		says string
	}{
		{lockstep.Settings{"delimiter": ",,"}, "delimiter"},
		{lockstep.Settings{"pattern": "../x.csv"}, "pattern"},
		{lockstep.Settings{"pattern": "a[.csv"}, "pattern"},
		{lockstep.Settings{"fields": []string{"a integer"}}, "integer"},
		{lockstep.Settings{"fields": []string{"a decimal(2,3)"}}, "decimal(2,3)"},
		{lockstep.Settings{"fields": []string{"a", "a int"}}, "twice"},
		{lockstep.Settings{"header": false}, "fields"},
	} {
		_, err := Connector.Open(t.Context(), lockstep.Settings{"path": ".", "streams": map[string]lockstep.Settings{"p": c.set}})
		wantFault(t, err, lockstep.CodeConfig, c.says)
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"set":"x","file":"p.csv","at":3,"line":2,"rows":0}`, `{"set":"x","at":0,"line":1,"end":true}`, `{"at":-1}`} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, right bool) {
		dir := t.TempDir()
		file := write(t, dir, "p.csv", "id,n\na,1\nb,2\nc,\"3\n4\"\n")
		sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
		if right { // with the identity of the file, so that the rest is looked at
			set, err := identity([]string{file})
			if err != nil {
				t.Fatal(err)
			}
			in = bytes.ReplaceAll(in, []byte(`"x"`), []byte(`"`+set+`"`))
		}
		if in == nil {
			in = []byte{}
		}
		p, err := sys.Scan(t.Context(), lockstep.Read{Stream: "p", Fields: []string{"id"}}, in, page)
		if err != nil && lockstep.FaultOf(err).Code == lockstep.CodeUnclassified {
			t.Fatalf("%s: %v", in, err)
		}
		if err == nil && len(p.Changes) > 4 {
			t.Fatalf("%s: %d changes", in, len(p.Changes))
		}
		if err := sys.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// Of a doubled key both rows come, from a small file and from one that is read by offsets: which of them is right is
// not for a connector to say.
func TestFetchOfADoubledKey(t *testing.T) {
	for name, more := range map[string]int{"small": 1, "large": 40_000} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var b strings.Builder
			b.WriteString("id,name\ntwice,one\n")
			for i := range more {
				fmt.Fprintf(&b, "k%d,a name that fills the file a bit\n", i)
			}
			write(t, dir, "p.csv", b.String()+"twice,two\n")
			sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}}})
			recs, err := sys.Fetch(t.Context(), lockstep.Read{Stream: "p", Fields: []string{"id", "name"}}, []lockstep.Key{"twice", "k0", "nobody"})
			var got []string
			for _, r := range recs {
				v, _ := r.Fields.Get("name")
				got = append(got, string(r.Key)+" "+v.Text())
			}
			slices.Sort(got)
			if want := []string{"k0 a name that fills the file a bit", "twice one", "twice two"}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A declared column that a file lacks does not read as null; in a file of our own it is one that is newer.
func TestDeclaredColumnIsMissing(t *testing.T) {
	dir := t.TempDir()
	sys := mustOpen(t, dir, map[string]lockstep.Settings{"p": {"key": []string{"id"}, "fields": []string{"id text", "name text"}}})
	write(t, dir, "p.csv", "id,title\na,one\n")
	_, err := scanAll(t, sys, "p", 10, "id", "name")
	wantFault(t, err, lockstep.CodeNoField, "name")
	_, err = sys.Fetch(t.Context(), lockstep.Read{Stream: "p", Fields: []string{"id", "name"}}, []lockstep.Key{"a"})
	wantFault(t, err, lockstep.CodeNoField, "name")
	write(t, dir, "p.csv", "id,title,name\na,one,two\n")
	if changes, err := scanAll(t, sys, "p", 10, "id", "name"); err != nil || len(changes) != 1 {
		t.Errorf("mended: %v, %v", changes, err)
	}
	out := t.TempDir()
	old := mustOpen(t, out, map[string]lockstep.Settings{"q": {"key": []string{"id"}, "fields": []string{"id text"}}})
	applyAll(t, old, "q", upsert("a"))
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	grown := mustOpen(t, out, map[string]lockstep.Settings{"q": {"key": []string{"id"}, "fields": []string{"id text", "name text"}}})
	applyAll(t, grown, "q", upsert("b", "name", "two"))
	if changes, err := scanAll(t, grown, "q", 10, "id", "name"); err != nil || len(changes) != 2 {
		t.Errorf("a file that grew a column: %v, %v", changes, err)
	}
}
