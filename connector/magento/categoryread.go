package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func (s *System) categories() *entity {
	return &entity{client: s.client, conf: s.conf, name: "categories", path: categoryPath, key: numberColumn, plan: s.planCategories, columns: s.categoryColumn,
		only: [][]filter{{{"level", greater, "1"}}}, // the tree's root and those of the stores are furniture: they are named as parents, and fetched
	}
}

// wireCategoryRecord is a category as Magento gives it.
type wireCategoryRecord struct {
	ID       number            `json:"id"`
	Parent   json.RawMessage   `json:"parent_id"`
	Name     json.RawMessage   `json:"name"`
	Active   json.RawMessage   `json:"is_active"`
	Position json.RawMessage   `json:"position"`
	Level    json.RawMessage   `json:"level"`
	InMenu   json.RawMessage   `json:"include_in_menu"`
	Created  json.RawMessage   `json:"created_at"`
	Updated  json.RawMessage   `json:"updated_at"`
	Custom   list[customValue] `json:"custom_attributes"`
}

func (w *wireCategoryRecord) raw(code string) json.RawMessage {
	switch code {
	case "parent_id":
		return w.Parent
	case "name":
		return w.Name
	case "is_active":
		return w.Active
	case "position":
		return w.Position
	case "level":
		return w.Level
	case "include_in_menu":
		return w.InMenu
	case "created_at":
		return w.Created
	case updatedField:
		return w.Updated
	}
	for i := range w.Custom {
		if w.Custom[i].Code == code {
			return w.Custom[i].Value
		}
	}
	return nil
}

const categoryHead = "id,updated_at"

// categoryPart is what to ask for to know a field.
func categoryPart(name string) string {
	switch name {
	case "id", updatedField, "path": // the path comes from the tree, and the tree from this search's own columns
		return ""
	case "parent_id", "name", "is_active", "position", "level", "include_in_menu", "created_at":
		return name
	}
	return "custom_attributes"
}

// categoryPlan is how categories are read: one search for all store views, one for each that fields are wanted of.
type categoryPlan struct {
	s      *System
	def    *lockstep.Stream
	names  *value.Names
	known  *attributes
	split  map[string]viewField
	views  []view
	inView []string
}

func (s *System) planCategories(ctx context.Context, r *reading) (*plan, error) {
	e := s.categories()
	light := asked([]string{categoryHead})
	if r.light() {
		return &plan{fields: light, light: light, rows: e.lightRows}, nil
	}
	known, err := s.shop.categoryAttributes(ctx)
	if err != nil {
		return nil, err
	}
	where, err := s.shop.where(ctx)
	if err != nil {
		return nil, err
	}
	p := &categoryPlan{s: s, def: &r.def, names: value.NewNames(r.Fields...), known: known, split: splitViews(&r.def, where)}
	base, own := newParts(categoryHead), newParts(categoryHead)
	for _, name := range r.Fields {
		v, viewed := p.split[name]
		if !viewed {
			base.add(categoryPart(name))
			continue
		}
		own.add(categoryPart(v.code))
		if !slices.ContainsFunc(p.views, func(x view) bool { return x.code == v.view.code }) {
			p.views = append(p.views, v.view)
		}
	}
	p.inView = own.list()
	return &plan{fields: asked(base.list()), light: light, rows: p.rows}, nil
}

func (p *categoryPlan) rows(ctx context.Context, items []json.RawMessage) ([]row, error) {
	rows, err := p.s.categories().lightRows(ctx, items)
	if err != nil || len(rows) == 0 {
		return rows, err
	}
	var t *tree
	if slices.Contains(p.names.List(), "path") {
		if t, err = p.treeWith(ctx, rows); err != nil {
			return nil, err
		}
	}
	inViews := map[string]map[int64]*wireCategoryRecord{}
	for _, v := range p.views {
		if inViews[v.code], err = p.inStoreView(ctx, v, rows); err != nil {
			return nil, err
		}
	}
	for i, raw := range items {
		w := &wireCategoryRecord{}
		err := json.Unmarshal(raw, w)
		values := make([]value.Value, p.names.Len())
		for j, name := range p.names.List() {
			if err == nil {
				values[j], err = p.value(w, t, inViews, name)
			}
		}
		rec := &rows[i].change.Record
		if err != nil {
			rows[i].change.Fault = lockstep.NewFault(lockstep.CodeServer, errValue).On(lockstep.About{Key: rec.Key})
			continue
		}
		rec.Fields = p.names.Fields(values)
	}
	return rows, nil
}

// treeWith is the tree with all the rows in it.
func (p *categoryPlan) treeWith(ctx context.Context, rows []row) (*tree, error) {
	t, err := p.s.shop.categories(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if t.byID[rows[i].id] == nil {
			p.s.shop.trees.forget()
			return p.s.shop.categories(ctx)
		}
	}
	return t, nil
}

func (p *categoryPlan) inStoreView(ctx context.Context, v view, rows []row) (map[int64]*wireCategoryRecord, error) {
	out := make(map[int64]*wireCategoryRecord, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = number(rows[i].id).text()
	}
	for some := range slices.Chunk(ids, p.s.conf.page) {
		got, err := p.s.client.find(ctx, "categories in a store view", v.code, categoryPath, search{
			groups: [][]filter{{{numberColumn, oneOf, strings.Join(some, ",")}}}, sort: []string{numberColumn}, size: len(some), fields: asked(p.inView),
		})
		if err != nil {
			return nil, err
		}
		if err := eachOf(func(w *wireCategoryRecord) { out[int64(w.ID)] = w })(got.items); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *categoryPlan) value(w *wireCategoryRecord, t *tree, inViews map[string]map[int64]*wireCategoryRecord, name string) (value.Value, error) {
	if v, ok := p.split[name]; ok {
		in := inViews[v.view.code][int64(w.ID)]
		if in == nil {
			return value.Null, nil
		}
		return p.read(in, v.code)
	}
	switch name {
	case "id":
		return value.Int(int64(w.ID)), nil
	case "path":
		if n := t.byID[int64(w.ID)]; n != nil && n.path != "" {
			return value.Text(n.path), nil
		}
		return value.Null, nil
	}
	return p.read(w, name)
}

// read makes a column's value by the field's type, an attribute's by the attribute.
func (p *categoryPlan) read(w *wireCategoryRecord, code string) (value.Value, error) {
	raw := w.raw(code)
	if a := p.known.get(code); a != nil && categoryPart(code) == "custom_attributes" {
		return a.read(raw)
	}
	f := p.def.Field(code)
	if f == nil {
		return value.Null, nil
	}
	return readAs(f.Type, raw)
}

// categoryColumn is what categories are searched by.
func (s *System) categoryColumn(ctx context.Context, r *reading, by string) (column, error) {
	switch by {
	case "id":
		return column{name: numberColumn}, nil
	case "parent_id", "name", "is_active", "position", "level", "include_in_menu", "created_at", updatedField:
		return column{name: by}, nil
	}
	known, err := s.shop.categoryAttributes(ctx)
	if err != nil {
		return column{}, err
	}
	return attributeColumn(known, r, by)
}
