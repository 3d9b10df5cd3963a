package sqlkit

import (
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Group is writes that one statement can make: one Op, the same fields, all with a key or all without.
type Group struct {
	Op     lockstep.Op
	Names  *value.Names // nil where there are no fields
	Keyed  bool
	Writes []int // where they stand in the batch
}

func (g *Group) takes(w *lockstep.Write) bool {
	if g.Op != w.Op || g.Keyed != (w.Key != "") {
		return false
	}
	return g.Op == lockstep.Delete || sameNames(g.Names, w.Fields.Names())
}

func sameNames(a, b *value.Names) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return (a == nil || a.Len() == 0) && (b == nil || b.Len() == 0)
	}
	return slices.Equal(a.List(), b.List())
}

// Groups sorts the writes at the given places into groups. Within a group, and across groups, a key that is written
// twice is written in the order of the batch: then the groups are runs.
func Groups(writes []lockstep.Write, places []int) []Group {
	var groups []Group
	seen := make(map[lockstep.Key]int, len(places)) // key to the last group that holds it
	for _, i := range places {
		w := &writes[i]
		first := 0
		if w.Key != "" {
			if g, twice := seen[w.Key]; twice {
				first = g + 1
			}
		}
		at := -1
		for g := first; g < len(groups); g++ {
			if groups[g].takes(w) {
				at = g
				break
			}
		}
		if at < 0 {
			groups = append(groups, Group{Op: w.Op, Names: w.Fields.Names(), Keyed: w.Key != ""})
			at = len(groups) - 1
		}
		groups[at].Writes = append(groups[at].Writes, i)
		if w.Key != "" {
			seen[w.Key] = at
		}
	}
	return groups
}
