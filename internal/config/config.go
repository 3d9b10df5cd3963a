// Package config reads the one file that says what lockstep does. It is strict: every mistake is reported, all at
// once, with its place and what may be meant. Decoder, JSON schema and reference come from the same shapes.
package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	"github.com/lockstep-sync/lockstep/value"
)

// Config is a checked configuration, defaults filled in.
type Config struct {
	File      string        // as it was given
	Dir       string        // its folder: relative paths begin there
	Store     string        // path of the store
	Socket    string        // path of the socket that the commands use
	Retention time.Duration // of the timeline
	Zone      *time.Location
	Log       Log
	API       *API      // nil for none
	Systems   []*System // in the order of the file
	Flows     []*Flow
	Pairs     []*Pair // two flows each

	src   *source
	marks map[string]*yaml.Node
}

// Log says what is logged and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// System is a configured system.
type System struct {
	Name      string
	Pos       Pos
	Type      string
	Connector lockstep.Connector `json:"-"`
	Allow     []Allowed          // by stream; nil allows everything
	Limits    Limits

	settings func() lockstep.Settings // a func, so that printing a System shows no secret (law 12)
}

// Allowed are the fields of a stream that may leave a system.
type Allowed struct {
	Stream string
	Fields []string // "*" is all
}

// Limits protect a system from being read too fast. Zero is no limit.
type Limits struct {
	Rate        Rate // reads (pages, fetches)
	Concurrency int  // reads at the same time
	Rows        int  // of a page
	Bytes       int
}

// Settings are the connector's own, secrets included: for Connector.Open alone.
func (s *System) Settings() lockstep.Settings { return s.settings() }

// Shown are the settings as people may see them: secrets are ***.
func (s *System) Shown() map[string]any { return shown(s.settings(), s.Connector.Spec().Settings) }

// Allows are the fields of stream that may leave the system. all: there is no list, or it says "*". A system with
// lists keeps the streams that have none to itself.
func (s *System) Allows(stream string) (fields []string, all bool) {
	if s.Allow == nil {
		return nil, true
	}
	for _, a := range s.Allow {
		if a.Stream == stream {
			return a.Fields, slices.Contains(a.Fields, "*")
		}
	}
	return nil, false
}

// Flow is one stream, one way.
type Flow struct {
	Name      string
	Pos       Pos
	From      From
	To        To
	Match     []string // nil: the target's key fields
	Full      *Full    // nil: full syncs on request only
	Zone      *time.Location
	Window    schedule.Window
	Priority  Priority
	Where     *Expr
	Map       []Rule // nil: every field as it is
	BuiltFrom []BuiltFrom
	Nulls     NullPolicy
	Values    []ValueMap
	Script    *Script // nil for none
	Ignore    []string
	Tolerance map[string]value.Decimal
	Deliver   Deliver
	Deletes   Brake
	Drift     Drift
	Pages     lockstep.Limit
	Hook      *Hook // nil: no signed notices
}

// Identity tells whether the flow has no mapping: every field goes as it is.
func (f *Flow) Identity() bool { return f.Map == nil }

// From is what a flow reads.
type From struct {
	System string
	Stream string
	Track  Track
}

// Track says how changes are found, and how often to look.
type Track struct {
	lockstep.Track
	Per   string // as it is written; PerRecord is what it means
	Every time.Duration
	Sweep time.Duration // how often versions are compared beside the tracker; 0 is never
}

// Whole tells whether changes are found by comparing all records with the links: no feed follows them.
func (t Track) Whole() bool {
	return t.By == lockstep.Snapshot || (t.By == lockstep.Version && t.PerRecord)
}

// To is what a flow writes.
type To struct {
	System       string
	Stream       string
	Create       bool // make the stream where it is not there
	OnDelete     OnDelete
	Disable      []Const // what a disabled record gets
	OnTargetEdit OnTargetEdit
}

// BuiltFrom says by an expression which records of another flow's source a record is made from.
type BuiltFrom struct {
	Flow string
	Pos  Pos
	Expr *Expr
}

// Const is a field and the value it gets.
type Const struct {
	Field string
	Value value.Value
}

// OnDelete says what becomes of the target's record when the source's is gone.
type OnDelete string

// What can become of it.
const (
	DeleteIt  OnDelete = "delete"
	DisableIt OnDelete = "disable"
	IgnoreIt  OnDelete = "ignore"
)

// OnTargetEdit says what verify's repair and a deep full sync do with a record that was edited in the target.
type OnTargetEdit string

// What they can do.
const (
	OverwriteEdit OnTargetEdit = "overwrite"
	KeepEdit      OnTargetEdit = "keep"
	ParkEdit      OnTargetEdit = "park"
)

// Drift says what a flow does when the schema of a side has changed.
type Drift string

// What it can do.
const (
	WarnDrift Drift = "warn" // it says so and goes on with what still works
	HoldDrift Drift = "hold" // it captures and delivers nothing until a person accepts
	MapDrift  Drift = "map"  // without a mapping it takes up new fields by itself
	StopDrift Drift = "stop" // it does nothing until a person accepts
)

// NullPolicy says what a null does to the target's field.
type NullPolicy string

// The policies.
const (
	SendNull  NullPolicy = "send"  // the target's field becomes null
	SkipNull  NullPolicy = "skip"  // it stays as it is
	ClearNull NullPolicy = "clear" // it becomes empty: "", [] or {} by its type, null for all others
)

// Full says when full syncs run by themselves.
type Full struct {
	Schedule schedule.Schedule
	AtStart  bool
}

// Priority orders a flow's queue.
type Priority struct{ Create, Update, Delete lockstep.Priority }

// Expr is an expression as it stands in the file.
type Expr struct {
	Text string
	Pos  Pos
	// first is where the text's first character is; lines tells that it goes on line by line at the same column.
	// The zero first says that places inside cannot be told.
	first place
	lines bool
}

// At is the place of a character of the expression, line and column counting from 1.
func (e *Expr) At(line, col int) Pos {
	switch {
	case e.first == place{} || (line > 1 && !e.lines):
		return e.Pos
	default:
		return Pos{e.Pos.File, e.first.line + line - 1, e.first.col + col - 1}
	}
}

// Rule is what one field of the target gets.
type Rule struct {
	Target string // the field's path, as it stands in the file
	Pos    Pos    // of the rule's name
	Expr   *Expr  // nil: Const
	Const  value.Value
	Null   NullPolicy // the flow's, unless the rule has its own
}

// ValueMap turns values into others, by name.
type ValueMap struct {
	Name   string
	Pos    Pos
	Values map[string]value.Value
}

// Deliver says how a flow writes.
type Deliver struct {
	Batch       int // most records in one write
	Concurrency int // writes at the same time
	Rate        Rate
	Retry       Retry
	Transfer    Transfer
}

// Transfer is how a flow's writes go over.
type Transfer string

// The ways of a write.
const (
	AutoTransfer   Transfer = "auto"
	SingleTransfer Transfer = "single"
	BulkTransfer   Transfer = "bulk"
)

// Retry says how a failed delivery is tried again.
type Retry struct {
	Attempts int
	From, To time.Duration // the first and the longest wait
}

// Brake stops a run that would delete too much (law 9).
type Brake struct {
	MaxShare float64 // of the flow's links
	Max      int
}

// System is the system of that name, or nil.
func (c *Config) System(name string) *System {
	for _, s := range c.Systems {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Flow is the flow of that name, or nil.
func (c *Config) Flow(name string) *Flow {
	for _, f := range c.Flows {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Page is how much a page of the flow may hold: its own bounds, and those of the system it reads.
func (c *Config) Page(f *Flow) lockstep.Limit {
	l := f.Pages
	if s := c.System(f.From.System); s != nil {
		if s.Limits.Rows > 0 {
			l.Rows = min(l.Rows, s.Limits.Rows)
		}
		if s.Limits.Bytes > 0 {
			l.Bytes = min(l.Bytes, s.Limits.Bytes)
		}
	}
	return l
}

// At is where a setting stands, by its path ("flows.products.map.price"); of a setting that is not in the file, it is
// the place of what it would be in.
func (c *Config) At(setting string) Pos {
	for p := setting; ; {
		if n := c.marks[p]; n != nil {
			return Pos{c.File, n.Line, n.Column}
		}
		i := len(p) - 1
		for i >= 0 && p[i] != '.' && p[i] != '[' {
			i--
		}
		if i < 0 {
			return Pos{File: c.File}
		}
		p = p[:i]
	}
}

// Problem is a problem at a place of this configuration, with its source line, for what only others can check: the
// fields of a mapping, say.
func (c *Config) Problem(code lockstep.Code, at Pos, setting, message, hint string) Problem {
	p := Problem{Pos: at, Path: setting, Code: code, Message: message, Hint: hint}
	if at.File == c.File {
		p.Source, p.Caret = c.src.show(at.Line, at.Col)
	}
	return p
}

// Fault is problems, in the order of the file, as an error that holds *Errors; nil where there are none.
func (c *Config) Fault(problems []Problem) error { return fault(c.File, slices.Clone(problems)) }
