package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// errDead is what every call of a dead process comes back with.
var errDead = errors.New("the process is dead")

// killer counts the points that a process passes, before and after the effect of each call, and kills it at one of
// them: from there on, nothing it does has an effect.
type killer struct {
	mu   sync.Mutex
	n    int
	at   int // 0 is never
	dead bool
	last func() // when it dies
}

func (k *killer) point() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	if k.n == k.at {
		if k.dead = true; k.last != nil {
			k.last()
		}
	}
	if k.dead {
		return errDead
	}
	return nil
}

func (k *killer) do(effect func() error) error {
	if err := k.point(); err != nil {
		return err
	}
	err := effect()
	if dead := k.point(); dead != nil {
		return dead
	}
	return err
}

func (k *killer) died() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// mortalStore is a store whose process can be killed.
type mortalStore struct {
	lockstep.Store
	k *killer
}

func (s mortalStore) Append(ctx context.Context, feed string, from lockstep.Position, cs []lockstep.Change, next lockstep.Position, upTo time.Time) error {
	return s.k.do(func() error { return s.Store.Append(ctx, feed, from, cs, next, upTo) })
}
func (s mortalStore) Hint(ctx context.Context, flow string, keys []lockstep.Key) error {
	return s.k.do(func() error { return s.Store.Hint(ctx, flow, keys) })
}
func (s mortalStore) Lease(ctx context.Context, flow string, max int, ttl time.Duration) (ds []lockstep.Delivery, err error) {
	err = s.k.do(func() error { ds, err = s.Store.Lease(ctx, flow, max, ttl); return err })
	return ds, err
}
func (s mortalStore) Keep(ctx context.Context, ds ...lockstep.Delivery) error {
	return s.k.do(func() error { return s.Store.Keep(ctx, ds...) })
}
func (s mortalStore) Settle(ctx context.Context, os ...lockstep.Outcome) error {
	return s.k.do(func() error { return s.Store.Settle(ctx, os...) })
}
func (s mortalStore) Reset(ctx context.Context, feed string, to lockstep.Position, upTo time.Time) error {
	return s.k.do(func() error { return s.Store.Reset(ctx, feed, to, upTo) })
}
func (s mortalStore) StartRun(ctx context.Context, r lockstep.Run) (out lockstep.Run, err error) {
	err = s.k.do(func() error { out, err = s.Store.StartRun(ctx, r); return err })
	return out, err
}
func (s mortalStore) SaveRun(ctx context.Context, r lockstep.Run) error {
	return s.k.do(func() error { return s.Store.SaveRun(ctx, r) })
}
func (s mortalStore) BeginPage(ctx context.Context, run int64, flow string, since lockstep.Seq, ws []lockstep.PageWrite) (send []bool, err error) {
	err = s.k.do(func() error { send, err = s.Store.BeginPage(ctx, run, flow, since, ws); return err })
	return send, err
}
func (s mortalStore) SettlePage(ctx context.Context, flow string, end lockstep.PageEnd) error {
	return s.k.do(func() error { return s.Store.SettlePage(ctx, flow, end) })
}
func (s mortalStore) Wait(ctx context.Context, flow string) error {
	if s.k.died() {
		return errDead
	}
	return s.Store.Wait(ctx, flow)
}
func (s mortalStore) Status(ctx context.Context, flow string) (lockstep.FlowStatus, error) {
	if s.k.died() {
		return lockstep.FlowStatus{}, errDead
	}
	return s.Store.Status(ctx, flow)
}

// hookAt makes a system's calls die with the process.
func (k *killer) hook(faults *faults) memory.Hook {
	return func(c memory.Call) error {
		if c.Name == "Write" || c.Name == "Streams" {
			return nil
		}
		if err := k.point(); err != nil {
			return err
		}
		return faults.inject(c)
	}
}

// faults loses answers and refuses calls on their way, as networks do; each once.
type faults struct {
	mu   sync.Mutex
	left map[int]error // by how many Applies were answered before
	n    int
}

func (f *faults) inject(c memory.Call) error {
	if f == nil || c.Name != "Apply" || !c.After {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	err := f.left[f.n]
	delete(f.left, f.n)
	return err
}

// variant is a way in which the world of the crash test can be made.
type variant struct {
	name  string
	world func(t testing.TB) *world
	grace time.Duration
	lost  bool // answers are lost after the effect, too
	dump  func(w *world) (a, b string)
	first func(w *world, s lockstep.Store) // what a process that does not die has done before
	hints bool                             // nothing but hints tells of changes
	later bool                             // the target accepts writes and does them later
	life  func(w *world, e *Engine)        // nil is life
	after func(w *world)                   // nil is afterwards
	every int                              // in the store on disk: only some of its points, one in so many
	delta bool                             // the sides are level before the last full sync, too: no news was lost
}

func variants() []variant {
	plain := func(w *world) (string, string) { return dump(w.a, "products"), dump(w.b, "products") }
	return []variant{
		{name: "log tracker", world: func(t testing.TB) *world { return newWorld(t) }, dump: plain},
		{name: "full only", world: func(t testing.TB) *world { return newWorld(t, flowDef{name: "products"}) }, dump: plain},
		{name: "lost answers", world: func(t testing.TB) *world { return newWorld(t) }, lost: true, grace: time.Second, dump: plain},
		{name: "mapping changed before", world: func(t testing.TB) *world { return newWorld(t) }, dump: plain, first: func(w *world, s lockstep.Store) {
			for id := range 5 {
				w.put("products", id, fmt.Sprint("n", id), "1.50")
			}
			w.b.Put("products", value.F("id", 3, "name", "n3", "price", nil))
			w.defs[0].rules = map[string]string{"id": "id", "name": "name"}
			w.sync(w.engine(s), true)
			w.defs[0].rules = nil
		}},
		{name: "target chooses keys", lost: true, dump: byName, world: serverKeys},
		{name: "accepts", dump: plain, later: true, every: 7, grace: time.Second, world: func(t testing.TB) *world { return laterWorld(t, erratic) }},
		{name: "accepts, full only", dump: plain, later: true, every: 7, grace: time.Second, world: func(t testing.TB) *world {
			w := laterWorld(t, erratic)
			w.defs = []flowDef{{name: "products"}}
			return w
		}},
		{name: "accepts, target chooses keys", dump: byName, later: true, every: 7, grace: time.Second, world: func(t testing.TB) *world {
			w := serverKeys(t)
			w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}, ServerKeys: true}, memory.Rules{Later: erratic})
			return w
		}},
		{name: "hints only", hints: true, dump: plain, world: func(t testing.TB) *world { return newWorld(t) }},
		{name: "references", every: 11, delta: true, world: referenceWorld, life: referenceLife, after: referenceAfterwards, dump: referenceDump},
		{name: "references, lost answers", every: 13, lost: true, grace: time.Second, delta: true, world: referenceWorld, life: referenceLife, after: referenceAfterwards, dump: referenceDump},
		{name: "hints only, target chooses keys", hints: true, lost: true, dump: byName, world: serverKeys},
	}
}

// serverKeys is a world whose target chooses its keys.
func serverKeys(t testing.TB) *world {
	w := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"name": "name", "price": "price"}})
	w.b.DefineStream(lockstep.Stream{Name: "products", Fields: productFields, Key: []string{"id"}, ServerKeys: true})
	w.adjust = func(f *Flow) { f.Match = []string{"name"} }
	return w
}

// byName compares without keys, where the target chooses its own.
func byName(w *world) (string, string) {
	strip := func(s *memory.System) string {
		out := map[string]int{}
		for _, f := range s.All("products") {
			name, _ := f.Get("name")
			price, _ := f.Get("price")
			out[name.String()+"="+price.String()]++
		}
		return fmt.Sprint(out) // maps print in order
	}
	return strip(w.a), strip(w.b)
}

// life is what happens to the source while the process lives, and what the process does between.
func life(w *world, e *Engine) {
	sync := func(full bool) {
		_, _ = e.Sync(context.Background(), w.names(), SyncOptions{Full: full, Patience: 3 * time.Second, FullOptions: FullOptions{AllowDeletes: true}})
	}
	for id := range 7 {
		w.put("products", id, fmt.Sprint("n", id), "1.50")
	}
	sync(true)
	w.put("products", 1, "n1", "2.50")
	w.put("products", 1, "n1", "3.50")
	w.put("products", 7, "n7", "1.00")
	w.put("products", 8, "n8", "1.00")
	w.a.Delete("products", "8")
	w.a.Delete("products", "2")
	sync(false)
	w.put("products", 2, "n2", "9.00") // comes back
	w.put("products", 9, "n9", "9.00")
	w.a.Delete("products", "3")
	w.a.Delete("products", "7")
	w.put("products", 4, "n4", "4.00")
	sync(true)
}

// hintedLife is a life in which the source tells of its changes and is not asked.
func hintedLife(w *world, e *Engine) {
	tell := func(keys ...lockstep.Key) {
		_, _ = e.Pilot(context.Background(), "products", keys, 0, SyncOptions{Patience: 3 * time.Second})
	}
	for id := range 5 {
		w.put("products", id, fmt.Sprint("n", id), "1.50")
	}
	tell("0", "1", "2", "3", "4")
	w.put("products", 1, "n1", "2.50")
	w.put("products", 9, "n9", "9.00")
	w.a.Delete("products", "2")
	tell("1", "9", "2", "never there")
	w.put("products", 2, "n2", "9.00")      // comes back
	w.put("products", 4, "renamed", "4.00") // it is matched by its name
	w.a.Delete("products", "3")
	tell("2", "4", "3", "2")
}

// hintedAfterwards is what happens after such a life: what was being created goes, and the queue alone tells of it.
func hintedAfterwards(w *world, e *Engine) {
	for _, key := range []lockstep.Key{"0", "1", "2", "9"} {
		w.a.Delete("products", key)
	}
	if _, err := e.Pilot(context.Background(), "products", []lockstep.Key{"4"}, 0, SyncOptions{Patience: 10 * time.Second}); err != nil {
		w.t.Error(err)
	}
	if s := w.status(e, "products"); s.Parked > 0 {
		parked, _ := e.store.Entries(context.Background(), "products", lockstep.Parked, 0, 10)
		w.t.Errorf("parked: %+v", parked)
	}
}

// afterwards is what happens to the source after the crash: among others, what was being written goes.
func afterwards(w *world) {
	w.put("products", 5, "n5", "5.55")
	w.a.Delete("products", "9")
	w.a.Delete("products", "0")
	w.put("products", 10, "n10", "10.00")
}

// However the process dies, once, at any point, the next one brings both sides level: nothing is missing, nothing is
// doubled, nothing is parked.
func TestCrashAnywhere(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			deaths := 0
			for at := 1; ; at++ {
				died := false
				synctest.Test(t, func(t *testing.T) { died = crashOnce(t, v, at, memoryStores()) })
				if !died {
					break
				}
				if deaths++; deaths > 2000 {
					t.Fatal("the process has no end")
				}
			}
			t.Logf("%d deaths survived", deaths)
			if deaths < 30 {
				t.Fatalf("only %d points: the process has hardly lived", deaths)
			}
		})
	}
}

// stores opens the store of a process, with points of death inside it where it has some; reopen is the next process.
type stores struct {
	open   func(t testing.TB, k *killer) lockstep.Store
	reopen func(t testing.TB) lockstep.Store
}

func memoryStores() stores {
	s := store.New()
	return stores{
		open:   func(testing.TB, *killer) lockstep.Store { return s },
		reopen: func(testing.TB) lockstep.Store { return s },
	}
}

func crashOnce(t *testing.T, v variant, at int, st stores) (died bool) {
	defer func() {
		if t.Failed() {
			t.Errorf("dead at point %d", at)
		}
	}()
	w := v.world(t)
	base := w.adjust
	w.adjust = func(f *Flow) {
		f.To.Grace = v.grace
		if base != nil {
			base(f)
		}
	}
	k := &killer{at: at}
	if v.first != nil {
		before := st.open(t, &killer{})
		v.first(w, before)
		if s, ok := before.(interface{ Abandon() error }); ok {
			if err := s.Abandon(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var lost *faults
	if v.lost {
		gone := lockstep.NewFault(lockstep.CodeNetwork, errors.New("the answer was lost")).Maybe()
		lost = &faults{left: map[int]error{1: gone, 4: gone, 6: gone}}
	}
	w.a.SetHook(k.hook(nil))
	w.b.SetHook(k.hook(lost))
	s := mortalStore{st.open(t, k), k}
	e, err := New(context.Background(), s, w.flows(), Options{})
	switch {
	case err != nil:
	case v.hints:
		hintedLife(w, e)
	case v.life != nil:
		v.life(w, e)
	default:
		life(w, e)
	}
	w.a.SetHook(nil)
	w.b.SetHook(nil)
	died = k.died()
	switch {
	case !v.later:
	case at%3 == 1: // what was accepted is done while nobody asks
		w.b.Work("products")
	case at%3 == 2: // or is lost
		w.b.Forget("products")
	}
	time.Sleep(15 * time.Minute) // leases of the dead run out, and the grace time passes
	next := st.reopen(t)
	defer next.Close()
	e = w.engine(next)
	if v.hints {
		hintedAfterwards(w, e)
	}
	if v.after == nil {
		v.after = afterwards
	}
	v.after(w)
	for range 3 {
		w.sync(e, false)
	}
	if a, b := v.dump(w); v.delta && a != b {
		left, _ := next.Entries(context.Background(), "products", "", 0, 10)
		t.Errorf("the sides differ before the full sync\nsource:\n%s\ntarget:\n%s\n%+v", a, b, left)
	}
	rows, err := e.Sync(context.Background(), w.names(), SyncOptions{Full: true, FullOptions: FullOptions{AllowDeletes: true}, Patience: 10 * time.Second})
	if err != nil {
		t.Fatalf("the full sync after the crash: %v %+v", err, rows)
	}
	a, b := v.dump(w)
	if a != b {
		t.Errorf("the sides differ\nsource:\n%s\ntarget:\n%s", a, b)
	}
	if s := w.status(e, "products"); s.Parked+s.Ready+s.Delayed+s.Waiting+s.Confirming > 0 {
		entries, _ := next.Entries(context.Background(), "products", "", 0, 10)
		t.Errorf("left in the queue: %+v\n%+v", s, entries)
	}
	return died
}
