package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep"
)

// states are the faults of SQLSTATE codes; a whole code goes before its class of two letters.
var states = map[string]lockstep.Code{
	"08": lockstep.CodeNetwork,
	"0A": lockstep.CodeCannot,
	"22": lockstep.CodeValue,
	"23": lockstep.CodeConstraint, "23505": lockstep.CodeUnique, "23P01": lockstep.CodeUnique, "23503": lockstep.CodeReference,
	"25006": lockstep.CodeRights,
	"28":    lockstep.CodeLogin, "3D000": lockstep.CodeUnavailable,
	"40": lockstep.CodeDeadlock, "55P03": lockstep.CodeDeadlock, "55006": lockstep.CodeDeadlock,
	"42501": lockstep.CodeRights, "42P01": lockstep.CodeNoStream, "3F000": lockstep.CodeNoStream, "42703": lockstep.CodeNoField,
	"42804": lockstep.CodeValue, "42846": lockstep.CodeValue, "428C9": lockstep.CodeNoField,
	"44000": lockstep.CodeConstraint,
	"53":    lockstep.CodeUnavailable,
	"54000": lockstep.CodeTooLarge,
	"57014": lockstep.CodeTimeout, "57": lockstep.CodeUnavailable, "58": lockstep.CodeUnavailable,
	"P0001": lockstep.CodeConstraint, "25P02": lockstep.CodeInvariant,
}

// speaking are the classes of errors whose message names objects of the database only. Others, such as "invalid
// input syntax for type integer: "4711x"", show values, and what a trigger raises can say anything: there the name of
// the condition must do (law 12). Detail, hint and context always stay out.
var speaking = []string{"08", "0A", "23", "25", "28", "3D", "3F", "40", "42", "44", "53", "55", "57"}

// fault classifies an error of a statement: nothing was written, for the server has said so.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*lockstep.Fault](err); ok {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return stateFault(e)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return lockstep.Faultf(lockstep.CodeTimeout, "the statement did not end in time")
	case errors.Is(err, context.Canceled):
		return lockstep.NewFault(lockstep.CodeTimeout, context.Canceled)
	case isNetwork(err):
		return lockstep.Faultf(lockstep.CodeNetwork, "the connection to the database broke")
	}
	return lockstep.Faultf(lockstep.CodeUnclassified, "%w", errors.New(firstLine(err)))
}

func stateFault(e *pgconn.PgError) *lockstep.Fault {
	code, ok := states[e.Code]
	if !ok && len(e.Code) == 5 {
		code, ok = states[e.Code[:2]]
	}
	if !ok {
		code = lockstep.CodeUnclassified
	}
	f := lockstep.Faultf(code, "postgres %s: %s", e.Code, message(e))
	field := e.ColumnName
	if field == "" && e.Code != "23505" {
		field = copyColumn(e.Where)
	}
	return f.On(lockstep.About{Field: field})
}

func message(e *pgconn.PgError) string {
	for _, class := range speaking {
		if strings.HasPrefix(e.Code, class) {
			return e.Message
		}
	}
	if e.Code == "P0001" {
		return "the database refused the write by a rule of its own"
	}
	return hideQuoted(e.Message)
}

// hideQuoted takes everything between the first and the last quote out of a message.
func hideQuoted(s string) string {
	first, last := strings.IndexByte(s, '"'), strings.LastIndexByte(s, '"')
	if first < 0 {
		return s
	}
	return s[:first] + `"…"` + s[last+1:]
}

// copyColumn is the column that the context of a failed COPY names: `COPY t, line 3, column price: "x"`.
func copyColumn(where string) string {
	rest, ok := strings.CutPrefix(where, "COPY ")
	if !ok {
		return ""
	}
	if _, rest, ok = strings.Cut(rest, ", column "); !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}

// connectFault classifies an error of connecting. The driver's text shows most of the DSN, so little of it is kept.
func connectFault(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return stateFault(e)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return lockstep.NewFault(lockstep.CodeTimeout, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return lockstep.Faultf(lockstep.CodeUnavailable, "the database does not answer in time")
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return lockstep.Faultf(lockstep.CodeUnavailable, "cannot connect to the database: %w", e.Err)
	}
	return lockstep.Faultf(lockstep.CodeUnavailable, "cannot connect to the database")
}

func isNetwork(err error) bool {
	_, net_ := errors.AsType[net.Error](err)
	return net_ || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "conn busy")
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return hideQuoted(line)
}

// about adds the stream to a fault.
func about(err error, stream string) error {
	if err == nil {
		return nil
	}
	return lockstep.FaultOf(fault(err)).On(lockstep.About{Stream: stream})
}

// answered tells whether the server itself refused a statement and lives on: then the transaction is certainly gone.
// A connection that died, or a server that was ended, leaves open what became of a commit that was under way.
func answered(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.SeverityUnlocalized == "ERROR" || e.Severity == "ERROR")
}
