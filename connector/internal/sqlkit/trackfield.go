package sqlkit

import (
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// modifiedWords are names, without separators and case, under which applications keep a "last modified" time.
var modifiedWords = []string{
	"updatedat", "modifiedat", "changedat", "lastmodified", "lastmodifiedat", "lastupdated", "lastupdatedat", "lastupdate", "lastchanged", "lastchange",
	"updated", "modified", "changed", "updateddate", "modifieddate", "datemodified", "dateupdated", "datechanged", "updatetime", "modificationdate",
	"modifiedon", "updatedon", "changedon", "mtime", "updatets", "updatedts", "tstamp", "timestamp", "rowmodified", "modtime", "lastedited", "sysmodstamp",
}

// TrackFields are the columns that look like a "last modified" time, best first: an index counts most, then how
// usual the name is.
func TrackFields(columns []Column) []string {
	type candidate struct {
		name string
		rank int
	}
	var found []candidate
	for _, c := range columns {
		rank := slices.Index(modifiedWords, plainName(c.Name))
		if rank < 0 || !(IsTime(c.Type.Kind) || maybeUnix(c)) {
			continue
		}
		if !c.Indexed {
			rank += len(modifiedWords)
		}
		found = append(found, candidate{c.Name, rank})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.rank - b.rank })
	var names []string
	for _, c := range found {
		names = append(names, c.name)
	}
	return names
}

func plainName(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(s))
}

// maybeUnix tells whether a column may hold a time as a number. A name such as "timestamp" alone says enough.
func maybeUnix(c Column) bool {
	return c.Type.Kind == value.IntType && c.Type.Bits != 8 && c.Type.Bits != 16
}

// isModified tells whether a column looks like a "last modified" time of any type: texts are times, too, in some databases.
func isModified(c Column) bool {
	return c.Type.Kind != value.BoolType && slices.Contains(modifiedWords, plainName(c.Name))
}
