package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

func (s *System) newPool(cfg *mysql.Config, settings lockstep.Settings, write bool) (*sql.DB, error) {
	cfg = mykit.Fixed(cfg)
	if d := settings.Duration("connect_timeout"); d > 0 {
		cfg.Timeout = d
	}
	size := int(max(2, min(settings.Int("pool"), 100)))
	return mykit.NewPool(cfg, size, (&opener{sys: s, write: write}).setUp)
}

// opener gives connections the session settings that we need.
type opener struct {
	sys   *System
	write bool
}

func (o *opener) setUp(ctx context.Context, conn driver.Conn) error {
	facts, err := o.sys.learn(ctx, conn)
	if err != nil {
		return err
	}
	session := mykit.SessionSQL
	if timeout := o.sys.options.Timeout; timeout > 0 && facts.maria {
		session += ", max_statement_time = " + strconv.FormatFloat(timeout.Seconds(), 'f', 3, 64)
	} else if timeout > 0 && !o.write {
		session += ", max_execution_time = " + strconv.FormatInt(timeout.Milliseconds(), 10)
	}
	if facts.maria { // it would make a subquery of a long list of keys
		session += ", in_predicate_conversion_threshold = 0"
	}
	// Read committed: a row that is not there is not locked. With a binary log of statements the server refuses to
	// write so.
	isolation := "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	if facts.statements && o.write {
		isolation = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
	}
	if !o.write {
		isolation += ", READ ONLY"
	}
	for _, statement := range []string{session, isolation} {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

// facts are what is to be known of the server.
type facts struct {
	maria      bool
	version    int    // 10.11.4 is 101104
	packet     int    // max_allowed_packet
	zone       string // in which applications that set none write DATETIME
	statements bool   // the binary log keeps statements
	infile     bool   // LOAD DATA LOCAL is allowed
}

const factsSQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', 'time_zone', 'log_bin', 'binlog_format', 'local_infile')`

// learn asks for the server's facts once, and again after a while: they are settings that can be changed.
func (s *System) learn(ctx context.Context, conn driver.Conn) (*facts, error) {
	var f facts
	logs := map[string]string{}
	err := mykit.Query(ctx, conn, factsSQL, nil, func(cells []driver.Value) error {
		name, text := strings.ToLower(mykit.TextOf(cells[0])), mykit.TextOf(cells[1])
		switch name {
		case "version":
			f.maria, f.version = strings.Contains(text, "MariaDB"), mykit.VersionNumber(text)
		case "max_allowed_packet":
			f.packet, _ = strconv.Atoi(text)
		case "time_zone":
			f.zone = text
		case "local_infile":
			f.infile = text == "ON"
		default:
			logs[name] = text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.statements = logs["log_bin"] == "ON" && logs["binlog_format"] == "STATEMENT"
	if f.packet == 0 {
		f.packet = 1 << 20
	}
	s.mu.Lock()
	s.facts = &f
	s.mu.Unlock()
	return &f, nil
}

// known are the facts; there is a connection already.
func (s *System) known() *facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}
