package mysql

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/connector/mysql/internal/binlog"
	"github.com/lockstep-sync/lockstep/value"
)

// logFeeds are the feeds that follow the binary log, by stream and track; each has a connection of its own.
type logFeeds struct {
	server binlog.Server
	mu     sync.Mutex
	feeds  map[string]*logFeed
	closed bool
}

type logFeed struct {
	*binlog.Feed
	table string // whose rows it follows

	mu    sync.Mutex
	plan  *sqlkit.Plan // what shape was made for
	limit lockstep.Limit
	shape binlog.Shape
}

// logAddress is where the log is read from: by the same account as all else.
func logAddress(cfg *mysql.Config) binlog.Address {
	return binlog.Address{Network: cfg.Net, Address: cfg.Addr, User: cfg.User, Password: cfg.Passwd, TLS: cfg.TLS, Plain: cfg.AllowFallbackToPlaintext}
}

func (l *logFeeds) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.feeds {
		f.Close()
	}
	l.feeds, l.closed = nil, true
}

// of is the feed of a read, which follows a table.
func (l *logFeeds) of(r lockstep.Read, database, table string) (*logFeed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, lockstep.Faultf(lockstep.CodeNetwork, "the system was closed")
	}
	id := sqlkit.FeedName(r)
	f := l.feeds[id]
	if f != nil && f.table == table {
		return f, nil
	}
	if f != nil {
		f.Close()
	}
	if l.feeds == nil {
		l.feeds = map[string]*logFeed{}
	}
	l.feeds[id] = &logFeed{Feed: binlog.NewFeed(&l.server, database, table), table: table}
	return l.feeds[id], nil
}

// known is the feed of a read that was read before, or nil.
func (l *logFeeds) known(r lockstep.Read) *binlog.Feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.feeds[sqlkit.FeedName(r)]; f != nil {
		return f.Feed
	}
	return nil
}

// logChanges reads the binary log from a position on.
func (s *System) logChanges(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if err := logged(p.Table); err != nil {
		return lockstep.Page{}, err
	}
	f, err := s.log.of(r, s.database, infoOf(p.Table).name)
	if err != nil {
		return lockstep.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plan != p || f.limit != l { // its memory is used again: most pages are small
		f.plan, f.limit, f.shape = p, l, s.logShape(p, l)
	}
	return f.Changes(ctx, from, l, f.shape)
}

// logged refuses what has no rows of its own in the log.
func logged(t *sqlkit.Table) error {
	if t.View {
		return lockstep.Faultf(lockstep.CodeCannot, "%s is a view: the binary log has changes of tables only", t.SQL).On(lockstep.About{Stream: t.Stream.Name})
	}
	return nil
}

func (s *System) logWait(ctx context.Context, r lockstep.Read, from lockstep.Position) error {
	if f := s.log.known(r); f != nil {
		return f.Wait(ctx, from)
	}
	return nil // the next read opens it
}

// logShape makes records of cells of the log by the same decoder that reads rows of a SELECT.
func (s *System) logShape(p *sqlkit.Plan, l lockstep.Limit) binlog.Shape {
	d := newDecoder(&selection{plan: p, large: sqlkit.MaxRecord(s.options.MaxRecord, l)}, s.park)
	shape := binlog.Shape{Key: p.Key, Hints: p.Table.Where != ""} // a condition is the server's to judge
	for _, c := range p.Columns {
		shape.Columns = append(shape.Columns, c.Name)
	}
	deleted := -1
	if p.Deleted != nil {
		if deleted = slices.Index(shape.Columns, p.Deleted.Name); deleted < 0 {
			deleted = len(shape.Columns)
			shape.Columns = append(shape.Columns, p.Deleted.Name)
		}
	}
	cells := make([]driver.Value, len(p.Columns))
	shape.MakeKey = func(row []binlog.Cell) (lockstep.Key, error) {
		parts := make([]string, len(p.Key))
		for i, at := range p.Key {
			cell := cellValue(row[at])
			if cell == nil {
				return "", lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Stream: p.Table.Stream.Name, Field: p.Columns[at].Name})
			}
			parts[i] = d.keyText(d.types[at], cell)
		}
		return lockstep.MakeKey(parts...), nil
	}
	shape.Change = func(row []binlog.Cell) lockstep.Change {
		for i := range cells {
			cells[i] = cellValue(row[i])
		}
		out := d.row(cells, false)
		change := lockstep.Change{Op: out.op, Record: out.record, Fault: out.fault}
		if deleted >= 0 && goneCell(p.Deleted, cellValue(row[deleted])) {
			change = lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: out.record.Key}}
		}
		return change
	}
	return shape
}

// cellValue is a cell of the log as the driver gives one of a SELECT.
func cellValue(c binlog.Cell) driver.Value {
	switch c.Kind {
	case binlog.Int:
		return c.Int()
	case binlog.Uint:
		if n := c.Uint(); n <= 1<<63-1 {
			return int64(n)
		}
		return c.Uint()
	case binlog.Float32, binlog.Float64:
		return c.Float()
	case binlog.Text, binlog.Bytes:
		if c.Data() == nil {
			return []byte{}
		}
		return c.Data()
	}
	return nil
}

// goneCell tells of a soft-delete field's cell what goneSQL tells of its column.
func goneCell(c *sqlkit.Column, cell driver.Value) bool {
	text := strings.ToLower(mykit.TextOf(cell))
	if b, ok := cell.([]byte); ok && (c.Type.Kind == value.BoolType || c.Type.Kind == value.IntType) { // BIT
		n := uint64(0)
		for _, x := range b {
			n = n<<8 | uint64(x)
		}
		text = strconv.FormatUint(n, 10)
	}
	return !slices.Contains([]string{"", "0", "0.0", "f", "false", "n", "no"}, text) && !strings.HasPrefix(text, "0000-00-00")
}

// logInstall has nothing to make: the log is the server's. What it must write is a matter of settings, which are not
// ours to change.
func (s *System) logInstall(ctx context.Context, r lockstep.Read) (string, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return "", err
	}
	if err := logged(p.Table); err != nil {
		return "", err
	}
	return "", s.log.server.Ready(ctx)
}

// logExamine says what the log does not tell.
func (e *examiner) logExamine() error {
	if err := logged(e.plan.Table); err != nil {
		return err
	}
	found, err := e.sys.log.server.Examine(e.ctx, e.sys.database, infoOf(e.plan.Table).name)
	e.Findings = append(e.Findings, found...)
	if e.plan.Table.Where != "" {
		e.Say("note", "the stream has a `where`: each of its changes is looked at by a query", "")
	}
	return err
}
