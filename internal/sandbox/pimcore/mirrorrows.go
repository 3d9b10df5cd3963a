package pimcore

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// object writes the rows of one change, in the order that was observed.
func (m *mirror) object(tx *sql.Tx, c change) error {
	w := rowWriter{m: m, tx: tx}
	switch {
	case c.draft:
		w.version(c.after)
	case c.op == "delete":
		w.remove(c.before)
	case c.rows == objectRow:
		w.exec("UPDATE objects SET "+m.sys("path")+" = ? WHERE "+m.sys("id")+" = ?", c.after.path, c.after.id)
	case c.rows == queryRow:
		w.query(c.after, true)
		w.localizedQuery(c.after)
	default:
		w.save(c)
	}
	return w.err
}

// rowWriter writes rows until one is refused.
type rowWriter struct {
	m   *mirror
	tx  *sql.Tx
	err error
}

func (w *rowWriter) exec(statement string, args ...any) {
	if w.err != nil {
		return
	}
	if _, err := w.tx.ExecContext(w.m.ctx, statement, args...); err != nil {
		w.err = fmt.Errorf("%.60s: %w", statement, err)
	}
}

// put inserts or updates the row of a table whose key columns come first.
func (w *rowWriter) put(table string, update bool, keys int, names []string, values []any) {
	var b strings.Builder
	if !update {
		marks := strings.Repeat(", ?", len(names))
		for i := range names {
			b.WriteString(", " + quoted(names[i]))
		}
		w.exec("INSERT INTO "+quoted(table)+" ("+b.String()[2:]+") VALUES ("+marks[2:]+")", values...)
		return
	}
	b.WriteString("UPDATE " + quoted(table) + " SET ")
	for i := keys; i < len(names); i++ {
		if i > keys {
			b.WriteString(", ")
		}
		b.WriteString(quoted(names[i]) + " = ?")
	}
	for i := range keys {
		b.WriteString([...]string{" WHERE ", " AND "}[min(i, 1)] + quoted(names[i]) + " = ?")
	}
	w.exec(b.String(), append(slices.Clone(values[keys:]), values[:keys]...)...)
}

func (w *rowWriter) save(c change) {
	o, add := c.after, c.op == "add"
	if c.rows != valuesRows {
		w.objectRow(o, add)
	}
	if o.class != nil {
		changed := changedKeys(c.before, o)
		w.localized(c.before, o, changed)
		names, values := rowOf(o.class.storeColumns(), o.class, func(f *field) any { return o.values[f.own] })
		w.put("object_store_"+o.class.ID, !add, 1, append([]string{"oo_id"}, names...), append([]any{o.id}, values...))
		w.query(o, !add)
		w.relations(o, changed)
		w.sides(o, changed, add)
	}
	if c.version {
		w.version(o)
	}
}

// objectRow: a create is an INSERT without dates and an UPDATE behind it.
func (w *rowWriter) objectRow(o *object, add bool) {
	if add {
		w.exec(fmt.Sprintf("INSERT INTO objects (%s, %s, %s, %s, %s) VALUES (?, ?, ?, ?, ?)", w.m.sys("id"), w.m.sys("parentId"), w.m.sys("type"), quoted(w.m.sys("key")), w.m.sys("path")),
			o.id, o.parent, o.kind, o.key, o.path)
	}
	var classID, className any
	if o.class != nil {
		classID, className = o.class.ID, o.class.Name
	}
	all := []any{o.id, o.parent, o.kind, o.key, o.path, o.index, o.published, o.created, o.modified, o.owner, o.modifier, classID, className, nil, nil, o.versionCount}
	names := make([]string, len(objectColumns))
	for i, c := range objectColumns {
		names[i] = w.m.sys(c.name)
	}
	w.put("objects", true, 1, names, all)
}

// rowOf are the values of columns, field by field.
func rowOf(cols []column, c *class, value func(*field) any) (names []string, values []any) {
	for _, col := range cols {
		name, _, _ := strings.Cut(col.name, "__")
		names, values = append(names, col.name), append(values, col.value(value(c.fields[name])))
	}
	return names, values
}

// query is the row with inherited values.
func (w *rowWriter) query(o *object, update bool) {
	names, values := rowOf(o.class.queryColumns(), o.class, func(f *field) any { return w.m.s.w.inherited(o, f.own) })
	w.put("object_query_"+o.class.ID, update, 1, append([]string{"oo_id", "oo_classId", "oo_className"}, names...), append([]any{o.id, o.class.ID, o.class.Name}, values...))
}

// localized writes the rows of the languages that changed.
func (w *rowWriter) localized(old, o *object, changed []string) {
	cols := o.class.localizedColumns()
	dirty := old == nil
	for _, l := range w.m.s.conf().Languages {
		if !slices.ContainsFunc(changed, func(key string) bool { return strings.HasSuffix(key, "@"+l) }) {
			continue
		}
		dirty = true
		names, values := rowOf(cols, o.class, func(f *field) any { return o.values[f.at(l)] })
		w.put("object_localized_data_"+o.class.ID, old != nil && old.speaks(l), 2, append([]string{"ooo_id", "language"}, names...), append([]any{o.id, l}, values...))
	}
	if dirty && len(cols) > 0 {
		w.localizedQuery(o)
	}
}

// speaks tells whether an object has its row of a language: it stays, once it was written.
func (o *object) speaks(language string) bool {
	for key := range o.values {
		if strings.HasSuffix(key, "@"+language) {
			return true
		}
	}
	return o.spoke[language]
}

// localizedQuery rewrites the rows that are searched, with inherited and fallback values.
func (w *rowWriter) localizedQuery(o *object) {
	cols := o.class.localizedColumns()
	if len(cols) == 0 {
		return
	}
	for _, l := range w.m.s.conf().Languages {
		table := quoted("object_localized_query_" + o.class.ID + "_" + l)
		names, values := rowOf(cols, o.class, func(f *field) any { return w.m.s.w.read(o, f, l) })
		var b strings.Builder
		for _, n := range append([]string{"ooo_id", "language"}, names...) {
			b.WriteString(", " + quoted(n))
		}
		w.exec("REPLACE INTO "+table+" ("+b.String()[2:]+") VALUES (?, ?"+strings.Repeat(", ?", len(names))+")", append([]any{o.id, l}, values...)...)
	}
}

// relations rewrites the rows of relation fields that changed, and the columns of advanced ones.
func (w *rowWriter) relations(o *object, changed []string) {
	for _, f := range o.class.order {
		if !slices.Contains(changed, f.own) || f.Localized {
			continue
		}
		var refs []Ref
		var metas []Meta
		switch f.Kind {
		case ManyToOne:
			if r, ok := o.values[f.own].(Ref); ok {
				refs = []Ref{r}
			}
		case ManyToMany, ManyToManyObj:
			refs, _ = o.values[f.own].([]Ref)
		case AdvancedObj:
			metas, _ = o.values[f.own].([]Meta)
			w.exec("DELETE FROM "+quoted("object_metadata_"+o.class.ID)+" WHERE id = ? AND fieldname = ?", o.id, f.Name)
		default:
			continue
		}
		w.exec("DELETE FROM "+quoted("object_relations_"+o.class.ID)+" WHERE src_id = ? AND fieldname = ?", o.id, f.Name)
		for i, meta := range metas {
			refs = append(refs, meta.Ref)
			for _, col := range f.Metadata {
				w.exec("INSERT INTO "+quoted("object_metadata_"+o.class.ID)+" (id, dest_id, type, fieldname, `column`, data, `index`) VALUES (?, ?, ?, ?, ?, ?, ?)",
					o.id, meta.ID, meta.kind(), f.Name, col, meta.Data[col], i+1)
			}
		}
		for i, r := range refs {
			w.exec("INSERT INTO "+quoted("object_relations_"+o.class.ID)+" (src_id, dest_id, type, fieldname, `index`) VALUES (?, ?, ?, ?, ?)", o.id, r.ID, r.kind(), f.Name, i+1)
		}
	}
}

// sides rewrites bricks, field collections and the classification store where they changed.
func (w *rowWriter) sides(o *object, changed []string, add bool) {
	for _, brick := range o.class.bricks() {
		if !slices.ContainsFunc(changed, func(key string) bool { f := o.class.fields[key]; return f != nil && f.Brick == brick }) {
			continue
		}
		for _, kind := range []string{"store", "query"} {
			names, values := rowOf(o.class.brickColumns(brick), o.class, func(f *field) any { return o.values[f.own] })
			table := "object_brick_" + kind + "_" + brick + "_" + o.class.ID
			w.exec("DELETE FROM "+quoted(table)+" WHERE id = ?", o.id)
			w.put(table, false, 2, append([]string{"id", "fieldname"}, names...), append([]any{o.id, "bricks"}, values...))
		}
	}
	for _, f := range o.class.order {
		if !slices.Contains(changed, f.own) {
			continue
		}
		switch f.Kind {
		case FieldCollection:
			w.collection(o, f, add)
		case ClassStore:
			w.classStore(o, f, add)
		}
	}
}

func (w *rowWriter) collection(o *object, f *field, add bool) {
	entries, _ := o.values[f.own].([]Entry)
	for _, p := range f.Types {
		table := "object_collection_" + p.Name + "_" + o.class.ID
		if !add {
			w.exec("DELETE FROM "+quoted(table)+" WHERE id = ? AND fieldname = ?", o.id, f.Name)
		}
		for i, e := range entries {
			if e.Type != p.Name {
				continue
			}
			names, values := []string{"id", "index", "fieldname"}, []any{o.id, i, f.Name}
			for _, col := range partColumns(p) {
				names, values = append(names, col.name), append(values, col.value(e.Values[col.name]))
			}
			w.put(table, false, 3, names, values)
		}
	}
}

func (w *rowWriter) classStore(o *object, f *field, add bool) {
	table := "object_classificationstore_data_" + o.class.ID
	if !add {
		w.exec("DELETE FROM "+quoted(table)+" WHERE id = ? AND fieldname = ?", o.id, f.Name)
	}
	features, _ := o.values[f.own].([]Feature)
	for _, v := range features {
		w.put(table, false, 0, []string{"id", "groupId", "keyId", "value", "fieldname", "language"}, []any{o.id, v.Group, v.Key, scalarText(v.Value), f.Name, "default"})
	}
}

// version adds the row of the newest version. Without one there is nothing to add.
func (w *rowWriter) version(o *object) {
	if len(o.versions) == 0 {
		return
	}
	v := o.versions[len(o.versions)-1]
	w.exec("INSERT INTO versions (id, cid, ctype, userId, date, public, serialized, versionCount, autoSave) VALUES (?, ?, 'object', ?, ?, 0, 1, ?, 0)", v.id, o.id, v.user, v.date, v.count)
}

// remove deletes what Pimcore deletes itself; the rows of store, query and relations go by their foreign keys, where no
// trigger and no binary log sees them.
func (w *rowWriter) remove(o *object) {
	if o.class != nil {
		if len(o.class.localizedColumns()) > 0 {
			w.exec("DELETE FROM "+quoted("object_localized_data_"+o.class.ID)+" WHERE ooo_id = ?", o.id)
			for _, l := range w.m.s.conf().Languages {
				w.exec("DELETE FROM "+quoted("object_localized_query_"+o.class.ID+"_"+l)+" WHERE ooo_id = ?", o.id)
			}
		}
		for _, table := range o.class.explicit() {
			w.exec("DELETE FROM "+quoted(table)+" WHERE id = ?", o.id)
		}
	}
	w.exec("DELETE FROM objects WHERE "+w.m.sys("id")+" = ?", o.id)
}

// explicit are the tables without a foreign key.
func (c *class) explicit() []string {
	out := []string{"object_metadata_" + c.ID}
	for _, brick := range c.bricks() {
		out = append(out, "object_brick_store_"+brick+"_"+c.ID, "object_brick_query_"+brick+"_"+c.ID)
	}
	for _, f := range c.order {
		switch f.Kind {
		case FieldCollection:
			for _, p := range f.Types {
				out = append(out, "object_collection_"+p.Name+"_"+c.ID)
			}
		case ClassStore:
			out = append(out, "object_classificationstore_data_"+c.ID)
		}
	}
	return out
}

// assetRow writes an asset's row: an INSERT, an UPDATE, or its DELETE.
func (m *mirror) assetRow(tx *sql.Tx, c change) error {
	w, a := rowWriter{m: m, tx: tx}, c.asset
	if c.op == "delete" {
		w.exec("DELETE FROM assets WHERE id = ?", a.id)
		return w.err
	}
	var parent any
	if a.parent != 0 {
		parent = a.parent
	}
	w.put("assets", c.op == "update", 1, []string{"id", "parentId", "type", "filename", "path", "mimetype", "creationDate", "modificationDate", "dataModificationDate", "userModification", "versionCount"},
		[]any{a.id, parent, a.kind, a.name, a.path, a.mime, a.created, a.modified, a.dataModified, a.modifier, a.versionCount})
	return w.err
}
