package pimcore

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

func (st *stand) hints(r lockstep.Read, body string) []lockstep.Key {
	st.Helper()
	keys, err := st.sys.Hints(st.Context(), r, []byte(body))
	if err != nil {
		st.Fatalf("%s: %v", body, err)
	}
	return keys
}

func TestNotices(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12})
	ids := st.srv.IDs("Product")
	st.sys = st.open("classes", classSet("inherits", false))
	event := func(format string, args ...any) string {
		return `{"source":"pimcore","sent":1,"events":[` + fmt.Sprintf(format, args...) + `]}`
	}
	for name, c := range map[string]struct {
		body string
		want []lockstep.Key
	}{
		"saved":            {event(`{"event":"pimcore.dataobject.postUpdate","kind":"object","id":%d,"type":"object","class":"Product","path":"/Products/x","oldPath":null,"published":true}`, ids[0]), []lockstep.Key{key(ids[0])}},
		"added and again":  {event(`{"event":"pimcore.dataobject.postAdd","kind":"object","id":7,"class":"Product"},{"event":"pimcore.dataobject.postUpdate","kind":"object","id":"7","class":"Product"}`), []lockstep.Key{"7"}},
		"deleted":          {event(`{"event":"pimcore.dataobject.postDelete","kind":"object","id":11,"type":"object","class":"Product","path":"/Products/y"}`), []lockstep.Key{"11"}},
		"another class":    {event(`{"event":"pimcore.dataobject.postUpdate","kind":"object","id":5,"type":"object","class":"Category","path":"/Categories/y"}`), nil},
		"an asset":         {event(`{"event":"pimcore.asset.postUpdate","kind":"asset","id":5,"type":"image","path":"/a.png"}`), nil},
		"a document":       {event(`{"event":"pimcore.document.postUpdate","kind":"document","id":5,"type":"page","path":"/a"}`), nil},
		"a draft":          {event(`{"event":"pimcore.dataobject.postUpdate","kind":"object","id":5,"class":"Product","saveVersionOnly":true}`), nil},
		"an autosave":      {event(`{"event":"pimcore.dataobject.postUpdate","kind":"object","id":5,"class":"Product","isAutoSave":true}`), nil},
		"a failure":        {event(`{"event":"pimcore.dataobject.postUpdateFailure","kind":"object","id":5,"class":"Product"}`), nil},
		"before":           {event(`{"event":"pimcore.dataobject.preUpdate","kind":"object","id":5,"class":"Product"}`), nil},
		"nothing":          {`{"source":"pimcore","events":[]}`, nil},
		"commercial":       {`{"general":{"eventName":"pimcore.dataobject.postUpdate","timestamp":1,"subjectType":"object","versionOnly":false},"subject":{"id":11,"path":"/Products/p-0002","published":true,"type":"Product","Name (name)":"Shirt 2"}}`, []lockstep.Key{"11"}},
		"commercial draft": {`{"general":{"eventName":"pimcore.dataobject.postUpdate","subjectType":"object","versionOnly":true},"subject":{"id":11,"type":"Product"}}`, nil},
		"commercial other": {`{"general":{"eventName":"pimcore.dataobject.postUpdate","subjectType":"object"},"subject":{"id":11,"type":"Category"}}`, nil},
		"commercial plain": {`{"general":{"eventName":"pimcore.dataobject.postDelete","subjectType":"object"},"subject":{"id":11,"type":"variant"}}`, []lockstep.Key{"11"}},
		"commercial asset": {`{"general":{"eventName":"pimcore.asset.postUpdate","subjectType":"asset"},"subject":{"id":11,"type":"image"}}`, nil},
	} {
		if got := st.hints(products("sku"), c.body); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, body := range []string{"", "{", "[]", "null", "1", `"x"`, "{}", `{"keys":["1"]}`, `{"general":{}}`, `{"events":{}}`, `{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","class":"Product"}]}`,
		`{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","class":"Product","id":"1 OR 1"}]}`} {
		if _, err := st.sys.Hints(t.Context(), products("sku"), []byte(body)); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeNotice {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// The contract's own examples of both bodies.
func TestNoticesOfTheContract(t *testing.T) {
	raw, err := os.ReadFile("../../../shared/contracts/pimcore/examples.json")
	if err != nil {
		t.Skip("the contract's examples are not beside the repository")
	}
	var examples map[string]json.RawMessage
	if err := json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	st := newStand(t, sandbox.Options{Products: 2})
	for name, want := range map[string][]lockstep.Key{"our_listener_body": {"10", "11"}, "datahub_webhook_body": {"11"}} {
		var e struct{ Body json.RawMessage }
		if err := json.Unmarshal(examples[name], &e); err != nil {
			t.Fatal(err)
		}
		if got := st.hints(products("sku"), string(e.Body)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What lies below a folder that moved has another path and neither an event nor a date; nor has what inherits.
func TestANoticeTouchesWhatLiesBelow(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 30}, "page", int64(4))
	folder, other := st.srv.ByPath("/Products/outdoor"), st.srv.ByPath("/Categories")
	if folder == 0 || other == 0 {
		t.Fatal("the catalogue has other folders")
	}
	st.do(st.srv.Move(folder, other))
	var want []lockstep.Key
	parent := 0
	for _, id := range st.srv.IDs("Product") {
		o, _ := st.srv.Get(id)
		if len(o.Fullpath) > 20 && o.Fullpath[:20] == "/Categories/outdoor/" {
			want = append(want, key(id))
		}
		if o.Kind == "variant" && parent == 0 {
			parent = o.Parent
		}
	}
	got := st.hints(products("fullpath"), fmt.Sprintf(`{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","id":%d,"type":"folder","class":null,"path":"/Categories/outdoor","oldPath":"/Products/outdoor"}]}`, folder))
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) < 6 {
		t.Errorf("%q, want %q", got, want)
	}
	o, _ := st.srv.Get(parent)
	notice := fmt.Sprintf(`{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","id":%d,"type":"object","class":"Product","path":%q,"oldPath":null}]}`, parent, o.Fullpath)
	if got := st.hints(products("sku"), notice); len(got) < 2 || !slices.Contains(got, key(parent)) {
		t.Errorf("variants of %d: %q", parent, got)
	}
	st.srv.FailNext(sandbox.Fault502, 1)
	_, err := st.sys.Hints(t.Context(), products("sku"), []byte(notice))
	if f := lockstep.FaultOf(err); f == nil || f.Kind != lockstep.Unavailable {
		t.Errorf("the endpoint does not answer: %v", err)
	}
}

// Where the key is another field than the id, a notice is translated.
func TestNoticesOfAnotherKey(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 6}, "classes", classSet("key", "sku", "inherits", false))
	id := st.srv.IDs("Product")[0]
	o, _ := st.srv.Get(id)
	got := st.hints(products("sku"), fmt.Sprintf(`{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","id":%d,"class":"Product"},{"event":"pimcore.dataobject.postDelete","kind":"object","id":99999,"class":"Product"}]}`, id))
	if want := []lockstep.Key{lockstep.Key(fmt.Sprint(o.Values["sku"]))}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzNotice(f *testing.F) {
	f.Add([]byte(`{"events":[{"event":"pimcore.dataobject.postUpdate","kind":"object","id":10,"type":"object","class":"Product","path":"/a","oldPath":"/b"}]}`))
	f.Add([]byte(`{"general":{"eventName":"pimcore.dataobject.postUpdate","subjectType":"object","versionOnly":false},"subject":{"id":"11","type":"Product"}}`))
	f.Add([]byte(`{"events":[{"id":{}},{"id":[1]},null]}`))
	c := &class{name: "Product", conf: plainClass}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := readNotice(body)
		if err != nil {
			return
		}
		for _, id := range c.touched(events).ids {
			if !isID(id) {
				t.Errorf("%q is taken for an id of %q", id, body)
			}
		}
	})
}
