package pimcore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// database is Pimcore's own database, in which changes are detected. Objects are never read from it: what GraphQL shows
// is computed by Pimcore.
type database struct {
	pool    *sql.DB
	name    string
	unacked sqlkit.Unacked[touch]
	held    sqlkit.Held

	mu      sync.Mutex
	lock    string // FOR UPDATE, as the server takes it
	checked map[string]checkedOutbox
}

// checkedOutbox is an outbox whose triggers were all there at a time.
type checkedOutbox struct {
	at  time.Time
	box *outbox
}

const (
	// databaseTimeout bounds what is done in the database. DDL waits for open transactions, and everybody else for it:
	// it gives up soon.
	databaseTimeout = time.Minute
	lockTimeout     = 10
	// checkEvery is how old a check of all triggers may be. Those of the objects themselves are looked at with each poll.
	checkEvery = 5 * time.Minute
)

// openDatabase reads the dsn; the first use connects.
func openDatabase(dsn string) (*database, error) {
	cfg, err := mykit.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	d := &database{name: cfg.DBName, checked: map[string]checkedOutbox{}}
	d.pool, err = mykit.NewPool(mykit.Fixed(cfg), 2, d.setUp)
	return d, err
}

func (d *database) setUp(ctx context.Context, conn driver.Conn) error {
	var version string
	statements := false
	err := mykit.Query(ctx, conn, "SELECT VERSION(), @@GLOBAL.log_bin AND @@GLOBAL.binlog_format = 'STATEMENT'", nil, func(cells []driver.Value) error {
		version, statements = mykit.TextOf(cells[0]), mykit.TextOf(cells[1]) == "1"
		return nil
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.lock = mykit.LockSQL(strings.Contains(version, "MariaDB"), mykit.VersionNumber(version))
	d.mu.Unlock()
	isolation := "READ COMMITTED"
	if statements { // the server refuses to write so
		isolation = "REPEATABLE READ"
	}
	for _, statement := range []string{fmt.Sprintf("%s, lock_wait_timeout = %d", mykit.SessionSQL, lockTimeout), "SET SESSION TRANSACTION ISOLATION LEVEL " + isolation} {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) close() error {
	if d == nil {
		return nil
	}
	return d.pool.Close()
}

// with does something on a connection.
func (d *database) with(ctx context.Context, stream string, do func(context.Context, mykit.Link) error) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := mykit.Acquire(ctx, d.pool)
	if err == nil {
		err = do(ctx, conn)
		conn.Release()
	}
	return mykit.About(err, stream)
}

// outbox is the change table of a class. A row of it is an object and a table that something was written to: two
// transactions that wrote to different tables do not meet in it, so that it makes no deadlock that was not there before.
type outbox struct {
	mykit.ChangeTable
	mykit.Standing
	class   string // its id
	prefix  string // of the columns of objects: o_ before Pimcore 11
	watched []watched
}

// watched is a table of a class that triggers are put on.
type watched struct {
	table  string
	column string // that holds the object's id
	events []string
}

// The tables of an object's own row, and the word for its delete in the outbox.
const (
	objectsTable = "objects"
	goneVia      = "deleted"
)

// boxNameLimit leaves room for the suffixes of triggers, which tell the event and the table.
const boxNameLimit = 64 - len("_u_01234567")

// outboxOf finds the class's tables.
func (d *database) outboxOf(ctx context.Context, conn mykit.Link, r lockstep.Read, inherits bool) (*outbox, error) {
	b := &outbox{ChangeTable: mykit.ChangeTable{
		Database: d.name, Name: sqlkit.TrackName(r, boxNameLimit),
		Keys:  []string{"`id`", "`via`"},
		Types: []string{"int unsigned", "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"},
	}}
	var err error
	if b.prefix, err = d.prefix(ctx, conn); err != nil {
		return nil, err
	}
	if b.class, err = d.classID(ctx, conn, r.Stream); err != nil {
		return nil, err
	}
	if b.watched, err = d.tables(ctx, conn, b.class, inherits); err != nil {
		return nil, err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q;", b.prefix, b.class)
	for _, w := range b.watched {
		fmt.Fprintf(sum, "%q %q %q;", w.table, w.column, w.events)
	}
	b.Marker = markerOf(r) + hex.EncodeToString(sum.Sum(nil)[:8])
	return b, nil
}

// prefix is that of the columns of objects.
func (d *database) prefix(ctx context.Context, conn mykit.Link) (string, error) {
	row, err := conn.One(ctx, "SELECT COALESCE(MAX(COLUMN_NAME), '-') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME IN ('classId', 'o_classId')", d.name, objectsTable)
	switch {
	case err != nil:
		return "", err
	case row[0] == "-":
		f := lockstep.Faultf(lockstep.CodeConfig, "the database has no table %s, or the user has no right to it: it is not Pimcore's", objectsTable)
		f.Next = "Let `dsn` name Pimcore's database, and grant the user SELECT and TRIGGER on it."
		return "", f
	}
	return strings.TrimSuffix(row[0], "classId"), nil
}

// classID is the id of a class, which its tables are named by. GraphQL writes the first letter of its name large.
func (d *database) classID(ctx context.Context, conn mykit.Link, name string) (string, error) {
	id, exact := "", false
	err := conn.Rows(ctx, "SELECT id, name FROM classes", nil, func(cells []driver.Value) error {
		own := mykit.TextOf(cells[1])
		if own == name || !exact && own != "" && strings.ToUpper(own[:1])+own[1:] == name {
			id, exact = mykit.TextOf(cells[0]), own == name
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case id == "":
		return "", lockstep.Faultf(lockstep.CodeNoStream, "the database has no class %q in its table classes", name)
	case !isName(id) && !isID(id):
		return "", lockstep.Faultf(lockstep.CodeCannot, "the id of class %q is none that its tables could be named by", name)
	}
	return id, nil
}

// idColumns are the columns that hold an object's id in its side tables, the surest first: the id of relations is one of
// their own.
var idColumns = []string{"oo_id", "ooo_id", "src_id", "o_id", "id"}

// tables are the class's tables that exist.
func (d *database) tables(ctx context.Context, conn mykit.Link, class string, inherits bool) ([]watched, error) {
	columns := map[string]string{}
	err := conn.Rows(ctx, "SELECT c.TABLE_NAME, c.COLUMN_NAME FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME "+
		"WHERE c.TABLE_SCHEMA = ? AND t.TABLE_TYPE = 'BASE TABLE' AND c.TABLE_NAME LIKE 'object\\_%' AND c.COLUMN_NAME IN ("+mykit.Marks(len(idColumns))+")",
		append([]driver.Value{d.name}, values(idColumns)...), func(cells []driver.Value) error {
			table, column := mykit.TextOf(cells[0]), mykit.TextOf(cells[1])
			if best, ok := columns[table]; !ok || slices.Index(idColumns, column) < slices.Index(idColumns, best) {
				columns[table] = column
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	var out []watched
	for table, column := range columns {
		if events := watchedEvents(table, class, inherits); events != nil {
			out = append(out, watched{table, column, events})
		}
	}
	slices.SortFunc(out, func(a, b watched) int { return strings.Compare(a.table, b.table) })
	if !slices.ContainsFunc(out, func(w watched) bool { return w.table == "object_query_"+class }) {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "the database has no table object_query_%s, or the user has no right to it", class)
	}
	return out, nil
}

// watchedEvents are the events of a table that show a change which the object's own row does not: values that it
// inherits, and values that are written by SQL alone. Rows of store and query come and go with the object; the tables
// that are searched hold what is inherited.
func watchedEvents(table, class string, inherits bool) []string {
	all := []string{"INSERT", "UPDATE", "DELETE"}
	kind, ok := strings.CutSuffix(table, "_"+class)
	if ok {
		switch kind {
		case "object_store", "object_query":
			return []string{"UPDATE"}
		case "object_localized_data", "object_relations", "object_metadata", "object_classificationstore_data", "object_classificationstore_groups":
			return all
		}
		switch {
		case strings.HasPrefix(kind, "object_brick_store_"), strings.HasPrefix(kind, "object_brick_localized_"), strings.HasPrefix(kind, "object_collection_"):
			return all
		case strings.HasPrefix(kind, "object_brick_query_") && inherits:
			return []string{"INSERT", "UPDATE"}
		}
	}
	if inherits && (strings.HasPrefix(table, "object_localized_query_"+class+"_") ||
		strings.HasPrefix(table, "object_brick_localized_query_") && strings.Contains(table, "_"+class+"_")) {
		return []string{"INSERT", "UPDATE"}
	}
	return nil
}

func values(texts []string) []driver.Value {
	out := make([]driver.Value, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
