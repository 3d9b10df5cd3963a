package magento

import (
	"context"
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// customers and orders are what the shop gets by itself: their fields are the columns of the answer.

func (s *System) customers() *entity {
	e := &entity{client: s.client, conf: s.conf, name: "customers", path: "V1/customers/search", key: numberColumn, columns: plainColumns}
	e.plan = e.planPlain("id", nil)
	return e
}

func (s *System) orders() *entity {
	e := &entity{client: s.client, conf: s.conf, name: "orders", path: "V1/orders", key: numberColumn, columns: plainColumns}
	e.plan = e.planPlain(numberColumn, map[string]string{"shipping_assignments": "extension_attributes[shipping_assignments]"})
	return e
}

// planPlain reads records whose fields are columns; parts are those that stand elsewhere.
func (e *entity) planPlain(id string, elsewhere map[string]string) func(context.Context, *reading) (*plan, error) {
	return func(_ context.Context, r *reading) (*plan, error) {
		p := newParts(id)
		p.add(updatedField)
		light := asked(p.list())
		if r.light() {
			return &plan{fields: light, light: light, rows: e.lightRows}, nil
		}
		for _, name := range r.Fields {
			if name == "id" {
				continue
			}
			if part := elsewhere[name]; part != "" {
				name = part
			}
			p.add(name)
		}
		names := value.NewNames(r.Fields...)
		return &plan{fields: asked(p.list()), light: light, rows: func(ctx context.Context, items []json.RawMessage) ([]row, error) {
			rows, err := e.lightRows(ctx, items)
			for i := range rows {
				rows[i].fillPlain(r, names, items[i])
			}
			return rows, err
		}}, nil
	}
}

// fillPlain makes a row's fields of the columns of its item.
func (one *row) fillPlain(r *reading, names *value.Names, raw json.RawMessage) {
	var item map[string]json.RawMessage
	if json.Unmarshal(raw, &item) != nil {
		return // lightRows has read it as an object
	}
	var ext object[map[string]json.RawMessage]
	if json.Unmarshal(item["extension_attributes"], &ext) == nil && ext.it != nil {
		for name, v := range *ext.it {
			if _, has := item[name]; !has {
				item[name] = v
			}
		}
	}
	item["id"] = json.RawMessage(number(one.id).text())
	values := make([]value.Value, names.Len())
	for i, name := range names.List() {
		v, err := readAs(r.def.Field(name).Type, item[name])
		if err != nil {
			one.change.Fault = lockstep.NewFault(lockstep.CodeServer, err).On(lockstep.About{Key: one.change.Record.Key, Field: name})
			return
		}
		values[i] = v
	}
	one.change.Record.Fields = names.Fields(values)
}
