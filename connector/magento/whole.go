package magento

import (
	"cmp"
	"context"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// whole is a stream of few records, that are asked for all at once: sets, attributes, options.
type whole struct {
	conf *conf
	// all gives the records with all fields; fresh asks the shop anew.
	all func(ctx context.Context, r *reading, fresh bool) ([]lockstep.Record, error)
}

// keyPlace is behind the record of that key.
type keyPlace struct {
	After string `json:"after"`
}

func (w *whole) scan(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	at := keyPlace{}
	if err := readPlace(from, &at); err != nil {
		return lockstep.Page{}, wrongPlace()
	}
	records, err := w.all(ctx, r, from == nil)
	if err != nil {
		return lockstep.Page{}, err
	}
	slices.SortFunc(records, func(a, b lockstep.Record) int { return cmp.Compare(a.Key, b.Key) })
	var rows []row
	for _, rec := range records {
		if from == nil || string(rec.Key) > at.After {
			rows = append(rows, row{change: lockstep.Change{Record: only(rec, r.Fields)}})
		}
	}
	page := lockstep.Page{}
	if size := rowsOf(w.conf, l); len(rows) > size {
		rows, page.More = rows[:size], true
	}
	for i := range bounded(rows, w.conf.maxRecord, l, &page) {
		at.After = string(rows[i].change.Record.Key)
		page.Changes = append(page.Changes, rows[i].change)
	}
	page.Next = place(at)
	return page, nil
}

func (w *whole) fetch(ctx context.Context, r *reading, keys []lockstep.Key) ([]lockstep.Record, error) {
	records, err := w.all(ctx, r, true)
	if err != nil {
		return nil, err
	}
	wanted := map[lockstep.Key]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	var out []lockstep.Record
	for _, rec := range records {
		if wanted[rec.Key] {
			out = append(out, only(rec, r.Fields))
		}
	}
	return out, nil
}

func (w *whole) find(ctx context.Context, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	records, err := w.all(ctx, r, true)
	if err != nil {
		return nil, err
	}
	m := newMatch(by, values)
	for _, rec := range records {
		m.take(rec)
	}
	return m.out, nil
}

var (
	setNames       = value.NewNames("id", "name", "sort_order")
	attributeNames = value.NewNames("attribute_code", "frontend_input", "scope", "default_frontend_label", "is_required", "is_unique", "backend_type", "is_user_defined", "id")
)

func (s *System) allSets(ctx context.Context, _ *reading, fresh bool) ([]lockstep.Record, error) {
	if fresh {
		s.shop.sets.forget()
	}
	known, err := s.shop.attributeSets(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]lockstep.Record, len(known.list))
	for i := range known.list {
		set := &known.list[i]
		out[i] = lockstep.Record{Key: lockstep.Key(set.ID.text()), Fields: setNames.Fields([]value.Value{
			value.Int(int64(set.ID)), value.Text(string(set.Name)), value.Int(int64(set.Sort))})}
	}
	return out, nil
}

func (s *System) allAttributes(ctx context.Context, _ *reading, fresh bool) ([]lockstep.Record, error) {
	if fresh {
		s.shop.product.forget()
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]lockstep.Record, len(known.list))
	for i, a := range known.list {
		out[i] = lockstep.Record{Key: lockstep.Key(a.code), Fields: attributeNames.Fields([]value.Value{
			value.Text(a.code), orNull(a.input), orNull(a.scope), orNull(a.label), value.Bool(a.required), value.Bool(a.unique), orNull(a.backend), value.Bool(a.own), value.Int(a.id)})}
	}
	return out, nil
}

func orNull(text string) value.Value {
	if text == "" {
		return value.Null
	}
	return value.Text(text)
}

// allOptions are the options of all attributes that keep theirs as such. Labels of store views come with one more list
// of attributes for each view, and only where they are read.
func (s *System) allOptions(ctx context.Context, r *reading, fresh bool) ([]lockstep.Record, error) {
	where, err := s.shop.where(ctx)
	if err != nil {
		return nil, err
	}
	if fresh {
		s.shop.product.forget()
		s.shop.named.forget()
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{"attribute_code", "id", "label"}
	var in map[string]*attributes
	for _, v := range where.spoken {
		if slices.Contains(r.Fields, viewName("label", v.suffix)) && in == nil {
			if in, err = s.shop.labels(ctx); err != nil {
				return nil, err
			}
		}
		names = append(names, viewName("label", v.suffix))
	}
	all := value.NewNames(names...)
	var out []lockstep.Record
	for _, a := range known.list {
		if !a.table {
			continue
		}
		for _, o := range a.options {
			values := []value.Value{value.Text(a.code), value.Text(o.value), value.Text(o.label)}
			for _, v := range where.spoken {
				values = append(values, labelIn(in[v.code], a.code, o.value))
			}
			out = append(out, lockstep.Record{Key: lockstep.MakeKey(a.code, o.value), Fields: all.Fields(values)})
		}
	}
	return out, nil
}

// labelIn is an option's label in a store view.
func labelIn(in *attributes, code, id string) value.Value {
	if in == nil || in.get(code) == nil {
		return value.Null
	}
	return orNull(in.get(code).byValue[id])
}
