package binlog

import (
	"context"
	"errors"
	"net"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	driver "github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
)

// Errors of the server that tell something of their own.
const (
	errAccessDB       = 1044
	errAccess         = 1045
	errSpecificAccess = 1227
	errCommandAccess  = 1142
	errNoLog          = 1236 // "could not read from the log": its text says why
	errShutdown       = 1053
	errTooManyConns   = 1040
)

// fault classifies an error of the connection to the log. The server's texts about it hold no values of records.
func fault(err error, request string) error {
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f
	}
	about := lockstep.About{Request: request}
	number, text := serverError(err)
	switch number {
	case 0:
	case errNoLog:
		return noLog(text).On(about)
	case errAccess, errAccessDB:
		return lockstep.Faultf(lockstep.CodeLogin, "error %d: %s", number, text).On(about)
	case errSpecificAccess, errCommandAccess:
		f := lockstep.Faultf(lockstep.CodeRights, "error %d: %s", number, text).On(about)
		f.Next = "Grant REPLICATION SLAVE and REPLICATION CLIENT (MariaDB: BINLOG MONITOR) to the user, then start the flow again."
		return f
	case errShutdown, errTooManyConns:
		return lockstep.Faultf(lockstep.CodeUnavailable, "error %d: %s", number, text).On(about)
	default:
		return lockstep.Faultf(lockstep.CodeUnclassified, "error %d: %s", number, text).On(about)
	}
	netErr := net.Error(nil)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return lockstep.Faultf(lockstep.CodeTimeout, "the server was silent for too long").On(about)
	case errors.As(err, new(*net.OpError)) && strings.Contains(err.Error(), "dial"):
		return lockstep.NewFault(lockstep.CodeUnavailable, err).On(about)
	}
	return lockstep.NewFault(lockstep.CodeNetwork, err).On(about)
}

func serverError(err error) (number uint16, text string) {
	if e, ok := errors.AsType[*gomysql.MyError](err); ok {
		return e.Code, e.Message
	}
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Number, e.Message
	}
	return 0, ""
}

// noLog tells apart why the server could not go on with the log. What is not known is taken for a gap.
func noLog(text string) *lockstep.Fault {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(strings.ToLower(text), p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("binary log is not open"):
		return lockstep.Faultf(lockstep.CodeNotTracked, "the server writes no binary log (log_bin)")
	case has("same server_uuid", "same server_id", "same server-id"):
		return lockstep.Faultf(lockstep.CodeNetwork, "another replica has our server id: %s", text)
	case has("server id was not set", "server-id was not set"):
		return lockstep.Faultf(lockstep.CodeNotTracked, "the server has no server_id")
	case has("max_allowed_packet", "exceeded"):
		f := lockstep.Faultf(lockstep.CodeConfig, "the server cannot send an event of its log: %s", text)
		f.Kind, f.Next = lockstep.Denied, "Raise max_allowed_packet of the server, then start the flow again."
		return f
	case has("shutdown", "being shut down", "server is going down"):
		return lockstep.Faultf(lockstep.CodeNetwork, "the server ends: %s", text)
	}
	return lockstep.Faultf(lockstep.CodePosition, "the server cannot go on from our place in its log: %s", text)
}
