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
	Moved  bool  // each gives its record another key (Moves)
	Writes []int // where they stand in the batch
}

func (g *Group) takes(w *lockstep.Write, moved bool) bool {
	if g.Op != w.Op || g.Keyed != (w.Key != "") || g.Moved != moved {
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

// Groups sorts the writes at the given places into groups. A key that is written twice is written in the order of the
// batch: its later write stands in a later group.
func Groups(writes []lockstep.Write, places []int, moves map[int]Move) []Group {
	var groups []Group
	seen := make(map[lockstep.Key]int, len(places)) // key to the last group that holds it
	for _, i := range places {
		w := &writes[i]
		move, moved := moves[i]
		keys := [...]lockstep.Key{w.Key, move.From, move.To}
		first := 0
		for _, k := range keys {
			if g, twice := seen[k]; twice && k != "" {
				first = max(first, g+1)
			}
		}
		at := -1
		for g := first; g < len(groups); g++ {
			if groups[g].takes(w, moved) {
				at = g
				break
			}
		}
		if at < 0 {
			groups = append(groups, Group{Op: w.Op, Names: w.Fields.Names(), Keyed: w.Key != "", Moved: moved})
			at = len(groups) - 1
		}
		groups[at].Writes = append(groups[at].Writes, i)
		for _, k := range keys {
			if k != "" {
				seen[k] = at
			}
		}
	}
	return groups
}
