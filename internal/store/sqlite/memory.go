package sqlite

import (
	"hash/maphash"
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
	untold bool     // there are news that have not reached all

	seq     lockstep.Seq
	touched touches
}

type flow struct {
	lockstep.FlowDef
	id       int64
	name     string // for readers: unlike FlowDef it never changes
	set      *linkSet
	attached bool
	missed   bool // its feed took changes while it was not attached: a full sync is due
	refers   bool // its records were made with others, or some were once
	referred bool // others were made with its records
	settled  time.Time
	counts   [5]int64 // entries by state, as the file has it: a leased entry counts as what it is but for the lease
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
	in         int64     // what the file calls the entry's state: ready, but parked where what came since cannot be read
	doubts     []string  // of the row's prior: what is there for its sake only
	row        *row      // as it is in the file, but for its image; nil once it was written to. The writer's alone
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
	return nil, lockstep.Faultf(lockstep.CodeNoFlow, "the store knows no flow of this name").On(lockstep.About{Flow: name})
}

// load reads what memory holds, at Open, and begins a new epoch.
func (s *Store) load(c *conn, retention time.Duration) error {
	s.memory = memory{flows: map[string]*flow{}, byID: map[int64]*flow{}, sets: map[string]*linkSet{}, leases: map[int64]*lease{},
		ids: map[string]*counter{}, opened: time.Now(), seq: 1}
	s.touched.seed = maphash.MakeSeed()
	if _, err := c.exec("UPDATE counters SET next = next + 1 WHERE name = 'epoch'"); err != nil {
		return err
	}
	err := c.query("SELECT name, next FROM counters", nil, func(row cells) error {
		s.ids[row.text(0)] = &counter{row.number(1), row.number(1)}
		return nil
	})
	if err != nil {
		return err
	}
	s.epoch = s.ids["epoch"].next
	bySet := map[int64]*linkSet{}
	err = c.query("SELECT id, name, links FROM set_rows", nil, func(row cells) error {
		set := &linkSet{row.number(0), row.text(1), row.number(2)}
		s.sets[set.name], bySet[set.id] = set, set
		return nil
	})
	if err != nil {
		return err
	}
	err = c.query(`SELECT f.id, f.name, feed, set_id, side, create_priority, update_priority, delete_priority, attached, settled, missed,
		(SELECT MIN(not_before) FROM entry_rows WHERE flow_id = f.id AND not_before IS NOT NULL) FROM flow_rows f`, nil, func(row cells) error {
		set := bySet[row.number(3)]
		f := newFlow(row.number(0), row.text(1), set)
		f.FlowDef = lockstep.FlowDef{Name: row.text(1), Feed: row.text(2), Set: set.name, Side: lockstep.Side(row.number(4)),
			Create: lockstep.Priority(row.number(5)), Update: lockstep.Priority(row.number(6)), Delete: lockstep.Priority(row.number(7))}
		f.attached, f.settled, f.missed, f.due = row.number(8) != 0, momentOr(row, 9), row.number(10) != 0, momentOr(row, 11)
		s.flows[f.Name], s.byID[f.id] = f, f
		return nil
	})
	if err != nil {
		return err
	}
	err = c.query("SELECT flow_id, state, COUNT(*) FROM entry_rows GROUP BY flow_id, state", nil, func(row cells) error {
		f, state, n := s.byID[row.number(0)], row.number(1), row.number(2)
		f.counts[state] = n
		if state == waiting {
			s.waits += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.loadReferences(c); err != nil {
		return err
	}
	return s.loadDays(c, retention)
}

// loadReferences finds which flows have references, one look into an index for each.
func (s *Store) loadReferences(c *conn) error {
	for _, f := range s.flows {
		from, err := c.one("SELECT EXISTS (SELECT 1 FROM reference_rows WHERE flow_id = ?)", f.id)
		if err != nil {
			return err
		}
		to, err := c.one("SELECT EXISTS (SELECT 1 FROM reference_rows WHERE to_id = ?)", f.id)
		if err != nil {
			return err
		}
		f.refers, f.referred = from != 0, to != 0
	}
	n, err := c.one("SELECT EXISTS (SELECT 1 FROM news_rows)")
	s.untold = n != 0
	return err
}

func newFlow(id int64, name string, set *linkSet) *flow {
	return &flow{id: id, name: name, set: set, leased: map[int64]*lease{}, changed: make(chan struct{})}
}
