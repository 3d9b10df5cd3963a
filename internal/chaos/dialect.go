package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // writes and reads without lockstep
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/lockstep-sync/lockstep/internal/mariaserver"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// dialect is what one kind of database says differently. The types of columns are written as {name}.
type dialect struct {
	kind   string // the type in lockstep's configuration
	types  map[string]string
	begin  string
	now    string // the time of a transaction, as text that its columns take
	draw   string // the next number of a counter %s
	count  string // makes a counter %s
	ignore [2]string
	locked string // behind a SELECT: locks what nobody else holds
	moment string // a column %s as ISO 8601
	mark   func(n int) string
	late   int // the longest that a late transaction stays open, in milliseconds
	// passing tells whether an error is one that applications live with: a deadlock, a lock that somebody holds.
	passing func(error) bool
}

func question(int) string { return "?" }

var dialects = map[string]dialect{
	"postgres": {
		kind:  "postgres",
		types: map[string]string{"int": "bigint", "text": "text", "key": "text", "price": "numeric(12,2)", "bool": "boolean", "time": "timestamptz"},
		begin: "BEGIN", now: "SELECT now()::text", draw: "SELECT nextval('%s')", count: "CREATE SEQUENCE %s",
		ignore: [2]string{"INSERT INTO", " ON CONFLICT DO NOTHING"}, locked: " FOR UPDATE SKIP LOCKED",
		moment: `to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
		mark:   func(n int) string { return "$" + strconv.Itoa(n) }, late: 3000,
		passing: func(err error) bool {
			e, ok := errors.AsType[*pgconn.PgError](err)
			return ok && (e.Code == "40P01" || e.Code == "55P03" || e.Code == "40001")
		},
	},
	"mysql": {
		kind:  "mysql",
		types: map[string]string{"int": "bigint", "text": "text", "key": "varchar(60)", "price": "decimal(12,2)", "bool": "boolean", "time": "timestamp(6)"},
		begin: "BEGIN", now: "SELECT CAST(NOW(6) AS CHAR)", draw: "SELECT NEXTVAL(%s)", count: "CREATE SEQUENCE %s",
		ignore: [2]string{"INSERT IGNORE INTO", ""}, locked: " FOR UPDATE SKIP LOCKED",
		moment: `DATE_FORMAT(%s, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')`, mark: question, late: 3000,
		passing: func(err error) bool {
			e, ok := errors.AsType[*mysql.MySQLError](err)
			return ok && (e.Number == 1213 || e.Number == 1205 || e.Number == 1020)
		},
	},
	"sqlite": {
		kind:  "sqlite",
		types: map[string]string{"int": "INTEGER", "text": "TEXT", "key": "TEXT", "price": "DECIMAL(12,2)", "bool": "BOOLEAN", "time": "TIMESTAMPTZ"},
		begin: "BEGIN IMMEDIATE", now: "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
		draw: "UPDATE counter SET n = n + 1 WHERE name = '%s' RETURNING n", count: "INSERT INTO counter VALUES ('%s', 0)",
		ignore: [2]string{"INSERT OR IGNORE INTO", ""}, moment: "CAST(%s AS TEXT)", mark: question, late: 800,
		passing: func(err error) bool {
			e, ok := errors.AsType[*sqlite.Error](err)
			return ok && e.Code()&0xff == lib.SQLITE_BUSY
		},
	},
}

// place is one database: the source or the target of a run.
type place struct {
	dialect
	db     *sql.DB
	system string // its line in lockstep's configuration
}

// servers are started when a place needs them, and live for the run.
type servers struct {
	pg    *pgserver.Server
	maria *mariaserver.Server
}

func (s *servers) stop() (err error) {
	if s.pg != nil {
		err = s.pg.Stop()
	}
	if s.maria != nil {
		err = errors.Join(err, s.maria.Stop())
	}
	return err
}

// open makes an empty database of a kind for a role, source or target.
func (s *servers) open(ctx context.Context, kind, role, dir string) (*place, error) {
	d, ok := dialects[kind]
	if !ok {
		return nil, fmt.Errorf("no database %q: there is postgres, mysql, sqlite", kind)
	}
	p := &place{dialect: d}
	var driver, dsn string
	var err error
	switch kind {
	case "postgres":
		driver = "pgx"
		if dsn, err = s.postgres(ctx, role); err != nil {
			return nil, err
		}
		p.system = fmt.Sprintf("{type: postgres, dsn: %q}", dsn)
	case "mysql":
		driver = "mysql"
		if dsn, err = s.mysql(ctx, role); err != nil {
			return nil, err
		}
		p.system = fmt.Sprintf("{type: mysql, dsn: %q}", dsn)
		dsn += "?time_zone=%27%2B00%3A00%27"
	default:
		driver = "sqlite"
		p.system = fmt.Sprintf("{type: sqlite, path: %s.db}", role)
		dsn = "file:" + filepath.Join(dir, role+".db") + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)"
	}
	p.db, err = sql.Open(driver, dsn)
	return p, err
}

func (s *servers) postgres(ctx context.Context, role string) (dsn string, err error) {
	if s.pg == nil {
		settings := map[string]string{"wal_level": "logical"}
		for k, v := range pgserver.Fast {
			settings[k] = v
		}
		// As it is by default: a commit that is seen before it is in the log on disk comes by the log a moment later, and
		// the check would be too early for it.
		settings["synchronous_commit"] = "on"
		if s.pg, err = pgserver.Start(ctx, settings); err != nil {
			return "", err
		}
	}
	return s.pg.DSN(role), s.pg.Exec(ctx, "postgres", "CREATE DATABASE "+role)
}

func (s *servers) mysql(ctx context.Context, role string) (dsn string, err error) {
	if s.maria == nil {
		if s.maria, err = mariaserver.Start(ctx, mariaserver.Fast, mariaserver.Binlog); err != nil {
			return "", err
		}
	}
	return s.maria.DSN(role), s.maria.Exec(ctx, "mysql", "CREATE DATABASE "+role+" CHARACTER SET utf8mb4")
}

// typed is a statement with the dialect's types.
func (d *dialect) typed(statement string) string {
	var pairs []string
	for name, typ := range d.types {
		pairs = append(pairs, "{"+name+"}", typ)
	}
	return strings.NewReplacer(pairs...).Replace(statement)
}

// marked is a statement with the dialect's parameters instead of question marks.
func (d *dialect) marked(statement string) string {
	var b strings.Builder
	n := 0
	for _, r := range statement {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString(d.mark(n))
	}
	return b.String()
}

func (p *place) exec(ctx context.Context, statements ...string) error {
	for _, st := range statements {
		if _, err := p.db.ExecContext(ctx, p.typed(st)); err != nil {
			return fmt.Errorf("%s: %w", st, err)
		}
	}
	return nil
}
