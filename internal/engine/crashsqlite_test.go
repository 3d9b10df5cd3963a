//go:build !race

package engine

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/sqlite"
)

// sqliteStores is a store on disk. The process also dies inside of it: before, within and behind its transactions.
func sqliteStores(t testing.TB) stores {
	path := filepath.Join(t.TempDir(), "lockstep.db")
	var first *sqlite.Store
	return stores{
		open: func(t testing.TB, k *killer) lockstep.Store {
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{Hook: func(string) {
				if k.point() != nil {
					panic(errDead)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			first = s
			return s
		},
		reopen: func(t testing.TB) lockstep.Store {
			if err := first.Abandon(); err != nil {
				t.Fatal(err)
			}
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}

// The same on the store that people use, with the points inside of its writer. It is left out of the race detector's
// build, which needs ten times as long for it; make test runs it in a stage of its own.
func TestCrashAnywhereInSQLite(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			deaths := 0
			for at := 1; ; at += max(1, v.every) {
				died := false
				synctest.Test(t, func(t *testing.T) { died = crashOnce(t, v, at, sqliteStores(t)) })
				if !died {
					break
				}
				if deaths++; deaths > 2000 {
					t.Fatal("the process has no end")
				}
			}
			t.Logf("%d deaths survived", deaths)
		})
	}
}

// A pair on the store that people use: some of its many points, others for each variant.
func TestPairCrashAnywhereInSQLite(t *testing.T) {
	for _, v := range pairVariants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			deaths := 0
			for at := 1 + len(v.name); ; at += 13 {
				died := false
				synctest.Test(t, func(t *testing.T) { died = pairCrashOnce(t, v, at, sqliteStores(t)) })
				if !died {
					break
				}
				if deaths++; deaths > 3000 {
					t.Fatal("the process has no end")
				}
			}
			t.Logf("%d deaths survived", deaths)
		})
	}
}
