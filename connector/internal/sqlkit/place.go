package sqlkit

import (
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
)

// Place is a place in a scan: behind a row with a null key, or behind a key. It is the JSON text of a Position.
type Place struct {
	Nulls string   `json:"nulls,omitempty"` // among the rows with a null key: behind this one, in the database's words
	After []string `json:"after,omitempty"` // the key fields of the last row, as the connector writes them
}

// Position is p as text.
func (p Place) Position() lockstep.Position { return encode(p) }

// ReadPlace reads a place; n is how many key fields there are.
func ReadPlace(from lockstep.Position, n int) (Place, error) {
	var p Place
	if from == nil {
		return p, nil
	}
	if err := json.Unmarshal(from, &p); err != nil || (len(p.After) != 0 && len(p.After) != n) {
		return p, lockstep.Faultf(lockstep.CodePosition, "the place of the scan is not one of this stream: its key may have changed")
	}
	return p, nil
}

func encode(p any) lockstep.Position {
	b, err := json.Marshal(p)
	if err != nil { // these types are texts and numbers only
		panic(err)
	}
	return b
}
