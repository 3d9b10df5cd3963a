package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// table says how to read both sides of a flow by SQL: key fields first, the same number of columns.
type table struct {
	flow           string // and the name of the table on both sides
	key            []string
	number, moment int // the columns to be compared as a number and as a time; -1 is none
	source, target []string
}

var (
	items = &table{"items", []string{"id"}, 3, 6,
		[]string{"id", "sku", "name", "price", "qty", "note", "updated_at"}, []string{"id", "sku", "title", "price", "qty", "note", "changed_at"}}
	stock = &table{"stock", []string{"sku", "warehouse"}, -1, 3,
		[]string{"sku", "warehouse", "qty", "updated_at"}, []string{"sku", "warehouse", "qty", "updated_at"}}
)

// tableOf is the table of a name.
func tableOf(name string) *table {
	if name == stock.flow {
		return stock
	}
	return items
}

// Difference is one record that is not the same on both sides.
type Difference struct {
	Flow, Key      string
	Source, Target string // "" where it is not there
}

// Kind is what is wrong with it.
func (d Difference) Kind() string {
	switch {
	case d.Target == "":
		return "missing"
	case d.Source == "":
		return "extra"
	}
	return "wrong"
}

func (d Difference) String() string {
	return fmt.Sprintf("%s %s %s\n  source %s\n  target %s", d.Kind(), d.Flow, d.Key, d.Source, d.Target)
}

// compare reads both sides whole and lists what differs, by flow and key. Nothing in it is lockstep's.
func compare(ctx context.Context, from, to *place) ([]Difference, error) {
	var all []Difference
	for _, t := range []*table{items, stock} {
		source, err := t.read(ctx, from, t.source)
		if err != nil {
			return nil, fmt.Errorf("reading %s of the source: %w", t.flow, err)
		}
		target, err := t.read(ctx, to, t.target)
		if err != nil {
			return nil, fmt.Errorf("reading %s of the target: %w", t.flow, err)
		}
		keys := maps.Clone(source)
		maps.Copy(keys, target)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if source[k] != target[k] {
				all = append(all, Difference{t.flow, k, source[k], target[k]})
			}
		}
	}
	return all, nil
}

func (t *table) read(ctx context.Context, p *place, columns []string) (map[string]string, error) {
	list := slices.Clone(columns)
	list[t.moment] = fmt.Sprintf(p.moment, columns[t.moment])
	got, err := p.db.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+t.flow)
	if err != nil {
		return nil, err
	}
	defer got.Close()
	rows := map[string]string{}
	for got.Next() {
		cells, into := make([]sql.NullString, len(list)), make([]any, len(list))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := got.Scan(into...); err != nil {
			return nil, err
		}
		if err := t.put(rows, cells); err != nil {
			return nil, err
		}
	}
	return rows, got.Err()
}

// put writes a row under its key, in one form for both sides. A key that comes twice is a difference by itself.
func (t *table) put(rows map[string]string, cells []sql.NullString) error {
	line := make([]string, len(cells))
	for i, c := range cells {
		if line[i] = c.String; !c.Valid {
			line[i] = "null"
		} else if c.String == "null" {
			line[i] = "'null'"
		}
	}
	if t.number >= 0 {
		n, ok := new(big.Rat).SetString(line[t.number])
		if !ok {
			return fmt.Errorf("%s: %q is no number", t.flow, line[t.number])
		}
		line[t.number] = n.FloatString(4)
	}
	at, err := time.Parse(time.RFC3339Nano, line[t.moment])
	if err != nil {
		return err
	}
	line[t.moment] = at.UTC().Format(time.RFC3339Nano)
	key := line[0]
	if len(t.key) > 1 {
		b, err := json.Marshal(line[:len(t.key)])
		if err != nil {
			return err
		}
		key = string(b)
	}
	text := strings.Join(line, " | ")
	if before, twice := rows[key]; twice {
		text = before + " AND " + text
	}
	rows[key] = text
	return nil
}
