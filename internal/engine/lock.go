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

// lockNames appends the names of the locks of an item's target record: by its key as the target folds it, and by the
// values it is matched by while nothing links it; then by the source record, too: a delete of what a page is just making
// knows no more than that.
func (f *Flow) lockNames(names []string, it *item) []string {
	if it.target != "" {
		names = append(names, f.keyLock(it.target))
	}
	if it.match != "" && (it.target == "" || !it.known() && !f.matchIsKey()) {
		text := it.match
		if f.To.CaseFoldText {
			text = strings.ToLower(text)
		}
		names = append(names, f.keyLock("\x00match\x00"+lockstep.Key(text)))
	}
	if !it.known() {
		names = append(names, f.keyLock("\x00source\x00"+lockstep.Key(f.Set)+"\x00"+it.change.Record.Key))
	}
	return names
}

// keyLock is the name of the lock of a target record's key.
func (f *Flow) keyLock(k lockstep.Key) string {
	return f.TargetSystem + "\x00" + f.To.Name + "\x00" + string(f.fold(k))
}

// fold is the key as the target tells keys apart.
func (f *Flow) fold(k lockstep.Key) lockstep.Key {
	if f.To.FoldKeys {
		return lockstep.Key(strings.ToLower(string(k)))
	}
	return k
}
