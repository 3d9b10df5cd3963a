package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

var all = lockstep.Limit{Rows: 1000, Bytes: 1 << 20}

func apply(t *testing.T, s *memory.System, stream string, writes ...lockstep.Write) []lockstep.Result {
	t.Helper()
	results, err := s.Apply(t.Context(), stream, writes)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func code(err error) lockstep.Code {
	if err == nil {
		return ""
	}
	return lockstep.FaultOf(err).Code
}

func TestRulesRefuseARecordAlone(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "brand"})
	s.DefineStream(lockstep.Stream{Name: "p"}, memory.Rules{
		Unique: []string{"sku"}, NotNull: []string{"sku"}, References: map[string]string{"brand": "brand"},
	})
	got := apply(t, s, "p",
		lockstep.Write{Key: "1", Fields: value.F("sku", "a")},
		lockstep.Write{Key: "2", Fields: value.F("sku", "a")},
		lockstep.Write{Key: "3", Fields: value.F("name", "x")},
		lockstep.Write{Key: "4", Fields: value.F("sku", "d", "brand", 7)},
		lockstep.Write{Key: "5", Fields: value.F("sku", "e")})
	for i, want := range []lockstep.Code{"", lockstep.CodeUnique, lockstep.CodeConstraint, lockstep.CodeReference, ""} {
		if code(got[i].Err) != want {
			t.Errorf("write %d: %v, want %q", i+1, got[i].Err, want)
		}
	}
	s.Put("brand", value.F("id", 7))
	if got := apply(t, s, "p", lockstep.Write{Key: "4", Fields: value.F("sku", "d", "brand", 7)}); got[0].Err != nil {
		t.Error(got[0].Err)
	}
	if got := apply(t, s, "brand", lockstep.Write{Op: lockstep.Delete, Key: "7"}); code(got[0].Err) != lockstep.CodeReference {
		t.Errorf("a record that is referred to was deleted: %v", got[0].Err)
	}
	if s.Len("p") != 3 || s.Writes("p", "1") != 1 || s.Writes("p", "2") != 0 || s.AllWrites("p") != 3 {
		t.Errorf("%v", s.All("p"))
	}
}

func TestWholeBatchIsUndone(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "p"}, memory.Rules{Unique: []string{"sku"}, Whole: true})
	apply(t, s, "p", lockstep.Write{Key: "1", Fields: value.F("sku", "a")})
	_, err := s.Apply(t.Context(), "p", []lockstep.Write{
		{Key: "1", Fields: value.F("sku", "b")},
		{Key: "2", Fields: value.F("sku", "c")},
		{Key: "1", Op: lockstep.Delete},
		{Key: "3", Fields: value.F("sku", "c")},
	})
	if f := lockstep.FaultOf(err); code(err) != lockstep.CodeUnique || f.About.Key != "" || f.Unknown {
		t.Fatalf("%v", err)
	}
	rec, _ := s.Get("p", "1")
	if sku, _ := rec.Fields.Get("sku"); s.Len("p") != 1 || sku.Text() != "a" || s.AllWrites("p") != 1 {
		t.Fatalf("the batch left traces: %v", s.All("p"))
	}
	if got := apply(t, s, "p", lockstep.Write{Key: "2", Fields: value.F("sku", "b")}); got[0].Err != nil {
		t.Fatalf("a unique value was not given back: %v", got[0].Err)
	}
}

func TestServerKeysAndIDs(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "p", ServerKeys: true,
		Fields: []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "sku"}}}, memory.Rules{RemembersIDs: true})
	w := lockstep.Write{ID: "d1", Fields: value.F("sku", "a")}
	first, again := apply(t, s, "p", w)[0], apply(t, s, "p", w)[0]
	if first.Key == "" || first != again || s.Len("p") != 1 {
		t.Fatalf("%v %v", first, again)
	}
	if got := apply(t, s, "p", lockstep.Write{Key: "99", Fields: value.F("sku", "b")}); code(got[0].Err) != lockstep.CodeGone {
		t.Fatal(got[0].Err)
	}
}

func TestIfVersion(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "p", FoldKeys: true})
	v := apply(t, s, "p", lockstep.Write{Key: "A", Fields: value.F("n", 1)})[0].Version
	s.Edit("p", "a", "n", 2)
	got := apply(t, s, "p", lockstep.Write{Key: "a", Fields: value.F("n", 3), IfVersion: v})[0]
	if lockstep.KindOf(got.Err) != lockstep.Conflict {
		t.Fatal(got.Err)
	}
	rec, _ := s.Get("p", "a")
	if got := apply(t, s, "p", lockstep.Write{Key: "a", Fields: value.F("n", 3), IfVersion: rec.Version})[0]; got.Err != nil || got.Key != "A" {
		t.Fatal(got)
	}
}

func TestHookFailsCallsAndLosesAnswers(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "p"})
	lost := errors.New("lost")
	s.SetHook(func(c memory.Call) error {
		switch {
		case c.Name == "Write" && c.After && c.Key == "1", c.Name == "Write" && !c.After && c.Key == "2":
			return lost
		case c.Name == "Write" && !c.After && c.Key == "4":
			panic("crash")
		}
		return nil
	})
	got := apply(t, s, "p", lockstep.Write{Key: "1"}, lockstep.Write{Key: "2"}, lockstep.Write{Key: "3"})
	if !errors.Is(got[0].Err, lost) || !errors.Is(got[1].Err, lost) || got[2].Err != nil || s.Len("p") != 2 {
		t.Fatalf("%v %v", got, s.All("p"))
	}
	func() {
		defer func() { _ = recover() }()
		apply(t, s, "p", lockstep.Write{Key: "3b"}, lockstep.Write{Key: "4"})
		t.Error("no crash")
	}()
	if s.Len("p") != 3 || s.Counts()["Write"] != 5 {
		t.Fatalf("%v %v", s.All("p"), s.Counts())
	}
}

func TestTimestampTrackerInStoppedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		s.DefineStream(lockstep.Stream{Name: "p"}, memory.Rules{Touch: "at"})
		read := lockstep.Read{Stream: "p", Fields: []string{"id"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "at"}}
		for i := range 5 {
			s.Put("p", value.F("id", i))
		}
		now, err := s.Changes(t.Context(), read, nil, all)
		if err != nil || len(now.Changes) != 0 {
			t.Fatal(now, err)
		}
		for i := range 5 {
			s.Put("p", value.F("id", i+3, "at", s.Now()))
		}
		var keys []lockstep.Key
		for page := now; ; {
			page, err = s.Changes(t.Context(), read, page.Next, lockstep.Limit{Rows: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Changes {
				keys = append(keys, c.Record.Key)
			}
			if !page.More {
				now = page
				break
			}
		}
		if len(keys) != 5 {
			t.Fatalf("%v", keys)
		}
		s.SetClock(func() time.Time { return time.Now().Add(-time.Second) })
		if _, err := s.Changes(t.Context(), read, now.Next, all); code(err) != lockstep.CodeClock {
			t.Fatalf("a clock that stepped back: %v", err)
		}
	})
}

func TestLogSeesDeletesAndCanBeLost(t *testing.T) {
	s := memory.New()
	s.DefineStream(lockstep.Stream{Name: "p"}, memory.Rules{ForgetsAcked: true})
	read := lockstep.Read{Stream: "p", Fields: []string{"id"}}
	now, _ := s.Changes(t.Context(), read, nil, all)
	s.Put("p", value.F("id", "a"))
	s.Delete("p", "a")
	page, err := s.Changes(t.Context(), read, now.Next, all)
	if err != nil || len(page.Changes) != 2 || page.Changes[1].Op != lockstep.Delete {
		t.Fatal(page, err)
	}
	if err := s.Ack(t.Context(), read, page.Next); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(t.Context(), read, now.Next, all); lockstep.KindOf(err) != lockstep.Lost {
		t.Fatal(err)
	}
	if page, err = s.Changes(t.Context(), read, page.Next, all); err != nil || len(page.Changes) != 0 {
		t.Fatal(page, err)
	}
}

func TestSoftDelete(t *testing.T) {
	s := memory.New()
	s.Put("p", value.F("id", "a", "gone", true))
	s.Put("p", value.F("id", "b", "gone", false))
	read := lockstep.Read{Stream: "p", Fields: []string{"id"}, Track: lockstep.Track{Deleted: "gone"}}
	if got, _ := s.Fetch(t.Context(), read, []lockstep.Key{"a", "b"}); len(got) != 1 {
		t.Error(got)
	}
	if page, _ := s.Scan(t.Context(), read, nil, all); len(page.Changes) != 1 {
		t.Error(page)
	}
	now, _ := s.Changes(t.Context(), read, nil, all)
	s.Edit("p", "b", "gone", true)
	if page, _ := s.Changes(t.Context(), read, now.Next, all); page.Changes[0].Op != lockstep.Delete {
		t.Error(page)
	}
}
