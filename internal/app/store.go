package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/sqlite"
)

// openStore opens the store of a configuration, and makes its folder where it is missing.
func openStore(ctx context.Context, path string) (lockstep.Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, lockstep.NewFault(lockstep.CodeStore, err)
	}
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err // not store: a nil *Store in an interface is not nil
	}
	return store, nil
}
