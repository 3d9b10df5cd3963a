package pimcore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/value"
)

// forWrites are the settings of a system that makes products below /Products, by their SKU.
func forWrites(more ...any) []any {
	class := lockstep.Settings{
		"parent": "/Products", "object_key": "sku", "relations": clearHidden,
		"fields": map[string]string{"price": "price decimal(12,2)", "releaseDate": "releaseDate date", "availableFrom": "availableFrom instant", "category_ids": "categories[].id"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		class[more[i].(string)] = more[i+1]
	}
	return []any{"classes", map[string]lockstep.Settings{"Product": class}, "user_id", int64(7), "zone", "Europe/Ljubljana"}
}

func writeStand(t *testing.T, more ...any) *stand {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Ljubljana")
	if err != nil {
		t.Fatal(err)
	}
	st := newStand(t, sandbox.Options{Products: 6, Seed: 3, Zone: zone}, forWrites(more...)...)
	if _, err := st.sys.Streams(st.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

func (st *stand) apply(writes ...lockstep.Write) []lockstep.Result {
	st.Helper()
	res, err := st.sys.Apply(st.Context(), "Product", writes)
	if err != nil {
		st.Fatal(err)
	}
	return res
}

// put writes one record, which must be taken, and gives its key.
func (st *stand) put(key lockstep.Key, pairs ...any) lockstep.Key {
	st.Helper()
	res := st.apply(lockstep.Write{Key: key, Fields: value.F(pairs...)})[0]
	if res.Err != nil {
		st.Fatal(res.Err)
	}
	if res.Version == "" {
		st.Error("the write does not tell the version")
	}
	return res.Key
}

// refused writes one record, which must be refused so, with these words in the fault.
func (st *stand) refused(w lockstep.Write, code lockstep.Code, words ...string) *lockstep.Fault {
	st.Helper()
	f := lockstep.FaultOf(st.apply(w)[0].Err)
	if f == nil || f.Code != code {
		st.Fatalf("%v, want %s", f, code)
	}
	for _, word := range words {
		if !strings.Contains(f.Error(), word) {
			st.Errorf("%q does not say %q", f.Error(), word)
		}
	}
	return f
}

// holds reads a record and compares fields.
func (st *stand) holds(key lockstep.Key, pairs ...any) {
	st.Helper()
	want := value.F(pairs...)
	recs, err := st.sys.Fetch(st.Context(), products(want.Names().List()...), []lockstep.Key{key})
	if err != nil || len(recs) != 1 {
		st.Fatal(recs, err)
	}
	for name, v := range want.All() {
		got, _ := recs[0].Fields.Get(name)
		if !value.Equal(got, v) {
			st.Errorf("%s is %s, want %s", name, got, v)
		}
	}
}

func atoi(t *testing.T, key lockstep.Key) int {
	t.Helper()
	n, err := strconv.Atoi(string(key))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (st *stand) get(key lockstep.Key) sandbox.Object {
	st.Helper()
	o, ok := st.srv.Get(atoi(st.T, key))
	if !ok {
		st.Fatalf("there is no object %s", key)
	}
	return o
}

// ids are a class's objects that are no variants.
func (st *stand) ids(class string) []string {
	var out []string
	for _, id := range st.srv.IDs(class) {
		if o, _ := st.srv.Get(id); o.Kind == "object" {
			out = append(out, strconv.Itoa(id))
		}
	}
	return out
}

// variant is one, with the object that it is below.
func (st *stand) variant() (parent, id lockstep.Key) {
	st.Helper()
	for _, id := range st.srv.IDs("Product") {
		if o, _ := st.srv.Get(id); o.Kind == "variant" {
			return key(o.Parent), key(id)
		}
	}
	st.Fatal("there is no variant")
	return "", ""
}

func (st *stand) asset() string {
	st.Helper()
	id, err := st.srv.CreateAsset(sandbox.NewAsset{Filename: "hat.png", Data: []byte("\x89PNG\r\n\x1a\n")})
	st.do(err)
	return strconv.Itoa(id)
}

func TestWriteAProduct(t *testing.T) {
	st := writeStand(t)
	categories := st.ids("Category")
	day := value.Time(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC))
	at := value.Time(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC))
	later := value.Time(time.Date(2026, 10, 25, 12, 30, 0, 0, time.UTC))
	key := st.put("", "sku", "NEW/1", "name_en", "Hat", "name_de", "Hut", "price", "12.50", "published", false, "active", true,
		"releaseDate", day, "availableFrom", at, "weight", "2.5", "weight_unit", "kg", "category_ids", []any{categories[0], categories[1]}, "badges", []any{"new", "sale"})
	if v := st.get(key).VersionCount; v != 3 { // two saves of the create, one of the second language
		t.Errorf("the object was saved %d times", v)
	}
	st.holds(key, "sku", "NEW/1", "name_en", "Hat", "name_de", "Hut", "published", false, "active", true, "releaseDate", day,
		"weight_unit", "kg", "category_ids", []any{categories[0], categories[1]}, "badges", []any{"new", "sale"})
	st.put(key, "availableFrom", later)
	st.holds(key, "availableFrom", later)
	o := st.get(key).Fullpath
	if !strings.HasPrefix(o, "/Products/NEW-1~") {
		t.Errorf("the object is at %s", o)
	}
	st.put(key, "name_de", "Mütze", "published", true, "category_ids", []any{})
	st.holds(key, "name_en", "Hat", "name_de", "Mütze", "published", true, "category_ids", []any{})
	st.put(key, "name_de", nil, "price", nil, "active", false, "releaseDate", nil, "badges", nil)
	st.holds(key, "name_en", "Hat", "name_de", "Hat", "price", nil, "releaseDate", nil) // de falls back to en
	if user := st.get(key).UserModification; user != 7 {
		t.Errorf("the object was saved by user %d, want 7", user)
	}
	if res := st.apply(lockstep.Write{Op: lockstep.Delete, Key: key}, lockstep.Write{Op: lockstep.Delete, Key: key}); res[0].Err != nil || res[1].Err != nil {
		t.Error(res)
	}
	if recs, err := st.sys.Fetch(t.Context(), products("sku"), []lockstep.Key{key}); err != nil || len(recs) != 0 {
		t.Error(recs, err)
	}
}

// TestRetriedCreate: the object key is all that keeps a create that is tried again from making a second object.
func TestRetriedCreate(t *testing.T) {
	st := writeStand(t)
	st.scan(products("sku"), 100)
	w := lockstep.Write{Fields: value.F("sku", "AGAIN", "name_en", "Hat", "name_de", "Hut")}
	st.srv.FailNext(sandbox.FaultLost, 1)
	f := lockstep.FaultOf(st.apply(w)[0].Err)
	if f == nil || !f.Unknown {
		t.Fatalf("%v, want an unknown outcome", f)
	}
	f = st.refused(w, lockstep.CodeVersionMoved)
	if !f.Unknown {
		t.Errorf("%v does not make the engine look", f)
	}
	found, err := st.sys.Find(t.Context(), products("name_en"), []string{"sku"}, [][]value.Value{{value.Text("AGAIN")}, {value.Text("nobody")}, {value.Null}})
	if err != nil || len(found[0]) != 1 || len(found[1]) != 0 || len(found[2]) != 0 {
		t.Fatal(found, err)
	}
	st.put(found[0][0].Key, "name_de", "Hut")
	st.holds(found[0][0].Key, "name_en", "Hat", "name_de", "Hut")
}

func TestTakenKey(t *testing.T) {
	st := writeStand(t)
	st.put("", "sku", "MINE")
	id := st.ids("Product")
	st.do(st.srv.Save(atoi(t, lockstep.Key(id[0])), map[string]any{"sku": "OTHER"}))
	st.do(st.srv.Rename(atoi(t, lockstep.Key(id[0])), "wanted"))
	st.refused(lockstep.Write{Fields: value.F("sku", "wanted")}, lockstep.CodeUnique, "belongs to another record", id[0])
	st.refused(lockstep.Write{Fields: value.F("sku", "other")}, lockstep.CodeUnique)
}

func TestRefusedWrites(t *testing.T) {
	st := writeStand(t)
	id := lockstep.Key(st.ids("Product")[0])
	write := func(pairs ...any) lockstep.Write { return lockstep.Write{Key: id, Fields: value.F(pairs...)} }
	st.put(id, "weight", "1", "weight_unit", "kg")
	st.refused(write("weight", nil, "weight_unit", nil), lockstep.CodeValue, "weight", "ignores a null")
	st.refused(write("mainImage", nil), lockstep.CodeValue, "mainImage")
	st.refused(write("gallery", nil), lockstep.CodeValue, "gallery")
	st.refused(write("bullets", nil), lockstep.CodeValue, "bullets", "ignores a null")
	st.refused(write("weight", "3"), lockstep.CodeValue, "its unit")
	st.refused(write("sku", nil), lockstep.CodeConstraint, "sku")
	st.refused(write("category_ids", []any{"999999"}), lockstep.CodeReference)
	st.refused(write("faq", []any{}), lockstep.CodeCannot, "blocks")
	st.refused(lockstep.Write{Key: "999999", Fields: value.F("name_en", "x")}, lockstep.CodeGone)
	st.refused(lockstep.Write{Fields: value.F("name_en", "x")}, lockstep.CodeConstraint, "its key is made of it")
	st.refused(lockstep.Write{Key: id, IfVersion: "1", Fields: value.F("name_en", "x")}, lockstep.CodeVersionMoved)
	st.holds(id, "weight_unit", "kg")
	// A bad one hurts only itself.
	res := st.apply(write("name_en", "one"), lockstep.Write{Key: "999999", Fields: value.F("name_en", "x")}, write("name_de", "zwei"))
	if res[0].Err != nil || res[1].Err == nil || res[2].Err != nil {
		t.Error(res)
	}
	st.holds(id, "name_en", "one", "name_de", "zwei")
}

func TestReadOnlyFieldsSayWhy(t *testing.T) {
	st := writeStand(t)
	streams, err := st.sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := streams[slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == "Product" })]
	if p.ReadOnly || !p.ServerKeys || p.Grace != defaultGrace && p.Grace != 0 {
		t.Errorf("%+v", p)
	}
	for name, word := range map[string]string{"power": "bricks", "faq": "blocks", "attributes_en": "classification", "modificationDate": "itself", "id": "itself", "fullpath": "itself", "slug_en": "slugs"} {
		if f := p.Field(name); f == nil || !f.ReadOnly || !strings.Contains(f.Why, word) {
			t.Errorf("%s: %+v does not say %q", name, f, word)
		}
	}
	for _, name := range []string{"sku", "name_de", "price", "published", "weight", "weight_unit", "categories", "category_ids", "manufacturer", "mainImage", "gallery", "bullets", "moreInfo", "badges", "releaseDate", "key", "parentId", "crossSell", "downloads"} {
		if f := p.Field(name); f == nil || f.ReadOnly {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestWriteComposites(t *testing.T) {
	st := writeStand(t)
	ids, makers := st.ids("Product"), st.ids("Manufacturer")
	image := st.asset()
	key := st.put("", "sku", "COMP", "manufacturer", value.F("id", makers[0]), "mainImage", value.F("id", image), "gallery", []any{value.F("id", image)},
		"bullets", []any{value.F("type", "Bullet", "text", "soft", "position", 1), value.F("type", "Bullet", "text", "warm", "position", 2)},
		"moreInfo", value.F("text", "more", "path", "https://example.test/x"),
		"crossSell", []any{value.F("id", ids[0], "metadata", value.F("sort", "1"))}, "downloads", []any{value.F("id", image)})
	recs, err := st.sys.Fetch(t.Context(), products("manufacturer", "mainImage", "gallery", "bullets", "moreInfo", "crossSell", "downloads"), []lockstep.Key{key})
	if err != nil || len(recs) != 1 {
		t.Fatal(recs, err)
	}
	for name, want := range map[string]string{
		"manufacturer": makers[0], "mainImage": `"` + image + `"`, "gallery": image, "bullets": "warm", "moreInfo": "example.test", "crossSell": `"sort":"1"`, "downloads": image,
	} {
		if v, _ := recs[0].Fields.Get(name); !strings.Contains(v.String(), want) {
			t.Errorf("%s is %s, want %s in it", name, v, want)
		}
	}
	// What was read can be written as it is.
	if res := st.apply(lockstep.Write{Key: key, Fields: recs[0].Fields}); res[0].Err != nil {
		t.Error(res[0].Err)
	}
	st.put(key, "bullets", []any{}, "gallery", []any{}, "crossSell", []any{})
	st.holds(key, "bullets", []any{}, "gallery", []any{}, "crossSell", []any{})
}

func TestDeletesKeepWhatIsBelow(t *testing.T) {
	st := writeStand(t)
	parent, _ := st.variant()
	st.refused(lockstep.Write{Op: lockstep.Delete, Key: parent}, lockstep.CodeConstraint, "below")
	st.sys = st.open(forWrites("delete_children", true)...)
	if res := st.apply(lockstep.Write{Op: lockstep.Delete, Key: parent}); res[0].Err != nil {
		t.Error(res[0].Err)
	}
}

func TestOutputCacheDoesNotSwallowWrites(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3, Seed: 3, OutputCache: time.Hour}, forWrites()...)
	id := lockstep.Key(st.ids("Product")[0])
	for range 3 {
		st.put(id, "name_en", "ours")
		st.holds(id, "name_en", "ours")
		if now := st.get(id).Values["name@en"]; now != "ours" {
			t.Errorf("Pimcore holds %q", now)
		}
		st.do(st.srv.SilentEdit(atoi(t, id), map[string]any{"name@en": "theirs"})) // clears no cache
	}
}

func TestWritesStopWhenTheSystemIsAway(t *testing.T) {
	st := writeStand(t)
	id := lockstep.Key(st.ids("Product")[0])
	st.srv.Fail(sandbox.Fault429, 1)
	var writes []lockstep.Write
	for i := range 20 {
		writes = append(writes, lockstep.Write{Fields: value.F("sku", fmt.Sprint("S", i), "name_en", "x")})
	}
	for i, res := range st.apply(append(writes, lockstep.Write{Key: id, Fields: value.F("name_en", "y")})...) {
		if f := lockstep.FaultOf(res.Err); f == nil || f.Kind != lockstep.Throttled || f.Unknown {
			t.Errorf("%d: %v", i, f)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.sys.Apply(ctx, "Product", writes); err == nil {
		t.Error("a cancelled Apply says nothing")
	}
}

func TestValidKey(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{"a/b", "a-b", "a\\b", " a-b", "a-b.", "x", strings.Repeat("ž", 200), strings.Repeat("ž", 201), "", "/", "\x01"} {
		key := validKey(text)
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q have one key", text, other)
		}
		if seen[key] = text; key == "" || len(key) > maxKey || strings.ContainsAny(key, "/\x01") {
			t.Errorf("%q becomes %q", text, key)
		}
	}
	if validKey("SKU-1") != "SKU-1" {
		t.Error("a good key is changed")
	}
}

// With introspection off nothing tells what a mutation takes: single fields under `fields` are written as they are declared.
func TestWriteWithoutIntrospection(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3, Seed: 3, NoIntrospection: true}, "classes", map[string]lockstep.Settings{"Product": {
		"parent": "/Products", "object_key": "sku",
		"fields": map[string]string{"sku": "sku text", "name_de": "name@de text", "price": "price decimal(12,2)", "releaseDate": "releaseDate date", "cats": "categories[](Category).id list<text>"},
	}})
	day := value.Time(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC))
	key := st.put("", "sku", "BLIND", "name_de", "Hut", "price", "12.50", "releaseDate", day)
	st.holds(key, "sku", "BLIND", "name_de", "Hut", "releaseDate", day)
	st.refused(lockstep.Write{Key: key, Fields: value.F("cats", []any{})}, lockstep.CodeCannot, "introspection is off")
}

func TestRenamesMovesAndPublishes(t *testing.T) {
	st := writeStand(t)
	key := st.put("", "sku", "MOVE", "key", "first", "published", false)
	if o := st.get(key); o.Fullpath != "/Products/first" || o.Published {
		t.Errorf("%+v", o)
	}
	folder, err := st.srv.Create(sandbox.NewObject{Path: "/", Key: "Elsewhere"})
	st.do(err)
	st.put(key, "key", "second/name", "published", true, "parentId", strconv.Itoa(folder))
	if o := st.get(key); !strings.HasPrefix(o.Fullpath, "/Elsewhere/second-name~") || !o.Published {
		t.Errorf("%+v", o)
	}
	st.refused(lockstep.Write{Key: key, Fields: value.F("key", "")}, lockstep.CodeValue, "cannot be empty")
	st.refused(lockstep.Write{Key: key, Fields: value.F("parentId", "/Products")}, lockstep.CodeValue, "by its id")
}

// What is not permitted stops the flow, and names no values.
func TestWritesThatAreNotPermitted(t *testing.T) {
	st := writeStand(t)
	id := lockstep.Key(st.ids("Product")[0])
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: "/", Assets: true, Read: true}})
	st.refused(lockstep.Write{Key: id, Fields: value.F("name_en", "secret words")}, lockstep.CodeRights, "does not permit")
	st.refused(lockstep.Write{Fields: value.F("sku", "NOPE")}, lockstep.CodeRights, "does not permit")
	st.sys = st.open(forWrites("delete_children", true)...)
	f := st.refused(lockstep.Write{Op: lockstep.Delete, Key: id}, lockstep.CodeRights, "does not permit")
	if f.Kind != lockstep.Denied || strings.Contains(f.Error(), "secret words") {
		t.Error(f)
	}
}

// Whatever cuts an answer off leaves an unknown outcome.
func TestWritesWithoutAnAnswer(t *testing.T) {
	st := writeStand(t)
	id := lockstep.Key(st.ids("Product")[0])
	st.scan(products("sku"), 100)
	for _, fault := range []sandbox.Fault{sandbox.FaultLost, sandbox.Fault500, sandbox.Fault502, sandbox.Fault504, sandbox.FaultHTML} {
		st.srv.FailNext(fault, 1)
		if f := lockstep.FaultOf(st.apply(lockstep.Write{Key: id, Fields: value.F("name_en", "x "+string(fault))})[0].Err); f == nil || !f.Unknown {
			t.Errorf("%s: %v", fault, f)
		}
	}
}

// Pimcore says success for what it did not take: a unit that nobody knows.
func TestReadBackFindsWhatWasNotTaken(t *testing.T) {
	st := writeStand(t)
	id := lockstep.Key(st.ids("Product")[0])
	f := lockstep.FaultOf(st.apply(lockstep.Write{Key: id, Fields: value.F("weight", "3", "weight_unit", "furlong")})[0].Err)
	if f == nil || f.Code != lockstep.CodeValue || !strings.Contains(f.Error(), "weight_unit") {
		t.Error(f)
	}
}

// A localized field that must not be empty in any language comes in several saves: only the last is checked as a whole.
func TestMandatoryInEveryLanguage(t *testing.T) {
	st := newStand(t, sandbox.Options{
		Languages: []string{"en", "fr"},
		Classes:   []sandbox.Class{{ID: "T", Name: "Text", Fields: []sandbox.Field{{Name: "code", Kind: sandbox.Input}, {Name: "title", Kind: sandbox.Input, Localized: true, Mandatory: true}}}},
	}, "languages", []string{"en", "fr"}, "classes", map[string]lockstep.Settings{"Text": {"parent": "/", "object_key": "code"}})
	write := func(id lockstep.Key, pairs ...any) lockstep.Result {
		t.Helper()
		res, err := st.sys.Apply(t.Context(), "Text", []lockstep.Write{{Key: id, Fields: value.F(pairs...)}})
		st.do(err)
		return res[0]
	}
	res := write("", "code", "both", "title_en", "Hat", "title_fr", "Chapeau")
	st.do(res.Err)
	st.do(write(res.Key, "title_en", "Cap", "title_fr", "Casquette").Err)
	empty, err := st.srv.Create(sandbox.NewObject{Class: "Text", Path: "/", Key: "empty", Unchecked: true})
	st.do(err)
	st.do(write(key(empty), "title_en", "Hat", "title_fr", "Chapeau").Err)
	if f := lockstep.FaultOf(write("", "code", "one", "title_en", "Hat").Err); f == nil || f.Code != lockstep.CodeConstraint {
		t.Errorf("one language alone: %v", f)
	}
}

// Only a success that is said counts: half an answer to a delete is none.
func TestHalfAnAnswerToADelete(t *testing.T) {
	a := &applier{}
	for data, done := range map[string]bool{
		`{"m0":{"success":true,"message":""}}`:     true,
		`{"m0":{"success":false,"message":"why"}}`: false,
		`{"m0":null}`: false, `{}`: false, ``: false, `{"m0":{"success":tr`: false, `{"m0":{}}`: false,
	} {
		_, err := a.answer(&answer{data: data}, nil, document{name: "delete", write: true})
		if (err == nil) != done {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// Where the key is another field, the second language goes to the object that the create itself showed: no look-up.
func TestCreateByAnotherKey(t *testing.T) {
	st := writeStand(t, "key", "sku")
	st.scan(products("sku"), 100)
	before := st.srv.Requests()
	if key := st.put("NEW", "sku", "NEW", "name_en", "Hat", "name_de", "Hut"); key != "NEW" {
		t.Errorf("the key is %q", key)
	}
	if n := st.srv.Requests() - before; n != 3 { // is it there, the create, the second language
		t.Errorf("%d requests", n)
	}
	st.holds("NEW", "name_en", "Hat", "name_de", "Hut")
}
