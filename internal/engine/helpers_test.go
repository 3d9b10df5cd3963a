package engine

import (
	"iter"

	"github.com/lockstep-sync/lockstep/connector/memory"
)

func memoryRules(whole bool) memory.Rules {
	return memory.Rules{Unique: []string{"name"}, Whole: whole}
}

func itemsOf(items []PlanItem) func() iter.Seq2[PlanItem, error] {
	return func() iter.Seq2[PlanItem, error] {
		return func(yield func(PlanItem, error) bool) {
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}
