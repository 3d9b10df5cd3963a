package sqlkit

import (
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Column is a column of a table: the field it makes, and what only SQL needs to know.
type Column struct {
	lockstep.Field
	Cast    string // its SQL type without modifiers, for casts of parameters
	Indexed bool   // it leads an index
	Folds   bool   // its collation takes texts for equal that differ by letter case
}

// Table is a stream with the table or view behind it.
type Table struct {
	Stream  lockstep.Stream
	SQL     string   // its quoted name
	Columns []Column // in the order of Stream.Fields
	every   []Column // also those that the settings leave out; nil: there are none
	Where   string   // a condition that limits the stream, "" for none
	Version string   // the field that the settings name as version
	Zone    string   // of times without a zone
	View    bool
	Unique  [][]string // column lists that unique indexes without conditions cover
	Info    any        // the connector's own
}

// Column is the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Every is every column of the table, also those that the settings leave out of the stream.
func (t *Table) Every() []Column {
	if t.every != nil {
		return t.every
	}
	return t.Columns
}

// KeyColumns are the columns of the key. Without a key it is a fault: nothing could be paged or linked.
func (t *Table) KeyColumns() ([]*Column, error) {
	if len(t.Stream.Key) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeNoKey, "table %s has neither a primary key nor a unique key without nulls", t.SQL).
			On(lockstep.About{Stream: t.Stream.Name})
	}
	columns := make([]*Column, len(t.Stream.Key))
	for i, name := range t.Stream.Key {
		if columns[i] = t.Column(name); columns[i] == nil {
			return nil, t.noField(name)
		}
	}
	return columns, nil
}

// Named are the columns of some fields.
func (t *Table) Named(fields []string) ([]*Column, error) {
	columns := make([]*Column, len(fields))
	for i, name := range fields {
		if columns[i] = t.Column(name); columns[i] == nil {
			return nil, t.noField(name)
		}
	}
	return columns, nil
}

// KeyIsUnique tells whether a unique index covers exactly the key.
func (t *Table) KeyIsUnique() bool {
	key := slices.Sorted(slices.Values(t.Stream.Key))
	return slices.ContainsFunc(t.Unique, func(columns []string) bool {
		return slices.Equal(key, slices.Sorted(slices.Values(columns)))
	})
}

// KeyIsNullable tells whether a key field may be null.
func (t *Table) KeyIsNullable() bool {
	return slices.ContainsFunc(t.Stream.Key, func(name string) bool {
		c := t.Column(name)
		return c != nil && c.Nullable
	})
}

func (t *Table) noField(name string) error {
	return lockstep.Faultf(lockstep.CodeNoField, "table %s has no column %q", t.SQL, name).
		On(lockstep.About{Stream: t.Stream.Name, Field: name})
}

// Overridden adds to the discovered tables those that the settings name, and changes those that they change. A table
// named in the settings that is not there is left out: it is a fault only when somebody uses it.
func Overridden(tables map[string]*Table, overrides map[string]Override) map[string]*Table {
	out := maps.Clone(tables)
	for name, o := range overrides {
		from := o.Table
		if from == "" {
			from = name
		}
		base, ok := tables[from]
		if !ok {
			continue
		}
		out[name] = base.override(name, o)
	}
	return out
}

func (t *Table) override(name string, o Override) *Table {
	n := *t
	n.Stream.Name = name
	n.Where, n.Version, n.Zone = o.Where, o.Version, o.Zone
	if len(o.Key) > 0 {
		n.Stream.Key = o.Key
		n.Stream.ServerKeys = t.Stream.ServerKeys && slices.Equal(o.Key, t.Stream.Key)
		n.Stream.FoldKeys = n.foldsKeys() || n.Stream.FoldKeys && slices.Equal(o.Key, t.Stream.Key)
	}
	if len(o.Fields) > 0 {
		keep := func(field string) bool {
			return slices.Contains(o.Fields, field) || slices.Contains(n.Stream.Key, field)
		}
		n.every = t.Columns
		n.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return !keep(c.Name) })
		n.Stream.TrackFields = slices.DeleteFunc(slices.Clone(t.Stream.TrackFields), func(f string) bool { return !keep(f) })
	}
	n.Stream.Fields = make([]lockstep.Field, len(n.Columns))
	for i, c := range n.Columns {
		n.Stream.Fields[i] = c.Field
	}
	return &n
}

// ChooseKey picks the key: the primary key, else the first and shortest unique list of columns that are never null.
func (t *Table) ChooseKey(primary []string) {
	if len(primary) > 0 {
		t.Stream.Key = primary
		return
	}
	for _, columns := range t.Unique {
		nullable := slices.ContainsFunc(columns, func(name string) bool {
			c := t.Column(name)
			return c == nil || c.Nullable
		})
		if !nullable && (t.Stream.Key == nil || len(columns) < len(t.Stream.Key)) {
			t.Stream.Key = columns
		}
	}
}

// Finish fills what of the Stream follows from the columns.
func (t *Table) Finish() {
	t.Stream.Fields = make([]lockstep.Field, len(t.Columns))
	for i, c := range t.Columns {
		t.Stream.Fields[i] = c.Field
	}
	t.Stream.TrackFields = TrackFields(t.Columns)
	t.Stream.FoldKeys = t.Stream.FoldKeys || t.foldsKeys()
}

// foldsKeys tells whether keys differ by more than letter case only.
func (t *Table) foldsKeys() bool {
	return slices.ContainsFunc(t.Stream.Key, func(name string) bool {
		c := t.Column(name)
		return c != nil && c.Folds
	})
}

// IsTime tells whether a field of that type can be a "last modified" time by itself.
func IsTime(k value.TypeKind) bool {
	return k == value.InstantType || k == value.WallType || k == value.DateType
}
