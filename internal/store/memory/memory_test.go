package memory_test

import (
	"testing"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/internal/store/storetest"
)

var _ lockstep.Store = (*memory.Store)(nil)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) lockstep.Store { return memory.New() }})
}

func TestModel(t *testing.T) {
	storetest.Model(t, storetest.Harness{Open: func(testing.TB) lockstep.Store { return memory.New() }})
}

func TestReferenceModel(t *testing.T) {
	storetest.ReferenceModel(t, storetest.Harness{Open: func(testing.TB) lockstep.Store { return memory.New() }})
}
