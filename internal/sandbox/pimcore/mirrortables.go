package pimcore

import (
	"fmt"
	"strings"
)

// column is a column of a table that holds fields.
type column struct {
	name, ddl string
	value     func(v any) any
}

// sys names a system column of objects: Pimcore 10 prefixes it.
func (m *mirror) sys(name string) string {
	if m.s.conf().Version == 10 {
		return "o_" + name
	}
	return name
}

var objectColumns = []struct{ name, ddl string }{
	{"id", "int(11) unsigned NOT NULL AUTO_INCREMENT"},
	{"parentId", "int(11) unsigned DEFAULT NULL"},
	{"type", "enum('object','folder','variant') DEFAULT NULL"},
	{"key", "varchar(255) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT ''"},
	{"path", "varchar(765) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT NULL"},
	{"index", "int(11) unsigned DEFAULT 0"},
	{"published", "tinyint(1) unsigned DEFAULT 1"},
	{"creationDate", "int(11) unsigned DEFAULT NULL"},
	{"modificationDate", "int(11) unsigned DEFAULT NULL"},
	{"userOwner", "int(11) unsigned DEFAULT NULL"},
	{"userModification", "int(11) unsigned DEFAULT NULL"},
	{"classId", "varchar(50) DEFAULT NULL"},
	{"className", "varchar(255) DEFAULT NULL"},
	{"childrenSortBy", "enum('key','index') DEFAULT NULL"},
	{"childrenSortOrder", "enum('ASC','DESC') DEFAULT NULL"},
	{"versionCount", "int(10) unsigned NOT NULL DEFAULT 0"},
}

// tables are the statements that make all tables, views and the rows of classes and units.
func (m *mirror) tables() []string {
	out := []string{
		"CREATE TABLE " + marker + " (made datetime NOT NULL DEFAULT CURRENT_TIMESTAMP)",
		"CREATE TABLE classes (id varchar(50) NOT NULL PRIMARY KEY, name varchar(190) NOT NULL DEFAULT '', UNIQUE KEY name (name)) DEFAULT CHARSET=utf8mb4",
		"CREATE TABLE quantityvalue_units (id varchar(50) NOT NULL PRIMARY KEY, `group` varchar(50) DEFAULT NULL, abbreviation varchar(20) DEFAULT NULL, longname varchar(250) DEFAULT NULL, baseunit varchar(50) DEFAULT NULL, factor double DEFAULT NULL) DEFAULT CHARSET=utf8mb4",
		m.objectsTable(),
		`CREATE TABLE versions (id bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, cid int(11) unsigned DEFAULT NULL, ctype enum('document','asset','object') DEFAULT NULL,
			userId int(11) unsigned DEFAULT NULL, note text, stackTrace text, date int(11) unsigned DEFAULT NULL, public tinyint(1) unsigned NOT NULL DEFAULT 0, serialized tinyint(1) unsigned DEFAULT 0,
			versionCount int(10) unsigned NOT NULL DEFAULT 0, binaryFileHash varchar(128) DEFAULT NULL, binaryFileId bigint(20) unsigned DEFAULT NULL, autoSave tinyint(4) NOT NULL DEFAULT 0,
			storageType varchar(5) DEFAULT NULL, KEY cid (cid), KEY ctype_cid (ctype, cid)) DEFAULT CHARSET=utf8mb4`,
		`CREATE TABLE assets (id int(11) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, parentId int(11) unsigned DEFAULT NULL, type varchar(20) DEFAULT NULL,
			filename varchar(255) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT '', path varchar(765) CHARACTER SET utf8 COLLATE utf8_bin DEFAULT NULL, mimetype varchar(190) DEFAULT NULL,
			creationDate int(11) unsigned DEFAULT NULL, modificationDate int(11) unsigned DEFAULT NULL, dataModificationDate int(11) unsigned DEFAULT NULL, userOwner int(11) unsigned DEFAULT NULL,
			userModification int(11) unsigned DEFAULT NULL, customSettings longtext, hasMetaData tinyint(1) NOT NULL DEFAULT 0, versionCount int(10) unsigned NOT NULL DEFAULT 0,
			UNIQUE KEY fullpath (path, filename), KEY parentId (parentId), KEY modificationDate (modificationDate)) DEFAULT CHARSET=utf8mb4`,
	}
	for _, u := range m.s.conf().Units {
		out = append(out, fmt.Sprintf("INSERT INTO quantityvalue_units (id, abbreviation, longname) VALUES (%s, %s, %s)", literal(u.ID), literal(u.Abbreviation), literal(u.Longname)))
	}
	for _, c := range m.s.w.classList {
		out = append(out, fmt.Sprintf("INSERT INTO classes (id, name) VALUES (%s, %s)", literal(c.ID), literal(c.Name)))
		out = append(out, m.classTables(c)...)
	}
	return out
}

// literal is a text of ours (a class, a unit) as SQL.
func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

func (m *mirror) objectsTable() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE objects (")
	for _, c := range objectColumns {
		fmt.Fprintf(&b, "%s %s, ", quoted(m.sys(c.name)), c.ddl)
	}
	fmt.Fprintf(&b, "PRIMARY KEY (%[1]s), UNIQUE KEY fullpath (%[2]s, %[3]s), KEY `key` (%[3]s), KEY parentId (%[4]s), KEY type_path_classId (%[5]s, %[6]s)",
		m.sys("id"), m.sys("path"), quoted(m.sys("key")), m.sys("parentId"), m.sys("type"), m.sys("classId"))
	if m.s.conf().Version > 10 {
		b.WriteString(", KEY modificationDate (modificationDate)")
	}
	b.WriteString(") AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4")
	return b.String()
}

func (m *mirror) classTables(c *class) []string {
	cascade := fmt.Sprintf("REFERENCES objects (%s) ON DELETE CASCADE", m.sys("id"))
	out := []string{
		fmt.Sprintf("CREATE TABLE %s (oo_id int(11) unsigned NOT NULL DEFAULT 0 PRIMARY KEY, %sCONSTRAINT %s FOREIGN KEY (oo_id) %s) DEFAULT CHARSET=utf8mb4",
			quoted("object_store_"+c.ID), ddl(c.storeColumns()), quoted("fk_object_store_"+c.ID), cascade),
		fmt.Sprintf("CREATE TABLE %s (oo_id int(11) unsigned NOT NULL DEFAULT 0 PRIMARY KEY, oo_classId varchar(50) DEFAULT %s, oo_className varchar(255) DEFAULT %s, %sCONSTRAINT %s FOREIGN KEY (oo_id) %s) DEFAULT CHARSET=utf8mb4",
			quoted("object_query_"+c.ID), literal(c.ID), literal(c.Name), ddl(c.queryColumns()), quoted("fk_object_query_"+c.ID), cascade),
		fmt.Sprintf("CREATE TABLE %s (id bigint(20) NOT NULL AUTO_INCREMENT PRIMARY KEY, src_id int(11) unsigned NOT NULL DEFAULT 0, dest_id int(11) unsigned NOT NULL DEFAULT 0, type enum('object','asset','document') NOT NULL, fieldname varchar(70) NOT NULL DEFAULT '0', `index` int(11) unsigned NOT NULL DEFAULT 0, ownertype enum('object','fieldcollection','localizedfield','objectbrick') NOT NULL DEFAULT 'object', ownername varchar(70) NOT NULL DEFAULT '', position varchar(70) NOT NULL DEFAULT '0', KEY src_id (src_id), KEY dest_id (dest_id), CONSTRAINT %s FOREIGN KEY (src_id) %s) DEFAULT CHARSET=utf8mb4",
			quoted("object_relations_"+c.ID), quoted("fk_object_relations_"+c.ID), cascade),
		fmt.Sprintf("CREATE TABLE %s (id int(11) unsigned NOT NULL, dest_id int(11) NOT NULL, type varchar(50) NOT NULL, fieldname varchar(71) NOT NULL, `column` varchar(190) NOT NULL, data text, ownertype varchar(20) NOT NULL DEFAULT 'object', ownername varchar(70) NOT NULL DEFAULT '', position varchar(70) NOT NULL DEFAULT '0', `index` int(11) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id, dest_id, type, fieldname, `column`, `index`)) DEFAULT CHARSET=utf8mb4",
			quoted("object_metadata_"+c.ID)),
		fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s JOIN objects ON objects.%s = %s.oo_id", quoted("object_"+c.ID), quoted("object_query_"+c.ID), m.sys("id"), quoted("object_query_"+c.ID)),
	}
	if cols := c.localizedColumns(); len(cols) > 0 {
		out = append(out, fmt.Sprintf("CREATE TABLE %s (ooo_id int(11) unsigned NOT NULL DEFAULT 0, language varchar(10) NOT NULL DEFAULT '', %sPRIMARY KEY (ooo_id, language)) DEFAULT CHARSET=utf8mb4",
			quoted("object_localized_data_"+c.ID), ddl(cols)))
		for _, l := range m.s.conf().Languages {
			out = append(out, fmt.Sprintf("CREATE TABLE %s (ooo_id int(11) unsigned NOT NULL DEFAULT 0, language varchar(10) NOT NULL DEFAULT '', %sPRIMARY KEY (ooo_id, language)) DEFAULT CHARSET=utf8mb4",
				quoted("object_localized_query_"+c.ID+"_"+l), ddl(cols)))
			out = append(out, fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s JOIN objects ON objects.%s = %s.oo_id LEFT JOIN %s ON ooo_id = oo_id",
				quoted("object_localized_"+c.ID+"_"+l), quoted("object_query_"+c.ID), m.sys("id"), quoted("object_query_"+c.ID), quoted("object_localized_query_"+c.ID+"_"+l)))
		}
	}
	return append(out, m.sideTables(c)...)
}

// sideTables hold bricks, field collections and the classification store.
func (m *mirror) sideTables(c *class) []string {
	var out []string
	for _, brick := range c.bricks() {
		for _, kind := range []string{"store", "query"} {
			out = append(out, fmt.Sprintf("CREATE TABLE %s (id int(11) unsigned NOT NULL DEFAULT 0, fieldname varchar(190) NOT NULL DEFAULT '', %sPRIMARY KEY (id, fieldname)) DEFAULT CHARSET=utf8mb4",
				quoted("object_brick_"+kind+"_"+brick+"_"+c.ID), ddl(c.brickColumns(brick))))
		}
	}
	for _, f := range c.order {
		switch f.Kind {
		case FieldCollection:
			for _, p := range f.Types {
				out = append(out, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id int(11) unsigned NOT NULL DEFAULT 0, `index` int(11) NOT NULL DEFAULT 0, fieldname varchar(190) NOT NULL DEFAULT '', %sPRIMARY KEY (id, `index`, fieldname)) DEFAULT CHARSET=utf8mb4",
					quoted("object_collection_"+p.Name+"_"+c.ID), ddl(partColumns(p))))
			}
		case ClassStore:
			out = append(out, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id int(11) unsigned NOT NULL, collectionId bigint(20) DEFAULT NULL, groupId int(11) unsigned NOT NULL, keyId int(11) unsigned NOT NULL, value longtext, value2 longtext, fieldname varchar(70) NOT NULL, language varchar(10) NOT NULL, type varchar(50) DEFAULT NULL, PRIMARY KEY (groupId, keyId, id, fieldname, language)) DEFAULT CHARSET=utf8mb4",
				quoted("object_classificationstore_data_"+c.ID)))
		}
	}
	return out
}

func ddl(cols []column) string {
	var b strings.Builder
	for _, c := range cols {
		fmt.Fprintf(&b, "%s %s DEFAULT NULL, ", quoted(c.name), c.ddl)
	}
	return b.String()
}
