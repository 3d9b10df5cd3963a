package pimcore

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// A page may come short because objects on it may not be seen, or by a fault: only an empty one is the end.
func TestAShortPageIsNotTheEnd(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 60})
	want := len(st.srv.IDs("Product"))
	st.srv.Fail(sandbox.FaultHalf, 0.7)
	if got := st.scan(products("sku"), 10); len(got) != want {
		t.Errorf("%d objects of %d", len(got), want)
	}
	from := lockstep.Position(`{"clock":"2026-01-01T00:00:00Z"}`)
	if got, _ := st.changes(products("sku"), from); len(got) != want {
		t.Errorf("%d changes of %d", len(got), want)
	}
}

// Whole pages of objects may be hidden: an empty page is the end only if nothing is counted behind it.
func TestAHiddenPageIsNotTheEnd(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 90})
	ids := st.srv.IDs("Product")
	folder, err := st.srv.Create(sandbox.NewObject{Parent: 1, Key: "Secret"})
	st.do(err)
	hidden := 0
	for _, id := range ids[20:60] {
		if o, _ := st.srv.Get(id); o.Kind == "object" {
			st.do(st.srv.Move(id, folder))
		}
	}
	for _, id := range ids {
		if o, _ := st.srv.Get(id); len(o.Fullpath) > 8 && o.Fullpath[:8] == "/Secret/" {
			hidden++
		}
	}
	all := sandbox.Workspace{Path: "/", Read: true}
	st.srv.SetWorkspaces([]sandbox.Workspace{all, {Path: "/Secret"}, {Path: "/", Assets: true, Read: true}})
	if got := st.scan(products("sku"), 5); len(got) != len(ids)-hidden || hidden < 20 {
		t.Errorf("%d objects of %d, %d hidden", len(got), len(ids), hidden)
	}
}

func TestVariantsAreLeftOutWhereTheSettingsSay(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12})
	var objects, variants []int
	for _, id := range st.srv.IDs("Product") {
		if o, _ := st.srv.Get(id); o.Kind == "variant" {
			variants = append(variants, id)
		} else {
			objects = append(objects, id)
		}
	}
	if got := st.scan(products("sku"), 5); len(got) != len(objects)+len(variants) {
		t.Errorf("%d objects with variants", len(got))
	}
	st.sys = st.open("classes", classSet("variants", false))
	if got := st.scan(products("sku"), 5); len(got) != len(objects) {
		t.Errorf("%d objects without variants, want %d", len(got), len(objects))
	}
	if got := st.fetch(products("sku"), append(slices.Clone(variants), objects[0], 99999)...); len(got) != 1 {
		t.Errorf("fetched %v", got)
	}
}

// Gone is only what a single get calls not found. What may not be seen is a fault of its own.
func TestWhatMayNotBeSeenIsNotGone(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12})
	ids := st.srv.IDs("Product")
	gone, secret, left := ids[0], ids[len(ids)-1], ids[len(ids)-4]
	folder, err := st.srv.Create(sandbox.NewObject{Parent: 1, Key: "Secret"})
	st.do(err)
	st.do(st.srv.Move(secret, folder))
	st.do(st.srv.Delete(gone))
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: "/Secret"}, {Path: "/", Assets: true, Read: true}})
	if got := st.fetch(products("sku"), gone, left, 4_000_000, 77_777); len(got) != 1 || got[key(left)].Key == "" {
		t.Errorf("%v", got)
	}
	_, err = st.sys.Fetch(t.Context(), products("sku"), []lockstep.Key{key(secret), key(left)})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeHidden || f.About.Key != key(secret) {
		t.Errorf("an object that may not be seen: %v", err)
	}
	st.srv.SetWorkspaces([]sandbox.Workspace{})
	_, err = st.sys.Fetch(t.Context(), products("sku"), []lockstep.Key{key(secret), key(left)})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeRights {
		t.Errorf("nothing may be seen: %v", err)
	}
}

func TestTwoSavesInOneSecondOnAPagesEdge(t *testing.T) {
	at := time.Now().Unix()
	st := newStand(t, sandbox.Options{Products: 40})
	from := st.now(products("sku", "stock"))
	ids := st.srv.IDs("Product")
	for _, id := range ids[:30] {
		st.do(st.srv.SaveWithDate(id, map[string]any{"stock": int64(1)}, at))
	}
	got, next := st.changes(products("sku", "stock"), from)
	if len(got) != 30 {
		t.Errorf("%d changes of 30", len(got))
	}
	st.do(st.srv.SaveWithDate(ids[3], map[string]any{"stock": int64(2)}, at))
	got, _ = st.changes(products("sku", "stock"), next)
	if c := got[key(ids[3])]; text(c.Record.Fields, "stock") != "2" {
		t.Errorf("the second save of a second is not seen: %+v", c)
	}
}

// A save takes its date before it is committed: it appears behind where we have read already.
func TestALateCommitIsSeen(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 10})
	r := products("sku", "stock")
	ids := st.srv.IDs("Product")
	_, from := st.changes(r, st.now(r))
	st.do(st.srv.SaveWithDate(ids[4], map[string]any{"stock": int64(99)}, time.Now().Unix()-100))
	if got, _ := st.changes(r, from); text(got[key(ids[4])].Record.Fields, "stock") != "99" {
		t.Errorf("a commit that is 100 s late is not seen: %v", got)
	}
	st.do(st.srv.SaveWithDate(ids[5], map[string]any{"stock": int64(98)}, time.Now().Unix()-500))
	if got, _ := st.changes(r, from); len(got) > 1 {
		t.Errorf("more than the overlap is read: %v", got)
	}
	r.Track.Overlap = 600 * time.Second
	if got, _ := st.changes(r, from); text(got[key(ids[5])].Record.Fields, "stock") != "98" {
		t.Errorf("a longer overlap does not reach: %v", got)
	}
}

func TestWhatASaveIsAndIsNot(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 10})
	r := products("sku", "published", "stock")
	ids := st.srv.IDs("Product")
	from := st.now(r)
	st.do(st.srv.SaveVersion(ids[0], map[string]any{"stock": int64(5)})) // a draft
	st.do(st.srv.Unpublish(ids[1]))
	got, _ := st.changes(r, from)
	if len(got) != 1 || text(got[key(ids[1])].Record.Fields, "published") != "false" {
		t.Errorf("%v", got)
	}
}

// clocked is a stand-in behind a web server with a clock of its own.
func clocked(t *testing.T, o sandbox.Options) (*stand, *atomic.Int64) {
	now := &atomic.Int64{}
	now.Store(time.Now().Unix())
	o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	st := newStand(t, o)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Unix(now.Load(), 0).UTC().Format(http.TimeFormat))
		st.srv.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	st.url = web.URL + st.srv.Path()
	st.sys = st.open()
	return st, now
}

func TestAClockBehindThePositionIsLost(t *testing.T) {
	st, now := clocked(t, sandbox.Options{Products: 5})
	r := products("sku", "stock")
	from := st.now(r)
	now.Add(-60)
	if _, err := st.sys.Changes(t.Context(), r, from, lockstep.Limit{}); err != nil {
		t.Errorf("within the overlap: %v", err)
	}
	now.Add(-3600)
	_, err := st.sys.Changes(t.Context(), r, from, lockstep.Limit{})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeClock || f.Kind != lockstep.Lost {
		t.Errorf("%v", err)
	}
}

// A clock that was set back and has overtaken the position since gave out times again that were read already.
func TestAClockThatWasSetBackAndOvertookIsReadFromThere(t *testing.T) {
	st, now := clocked(t, sandbox.Options{Products: 5})
	r := products("sku", "stock")
	from := st.now(r)
	id := st.srv.IDs("Product")[0]
	now.Add(-3000)
	st.do(st.srv.Save(id, map[string]any{"stock": int64(77)}))
	now.Add(3001)
	// The clock says a second later, our own says no time went by: nothing was set back by what can be told.
	place, err := st.sys.Changes(t.Context(), r, from, lockstep.Limit{})
	if err != nil || len(place.Changes) > 0 {
		t.Errorf("%v, %v", place, err)
	}
	set := lockstep.Position(replaceSince(t, from, -2990*time.Second)) // as if the process had polled 2990 s ago
	got, _ := st.changes(r, set)
	if text(got[key(id)].Record.Fields, "stock") != "77" {
		t.Errorf("a save that was stamped before the position is not seen: %v", got)
	}
}

func TestDatesAreThoseOfTheZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Ljubljana")
	if err != nil {
		t.Fatal(err)
	}
	st := newStand(t, sandbox.Options{Products: 3, Zone: zone}, "zone", "Europe/Ljubljana", "classes", classSet("fields", map[string]string{
		"released": "releaseDate date", "available": "availableFrom instant", "wall": "availableFrom wall", "cost": "price decimal(12,1)"}))
	id := st.srv.IDs("Product")[0]
	day, at := time.Date(2024, 7, 3, 0, 0, 0, 0, zone), time.Date(2024, 7, 5, 13, 30, 15, 0, zone)
	st.do(st.srv.Save(id, map[string]any{"releaseDate": day.Unix(), "availableFrom": at.Unix(), "price": 21.949999999999999}))
	rec := st.fetch(products("released", "available", "wall", "cost", "price"), id)[key(id)]
	for name, want := range map[string]string{"released": `"2024-07-03T00:00:00Z"`, "available": `"2024-07-05T11:30:15Z"`, "wall": `"2024-07-05T13:30:15Z"`, "cost": "21.9", "price": "21.95"} {
		if got := text(rec.Fields, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if rec.Version != strconv.FormatInt(rec.At.Unix(), 10) || rec.At.IsZero() {
		t.Errorf("version %q at %s", rec.Version, rec.At)
	}
}

// The fallback of a language is applied without a word; a language without one is null.
func TestLanguages(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3}, "languages", []string{"en", "de", "fr"})
	id := st.srv.IDs("Product")[0]
	st.do(st.srv.Save(id, map[string]any{"name@en": "Shirt", "name@de": nil, "name@fr": nil}))
	rec := st.fetch(products("name_en", "name_de", "name_fr"), id)[key(id)]
	if text(rec.Fields, "name_en") != "Shirt" || text(rec.Fields, "name_de") != "Shirt" || text(rec.Fields, "name_fr") != "null" {
		t.Errorf("%v", rec.Fields)
	}
}

// An empty relation comes as [] or as null, depending on how it was saved last: it is one and the same.
func TestAnEmptyListIsOne(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3})
	ids := st.srv.IDs("Product")
	st.do(st.srv.Save(ids[0], map[string]any{"categories": sandbox.Refs()}))
	st.do(st.srv.Save(ids[1], map[string]any{"categories": nil}))
	for _, rec := range st.fetch(products("categories"), ids[0], ids[1]) {
		if text(rec.Fields, "categories") != "[]" {
			t.Errorf("%v", rec.Fields)
		}
	}
}

func TestTheSchemaIsAskedAgainWhereAFieldIsGone(t *testing.T) {
	e := newEndpoint(t, productTypes())
	e.answer = func(w http.ResponseWriter, query string, _ map[string]any) {
		w.Write([]byte(`{"errors":[{"message":"Cannot query field \"sku\" on type \"object_Product\".","locations":[{"line":1,"column":2}]}]}`))
	}
	s := e.open(t, "version", "11")
	_, err := s.Scan(t.Context(), products("sku"), nil, lockstep.Limit{})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDrift {
		t.Errorf("%v", err)
	}
	delete(e.types, "object_Product")
	e.types["object_Product"] = obj("id ID", "modificationDate Int", "creationDate Int", "objectType String")
	if _, err = s.Scan(t.Context(), products("sku"), nil, lockstep.Limit{}); lockstep.FaultOf(err).Code != lockstep.CodeNoField {
		t.Errorf("%v", err)
	}
}

// An object that a listing leaves out and that is there all the same is read, and not taken for gone.
func TestWhatAListingLeavesOutIsNotGone(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12})
	ids := st.srv.IDs("Product")
	st.fetch(products("sku"), ids[0])
	st.srv.FailNext(sandbox.FaultHalf, 1)
	if got := st.fetch(products("sku"), ids...); len(got) != len(ids) {
		t.Errorf("%d objects of %d", len(got), len(ids))
	}
}
