package engine

import (
	"context"
	"fmt"

	"github.com/lockstep-sync/lockstep"
)

// seePair finds out how both sides of a pair's records stand to each other. What the flow back has open is in flight, too.
func (v *verify) seePair(ctx context.Context, items []*item) error {
	v.face(ctx, items)
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		if it.out != nil {
			return fmt.Errorf("look again at both sides: %w", it.out.Fault)
		}
		if keys[i] = it.target; it.face.back != nil {
			if err := v.stand(it); err != nil { // what does not fit its own declared types differs
				it.face = nil
			}
		}
	}
	coming, err := v.coming(ctx, keys)
	for _, it := range items {
		it.open = it.open || coming[it.target]
	}
	return err
}

// coming are those of the target's records that the flow back has open; none in a one-way flow.
func (v *verify) coming(ctx context.Context, keys []lockstep.Key) (map[lockstep.Key]bool, error) {
	if v.flow.Back == nil {
		return nil, nil
	}
	states, err := v.store.Links(ctx, v.flow.Back.Name, keys)
	if err != nil {
		return nil, fmt.Errorf("links of %s: %w", v.flow.Back.Name, err)
	}
	out := make(map[lockstep.Key]bool, len(keys))
	for i, st := range states {
		out[keys[i]] = st.Open
	}
	return out, nil
}
