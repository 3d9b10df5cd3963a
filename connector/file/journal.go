package file

import (
	"bufio"
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// journal holds what was written to a stream and is not folded into its file yet: JSON Lines of
// {"key":…,"set":{…}} and {"key":…,"delete":true}. In memory are the places of its lines only, by a hash of their keys.
type journal struct {
	path    string
	f       *os.File
	size    int64
	lines   []line
	last    map[uint64]int32 // by hash: the newest line
	seed    maphash.Seed
	columns []string // that lines have named, in the order of their coming
	named   map[string]bool
	decoder value.Decoder
}

type line struct {
	at   int64
	n    int32
	prev int32 // the line before of the same hash, or -1
}

const journalLines = 500_000 // more than that is folded, to bound the memory

func journalPath(file string) string { return file + ".journal" }

func (j *journal) len() int { return len(j.lines) }

func (j *journal) hash(k lockstep.Key) uint64 { return maphash.String(j.seed, string(k)) }

// openJournal opens and locks a file's journal, and reads what is in it. Without make it is nil where there is none.
func openJournal(file string, create bool) (*journal, error) {
	j := &journal{path: journalPath(file), seed: maphash.MakeSeed(), last: map[uint64]int32{}, named: map[string]bool{}}
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	for {
		f, err := os.OpenFile(j.path, flags, 0o644)
		if errors.Is(err, fs.ErrNotExist) && !create {
			return nil, nil
		}
		if err != nil {
			return nil, fileFault(j.path, err)
		}
		if err := lock(f); err != nil {
			_ = f.Close()
			return nil, lockstep.Faultf(lockstep.CodeBusy, "another process writes this stream").On(about(file))
		}
		// The file may have been folded and removed between opening and locking it.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(j.path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			j.f = f
			break
		}
		_ = f.Close()
		if !create {
			return nil, nil
		}
	}
	if err := j.read(); err != nil {
		_ = j.f.Close()
		return nil, fileFault(j.path, err)
	}
	return j, nil
}

// read indexes the lines. A last line that is not whole, or a hole, was never acknowledged: it is cut off, with what
// lies behind it.
func (j *journal) read() error {
	r := bufio.NewReaderSize(j.f, 256<<10)
	for n := 1; ; n++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		key, fields, _, err := j.decode(string(text))
		if err != nil {
			// Lines never hold NUL: where there is one, the machine went down before the sync ended.
			if _, more := r.Peek(1); more != nil || bytes.IndexByte(text, 0) >= 0 {
				break
			}
			return &syntaxError{n, 1, "the journal is damaged: " + err.Error()}
		}
		j.note(fields)
		j.add(key, j.size, len(text))
		j.size += int64(len(text))
	}
	if end, err := j.f.Seek(0, io.SeekEnd); err != nil || end == j.size {
		return err
	}
	return j.f.Truncate(j.size)
}

var errEntry = errors.New("not a line of a journal")

// decode reads a line as appendEntry writes it; gone is a delete.
func (j *journal) decode(line string) (key lockstep.Key, fields value.Fields, gone bool, err error) {
	rest, ok := strings.CutPrefix(line, keyMember)
	end := 1
	for ok && end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if !ok || end >= len(rest) {
		return "", fields, false, errEntry
	}
	quoted, rest := rest[:end+1], rest[end+1:]
	v, err := value.ParseJSON(quoted)
	if err != nil || v.Kind() != value.KindText {
		return "", fields, false, errEntry
	}
	if rest == goneMember {
		return lockstep.Key(v.Text()), fields, true, nil
	}
	set, ok1 := strings.CutPrefix(rest, setMember)
	set, ok2 := strings.CutSuffix(set, "}\n")
	if !ok1 || !ok2 {
		return "", fields, false, errEntry
	}
	fields, err = j.decoder.Fields(set)
	return lockstep.Key(v.Text()), fields, false, err
}

const keyMember, setMember, goneMember = `{"key":`, `,"set":`, `,"delete":true}` + "\n"

func appendEntry(b []byte, key lockstep.Key, fields value.Fields, gone bool) []byte {
	b = append(b, keyMember...)
	b = value.AppendQuoted(b, string(key))
	if gone {
		return append(b, goneMember...)
	}
	b = append(b, setMember...)
	b = value.AppendTagged(b, fields)
	return append(b, '}', '\n')
}

func (j *journal) note(fields value.Fields) {
	for name := range fields.All() {
		if !j.named[name] {
			j.named[name] = true
			j.columns = append(j.columns, name)
		}
	}
}

func (j *journal) add(key lockstep.Key, at int64, n int) {
	h := j.hash(key)
	prev, there := j.last[h]
	if !there {
		prev = -1
	}
	j.last[h] = int32(len(j.lines))
	j.lines = append(j.lines, line{at, int32(n), prev})
}

func (j *journal) entry(i int32) (key lockstep.Key, fields value.Fields, gone bool, err error) {
	text := make([]byte, j.lines[i].n)
	if _, err := j.f.ReadAt(text, j.lines[i].at); err != nil {
		return "", fields, false, fileFault(j.path, err)
	}
	key, fields, gone, err = j.decode(string(text))
	if err != nil {
		err = lockstep.Faultf(lockstep.CodeFormat, "the journal is damaged: %w", err).On(about(j.path))
	}
	return key, fields, gone, err
}

// alone tells whether a line is the only one of its key.
func (j *journal) alone(i int32, key lockstep.Key) bool {
	return j.lines[i].prev < 0 && j.last[j.hash(key)] == i
}

// append writes lines and syncs them: from then on they are done. If that fails, nothing is written, or the outcome
// is unknown and the fault says so.
func (j *journal) append(text []byte, lines []pending, step func(string)) error {
	_, err := j.f.WriteAt(text, j.size)
	if err != nil {
		fault := fileFault(j.path, err)
		if j.f.Truncate(j.size) != nil {
			fault = fault.Maybe()
		}
		return fault
	}
	step("journal written")
	if err := j.f.Sync(); err != nil {
		return fileFault(j.path, err).Maybe()
	}
	step("journal synced")
	at := j.size
	for _, p := range lines {
		j.note(p.fields)
		j.add(p.key, at, p.n)
		at += int64(p.n)
	}
	j.size = at
	return nil
}

// pending is a line about to be appended.
type pending struct {
	key    lockstep.Key
	fields value.Fields
	n      int
}

func (j *journal) empty() error {
	if err := j.f.Truncate(0); err != nil {
		return fileFault(j.path, err)
	}
	j.size, j.lines, j.columns = 0, nil, nil
	clear(j.last)
	clear(j.named)
	return nil
}

func (j *journal) close() error { return j.f.Close() }

// state is what the journal knows of a key.
type state struct {
	known   bool
	gone    bool         // deleted
	fresh   bool         // fields are all there is; otherwise they lie over the file's
	fields  value.Fields // set
	entries []int32      // the key's lines, the oldest first
}

// over is what lies over the file's record of that key.
func (st *stream) over(key lockstep.Key) (state, error) {
	var s state
	if st.journal == nil || len(st.journal.lines) == 0 {
		return s, nil
	}
	j := st.journal
	i, there := j.last[j.hash(key)]
	if !there {
		return s, nil
	}
	var chain []value.Fields
	for ; i >= 0; i = j.lines[i].prev {
		found, fields, gone, err := j.entry(i)
		if err != nil {
			return s, err
		}
		if found != key {
			continue
		}
		s.entries = append(s.entries, i)
		if s.fresh || s.gone {
			continue
		}
		if gone {
			s.gone, s.fresh = len(chain) == 0, len(chain) > 0
			continue
		}
		chain = append(chain, fields)
	}
	for _, fields := range slices.Backward(chain) {
		s.fields = overlay(s.fields, fields)
	}
	slices.Reverse(s.entries)
	s.known = len(s.entries) > 0
	return s, nil
}

// fresh gives the records that only the journal has, in the order of their coming. seen are the lines of those that
// the file has, too.
func (st *stream) fresh(seen *bitmap, give func(lockstep.Key, value.Fields) (bool, error)) error {
	if st.journal == nil {
		return nil
	}
	for i := range int32(len(st.journal.lines)) {
		if seen.has(i) {
			continue
		}
		key, fields, gone, err := st.journal.entry(i)
		if err != nil {
			return err
		}
		if !st.journal.alone(i, key) {
			over, err := st.over(key)
			if err != nil {
				return err
			}
			seen.addAll(over.entries)
			fields, gone = over.fields, over.gone
		}
		if gone {
			continue
		}
		if more, err := give(key, fields); !more || err != nil {
			return err
		}
	}
	return nil
}

// load opens the stream's journal if there is one, and adds the columns that only it knows.
func (s *System) load(st *stream, d *def) error {
	if st.journal == nil && d.single != "" {
		j, err := openJournal(d.single, false)
		if err != nil {
			return err
		}
		st.journal = j
	}
	if st.journal == nil {
		return nil
	}
	for _, name := range st.journal.columns {
		if _, there := d.types[name]; !there {
			t := value.Type{Kind: value.TextType}
			if !d.csv {
				t = value.Type{}
			}
			d.types[name] = t
			d.fields = append(d.fields, lockstep.Field{Name: name, Type: t, Nullable: true})
		}
	}
	return nil
}
