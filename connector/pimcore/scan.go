package pimcore

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// scanPlace is behind the object of that id. A page that came short may be the last but one: the next asks how many
// there are, so that it can say that it is the end.
type scanPlace struct {
	ID    string `json:"id"`
	Short bool   `json:"short,omitempty"`
}

// Scan reads the page after from, in the order of ids: an object that is saved meanwhile stays where it is.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	place := scanPlace{ID: "0", Short: true}
	if from != nil {
		if err := json.Unmarshal(from, &place); err != nil || !isID(place.ID) {
			return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a scan of ids").On(lockstep.About{Stream: r.Stream})
		}
	}
	got, err := s.page(ctx, p, "scan", listing{where: compare("id", greater, place.ID), order: []string{idField}, first: s.rows(l), total: place.Short})
	if err != nil {
		return lockstep.Page{}, about(err, r.Stream)
	}
	page := lockstep.Page{More: !got.end}
	short := len(got.rows) < s.rows(l)
	for i := range bounded(got.rows, s.maxRecord(l), l, &page) {
		row := &got.rows[i]
		place = scanPlace{ID: row.id, Short: short}
		if row.change.Op == lockstep.Upsert {
			page.Changes = append(page.Changes, row.change)
		}
	}
	page.Next = encode(place)
	return page, nil
}

// bounded yields the rows that fit on a page. Where some do not, there is more.
func bounded(rows []row, largest int, l lockstep.Limit, page *lockstep.Page) func(func(int) bool) {
	return func(yield func(int) bool) {
		bytes := 0
		for i := range rows {
			r := &rows[i]
			size := r.change.Record.Fields.Size()
			if size > largest && r.change.Fault == nil {
				r.change.Fault = lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, the limit is %d", size, largest).On(lockstep.About{Key: r.change.Record.Key})
				r.change.Record = lockstep.Record{Key: r.change.Record.Key, Version: r.change.Record.Version, At: r.change.Record.At}
				size = 0
			}
			if bytes += size; l.Bytes > 0 && bytes > l.Bytes && i > 0 {
				page.More = true
				return
			}
			if !yield(i) {
				return
			}
		}
	}
}

// paged is a page of a listing, with what is known of the end.
type paged struct {
	rows  []row
	end   bool // there is nothing behind it
	clock time.Time
}

// page reads a page and tells whether it is the last. A page that comes short is not: objects that fail the check of
// permissions are dropped after the limit was applied. Where all of a page are, it goes on behind them.
func (s *System) page(ctx context.Context, p *plan, name string, l listing) (*paged, error) {
	got, err := s.whole(ctx, p, name, l)
	if err != nil {
		return nil, err
	}
	out := &paged{rows: got.rows, clock: got.clock}
	if len(got.rows) > 0 {
		out.end = got.total >= 0 && got.total <= len(got.rows)
		return out, nil
	}
	total := got.total
	if total < 0 {
		counted, err := s.list(ctx, p.light(), name, listing{where: l.where, order: l.order, first: 1, total: true})
		if err != nil {
			return nil, err
		}
		total = counted.total
	}
	for l.offset += l.first; len(out.rows) == 0 && l.offset < total; l.offset += l.first {
		got, err := s.whole(ctx, p, name, l)
		if err != nil {
			return nil, err
		}
		out.rows = got.rows
	}
	out.end = len(out.rows) == 0
	return out, nil
}

// whole is list, with what hides behind relations, and by smaller pages where an object on it cannot be read.
func (s *System) whole(ctx context.Context, p *plan, name string, l listing) (*listed, error) {
	got, err := s.list(ctx, p, name, l)
	if isBadPage(err) && (l.first > 1 || len(l.ids) > 1) && len(p.fields) > 0 {
		got, err = s.isolate(ctx, p, name, l, err)
	}
	if err != nil {
		return nil, err
	}
	return got, s.unhide(ctx, p, got.rows)
}

// isBadPage tells the faults that a single object can be the cause of.
func isBadPage(err error) bool {
	_, bad := errors.AsType[*badPage](err)
	return bad || err != nil && lockstep.FaultOf(err).Code == lockstep.CodeTooLarge
}

// maxBad is how many objects of a page may be unreadable before it is the page that is.
const maxBad = 10

// isolate reads a page that cannot be read as a whole by its objects' ids, in halves, so that a bad object hurts only
// itself (law 4).
func (s *System) isolate(ctx context.Context, p *plan, name string, l listing, cause error) (*listed, error) {
	light, err := s.list(ctx, p.light(), name, l)
	if err != nil {
		return nil, cause
	}
	found, bad := map[string]row{}, 0
	var read func(rows []row) error
	read = func(rows []row) error {
		if len(rows) == 0 {
			return nil
		}
		got, err := s.list(ctx, p, name, listing{ids: rowIDs(rows)})
		switch {
		case err == nil:
			for _, r := range got.rows {
				found[r.id] = r
			}
			return nil
		case !isBadPage(err):
			return err
		case len(rows) > 1:
			return errors.Join(read(rows[:len(rows)/2]), read(rows[len(rows)/2:]))
		}
		if bad++; bad > maxBad || len(light.rows) == 1 {
			return cause
		}
		r := rows[0]
		r.change.Fault = lockstep.FaultOf(err).On(lockstep.About{Stream: p.class.name, Key: r.change.Record.Key})
		r.ends = nil
		found[r.id] = r
		return nil
	}
	if err := read(light.rows); err != nil {
		return nil, lockstep.FaultOf(err)
	}
	out := &listed{total: light.total, clock: light.clock}
	for _, r := range light.rows {
		if full, there := found[r.id]; there {
			out.rows = append(out.rows, full)
		}
	}
	return out, nil
}

func rowIDs(rows []row) []string {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].id
	}
	return ids
}

// plan is the plan of r, made once for each schema.
func (s *System) plan(ctx context.Context, r lockstep.Read) (*plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	id := strings.Join(append([]string{r.Stream, r.Track.Deleted}, r.Fields...), "\x00")
	if p, ok := known.plans.Load(id); ok {
		return p.(*plan), nil
	}
	c, err := known.class(r.Stream)
	if err != nil {
		return nil, err
	}
	d, err := s.dialectOf(ctx, c.name)
	if err != nil {
		return nil, about(err, r.Stream)
	}
	p, err := s.newPlan(c, d, r)
	if err != nil {
		return nil, err
	}
	if err := s.probeRelations(ctx, known, p); err != nil {
		return nil, about(err, r.Stream)
	}
	known.plans.Store(id, p)
	return p, nil
}

// light is p without its fields: key and version only.
func (p *plan) light() *plan {
	if len(p.fields) == 0 {
		return p
	}
	out := &plan{class: p.class, names: noNames, at: map[string][]int{}, key: p.key, gone: p.gone, dialect: p.dialect}
	sels := []*selection{{key: idField, name: idField}, {key: modifiedField, name: modifiedField}}
	for _, f := range []*field{p.key, p.gone} {
		if f != nil {
			sels = append(sels, f.sels...)
		}
	}
	var b strings.Builder
	writeSelections(&b, sels)
	out.ask = b.String()
	return out
}

// rows is how many objects to ask for.
func (s *System) rows(l lockstep.Limit) int {
	if l.Rows > 0 {
		return min(l.Rows, s.conf.page)
	}
	return s.conf.page
}

func (s *System) maxRecord(l lockstep.Limit) int {
	if l.Bytes > 0 {
		return min(s.conf.maxRecord, l.Bytes)
	}
	return s.conf.maxRecord
}

// isID tells the text of an object's id as Pimcore writes it.
func isID(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && strconv.FormatUint(n, 10) == text
}

func encode(place any) lockstep.Position {
	text, err := json.Marshal(place)
	if err != nil {
		return nil
	}
	return text
}

// about is err with its stream.
func about(err error, stream string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return lockstep.FaultOf(err).On(lockstep.About{Stream: stream})
}
