package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// System is an open folder. It is safe for concurrent use; calls on one stream wait for each other.
type System struct {
	dir        string
	maxRecord  int
	journalMax int64
	conf       map[string]conf
	mu         sync.Mutex
	streams    map[string]*stream
	step       func(string) // called after each step of writing; tests die there
}

// The interfaces that System keeps.
var (
	_ lockstep.Source   = (*System)(nil)
	_ lockstep.Target   = (*System)(nil)
	_ lockstep.Creator  = (*System)(nil)
	_ lockstep.Examiner = (*System)(nil)
)

// stream is what is open of a stream.
type stream struct {
	mu      sync.Mutex
	journal *journal // nil: there is none
	cursor  *cursor  // of the scan that is under way, if there is one
	offsets *offsets // where the records of the file lie
	seen    bool     // there was a file
}

func (s *System) stream(name string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[name]
	if st == nil {
		st = &stream{}
		s.streams[name] = st
	}
	return st
}

// keep holds a cursor for the next page, in place of the one before; one at the end holds nothing.
func (st *stream) keep(c *cursor) {
	st.cursor.close()
	if st.cursor = c; c.pos.End {
		c.close()
		st.cursor = nil
	}
}

// Close folds the journals into their files. What cannot be folded stays in its journal and is safe there.
func (s *System) Close() error {
	s.mu.Lock()
	streams := s.streams
	s.streams = map[string]*stream{}
	s.mu.Unlock()
	var errs []error
	for name, st := range streams {
		st.mu.Lock()
		st.cursor.close()
		if st.journal != nil {
			if err := s.finish(name, st); err != nil {
				errs = append(errs, err)
			}
		}
		st.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Changes are not told by files.
func (s *System) Changes(ctx context.Context, r lockstep.Read, _ lockstep.Position, _ lockstep.Limit) (lockstep.Page, error) {
	if err := ctx.Err(); err != nil {
		return lockstep.Page{}, err
	}
	f := lockstep.Faultf(lockstep.CodeCannot, "files tell no changes").On(lockstep.About{Stream: r.Stream})
	f.Next = "Use `track: {by: snapshot}`: the file is read whole and compared with what was sent before."
	return lockstep.Page{}, f
}

// Fetch finds the records of keys: in one pass over the files, or by their offsets where those are known. A key that
// several rows have comes with each of them.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	wanted := make(map[lockstep.Key]bool, len(keys)) // true: not found yet
	for _, k := range keys {
		wanted[k] = true
	}
	missing := len(wanted)
	var out []lockstep.Record
	err := s.look(ctx, r, nil, func(st *stream, v *view) error {
		// A row that cannot be read may be a wanted one: to leave it out would say that it is not there (law 9).
		var unread *lockstep.Fault
		bad := func(key lockstep.Key, known bool, fault *lockstep.Fault) error {
			if _, asked := wanted[key]; known && asked {
				return fault
			}
			if !known && unread == nil {
				unread = fault
			}
			return nil
		}
		give := func(key lockstep.Key, f value.Fields) bool {
			still, asked := wanted[key]
			if still {
				wanted[key] = false
				missing--
			}
			if asked && !v.gone(f) {
				out = append(out, v.record(key, f))
			}
			return true // to the end: a second row with the key has to be seen
		}
		if len(wanted) == 0 {
			return nil
		}
		done, err := s.fetchByOffset(ctx, st, v, wanted, give, bad)
		if err == nil && !done {
			err = s.all(ctx, st, v, give, bad)
		}
		if err == nil && unread != nil && missing > 0 {
			f := *unread
			f.Err = fmt.Errorf("a row has no readable key, so it is not known whether %d records are there: %w", missing, f.Err)
			return &f
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Find finds records by some of their fields, in one pass over the files. Numbers are equal by value; null finds null.
func (s *System) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	out := make([][]lockstep.Record, len(values))
	err := s.look(ctx, r, by, func(st *stream, v *view) error {
		wanted := make(map[string][]int, len(values))
		for i, tuple := range values {
			if len(tuple) != len(by) {
				return lockstep.Faultf(lockstep.CodeInvariant, "%d values for %d fields", len(tuple), len(by))
			}
			text := matchText(tuple)
			wanted[text] = append(wanted[text], i)
		}
		if len(wanted) == 0 {
			return nil
		}
		tuple := make([]value.Value, len(by))
		return s.all(ctx, st, v, func(key lockstep.Key, f value.Fields) bool {
			for i, name := range by {
				tuple[i], _ = f.Get(name)
			}
			if hits := wanted[matchText(tuple)]; hits != nil && !v.gone(f) {
				for _, i := range hits {
					out[i] = append(out[i], v.record(key, f))
				}
			}
			return true
		}, func(lockstep.Key, bool, *lockstep.Fault) error { return nil }) // a scan tells of them
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// look prepares a read of a stream as it is now.
func (s *System) look(ctx context.Context, r lockstep.Read, more []string, read func(*stream, *view) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st := s.stream(r.Stream)
	st.mu.Lock()
	defer st.mu.Unlock()
	err := func() error {
		d, err := s.find(r.Stream)
		if err != nil {
			return err
		}
		if err := s.load(st, d); err != nil {
			return err
		}
		if err := st.present(d); err != nil {
			return err
		}
		v, err := d.view(r, more...)
		if err != nil {
			return err
		}
		return read(st, v)
	}()
	if err != nil && ctx.Err() == nil {
		return lockstep.FaultOf(err).On(lockstep.About{Stream: r.Stream})
	}
	return err
}

// present refuses to look into a file that was there and is not any more: nothing found would read as all deleted
// (law 9). A target that was never written is empty.
func (st *stream) present(d *def) error {
	if len(d.files) > 0 || st.journal != nil {
		st.seen = true
		return nil
	}
	if st.seen || d.man != nil || d.single == "" {
		return missing(d)
	}
	return nil
}

func missing(d *def) error {
	file := d.single
	if file == "" {
		file = d.conf.pattern
	}
	return lockstep.Faultf(lockstep.CodeFile, "there is no such file").On(about(file))
}

type (
	giveFunc func(lockstep.Key, value.Fields) (more bool)
	// badFunc is told of a row that cannot be read, with its key if that is known.
	badFunc func(key lockstep.Key, known bool, fault *lockstep.Fault) error
)

// all gives the records of the files and of the journal, as they are now, until give has enough.
func (s *System) all(ctx context.Context, st *stream, v *view, give giveFunc, bad badFunc) error {
	var seen bitmap
	for _, file := range v.d.files {
		enough, err := s.allOf(ctx, st, v, file, &seen, give, bad)
		if enough || err != nil {
			return err
		}
	}
	return st.fresh(&seen, func(key lockstep.Key, f value.Fields) (bool, error) {
		return give(key, v.pick(f)), nil
	})
}

func (s *System) allOf(ctx context.Context, st *stream, v *view, file string, seen *bitmap, give giveFunc, bad badFunc) (enough bool, err error) {
	r, err := s.open(v.d, file)
	if err != nil {
		return false, err
	}
	defer r.close()
	for n := 0; ; n++ {
		if n%256 == 255 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		w, err := r.next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		more, err := st.give(v, r, w, seen, give, bad)
		if err != nil || !more {
			return true, err
		}
	}
}

// give gives a row as it is by now; true asks for more.
func (st *stream) give(v *view, r *reader, w row, seen *bitmap, give giveFunc, bad badFunc) (bool, error) {
	now, err := st.now(v, r, w)
	seen.addAll(now.lines)
	switch {
	case err != nil:
		return false, err
	case now.fault != nil:
		return true, bad(now.key, now.known, now.fault)
	case now.gone:
		return true, nil
	}
	return give(now.key, now.fields), nil
}

// current is a row as it is by now: what the journal knows lies over it.
type current struct {
	key    lockstep.Key
	known  bool // the key could be read
	gone   bool // deleted since
	fields value.Fields
	fault  *lockstep.Fault // the row cannot be read
	lines  []int32         // of the journal, about this key
}

func (st *stream) now(v *view, r *reader, w row) (current, error) {
	var c current
	c.fields, c.fault = r.fields(w, v.names)
	if c.fault == nil {
		c.key, c.fault = v.d.keyOf(c.fields)
		c.known = c.fault == nil
	} else {
		c.key, c.known = r.key(w)
	}
	if c.fault != nil {
		c.fault = c.fault.On(lockstep.About{Request: fmt.Sprintf("%s line %d", filepath.Base(r.path), w.line)})
	}
	if !c.known {
		return c, nil
	}
	over, err := st.over(c.key)
	if err != nil || !over.known {
		return c, err
	}
	c.lines, c.gone = over.entries, over.gone
	switch {
	case over.gone:
		c.fault = nil
	case over.fresh:
		c.fault, c.fields = nil, v.pick(over.fields)
	case c.fault == nil:
		c.fields = v.pick(overlay(c.fields, over.fields))
	}
	return c, nil
}

// overlay is base with the fields of top set.
func overlay(base, top value.Fields) value.Fields {
	if base.Len() == 0 {
		return top
	}
	values, fresh := slices.Clone(base.Values()), []string(nil)
	for name, v := range top.All() {
		if i := base.Names().Index(name); i >= 0 {
			values[i] = v
			continue
		}
		fresh, values = append(fresh, name), append(values, v)
	}
	if fresh == nil {
		return base.Names().Fields(values)
	}
	return value.NewNames(slices.Concat(base.Names().List(), fresh)...).Fields(values)
}

// bitmap marks entries of a journal.
type bitmap []uint64

func (b *bitmap) has(i int32) bool { return int(i/64) < len(*b) && (*b)[i/64]&(1<<(i%64)) != 0 }

func (b *bitmap) addAll(list []int32) {
	for _, i := range list {
		for int(i/64) >= len(*b) {
			*b = append(*b, 0)
		}
		(*b)[i/64] |= 1 << (i % 64)
	}
}

// matchText is equal for values that Find takes as equal: numbers by value, times by instant.
func matchText(tuple []value.Value) string {
	var b []byte
	for _, v := range tuple {
		switch v.Kind() {
		case value.KindDecimal:
			b = append(b, v.Decimal().Trim().String()...)
		case value.KindFloat:
			b = strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
		case value.KindTime:
			b = append(append(b, '@'), v.Time().UTC().Format(time.RFC3339Nano)...)
		default:
			b = value.AppendJSON(b, v)
		}
		b = append(b, '\n')
	}
	return string(b)
}
