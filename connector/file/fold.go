package file

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// fold makes a new file of the old one and the journal, puts it in place and empties the journal. Dying between any
// two steps leaves a whole file and a journal that can be folded again (law 5).
func (s *System) fold(st *stream, d *def) error {
	if st.journal.len() == 0 {
		return nil
	}
	st.cursor.close()
	st.cursor, st.offsets = nil, nil
	if err := s.replace(d, func(w *rowWriter) error { return s.foldRows(st, d, w) }, st.journal.columns); err != nil {
		return err
	}
	if err := st.journal.empty(); err != nil {
		return err
	}
	s.step("journal emptied")
	return nil
}

// finish folds what is left and removes the journal.
func (s *System) finish(name string, st *stream) error {
	j := st.journal
	st.journal = nil
	defer func() { _ = j.close() }()
	if j.len() > 0 {
		d, err := s.find(name)
		if err != nil {
			return err
		}
		st.journal = j
		err = s.fold(st, d)
		st.journal = nil
		if err != nil {
			return err
		}
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault(j.path, err)
	}
	s.step("journal removed")
	return nil
}

// create makes the empty file of a new stream.
func (s *System) create(d *def) error {
	d.types = map[string]value.Type{}
	for _, f := range d.fields {
		d.types[f.Name] = f.Type
	}
	return s.replace(d, func(*rowWriter) error { return nil }, nil)
}

// foldRows writes the rows of the file as they are by now, in their order, and then the new ones.
func (s *System) foldRows(st *stream, d *def, w *rowWriter) error {
	var seen bitmap
	for _, file := range d.files {
		r, err := s.open(d, file)
		if err != nil {
			return err
		}
		err = foldFile(st, r, w, &seen)
		r.close()
		if err != nil {
			return err
		}
	}
	return st.fresh(&seen, func(_ lockstep.Key, f value.Fields) (bool, error) { return true, w.fields(f) })
}

func foldFile(st *stream, r *reader, w *rowWriter, seen *bitmap) error {
	for {
		old, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if old.large {
			return lockstep.Faultf(lockstep.CodeTooLarge, "line %d is over the limit of a record, so the file cannot be written anew", old.line).On(about(r.path))
		}
		var over state
		if key, known := r.key(old); known {
			if over, err = st.over(key); err != nil {
				return err
			}
		}
		seen.addAll(over.entries)
		switch {
		case over.gone:
		case over.fresh:
			err = w.fields(over.fields)
		case over.known:
			err = w.merged(r, old, over.fields)
		default:
			err = w.raw(old) // as it stands, also where it is wrong: it is not ours to drop
		}
		if err != nil {
			return err
		}
	}
}

// rowWriter writes rows of a file.
type rowWriter struct {
	d       *def
	w       *bufio.Writer
	columns []string
	old     int // how many of the columns the old file has
	rows    int64
	buf     []byte
}

func (w *rowWriter) end(b []byte) error {
	w.buf = append(b, '\n')
	w.rows++
	_, err := w.w.Write(w.buf)
	return err
}

func (w *rowWriter) raw(r row) error {
	b := append(w.buf[:0], r.raw...)
	if w.d.csv && len(r.spans) == w.old {
		for range w.columns[w.old:] {
			b = append(append(b, w.d.conf.delim), w.d.conf.null...)
		}
	}
	return w.end(b)
}

func (w *rowWriter) fields(f value.Fields) error {
	if !w.d.csv {
		b := append(w.buf[:0], '{')
		for i := range f.Len() {
			name, v := f.At(i)
			b = appendMember(b, i, name, typetext.AppendJSON(nil, v, w.d.types[name]))
		}
		return w.end(append(b, '}'))
	}
	b := w.buf[:0]
	for i, name := range w.columns {
		v, _ := f.Get(name)
		b = w.column(b, i, name, v)
	}
	return w.end(b)
}

func (w *rowWriter) column(b []byte, i int, name string, v value.Value) []byte {
	if i > 0 {
		b = append(b, w.d.conf.delim)
	}
	if v.IsNull() {
		return append(b, w.d.conf.null...)
	}
	return appendField(b, typetext.Text(v, w.d.types[name]), w.d.conf.delim, w.d.conf.null)
}

func appendMember(b []byte, i int, name string, text []byte) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(value.AppendQuoted(b, name), ':')
	return append(b, text...)
}

// merged writes an old row with some fields set anew; the others keep their text.
func (w *rowWriter) merged(r *reader, old row, set value.Fields) error {
	if !w.d.csv {
		return w.mergedJSON(old, set)
	}
	b := w.buf[:0]
	for i, name := range w.columns {
		if v, there := set.Get(name); there || i >= len(old.spans) {
			b = w.column(b, i, name, v)
			continue
		}
		if i > 0 {
			b = append(b, w.d.conf.delim)
		}
		if f := old.spans[i]; f.quoted {
			b = append(b, old.raw[f.from-1:f.to+1]...)
		} else {
			b = append(b, old.raw[f.from:f.to]...)
		}
	}
	return w.end(b)
}

func (w *rowWriter) mergedJSON(old row, set value.Fields) error {
	v, err := value.ParseJSON(string(old.raw))
	if err != nil {
		return err
	}
	b, n := append(w.buf[:0], '{'), 0
	for name, member := range v.Object().All() {
		text := value.AppendJSON(nil, member)
		if v, there := set.Get(name); there {
			text = typetext.AppendJSON(nil, v, w.d.types[name])
		}
		b = appendMember(b, n, name, text)
		n++
	}
	for name, member := range set.All() {
		if _, there := v.Object().Get(name); !there {
			b = appendMember(b, n, name, typetext.AppendJSON(nil, member, w.d.types[name]))
			n++
		}
	}
	return w.end(append(b, '}'))
}

// replace writes the stream's file anew: to a temporary name, synced; then the manifest; then it is renamed.
func (s *System) replace(d *def, rows func(*rowWriter) error, more []string) (err error) {
	temp := filepath.Join(s.dir, "."+filepath.Base(d.single)+".tmp")
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
			err = fileFault(d.single, err)
		}
	}()
	m := manifest{Written: time.Now().UTC(), Stream: declare(d.key, nil)}
	if d.closed {
		m.Stream = declare(d.key, d.fields)
	}
	mode := fs.FileMode(0o644)
	if len(d.files) > 0 {
		if m.Previous, mode, err = describe(d.single); err != nil {
			return err
		}
		if d.man != nil && !d.man.fits(*m.Previous.Bytes, m.Previous.SHA256) {
			return mismatch(d.single) // somebody else wrote it; a person says which is right
		}
	}
	columns, old, err := s.columns(d, more)
	if err != nil {
		return err
	}
	if err := s.writeTemp(temp, mode, d, &m, columns, old, rows); err != nil {
		return err
	}
	s.step("temp synced")
	if err := s.writeManifest(d.single, m); err != nil {
		return err
	}
	s.step("manifest renamed")
	if err := os.Rename(temp, d.single); err != nil {
		return err
	}
	s.step("data renamed")
	err = syncDir(s.dir)
	s.step("folder synced")
	return err
}

// columns are those of the old file, or the declared ones, and the new ones behind them.
func (s *System) columns(d *def, more []string) (columns []string, old int, err error) {
	if !d.csv {
		return nil, 0, nil
	}
	if len(d.files) > 0 {
		r, err := s.open(d, d.files[0])
		if err != nil {
			return nil, 0, err
		}
		r.close()
		columns, old = slices.Clone(r.columns), len(r.columns)
	}
	declared := d.fields
	if !d.closed {
		declared = nil
	}
	for _, f := range declared {
		if !slices.Contains(columns, f.Name) {
			columns = append(columns, f.Name)
		}
	}
	for _, name := range more {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	return columns, old, nil
}

type counter struct {
	n   int64
	sum hash.Hash
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.sum.Write(b)
}

func (s *System) writeTemp(temp string, mode fs.FileMode, d *def, m *manifest, columns []string, old int, rows func(*rowWriter) error) error {
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	count := &counter{sum: sha256.New()}
	var out io.Writer = io.MultiWriter(f, count)
	var z *gzip.Writer
	if strings.HasSuffix(d.single, ".gz") {
		z = gzip.NewWriter(out)
		out = z
	}
	w := &rowWriter{d: d, w: bufio.NewWriterSize(out, 256<<10), columns: columns, old: old}
	if d.csv && d.conf.header {
		var b []byte
		for i, name := range columns {
			b = w.column(b, i, "", value.Text(name))
		}
		if err := w.end(b); err != nil {
			return err
		}
		w.rows = 0
	}
	if err := rows(w); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	if z != nil {
		if err := z.Close(); err != nil {
			return err
		}
	}
	s.step("temp written")
	m.Rows, m.Bytes, m.SHA256 = &w.rows, &count.n, hex.EncodeToString(count.sum.Sum(nil))
	return f.Sync()
}

// describe is the file as it lies there.
func describe(file string) (*manifest, fs.FileMode, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return &manifest{Bytes: &n, SHA256: hex.EncodeToString(sum.Sum(nil)), Written: info.ModTime().UTC()}, info.Mode().Perm(), err
}

func (s *System) writeManifest(file string, m manifest) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(s.dir, "."+filepath.Base(file)+".manifest.tmp")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.step("manifest written")
	return os.Rename(temp, manifestPath(file))
}

// syncDir makes renames in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
