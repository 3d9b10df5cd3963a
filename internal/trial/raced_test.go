//go:build race

package trial

// Under the race detector the pair of stand-ins is some ten times as slow: then the catalogue's trials take a part of it.
func init() { raced = true }
