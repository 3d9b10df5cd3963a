package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// logName is the name of the slot and of the publication of a stream. Slots belong to the cluster, so the database is
// in the hash: "lockstep_orders_1f3a9c02". A slot's name has lower case letters, digits and underscores, 63 at most.
func logName(database string, r lockstep.Read) string {
	owner := r.Track.Name
	if owner == "" {
		owner = "lockstep"
	}
	sum := sha256.Sum256([]byte(owner + "\x00" + database + "\x00" + r.Stream))
	hash := hex.EncodeToString(sum[:])[:8]
	return plain(owner, 20) + "_" + plain(r.Stream, 63-20-10) + "_" + hash
}

// plain is a text in the letters of a slot's name, cut to most.
func plain(text string, most int) string {
	b := []byte(strings.ToLower(text))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b[:min(len(b), most)])
}

func (s *System) logName(r lockstep.Read) string {
	return logName(s.reader.Config().ConnConfig.Database, r)
}
