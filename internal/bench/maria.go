package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockstep-sync/lockstep/internal/mariaserver"
)

// MariaDB beside PostgreSQL: the same table goes there and comes back.
const (
	rawThere   = "COPY to a file, then LOAD DATA"
	rawBack    = "SELECT INTO OUTFILE, then COPY"
	oursThere  = "lockstep: PostgreSQL to MariaDB, first full sync"
	oursBack   = "lockstep: MariaDB to PostgreSQL, first full sync"
	mariaTable = `CREATE TABLE products (
	id bigint NOT NULL, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, description text NOT NULL, price decimal(12,4) NOT NULL,
	attrs json NOT NULL, is_changed boolean NOT NULL, version bigint NOT NULL, updated_at datetime(6) NOT NULL,
	PRIMARY KEY (id), UNIQUE KEY (sku), KEY (updated_at)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`

	copyForMaria = "COPY (SELECT id, sku, name, description, price, attrs, is_changed::int, version, updated_at AT TIME ZONE 'UTC' FROM products) TO STDOUT"
)

// mariaSettings are those of a small server that keeps what it was given.
var mariaSettings = map[string]string{
	"innodb_buffer_pool_size": "256M", "innodb_log_file_size": "512M", "innodb_flush_log_at_trx_commit": "1", "max_allowed_packet": "64M",
	"local_infile": "ON",
}

// maria measures both ways once: they take long, and vary less than what they are compared with.
func (b *bench) maria(ctx context.Context, rows int) (err error) {
	m, err := mariaserver.Start(ctx, mariaSettings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop()) }()
	const source = "source_maria"
	if err := b.fill(ctx, source, rows); err != nil {
		return err
	}
	if err := m.Exec(ctx, "", "CREATE DATABASE shop"); err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "raw") // the server, another user, writes there
	if err := errors.Join(os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777), os.Chmod(b.dir, 0o711)); err != nil {
		return err
	}
	empty := func() error { return m.Exec(ctx, "shop", "DROP TABLE IF EXISTS products", mariaTable) }
	there, back := filepath.Join(dir, "there"), filepath.Join(dir, "back")
	if err := b.measure(ctx, row{name: rawThere, rows: rows, of: rows}, empty, func() (usage, error) {
		out := b.psql(ctx, source, copyForMaria)
		u, err := timedTo(out, there)
		if err != nil {
			return u, err
		}
		v, err := timed(m.Client(ctx, "shop", "-e", fmt.Sprintf("LOAD DATA INFILE '%s' INTO TABLE products", there)))
		return u.plus(v), errors.Join(err, os.Remove(there))
	}); err != nil {
		return err
	}
	if b.binary != "" {
		home, err := b.homeOf("postgres", b.pg.DSN(source), "mysql", m.DSN("shop"), byTimestamp)
		if err != nil {
			return err
		}
		r := row{name: oursThere, rows: rows, of: rows, limit: rawThere, target: 1.3}
		if err := b.measure(ctx, r, empty, b.full(ctx, home)); err != nil {
			return err
		}
		if err := b.sameAs(ctx, m, source); err != nil {
			return err
		}
	}
	fresh := func() error { return b.emptyTarget(ctx, true) }
	if err := b.measure(ctx, row{name: rawBack, rows: rows, of: rows}, fresh, func() (usage, error) {
		u, err := timed(m.Client(ctx, "shop", "-e", fmt.Sprintf("SELECT * INTO OUTFILE '%s' FROM products", back)))
		if err != nil {
			return u, err
		}
		v, err := timedFrom(b.psql(ctx, "target", "SET TimeZone = 'UTC'", copyIn), back)
		return u.plus(v), errors.Join(err, os.Remove(back))
	}); err != nil {
		return err
	}
	if b.binary != "" {
		home, err := b.homeOf("mysql", m.DSN("shop"), "postgres", b.pg.DSN("target"), byTimestamp)
		if err != nil {
			return err
		}
		r := row{name: oursBack, rows: rows, of: rows, limit: rawBack, target: 1.3}
		if err := b.measure(ctx, r, fresh, b.full(ctx, home)); err != nil {
			return err
		}
		if err := b.sameAs(ctx, m, "target"); err != nil {
			return err
		}
	}
	return b.pg.Exec(ctx, "postgres", "DROP DATABASE "+source+" WITH (FORCE)")
}

// sameAs checks by SQL that is not ours that a PostgreSQL database and the MariaDB hold the same rows.
func (b *bench) sameAs(ctx context.Context, m *mariaserver.Server, database string) error {
	ours, err := b.pg.Psql(ctx, database, "-At", "-F", "\t", "-c", `SELECT count(*), sum(id), sum(price), sum(version), sum(is_changed::int),
		sum(('x' || substr(md5(concat_ws('|', id, sku, name, description, price)), 1, 8))::bit(32)::bigint),
		to_char(max(updated_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD HH24:MI:SS.US') FROM products`).Output()
	if err != nil {
		return err
	}
	theirs, err := m.Client(ctx, "shop", "--skip-column-names", "-e", `SELECT count(*), sum(id), sum(price), sum(version), sum(is_changed),
		sum(CAST(conv(substr(md5(concat_ws('|', id, sku, name, description, price)), 1, 8), 16, 10) AS UNSIGNED)),
		date_format(max(updated_at), '%Y-%m-%d %H:%i:%s.%f') FROM products`).Output()
	if err != nil {
		return err
	}
	if a, z := strings.TrimSpace(string(ours)), strings.TrimSpace(string(theirs)); a != z {
		return fmt.Errorf("the two sides differ, so the figures mean nothing: PostgreSQL %s, MariaDB %s", a, z)
	}
	return nil
}
