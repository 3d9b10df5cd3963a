package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/value"
)

// schema is what a flow is built on: the fields of both sides. It is kept in a run of its own kind, as JSON.
type schema struct {
	From columns `json:"from"`
	To   columns `json:"to"`
}

type columns struct {
	Stream string   `json:"stream"`         // "system/stream"
	Gone   bool     `json:"gone,omitempty"` // there is no such stream
	Key    []string `json:"key,omitempty"`
	Fields []column `json:"fields,omitempty"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func columnsOf(name string, s *lockstep.Stream) columns {
	if s == nil {
		return columns{Stream: name, Gone: true}
	}
	c := columns{Stream: name, Key: s.Key}
	for _, f := range s.Fields {
		c.Fields = append(c.Fields, column{f.Name, typeText(f)})
	}
	return c
}

// typeText is a field's type as people write it.
func typeText(f lockstep.Field) string {
	text := f.Type.Native
	if text == "" {
		text = kindText(f.Type)
	}
	if !f.Nullable {
		text += " not null"
	}
	if f.ReadOnly {
		text += " computed"
	}
	return text
}

func kindText(t value.Type) string {
	switch {
	case t.Length > 0:
		return fmt.Sprintf("%s(%d)", t.Kind, t.Length)
	case t.Precision > 0:
		return fmt.Sprintf("%s(%d,%d)", t.Kind, t.Precision, t.Scale)
	case t.Bits > 0:
		return fmt.Sprintf("%s%d", t.Kind, t.Bits)
	}
	return t.Kind.String()
}

// schemaOf is what a flow is built on, as the systems describe it.
func schemaOf(f *config.Flow, from, to *lockstep.Stream) schema {
	return schema{columnsOf(f.From.System+"/"+f.From.Stream, from), columnsOf(f.To.System+"/"+f.To.Stream, to)}
}

// of tells whether the schema is one of the streams that the flow carries now.
func (s *schema) of(f *config.Flow) bool {
	return s.From.Stream == f.From.System+"/"+f.From.Stream && s.To.Stream == f.To.System+"/"+f.To.Stream
}

func (c columns) field(name string) *column {
	for i := range c.Fields {
		if c.Fields[i].Name == name {
			return &c.Fields[i]
		}
	}
	return nil
}

// changesOf are the differences between two schemas, the source's first. The order of fields is none.
func changesOf(was, is schema) []SchemaChange {
	return append(sideChanges("source", was.From, is.From), sideChanges("target", was.To, is.To)...)
}

func sideChanges(side string, was, is columns) []SchemaChange {
	if is.Gone || was.Gone {
		if is.Gone && !was.Gone {
			return []SchemaChange{{Side: side, What: "gone"}}
		}
		return nil // it came back: what it is now is new
	}
	var out []SchemaChange
	for _, c := range was.Fields {
		switch now := is.field(c.Name); {
		case now == nil:
			out = append(out, SchemaChange{Side: side, What: "dropped", Field: c.Name, Was: c.Type})
		case now.Type != c.Type:
			out = append(out, SchemaChange{Side: side, What: "retyped", Field: c.Name, Was: c.Type, Is: now.Type})
		}
	}
	for _, c := range is.Fields {
		if was.field(c.Name) == nil {
			out = append(out, SchemaChange{Side: side, What: "added", Field: c.Name, Is: c.Type})
		}
	}
	if !slices.Equal(was.Key, is.Key) {
		out = append(out, SchemaChange{Side: side, What: "key", Was: strings.Join(was.Key, ", "), Is: strings.Join(is.Key, ", ")})
	}
	return out
}

// changesText is changes as one sentence; a long list is cut.
func changesText(changes []SchemaChange) string {
	const most = 8
	var parts []string
	for i, c := range changes {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(changes)-most))
			break
		}
		parts = append(parts, c.String())
	}
	return strings.Join(parts, "; ")
}

// acceptedSchemas are the schemas that flows were built on, as far as there are any. A flow that carries other streams
// than it did has none.
func acceptedSchemas(ctx context.Context, store lockstep.Runs, flows []*config.Flow) (map[string]*schema, error) {
	out := map[string]*schema{}
	for _, f := range flows {
		rows, err := store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.SchemaRun, Max: 1})
		if err != nil {
			return nil, err
		}
		var s schema
		if len(rows) > 0 && json.Unmarshal(rows[0].Place, &s) == nil && s.of(f) {
			out[f.Name] = &s
		}
	}
	return out, nil
}

// acceptSchema notes what a flow is built on from now on.
func (h *House) acceptSchema(ctx context.Context, flow string, s schema, note string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return lockstep.NewFault(lockstep.CodeInvariant, err)
	}
	now := time.Now()
	_, err = h.store.StartRun(ctx, lockstep.Run{Flow: flow, Kind: lockstep.SchemaRun, State: lockstep.Finished, Started: now, Ended: now, Place: text, Note: note})
	return err
}
