package postgres

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logPlace is the position of the log tracker: behind the transactions that were committed before LSN, and, where a
// page ended within a transaction, behind the first of its rows. Transactions are told by their place in the log, which
// is the order of their commits.
type logPlace struct {
	System string  `json:"system"` // the cluster: another one has another log
	Member string  `json:"member"` // that the table is in our publication: another number is another table, or a gap
	LSN    wal.LSN `json:"lsn"`
	// Until and Snapshot belong to a first position. It begins where the slot stands, and passes over what was visible
	// when the position was made: a transaction may be in the log before it can be seen by others, so a place in the
	// log alone would lose one that a scan does not see yet.
	Until    wal.LSN `json:"until,omitzero"`
	Snapshot string  `json:"snapshot,omitempty"`
	Commit   wal.LSN `json:"commit,omitzero"` // the transaction that LSN is followed by, if some of it was delivered
	Rows     int     `json:"rows,omitempty"`  // how many rows of it
	Half     bool    `json:"half,omitempty"`  // and of the next one the delete under its old key
}

func (p logPlace) position() lockstep.Position {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // it holds numbers and texts
	}
	return b
}

func readLogPlace(from lockstep.Position) (logPlace, error) {
	var p logPlace
	if err := json.Unmarshal(from, &p); err != nil || p.System == "" || p.LSN == 0 || p.Rows < 0 {
		return p, lockstep.Faultf(lockstep.CodePosition, "the position is not one of the log tracker")
	}
	return p, nil
}

// behind is the place behind a transaction, or wherever the log was read to.
func (p *logPlace) behind(end wal.LSN) {
	p.LSN, p.Commit, p.Rows, p.Half = max(p.LSN, end), 0, 0, false
	if p.LSN >= p.Until {
		p.Until, p.Snapshot = 0, ""
	}
}

// visible tells whether a snapshot of pg_current_snapshot, "xmin:xmax:xip,…", shows a transaction. The log has the low
// 32 bits of its number.
func visible(snapshot string, xid uint32) bool {
	parts := strings.SplitN(snapshot, ":", 3)
	if len(parts) != 3 {
		return false
	}
	low := func(text string) uint32 {
		n, _ := strconv.ParseUint(text, 10, 64)
		return uint32(n)
	}
	if int32(xid-low(parts[0])) < 0 {
		return true
	}
	if int32(xid-low(parts[1])) >= 0 {
		return false
	}
	for text := range strings.SplitSeq(parts[2], ",") {
		if text != "" && low(text) == xid {
			return false
		}
	}
	return true
}
