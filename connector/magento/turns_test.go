package magento

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsLetOneAtATimeAtAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		var inside [3]atomic.Int32
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				names := []string{fmt.Sprint(i % 3), fmt.Sprint((i + 1) % 3), fmt.Sprint(i % 3)} // in any order, one twice
				got, err := all.hold(t.Context(), names)
				if err != nil {
					t.Error(err)
					return
				}
				for _, n := range []int{i % 3, (i + 1) % 3} {
					if inside[n].Add(1) != 1 {
						t.Error("two at a name")
					}
				}
				time.Sleep(time.Second)
				inside[i%3].Add(-1)
				inside[(i+1)%3].Add(-1)
				got.end()
				got.end() // again is nothing
			})
		}
		wg.Wait()
		if len(all.held) != 0 {
			t.Errorf("%d names are held for ever", len(all.held))
		}
	})
}

func TestTurnsGiveUpWithTheirContext(t *testing.T) {
	var all turns
	first, err := all.hold(t.Context(), []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.hold(ctx, []string{"a", "b"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("holding what is held gives %v", err)
	}
	first.end()
	if again, err := all.hold(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	} else {
		again.end()
	}
}
