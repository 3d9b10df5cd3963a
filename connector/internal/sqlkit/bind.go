package sqlkit

import (
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// Binding says which columns a group of upserts sets, and where their values come from.
type Binding struct {
	Table   *Table
	Columns []*Column
	Field   []int // where the column stands in the write's fields, or -1 for a key field that comes from the key
	Key     []int // where the key fields stand in Columns; fewer than the key has: the database chooses
}

// Bind makes the binding of a group. A field that is not there, or is computed by the database, is a fault.
func Bind(t *Table, g Group) (*Binding, error) {
	b := &Binding{Table: t}
	key, err := t.KeyColumns()
	if err != nil {
		return nil, err
	}
	if g.Keyed {
		for i, c := range key {
			b.Columns, b.Field, b.Key = append(b.Columns, c), append(b.Field, -1), append(b.Key, i)
		}
	}
	if g.Names == nil {
		return b, nil
	}
	for i, name := range g.Names.List() {
		c := t.Column(name)
		if c == nil {
			return nil, t.noField(name)
		}
		if at := slices.Index(key, c); g.Keyed && at >= 0 {
			continue // the write's key says it
		}
		if c.ReadOnly {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "column %q is computed by the database and cannot be written", name).
				On(lockstep.About{Stream: t.Stream.Name, Field: name})
		}
		b.Columns, b.Field = append(b.Columns, c), append(b.Field, i)
	}
	if !g.Keyed {
		for _, c := range key {
			if at := slices.Index(b.Columns, c); at >= 0 {
				b.Key = append(b.Key, at)
			}
		}
	}
	return b, nil
}

// Chosen tells whether the database chooses the key, or a part of it.
func (b *Binding) Chosen() bool { return len(b.Key) < len(b.Table.Stream.Key) }

// Complete tells whether a row can be made of the columns: each one left out can be null or has a default. Databases
// check that before they look for a conflict, so an update of some fields cannot go by an INSERT otherwise.
func (b *Binding) Complete() bool {
	for i := range b.Table.Columns {
		c := &b.Table.Columns[i]
		if !c.Nullable && !c.Default && !c.ReadOnly && !slices.Contains(b.Columns, c) {
			return false
		}
	}
	return true
}

// OwnKey is the key of a write that carries it in its fields only.
func (b *Binding) OwnKey(w *lockstep.Write) (lockstep.Key, error) {
	parts := make([]string, len(b.Key))
	for i, k := range b.Key {
		_, v := w.Fields.At(b.Field[k])
		text, ok := v.KeyText()
		if !ok {
			return "", lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Field: b.Columns[k].Name})
		}
		parts[i] = text
	}
	return lockstep.MakeKey(parts...), nil
}

// Names are the names of the columns.
func (b *Binding) Names() []string {
	names := make([]string, len(b.Columns))
	for i, c := range b.Columns {
		names[i] = c.Name
	}
	return names
}

// KeyNames are the names of the key columns.
func (b *Binding) KeyNames() []string {
	names := make([]string, len(b.Key))
	for i, at := range b.Key {
		names[i] = b.Columns[at].Name
	}
	return names
}

// Others are the names of the columns that are not of the key.
func (b *Binding) Others() []string {
	var names []string
	for i, c := range b.Columns {
		if !slices.Contains(b.Key, i) {
			names = append(names, c.Name)
		}
	}
	return names
}

// OnConflict is the clause that makes an INSERT an update where the key is there already.
func (b *Binding) OnConflict() string {
	clause := " ON CONFLICT (" + QuoteAll(b.KeyNames()) + ") DO "
	others := b.Others()
	if len(others) == 0 {
		return clause + "NOTHING"
	}
	clause += "UPDATE SET "
	for i, name := range others {
		if i > 0 {
			clause += ", "
		}
		clause += Quote(name) + " = excluded." + Quote(name)
	}
	return clause
}
