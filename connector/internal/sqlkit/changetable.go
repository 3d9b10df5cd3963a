package sqlkit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// A change table holds one row for each key that has changed and was not acknowledged yet. Triggers fill it, Ack
// deletes from it exactly what was read: a key with the generation that it had. A key that changes again meanwhile has
// another generation by then and stays. So nothing depends on the order in which transactions commit: whatever is in
// the table is to be read, and a transaction that is rolled back leaves nothing.
//
// Beside the keys stands one row whose key is null: its epoch is new with each installation and each truncation, and
// its generation counts the pages that were acknowledged. Positions carry both, so that a table that was truncated,
// installed anew or restored from a backup is told from the one that we know, and so is a position that is older than
// what somebody acknowledged.

// The columns of a change table beside the key's. A table that has both is none of the streams.
const (
	Generation = "lockstep_generation"
	Epoch      = "lockstep_epoch"
)

// IsChangeTable tells whether t is a change table.
func (t *Table) IsChangeTable() bool { return t.Column(Generation) != nil && t.Column(Epoch) != nil }

// DropChangeTables takes the change tables out of tables.
func DropChangeTables(tables map[string]*Table) {
	for name, t := range tables {
		if t.IsChangeTable() {
			delete(tables, name)
		}
	}
}

// TrackName is the name of what a tracker installs for a stream: the track's name and the stream's where both are
// plain and short, otherwise what is left of them and a hash. limit is in bytes. Two streams never share a name, even
// where names are compared without regard to case.
func TrackName(r lockstep.Read, limit int) string {
	name := r.Track.Name
	if name == "" {
		name = "lockstep"
	}
	plain := name + "_" + r.Stream
	if len(plain) <= limit && onlyOf(name, "abcdefghijklmnopqrstuvwxyz0123456789") && onlyOf(r.Stream, "abcdefghijklmnopqrstuvwxyz0123456789_") {
		return plain
	}
	sum := sha256.Sum256([]byte(name + "\x00" + r.Stream))
	hash := "_" + hex.EncodeToString(sum[:5])
	kept := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(plain))
	return kept[:min(len(kept), limit-len(hash))] + hash
}

func onlyOf(s, chars string) bool { return strings.Trim(s, chars) == "" }

// FeedName tells the feeds of a system apart. What fields are read of one does not matter.
func FeedName(r lockstep.Read) string {
	return strings.Join([]string{r.Stream, string(r.Track.By), r.Track.Field, r.Track.Name}, "\x00")
}

// Turn is the position of a trigger tracker.
type Turn struct {
	Epoch string `json:"epoch"`
	// Acked is how many pages were acknowledged when it was read, and one more behind a page with changes: that one
	// is acknowledged by it.
	Acked int64 `json:"acked"`
	// After is the key behind which to read on. At the end of the table it is left out: what was not acknowledged
	// comes again from the start.
	After []string `json:"after,omitempty"`
}

// Position is t as text.
func (t Turn) Position() lockstep.Position { return encode(t) }

// ReadTurn reads the position of a trigger tracker; n is how many key fields there are.
func ReadTurn(from lockstep.Position, n int) (Turn, error) {
	var t Turn
	if err := json.Unmarshal(from, &t); err != nil || t.Epoch == "" || (len(t.After) != 0 && len(t.After) != n) {
		return t, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a trigger tracker of this stream")
	}
	return t, nil
}

// Check holds the position against what the change table says of itself. Behind a page that was stored and not
// acknowledged, the position is one ahead.
func (t Turn) Check(epoch string, acked int64) error {
	switch {
	case t.Epoch != epoch:
		return lockstep.Faultf(lockstep.CodePosition, "the change table is not the one of the position: the table was truncated, or tracking was installed anew")
	case t.Acked < acked:
		return lockstep.Faultf(lockstep.CodePosition, "changes after the position were acknowledged already: by somebody else who shares the change table, or before our store was restored from a backup")
	case t.Acked > acked+1:
		return lockstep.Faultf(lockstep.CodePosition, "the change table is older than the position: the database was restored from a backup")
	}
	return nil
}

// NotTracked says that what a tracker needs is not there.
func NotTracked(r lockstep.Read, what string) error {
	return lockstep.Faultf(lockstep.CodeNotTracked, "%s", what).On(lockstep.About{Stream: r.Stream})
}

// CannotTrack says that a view has no triggers that would help.
func CannotTrack(t *Table, what string) error {
	return lockstep.Faultf(lockstep.CodeCannot, "%s is %s: triggers can be had on tables only; track the tables behind it, or use another tracker", t.SQL, what).
		On(lockstep.About{Stream: t.Stream.Name})
}
