package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // a PostgreSQL as the shop's database, where one is given
)

// shopSchema is how the shop keeps its data: other names, other keys, other types.
const shopSchema = `
CREATE TABLE shop_category (
  cat_no INTEGER PRIMARY KEY,
  title  VARCHAR(60) NOT NULL,
  path   VARCHAR(80) NOT NULL
);
CREATE TABLE shop_item (
  item_no    VARCHAR(20) PRIMARY KEY,
  title      VARCHAR(120) NOT NULL,
  url        VARCHAR(160) NOT NULL,
  teaser     VARCHAR(100),
  body       TEXT,
  gross      DECIMAL(10,2) NOT NULL CHECK (gross > 0),
  cat_no     INTEGER NOT NULL REFERENCES shop_category,
  weight_kg  DECIMAL(8,3),
  status     VARCHAR(10) NOT NULL CHECK (status IN ('live', 'draft')),
  revision   BIGINT NOT NULL
);
CREATE INDEX shop_item_revision ON shop_item (revision);`

// Shop is the shop's database, as its own application reads it.
type Shop struct {
	db     *sql.DB
	prefix string // of its tables: a schema, with PostgreSQL
	arg    string // the first placeholder
	drop   string
}

// NewShop makes the shop's database in a file.
func NewShop(ctx context.Context, path string) (*Shop, error) {
	db, err := openSQLite(path)
	if err != nil {
		return nil, err
	}
	return (&Shop{db: db, arg: "?"}).create(ctx, shopSchema)
}

// NewPostgresShop makes the shop's tables in a new schema of a PostgreSQL database.
func NewPostgresShop(ctx context.Context, dsn, schema string) (*Shop, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the PostgreSQL DSN cannot be read") // pgx's words may hold the password
	}
	db, err := sql.Open("pgx", cfg.ConnString())
	if err != nil {
		return nil, err
	}
	name := pgx.Identifier{schema}.Sanitize()
	ddl := strings.NewReplacer("CREATE TABLE ", "CREATE TABLE "+name+".", "REFERENCES ", "REFERENCES "+name+".", "ON shop_item ", "ON "+name+".shop_item ").Replace(shopSchema)
	s := &Shop{db: db, prefix: name + ".", arg: "$1", drop: "DROP SCHEMA " + name + " CASCADE"}
	return s.create(ctx, "CREATE SCHEMA "+name+";"+ddl)
}

func (s *Shop) create(ctx context.Context, ddl string) (*Shop, error) {
	if _, err := s.db.ExecContext(ctx, ddl); err != nil {
		return nil, errors.Join(fmt.Errorf("the shop's schema: %w", err), s.db.Close())
	}
	return s, nil
}

// Count is how many items the shop has.
func (s *Shop) Count(ctx context.Context) (n int64, err error) {
	return n, s.db.QueryRowContext(ctx, `SELECT count(*) FROM `+s.prefix+`shop_item`).Scan(&n)
}

// Since are the items with at least this revision: their numbers and revisions.
func (s *Shop) Since(ctx context.Context, revision int64) (map[string]int64, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT item_no, revision FROM `+s.prefix+`shop_item WHERE revision >= `+s.arg, revision)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := map[string]int64{}
	for rows.Next() {
		var sku string
		var rev int64
		if err := rows.Scan(&sku, &rev); err != nil {
			return nil, err
		}
		items[sku] = rev
	}
	return items, rows.Err()
}

// Row is what the demo compares by itself: a price in cents, a name and a revision.
type Row struct {
	Name     string
	Gross    int64
	Revision int64
}

// Rows are all items of the shop, by number.
func (s *Shop) Rows(ctx context.Context) (map[string]Row, error) {
	return readRows(ctx, s.db, `SELECT item_no, title, CAST(round(gross * 100) AS INTEGER), revision FROM `+s.prefix+`shop_item`, nil)
}

func readRows(ctx context.Context, db *sql.DB, query string, then func(*Row)) (map[string]Row, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]Row{}
	for rows.Next() {
		var sku string
		var name sql.NullString
		var r Row
		if err := rows.Scan(&sku, &name, &r.Gross, &r.Revision); err != nil {
			return nil, err
		}
		r.Name = name.String
		if then != nil {
			then(&r)
		}
		all[sku] = r
	}
	return all, rows.Err()
}

// Differences compares both sides by plain SQL, without lockstep: how many rows differ, are missing or are too many.
func Differences(pim, shop map[string]Row) (n int) {
	for sku, a := range pim {
		if b, ok := shop[sku]; !ok || a != b {
			n++
		}
	}
	for sku := range shop {
		if _, ok := pim[sku]; !ok {
			n++
		}
	}
	return n
}

// Close closes the database; drop takes the tables away, where they are in a database of somebody else's.
func (s *Shop) Close(ctx context.Context, drop bool) error {
	var err error
	if drop && s.drop != "" {
		_, err = s.db.ExecContext(ctx, s.drop)
	}
	return errors.Join(err, s.db.Close())
}
