package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The table of docs/performance.md: rows of about 1 kB, three indexes.
const (
	createTable = `CREATE TABLE %s (
	id bigint NOT NULL, sku text NOT NULL, name text NOT NULL, description text NOT NULL, price numeric(12,4) NOT NULL,
	attrs jsonb NOT NULL, is_changed boolean NOT NULL, version bigint NOT NULL, updated_at timestamptz NOT NULL)`

	fillTable = `INSERT INTO products
	SELECT g, 'SKU-' || lpad(g::text, 9, '0'), 'Product ' || g || ' ' || substr(md5(g::text), 1, 24),
		(SELECT string_agg(md5((g * 13 + i)::text), ' ') FROM generate_series(1, 12) i),
		(g::bigint * 7919 %% 1000000) / 100.0,
		jsonb_build_object('color', (ARRAY['red','green','blue','black','white'])[g %% 5 + 1], 'size', g %% 40, 'weight', (g %% 1000) / 10.0,
			'material', md5((g * 17)::text), 'tags', jsonb_build_array(substr(md5((g * 19)::text), 1, 12), substr(md5((g * 23)::text), 1, 12)),
			'supplier', jsonb_build_object('id', g %% 500, 'code', md5((g * 29)::text)), 'note', md5((g * 31)::text) || md5((g * 37)::text)),
		false, 1, timestamptz '2026-01-01' + g * interval '10 seconds'
	FROM generate_series(1, %d) g`

	columns = "id, sku, name, description, price, attrs, is_changed, version, updated_at"

	// merge takes the rows of the table staged, as a loader that knows the key does.
	merge = `INSERT INTO products SELECT ` + columns + ` FROM staged ON CONFLICT (id) DO UPDATE SET sku = excluded.sku, name = excluded.name,
	description = excluded.description, price = excluded.price, attrs = excluded.attrs, is_changed = excluded.is_changed,
	version = excluded.version, updated_at = excluded.updated_at`
)

var indexes = []string{
	"ALTER TABLE products ADD PRIMARY KEY (id)",
	"CREATE UNIQUE INDEX ON products (sku)",
	"CREATE INDEX ON products (updated_at)",
}

// fill makes the source database with so many rows.
func (b *bench) fill(ctx context.Context, database string, rows int) error {
	if err := b.pg.Exec(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return err
	}
	statements := append([]string{fmt.Sprintf(createTable, "products"), fmt.Sprintf(fillTable, rows)}, indexes...)
	return b.pg.Exec(ctx, database, append(statements, "VACUUM (ANALYZE) products")...)
}

// emptyTarget makes the target database anew, with an empty table, indexed or not.
func (b *bench) emptyTarget(ctx context.Context, indexed bool) error {
	if err := b.pg.Exec(ctx, "postgres", "DROP DATABASE IF EXISTS target WITH (FORCE)", "CREATE DATABASE target"); err != nil {
		return err
	}
	statements := []string{fmt.Sprintf(createTable, "products")}
	if indexed {
		statements = append(statements, indexes...)
	}
	return b.pg.Exec(ctx, "target", statements...)
}

// touch changes one row of every n of the source.
func (b *bench) touch(ctx context.Context, database string, every int) error {
	return b.pg.Exec(ctx, database, fmt.Sprintf(
		"UPDATE products SET price = price + 1, version = version + 1, updated_at = now() WHERE id %% %d = 0", every), "VACUUM products")
}

// goners is how many of the rows that a delta changes are deleted: one of so many.
const goners = 20

// delete takes rows away, one for every goners-th that touch changes. Each round takes others. Their keys stay in the
// table gone, which tells the limit what to delete.
func (b *bench) delete(ctx context.Context, database string, every, round int) (int, error) {
	err := b.pg.Exec(ctx, database, "DROP TABLE IF EXISTS gone",
		fmt.Sprintf("CREATE TABLE gone AS SELECT id FROM products WHERE id %% %d = %d", every*goners, 1+round),
		"DELETE FROM products p USING gone g WHERE p.id = g.id", "VACUUM products")
	if err != nil {
		return 0, err
	}
	out, err := b.pg.Psql(ctx, database, "-At", "-c", "SELECT count(*) FROM gone").Output()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// settle lets the server finish what it put off, so that one case does not pay for another.
func (b *bench) settle(ctx context.Context) error {
	return b.pg.Exec(ctx, "postgres", "CHECKPOINT")
}

// last is the latest time of a change in the source.
func (b *bench) last(ctx context.Context, database string) (string, error) {
	out, err := b.pg.Psql(ctx, database, "-At", "-c", "SELECT max(updated_at) FROM products").Output()
	return strings.TrimSpace(string(out)), err
}
