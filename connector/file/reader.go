package file

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// reader reads the rows of one file.
type reader struct {
	d       *def
	path    string
	f       *os.File
	csv     *csvReader // one of the two
	lines   *lineReader
	keys    *value.Names // the key fields
	columns []string     // CSV: the file's columns
	index   map[string]int
	body    int64 // where the rows begin
	rows    int64 // read so far
}

// open opens a file and reads its header.
func (s *System) open(d *def, path string) (*reader, error) {
	r := &reader{d: d, path: path, keys: value.NewNames(slices.Clone(d.key)...)}
	if err := r.start(s.maxRecord); err != nil {
		r.close()
		return nil, fileFault(path, err)
	}
	return r, nil
}

func (r *reader) start(maxRow int) error {
	w, err := r.window(0, 1, maxRow)
	if err != nil {
		return err
	}
	if err := w.skipBOM(); err != nil {
		return err
	}
	if r.d.place.format(r.path) != "csv" {
		r.lines = &lineReader{w}
		r.body = w.offset
		return nil
	}
	r.csv = &csvReader{window: w, delim: r.d.conf.delim}
	if !r.d.conf.header {
		for _, f := range r.d.conf.fields {
			r.columns = append(r.columns, f.Name)
		}
	} else if err := r.readHeader(); err != nil {
		return err
	}
	r.body = w.offset
	r.index = make(map[string]int, len(r.columns))
	for i, name := range r.columns {
		if _, doubled := r.index[name]; doubled {
			return &syntaxError{1, 1, fmt.Sprintf("the header names %q twice", name)}
		}
		r.index[name] = i
	}
	return r.whole()
}

// whole refuses a file that lacks a column which the settings declare: all its values would read as null. In a file
// that we wrote ourselves a column may be newer than the file.
func (r *reader) whole() error {
	if r.d.man != nil && r.d.man.Stream != nil {
		return nil
	}
	for _, f := range r.d.conf.fields {
		if _, there := r.index[f.Name]; !there {
			fault := lockstep.Faultf(lockstep.CodeNoField, "the file has no column %q, which is declared", f.Name)
			fault.Next = "Mend the file's header, or take the field out of `fields:`."
			return fault.On(lockstep.About{Field: f.Name})
		}
	}
	return nil
}

func (r *reader) readHeader() error {
	head, err := r.csv.next()
	if errors.Is(err, io.EOF) {
		return &syntaxError{1, 1, "the file is empty; a header was expected"}
	}
	if err != nil {
		return err
	}
	if head.large || !utf8.Valid(head.raw) {
		return &syntaxError{head.line, 1, "the header is over the size limit or not in UTF-8"}
	}
	text := string(head.raw)
	for i, f := range head.spans {
		name := f.text(text)
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		r.columns = append(r.columns, name)
	}
	return nil
}

// window opens the file at a place; in a gzip file the way there is read.
func (r *reader) window(offset int64, line, maxRow int) (*window, error) {
	f, err := os.Open(r.path)
	if err != nil {
		return nil, err
	}
	r.close()
	r.f = f
	if !strings.HasSuffix(r.path, ".gz") {
		if offset > 0 {
			_, err = f.Seek(offset, io.SeekStart)
		}
		return newWindow(f, offset, line, maxRow), err
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(f, bufStart))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, z, offset); err != nil {
		return nil, err
	}
	return newWindow(z, offset, line, maxRow), nil
}

// seek goes on at a row that begins there.
func (r *reader) seek(offset int64, line int, maxRow int) error {
	w, err := r.window(offset, line, maxRow)
	if err != nil {
		return fileFault(r.path, err)
	}
	if r.csv != nil {
		r.csv.window = w
	} else {
		r.lines.window = w
	}
	return nil
}

func (r *reader) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}

// next is the next row; io.EOF ends.
func (r *reader) next() (row, error) {
	var w row
	var err error
	if r.csv != nil {
		w, err = r.csv.next()
	} else {
		w, err = r.lines.next()
	}
	switch {
	case err == nil:
		r.rows++
	case !errors.Is(err, io.EOF):
		err = fileFault(r.path, err)
	}
	return w, err
}

// fields decodes a row, whose fault it is if that fails. It gives the names that are asked for, in their order; a
// field that the row has not is null. With names nil it gives all there are.
func (r *reader) fields(w row, names *value.Names) (value.Fields, *lockstep.Fault) {
	switch {
	case w.large:
		return value.Fields{}, lockstep.Faultf(lockstep.CodeTooLarge, "the row is over the limit of a record")
	case !utf8.Valid(w.raw):
		return value.Fields{}, lockstep.Faultf(lockstep.CodeFormat, "the row is not in UTF-8")
	case r.csv != nil:
		return r.csvFields(w, names)
	}
	return r.jsonFields(w, names)
}

func (r *reader) csvFields(w row, names *value.Names) (value.Fields, *lockstep.Fault) {
	if len(w.spans) != len(r.columns) {
		return value.Fields{}, lockstep.Faultf(lockstep.CodeFormat, "the row has %d columns, %d were expected", len(w.spans), len(r.columns))
	}
	if names == nil {
		names = value.NewNames(r.columns...)
	}
	text := string(w.raw)
	values := make([]value.Value, names.Len())
	for i, name := range names.List() {
		at, there := r.index[name]
		if !there {
			continue
		}
		f := w.spans[at]
		s := f.text(text)
		if !f.quoted && s == r.d.conf.null {
			continue
		}
		v, err := typetext.Value(s, r.d.types[name])
		if err != nil {
			return value.Fields{}, lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: name})
		}
		values[i] = v
	}
	return names.Fields(values), nil
}

func (r *reader) jsonFields(w row, names *value.Names) (value.Fields, *lockstep.Fault) {
	v, err := value.ParseJSON(string(w.raw))
	if err != nil {
		return value.Fields{}, lockstep.NewFault(lockstep.CodeFormat, err)
	}
	if v.Kind() != value.KindObject {
		return value.Fields{}, lockstep.Faultf(lockstep.CodeFormat, "a line holds a %s, not an object", v.Kind())
	}
	members := v.Object()
	if names == nil {
		if names = members.Names(); names == nil {
			return members, nil
		}
	}
	values := make([]value.Value, names.Len())
	for i, name := range names.List() {
		member, _ := members.Get(name)
		if values[i], err = typetext.FromJSON(member, r.d.types[name]); err != nil {
			return value.Fields{}, lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: name})
		}
	}
	return names.Fields(values), nil
}

// key is the key of a row that cannot be read whole; false where not even that can be.
func (r *reader) key(w row) (lockstep.Key, bool) {
	if w.large || r.csv == nil && !utf8.Valid(w.raw) {
		return "", false
	}
	decode := r.jsonFields
	if r.csv != nil {
		decode = r.csvFields
	}
	f, fault := decode(w, r.keys)
	if fault != nil {
		return "", false
	}
	key, fault := r.d.keyOf(f)
	return key, fault == nil && utf8.ValidString(string(key))
}

// keyOf is the record's key, made of fields that hold the key fields.
func (d *def) keyOf(f value.Fields) (lockstep.Key, *lockstep.Fault) {
	parts := make([]string, len(d.key))
	for i, name := range d.key {
		v, _ := f.Get(name)
		text, there := v.KeyText()
		if !there {
			return "", lockstep.Faultf(lockstep.CodeNullKey, "the key field is null").On(lockstep.About{Field: name})
		}
		parts[i] = text
	}
	return lockstep.MakeKey(parts...), nil
}

// view is how a read wants its records.
type view struct {
	d     *def
	r     lockstep.Read
	names *value.Names // decoded: the fields asked for, the key fields, the field that marks deletes, and those of Find
	asked *value.Names // nil for the light read
}

func (d *def) view(r lockstep.Read, more ...string) (*view, error) {
	v := &view{d: d, r: r}
	if len(d.key) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeNoKey, "the stream has no key").On(lockstep.About{Stream: r.Stream})
	}
	var names []string
	seen := map[string]bool{}
	add := func(list ...string) error {
		for _, name := range list {
			if !d.has(name) {
				return lockstep.Faultf(lockstep.CodeNoField, "there is no field %q", name).On(lockstep.About{Stream: r.Stream, Field: name})
			}
			if !seen[name] {
				seen[name], names = true, append(names, name)
			}
		}
		return nil
	}
	if err := add(r.Fields...); err != nil {
		return nil, err
	}
	if len(names) != len(r.Fields) {
		return nil, lockstep.Faultf(lockstep.CodeNoField, "a field is asked for twice").On(lockstep.About{Stream: r.Stream})
	}
	if r.Fields != nil {
		v.asked = value.NewNames(names[:len(names):len(names)]...)
	}
	if r.Track.Deleted != "" {
		more = append(more, r.Track.Deleted)
	}
	if err := add(append(more, d.key...)...); err != nil {
		return nil, err
	}
	v.names = value.NewNames(names...)
	return v, nil
}

// record is what was asked for, of fields decoded as v.names.
func (v *view) record(key lockstep.Key, f value.Fields) lockstep.Record {
	if v.asked == nil {
		return lockstep.Record{Key: key}
	}
	return lockstep.Record{Key: key, Fields: v.asked.Fields(f.Values()[:v.asked.Len():v.asked.Len()])}
}

// pick is f as v.names.
func (v *view) pick(f value.Fields) value.Fields {
	values := make([]value.Value, v.names.Len())
	for i, name := range v.names.List() {
		values[i], _ = f.Get(name)
	}
	return v.names.Fields(values)
}

// gone tells whether the record is marked as deleted: true, or not null and no text for false.
func (v *view) gone(f value.Fields) bool {
	if v.r.Track.Deleted == "" {
		return false
	}
	mark, _ := f.Get(v.r.Track.Deleted)
	switch mark.Kind() {
	case value.KindNull:
		return false
	case value.KindBool:
		return mark.Bool()
	case value.KindText:
		b, err := typetext.Bool(mark.Text())
		return err != nil || b.Bool()
	}
	return true
}

// at is where the reader stands: behind the row that next gave.
func (r *reader) at() *window {
	if r.csv != nil {
		return r.csv.window
	}
	return r.lines.window
}
