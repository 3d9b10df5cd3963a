package pimcore

import (
	"context"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/value"
)

func TestContract(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Connector: Connector,
		New:       newPlace,
		LoneKey:   true,
		Holds:     holds,
		Tracks:    []connectortest.Track{{Track: lockstep.Track{By: lockstep.Timestamp, Overlap: -1}, Rereads: true}},
	})
}

// holds are the types that the classes of the stand-in have: numbers go through GraphQL's Int of 32 bits and through a
// double, times are whole seconds.
func holds(s connectortest.Sample) bool {
	return slices.Contains([]string{"bool", "int16", "int32", "decimal(12,2)", "float64", "float32", "text", "text(10)", "uuid", "date", "wall in seconds"}, s.Name)
}

// newPlace is a stand-in with a class for each stream: fields by an alias, for Pimcore has an id and dates of its own.
func newPlace(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
	t.Helper()
	classes, settings := []sandbox.Class{}, map[string]lockstep.Settings{}
	for _, s := range streams {
		c := sandbox.Class{ID: s.Name, Name: s.Name}
		fields := map[string]string{}
		for _, f := range s.Fields {
			if f.Name == "changed" { // the time of the write
				fields[f.Name] = "modificationDate instant(s)"
				continue
			}
			c.Fields = append(c.Fields, sandbox.Field{Name: "f_" + f.Name, Kind: kindOf(f.Type)})
			fields[f.Name] = "f_" + f.Name + " " + typetext.Of(f.Type)
		}
		classes = append(classes, c)
		settings[s.Name] = lockstep.Settings{"key": s.Key[0], "fields": fields, "parent": "/", "object_key": s.Key[0]}
	}
	srv, err := sandbox.New(sandbox.Options{Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	p := &place{srv: srv, keys: streams, ids: map[string]int{}}
	return connectortest.Place{
		Open: func(ctx context.Context) (lockstep.System, error) {
			return Connector.Open(ctx, lockstep.Settings{"url": web.URL + srv.Path(), "api_key": srv.Key(), "classes": settings})
		},
		Put: p.put, Delete: p.remove,
	}
}

func kindOf(t value.Type) sandbox.Kind {
	switch t.Kind {
	case value.IntType:
		return sandbox.Integer
	case value.DecimalType, value.FloatType:
		return sandbox.Numeric
	case value.BoolType:
		return sandbox.Checkbox
	}
	return sandbox.Textarea
}

// place edits a stand-in as people do.
type place struct {
	srv  *sandbox.Server
	keys []lockstep.Stream
	mu   sync.Mutex
	ids  map[string]int // by stream and key
	made int
}

func (p *place) put(t *testing.T, stream string, records ...value.Fields) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range records {
		values, date := map[string]any{}, int64(0)
		for name, v := range f.All() {
			if name == "changed" {
				if !v.IsNull() {
					date = v.Time().Unix()
				}
				continue
			}
			values["f_"+name] = plain(v)
		}
		at := stream + "/" + p.keyOf(stream, f)
		var err error
		if id := p.ids[at]; id != 0 {
			err = p.srv.SaveWithDate(id, values, date)
		} else {
			p.made++
			p.ids[at], err = p.srv.Create(sandbox.NewObject{Class: stream, Parent: 1, Key: "o" + value.Int(int64(p.made)).String(), Values: values, Date: date})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (p *place) keyOf(stream string, f value.Fields) string {
	for _, s := range p.keys {
		if s.Name == stream {
			v, _ := f.Get(s.Key[0])
			return v.String()
		}
	}
	return ""
}

func (p *place) remove(t *testing.T, stream string, keys ...lockstep.Key) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		if id := p.ids[stream+"/"+string(k)]; id != 0 {
			if err := p.srv.Delete(id); err != nil {
				t.Fatal(err)
			}
			delete(p.ids, stream+"/"+string(k))
		}
	}
}

func plain(v value.Value) any {
	switch v.Kind() {
	case value.KindNull:
		return nil
	case value.KindInt:
		return v.Int()
	case value.KindBool:
		return v.Bool()
	case value.KindText:
		return v.Text()
	case value.KindFloat:
		return v.Float()
	}
	f, err := strconv.ParseFloat(v.String(), 64)
	if err != nil {
		return v.String()
	}
	return f
}
