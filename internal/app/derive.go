package app

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// deriveAll describes all streams that are to be created. A flow may read what another one fills: in a chain each
// stream is told by the one before it.
func (b *builder) deriveAll(flows []*config.Flow) {
	for left := flows; len(left) > 0; {
		var next []*config.Flow
		for _, f := range left {
			if b.sourceStream(f) == nil {
				next = append(next, f)
			}
		}
		for _, f := range left {
			if !slices.Contains(next, f) {
				b.derive(f)
			}
		}
		if len(next) == len(left) {
			return // flow says what is missing
		}
		left = next
	}
}

// sourceStream is the stream that a flow reads, as it is or as it will be made; nil where there is none.
func (b *builder) sourceStream(f *config.Flow) *lockstep.Stream {
	if s := b.systems[f.From.System].stream(f.From.Stream); s != nil {
		return s
	}
	if c := b.missing[stream{f.From.System, f.From.Stream}]; c != nil {
		return &c.Stream
	}
	return nil
}

// derive describes the target stream of a flow that is to be created: the fields of its mapping with the types of the
// source, and the source's key under its new names. Flows that fill one stream add to it.
func (b *builder) derive(f *config.Flow) {
	to := b.systems[f.To.System]
	if !f.To.Create || to.stream(f.To.Stream) != nil || b.wasThere(f) {
		return
	}
	if _, ok := to.sys.(lockstep.Creator); !ok {
		b.report(f, "to.create", lockstep.CodeCannot, "make the stream yourself", "the system %s cannot create streams", f.To.System)
		return
	}
	from := b.sourceStream(f)
	if from == nil || len(from.Key) == 0 {
		return // flow says why
	}
	before := len(b.problems)
	m := b.mapping(f, *from, nil)
	if m == nil {
		return
	}
	key := keyOf(f, *from, m)
	if key == nil {
		b.report(f, "to.create", lockstep.CodeNoKey, "copy the source's key fields under `map`, or name the key under `match`",
			"the key of the stream to be created cannot be told: the mapping does not copy the key of %s", from.Name)
		return
	}
	s, err := image.Derive(f.To.Stream, m.Output(), key)
	if err != nil {
		fault := lockstep.FaultOf(err)
		b.report(f, "to.create", fault.Code, "", "%s", fault.Err)
	}
	if len(b.problems) > before {
		return
	}
	at := stream{f.To.System, f.To.Stream}
	if b.missing[at] == nil {
		b.missing[at] = &created{s}
		return
	}
	for _, fd := range s.Fields {
		if have := b.missing[at]; have.Field(fd.Name) == nil {
			fd.Nullable = true // the other flow does not give it
			have.Fields = append(have.Fields, fd)
		}
	}
}

// keyOf is the key of a stream to be created: the fields that are copies of the source's key, else the match fields;
// nil where neither can be told.
func keyOf(f *config.Flow, from lockstep.Stream, m *mapping.Mapping) []string {
	var key []string
	for _, k := range from.Key {
		for _, name := range m.Writes() {
			if source, ok := m.CopyOf(name); ok && source == k {
				key = append(key, name)
				break
			}
		}
	}
	if len(key) == len(from.Key) {
		return key
	}
	return f.Match
}

// inOrder are the missing streams in an order that does not change.
func (b *builder) inOrder() []stream {
	return slices.SortedFunc(maps.Keys(b.missing), func(x, y stream) int {
		return cmp.Or(cmp.Compare(x.system, y.system), cmp.Compare(x.name, y.name))
	})
}

// absent is a stream that is not there yet, for those who only look: it is empty and cannot be written.
type absent struct{}

func (absent) Changes(_ context.Context, r lockstep.Read, _ lockstep.Position, _ lockstep.Limit) (lockstep.Page, error) {
	return lockstep.Page{}, lockstep.Faultf(lockstep.CodeNoStream, "the stream is not there yet").On(lockstep.About{Stream: r.Stream})
}

func (absent) Fetch(context.Context, lockstep.Read, []lockstep.Key) ([]lockstep.Record, error) {
	return nil, nil
}

func (absent) Scan(context.Context, lockstep.Read, lockstep.Position, lockstep.Limit) (lockstep.Page, error) {
	return lockstep.Page{}, nil
}

func (absent) Find(_ context.Context, _ lockstep.Read, _ []string, values [][]value.Value) ([][]lockstep.Record, error) {
	return make([][]lockstep.Record, len(values)), nil
}

func (absent) Apply(_ context.Context, stream string, _ []lockstep.Write) ([]lockstep.Result, error) {
	return nil, lockstep.Faultf(lockstep.CodeNoStream, "the stream is not there yet").On(lockstep.About{Stream: stream})
}
