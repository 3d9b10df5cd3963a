package binlog

import "strings"

// effect is what a statement in the log means for our table.
type effect uint8

const (
	nothing  effect = iota
	altered         // its columns may be others now
	replaced        // its rows may be others now, and no row events say so
)

// table is the one that is followed.
type table struct{ schema, name string }

// effect reads a statement as far as it has to. It looks at words only, and takes a doubt for the worse.
func (t table) effect(statement, schema string) effect {
	w := &words{text: statement, schema: schema, table: t}
	verb := w.keyword()
	if verb == "SET" && w.keyword() == "STATEMENT" { // MariaDB: settings for one statement
		for token, ok := w.next(); ok && token.keyword() != "FOR"; token, ok = w.next() {
		}
		verb = w.keyword()
	}
	switch verb {
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "SELECT", "DO", "MERGE":
		// In row format no such statement is logged; a session may have chosen another.
		if w.mentions() {
			return replaced
		}
	case "TRUNCATE":
		if w.mentions() {
			return replaced
		}
	case "RENAME":
		if first := w.keyword(); (first == "TABLE" || first == "TABLES") && w.mentions() {
			return replaced
		}
	case "DROP":
		return w.drop()
	case "CREATE":
		return w.create()
	case "ALTER":
		return w.alter()
	}
	return nothing
}

func (w *words) drop() effect {
	switch w.keyword() {
	case "TABLE", "TABLES":
		if w.mentions() {
			return replaced
		}
	case "DATABASE", "SCHEMA":
		for token, ok := w.next(); ok; token, ok = w.next() {
			if token.name && strings.EqualFold(token.text, w.table.schema) {
				return replaced
			}
		}
	}
	return nothing
}

func (w *words) create() effect {
	word, instead := w.keyword(), false
	if word == "OR" {
		instead = w.keyword() == "REPLACE"
		word = w.keyword()
	}
	if word != "TABLE" || !w.first() { // a temporary one hides ours from its session only
		return nothing
	}
	if instead {
		return replaced
	}
	return altered
}

// alter looks for what moves rows without saying which: another name, and partitions that come or go.
func (w *words) alter() effect {
	word := w.keyword()
	for word == "ONLINE" || word == "OFFLINE" || word == "IGNORE" {
		word = w.keyword()
	}
	if word != "TABLE" {
		return nothing
	}
	ours, moves, before := false, false, ""
	for token, ok := w.next(); ok; token, ok = w.next() {
		ours = ours || token.ours
		word := token.keyword()
		switch before {
		case "RENAME":
			moves = moves || word != "COLUMN" && word != "INDEX" && word != "KEY"
		case "DROP", "TRUNCATE", "EXCHANGE", "CONVERT":
			moves = moves || word == "PARTITION" || (before == "CONVERT" && word == "TABLE")
		}
		moves = moves || word == "DISCARD" || word == "IMPORT"
		before = word
	}
	switch {
	case !ours:
		return nothing
	case moves || before == "RENAME":
		return replaced
	}
	return altered
}

// token is a word of a statement, or a sign.
type token struct {
	text   string
	name   bool // a word or a quoted name; not a text, a number or a sign
	quoted bool
	ours   bool // the name of our table
}

func (t token) keyword() string {
	if !t.name || t.quoted {
		return ""
	}
	return strings.ToUpper(t.text)
}

// words takes a statement apart.
type words struct {
	text   string
	schema string // of names without one
	table  table
	last   string // the name before a point
	point  bool   // the last token was a point behind a name
}

func (w *words) keyword() string {
	t, _ := w.next()
	return t.keyword()
}

// mentions tells whether our table is named in what is left.
func (w *words) mentions() bool {
	for t, ok := w.next(); ok; t, ok = w.next() {
		if t.ours {
			return true
		}
	}
	return false
}

// first tells whether the table named next is ours.
func (w *words) first() bool {
	t, ok := w.next()
	for ok && (t.keyword() == "IF" || t.keyword() == "NOT" || t.keyword() == "EXISTS") {
		t, ok = w.next()
	}
	if point, more := w.next(); more && !point.name && point.text == "." {
		t, _ = w.next()
	}
	return t.ours
}

// next is the next word or sign. Comments are passed over, but for those that servers execute.
func (w *words) next() (token, bool) {
	w.blanks()
	if w.text == "" {
		return token{}, false
	}
	t := w.cut()
	if !t.name {
		w.point = t.text == "." && w.last != ""
		if !w.point {
			w.last = ""
		}
		return t, true
	}
	schema := w.schema
	if w.point {
		schema = w.last
	}
	// Names are compared without regard to case: where case matters, another table's statement costs a look at most.
	t.ours = strings.EqualFold(t.text, w.table.name) && strings.EqualFold(schema, w.table.schema)
	w.last, w.point = t.text, false
	return t, true
}

func (w *words) blanks() {
	for {
		w.text = strings.TrimLeft(w.text, " \t\r\n\v\f")
		switch {
		case strings.HasPrefix(w.text, "/*!"), strings.HasPrefix(w.text, "/*M!"):
			_, w.text, _ = strings.Cut(w.text, "!")
			w.text = strings.TrimLeft(w.text, "0123456789")
		case strings.HasPrefix(w.text, "*/"):
			w.text = w.text[2:]
		case strings.HasPrefix(w.text, "/*"):
			_, w.text, _ = strings.Cut(w.text[2:], "*/")
		case strings.HasPrefix(w.text, "#"), strings.HasPrefix(w.text, "-- "), strings.HasPrefix(w.text, "--\n"), strings.HasPrefix(w.text, "--\t"):
			_, w.text, _ = strings.Cut(w.text, "\n")
		default:
			return
		}
	}
}

// cut takes the next token off a text that does not begin with a blank.
func (w *words) cut() token {
	switch c := w.text[0]; {
	case c == '`', c == '"': // in double quotes a text, or a name by ANSI_QUOTES
		return token{text: w.quoted(c), name: true, quoted: true}
	case c == '\'':
		return token{text: w.quoted(c)}
	case wordByte(c):
		n := 1
		for n < len(w.text) && wordByte(w.text[n]) {
			n++
		}
		t := token{text: w.text[:n], name: true}
		w.text = w.text[n:]
		return t
	}
	t := token{text: w.text[:1]}
	w.text = w.text[1:]
	return t
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// quoted takes a quoted text off; a quote within it is doubled, or, in texts, behind a backslash.
func (w *words) quoted(quote byte) string {
	var b strings.Builder
	i := 1
	for ; i < len(w.text); i++ {
		c := w.text[i]
		switch {
		case c == '\\' && quote != '`' && i+1 < len(w.text):
			i++
			c = w.text[i]
		case c == quote && i+1 < len(w.text) && w.text[i+1] == quote:
			i++
		case c == quote:
			w.text = w.text[i+1:]
			return b.String()
		}
		if b.Len() < maxName {
			b.WriteByte(c)
		}
	}
	w.text = ""
	return b.String()
}

// maxName is above the length of any name; of longer texts the rest does not matter.
const maxName = 1024
