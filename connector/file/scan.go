package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lockstep-sync/lockstep"
)

// position is a place in a stream's files.
type position struct {
	// Set is the identity of the stream's files when the scan began: names, sizes, times, heads. A scan of files that
	// have changed since is not complete, so it ends with a fault and nothing is deleted (law 9).
	Set  string `json:"set"`
	File string `json:"file,omitempty"`
	At   int64  `json:"at"`   // byte offset of the next row in the uncompressed file
	Line int    `json:"line"` // its line
	Rows int64  `json:"rows"` // read of this file
	End  bool   `json:"end,omitempty"`
}

func parsePosition(p lockstep.Position) (position, error) {
	var at position
	err := json.Unmarshal(p, &at)
	if err == nil && (at.Set == "" || at.At < 0 || at.Line < 1 || at.Rows < 0 || at.File == "" && !at.End) {
		err = errors.New("it is not a place in a file")
	}
	if err != nil {
		return at, lockstep.Faultf(lockstep.CodePosition, "the position cannot be read: %w", err)
	}
	return at, nil
}

func (p position) encode() lockstep.Position {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return b
}

const headBytes = 4096

// identity is the identity of the files as they lie there now.
func identity(files []string) (string, error) {
	sum := sha256.New()
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return "", fileFault(file, err)
		}
		info, err := f.Stat()
		if err == nil {
			fmt.Fprintf(sum, "%q %d %d\n", filepath.Base(file), info.Size(), info.ModTime().UnixNano())
			_, err = io.CopyN(sum, f, headBytes)
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fileFault(file, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// cursor is an open scan: where a page ended, with the file open there, so that the next page need not find its way.
type cursor struct {
	pos  position
	file int
	r    *reader
	row  *row // read and not given yet; it begins at pos
}

func (c *cursor) close() {
	if c != nil && c.r != nil {
		c.r.close()
		c.r = nil
	}
}

// Scan reads the stream's files in the order of their names.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if err := ctx.Err(); err != nil {
		return lockstep.Page{}, err
	}
	page, err := s.scan(ctx, r, from, l)
	if err != nil && ctx.Err() == nil {
		err = lockstep.FaultOf(err).On(lockstep.About{Stream: r.Stream})
	}
	return page, err
}

func (s *System) scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	st := s.stream(r.Stream)
	st.mu.Lock()
	defer st.mu.Unlock()
	d, err := s.find(r.Stream)
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := s.load(st, d); err != nil {
		return lockstep.Page{}, err
	}
	if from == nil && st.journal != nil && st.journal.len() > 0 {
		if err := s.fold(st, d); err != nil {
			return lockstep.Page{}, err
		}
		if d, err = s.find(r.Stream); err != nil {
			return lockstep.Page{}, err
		}
	}
	if len(d.files) == 0 {
		return lockstep.Page{}, missing(d)
	}
	v, err := d.view(r)
	if err != nil {
		return lockstep.Page{}, err
	}
	c, err := s.place(st, d, from)
	if err != nil {
		return lockstep.Page{}, err
	}
	page, err := s.page(ctx, st, v, c, l)
	if err != nil {
		c.close()
		return page, err
	}
	page.Next, page.More = c.pos.encode(), !c.pos.End
	st.keep(c)
	return page, nil
}

// place is a cursor at from: the one that ended there, or a new one.
func (s *System) place(st *stream, d *def, from lockstep.Position) (*cursor, error) {
	st.seen = true
	set, err := identity(d.files)
	if err != nil {
		return nil, err
	}
	if from == nil {
		for _, file := range d.files {
			m, err := readManifest(file)
			if err == nil {
				err = checkManifest(file, m)
			}
			if err != nil {
				return nil, err
			}
		}
		return &cursor{pos: position{Set: set, File: filepath.Base(d.files[0]), Line: 1}}, nil
	}
	pos, err := parsePosition(from)
	if err != nil {
		return nil, err
	}
	if pos.Set != set {
		return nil, lockstep.Faultf(lockstep.CodePosition, "the file was changed while it was read").On(about(d.files[0]))
	}
	if c := st.cursor; c != nil && c.pos == pos {
		st.cursor = nil
		return c, nil
	}
	c := &cursor{pos: pos}
	for ; !pos.End && filepath.Base(d.files[c.file]) != pos.File; c.file++ {
		if c.file == len(d.files)-1 {
			return nil, lockstep.Faultf(lockstep.CodePosition, "the position is in a file that is not there").On(about(pos.File))
		}
	}
	return c, nil
}

// page fills a page and leaves the cursor behind it.
func (s *System) page(ctx context.Context, st *stream, v *view, c *cursor, l lockstep.Limit) (lockstep.Page, error) {
	var page lockstep.Page
	bytes := 0
	for n := 0; !c.pos.End; n++ {
		if n%256 == 255 && ctx.Err() != nil {
			return page, ctx.Err()
		}
		w, err := s.peek(v.d, c)
		if err != nil {
			return page, err
		}
		if w == nil {
			continue
		}
		if l.Rows > 0 && len(page.Changes) >= l.Rows {
			break
		}
		change, size, err := st.change(v, c.r, *w, l)
		if err != nil {
			return page, err
		}
		if change != nil {
			if l.Bytes > 0 && len(page.Changes) > 0 && bytes+size > l.Bytes {
				break
			}
			page.Changes, bytes = append(page.Changes, *change), bytes+size
		}
		c.take()
	}
	return page, nil
}

// peek is the row at the cursor, nil where a file ended and the next one begins.
func (s *System) peek(d *def, c *cursor) (*row, error) {
	if c.row != nil {
		return c.row, nil
	}
	if c.r == nil {
		r, err := s.open(d, d.files[c.file])
		if err != nil {
			return nil, err
		}
		if c.pos.At > r.body {
			if err := r.seek(c.pos.At, c.pos.Line, s.maxRecord); err != nil {
				return nil, err
			}
		}
		r.rows = c.pos.Rows
		c.r = r
	}
	w, err := c.r.next()
	if errors.Is(err, io.EOF) {
		return nil, c.nextFile(d)
	}
	if err != nil {
		return nil, err
	}
	c.row, c.pos.At, c.pos.Line = &w, w.offset, w.line
	return c.row, nil
}

// take moves the cursor behind the row that peek gave.
func (c *cursor) take() {
	w := c.r.at()
	c.row, c.pos.At, c.pos.Line, c.pos.Rows = nil, w.offset, w.line, c.r.rows
}

// nextFile ends a file, whose rows must be as many as its manifest says.
func (c *cursor) nextFile(d *def) error {
	m, err := readManifest(d.files[c.file])
	if err != nil {
		return err
	}
	if m != nil && m.Rows != nil && m.SHA256 == "" && *m.Rows != c.pos.Rows {
		return lockstep.Faultf(lockstep.CodeShortRead, "the file has %d rows, its manifest says %d", c.pos.Rows, *m.Rows).On(about(d.files[c.file]))
	}
	c.close()
	if c.file++; c.file == len(d.files) {
		c.pos = position{Set: c.pos.Set, Line: 1, End: true}
		return nil
	}
	c.pos = position{Set: c.pos.Set, File: filepath.Base(d.files[c.file]), Line: 1}
	return nil
}

// change is a row as a scan gives it; nil if it is gone by now.
func (st *stream) change(v *view, r *reader, w row, l lockstep.Limit) (*lockstep.Change, int, error) {
	now, err := st.now(v, r, w)
	if err != nil || now.gone {
		return nil, 0, err
	}
	if now.fault != nil {
		if !now.known {
			now.key = lockstep.Key(fmt.Sprintf("%s line %d", filepath.Base(r.path), w.line))
		}
		fault := now.fault.On(lockstep.About{Stream: v.r.Stream, Key: now.key})
		return &lockstep.Change{Record: lockstep.Record{Key: now.key}, Fault: fault}, len(now.key), nil
	}
	if v.gone(now.fields) {
		return nil, 0, nil
	}
	rec := v.record(now.key, now.fields)
	size := len(now.key) + rec.Fields.Size()
	if l.Bytes > 0 && size > l.Bytes {
		return &lockstep.Change{Record: lockstep.Record{Key: now.key}, Fault: lockstep.Faultf(lockstep.CodeTooLarge, "the record has about %d bytes, the limit is %d", size, l.Bytes).
			On(lockstep.About{Stream: v.r.Stream, Key: now.key})}, len(now.key), nil
	}
	return &lockstep.Change{Record: rec}, size, nil
}
