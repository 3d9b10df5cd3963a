package binlog

import (
	"context"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/lockstep-sync/lockstep"
)

// catalogColumn is a column as the server describes it now.
type catalogColumn struct {
	name      string
	dataType  string // "varchar"
	charset   string // of texts, "" for others
	unsigned  bool
	packed    bool // MariaDB's compressed column
	virtual   bool // computed when it is read: what the log has of it is not certain
	versioned bool // the table keeps its history among its rows
	precision int  // of times: digits of the fraction
}

// catalog is a table's columns as they are now, in their order.
type catalog []catalogColumn

func (s *Server) catalog(ctx context.Context, t table) (catalog, error) {
	const query = `SELECT c.COLUMN_NAME, LOWER(c.DATA_TYPE), COALESCE(c.CHARACTER_SET_NAME, ''), LOWER(c.COLUMN_TYPE), COALESCE(c.DATETIME_PRECISION, 0), LOWER(c.EXTRA),
		t.TABLE_TYPE = 'SYSTEM VERSIONED' FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
		WHERE c.TABLE_SCHEMA = ? AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION`
	rows, err := s.DB.QueryContext(ctx, query, t.schema, t.name)
	if err != nil {
		return nil, fault(err, "the table's columns")
	}
	defer rows.Close()
	var c catalog
	for rows.Next() {
		var col catalogColumn
		var full, extra string
		if err := rows.Scan(&col.name, &col.dataType, &col.charset, &full, &col.precision, &extra, &col.versioned); err != nil {
			return nil, fault(err, "the table's columns")
		}
		col.unsigned = strings.Contains(full, "unsigned")
		col.packed = strings.Contains(full, "compressed")
		col.virtual = strings.Contains(extra, "virtual")
		c = append(c, col)
	}
	if err := rows.Err(); err != nil {
		return nil, fault(err, "the table's columns")
	}
	if len(c) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no table %s.%s", t.schema, t.name)
	}
	return c, nil
}

// named is where a column of that name stands, or -1. Names of columns have no case.
func (c catalog) named(name string) int {
	for i := range c {
		if strings.EqualFold(c[i].name, name) {
			return i
		}
	}
	return -1
}

// fits tells whether rows may hold a column like that in the form of a table map. Where they do not, the column has
// been changed since.
func (c *catalogColumn) fits(kind byte) bool {
	switch kind {
	case mysql.MYSQL_TYPE_TINY:
		return c.dataType == "tinyint"
	case mysql.MYSQL_TYPE_SHORT:
		return c.dataType == "smallint"
	case mysql.MYSQL_TYPE_INT24:
		return c.dataType == "mediumint"
	case mysql.MYSQL_TYPE_LONG:
		return c.dataType == "int"
	case mysql.MYSQL_TYPE_LONGLONG:
		return c.dataType == "bigint"
	case mysql.MYSQL_TYPE_FLOAT:
		return c.dataType == "float"
	case mysql.MYSQL_TYPE_DOUBLE:
		return c.dataType == "double"
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return c.dataType == "decimal"
	case mysql.MYSQL_TYPE_DATE:
		return c.dataType == "date"
	case mysql.MYSQL_TYPE_YEAR:
		return c.dataType == "year"
	case mysql.MYSQL_TYPE_BIT:
		return c.dataType == "bit"
	case mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_TIMESTAMP2:
		return c.dataType == "timestamp"
	case mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_DATETIME2:
		return c.dataType == "datetime"
	case mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_TIME2:
		return c.dataType == "time"
	case mysql.MYSQL_TYPE_ENUM:
		return c.dataType == "enum"
	case mysql.MYSQL_TYPE_SET:
		return c.dataType == "set"
	}
	return c.fitsText(kind)
}

func (c *catalogColumn) fitsText(kind byte) bool {
	switch kind {
	case mysql.MYSQL_TYPE_STRING:
		return c.dataType == "char" || c.dataType == "binary" || c.dataType == "uuid"
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING:
		return c.dataType == "varchar" || c.dataType == "varbinary"
	case mysql.MYSQL_TYPE_BLOB:
		return strings.HasSuffix(c.dataType, "text") || strings.HasSuffix(c.dataType, "blob")
	}
	return false
}

// text tells whether a column holds texts, and not bytes.
func (c *catalogColumn) text() bool { return c.charset != "" }

// plausible is fits, or a type that fits does not know.
func (c *catalogColumn) plausible(kind byte) bool {
	switch kind {
	case mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_GEOMETRY, mysql.MYSQL_TYPE_VECTOR:
		return true
	case mysql.MYSQL_TYPE_STRING: // MariaDB's inet6, too
		return !c.text() || c.fits(kind)
	}
	return c.fits(kind)
}
