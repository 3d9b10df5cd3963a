package magento

import (
	"context"
	"sync"

	"github.com/lockstep-sync/lockstep"
)

// applyEach makes writes one by one, several at a time, but those of one key after each other.
func (s *System) applyEach(ctx context.Context, writes []lockstep.Write, one func(context.Context, *lockstep.Write) lockstep.Result) []lockstep.Result {
	results := make([]lockstep.Result, len(writes))
	turns := map[lockstep.Key][]int{}
	var order [][]int
	for i := range writes {
		if k := writes[i].Key; k != "" {
			turns[k] = append(turns[k], i)
		}
	}
	for i := range writes {
		switch k := writes[i].Key; {
		case k == "":
			order = append(order, []int{i})
		case turns[k][0] == i:
			order = append(order, turns[k])
		}
	}
	var down downed
	next := make(chan []int)
	var wg sync.WaitGroup
	for range min(s.conf.writers, len(order)) {
		wg.Go(func() {
			for turn := range next {
				for _, i := range turn {
					results[i] = down.guard(ctx, func() lockstep.Result { return one(ctx, &writes[i]) })
					if f := lockstep.FaultOf(results[i].Err); f != nil && f.About.Key == "" {
						results[i].Err = f.On(lockstep.About{Key: writes[i].Key})
					}
				}
			}
		})
	}
	for _, turn := range order {
		next <- turn
	}
	close(next)
	wg.Wait()
	return results
}

// deleted is the answer of a delete. That a record is not there is what a delete wants.
func deleted(err error) error {
	if lockstep.KindOf(err) == lockstep.NotFound {
		return nil
	}
	return err
}
