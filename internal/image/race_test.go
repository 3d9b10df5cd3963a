//go:build race

package image_test

// Under the race detector sync.Pool forgets on purpose, so that allocations cannot be counted.
func init() { pooled = false }
