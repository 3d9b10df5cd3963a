package pimcore

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// What the endpoint answers, and what it is to lockstep.
func TestAnswersAreClassified(t *testing.T) {
	const html = "<!DOCTYPE html>\n<html><body>secret-token</body></html>"
	const half = `{"data":{"getProductListing":{"edges":[{"node":{"id":"1","modificationDate":1,"sku":"a"}}]}}}`
	for name, c := range map[string]struct {
		status int
		body   string
		header string // Retry-After
		want   lockstep.Code
		kind   lockstep.FaultKind
	}{
		"wrong key":              {403, html, "", lockstep.CodeLogin, lockstep.Denied},
		"unknown endpoint":       {404, html, "", lockstep.CodeNoStream, lockstep.Denied},
		"a redirect":             {302, html, "", lockstep.CodeCannot, lockstep.Denied},
		"throttled":              {429, "", "7", lockstep.CodeThrottled, lockstep.Throttled},
		"busy":                   {503, html, "7", lockstep.CodeThrottled, lockstep.Throttled},
		"a proxy's page":         {502, html, "", lockstep.CodeUnavailable, lockstep.Unavailable},
		"a proxy's patience":     {504, html, "", lockstep.CodeTimeout, lockstep.Transient},
		"out of memory":          {500, "", "", lockstep.CodeServer, lockstep.Transient},
		"HTML with 200":          {200, html, "", lockstep.CodeUnavailable, lockstep.Unavailable},
		"nothing with 200":       {200, "", "", lockstep.CodeServer, lockstep.Transient},
		"a word with 200":        {200, "Fatal error: secret-token", "", lockstep.CodeServer, lockstep.Transient},
		"cut":                    {200, half[:60], "", lockstep.CodeNetwork, lockstep.Transient},
		"more behind":            {200, half + half, "", lockstep.CodeNetwork, lockstep.Transient},
		"neither data nor error": {200, `{"data":null}`, "", lockstep.CodeServer, lockstep.Transient},
		"syntax": {200, `{"errors":[{"message":"Syntax Error: Unexpected <EOF>","locations":[{"line":1,"column":1}]}]}`, "",
			lockstep.CodeUnclassified, lockstep.Unclassified},
		"a count without a page": {200, `{"errors":[{"message":"Internal server error","path":["getProductListing","edges"]}],"data":{"getProductListing":{"totalCount":6,"edges":null}}}`, "",
			lockstep.CodeServer, lockstep.Transient},
		"a page with an error": {200, strings.TrimSuffix(half, "}") + `,"errors":[{"message":"Internal server error","path":["getProductListing","edges",1,"node","sku"]}]}`, "",
			lockstep.CodeServer, lockstep.Transient},
		"a page missing without a word": {200, `{"data":{"getProductListing":{"totalCount":6,"edges":null}}}`, "", lockstep.CodeServer, lockstep.Transient},
		"no listing without a word":     {200, `{"data":{"getProductListing":null}}`, "", lockstep.CodeServer, lockstep.Transient},
		"a listing without a page":      {200, `{"data":{"getProductListing":{"totalCount":0}}}`, "", lockstep.CodeServer, lockstep.Transient},
		"an object without a date":      {200, `{"data":{"getProductListing":{"edges":[{"node":{"id":"1"}}]}}}`, "", lockstep.CodeServer, lockstep.Transient},
		"denied": {200, `{"errors":[{"message":"permission denied. check your workspace settings","path":["getProductListing"]}],"data":{"getProductListing":null}}`, "",
			lockstep.CodeRights, lockstep.Denied},
	} {
		e := newEndpoint(t, productTypes())
		e.answer = func(w http.ResponseWriter, _ string, _ map[string]any) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.Header().Set("Location", "https://login.example.com/?token=secret-token")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}
		s := e.open(t, "version", "11")
		_, err := s.Scan(t.Context(), products("sku"), nil, lockstep.Limit{Rows: 1})
		f := lockstep.FaultOf(err)
		if f == nil || f.Code != c.want || f.Kind != c.kind || f.Unknown {
			t.Errorf("%s: %v, want %s", name, err, c.want)
			continue
		}
		if c.header != "" && f.Wait != 7*time.Second {
			t.Errorf("%s: waits %s", name, f.Wait)
		}
		if text := f.Error() + f.Next; strings.Contains(text, "secret") || strings.Contains(text, "0123456789abcdef") {
			t.Errorf("%s: the fault shows a secret: %s", name, text)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	sys, err := Connector.Open(t.Context(), lockstep.Settings{"url": "http://127.0.0.1:1/x", "api_key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sys.Streams(t.Context()); lockstep.FaultOf(err).Code != lockstep.CodeUnavailable {
		t.Errorf("%v", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	e := newEndpoint(t, productTypes())
	e.answer = func(w http.ResponseWriter, _ string, _ map[string]any) {
		io.WriteString(w, `{"data":"`)
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return
			}
		}
	}
	s := e.open(t, "version", "11", "max_body", int64(100_000))
	if _, err := s.Scan(t.Context(), products("sku"), nil, lockstep.Limit{Rows: 1}); lockstep.FaultOf(err).Code != lockstep.CodeTooLarge {
		t.Errorf("%v", err)
	}
}

// An output cache answers equal bodies, mutations among them, without running them: no two are equal.
func TestNoTwoBodiesAreEqual(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 3, OutputCache: time.Hour})
	r := products("sku", "stock")
	id := st.srv.IDs("Product")[0]
	st.fetch(r, id)
	st.do(st.srv.SilentEdit(id, map[string]any{"stock": int64(4711)})) // clears no cache
	if got := st.fetch(r, id)[key(id)]; text(got.Fields, "stock") != "4711" {
		t.Errorf("an answer of the cache is read: %v", got.Fields)
	}
	e := newEndpoint(t, productTypes())
	e.answer = func(w http.ResponseWriter, _ string, _ map[string]any) {
		io.WriteString(w, `{"data":{"getProductListing":{"totalCount":0,"edges":[]}}}`)
	}
	s := e.open(t, "version", "11")
	for range 3 {
		if _, err := s.Scan(t.Context(), r, nil, lockstep.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, b := range e.bodies {
		if seen[b] {
			t.Errorf("twice: %s", b)
		}
		seen[b] = true
	}
}

// One object that Pimcore fails on, or that alone is larger than an answer may be, does not stop the page (law 4).
func TestABadObjectHurtsOnlyItself(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 20})
	ids := st.srv.IDs("Product")
	st.do(st.srv.Save(ids[5], map[string]any{"description@en": strings.Repeat("x", 300_000)}))
	st.sys = st.open("max_body", int64(200_000))
	got := st.scan(products("sku", "description_en"), 100)
	if len(got) != len(ids) {
		t.Errorf("%d objects of %d", len(got), len(ids))
	}
	for k, c := range got {
		if (c.Fault != nil) != (k == key(ids[5])) {
			t.Errorf("%s: %v", k, c.Fault)
		}
	}
	if f := got[key(ids[5])].Fault; f == nil || f.Code != lockstep.CodeTooLarge {
		t.Errorf("%v", f)
	}
	if _, err := st.sys.Fetch(t.Context(), products("sku", "description_en"), []lockstep.Key{key(ids[5])}); lockstep.FaultOf(err).Code != lockstep.CodeTooLarge {
		t.Errorf("fetch: %v", err)
	}
}

// A value that is not what was declared parks its record alone, and shows nothing of it.
func TestAWrongValueParksItsRecord(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 9}, "classes", classSet("fields", map[string]string{"n": "color int", "maker": "manufacturer.name int"}))
	ids := st.srv.IDs("Product")
	for _, id := range ids {
		st.do(st.srv.Save(id, map[string]any{"color": "12", "manufacturer": nil}))
	}
	st.do(st.srv.Save(ids[2], map[string]any{"color": "secret"}))
	for k, c := range st.scan(products("n", "sku", "maker"), 4) {
		switch {
		case k != key(ids[2]) && (c.Fault != nil || text(c.Record.Fields, "n") != "12"):
			t.Errorf("%s: %v %v", k, c.Fault, c.Record.Fields)
		case k == key(ids[2]) && (c.Fault == nil || c.Fault.Code != lockstep.CodeValue || c.Fault.About.Field != "n" || strings.Contains(c.Fault.Error(), "secret")):
			t.Errorf("%v", c.Fault)
		}
	}
}

func TestAnotherKey(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 15}, "classes", classSet("key", "sku"))
	ids := st.srv.IDs("Product")
	sku := func(id int) lockstep.Key {
		o, _ := st.srv.Get(id)
		return lockstep.Key(o.Values["sku"].(string))
	}
	if got := st.scan(products("name_en"), 4); len(got) != len(ids) || got[sku(ids[3])].Record.Key == "" {
		t.Errorf("%d objects", len(got))
	}
	recs, err := st.sys.Fetch(t.Context(), products("name_en"), []lockstep.Key{sku(ids[0]), sku(ids[7]), "nobody", "", lockstep.Key(strings.ToLower(string(sku(ids[2]))))})
	if err != nil || len(recs) != 2 {
		t.Errorf("%v, %v", recs, err)
	}
	st.do(st.srv.Save(ids[1], map[string]any{"sku": ""}))
	nulls := 0
	for _, c := range st.scan(products("name_en"), 50) {
		if c.Fault != nil && c.Fault.Code == lockstep.CodeNullKey {
			nulls++
		}
	}
	if nulls != 1 {
		t.Errorf("%d records without a key", nulls)
	}
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: "/Products"}, {Path: "/", Assets: true, Read: true}})
	if _, err := st.sys.Fetch(t.Context(), products("name_en"), []lockstep.Key{sku(ids[0])}); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeHidden {
		t.Errorf("what may not be seen is taken for gone: %v", err)
	}
}

// Where the endpoint's policy is to fail on relations that are not permitted, it is their records that fail.
func TestAPolicyThatFailsHurtsOnlyItsRecords(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 12, NotAllowedFails: true})
	ids, makers := st.srv.IDs("Product"), st.srv.IDs("Manufacturer")
	for _, id := range ids {
		st.do(st.srv.Save(id, map[string]any{"manufacturer": nil}))
	}
	st.do(st.srv.Save(ids[2], map[string]any{"manufacturer": sandbox.Ref{ID: makers[0]}}))
	st.srv.SetWorkspaces([]sandbox.Workspace{{Path: "/", Read: true}, {Path: "/Manufacturers"}, {Path: "/", Assets: true, Read: true}})
	got := st.scan(products("sku", "manufacturer"), 50)
	if len(got) != len(ids) {
		t.Errorf("%d objects of %d", len(got), len(ids))
	}
	for k, c := range got {
		id, _ := strconv.Atoi(string(k))
		o, _ := st.srv.Get(id)
		if bad := id == ids[2] || o.Parent == ids[2]; (c.Fault != nil) != bad || bad && c.Fault.Code != lockstep.CodeHidden {
			t.Errorf("%s: %v", k, c.Fault)
		}
	}
}

// An object that nobody ever stamped has a date of null; that is not half an answer.
func TestAnObjectWithoutAnyDate(t *testing.T) {
	e := newEndpoint(t, productTypes())
	e.answer = func(w http.ResponseWriter, _ string, _ map[string]any) {
		io.WriteString(w, `{"data":{"getProductListing":{"totalCount":1,"edges":[{"node":{"id":"7","modificationDate":null,"sku":"a"}}]}}}`)
	}
	page, err := e.open(t, "version", "11").Scan(t.Context(), products("sku"), nil, lockstep.Limit{})
	if err != nil || len(page.Changes) != 1 || page.Changes[0].Record.Version != "0" || page.More {
		t.Errorf("%+v, %v", page, err)
	}
}
