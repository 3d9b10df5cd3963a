package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep"
)

// A verify reads each side once, in whatever order it comes, and keeps of each record a hash of its key in the
// target, its digest and its own key, in files partitioned by that hash. Then one partition after the other fits in
// memory, however large the sides are (law 11).

const (
	partitions   = 64
	spillBuffer  = 16 << 10
	printHead    = 16 + 16 + 1 + 4
	maxPrintKey  = 1 << 20
	flagPlain    = byte(0)
	flagSkip     = byte(1) // expected in the target, but not comparable: a record that does not map, or was disabled
	flagUnlinked = byte(2) // its key in the target is not known: it cannot be there
	flagPending  = byte(3) // it was sent without something that comes later: nobody can call it level
)

// mark is what a verify keeps of one record.
type mark struct {
	id     [16]byte // of the key in the target
	digest [16]byte
	flag   byte
	key    lockstep.Key // on its own side
}

// side is the partitioned marks of one side.
type side struct {
	files   [partitions]*os.File
	writers [partitions]*bufio.Writer
	head    [printHead]byte
}

func newSide(dir, name string) (*side, error) {
	s := &side{}
	for i := range s.files {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s-%02d", name, i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, errors.Join(lockstep.NewFault(lockstep.CodeFile, err), s.close())
		}
		s.files[i], s.writers[i] = f, bufio.NewWriterSize(f, spillBuffer)
	}
	return s, nil
}

func markID(k lockstep.Key) [16]byte { return xxh3.HashString128(string(k)).Bytes() }

func (s *side) add(m mark) error {
	copy(s.head[:16], m.id[:])
	copy(s.head[16:32], m.digest[:])
	s.head[32] = m.flag
	binary.LittleEndian.PutUint32(s.head[33:], uint32(len(m.key)))
	w := s.writers[m.id[0]%partitions]
	if _, err := w.Write(s.head[:]); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	if _, err := w.WriteString(string(m.key)); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	return nil
}

// read yields the marks of a partition.
func (s *side) read(part int, each func(mark) error) error {
	if err := s.writers[part].Flush(); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	if _, err := s.files[part].Seek(0, io.SeekStart); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	r := bufio.NewReaderSize(s.files[part], 256<<10)
	var head [printHead]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return lockstep.NewFault(lockstep.CodeFile, err)
		}
		m := mark{id: [16]byte(head[:16]), digest: [16]byte(head[16:32]), flag: head[32]}
		n := binary.LittleEndian.Uint32(head[33:])
		if n > maxPrintKey {
			return lockstep.Faultf(lockstep.CodeInvariant, "a key of %d bytes in a partition", n)
		}
		key := make([]byte, n)
		if _, err := io.ReadFull(r, key); err != nil {
			return lockstep.NewFault(lockstep.CodeFile, err)
		}
		m.key = lockstep.Key(key)
		if err := each(m); err != nil {
			return err
		}
	}
}

func (s *side) close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
