package api

import (
	"context"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

func TestSpec(t *testing.T) { connectortest.CheckSpec(t, Connector.Spec()) }

func open(t testing.TB, key []string, fields ...string) *System {
	t.Helper()
	sys, err := Connector.Open(context.Background(), lockstep.Settings{"max_record": int64(1 << 20), "streams": map[string]lockstep.Settings{
		"s": {"key": key, "fields": fields},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*System)
}

func wantCode(t testing.TB, err error, code lockstep.Code) {
	t.Helper()
	if err == nil || lockstep.FaultOf(err).Code != code {
		t.Errorf("the error is %v, not %s", err, code)
	}
}

func TestSettings(t *testing.T) {
	for name, set := range map[string]lockstep.Settings{
		"no key":            {"fields": []string{"a"}},
		"a key that is not": {"key": []string{"b"}, "fields": []string{"a"}},
		"a key twice":       {"key": []string{"a", "a"}, "fields": []string{"a"}},
		"a list as key":     {"key": []string{"a"}, "fields": []string{"a list<text>"}},
		"no such type":      {"key": []string{"a"}, "fields": []string{"a integer"}},
		"a field twice":     {"key": []string{"a"}, "fields": []string{"a", "a int"}},
	} {
		_, err := Connector.Open(t.Context(), lockstep.Settings{"streams": map[string]lockstep.Settings{"s": set}})
		if err == nil || lockstep.FaultOf(err).Code != lockstep.CodeConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStreams(t *testing.T) {
	streams, err := open(t, []string{"id"}, "id int", "name").Streams(t.Context())
	if err != nil || len(streams) != 1 || !streams[0].Pulled || streams[0].Fields[0].Nullable || !streams[0].Fields[1].Nullable {
		t.Errorf("%+v %v", streams, err)
	}
}

// Nobody can read it or write to it.
func TestClosed(t *testing.T) {
	s := open(t, []string{"id"}, "id int")
	var source lockstep.Source = s
	var target lockstep.Target = s
	r := lockstep.Read{Stream: "s"}
	_, err := source.Scan(t.Context(), r, nil, lockstep.Limit{})
	wantCode(t, err, lockstep.CodeCannot)
	_, err = source.Changes(t.Context(), r, nil, lockstep.Limit{})
	wantCode(t, err, lockstep.CodeCannot)
	_, err = source.Fetch(t.Context(), r, nil)
	wantCode(t, err, lockstep.CodeCannot)
	_, err = target.Find(t.Context(), r, nil, nil)
	wantCode(t, err, lockstep.CodeCannot)
	_, err = target.Apply(t.Context(), "s", nil)
	wantCode(t, err, lockstep.CodeCannot)
	for _, by := range []lockstep.Tracker{lockstep.Push, lockstep.Snapshot} {
		r.Track.By = by
		if found, err := s.Examine(t.Context(), r); err != nil || len(found) != 1 || found[0].Next == "" {
			t.Errorf("%v %v", found, err)
		}
	}
}

func TestDecode(t *testing.T) {
	s := open(t, []string{"id"}, "id int", "name text(5)", "price decimal(6,2)", "at instant", "tags list<text(3)>", "raw bytes(2)", "doc json")
	c, err := s.Decode("s", Pushed{Fields: `{"id":"007","name":"čšžab","price":1234.50,"at":"2026-01-02T03:04:05+01:00","tags":["a",null],"raw":"AAE=","doc":{"a":[1]}}`, Version: "v", At: "2026-01-02T03:04:05Z"})
	if err != nil || c.Record.Key != "7" || c.Op != lockstep.Upsert || c.Record.Version != "v" || c.Record.At.IsZero() {
		t.Errorf("%+v %v", c, err)
	}
	if got := string(value.AppendFields(nil, c.Record.Fields)); got != `{"id":7,"name":"čšžab","price":1234.50,"at":"2026-01-02T03:04:05+01:00","tags":["a",null],"raw":"AAE=","doc":{"a":[1]}}` &&
		!strings.Contains(got, `"price":1234.50`) {
		t.Error(got)
	}
	if c, err := s.Decode("s", Pushed{Op: "upsert", Key: "07", Fields: `{"name":null}`}); err != nil || c.Record.Key != "7" || c.Record.Fields.Len() != 7 {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := s.Decode("s", Pushed{Op: "delete", Key: "7"}); err != nil || c.Op != lockstep.Delete || c.Record.Key != "7" || c.Record.Fields.Len() != 0 {
		t.Errorf("%+v %v", c, err)
	}
	for name, bad := range map[string]struct {
		p    Pushed
		code lockstep.Code
	}{
		"op":             {Pushed{Op: "insert", Key: "7"}, lockstep.CodeUsage},
		"no key":         {Pushed{Fields: `{"name":"a"}`}, lockstep.CodeNullKey},
		"null key":       {Pushed{Fields: `{"id":null}`}, lockstep.CodeNullKey},
		"keys disagree":  {Pushed{Key: "8", Fields: `{"id":7}`}, lockstep.CodeKey},
		"key is no int":  {Pushed{Key: "seven"}, lockstep.CodeKey},
		"no such field":  {Pushed{Fields: `{"id":7,"nam":"a"}`}, lockstep.CodeNoField},
		"twice":          {Pushed{Fields: `{"id":7,"id":8}`}, lockstep.CodeValue},
		"no object":      {Pushed{Key: "7", Fields: `[1]`}, lockstep.CodeValue},
		"cut off":        {Pushed{Key: "7", Fields: `{"id":7`}, lockstep.CodeValue},
		"long text":      {Pushed{Fields: `{"id":7,"name":"abcdef"}`}, lockstep.CodeValue},
		"digits":         {Pushed{Fields: `{"id":7,"price":1.234}`}, lockstep.CodeValue},
		"whole digits":   {Pushed{Fields: `{"id":7,"price":12345}`}, lockstep.CodeValue},
		"no number":      {Pushed{Fields: `{"id":7,"price":"secret"}`}, lockstep.CodeValue},
		"no instant":     {Pushed{Fields: `{"id":7,"at":"yesterday"}`}, lockstep.CodeValue},
		"item too long":  {Pushed{Fields: `{"id":7,"tags":["abcd"]}`}, lockstep.CodeValue},
		"bytes too long": {Pushed{Fields: `{"id":7,"raw":"AAAA"}`}, lockstep.CodeValue},
		"at":             {Pushed{Key: "7", At: "now"}, lockstep.CodeValue},
		"too large":      {Pushed{Key: "7", Fields: `{"doc":"` + strings.Repeat("x", 1<<20) + `"}`}, lockstep.CodeTooLarge},
		"a bomb":         {Pushed{Key: "7", Fields: `{"doc":[` + strings.Repeat("1e19999,", 1000) + `0]}`}, lockstep.CodeTooLarge},
		"long key":       {Pushed{Key: strings.Repeat("7", 2000)}, lockstep.CodeKey},
		"long version":   {Pushed{Key: "7", Version: strings.Repeat("7", 2000)}, lockstep.CodeKey},
	} {
		_, err := s.Decode("s", bad.p)
		if err == nil || lockstep.FaultOf(err).Code != bad.code {
			t.Errorf("%s: %v, not %s", name, err, bad.code)
		}
		if err != nil && strings.Contains(err.Error(), "secret") { // law 12
			t.Errorf("%s: the error holds a value: %v", name, err)
		}
	}
	_, err = s.Decode("t", Pushed{Key: "7"})
	wantCode(t, err, lockstep.CodeNoStream)
}

func TestCompositeKeys(t *testing.T) {
	s := open(t, []string{"a", "b"}, "a text", "b bytes", "c")
	c, err := s.Decode("s", Pushed{Fields: `{"a":"x","b":"AAE="}`})
	if err != nil || c.Record.Key != `["x","0001"]` {
		t.Errorf("%+v %v", c, err)
	}
	again, err := s.Decode("s", Pushed{Key: string(c.Record.Key), Fields: `{"c":"z"}`})
	if err != nil || again.Record.Key != c.Record.Key {
		t.Errorf("%+v %v", again, err)
	}
	_, err = s.Decode("s", Pushed{Key: "x"})
	wantCode(t, err, lockstep.CodeKey)
}

// What is handed out can be pushed: the corpus of types goes out and comes in as it was.
func TestTypesSurvive(t *testing.T) {
	for _, sample := range connectortest.Corpus() {
		t.Run(sample.Name, func(t *testing.T) {
			s := open(t, []string{"id"}, "id int", "v "+typetext.Of(sample.Type))
			for _, v := range append(sample.Values, value.Null) {
				text, err := s.AppendFields(nil, "s", value.NewNames("id", "v").Fields([]value.Value{value.Int(1), v}))
				if err != nil {
					t.Fatal(err)
				}
				c, err := s.Decode("s", Pushed{Fields: string(text)})
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				again, err := s.AppendFields(nil, "s", c.Record.Fields)
				if got, _ := c.Record.Fields.Get("v"); err != nil || string(again) != string(text) || got.Kind() != v.Kind() && sample.Name != "uint64" && sample.Name != "json" && sample.Name != "decimal" {
					if sample.Type.Kind == value.DecimalType || sample.Type.Kind == value.FloatType || sample.Type.Kind == value.JSONType {
						continue // a whole one may come as an int: image.Coerce makes them one
					}
					t.Errorf("%s came back as %s, a %s", text, again, got.Kind())
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("", "", `{"id":1,"name":"a"}`)
	f.Add("delete", "1", "")
	f.Add("upsert", `["1"]`, `{"id":1e400,"price":"1e20000"}`)
	s := open(f, []string{"id"}, "id decimal(5,1)", "name text(5)", "price decimal", "tags list<int>", "doc json", "raw bytes", "at wall(s)")
	f.Fuzz(func(t *testing.T, op, key, fields string) {
		c, err := s.Decode("s", Pushed{Op: op, Key: key, Fields: fields})
		if err != nil {
			if _, is := err.(*lockstep.Fault); !is {
				t.Errorf("%v is no fault", err)
			}
			return
		}
		if c.Record.Key == "" || len(c.Record.Key) > maxText {
			t.Errorf("the key %q", c.Record.Key)
		}
		if again, err := s.Decode("s", Pushed{Op: op, Key: string(c.Record.Key), Fields: fields}); err != nil || again.Record.Key != c.Record.Key {
			t.Errorf("%v %v", again, err)
		}
	})
}
