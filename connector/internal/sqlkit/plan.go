package sqlkit

import (
	"slices"
	"strings"
	"sync"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Plan says what a read selects. The first Names.Len() columns are the fields wanted, in their order; behind them
// come key and version columns that are not among them.
type Plan struct {
	Table   *Table
	Names   *value.Names
	Columns []*Column
	Key     []int   // where the key fields stand in Columns
	Version int     // where the version stands, or -1
	Deleted *Column // the soft-delete field, or nil
	Track   lockstep.Track
	mu      sync.Mutex
	average int // bytes of a row, as seen so far
}

// Plan makes the plan of a read. Fields nil asks for key and version only.
func (t *Table) Plan(r lockstep.Read) (*Plan, error) {
	key, err := t.KeyColumns()
	if err != nil {
		return nil, err
	}
	p := &Plan{Table: t, Version: -1, Track: r.Track, average: 2048}
	for i, name := range r.Fields {
		c := t.Column(name)
		if c == nil {
			return nil, t.noField(name)
		}
		if slices.Contains(r.Fields[:i], name) {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "column %q is asked for twice", name).On(lockstep.About{Stream: t.Stream.Name, Field: name})
		}
		p.Columns = append(p.Columns, c)
	}
	p.Names = value.NewNames(slices.Clone(r.Fields)...)
	for _, c := range key {
		p.Key = append(p.Key, p.add(c))
	}
	if version := t.VersionField(r.Track); version != "" {
		c := t.Column(version)
		if c == nil {
			return nil, t.noField(version)
		}
		p.Version = p.add(c)
	}
	if r.Track.Deleted != "" {
		if p.Deleted = t.Column(r.Track.Deleted); p.Deleted == nil {
			return nil, t.noField(r.Track.Deleted)
		}
	}
	return p, nil
}

// VersionField is the field whose text is a record's version: the tracker's, else the one that the settings name.
func (t *Table) VersionField(track lockstep.Track) string {
	if t.Version != "" {
		return t.Version
	}
	if track.By == lockstep.Timestamp || track.By == lockstep.Version {
		return track.Field
	}
	return ""
}

func (p *Plan) add(c *Column) int {
	if i := slices.Index(p.Columns, c); i >= 0 {
		return i
	}
	p.Columns = append(p.Columns, c)
	return len(p.Columns) - 1
}

// Rows is how many rows to ask for so that a page comes to about l, judged by the rows seen so far.
func (p *Plan) Rows(l lockstep.Limit) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := 1000
	if l.Rows > 0 {
		rows = l.Rows
	}
	if l.Bytes > 0 {
		rows = min(rows, l.Bytes/p.average+1)
	}
	return max(1, rows)
}

// Saw remembers how large rows were.
func (p *Plan) Saw(rows, bytes int) {
	if rows == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.average = max(64, bytes/rows)
}

// MaxRecord is the largest record that a page of l may hold.
func MaxRecord(setting int, l lockstep.Limit) int {
	if l.Bytes > 0 {
		return min(setting, l.Bytes)
	}
	return setting
}

// Plans keeps plans, so that all pages of a read share their names.
type Plans struct {
	mu   sync.Mutex
	made map[string]*Plan
}

// Plan is the plan of r on t, made once.
func (ps *Plans) Plan(t *Table, r lockstep.Read) (*Plan, error) {
	id := strings.Join(append([]string{r.Stream, string(r.Track.By), r.Track.Field, r.Track.Name, r.Track.Deleted, r.Track.Overlap.String()}, r.Fields...), "\x00")
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.made[id]; p != nil && p.Table == t {
		return p, nil
	}
	p, err := t.Plan(r)
	if err != nil {
		return nil, err
	}
	if ps.made == nil || len(ps.made) > 1000 {
		ps.made = map[string]*Plan{}
	}
	ps.made[id] = p
	return p, nil
}
