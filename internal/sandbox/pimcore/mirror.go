package pimcore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mirror repeats every save in a MariaDB or MySQL with Pimcore's tables: the same row operations in the same order, one
// transaction each, so that triggers and the binary log see what they see on a real system.
type mirror struct {
	s   *Server
	ctx context.Context //nolint:containedctx // the life of the mirror, not of a call
	db  *sql.DB
}

// marker is the table by which a database is known as one that a stand-in made and may empty.
const marker = "lockstep_sandbox"

// Mirror fills a database with Pimcore's tables and keeps them level from now on, until ctx ends. The database must be
// empty or one that a stand-in filled before; then it is emptied.
func (s *Server) Mirror(ctx context.Context, dsn string) error {
	cfg, err := mirrorConfig(dsn)
	if err != nil {
		return err
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return errors.New("the dsn has a setting that the driver does not take")
	}
	m := &mirror{s: s, ctx: ctx, db: sql.OpenDB(inner)}
	m.db.SetMaxOpenConns(16)
	if err := m.fill(); err != nil {
		return errors.Join(err, m.db.Close())
	}
	return nil
}

// mirrorConfig reads a URL or the driver's own form.
func mirrorConfig(dsn string) (*mysql.Config, error) {
	wrong := errors.New("the dsn cannot be understood; it looks like mysql://user:password@host:3306/database")
	cfg, err := mysql.ParseDSN(dsn)
	if _, rest, ok := strings.Cut(dsn, "://"); ok {
		u, uerr := url.Parse("mysql://" + rest)
		if uerr != nil {
			return nil, wrong // the text would show the password
		}
		place := "tcp(" + u.Host + ")"
		if socket := u.Query().Get("socket"); socket != "" {
			place = "unix(" + socket + ")"
		} else if u.Port() == "" {
			place = "tcp(" + u.Host + ":3306)"
		}
		if cfg, err = mysql.ParseDSN(place + u.EscapedPath()); err == nil {
			cfg.User = u.User.Username()
			cfg.Passwd, _ = u.User.Password()
		}
	}
	if err != nil || cfg.DBName == "" {
		return nil, wrong
	}
	cfg.InterpolateParams, cfg.ClientFoundRows, cfg.Logger = true, true, &mysql.NopLogger{}
	cfg.Timeout = 10 * time.Second
	cfg.Params = map[string]string{"innodb_lock_wait_timeout": "1"} // waiting is done without our own lock: see write
	return cfg, nil
}

// fill makes the tables and copies what is there; edits wait meanwhile.
func (m *mirror) fill() error {
	if err := m.empty(); err != nil {
		return err
	}
	for _, statement := range m.tables() {
		if _, err := m.db.ExecContext(m.ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	out := &m.s.out
	out.mu.Lock()
	defer out.mu.Unlock()
	m.s.w.mu.Lock()
	defer m.s.w.mu.Unlock()
	err := m.transaction(func(tx *sql.Tx) error {
		ids := make([]int, 0, len(m.s.w.objects))
		for id := range m.s.w.objects {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			if err := m.object(tx, change{op: "add", after: m.s.w.objects[id], version: len(m.s.w.objects[id].versions) > 0}); err != nil {
				return err
			}
		}
		for _, a := range m.s.w.assets {
			if err := m.assetRow(tx, change{op: "add", asset: a}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		out.mirror, out.waiting = m, nil
	}
	return err
}

// empty drops the tables of a stand-in, and refuses to touch others'.
func (m *mirror) empty() error {
	names, err := m.texts("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_type = 'VIEW' DESC, table_name")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	if !slices.Contains(names, marker) {
		return errors.New("the database is not empty and was not made by a sandbox: give it one of its own")
	}
	conn, err := m.db.Conn(m.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(m.ctx, "SET foreign_key_checks = 0"); err != nil {
		return err
	}
	for _, n := range names {
		_, tableErr := conn.ExecContext(m.ctx, "DROP TABLE IF EXISTS "+quoted(n))
		_, viewErr := conn.ExecContext(m.ctx, "DROP VIEW IF EXISTS "+quoted(n))
		if tableErr != nil && viewErr != nil {
			return tableErr
		}
	}
	_, err = conn.ExecContext(m.ctx, "SET foreign_key_checks = 1")
	return err
}

func (m *mirror) texts(query string) ([]string, error) {
	rows, err := m.db.QueryContext(m.ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func (m *mirror) transaction(do func(*sql.Tx) error) error {
	tx, err := m.db.BeginTx(m.ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// lockWaits is how often a row that another transaction holds is tried for, a second each.
const lockWaits = 60

// write repeats one transaction. Where a late save holds a row, it waits without holding the world, which that save
// needs to be committed.
func (m *mirror) write(group []change) error {
	for n := 0; ; n++ {
		m.s.w.mu.RLock()
		err := m.transaction(func(tx *sql.Tx) error { return m.changes(tx, group) })
		m.s.w.mu.RUnlock()
		if locked, ok := errors.AsType[*mysql.MySQLError](err); !ok || n == lockWaits || locked.Number != lockWaitTimeout && locked.Number != deadlock {
			return err
		}
	}
}

// MariaDB's codes of errors after which a transaction is tried again.
const (
	lockWaitTimeout = 1205
	deadlock        = 1213
)

func (m *mirror) changes(tx *sql.Tx, group []change) error {
	for _, c := range group {
		var err error
		switch {
		case c.mirrored:
		case c.kind == "asset":
			err = m.assetRow(tx, c)
		default:
			err = m.object(tx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hold carries out a save in a transaction that stays open until finish is called: what others see of it comes late.
func (m *mirror) hold(c change) (finish func(commit bool) error, err error) {
	m.s.w.mu.RLock()
	defer m.s.w.mu.RUnlock()
	tx, err := m.db.BeginTx(m.ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := m.object(tx, c); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return func(commit bool) error {
		if !commit {
			return tx.Rollback()
		}
		return tx.Commit()
	}, nil
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
