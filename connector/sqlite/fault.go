package sqlite

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/lockstep-sync/lockstep"
)

// codes are the faults of SQLite's result codes; an extended code goes before its primary one.
var codes = map[int]lockstep.Code{
	lib.SQLITE_CONSTRAINT_UNIQUE:     lockstep.CodeUnique,
	lib.SQLITE_CONSTRAINT_PRIMARYKEY: lockstep.CodeUnique,
	lib.SQLITE_CONSTRAINT_ROWID:      lockstep.CodeUnique,
	lib.SQLITE_CONSTRAINT_FOREIGNKEY: lockstep.CodeReference,
	lib.SQLITE_CONSTRAINT_DATATYPE:   lockstep.CodeValue,
	lib.SQLITE_CONSTRAINT:            lockstep.CodeConstraint,
	lib.SQLITE_MISMATCH:              lockstep.CodeValue,
	lib.SQLITE_TOOBIG:                lockstep.CodeTooLarge,
	lib.SQLITE_BUSY:                  lockstep.CodeDeadlock,
	lib.SQLITE_LOCKED:                lockstep.CodeDeadlock,
	lib.SQLITE_FULL:                  lockstep.CodeUnavailable,
	lib.SQLITE_IOERR:                 lockstep.CodeUnavailable,
	lib.SQLITE_NOMEM:                 lockstep.CodeUnavailable,
	lib.SQLITE_CANTOPEN:              lockstep.CodeFile,
	lib.SQLITE_NOTADB:                lockstep.CodeFile,
	lib.SQLITE_CORRUPT:               lockstep.CodeFile,
	lib.SQLITE_READONLY:              lockstep.CodeRights,
	lib.SQLITE_PERM:                  lockstep.CodeRights,
	lib.SQLITE_AUTH:                  lockstep.CodeRights,
	lib.SQLITE_INTERRUPT:             lockstep.CodeTimeout,
}

var (
	noTable  = regexp.MustCompile(`no such (table|view)`)
	noColumn = regexp.MustCompile(`no such column|has no column named`)
)

// fault classifies an error of the driver. What it says never holds a value: SQLite names tables and columns only,
// but for the text that a trigger raises, which is left out (law 12).
func fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*lockstep.Fault](err); ok {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return lockstep.Faultf(lockstep.CodeTimeout, "the statement did not end in time")
	}
	if errors.Is(err, context.Canceled) {
		return lockstep.NewFault(lockstep.CodeTimeout, err)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return lockstep.NewFault(lockstep.CodeUnclassified, err)
	}
	if e.Code() == lib.SQLITE_CONSTRAINT_TRIGGER {
		return lockstep.Faultf(lockstep.CodeConstraint, "a trigger refused the write")
	}
	text := strings.TrimPrefix(e.Error(), "constraint failed: ")
	for _, code := range [...]int{e.Code(), e.Code() & 0xff} {
		if c, ok := codes[code]; ok {
			return lockstep.Faultf(c, "sqlite: %s", text)
		}
	}
	switch {
	case noTable.MatchString(text):
		return lockstep.Faultf(lockstep.CodeNoStream, "sqlite: %s", text)
	case noColumn.MatchString(text):
		return lockstep.Faultf(lockstep.CodeNoField, "sqlite: %s", text)
	}
	return lockstep.Faultf(lockstep.CodeUnclassified, "sqlite: %s", text)
}

// about adds the stream to a fault.
func about(err error, stream string) error {
	if err == nil {
		return nil
	}
	return lockstep.FaultOf(fault(err)).On(lockstep.About{Stream: stream})
}
