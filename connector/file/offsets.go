package file

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// offsets say where in a file the record of a key lies, so that fetching does not read the file each time. They hold
// for one state of one plain file.
type offsets struct {
	set  string // identity of the file
	seed maphash.Seed
	list []offset // by hash
	many bool     // more rows than are kept
	// unread: there are rows without a readable key, which only a pass over the file tells of
	unread bool
}

type offset struct {
	hash uint64
	at   int64
}

const (
	offsetsFrom = 1 << 20   // bytes of a file that is worth it
	offsetsMax  = 1_000_000 // rows: 16 MiB
)

// fetchByOffset gives the wanted records if the file is plain, single and large; false where it is not.
func (s *System) fetchByOffset(ctx context.Context, st *stream, v *view, wanted map[lockstep.Key]bool, give giveFunc, bad badFunc) (bool, error) {
	if len(v.d.files) != 1 || strings.HasSuffix(v.d.files[0], ".gz") {
		return false, nil
	}
	info, err := os.Stat(v.d.files[0])
	if err != nil || info.Size() < offsetsFrom {
		return false, nil
	}
	set, err := identity(v.d.files)
	if err != nil {
		return false, err
	}
	if st.offsets == nil || st.offsets.set != set {
		if st.offsets, err = s.index(ctx, v.d, set, info.Size()); err != nil {
			return false, err
		}
	}
	if st.offsets.many || st.offsets.unread {
		return false, nil
	}
	var at []int64
	for key := range wanted {
		at = st.offsets.find(key, at)
	}
	slices.Sort(at)
	r, err := s.open(v.d, v.d.files[0])
	if err != nil {
		return false, err
	}
	defer r.close()
	var seen bitmap
	for _, offset := range at {
		if err := r.seek(offset, 1, s.maxRecord); err != nil {
			return false, err
		}
		w, err := r.next()
		if err != nil {
			return false, err
		}
		key, known := r.key(w)
		if _, asked := wanted[key]; !known || !asked {
			continue
		}
		more, err := st.give(v, r, w, &seen, give, bad)
		if err != nil || !more {
			return true, err
		}
	}
	for key, still := range wanted {
		if !still {
			continue
		}
		over, err := st.over(key)
		if err != nil {
			return false, err
		}
		if over.known && !over.gone && !give(key, v.pick(over.fields)) {
			break
		}
	}
	return true, nil
}

// index reads the file once.
func (s *System) index(ctx context.Context, d *def, set string, size int64) (*offsets, error) {
	o := &offsets{set: set, seed: maphash.MakeSeed()}
	r, err := s.open(d, d.files[0])
	if err != nil {
		return nil, err
	}
	defer r.close()
	for n := 0; ; n++ {
		if n%256 == 255 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		key, known := r.key(w)
		if !known {
			o.unread = true
			continue
		}
		if len(o.list) == offsetsMax {
			return &offsets{set: set, many: true}, nil
		}
		if len(o.list) == 1000 { // grow once, by what the rows so far say of the others
			rows := float64(size) / float64(w.offset) * 1000
			o.list = slices.Grow(o.list, min(int(rows*1.05), offsetsMax))
		}
		o.list = append(o.list, offset{maphash.String(o.seed, string(key)), w.offset})
	}
	slices.SortFunc(o.list, func(a, b offset) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.at, b.at)) })
	return o, nil
}

func (o *offsets) find(key lockstep.Key, at []int64) []int64 {
	h := maphash.String(o.seed, string(key))
	i, _ := slices.BinarySearchFunc(o.list, h, func(x offset, h uint64) int { return cmp.Compare(x.hash, h) })
	for ; i < len(o.list) && o.list[i].hash == h; i++ {
		at = append(at, o.list[i].at)
	}
	return at
}
