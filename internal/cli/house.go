package cli

import (
	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
)

func connectors() []lockstep.Connector { return []lockstep.Connector{sqlite.Connector} }
