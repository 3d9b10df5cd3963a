package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/storetest"
)

var _ lockstep.Store = (*Store)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func harness(opts Options) storetest.Harness {
	paths := map[lockstep.Store]string{}
	open := func(t testing.TB, path string) lockstep.Store {
		t.Helper()
		s, err := Open(t.Context(), path, opts)
		if err != nil {
			t.Fatal(err)
		}
		paths[s] = path
		return s
	}
	return storetest.Harness{
		Open: func(t testing.TB) lockstep.Store { return open(t, filepath.Join(t.TempDir(), "lockstep.db")) },
		Reopen: func(t testing.TB, s lockstep.Store) lockstep.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, paths[s])
		},
	}
}

func TestContract(t *testing.T) { storetest.Run(t, harness(Options{})) }

func TestModel(t *testing.T) { storetest.Model(t, harness(Options{})) }

func TestReferenceModel(t *testing.T) { storetest.ReferenceModel(t, harness(Options{})) }
