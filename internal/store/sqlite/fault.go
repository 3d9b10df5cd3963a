package sqlite

import (
	"errors"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	lockstep "github.com/lockstep-sync/lockstep"
)

// fault gives an error of SQLite its code. A Fault stays what it is. No statement of ours puts values into its text.
func fault(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return lockstep.NewFault(lockstep.CodeStoreFull, err)
	}
	if e, ok := errors.AsType[*driver.Error](err); ok && e.Code()&0xff == lib.SQLITE_FULL {
		return lockstep.NewFault(lockstep.CodeStoreFull, err)
	}
	return lockstep.NewFault(lockstep.CodeStore, err)
}

// breaks tells whether after this error the whole transaction may be gone, not only the statement.
func breaks(err error) bool {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT, lib.SQLITE_CORRUPT, lib.SQLITE_CANTOPEN:
		return true
	}
	return false
}

func closed() error { return lockstep.Faultf(lockstep.CodeStore, "the store is closed") }
