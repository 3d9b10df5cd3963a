package mysql

import (
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// derived is a list of tuples as a table within a statement: SELECT 0 AS i, 'a' AS v0 UNION ALL SELECT 1, 'b'. It needs
// no right, and no version of the server.
type derived struct {
	table   *sqlkit.Table
	columns []*sqlkit.Column
	number  bool  // a first column i numbers the tuples
	keys    []int // the columns that are compared; nil is all, the others are assigned
	rows    int
	args    []driver.Value
}

// add adds a tuple; it is not ok where a value can be none of its column.
func (d *derived) add(tuple []value.Value) bool {
	before := len(d.args)
	for i, c := range d.columns {
		arg, err := encode(&c.Type, tuple[i])
		if err != nil || !comparable(c, arg) {
			d.args = d.args[:before]
			return false
		}
		d.args = append(d.args, arg)
	}
	d.rows++
	return true
}

// comparable tells whether a value is one of the column's kind: the server would take a text that is no number for 0.
func comparable(c *sqlkit.Column, arg driver.Value) bool {
	text, ok := arg.(string)
	if !ok {
		return true
	}
	switch c.Type.Kind {
	case value.IntType, value.BoolType, value.DecimalType, value.FloatType:
		_, err := value.ParseDecimal(text)
		return err == nil
	case value.DateType, value.WallType, value.InstantType:
		_, _, ok := parseTime([]byte(text))
		return ok
	}
	return true
}

func (d *derived) sql() string {
	var b strings.Builder
	for i := range d.rows {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		if d.number {
			b.WriteString(strconv.Itoa(i))
			if i == 0 {
				b.WriteString(" AS i")
			}
			b.WriteString(", ")
		}
		for j, c := range d.columns {
			if j > 0 {
				b.WriteString(", ")
			}
			if d.keys == nil || slices.Contains(d.keys, j) {
				b.WriteString(typedMark(c))
			} else {
				b.WriteByte('?')
			}
			if i == 0 {
				b.WriteString(" AS v" + strconv.Itoa(j))
			}
		}
	}
	return b.String()
}

// typedMark is a parameter of the column's type: what stands in a table is not converted as a constant is.
func typedMark(c *sqlkit.Column) string {
	switch c.Type.Kind {
	case value.DateType:
		return "CAST(? AS DATE)"
	case value.WallType, value.InstantType:
		return "CAST(? AS DATETIME(6))"
	case value.ClockType:
		return "CAST(? AS TIME(6))"
	case value.FloatType:
		return "? + 0e0"
	case value.IntType:
		return "CAST(? AS DECIMAL(65,0))"
	}
	return keyMark(c)
}

// same is the condition that column i of the derived table equals its column of t. Texts are compared as the column
// compares them: its collation stands on the other side, so that its index is of use.
func (d *derived) same(i int, alias, equals string) string {
	c := d.columns[i]
	name, v := "t."+mykit.Quote(c.Name), alias+".v"+strconv.Itoa(i)
	info := columnOf(d.table, c)
	if info.collation == "" {
		return name + equals + v
	}
	if strings.HasPrefix(info.charset, "utf8mb4") {
		return name + equals + v + " COLLATE " + info.collation
	}
	converted := "CONVERT(" + v + " USING " + info.charset + ")"
	// What the character set cannot hold would become a question mark.
	return name + equals + converted + " COLLATE " + info.collation + " AND " + v + " <=> CONVERT(" + converted + " USING utf8mb4) COLLATE utf8mb4_bin"
}
