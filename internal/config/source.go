package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// source is the text of the file, for showing lines of it in errors without what is secret (law 12).
type source struct {
	name   string
	lines  []string
	starts []place // of all nodes, in order
	masks  [][2]place
	odd    bool // has line ends that YAML and we may count differently: show nothing
}

type place struct{ line, col int }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.col, q.col))
}

func newSource(name string, text string) *source {
	lone := strings.Contains(strings.ReplaceAll(text, "\r\n", "\n"), "\r")
	text = strings.TrimPrefix(text, "\ufeff")
	s := &source{
		name:  name,
		lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"),
		odd:   lone || strings.ContainsAny(text, "\u0085\u2028\u2029"),
	}
	for i, line := range s.lines {
		for _, m := range userInfo.FindAllStringIndex(line, -1) { // user and password of an address
			from, to := len([]rune(line[:m[0]])), len([]rune(line[:m[1]]))
			s.masks = append(s.masks, [2]place{{i + 1, from + 4}, {i + 1, to}})
		}
	}
	return s
}

// index notes where the nodes begin; hide needs it.
func (s *source) index(n *yaml.Node) {
	s.starts = append(s.starts, place{n.Line, n.Column})
	for _, c := range n.Content {
		s.index(c)
	}
}

func (s *source) sort() { slices.SortFunc(s.starts, place.compare) }

// hide masks a node, up to the beginning of whatever comes behind it.
func (s *source) hide(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		return // its name says nothing; what it stands for is hidden where it is used
	}
	for _, c := range n.Content {
		s.hide(c)
	}
	if n.Kind != yaml.ScalarNode {
		return
	}
	from := place{n.Line, n.Column}
	to := place{len(s.lines) + 1, 1}
	i, _ := slices.BinarySearchFunc(s.starts, place{n.Line, n.Column + 1}, place.compare)
	if i < len(s.starts) {
		to = s.starts[i]
	}
	s.masks = append(s.masks, [2]place{from, to})
}

const maxLine = 160

// show is a line as it may be shown, and where column col is in it; "" where there is nothing to show.
func (s *source) show(line, col int) (text string, caret int) {
	if s.odd || line < 1 || line > len(s.lines) {
		return "", 0
	}
	runes := []rune(s.lines[line-1])
	end := len(runes)
	if i := s.commentAt(runes, line); i >= 0 {
		end = i
	}
	var b strings.Builder
	shown := 0
	masked := false
	for i := range end {
		at := place{line, i + 1}
		if i+1 == col {
			caret = shown + 1
		}
		if s.masked(at) {
			if masked {
				continue
			}
			masked = true
			hidden := runes[i:min(s.maskEnd(at)-1, end)]
			sign := "***"
			if strings.TrimSpace(string(hidden)) == "" {
				sign = string(hidden)
			} else if n := len(hidden); hidden[n-1] == ' ' || i+n < end && runes[i+n] != '@' {
				sign += " "
			}
			b.WriteString(sign)
			shown += len(sign)
			continue
		}
		masked = false
		r := runes[i]
		if r == '\t' || r < ' ' {
			r = ' '
		}
		b.WriteRune(r)
		shown++
	}
	if caret == 0 {
		caret = shown + 1
	}
	return clip(strings.TrimRight(b.String(), " "), caret)
}

// clip keeps a window of a long line around the caret.
func clip(text string, caret int) (string, int) {
	runes := []rune(text)
	if len(runes) <= maxLine {
		return text, caret
	}
	from := min(max(0, caret-maxLine/2), len(runes)-maxLine)
	cut := string(runes[from:min(from+maxLine, len(runes))])
	if from > 0 {
		return "…" + cut, caret - from + 1
	}
	return cut + "…", caret
}

// maskEnd is the first column of at's line behind the masks that cover it.
func (s *source) maskEnd(at place) int {
	for s.masked(at) && at.col <= len(s.lines[at.line-1]) {
		at.col++
	}
	return at.col
}

// masked tells whether a place lies in a mask; seal must have been called.
func (s *source) masked(at place) bool {
	i, found := slices.BinarySearchFunc(s.masks, at, func(m [2]place, at place) int { return m[0].compare(at) })
	return found || i > 0 && at.compare(s.masks[i-1][1]) < 0
}

// seal sorts the masks and joins those that overlap: there may be many.
func (s *source) seal() {
	slices.SortFunc(s.masks, func(a, b [2]place) int { return a[0].compare(b[0]) })
	var joined [][2]place
	for _, m := range s.masks {
		if n := len(joined); n > 0 && m[0].compare(joined[n-1][1]) <= 0 {
			if m[1].compare(joined[n-1][1]) > 0 {
				joined[n-1][1] = m[1]
			}
			continue
		}
		joined = append(joined, m)
	}
	s.masks = joined
}

// commentAt is where a comment begins behind the last node of a line, -1 for none: people keep old passwords there.
func (s *source) commentAt(runes []rune, line int) int {
	i, _ := slices.BinarySearchFunc(s.starts, place{line + 1, 0}, place.compare)
	from := 0
	if i > 0 && s.starts[i-1].line == line {
		from = s.starts[i-1].col
	}
	for j := from; j < len(runes); j++ {
		if runes[j] == '#' && (j == 0 || runes[j-1] == ' ' || runes[j-1] == '\t') {
			return j
		}
	}
	return -1
}

var userInfo = regexp.MustCompile(`://[^/@\s]+@`)

var secretKey = regexp.MustCompile(`(?i)(pass|pwd|secret|token|key|dsn|url|uri|auth|cred|private)[\w-]*["']?\s*:`)

// hideSuspects masks, in a file whose structure is not known because it does not parse, what looks like the value of
// a secret: all that follows such a key in its line, and lines that are indented under one.
func (s *source) hideSuspects() {
	under := -1
	for i, line := range s.lines {
		blank := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		indent := len(blank) + 7*strings.Count(blank, "\t")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if under >= 0 && indent > under {
			s.masks = append(s.masks, [2]place{{i + 1, 1}, {i + 2, 1}})
			continue
		}
		under = -1
		if m := secretKey.FindStringIndex(line); m != nil {
			s.masks = append(s.masks, [2]place{{i + 1, len([]rune(line[:m[1]])) + 2}, {i + 2, 1}})
			under = indent
		}
	}
}
