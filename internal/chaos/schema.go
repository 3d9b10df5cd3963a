package chaos

import (
	"context"
	"fmt"
	"strings"
)

// The source: a table with a single key and one with a composite key. Every write marks its rows in each of the ways
// that a tracker may look for: by the time at which its transaction began, by a number of a counter for the whole
// table, by one of the row's own, and by a flag. A late commit brings rows with an old time and an old number.
var sourceSchema = []string{
	`CREATE TABLE items (id {int} PRIMARY KEY, sku {key} NOT NULL, name {text} NOT NULL, price {price} NOT NULL, qty {int} NOT NULL, note {text},
		is_changed {bool} NOT NULL, rev {int} NOT NULL, own {int} NOT NULL, updated_at {time} NOT NULL DEFAULT CURRENT_TIMESTAMP)`,
	`CREATE INDEX items_updated ON items (updated_at)`,
	`CREATE INDEX items_rev ON items (rev)`,
	`CREATE TABLE stock (sku {key} NOT NULL, warehouse {key} NOT NULL, qty {int} NOT NULL,
		is_changed {bool} NOT NULL, rev {int} NOT NULL, own {int} NOT NULL, updated_at {time} NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (sku, warehouse))`,
	`CREATE INDEX stock_updated ON stock (updated_at)`,
	`CREATE INDEX stock_rev ON stock (rev)`,
}

// The target: other names.
var targetSchema = []string{
	`CREATE TABLE items (id {int} PRIMARY KEY, sku {key} NOT NULL, title {text} NOT NULL, price {price} NOT NULL, qty {int} NOT NULL,
		note {text}, changed_at {time} NOT NULL DEFAULT CURRENT_TIMESTAMP)`,
	`CREATE TABLE stock (sku {key} NOT NULL, warehouse {key} NOT NULL, qty {int} NOT NULL, updated_at {time} NOT NULL DEFAULT CURRENT_TIMESTAMP,
		PRIMARY KEY (sku, warehouse))`,
}

// The first rows, whose keys are 1 to firstItems.
const (
	firstItems = 5000
	firstStock = 1200
)

// makeSource makes the tables and fills them.
func makeSource(ctx context.Context, p *place) error {
	schema := p.stamped(sourceSchema)
	if p.kind == "sqlite" {
		schema = append(schema, `CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL)`)
	}
	if err := p.exec(ctx, append(schema, fmt.Sprintf(p.count, "item_id"), fmt.Sprintf(p.count, "rev"))...); err != nil {
		return err
	}
	w := &writer{place: p}
	return w.inTransaction(ctx, func() error {
		for from := 1; from <= firstItems; from += 500 {
			var rows [][]any
			for i := from; i < from+500; i++ {
				id, err := w.draw(ctx, "item_id")
				if err != nil {
					return err
				}
				var note any
				if i%3 == 0 {
					note = fmt.Sprintf("note %d", i)
				}
				rows = append(rows, []any{id, fmt.Sprintf("SKU-%d", id), fmt.Sprintf("Item %d", id), fmt.Sprintf("%d.%02d", i/4, i%4*25), i % 50, note, false, w.rev, w.rev, w.at})
			}
			if _, err := w.insert(ctx, "items", rows); err != nil {
				return err
			}
		}
		var rows [][]any
		for i := range firstStock {
			rows = append(rows, []any{fmt.Sprintf("SKU-%d", i%400), fmt.Sprintf("W%d", i/400), i % 90, false, w.rev, w.rev, w.at})
		}
		_, err := w.insert(ctx, "stock", rows)
		return err
	})
}

// makeTarget makes the tables.
func makeTarget(ctx context.Context, p *place) error { return p.exec(ctx, p.stamped(targetSchema)...) }

// stamped is a schema with defaults of the columns' own precision: MariaDB wants that.
func (p *place) stamped(schema []string) []string {
	out := make([]string, len(schema))
	for i, st := range schema {
		if out[i] = st; p.kind == "mysql" {
			out[i] = strings.ReplaceAll(st, "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP(6)")
		}
	}
	return out
}
