package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// users edit both sides of a pair and know what must come of it.
type users struct {
	w      *pairWorld
	values int
	last   map[lockstep.Key]deed
	puts   map[lockstep.Key][2]string // the last one by side since both were at rest, "" for none
	hands  map[lockstep.Key]int       // which sides ever touched it, as bits
	sided  bool                       // one side wins always: only what one side touched alone has its newest
	lossy  bool
	prices map[lockstep.Key]value.Decimal
}

type deed struct {
	side lockstep.Side
	put  string // "" is a delete
}

func newUsers(w *pairWorld) *users {
	return &users{w: w, last: map[lockstep.Key]deed{}, puts: map[lockstep.Key][2]string{}, prices: map[lockstep.Key]value.Decimal{}, hands: map[lockstep.Key]int{}}
}

func (u *users) system(s lockstep.Side) *memory.System {
	if s == lockstep.A {
		return u.w.a
	}
	return u.w.b
}

// put sets a record; time goes on, so that it is the newest.
func (u *users) put(side lockstep.Side, id int) {
	time.Sleep(time.Millisecond)
	u.values++
	v, key := fmt.Sprint("v", u.values), keyOf(id)
	fields := value.F("id", id, "name", v)
	if u.lossy {
		u.prices[key] = price(fmt.Sprintf("%d.%04d", id, u.values))
		fields = fields.With("price", value.FromDecimal(u.prices[key]))
	}
	u.system(side).Put(things, fields)
	u.hands[key] |= 1 << side
	u.last[key] = deed{side, v}
	puts := u.puts[key]
	puts[side] = v
	u.puts[key] = puts
}

func (u *users) delete(side lockstep.Side, id int) {
	time.Sleep(time.Millisecond)
	key := keyOf(id)
	if u.system(side).Delete(things, key) {
		u.last[key] = deed{side: side}
		u.hands[key] |= 1 << side
		puts := u.puts[key]
		puts[side] = ""
		u.puts[key] = puts
	}
}

// check says what is not as it must be: on both sides the newest edit, or nothing where the newest was a delete, but for
// an edit of the other side that it could not know of.
func (u *users) check() string {
	a, b := u.w.a.All(things), u.w.b.All(things)
	name := func(all map[lockstep.Key]value.Fields, key lockstep.Key) string {
		v, there := all[key].Get("name")
		if !there {
			return ""
		}
		return v.Text()
	}
	for key, d := range u.last {
		switch here, there := name(a, key), name(b, key); {
		case here != there:
			return fmt.Sprintf("%s: a has %q, b has %q", key, here, there)
		case u.sided && u.hands[key] == 3:
		case d.put != "" && here != d.put:
			return fmt.Sprintf("%s: both have %q, and %q is newer", key, here, d.put)
		case d.put == "" && here != "" && here != u.puts[key][d.side.Other()]:
			return fmt.Sprintf("%s: both have %q, and it was deleted in %v", key, here, d.side)
		}
	}
	return ""
}

// rest notes that both sides are level and nothing is under way.
func (u *users) rest() { clear(u.puts) }

// troubles fail calls on their way: before they take effect, or after it.
type troubles struct {
	mu   sync.Mutex
	left []bool // of the next Applies: fail
	fail func(memory.Call) error
}

func (tr *troubles) hook(c memory.Call) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if c.Name != "Apply" && c.Name != "Fetch" || len(tr.left) == 0 {
		return nil
	}
	now := tr.left[0]
	tr.left = tr.left[1:]
	if now {
		return tr.fail(c)
	}
	return nil
}

func lostAnswer(memory.Call) error {
	return lockstep.NewFault(lockstep.CodeNetwork, errors.New("the connection broke")).Maybe()
}

// Whatever both sides do, in whatever order the flows run, and whatever breaks on the way: in the end both have the
// newest, and nobody writes any more.
func TestPairModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed string
		steps := rapid.SliceOfN(rapid.IntRange(0, 99), 5, 60).Draw(rt, "steps")
		ids := rapid.SliceOfN(rapid.IntRange(0, 4), len(steps), len(steps)).Draw(rt, "ids")
		breaks := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 30).Draw(rt, "breaks")
		synctest.Test(t, func(t *testing.T) { failed = modelRun(t, steps, ids, breaks) })
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

func modelRun(t *testing.T, steps, ids, breaks []int) string {
	w := newPairWorld(t)
	u := newUsers(w)
	w.adjust = func(f *Flow) { f.To.Grace = 5 * time.Millisecond }
	for id := range 2 { // both sides hold something already
		u.put(lockstep.A, id)
		u.put(lockstep.B, id)
	}
	tr := &troubles{fail: lostAnswer}
	for _, n := range breaks {
		tr.left = append(tr.left, n == 0)
	}
	w.a.SetHook(tr.hook)
	w.b.SetHook(tr.hook)
	e := w.engine(store.New())
	for i, step := range steps {
		side := lockstep.Side(step % 2)
		switch {
		case step < 50:
			u.put(side, ids[i])
		case step < 70:
			u.delete(side, ids[i])
		default:
			flows := [][]string{{"there"}, {"back"}, {"there", "back"}, {"back", "there"}}[step%4]
			opt := SyncOptions{Full: step > 95, Patience: time.Minute, FullOptions: FullOptions{AllowDeletes: true}}
			_, _ = e.Sync(context.Background(), flows, opt)
		}
	}
	w.a.SetHook(nil)
	w.b.SetHook(nil)
	return comeToRest(w, u, e)
}

// comeToRest syncs until nothing moves and says what is wrong then.
func comeToRest(w *pairWorld, u *users, e *Engine) string {
	opt := SyncOptions{Patience: time.Minute, FullOptions: FullOptions{AllowDeletes: true}}
	for round := range 8 {
		before := w.writes()
		opt.Full = round == 2
		if _, err := e.Sync(context.Background(), []string{"there", "back"}, opt); err != nil {
			return err.Error()
		}
		if w.writes() != before || round < 3 {
			continue
		}
		if wrong := u.check(); wrong != "" {
			return wrong + "; " + w.dump()
		}
		for _, name := range e.Flows() {
			if left, _ := e.store.Entries(context.Background(), name, "", 0, 10); len(left) > 0 {
				return fmt.Sprintf("left in the queue: %+v", left)
			}
		}
		u.rest()
		return ""
	}
	return "the two sides do not come to rest; " + w.dump()
}
