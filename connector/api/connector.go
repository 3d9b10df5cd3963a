// Package api is the system without a connector: a program that speaks to lockstep's HTTP API. As a source it pushes its
// records; as a target it pulls what it is to write, and settles it. What its streams hold is declared in the settings,
// for nobody can ask it. The package knows how records are written in plain JSON; who calls, and when, is not its matter.
package api

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// Connector makes systems of what the settings declare.
var Connector lockstep.Connector = connector{}

type connector struct{}

const defaultMaxRecord = int64(1 << 20)

// Spec describes the connector.
func (connector) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind: "api",
		Summary: "A program that calls lockstep's HTTP API: as a source it pushes records (`POST /v1/flows/FLOW/changes`), as a target it pulls them " +
			"(`/lease`) and settles each (`/settle`). For systems that have no connector. It cannot be read: as a source it is tracked by push and has no " +
			"full sync, as a target nothing is looked up in it, so what was not settled is handed out again.",
		Source: true, Target: true,
		Trackers: []lockstep.Tracker{lockstep.Push},
		Settings: []lockstep.Setting{
			{Name: "max_record", Type: lockstep.SizeSetting, Default: defaultMaxRecord, Help: "The largest record that may be pushed, as JSON; one above it is refused and the others go on."},
			{Name: "streams", Type: lockstep.TableSetting, Required: true, Help: "The streams, by name: what the program's records hold.", Fields: []lockstep.Setting{
				{Name: "key", Type: lockstep.TextsSetting, Required: true, Help: "The fields that make the key, in order."},
				{Name: "fields", Type: lockstep.TextsSetting, Required: true, Help: "The fields with their types, such as \"price decimal(12,2)\"; one without a type is text. " +
					"Types: text, int, float, decimal, bool, date, wall (date and time), instant, clock, bytes (base64), uuid, json, list<text>."},
				{Name: "server_keys", Type: lockstep.BoolSetting, Help: "As a target: the program chooses the key of a record that it makes, and settles with it."},
			}},
		},
		Example: "type: api\nstreams:\n  products:\n    key: [sku]\n    fields: [sku text, name text, \"price decimal(12,2)\", changed instant]",
	}
}

// System is a program that calls.
type System struct {
	maxRecord int
	streams   map[string]*stream
}

type stream struct {
	lockstep.Stream
	names *value.Names
	index map[string]int // of fields, by name
}

// Open reads the settings.
func (connector) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sys := &System{maxRecord: int(s.Int("max_record")), streams: map[string]*stream{}}
	if sys.maxRecord <= 0 {
		sys.maxRecord = int(defaultMaxRecord)
	}
	for name, set := range s.Table("streams") {
		st, err := declared(name, set)
		if err != nil {
			return nil, lockstep.Faultf(lockstep.CodeConfig, "streams.%s: %w", name, err)
		}
		sys.streams[name] = st
	}
	return sys, nil
}

func declared(name string, s lockstep.Settings) (*stream, error) {
	fields, err := typetext.Fields(s.Texts("fields"))
	if err != nil {
		return nil, fmt.Errorf("fields: %w", err)
	}
	st := &stream{index: map[string]int{}}
	st.Name, st.Fields, st.Key, st.ServerKeys, st.Pulled, st.About = name, fields, s.Texts("key"), s.Bool("server_keys"), true, -1
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i], st.index[f.Name] = f.Name, i
	}
	if len(st.Key) == 0 {
		return nil, fmt.Errorf("key: a stream needs one")
	}
	for i, key := range st.Key {
		at, there := st.index[key]
		switch {
		case !there:
			return nil, fmt.Errorf("key: %s is not among the fields", key)
		case slices.Contains(st.Key[:i], key):
			return nil, fmt.Errorf("key: %s is there twice", key)
		}
		st.Fields[at].Nullable = false
		switch kind := st.Fields[at].Type.Kind; kind {
		case value.AnyType, value.JSONType, value.ListType, value.ObjectType:
			return nil, fmt.Errorf("key: a field of type %s cannot be a part of a key", typetext.Of(st.Fields[at].Type))
		}
	}
	st.names = value.NewNames(names...)
	return st, nil
}

// Streams are those that are declared.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []lockstep.Stream
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		st := s.streams[name].Stream
		st.Fields, st.Key = slices.Clone(st.Fields), slices.Clone(st.Key)
		out = append(out, st)
	}
	return out, nil
}

// Close has nothing to close.
func (s *System) Close() error { return nil }

func (s *System) stream(name string) (*stream, error) {
	if st := s.streams[name]; st != nil {
		return st, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeNoStream, "no stream %q is declared", name).On(lockstep.About{Stream: name})
}
