package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // both businesses keep their data in SQLite unless a PostgreSQL is given
)

// pimSchema is how the catalogue keeps its data.
const pimSchema = `
CREATE TABLE category (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  changed_at TIMESTAMP NOT NULL
);
CREATE TABLE product (
  id          INTEGER PRIMARY KEY,
  sku         TEXT NOT NULL UNIQUE,
  name        TEXT,
  description TEXT,                 -- HTML
  price       DECIMAL(10,2),        -- net
  category_id INTEGER NOT NULL REFERENCES category,
  brand       TEXT,
  weight_g    INTEGER,
  published   BOOLEAN NOT NULL,
  revision    INTEGER NOT NULL,     -- the demo's own mark, to measure by
  changed_at  TIMESTAMP NOT NULL
);
CREATE INDEX product_changed ON product (changed_at, id);`

// now is SQL for the time of a change, as applications write it.
const now = `strftime('%Y-%m-%d %H:%M:%f', 'now')`

// PIM is the catalogue's database, as its own application writes it. Not for use by several goroutines.
type PIM struct {
	db       *sql.DB
	revision int64
}

// openSQLite opens a database file in WAL mode, with writes that take the lock at once.
func openSQLite(path string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return sql.Open("sqlite", u.String()+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
}

// NewPIM makes the catalogue's database and fills it.
func NewPIM(ctx context.Context, path string, products []Product) (*PIM, error) {
	db, err := openSQLite(path)
	if err != nil {
		return nil, err
	}
	p := &PIM{db: db}
	if _, err := db.ExecContext(ctx, pimSchema); err != nil {
		return nil, errors.Join(fmt.Errorf("the catalogue's schema: %w", err), db.Close())
	}
	err = p.tx(ctx, func(tx *sql.Tx) error {
		for _, c := range Categories() {
			if _, err := tx.ExecContext(ctx, `INSERT INTO category VALUES (?, ?, `+now+`)`, c.ID, c.Name); err != nil {
				return err
			}
		}
		add, err := tx.PrepareContext(ctx, insertProduct)
		if err != nil {
			return err
		}
		defer add.Close()
		for _, x := range products {
			if _, err := add.ExecContext(ctx, p.row(x)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filling the catalogue: %w", err), db.Close())
	}
	return p, nil
}

const insertProduct = `INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ` + now + `)`

func (p *PIM) row(x Product) []any {
	p.revision++
	return []any{x.ID, x.SKU, x.Name, x.HTML, Money(x.Cents), x.Category, x.Brand, x.Grams, x.Published, p.revision}
}

// Money is cents as a decimal text: 1290 is 12.90.
func Money(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func (p *PIM) tx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Change is one edit of the catalogue that has been committed.
type Change struct {
	ID       int64
	SKU      string
	What     string // for people: "price 12.90 → 11.90"
	Revision int64
	At       time.Time // when the commit returned
}

// Add puts a new product into the catalogue.
func (p *PIM) Add(ctx context.Context, x Product) (Change, error) {
	err := p.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertProduct, p.row(x)...)
		return err
	})
	return Change{x.ID, x.SKU, "new      " + x.Name, p.revision, time.Now()}, err
}

// Reprice sets a product's price.
func (p *PIM) Reprice(ctx context.Context, x *Product, cents int64) (Change, error) {
	what := fmt.Sprintf("price    %s → %s", Money(x.Cents), Money(cents))
	x.Cents = cents
	return p.set(ctx, x, what, "price", Money(cents))
}

// Rename sets a product's name; nil makes it missing.
func (p *PIM) Rename(ctx context.Context, x *Product, name *string) (Change, error) {
	if name == nil {
		return p.set(ctx, x, "name     → (none)", "name", nil)
	}
	x.Name = *name
	return p.set(ctx, x, "name     → "+*name, "name", *name)
}

// Publish takes a product into the range, or out of it.
func (p *PIM) Publish(ctx context.Context, x *Product, published bool) (Change, error) {
	x.Published = published
	what := "taken out of the range"
	if published {
		what = "back in the range"
	}
	return p.set(ctx, x, "status   "+what, "published", published)
}

// set updates one column of a product.
func (p *PIM) set(ctx context.Context, x *Product, what, column string, v any) (Change, error) {
	p.revision++
	err := p.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE product SET `+column+` = ?, revision = ?, changed_at = `+now+` WHERE id = ?`, v, p.revision, x.ID)
		return err
	})
	return Change{x.ID, x.SKU, what, p.revision, time.Now()}, err
}

// Remove deletes products. No "last modified" is left behind: only a full sync can find that.
func (p *PIM) Remove(ctx context.Context, ids ...int64) error {
	return p.tx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM product WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rows are all products as the shop should show them, by SKU: the demo's own idea of the mapping, to check by.
func (p *PIM) Rows(ctx context.Context) (map[string]Row, error) {
	return readRows(ctx, p.db, `SELECT sku, name, CAST(round(price * 100) AS INTEGER), revision FROM product`, func(r *Row) {
		r.Gross = (r.Gross*122 + 50) / 100 // 22 % VAT, rounded half up
	})
}

// Close closes the database.
func (p *PIM) Close() error { return p.db.Close() }
