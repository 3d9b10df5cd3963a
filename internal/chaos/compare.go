package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // reads the target without lockstep

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// The target: other names, and types as SQLite has them.
var targetSchema = []string{
	`CREATE TABLE items (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, title TEXT NOT NULL, price DECIMAL(12,2) NOT NULL, qty INTEGER NOT NULL,
		note TEXT, changed_at TIMESTAMPTZ NOT NULL)`,
	`CREATE TABLE stock (sku TEXT NOT NULL, warehouse TEXT NOT NULL, qty INTEGER NOT NULL, updated_at TIMESTAMPTZ NOT NULL, PRIMARY KEY (sku, warehouse))`,
}

// table says how to read both sides of a flow by SQL: key fields first, the same number of columns, all as text.
type table struct {
	flow           string
	keys           int
	number, moment int // the columns to be compared as a number and as a time; -1 is none
	source, target string
}

const isoTime = `to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

var tables = []table{
	{"items", 1, 3, 6,
		`SELECT id, sku, name, price, qty, coalesce('=' || note, 'null'), ` + isoTime + ` FROM items`,
		`SELECT CAST(id AS TEXT), sku, title, CAST(price AS TEXT), CAST(qty AS TEXT), coalesce('=' || note, 'null'), CAST(changed_at AS TEXT) FROM items`},
	{"stock", 2, -1, 3,
		`SELECT sku, warehouse, qty, ` + isoTime + ` FROM stock`,
		`SELECT sku, warehouse, CAST(qty AS TEXT), CAST(updated_at AS TEXT) FROM stock`},
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

// Compare reads both sides whole and lists what differs, by flow and key. Nothing in it is lockstep's.
func Compare(ctx context.Context, pg *pgserver.Server, database, file string) ([]Difference, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var all []Difference
	for _, t := range tables {
		source, err := t.readSource(ctx, pg, database)
		if err != nil {
			return nil, err
		}
		target, err := t.readTarget(ctx, db)
		if err != nil {
			return nil, err
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

func (t table) readSource(ctx context.Context, pg *pgserver.Server, database string) (map[string]string, error) {
	cmd := pg.Psql(ctx, database, "-c", "COPY ("+t.source+") TO STDOUT (FORMAT csv)")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading %s of the source: %w", t.flow, err)
	}
	lines, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		return nil, err
	}
	rows := make(map[string]string, len(lines))
	for _, l := range lines {
		if err := t.put(rows, l); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (t table) readTarget(ctx context.Context, db *sql.DB) (map[string]string, error) {
	got, err := db.QueryContext(ctx, t.target)
	if err != nil {
		return nil, fmt.Errorf("reading %s of the target: %w", t.flow, err)
	}
	defer got.Close()
	names, err := got.Columns()
	if err != nil {
		return nil, err
	}
	rows := map[string]string{}
	for got.Next() {
		line := make([]string, len(names))
		into := make([]any, len(names))
		for i := range line {
			into[i] = &line[i]
		}
		if err := got.Scan(into...); err != nil {
			return nil, err
		}
		if err := t.put(rows, line); err != nil {
			return nil, err
		}
	}
	return rows, got.Err()
}

// put writes a row under its key, in one form for both sides. A key that comes twice is a difference by itself.
func (t table) put(rows map[string]string, line []string) error {
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
	if t.keys > 1 {
		b, err := json.Marshal(line[:t.keys])
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
