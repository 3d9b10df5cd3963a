package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// memory is what the store knows without asking the file. Only the writer changes it, under mu; others read it
// under mu. It may be a moment ahead of the file, by what the writer is about to commit.
type memory struct {
	mu     sync.Mutex
	flows  map[string]*flow
	byID   map[int64]*flow
	sets   map[string]*linkSet
	leases map[int64]*lease // by entry

	epoch  int64     // counts the openings of the file
	opened time.Time // entries of earlier epochs count as tried then (law 5)
	ids    map[string]*counter
	days   []string // of the timeline, in order: "20261123"
	waits  int64    // entries that wait for a link, in all flows

	seq     lockstep.Seq
	touched touches
}

type flow struct {
	lockstep.FlowDef
	id       int64
	name     string // for readers: unlike FlowDef it never changes
	set      *linkSet
	attached bool
	settled  time.Time
	counts   [4]int64 // entries by state, as the file has it: a leased entry counts as what it is but for the lease
	leased   map[int64]*lease
	due      time.Time     // not after the earliest delayed entry; zero for none
	changed  chan struct{} // closed and replaced whenever something may have become ready
}

type linkSet struct {
	id    int64
	name  string
	links int64
}

// lease stays when its time has passed, until the entry is given to another: its holder may still settle.
type lease struct {
	flow       *flow
	entry      int64
	generation int64
	at, until  time.Time
	first      time.Time // when the oldest change since the lease came; zero for none
	coalesced  int64     // what the entry's count was at the lease
	parked     bool      // what came since cannot be read
}

func (f *flow) open() (n int64) {
	for _, c := range f.counts {
		n += c
	}
	return n
}

// counter gives IDs. The file holds the end of the block that is in use, so that no ID is ever given twice.
type counter struct{ next, limit int64 }

const block = 10_000

// id gives n IDs in a row and returns the first.
func (t *tx) id(name string, n int) (int64, error) {
	c := t.s.ids[name]
	if c.next+int64(n) > c.limit {
		limit := c.next + int64(n) + block
		if _, err := t.exec("UPDATE counters SET next = ? WHERE name = ?", limit, name); err != nil {
			return 0, err
		}
		t.set(func() { c.limit = limit }, func() { c.limit = c.next }) // undone: the next one reserves again
	}
	first := c.next
	t.s.mu.Lock()
	c.next += int64(n)
	t.s.mu.Unlock()
	return first, nil
}

// set changes memory, and back where the transaction fails.
func (t *tx) set(do, undo func()) {
	locked := func(f func()) {
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		f()
	}
	locked(do)
	t.undo = append(t.undo, func() { locked(undo) })
}

// count notes that the flow has n more entries in a state.
func (t *tx) count(f *flow, state int64, n int64) {
	add := func(n int64) func() {
		return func() {
			f.counts[state] += n
			if state == waiting {
				t.s.waits += n
			}
		}
	}
	t.set(add(n), add(-n))
}

// wake tells those who wait for the flow, once it is committed.
func (t *tx) wake(f *flow) {
	t.after = append(t.after, func() {
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		close(f.changed)
		f.changed = make(chan struct{})
	})
}

// dueAt notes that an entry of the flow becomes ready at a moment.
func (t *tx) dueAt(f *flow, at time.Time) {
	if old := f.due; !at.IsZero() && (old.IsZero() || at.Before(old)) {
		t.set(func() { f.due = at }, func() { f.due = old })
	}
}

// flow finds a flow by name.
func (s *Store) flow(name string) (*flow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flows[name]; f != nil {
		return f, nil
	}
	select {
	case <-s.closing:
		return nil, closed()
	default:
	}
	return nil, lockstep.Faultf(lockstep.CodeNoFlow, "the store knows no flow of this name").On(lockstep.About{Flow: name})
}

// load reads what memory holds, at Open, and begins a new epoch.
func (s *Store) load(c *conn, retention time.Duration) error {
	s.memory = memory{flows: map[string]*flow{}, byID: map[int64]*flow{}, sets: map[string]*linkSet{}, leases: map[int64]*lease{},
		ids: map[string]*counter{}, opened: time.Now()}
	s.touched.seed = maphash.MakeSeed()
	if _, err := c.exec("UPDATE counters SET next = next + 1 WHERE name = 'epoch'"); err != nil {
		return err
	}
	err := c.query("SELECT name, next FROM counters", nil, func(row []driver.Value) error {
		s.ids[str(row[0])] = &counter{whole(row[1]), whole(row[1])}
		return nil
	})
	if err != nil {
		return err
	}
	s.epoch = s.ids["epoch"].next
	bySet := map[int64]*linkSet{}
	err = c.query("SELECT id, name, links FROM set_rows", nil, func(row []driver.Value) error {
		set := &linkSet{whole(row[0]), str(row[1]), whole(row[2])}
		s.sets[set.name], bySet[set.id] = set, set
		return nil
	})
	if err != nil {
		return err
	}
	err = c.query(`SELECT f.id, f.name, feed, set_id, side, create_priority, update_priority, delete_priority, attached, settled,
		(SELECT MIN(not_before) FROM entry_rows WHERE flow_id = f.id AND not_before IS NOT NULL) FROM flow_rows f`, nil, func(row []driver.Value) error {
		set := bySet[whole(row[3])]
		f := newFlow(whole(row[0]), str(row[1]), set)
		f.FlowDef = lockstep.FlowDef{Name: str(row[1]), Feed: str(row[2]), Set: set.name, Side: lockstep.Side(whole(row[4])),
			Create: lockstep.Priority(whole(row[5])), Update: lockstep.Priority(whole(row[6])), Delete: lockstep.Priority(whole(row[7]))}
		f.attached, f.settled, f.due = whole(row[8]) != 0, momentOr(row[9]), momentOr(row[10])
		s.flows[f.Name], s.byID[f.id] = f, f
		return nil
	})
	if err != nil {
		return err
	}
	err = c.query("SELECT flow_id, state, COUNT(*) FROM entry_rows GROUP BY flow_id, state", nil, func(row []driver.Value) error {
		f, state, n := s.byID[whole(row[0])], whole(row[1]), whole(row[2])
		f.counts[state] = n
		if state == waiting {
			s.waits += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.loadDays(c, retention)
}

func newFlow(id int64, name string, set *linkSet) *flow {
	return &flow{id: id, name: name, set: set, leased: map[int64]*lease{}, changed: make(chan struct{})}
}

// Attach tells the store which flows there are.
func (s *Store) Attach(ctx context.Context, defs []lockstep.FlowDef) error {
	return s.change(ctx, func(t *tx) error {
		if _, err := t.exec("UPDATE flow_rows SET attached = 0"); err != nil {
			return err
		}
		for _, f := range s.flows {
			was := f.attached
			t.set(func() { f.attached = false }, func() { f.attached = was })
		}
		for _, def := range defs {
			if err := t.attach(def); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) attach(def lockstep.FlowDef) error {
	set, err := t.linkSet(def.Set)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO flow_rows (name, feed, set_id, side, create_priority, update_priority, delete_priority, attached)
		VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (name) DO UPDATE SET feed = excluded.feed, set_id = excluded.set_id, side = excluded.side,
		create_priority = excluded.create_priority, update_priority = excluded.update_priority, delete_priority = excluded.delete_priority, attached = 1`,
		def.Name, def.Feed, set.id, int64(def.Side), int64(def.Create), int64(def.Update), int64(def.Delete))
	if err != nil {
		return err
	}
	f := t.s.flows[def.Name]
	if f == nil {
		id, err := t.number("SELECT id FROM flow_rows WHERE name = ?", def.Name)
		if err != nil {
			return err
		}
		f = newFlow(id, def.Name, set)
		t.set(func() { t.s.flows[def.Name], t.s.byID[id] = f, f }, func() { delete(t.s.flows, def.Name); delete(t.s.byID, id) })
	}
	was, wasSet := f.FlowDef, f.set
	t.set(func() { f.FlowDef, f.set, f.attached = def, set, true }, func() { f.FlowDef, f.set, f.attached = was, wasSet, false })
	return nil
}

// linkSet finds the set of a name, or makes it.
func (t *tx) linkSet(name string) (*linkSet, error) {
	if set := t.s.sets[name]; set != nil {
		return set, nil
	}
	if _, err := t.exec("INSERT INTO set_rows (name) VALUES (?)", name); err != nil {
		return nil, err
	}
	id, err := t.number("SELECT id FROM set_rows WHERE name = ?", name)
	if err != nil {
		return nil, err
	}
	set := &linkSet{id: id, name: name}
	t.set(func() { t.s.sets[name] = set }, func() { delete(t.s.sets, name) })
	return set, nil
}

// fed are the flows that the feed fills, in the order of their names.
func (s *Store) fed(feed string) []*flow {
	var out []*flow
	for _, name := range slices.Sorted(maps.Keys(s.flows)) {
		if f := s.flows[name]; f.Feed == feed && f.attached && feed != "" {
			out = append(out, f)
		}
	}
	return out
}

// touches remember when keys were last appended, leased or settled: for BeginPage. They begin with the first Mark and
// are kept in two generations of a bounded size: when both are full the older one is forgotten, and if no Mark was
// made since the generation before, remembering ends. A mark older than what is remembered finds every key touched,
// and the page goes by the queue, as hints: slower, and right. So a mark needs no release, and one that is never used
// costs nothing. Keys are hashes: two keys with one hash cost a hint.
type touches struct {
	seed     maphash.Seed
	on       bool
	marked   bool // a mark was made in this generation
	floor    lockstep.Seq
	old, now map[uint64]lockstep.Seq
	began    lockstep.Seq // when now began; floor is when old began
}

const generation = 1 << 16

func (h *touches) hash(flow int64, key lockstep.Key) uint64 {
	var m maphash.Hash
	m.SetSeed(h.seed)
	maphash.WriteComparable(&m, flow)
	_, _ = m.WriteString(string(key))
	return m.Sum64()
}

// touch notes that the key was appended, leased or settled.
func (t *tx) touch(f *flow, key lockstep.Key) {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	h := &s.touched
	if !h.on {
		return
	}
	if len(h.now) >= generation {
		if !h.marked {
			h.on, h.old, h.now = false, nil, nil
			return
		}
		h.old, h.now, h.floor, h.began, h.marked = h.now, make(map[uint64]lockstep.Seq), h.began, s.seq-1, false
	}
	h.now[h.hash(f.id, key)] = s.seq
}

// touchedSince tells whether the key was touched since the mark, or may have been.
func (t *tx) touchedSince(f *flow, key lockstep.Key, since lockstep.Seq) bool {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	h := &t.s.touched
	if !h.on || since < h.floor {
		return true
	}
	k := h.hash(f.id, key)
	return h.now[k] > since || h.old[k] > since
}

// Mark is the moment before a page is read.
func (s *Store) Mark(ctx context.Context) (lockstep.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.touched
	if !h.on {
		h.on, h.now, h.old, h.floor, h.began = true, make(map[uint64]lockstep.Seq), nil, s.seq, s.seq
	}
	h.marked = true
	return s.seq, nil
}

// encodeCounts is a run's counts as JSON.
func encodeCounts(c lockstep.Counts) string {
	b, err := json.Marshal(c)
	if err != nil { // numbers only: it cannot be
		panic(err)
	}
	return string(b)
}
