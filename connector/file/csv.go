package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// span is where a field's text lies in its row.
type span struct {
	from, to int
	quoted   bool // it stood in quotes: an empty one is an empty text and not null
	doubled  bool // it has doubled quotes inside
}

// row is one row of a file. Its bytes are valid until the next one is read.
type row struct {
	raw    []byte // without its line end
	spans  []span // CSV
	offset int64  // of its first byte, in the uncompressed file
	line   int    // the line it begins at, from 1
	large  bool   // over the size limit: raw is empty
}

// syntaxError is a place at which a file stops being what it says it is.
type syntaxError struct {
	line, column int
	what         string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.line, e.column, e.what)
}

var (
	errMore  = errors.New("file: more bytes are needed")
	utf8BOM  = []byte{0xef, 0xbb, 0xbf}
	utf16LE  = []byte{0xff, 0xfe}
	utf16BE  = []byte{0xfe, 0xff}
	bufStart = 64 << 10
)

// window is the part of a file that is in memory: at most a record's limit and a bit.
type window struct {
	r      io.Reader
	buf    []byte
	start  int   // of what is not consumed yet
	offset int64 // of start in the file
	line   int   // of start, from 1
	max    int   // bytes of a row
	eof    bool
}

func newWindow(r io.Reader, offset int64, line, maxRow int) *window {
	return &window{r: r, offset: offset, line: line, max: maxRow}
}

func (w *window) rest() []byte { return w.buf[w.start:] }

// fill reads on, and grows the buffer where it is full.
func (w *window) fill() error {
	if w.eof {
		return nil
	}
	if w.start > 0 {
		w.buf = w.buf[:copy(w.buf, w.buf[w.start:])]
		w.start = 0
	}
	if len(w.buf) == cap(w.buf) {
		grown := make([]byte, len(w.buf), min(max(2*cap(w.buf), bufStart), max(bufStart, w.max+bufStart)))
		copy(grown, w.buf)
		w.buf = grown
	}
	n, err := io.ReadAtLeast(w.r, w.buf[len(w.buf):cap(w.buf)], 1)
	w.buf = w.buf[:len(w.buf)+n]
	if errors.Is(err, io.EOF) {
		w.eof, err = true, nil
	}
	return err
}

func (w *window) consume(n int) {
	w.line += bytes.Count(w.buf[w.start:w.start+n], []byte{'\n'})
	w.start += n
	w.offset += int64(n)
}

// skipBOM passes a byte order mark at the beginning of a file and refuses UTF-16.
func (w *window) skipBOM() error {
	for len(w.rest()) < 3 && !w.eof {
		if err := w.fill(); err != nil {
			return err
		}
	}
	switch b := w.rest(); {
	case bytes.HasPrefix(b, utf8BOM):
		w.consume(3)
	case bytes.HasPrefix(b, utf16LE), bytes.HasPrefix(b, utf16BE):
		return &syntaxError{1, 1, "the file is in UTF-16; convert it to UTF-8"}
	}
	return nil
}

// csvReader reads rows of CSV (RFC 4180). It differs from encoding/csv in what a sync needs: it tells a quoted empty
// field from one that is not there, leaves line ends within quotes as they are, knows each row's offset, and bounds
// the size of a row. A quote inside a field that does not begin with one is a plain character.
type csvReader struct {
	*window
	delim byte
	last  bool // what parse is given ends with the file
	spans []span
}

// next is the next row that is not an empty line; io.EOF ends.
func (c *csvReader) next() (row, error) {
	for {
		// A row ends within its limit and a line end, or it is too large, whatever lies behind.
		b := c.rest()
		c.last = c.eof && len(b) <= c.max+2
		n, used, err := c.parse(b[:min(len(b), c.max+2)])
		if errors.Is(err, errMore) {
			if len(b) >= c.max+2 {
				return c.skip()
			}
			if err := c.fill(); err != nil {
				return row{}, err
			}
			continue
		}
		if err != nil {
			return row{}, err
		}
		if used == 0 {
			return row{}, io.EOF
		}
		r := row{raw: b[:n:n], spans: c.spans, offset: c.offset, line: c.line}
		if r.large = n > c.max; r.large {
			r.raw, r.spans = nil, nil
		}
		c.consume(used)
		if n > 0 {
			return r, nil
		}
	}
}

// parse finds the fields of the row at the beginning of b: n bytes of row, used with its line end.
func (c *csvReader) parse(b []byte) (n, used int, err error) {
	c.spans = c.spans[:0]
	if len(b) == 0 {
		if c.last {
			return 0, 0, nil
		}
		return 0, 0, errMore
	}
	for i := 0; ; {
		var f span
		var end int
		if i < len(b) && b[i] == '"' {
			f, end, err = c.quoted(b, i)
		} else {
			f, end, err = c.plain(b, i)
		}
		if err != nil {
			return 0, 0, err
		}
		c.spans = append(c.spans, f)
		switch {
		case end < len(b) && b[end] == c.delim:
			i = end + 1
			if i == len(b) && !c.last {
				return 0, 0, errMore
			}
		case end == len(b):
			return end, end, nil
		case b[end] == '\r':
			return end, min(end+2, len(b)), nil
		default:
			return end, end + 1, nil
		}
	}
}

// plain is the field without quotes at i; end is its delimiter, its line end, or the end of the file.
func (c *csvReader) plain(b []byte, i int) (span, int, error) {
	for j := i; j < len(b); j++ {
		switch b[j] {
		case c.delim:
			return span{from: i, to: j}, j, nil
		case '\n':
			if j > i && b[j-1] == '\r' {
				j--
			}
			return span{from: i, to: j}, j, nil
		}
	}
	if !c.last {
		return span{}, 0, errMore
	}
	return span{from: i, to: len(b)}, len(b), nil
}

func (c *csvReader) quoted(b []byte, i int) (span, int, error) {
	f := span{from: i + 1, quoted: true}
	for j := i + 1; ; {
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			if c.last {
				return f, 0, c.at(b, i, "a quoted field has no end")
			}
			return f, 0, errMore
		}
		j += k
		if j+2 >= len(b) && !c.last {
			return f, 0, errMore
		}
		if j+1 < len(b) && b[j+1] == '"' {
			f.doubled = true
			j += 2
			continue
		}
		f.to = j
		end := j + 1
		if end == len(b) || b[end] == c.delim || b[end] == '\n' || b[end] == '\r' && (end+1 == len(b) || b[end+1] == '\n') {
			return f, end, nil
		}
		return f, 0, c.at(b, end, "after the closing quote of a field the delimiter or the line's end is expected")
	}
}

// at is an error at b[i], where b begins at the window's place.
func (c *csvReader) at(b []byte, i int, what string) error {
	before := b[:i]
	return &syntaxError{c.line + bytes.Count(before, []byte{'\n'}), i - bytes.LastIndexByte(before, '\n'), what}
}

// skip passes a row that is over the limit without keeping it.
func (c *csvReader) skip() (row, error) {
	r := row{offset: c.offset, line: c.line, large: true}
	inQuotes, begins, closed := false, true, false
	for {
		for i, ch := range c.rest() {
			switch {
			case inQuotes:
				inQuotes, closed = ch != '"', ch == '"'
			case ch == '"' && (begins || closed):
				inQuotes, closed, begins = true, false, false
			case ch == '\n':
				c.consume(i + 1)
				return r, nil
			default:
				begins, closed = ch == c.delim, false
			}
		}
		c.consume(len(c.rest()))
		if c.eof {
			if inQuotes {
				return r, &syntaxError{r.line, 1, "a quoted field of this row has no end"}
			}
			return r, nil
		}
		if err := c.fill(); err != nil {
			return r, err
		}
	}
}

// text is a field's text; s is the row as a string, so that fields without doubled quotes share its memory.
func (f span) text(s string) string {
	if f.doubled {
		return strings.ReplaceAll(s[f.from:f.to], `""`, `"`)
	}
	return s[f.from:f.to]
}

// lineReader reads rows of JSON Lines.
type lineReader struct{ *window }

func (l *lineReader) next() (row, error) {
	for {
		b := l.rest()
		n := bytes.IndexByte(b, '\n')
		switch {
		case n < 0 && !l.eof && len(b) > l.max:
			return l.skip()
		case n < 0 && !l.eof:
			if err := l.fill(); err != nil {
				return row{}, err
			}
			continue
		case n < 0 && len(b) == 0:
			return row{}, io.EOF
		}
		used := n + 1
		if n < 0 {
			n, used = len(b), len(b)
		}
		raw := bytes.TrimRight(b[:n:n], " \t\r")
		r := row{raw: raw, offset: l.offset, line: l.line}
		if r.large = len(raw) > l.max; r.large {
			r.raw = nil
		}
		l.consume(used)
		if len(raw) > 0 {
			return r, nil
		}
	}
}

func (l *lineReader) skip() (row, error) {
	r := row{offset: l.offset, line: l.line, large: true}
	for {
		if i := bytes.IndexByte(l.rest(), '\n'); i >= 0 {
			l.consume(i + 1)
			return r, nil
		}
		l.consume(len(l.rest()))
		if l.eof {
			return r, nil
		}
		if err := l.fill(); err != nil {
			return r, err
		}
	}
}

// appendField appends a field that holds text. A text that a reader could take for null, or for something else, is quoted.
func appendField(b []byte, text string, delim byte, null string) []byte {
	plain := text != "" && text != null && text[0] != ' ' && text[len(text)-1] != ' ' && text[0] != '"' && (text[0] < 0xef || text[0] == 0xf0)
	if plain && strings.IndexByte(text, delim) < 0 && !strings.ContainsAny(text, "\"\r\n") {
		return append(b, text...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return append(append(b, text...), '"')
		}
		b = append(append(b, text[:i]...), '"', '"')
		text = text[i+1:]
	}
}
