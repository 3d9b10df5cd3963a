package magento

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// System is a shop.
type System struct {
	conf    *conf
	client  *client
	shop    *shop
	streams []*stream
	shapes  shapes
	rowState
	skus    turns // one write at a time of each SKU
	lookups lookups
}

func newSystem(c *conf) *System {
	s := &System{conf: c, client: newClient(c)}
	s.shop = newShop(s.client, c)
	s.images, s.queued.deadline, s.priced = newFetcher(c.mediaHosts, c.maxImage), c.asyncDeadline, map[string]*queue{}
	for _, name := range []string{basePrices, specialPrices, tierPrices} {
		s.priced[name] = &queue{deadline: c.asyncDeadline}
	}
	s.streams = s.table()
	return s
}

// Close lets go of the connections.
func (s *System) Close() error {
	s.client.close()
	s.images.close()
	return nil
}

// Streams lists what can be read and written. The shop is asked anew: people change its attributes and store views.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	s.shop.forget()
	out := make([]lockstep.Stream, 0, len(s.streams))
	for _, st := range s.streams {
		def, err := s.describe(ctx, st)
		if err != nil {
			return nil, err
		}
		out = append(out, def)
	}
	return out, nil
}

// describe is a stream as it is now, with what is the same for all.
func (s *System) describe(ctx context.Context, st *stream) (lockstep.Stream, error) {
	def, err := st.describe(ctx)
	if err != nil {
		return def, about(err, st.name)
	}
	def.Name, def.About, def.CaseFoldText, def.MaxBatch = st.name, -1, true, st.batch
	if def.ReadOnly = st.apply == nil; !def.ReadOnly {
		def.Grace = s.conf.grace
	}
	return def, nil
}

func (s *System) stream(name string) (*stream, error) {
	i := slices.IndexFunc(s.streams, func(st *stream) bool { return st.name == name })
	if i < 0 {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "a Magento shop has no stream %q", name).On(lockstep.About{Stream: name})
	}
	return s.streams[i], nil
}

// shapes are the streams as they were described last. A shop has hundreds of attributes, each with a field for every
// store view: that is not made anew for each page.
type shapes struct {
	mu   sync.Mutex
	held map[string]shape
}

// shape is a stream, and what it was made of.
type shape struct {
	def     lockstep.Stream
	where   *places
	product *attributes
	categ   *attributes
}

// of is the stream as it is now, made anew where what is known of the shop is another.
func (h *shapes) of(ctx context.Context, s *System, st *stream) (lockstep.Stream, error) {
	made := shape{}
	var err error
	switch st.name {
	case productsStream:
		made.product, err = s.shop.productAttributes(ctx)
	case categoriesStream:
		made.categ, err = s.shop.categoryAttributes(ctx)
	case optionsStream:
	default:
		return s.describe(ctx, st) // the same in all shops
	}
	if err == nil {
		made.where, err = s.shop.where(ctx)
	}
	if err != nil {
		return lockstep.Stream{}, about(err, st.name)
	}
	h.mu.Lock()
	had, ok := h.held[st.name]
	h.mu.Unlock()
	if ok && had.where == made.where && had.product == made.product && had.categ == made.categ {
		return had.def, nil
	}
	if made.def, err = s.describe(ctx, st); err != nil {
		return made.def, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[string]shape{}
	}
	h.held[st.name] = made
	return made.def, nil
}

// reading is a Read with what it needs: the stream as it is now.
type reading struct {
	lockstep.Read
	def lockstep.Stream
}

// light tells the read of keys and versions only.
func (r *reading) light() bool { return r.Fields == nil }

func (s *System) reading(ctx context.Context, r lockstep.Read) (*stream, *reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	st, err := s.stream(r.Stream)
	if err != nil {
		return nil, nil, err
	}
	def, err := s.shapes.of(ctx, s, st)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range r.Fields {
		f := def.Field(name)
		switch {
		case f == nil:
			return nil, nil, lockstep.Faultf(lockstep.CodeNoField, "the stream has no field %q", name).On(lockstep.About{Stream: r.Stream, Field: name})
		case f.WriteOnly:
			return nil, nil, lockstep.Faultf(lockstep.CodeCannot, "the field %q can be written only", name).On(lockstep.About{Stream: r.Stream, Field: name})
		}
	}
	if d := r.Track.Deleted; d != "" {
		return nil, nil, lockstep.Faultf(lockstep.CodeCannot, "a field that marks deleted records is not read here").On(lockstep.About{Stream: r.Stream, Field: d})
	}
	return st, &reading{Read: r, def: def}, nil
}

// Scan reads the page after from.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	st, read, err := s.reading(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	page, err := st.scan(ctx, read, from, l)
	return page, about(err, r.Stream)
}

// Changes reads what changed after from.
func (s *System) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	st, read, err := s.reading(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	if r.Track.By != lockstep.Timestamp || st.changes == nil {
		f := lockstep.Faultf(lockstep.CodeCannot, "changes of this stream cannot be found by %q", r.Track.By)
		f.Next = "Track it by snapshot."
		return lockstep.Page{}, f.On(lockstep.About{Stream: r.Stream})
	}
	page, err := st.changes(ctx, read, from, l)
	return page, about(err, r.Stream)
}

// Fetch reads records by key.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	st, read, err := s.reading(ctx, r)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	out, err := st.fetch(ctx, read, keys)
	return out, about(err, r.Stream)
}

// Find reads the records whose fields equal the values: one list for each tuple.
func (s *System) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	wide := r
	for _, name := range by {
		if !slices.Contains(wide.Fields, name) {
			wide.Fields = append(slices.Clone(wide.Fields), name)
		}
	}
	st, read, err := s.reading(ctx, wide)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	out, err := st.find(ctx, read, by, values)
	if err != nil {
		return nil, about(err, r.Stream)
	}
	for i := range out {
		for j := range out[i] {
			out[i][j] = only(out[i][j], r.Fields)
		}
	}
	return out, nil
}

// Apply makes the writes and answers each, in order.
func (s *System) Apply(ctx context.Context, name string, writes []lockstep.Write) ([]lockstep.Result, error) {
	st, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	if st.apply == nil {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "the stream can be read only").On(lockstep.About{Stream: name})
	}
	if err := ctx.Err(); err != nil || len(writes) == 0 {
		return nil, err
	}
	out, err := st.apply(ctx, writes)
	for i := range out {
		out[i].Err = about(out[i].Err, name)
	}
	return out, about(err, name)
}

// Confirm follows operations that were accepted.
func (s *System) Confirm(ctx context.Context, name string, receipts []string) ([]lockstep.Result, error) {
	st, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	if st.confirm == nil {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "writes of this stream are done at once").On(lockstep.About{Stream: name})
	}
	out, err := st.confirm(ctx, receipts)
	for i := range out {
		out[i].Err = about(out[i].Err, name)
	}
	return out, about(err, name)
}

// only is a record with the fields that were asked for.
func only(rec lockstep.Record, names []string) lockstep.Record {
	if rec.Fields.Len() == len(names) {
		return rec
	}
	values := make([]value.Value, len(names))
	for i, name := range names {
		values[i], _ = rec.Fields.Get(name)
	}
	rec.Fields = value.NewNames(names...).Fields(values)
	return rec
}

// about is err with its stream.
func about(err error, stream string) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return lockstep.FaultOf(err).On(lockstep.About{Stream: stream})
}
