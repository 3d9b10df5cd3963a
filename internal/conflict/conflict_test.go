package conflict

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func versions() *rapid.Generator[Version] {
	return rapid.Custom(func(t *rapid.T) Version {
		v := Version{Gone: rapid.IntRange(0, 3).Draw(t, "gone") == 0}
		if n := rapid.Int64Range(0, 4).Draw(t, "at"); n > 0 {
			v.At = time.Unix(n, 0).In(time.FixedZone("", int(n)*3600))
		}
		if !v.Gone {
			v.Fields = value.F("v", rapid.IntRange(0, 3).Draw(t, "v"))
		}
		return v
	})
}

func policies() map[string]Policy {
	return map[string]Policy{"newest": Newest, "a": Wins(lockstep.A), "b": Wins(lockstep.B)}
}

// Both flows of a pair come to the same end, each time, whatever the record says.
func TestPoliciesAreEvenHanded(t *testing.T) {
	for name, decide := range policies() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			a, b := versions().Draw(t, "a"), versions().Draw(t, "b")
			there, back := Conflict{Side: lockstep.A, Ours: a, Theirs: b}, Conflict{Side: lockstep.B, Ours: b, Theirs: a}
			first := decide(there)
			if second := decide(back); first != second {
				t.Fatalf("from a: %+v, from b: %+v", first, second)
			}
			if again := decide(there); first != again {
				t.Fatalf("%+v, then %+v", first, again)
			}
			if first.Why == "" {
				t.Fatal("no decision without a reason")
			}
			there.Ours.Fields, there.Theirs.Fields = value.F("v", "x"), value.F("v", "y")
			if other := decide(there); other != first {
				t.Fatalf("what the record says decided: %+v, then %+v", first, other)
			}
		}))
	}
}

func TestNewest(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	for _, c := range []struct {
		name string
		a, b Version
		won  lockstep.Side
	}{
		{"a is newer", Version{At: at(2)}, Version{At: at(1)}, lockstep.A},
		{"b is newer", Version{At: at(1)}, Version{At: at(2)}, lockstep.B},
		{"both at once", Version{At: at(1)}, Version{At: at(1)}, lockstep.A},
		{"a has no time", Version{}, Version{At: at(1)}, lockstep.A},
		{"b has no time", Version{At: at(1)}, Version{}, lockstep.A},
		{"a was deleted", Version{Gone: true, At: at(9)}, Version{At: at(1)}, lockstep.B},
		{"b was deleted", Version{At: at(1)}, Version{Gone: true, At: at(9)}, lockstep.A},
	} {
		if got := Newest(Conflict{Side: lockstep.B, Ours: c.b, Theirs: c.a}); got.Won != c.won {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if Wins(lockstep.B)(Conflict{Ours: Version{}, Theirs: Version{Gone: true}}).Won != lockstep.B {
		t.Error("a side wins with its delete, too")
	}
}
