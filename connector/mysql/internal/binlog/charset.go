package binlog

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"unicode/utf8"
)

// charset makes UTF-8 of a column's bytes. Of character sets with one byte for each character the server itself says
// what each byte is, so that a text from the log is what a SELECT gives. Others are not decoded, but for UTF-8.
type charset struct {
	binary bool
	utf8   bool
	ascii  bool // bytes below 128 are what they are in ASCII
	table  []string
}

func (s *charset) decode(b []byte) ([]byte, bool) {
	if s.utf8 {
		return b, utf8.Valid(b)
	}
	if s.table == nil {
		return nil, false
	}
	if s.ascii && !bytes.ContainsFunc(b, func(r rune) bool { return r >= 128 }) { // an invalid byte is RuneError, above it
		return b, true
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for _, c := range b {
		out = append(out, s.table[c]...)
	}
	return out, true
}

// charsets are those of a server, read when they are first needed.
type charsets struct {
	db     *sql.DB
	ids    map[uint64]string // of collations: the name of their set
	single map[string]bool   // sets with one byte for each character
	sets   map[string]*charset
}

func (s *charsets) load(ctx context.Context) error {
	if s.ids != nil {
		return nil
	}
	ids, single := map[uint64]string{}, map[string]bool{}
	// Where collations are not bound to one set (MariaDB 10.10 and later), only this table has the ids.
	query := "SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE ID IS NOT NULL"
	err := eachRow(ctx, s.db, query, func(id uint64, name string) { ids[id] = name })
	if err != nil {
		query = "SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IS NOT NULL AND CHARACTER_SET_NAME IS NOT NULL"
		if err = eachRow(ctx, s.db, query, func(id uint64, name string) { ids[id] = name }); err != nil {
			return err
		}
	}
	err = eachRow(ctx, s.db, "SELECT MAXLEN, CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS",
		func(most uint64, name string) { single[name] = most == 1 })
	if err != nil {
		return err
	}
	s.ids, s.single, s.sets = ids, single, map[string]*charset{}
	return nil
}

func eachRow(ctx context.Context, db *sql.DB, query string, row func(uint64, string)) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fault(err, "the server's character sets")
	}
	defer rows.Close()
	for rows.Next() {
		var n uint64
		var name string
		if err := rows.Scan(&n, &name); err != nil {
			return fault(err, "the server's character sets")
		}
		row(n, name)
	}
	if err := rows.Err(); err != nil {
		return fault(err, "the server's character sets")
	}
	return nil
}

// named is the set of that name, nil for one that is not decoded.
func (s *charsets) named(ctx context.Context, name string) (*charset, error) {
	if set, ok := s.sets[name]; ok {
		return set, nil
	}
	var set *charset
	switch {
	case name == "binary":
		set = &charset{binary: true}
	case name == "utf8mb4" || name == "utf8mb3" || name == "utf8" || name == "ascii":
		set = &charset{utf8: true}
	case s.single[name] && plainName(name):
		table, err := s.ask(ctx, name)
		if err != nil {
			return nil, err
		}
		set = &charset{table: table, ascii: true}
		for c := range 128 {
			set.ascii = set.ascii && table[c] == string(rune(c))
		}
	}
	s.sets[name] = set
	return set, nil
}

// ask is what each byte of a set is. The server is given all 256 and gives as many characters.
func (s *charsets) ask(ctx context.Context, name string) ([]string, error) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	var text string
	if err := s.db.QueryRowContext(ctx, "SELECT CONVERT(CONVERT(? USING "+name+") USING utf8mb4)", all).Scan(&text); err != nil {
		return nil, fault(err, "a character set")
	}
	table := strings.Split(text, "")
	if len(table) != len(all) {
		return nil, nil
	}
	return table, nil
}

func plainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
