package wal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func cells(cs ...Cell) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(cs)))
	for _, c := range cs {
		b = append(b, c.Kind)
		if c.Kind == Text {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(c.Text))), c.Text...)
		}
	}
	return b
}

func text(s string) Cell { return Cell{Kind: Text, Text: []byte(s)} }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'d'}, uint32(len(body)+4)), body...)
}

func data(kind byte, body []byte) []byte {
	return join([]byte{'w'}, make([]byte, dataHead-1), []byte{kind}, body)
}

func TestRowIsTakenApart(t *testing.T) {
	var row Row
	body := join([]byte{0, 0, 0, 7, 'K'}, cells(text("1"), Cell{Kind: Null}), []byte{'N'}, cells(text("2"), Cell{Kind: Unchanged}))
	if err := row.Parse(Update, body); err != nil {
		t.Fatal(err)
	}
	want := Row{OID: 7, Old: []Cell{text("1"), {Kind: Null}}, New: []Cell{text("2"), {Kind: Unchanged}}}
	if !reflect.DeepEqual(row, want) {
		t.Errorf("got %+v, want %+v", row, want)
	}
	for _, bad := range [][]byte{nil, body[:5], body[:len(body)-1], join([]byte{0, 0, 0, 7, 'N'}, []byte{0xff, 0xff})} {
		if row.Parse(Update, bad) == nil {
			t.Errorf("%x is taken for a row", bad)
		}
	}
}

// A row that is larger than may be held keeps its small values, and the frames behind it are read as ever.
func TestALargeRowIsCut(t *testing.T) {
	large, alive := strings.Repeat("x", 300_000), join([]byte{'k'}, make([]byte, aliveSize-1))
	for _, kind := range []byte{Insert, Update, Delete} {
		body := join([]byte{0, 0, 0, 7, 'N'}, cells(text("key"), text(large), text("small")))
		want := Row{OID: 7, New: []Cell{text("key"), {Kind: Cut, Size: len(large)}, text("small")}}
		switch kind {
		case Update:
			body = join([]byte{0, 0, 0, 7, 'O'}, cells(text("key"), text(large), Cell{Kind: Null}), body[4:])
			want.Old = []Cell{text("key"), {Kind: Cut, Size: len(large)}, {Kind: Null}}
		case Delete:
			body[4] = 'O'
			want.Old, want.New = want.New, nil
		}
		in := frames{in: bufio.NewReader(bytes.NewReader(join(frame(data(kind, body)), frame(alive)))), limit: 1000}
		typ, got, err := in.next()
		if err != nil || typ != 'd' || len(got) > 1000 {
			t.Fatalf("%c: %c, %d bytes, %v", kind, typ, len(got), err)
		}
		var row Row
		if err := row.Parse(got[dataHead], got[dataHead+1:]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(row, want) {
			t.Errorf("%c: got %+v, want %+v", kind, row, want)
		}
		if _, got, err = in.next(); err != nil || !bytes.Equal(got, alive) {
			t.Errorf("behind it: %q, %v", got, err)
		}
	}
}

// What can be no message is refused by its head: nobody waits for the bytes that it would have.
func TestAHeadThatIsNone(t *testing.T) {
	for _, head := range []string{
		"1764t\x00\x00\x00\x01f",       // of a row
		"t\x00\x00\x00\x01f",           // a cell: five bytes, and less than its own head
		"t\x00\x00\x10\x00text",        // a cell of 4 KiB: short enough, but of no kind
		"d\x00\x00\x10\x00text",        // a message of data, but not of a log
		"d\x00\x00\x10\x00k",           // a keepalive that is too long
		"d\x00\x00\x00\x1dw",           // a message of the log with nothing in it
		"d\x00\x00\x00\x04w",           // empty
		"d\xff\xff\xff\xffw",           // negative
		"E\x00\x20\x00\x00SERROR",      // an error of 2 MiB
		"\x00\x00\x00\x00\x00\x00\x00", // nothing
	} {
		// The end of the connection would be io.EOF; the message's own fault comes first.
		in := frames{in: bufio.NewReader(strings.NewReader(head)), limit: 16 << 20}
		if kind, body, err := in.next(); !errors.Is(err, ErrFormat) {
			t.Errorf("%q is taken for %d bytes of %q, %v", head, len(body), kind, err)
		}
	}
}

func TestLSN(t *testing.T) {
	l, err := ParseLSN("16/B374D848")
	if err != nil || l.String() != "16/B374D848" {
		t.Errorf("%s, %v", l, err)
	}
	for _, bad := range []string{"", "1", "1/", "/1", "x/1", "1/123456789", "-1/0", "1/2/3"} {
		if l, err := ParseLSN(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, l)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(byte(Update), join([]byte{0, 0, 0, 7, 'K'}, cells(text("1"), Cell{Kind: Null}), []byte{'N'}, cells(text("2"), Cell{Kind: Unchanged})))
	f.Add(byte(Relation), join([]byte{0, 0, 0, 7}, []byte("public\x00goods\x00d\x00\x01\x01id\x00"), make([]byte, 8)))
	f.Add(byte(Truncate), []byte{0, 0, 0, 1, 0, 0, 0, 0, 7})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		var row Row
		_ = row.Parse(kind, body)
		_, _ = ParseBegin(body)
		_, _ = ParseCommit(body)
		if m, err := ParseRelation(body); err == nil && len(m.Columns) > len(body) {
			t.Errorf("%d columns in %d bytes", len(m.Columns), len(body))
		}
		if tables, err := ParseTruncate(body); err == nil && len(tables) > len(body) {
			t.Errorf("%d tables in %d bytes", len(tables), len(body))
		}
		in := frames{in: bufio.NewReader(bytes.NewReader(frame(data(kind, body)))), limit: 40}
		if _, got, err := in.next(); err == nil && len(got) > len(body)+dataHead+1 {
			t.Errorf("%d bytes of %d", len(got), len(body))
		}
	})
}
