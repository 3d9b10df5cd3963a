package memory

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// view is how a Read wants its records: the fields in order, their names shared by the page.
type view struct {
	st    *stream
	read  lockstep.Read
	names *value.Names // nil for the light read
}

func (s *System) view(r lockstep.Read) (view, error) {
	st, err := s.stream(r.Stream)
	if err != nil {
		return view{}, err
	}
	if r.Fields == nil {
		return view{st: st, read: r}, nil
	}
	for i, name := range r.Fields {
		if !st.open && st.def.Field(name) == nil {
			return view{}, noField(r.Stream, name)
		}
		if slices.Contains(r.Fields[:i], name) {
			return view{}, lockstep.Faultf(lockstep.CodeNoField, "the field %q is asked for twice", name).On(lockstep.About{Stream: r.Stream})
		}
	}
	return view{st: st, read: r, names: value.NewNames(slices.Clone(r.Fields)...)}, nil
}

func noField(streamName, field string) error {
	return lockstep.Faultf(lockstep.CodeNoField, "there is no field %q", field).On(lockstep.About{Stream: streamName, Field: field})
}

func (v view) record(r row) lockstep.Record {
	out := lockstep.Record{Key: r.key, Version: r.version, At: r.at}
	if v.names == nil {
		return out
	}
	values := make([]value.Value, v.names.Len())
	for i, name := range v.names.List() {
		values[i], _ = r.fields.Get(name)
	}
	out.Fields = v.names.Fields(values)
	return out
}

// gone tells whether a row is marked as deleted.
func (v view) gone(r row) bool {
	if v.read.Track.Deleted == "" {
		return false
	}
	mark, _ := r.fields.Get(v.read.Track.Deleted)
	return !mark.IsNull() && (mark.Kind() != value.KindBool || mark.Bool())
}

// pager fills a page up to its limit.
type pager struct {
	view  view
	limit lockstep.Limit
	page  lockstep.Page
	bytes int
}

// add takes a row, unless the page is full.
func (p *pager) add(op lockstep.Op, r row) bool {
	n := len(p.page.Changes)
	if p.limit.Rows > 0 && n >= p.limit.Rows {
		return false
	}
	if op == lockstep.Upsert && p.view.gone(r) {
		op = lockstep.Delete
	}
	c := lockstep.Change{Op: op, Record: p.view.record(r)}
	if op == lockstep.Delete {
		c.Record.Fields = value.Fields{}
	}
	size := len(r.key) + c.Record.Fields.Size()
	if p.limit.Bytes > 0 && size > p.limit.Bytes {
		c = lockstep.Change{Record: lockstep.Record{Key: r.key, Version: r.version}, Fault: lockstep.Faultf(lockstep.CodeTooLarge,
			"the record has about %d bytes, the limit is %d", size, p.limit.Bytes).On(lockstep.About{Stream: p.view.read.Stream, Key: r.key})}
		size = len(r.key)
	}
	if p.limit.Bytes > 0 && n > 0 && p.bytes+size > p.limit.Bytes {
		return false
	}
	p.bytes += size
	p.page.Changes = append(p.page.Changes, c)
	return true
}

type scanPlace struct {
	After lockstep.Key `json:"after"`
	Began bool         `json:"began"` // tells the key "" from none
}

func encode(place any) lockstep.Position {
	b, err := json.Marshal(place)
	if err != nil {
		panic(err) // places are plain structs of texts and numbers
	}
	return b
}

func decode(p lockstep.Position, place any, streamName string) error {
	if err := json.Unmarshal(p, place); err != nil {
		return lockstep.Faultf(lockstep.CodePosition, "the position cannot be read: %w", err).On(lockstep.About{Stream: streamName})
	}
	return nil
}

// Scan follows the order of the keys, so that a record which is there all the time is never passed over.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	var page lockstep.Page
	err := s.call(ctx, "Scan", r.Stream, func() error {
		v, err := s.view(r)
		if err != nil {
			return err
		}
		var place scanPlace
		if from != nil {
			if err := decode(from, &place, r.Stream); err != nil {
				return err
			}
		}
		i := 0
		if place.Began {
			at, found := slices.BinarySearch(v.st.order, place.After)
			if i = at; found {
				i++
			}
		}
		p := pager{view: v, limit: l}
		for ; i < len(v.st.order); i++ {
			row := *v.st.rows[v.st.order[i]]
			if !v.gone(row) && !p.add(lockstep.Upsert, row) {
				break
			}
			place = scanPlace{After: v.st.order[i], Began: true}
		}
		p.page.Next, p.page.More = encode(place), i < len(v.st.order)
		page = p.page
		return nil
	})
	return page, err
}

// Fetch reads the records of keys, in the order of the keys.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	var out []lockstep.Record
	err := s.call(ctx, "Fetch", r.Stream, func() error {
		v, err := s.view(r)
		if err != nil {
			return err
		}
		seen := make(map[lockstep.Key]bool, len(keys))
		for _, key := range keys {
			k := v.st.fold(key)
			if row, there := v.st.rows[k]; there && !seen[k] && !v.gone(*row) {
				seen[k] = true
				out = append(out, v.record(*row))
			}
		}
		return nil
	})
	return out, err
}

// Find compares numbers by value and everything else by kind and content; null finds null.
func (s *System) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	out := make([][]lockstep.Record, len(values))
	err := s.call(ctx, "Find", r.Stream, func() error {
		v, err := s.view(r)
		if err != nil {
			return err
		}
		for _, name := range by {
			if !v.st.open && v.st.def.Field(name) == nil {
				return noField(r.Stream, name)
			}
		}
		wanted := make(map[string][]int, len(values))
		for i, tuple := range values {
			if len(tuple) != len(by) {
				return lockstep.Faultf(lockstep.CodeInvariant, "%d values for %d fields", len(tuple), len(by)).On(lockstep.About{Stream: r.Stream})
			}
			text := matchText(tuple, v.st.def.CaseFoldText)
			wanted[text] = append(wanted[text], i)
		}
		tuple := make([]value.Value, len(by))
		for _, key := range v.st.order {
			row := *v.st.rows[key]
			for i, name := range by {
				tuple[i], _ = row.fields.Get(name)
			}
			if v.gone(row) {
				continue
			}
			for _, i := range wanted[matchText(tuple, v.st.def.CaseFoldText)] {
				out[i] = append(out[i], v.record(row))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
