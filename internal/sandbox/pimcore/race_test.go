package pimcore

import (
	"strings"
	"sync"
	"testing"
)

// Readers, writers and an operator at once: every answer is whole.
func TestAllAtOnce(t *testing.T) {
	s := newStand(t, Options{Products: 40})
	listening(t, s, 0, 0)
	var group sync.WaitGroup
	for n := range 3 {
		group.Go(func() {
			for range 15 {
				if got := s.ask(`{getProductListing(published:false,sortBy:["modificationDate","id"],first:50){totalCount edges{node{id name fullpath categories{... on object_Category{id}}}}}}`, nil); strings.Contains(got, `"errors"`) {
					t.Errorf("%.300s", got)
				}
			}
		})
		group.Go(func() {
			if err := s.RandomEdits(30, uint64(n)); err != nil {
				t.Log(err) // two editors may meet on one object
			}
		})
	}
	group.Go(func() {
		for i := range 20 {
			if err := s.Configure(func(o *Options) { o.NoIntrospection = i%2 == 0 }); err != nil {
				t.Error(err)
			}
			s.SetWorkspaces(nil)
		}
	})
	group.Wait()
}
