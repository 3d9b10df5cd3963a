package engine

import (
	"strings"
	"sync"

	"github.com/lockstep-sync/lockstep"
)

// locks are held on records of the targets while they are written, so that one record has one writer at a time,
// whatever flow or run it comes from (law 3). Nobody waits for a lock: what is taken is tried again later, so there
// is no deadlock and no record waits for its neighbours.
type locks struct {
	mu   sync.Mutex
	held map[string]struct{}
}

func newLocks() *locks { return &locks{held: map[string]struct{}{}} }

// try takes those of names that are free and says which. An empty name needs no lock.
func (l *locks) try(names []string) []bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := make([]bool, len(names))
	for i, name := range names {
		if name == "" {
			got[i] = true
			continue
		}
		if _, taken := l.held[name]; !taken {
			l.held[name] = struct{}{}
			got[i] = true
		}
	}
	return got
}

// free gives back the names that try said true for.
func (l *locks) free(names []string, got []bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, name := range names {
		if got[i] {
			delete(l.held, name)
		}
	}
}

// lockName is the name of a target record's lock: by its key as the target folds it, or else by the values it is
// matched by, or else by the source record.
func (f *Flow) lockName(it *item) string {
	prefix := f.TargetSystem + "\x00" + f.To.Name + "\x00"
	switch {
	case it.target != "":
		return prefix + string(f.fold(it.target))
	case it.match != "":
		return prefix + "match\x00" + it.match
	}
	return prefix + "source\x00" + f.Set + "\x00" + string(it.change.Record.Key)
}

// fold is the key as the target tells keys apart.
func (f *Flow) fold(k lockstep.Key) lockstep.Key {
	if f.To.FoldKeys {
		return lockstep.Key(strings.ToLower(string(k)))
	}
	return k
}
