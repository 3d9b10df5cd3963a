package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	lockstep "github.com/lockstep-sync/lockstep"
)

// lock takes the lock file of the store: one process owns it. The file stays; the lock goes with the process.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeStore, fmt.Errorf("open the store's lock file: %w", err))
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid())))
		if err == nil {
			return f, nil
		}
		_ = f.Close()
		return nil, fault(fmt.Errorf("write the store's lock file: %w", err))
	}
	defer f.Close()
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, lockstep.NewFault(lockstep.CodeStore, fmt.Errorf("lock the store: %w", err))
	}
	owner := make([]byte, 32)
	n, _ := f.ReadAt(owner, 0)
	who := string(bytes.TrimSpace(owner[:n]))
	if who == "" {
		who = "(starting)"
	}
	return nil, lockstep.Faultf(lockstep.CodeStoreLocked, "process %s owns the store %s", who, path)
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
