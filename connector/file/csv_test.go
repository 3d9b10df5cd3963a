package file

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func readAll(r io.Reader, delim byte, maxRow int) (rows [][]string, quoted [][]bool, err error) {
	c := &csvReader{window: newWindow(r, 0, 1, maxRow), delim: delim}
	if err := c.skipBOM(); err != nil {
		return nil, nil, err
	}
	for {
		r, err := c.next()
		if errors.Is(err, io.EOF) {
			return rows, quoted, nil
		}
		if err != nil {
			return rows, quoted, err
		}
		var texts []string
		var q []bool
		for _, f := range r.spans {
			texts, q = append(texts, f.text(string(r.raw))), append(q, f.quoted)
		}
		rows, quoted = append(rows, texts), append(quoted, q)
	}
}

func TestCSVReader(t *testing.T) {
	for _, c := range []struct {
		in   string
		want [][]string
	}{
		{"", nil},
		{"a", [][]string{{"a"}}},
		{"a,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"a,b\r\n1,2\r\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"\ufeffa,b\n", [][]string{{"a", "b"}}},
		{"a,\n,\n,b", [][]string{{"a", ""}, {"", ""}, {"", "b"}}},
		{"\n\na\n\n", [][]string{{"a"}}},
		{`"a","b""c",""` + "\n", [][]string{{"a", `b"c`, ""}}},
		{"\"x\ny\",\"x\r\ny\"\r\nz,w", [][]string{{"x\ny", "x\r\ny"}, {"z", "w"}}},
		{`5" pipe,a"b"c`, [][]string{{`5" pipe`, `a"b"c`}}},
		{`"",a`, [][]string{{"", "a"}}},
		{`"a"` + "\r", [][]string{{"a"}}},
		{`""""`, [][]string{{`"`}}},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader} {
			got, _, err := readAll(wrap(strings.NewReader(c.in)), ',', 1<<20)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %q: %q, %v", name, c.in, got, err)
			}
		}
	}
}

func TestCSVErrorsNameTheirPlace(t *testing.T) {
	for in, want := range map[string]string{
		"a,b\n1,\"x\ny\n":                      "line 2, column 3: a quoted field has no end",
		"a\n\"b\"c\n":                          "line 2, column 4: after the closing quote",
		"\xff\xfea\x00":                        "line 1, column 1: the file is in UTF-16",
		"a\n\"" + strings.Repeat("x", 300_000): "line 2, column 1: a quoted field of this row has no end",
	} {
		if _, _, err := readAll(strings.NewReader(in), ',', 100_000); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
	}
}

func TestCSVRowOverTheLimitIsPassed(t *testing.T) {
	for _, big := range []string{strings.Repeat("x", 200_000), `"` + strings.Repeat("x\n\"\",", 50_000) + `"`} {
		c := &csvReader{window: newWindow(strings.NewReader("a,b\n1,"+big+"\n2,c\n"), 0, 1, 1000), delim: ','}
		var large, lines []int
		for {
			r, err := c.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if lines = append(lines, r.line); r.large {
				large = append(large, r.line)
			}
		}
		if len(lines) != 3 || len(large) != 1 || large[0] != 2 || lines[2] != 3+strings.Count(big, "\n") {
			t.Errorf("lines %v, large %v", lines, large)
		}
		if cap(c.buf) > 1000+bufStart {
			t.Errorf("the buffer grew to %d", cap(c.buf))
		}
	}
}

// FuzzCSVReader holds the reader against encoding/csv, and against itself fed byte by byte.
func FuzzCSVReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\"\"b\",\r\n", "\ufeffx\n\"", "a\r\n\r\nb", "\"\r\n\"\n", "\r", "\"a\"\r", ",\r\r\n"} {
		f.Add([]byte(s), 1000)
	}
	f.Fuzz(func(t *testing.T, in []byte, maxRow int) {
		maxRow = max(1, maxRow%5000)
		rows, quoted, err := readAll(bytes.NewReader(in), ',', maxRow)
		again, _, err2 := readAll(iotest.OneByteReader(bytes.NewReader(in)), ',', maxRow)
		if (err == nil) != (err2 == nil) || err == nil && !reflect.DeepEqual(rows, again) {
			t.Fatalf("in one piece %q %v, byte by byte %q %v", rows, err, again, err2)
		}
		if err != nil {
			return
		}
		var b []byte
		for i, r := range rows {
			for j, text := range r {
				if j > 0 {
					b = append(b, ',')
				}
				if quoted[i][j] || text != "" {
					b = appendField(b, text, ',', "")
				}
			}
			b = append(b, '\n')
		}
		back, _, err := readAll(bytes.NewReader(b), ',', 1<<20)
		if err != nil || len(rows) < 5000 && !reflect.DeepEqual(withoutLone(rows), withoutLone(back)) {
			t.Fatalf("written %q, read back %q, %v", rows, back, err)
		}
		std := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(in, utf8BOM)))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil || bytes.Contains(in, []byte{'\r'}) || maxRow < len(in) {
			return // it is stricter with quotes, and folds line ends
		}
		if !reflect.DeepEqual(rows, want) {
			t.Fatalf("%q: %q, encoding/csv reads %q", in, rows, want)
		}
	})
}

// withoutLone drops rows of one empty field: rows over the limit, which have none, and null alone.
func withoutLone(rows [][]string) [][]string {
	var out [][]string
	for _, r := range rows {
		if len(r) > 1 || len(r) == 1 && r[0] != "" {
			out = append(out, r)
		}
	}
	return out
}
