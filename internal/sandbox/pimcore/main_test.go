package pimcore

import (
	"testing"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
