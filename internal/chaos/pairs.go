package chaos

import "slices"

// Pair is one thing to try: a tracker of a source, and a target.
type Pair struct{ From, To, Track string }

func (p Pair) String() string { return p.From + "-" + p.To + "-" + p.Track }

var databases = []string{"postgres", "mysql", "sqlite"}

// offers are the trackers of each database.
func offers(database string) []string {
	all := []string{"timestamp", "version", "per-record", "flag", "trigger", "log", "snapshot", "hints"}
	if database == "sqlite" { // has no log that others may read
		all = slices.DeleteFunc(all, func(s string) bool { return s == "log" })
	}
	return all
}

// All are every tracker of every database, to every database.
func All() []Pair {
	var all []Pair
	for _, from := range databases {
		for _, track := range offers(from) {
			for _, to := range databases {
				all = append(all, Pair{from, to, track})
			}
		}
	}
	return all
}

// Each are every tracker of every database, once: the targets take turns, so that each pair of databases comes.
func Each() []Pair {
	var all []Pair
	for f, from := range databases {
		for i, track := range offers(from) {
			all = append(all, Pair{from, databases[(f+i)%len(databases)], track})
		}
	}
	return all
}

// Short are those that every test run tries.
func Short() []Pair {
	return []Pair{
		{"postgres", "sqlite", "timestamp"}, {"mysql", "postgres", "version"}, {"sqlite", "mysql", "per-record"},
		{"mysql", "sqlite", "trigger"}, {"postgres", "mysql", "log"}, {"sqlite", "postgres", "flag"}, {"mysql", "postgres", "log"},
		{"postgres", "sqlite", "hints"},
	}
}

// Shops are those whose target is a Magento.
func Shops() []Pair {
	return []Pair{{"sqlite", "magento", "timestamp"}, {"postgres", "magento", "trigger"}}
}
