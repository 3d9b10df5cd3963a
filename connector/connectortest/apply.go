package connectortest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func upsert(f value.Fields) lockstep.Write {
	id, _ := f.Get("id")
	return lockstep.Write{Key: lockstep.Key(id.Text()), Fields: f}
}

func upserts(records []value.Fields) []lockstep.Write {
	out := make([]lockstep.Write, len(records))
	for i, f := range records {
		out[i] = upsert(f)
	}
	return out
}

var applyTests = map[string]func(*testing.T, Harness){
	"create, update, delete": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		fields := []string{"id", "name", "qty"}
		b.apply("item", upserts(items(3))...)
		b.want("item", fields, items(3)...)
		b.apply("item", upsert(item("k0001", "changed", 99)), lockstep.Write{Op: lockstep.Delete, Key: "k0000"}, upsert(item("new", "n", 5)))
		want := []value.Fields{item("k0001", "changed", 99), items(3)[2], item("new", "n", 5)}
		b.want("item", fields, want...)
		b.reopen()
		b.want("item", fields, want...)
		b.apply("item", upsert(item("k0000", "back", 1)))
		b.want("item", fields, append(want, item("k0000", "back", 1))...)
	},
	"deleted and created again keeps nothing": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upsert(value.F("id", "a", "name", "n", "qty", 1, "note", "old")))
		b.apply("item", lockstep.Write{Op: lockstep.Delete, Key: "a"})
		b.apply("item", upsert(value.F("id", "a", "qty", 2)))
		b.want("item", itemFields(), value.F("id", "a", "name", nil, "qty", 2, "note", nil))
		b.reopen()
		b.want("item", itemFields(), value.F("id", "a", "name", nil, "qty", 2, "note", nil))
	},
	"twice is once": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upserts(items(4))...)
		writes := []lockstep.Write{upsert(item("k0001", "changed", 7)), {Op: lockstep.Delete, Key: "k0002"}, upsert(item("new", "n", 5))}
		want := []value.Fields{items(4)[0], item("k0001", "changed", 7), items(4)[3], item("new", "n", 5)}
		for range 3 {
			b.apply("item", writes...) // with the same IDs from the second time on
			b.want("item", []string{"id", "name", "qty"}, want...)
		}
		b.reopen()
		b.apply("item", writes...)
		b.want("item", []string{"id", "name", "qty"}, want...)
	},
	"deleting what is not there is done": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upsert(items(1)[0]), lockstep.Write{Op: lockstep.Delete, Key: "nobody"})
		b.apply("item", lockstep.Write{Op: lockstep.Delete, Key: "nobody"})
		b.want("item", []string{"id", "name", "qty"}, items(1)...)
	},
	"fields that are not named stay": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upsert(value.F("id", "a", "name", "n", "qty", 1, "note", "stays")))
		b.apply("item", upsert(value.F("id", "a", "qty", 2)))
		b.apply("item", lockstep.Write{Key: "a", Fields: value.F("name", "m")})
		b.want("item", itemFields(), value.F("id", "a", "name", "m", "qty", 2, "note", "stays"))
	},
	"writes with different fields in one call": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upsert(value.F("id", "a", "name", "n")), upsert(value.F("id", "b", "qty", 1)), upsert(value.F("note", "x", "id", "c")),
			upsert(value.F("id", "d", "qty", 2, "name", "m")), upsert(value.F("id", "e")))
		b.want("item", itemFields(),
			value.F("id", "a", "name", "n", "qty", nil, "note", nil), value.F("id", "b", "name", nil, "qty", 1, "note", nil),
			value.F("id", "c", "name", nil, "qty", nil, "note", "x"), value.F("id", "d", "name", "m", "qty", 2, "note", nil), value.F("id", "e", "name", nil))
	},
	"null clears, empty text is not null": func(t *testing.T, h Harness) {
		if h.NoNull {
			return
		}
		b := begin(t, h, Item())
		b.apply("item", upsert(value.F("id", "a", "name", "n", "qty", 1)), upsert(value.F("id", "b", "name", "n", "qty", 1)))
		b.apply("item", upsert(value.F("id", "a", "name", nil, "qty", nil)), upsert(value.F("id", "b", "name", "")))
		b.want("item", itemFields(), value.F("id", "a", "name", nil, "qty", nil), value.F("id", "b", "name", "", "qty", 1))
	},
	"many writes at once": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upserts(items(2500))...)
		b.want("item", []string{"id", "name", "qty"}, items(2500)...)
		var writes []lockstep.Write
		for i, f := range items(2500) {
			if i%2 == 0 {
				writes = append(writes, lockstep.Write{Op: lockstep.Delete, Key: upsert(f).Key})
			} else {
				writes = append(writes, upsert(f.With("qty", value.Int(-1))))
			}
		}
		b.apply("item", writes...)
		if got := b.scan(b.read("item", "id"), wide); len(got) != 1250 {
			t.Errorf("%d records, want 1250", len(got))
		}
	},
	"at the same time": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		var wg sync.WaitGroup
		var want []value.Fields
		for worker := range 4 {
			var batches [][]lockstep.Write
			for n := range 5 {
				var batch []lockstep.Write
				for i := range 8 {
					f := item(fmt.Sprintf("w%d-%d-%d", worker, n, i), "n", i)
					want, batch = append(want, f), append(batch, upsert(f))
				}
				batches = append(batches, batch)
			}
			wg.Go(func() {
				for _, batch := range batches {
					if err := b.retried(batch); err != nil {
						t.Errorf("worker %d: %v", worker, err)
					}
				}
			})
		}
		wg.Wait()
		b.want("item", []string{"id", "name", "qty"}, want...)
	},
	"no writes, no results": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		if got, err := b.target().Apply(b.Context(), "item", nil); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	},
	"a stream that is not there": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		_, err := b.target().Apply(b.Context(), "nosuch", upserts(items(1)))
		wantCode(t, "Apply", err, lockstep.CodeNoStream)
	},
	"a field that is not there": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		results, err := b.target().Apply(b.Context(), "item", []lockstep.Write{upsert(items(1)[0].With("nosuch", value.Int(1)))})
		if err == nil && len(results) == 1 {
			err = results[0].Err
		}
		wantCode(t, "Apply", err, lockstep.CodeNoField)
	},
}

// retried applies a batch and reads it back; what the system says is transient it does again, as the engine would.
func (b *bench) retried(batch []lockstep.Write) error {
	var keys []lockstep.Key
	for _, w := range batch {
		keys = append(keys, w.Key)
	}
	var err error
	for range 50 {
		var results []lockstep.Result
		results, err = b.target().Apply(b.Context(), "item", slices.Clone(batch))
		if err == nil {
			results = b.settled("item", results)
		}
		for _, r := range results {
			if r.Err != nil {
				err = r.Err
			}
		}
		if err == nil {
			break
		}
		if k := lockstep.KindOf(err); k != lockstep.Transient && k != lockstep.Throttled {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	got, err := b.target().Fetch(b.Context(), b.read("item", "id"), keys)
	if err == nil && len(got) != len(keys) {
		err = fmt.Errorf("%d records of %d that were just written", len(got), len(keys))
	}
	return err
}

func wantCode(t *testing.T, what string, err error, want lockstep.Code) {
	t.Helper()
	if codeOf(err) != want {
		t.Errorf("%s: %v, want a fault of code %s", what, err, want)
		return
	}
	if f := lockstep.FaultOf(err); f.Kind != want.Info().Kind || f.Unknown || f.Next == "" {
		t.Errorf("%s: kind %s (unknown outcome: %v), next %q; want kind %s, and what to do", what, f.Kind, f.Unknown, f.Next, want.Info().Kind)
	}
}

var serverKeyTests = map[string]func(*testing.T, Harness){
	"the system chooses the keys, in order": func(t *testing.T, h Harness) {
		def := lockstep.Stream{Name: "made", Key: []string{"id"}, ServerKeys: true, Fields: []lockstep.Field{
			{Name: "id", Type: value.Type{Kind: value.IntType}, Default: true}, {Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true}}}
		b := begin(t, h, def)
		if !b.stream("made").ServerKeys {
			t.Error("Streams does not say that the system chooses the keys")
		}
		var writes []lockstep.Write
		for i := range 50 {
			writes = append(writes, lockstep.Write{Fields: value.F("name", fmt.Sprint("n", i))})
		}
		keys := map[lockstep.Key]bool{}
		for i, r := range b.apply("made", writes...) {
			if r.Key == "" || keys[r.Key] {
				t.Fatalf("write %d has key %q", i, r.Key)
			}
			keys[r.Key] = true
			name, _ := b.fetch(b.read("made", "name"), r.Key)[r.Key].Fields.Get("name")
			if !Same(value.Text(fmt.Sprint("n", i)), name, value.Type{}) {
				t.Fatalf("write %d is answered with key %s, whose name is %s", i, r.Key, show(name))
			}
		}
		first := b.apply("made", lockstep.Write{Fields: value.F("name", "x")})[0].Key
		b.apply("made", lockstep.Write{Key: first, Fields: value.F("name", "y")})
		if name, _ := b.fetch(b.read("made", "name"), first)[first].Fields.Get("name"); !Same(value.Text("y"), name, value.Type{}) {
			t.Errorf("after the update: %s", show(name))
		}
	},
}

var versionTests = map[string]func(*testing.T, Harness){
	"a write for a version that has moved is refused": func(t *testing.T, h Harness) {
		b := begin(t, h, Item())
		b.apply("item", upserts(items(2))...)
		old := b.fetch(b.read("item", "id"), "k0000")["k0000"].Version
		if old == "" {
			t.Fatal("the record has no version")
		}
		b.put("item", item("k0000", "edited", 1))
		r := applyAlone(b, "item", lockstep.Write{ID: "v1", Key: "k0000", Fields: value.F("name", "ours"), IfVersion: old})
		if lockstep.KindOf(r.Err) != lockstep.Conflict {
			t.Errorf("%v, want a fault of kind conflict", r.Err)
		}
		now := b.fetch(b.read("item", "id"), "k0000")["k0000"].Version
		b.apply("item", lockstep.Write{Key: "k0000", Fields: value.F("name", "ours"), IfVersion: now})
		b.want("item", []string{"id", "name"}, value.F("id", "k0000", "name", "ours"), value.F("id", "k0001", "name", "name 1"))
	},
}

// applyAlone makes one write; its fault is the result's, whether the call or the write failed.
func applyAlone(b *bench, stream string, w lockstep.Write) lockstep.Result {
	b.Helper()
	results, err := b.target().Apply(b.Context(), stream, []lockstep.Write{w})
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if len(results) != 1 {
		b.Fatalf("Apply answered %d of one write", len(results))
	}
	return b.settled(stream, results)[0]
}

// runRefusal applies good and bad writes together, halves what fails as a whole, as the engine does, and looks that
// only the bad one was refused (law 4).
func runRefusal(t *testing.T, h Harness, c Refusal) {
	place, stream := c.New(t)
	b := &bench{T: t, h: h, place: place}
	b.reopen()
	defer func() { _ = b.sys.Close() }()
	writes := append(append([]lockstep.Write{}, c.Good...), c.Bad)
	results := deliver(b, stream, writes)
	for i, r := range results[:len(c.Good)] {
		if r.Err != nil {
			t.Errorf("good write %d of key %q: %v", i, writes[i].Key, r.Err)
		}
	}
	wantCode(t, "the bad write", results[len(c.Good)].Err, c.Want)
	wantCode(t, "the bad write alone", applyAlone(b, stream, c.Bad).Err, c.Want)
}

func deliver(b *bench, stream string, writes []lockstep.Write) []lockstep.Result {
	b.Helper()
	results, err := b.target().Apply(b.Context(), stream, writes)
	if err == nil {
		if len(results) != len(writes) {
			b.Fatalf("Apply answered %d of %d writes", len(results), len(writes))
		}
		return b.settled(stream, results)
	}
	if len(writes) == 1 {
		return []lockstep.Result{{Key: writes[0].Key, Err: err}}
	}
	half := len(writes) / 2
	return append(deliver(b, stream, writes[:half]), deliver(b, stream, writes[half:])...)
}

var compositeApplyTests = map[string]func(*testing.T, Harness){
	"composite keys": func(t *testing.T, h Harness) {
		b := begin(t, h, pairStream())
		def := b.stream("pair")
		var writes []lockstep.Write
		records := nastyPairs()
		for _, f := range records {
			writes = append(writes, lockstep.Write{Key: keyOf(t, def, f), Fields: f})
		}
		b.apply("pair", writes...)
		b.want("pair", []string{"a", "b", "qty"}, records...)
		for i, w := range writes {
			if i%2 == 0 {
				writes[i] = lockstep.Write{Op: lockstep.Delete, Key: w.Key}
			} else {
				writes[i] = lockstep.Write{Key: w.Key, Fields: value.F("qty", -1)}
				records[i] = records[i].With("qty", value.Int(-1))
			}
		}
		b.apply("pair", writes...)
		var left []value.Fields
		for i, f := range records {
			if i%2 == 1 {
				left = append(left, f)
			}
		}
		b.want("pair", []string{"a", "b", "qty"}, left...)
	},
}
