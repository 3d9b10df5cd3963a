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
	if primary(err) == lib.SQLITE_FULL {
		return lockstep.NewFault(lockstep.CodeStoreFull, err)
	}
	return lockstep.NewFault(lockstep.CodeStore, err)
}

// breaks tells whether after this error the whole transaction may be gone, not only the statement.
func breaks(err error) bool {
	switch primary(err) {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT, lib.SQLITE_CORRUPT, lib.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// primary is SQLite's primary code of an error, of ours or, while the store is migrated, the driver's; 0 for another.
func primary(err error) int {
	if e, ok := errors.AsType[*sqliteError](err); ok {
		return int(e.code & 0xff)
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func closed() error { return lockstep.Faultf(lockstep.CodeStore, "the store is closed") }
