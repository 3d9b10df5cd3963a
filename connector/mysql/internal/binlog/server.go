package binlog

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Server is a database server whose log is read. DB asks it what the log does not say.
type Server struct {
	DB      *sql.DB
	Address Address

	mu   sync.Mutex
	info *serverInfo
}

// serverInfo is what of a server does not change while it runs.
type serverInfo struct {
	flavor Flavor
	id     string // which server this is
	fold   bool   // names of tables are compared without regard to case
	logs   bool
}

func (s *Server) know(ctx context.Context) (*serverInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.info != nil {
		return s.info, nil
	}
	vars, err := s.variables(ctx)
	if err != nil {
		return nil, err
	}
	info := &serverInfo{flavor: MySQL, id: vars["server_uuid"], fold: vars["lower_case_table_names"] != "0", logs: vars["log_bin"] == "ON"}
	switch {
	case strings.Contains(strings.ToLower(vars["version"]), "mariadb"):
		info.flavor, info.id = MariaDB, vars["server_id"]
	case vars["gtid_mode"] != "ON":
		info.flavor = MySQLFile
	}
	if !info.logs {
		return nil, lockstep.Faultf(lockstep.CodeNotTracked, "the server writes no binary log: start it with log_bin")
	}
	s.info = info
	return info, nil
}

// forget has the server asked again: it may be another one, behind the same address.
func (s *Server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = nil
}

// variables are the settings that matter here.
func (s *Server) variables(ctx context.Context) (map[string]string, error) {
	const names = `'version', 'server_id', 'server_uuid', 'lower_case_table_names', 'log_bin', 'gtid_mode', 'binlog_format',
		'binlog_row_image', 'binlog_row_metadata', 'binlog_row_value_options', 'expire_logs_days', 'binlog_expire_logs_seconds',
		'log_slave_updates', 'log_replica_updates', 'mysql56_temporal_format', 'binlog_transaction_compression'`
	rows, err := s.DB.QueryContext(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+names+")")
	if err != nil {
		return nil, fault(err, "SHOW GLOBAL VARIABLES")
	}
	defer rows.Close()
	vars := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fault(err, "SHOW GLOBAL VARIABLES")
		}
		vars[name] = value
	}
	if err := rows.Err(); err != nil {
		return nil, fault(err, "SHOW GLOBAL VARIABLES")
	}
	return vars, nil
}

// moment is where the end of the log was, and what the server's clock said just before.
type moment struct {
	at     gtids
	file   string
	offset uint64
	clock  time.Time
}

func (s *Server) now(ctx context.Context, flavor Flavor) (moment, error) {
	var m moment
	var clock, text string
	var err error
	switch flavor {
	case MariaDB:
		err = s.DB.QueryRowContext(ctx, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR), @@GLOBAL.gtid_binlog_pos").Scan(&clock, &text)
	case MySQL:
		err = s.DB.QueryRowContext(ctx, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR), @@GLOBAL.gtid_executed").Scan(&clock, &text)
	default:
		if err = s.DB.QueryRowContext(ctx, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)").Scan(&clock); err == nil {
			m.file, m.offset, err = s.logEnd(ctx)
		}
	}
	if err != nil {
		return m, fault(err, "the end of the log")
	}
	if m.clock, err = time.Parse("2006-01-02 15:04:05.999999", clock); err != nil {
		return m, fault(err, "the server's clock")
	}
	m.at, err = parseGTIDs(flavor, text)
	return m, err
}

// logEnd is the file that is written, and how long it is.
func (s *Server) logEnd(ctx context.Context) (file string, offset uint64, err error) {
	status, err := s.logStatus(ctx)
	if err != nil {
		return "", 0, err
	}
	offset, err = strconv.ParseUint(status[1], 10, 64)
	return status[0], offset, err
}

// filters are the databases that alone are in the log, and those that are not.
func (s *Server) filters(ctx context.Context) (only, without string, err error) {
	status, err := s.logStatus(ctx)
	if err != nil {
		return "", "", err
	}
	return status[2], status[3], nil
}

// logStatus is the server's word on its log: file, offset, and the databases in and out of it.
func (s *Server) logStatus(ctx context.Context) (status [4]string, err error) {
	rows, err := s.DB.QueryContext(ctx, "SHOW BINARY LOG STATUS") // from MySQL 8.4 on
	if number, _ := serverError(err); number != 0 {
		rows, err = s.DB.QueryContext(ctx, "SHOW MASTER STATUS")
	}
	if err != nil {
		return status, fault(err, "SHOW MASTER STATUS")
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || len(columns) < len(status) {
		return status, fault(errors.Join(err, errors.New("too few columns")), "SHOW MASTER STATUS")
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return status, fault(err, "SHOW MASTER STATUS")
		}
		return status, lockstep.Faultf(lockstep.CodeNotTracked, "the server writes no binary log: start it with log_bin")
	}
	into := make([]any, len(columns))
	for i := range into {
		into[i] = new(sql.RawBytes)
		if i < len(status) {
			into[i] = &status[i]
		}
	}
	if err := rows.Scan(into...); err != nil {
		return status, fault(err, "SHOW MASTER STATUS")
	}
	return status, nil
}
