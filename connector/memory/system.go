package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// System holds streams of records. It is safe for concurrent use. Close forgets nothing, so that a test can open the
// same system again after a crash.
type System struct {
	mu      sync.Mutex
	streams map[string]*stream
	hook    Hook
	counts  map[string]int
	clock   func() time.Time
	last    time.Time // of the last tick
	wroteAt int64     // rises with every write: what versions are made of
	nextKey int64
}

// The interfaces that System keeps.
var (
	_ lockstep.Source    = (*System)(nil)
	_ lockstep.Target    = (*System)(nil)
	_ lockstep.Acker     = (*System)(nil)
	_ lockstep.Confirmer = (*System)(nil)
	_ lockstep.Creator   = (*System)(nil)
	_ lockstep.Examiner  = (*System)(nil)
)

// Rules are what a stream demands of its records, and how it behaves as a target.
type Rules struct {
	Unique     []string          // fields of which each value but null occurs once
	NotNull    []string          // fields that must be there and not null
	References map[string]string // field to the stream whose key it must name; null refers to nothing
	Touch      string            // field that every write sets to the system's clock, a "last modified" time
	Whole      bool              // Apply answers as a whole: one bad write and nothing is written
	NoVersions bool              // records have no version
	// RemembersIDs: a write whose ID was done already is answered as before and not done again.
	RemembersIDs bool
	// ForgetsAcked: what was acknowledged leaves the change log, and reading from before it is a lost position.
	ForgetsAcked bool
	// Later, where set, makes the stream accept writes and do them later.
	Later Later
}

type row struct {
	key     lockstep.Key
	fields  value.Fields
	version string
	at      time.Time
	touched bool // the "last modified" field was set by the writer
}

type logEntry struct {
	op  lockstep.Op
	row row
}

type stream struct {
	def    lockstep.Stream
	open   bool // no fields are declared: every field is welcome
	rules  Rules
	rows   map[lockstep.Key]*row              // by folded key
	order  []lockstep.Key                     // folded keys in order: what a scan follows
	log    []logEntry                         // position n is behind log[n-forgot-1]
	forgot int64                              // how many entries of the log are gone
	unique map[string]map[string]lockstep.Key // field, value, folded key
	writes map[lockstep.Key]int               // by folded key, whoever wrote
	done   map[string]lockstep.Result

	accepted   int
	operations []*operation // by number; nil is forgotten
}

// New is an empty system.
func New() *System {
	return &System{streams: map[string]*stream{}, counts: map[string]int{}, clock: time.Now}
}

// SetClock gives the system a clock of its own, time.Now by default.
func (s *System) SetClock(clock func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

// Now is the system's clock. Two readings are never equal, also where the clock beneath stands still.
func (s *System) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tick()
}

// tick moves on by a nanosecond where the clock stands still; a clock that steps back by more than a millisecond is
// shown as it is.
func (s *System) tick() time.Time {
	now := s.clock().UTC()
	if !now.After(s.last) && s.last.Sub(now) < time.Millisecond {
		now = s.last.Add(1)
	}
	s.last = now
	return now
}

// DefineStream declares a stream, empty, in place of what was there under its name. Without a key it is "id"; without
// fields every field is welcome.
func (s *System) DefineStream(def lockstep.Stream, rules ...Rules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.define(def, rules...)
}

func (s *System) define(def lockstep.Stream, rules ...Rules) *stream {
	def.Fields, def.Key = slices.Clone(def.Fields), slices.Clone(def.Key)
	if len(def.Key) == 0 {
		def.Key = []string{"id"}
	}
	st := &stream{
		def: def, open: len(def.Fields) == 0, rows: map[lockstep.Key]*row{}, unique: map[string]map[string]lockstep.Key{},
		writes: map[lockstep.Key]int{}, done: map[string]lockstep.Result{},
	}
	if st.open {
		for _, name := range def.Key {
			st.def.Fields = append(st.def.Fields, lockstep.Field{Name: name})
		}
	}
	if len(rules) > 0 {
		st.rules = rules[0]
	}
	for _, field := range st.rules.Unique {
		st.unique[field] = map[string]lockstep.Key{}
	}
	s.streams[def.Name] = st
	return st
}

// Streams lists the streams by name.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	var out []lockstep.Stream
	err := s.call(ctx, "Streams", "", func() error {
		for _, name := range slices.Sorted(maps.Keys(s.streams)) {
			st := s.streams[name]
			def := st.def
			def.Fields, def.Key, def.About = st.fields(), slices.Clone(def.Key), int64(len(st.rows))
			def.Bulk = def.Bulk || st.rules.Later != nil
			for _, on := range slices.Sorted(maps.Values(st.rules.References)) {
				if !slices.Contains(def.DependsOn, on) {
					def.DependsOn = append(slices.Clone(def.DependsOn), on)
				}
			}
			if touch := st.rules.Touch; touch != "" && !slices.Contains(def.TrackFields, touch) {
				def.TrackFields = append(slices.Clone(def.TrackFields), touch)
			}
			out = append(out, def)
		}
		return nil
	})
	return out, err
}

// Create declares the stream unless it is there.
func (s *System) Create(ctx context.Context, def lockstep.Stream, dry bool) (string, error) {
	err := s.call(ctx, "Create", def.Name, func() error {
		if _, there := s.streams[def.Name]; !there && !dry {
			s.define(def)
		}
		return nil
	})
	return "define stream " + def.Name, err
}

// Examine says what the trackers cannot see.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	var out []lockstep.Finding
	err := s.call(ctx, "Examine", r.Stream, func() error {
		if _, err := s.stream(r.Stream); err != nil {
			return err
		}
		out = append(out, lockstep.Finding{Level: "note", What: "records live in memory and are gone when the process ends"})
		if r.Track.By == lockstep.Timestamp && r.Track.Deleted == "" {
			out = append(out, lockstep.Finding{Level: "note", What: "the timestamp tracker sees no deletes", Next: "Run a full sync now and then."})
		}
		return nil
	})
	return out, err
}

// Close has nothing to do: the records stay.
func (s *System) Close() error { return nil }

// stream is the declared stream of that name.
func (s *System) stream(name string) (*stream, error) {
	if st, ok := s.streams[name]; ok {
		return st, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no stream %q", name).On(lockstep.About{Stream: name})
}

// fields are the declared ones, and those that an open stream has come to hold.
func (st *stream) fields() []lockstep.Field {
	out := slices.Clone(st.def.Fields)
	if !st.open {
		return out
	}
	known, names := map[string]bool{}, map[*value.Names]bool{}
	for _, f := range out {
		known[f.Name] = true
	}
	for _, k := range st.order {
		n := st.rows[k].fields.Names()
		if n == nil || names[n] {
			continue
		}
		names[n] = true
		for _, name := range n.List() {
			if !known[name] {
				known[name] = true
				out = append(out, lockstep.Field{Name: name, Nullable: true})
			}
		}
	}
	return out
}

func (st *stream) fold(k lockstep.Key) lockstep.Key {
	if st.def.FoldKeys {
		return lockstep.Key(strings.ToLower(string(k)))
	}
	return k
}

// put sets a row and keeps the order of keys.
func (st *stream) put(r *row) {
	k := st.fold(r.key)
	if _, there := st.rows[k]; !there {
		i, _ := slices.BinarySearch(st.order, k)
		st.order = slices.Insert(st.order, i, k)
	}
	st.rows[k] = r
}

func (st *stream) drop(folded lockstep.Key) {
	delete(st.rows, folded)
	if i, found := slices.BinarySearch(st.order, folded); found {
		st.order = slices.Delete(st.order, i, i+1)
	}
}

// byTime orders rows by a time and then by key; the rows without a time are left out.
func (st *stream) byTime(field string) []timed {
	out := make([]timed, 0, len(st.rows))
	for _, r := range st.rows {
		if v, _ := r.fields.Get(field); v.Kind() == value.KindTime {
			out = append(out, timed{v.Time(), r})
		}
	}
	slices.SortFunc(out, func(a, b timed) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.row.key, b.row.key)) })
	return out
}

type timed struct {
	at  time.Time
	row *row
}
