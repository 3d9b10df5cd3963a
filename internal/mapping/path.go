package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// Path is where a value stands in a target record. The grammar:
//
//	path  = name { step }
//	step  = "." word | "[" number "]" | "[" quoted "]" | "[" word "=" text "]"
//	name  = word | "[" quoted "]"
//
// A word is any run of characters but . [ ] = and quotes; quoted is a JSON string. [2] is the third item of a list;
// [code=color] is the item of a list of objects whose member `code` is "color".
type Path []Step

// Step is one step of a path.
type Step struct {
	Name   string // a member of an object
	Index  int    // an item of a list
	IsItem bool   // Index counts, or Member and Is do
	Member string // an item whose member Member is the text Is; "" counts by Index
	Is     string
}

// MaxIndex bounds a list that a path makes.
const MaxIndex = 999

// ParsePath reads a path.
func ParsePath(s string) (Path, error) {
	var p Path
	for rest := s; rest != ""; {
		var step Step
		var err error
		switch {
		case rest[0] == '[':
			step, rest, err = parseBracket(rest)
		case rest[0] == '.' && len(p) > 0:
			step.Name, rest = cutWord(rest[1:])
		case len(p) == 0:
			step.Name, rest = cutWord(rest)
		default:
			err = fmt.Errorf("expected . or [ before %q", rest)
		}
		if err == nil && !step.IsItem && step.Name == "" {
			err = errors.New("a name is missing")
		}
		if err == nil && step.IsItem && len(p) == 0 {
			err = errors.New("a path begins with a name")
		}
		if err != nil {
			return nil, fmt.Errorf("field path %q: %w", s, err)
		}
		if p = append(p, step); len(p) > 32 {
			return nil, fmt.Errorf("field path %q: more than 32 steps", s)
		}
	}
	if len(p) == 0 {
		return nil, errors.New("a field path is empty")
	}
	return p, nil
}

func cutWord(s string) (word, rest string) {
	if i := strings.IndexAny(s, `.[]="`); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func parseBracket(s string) (step Step, rest string, err error) {
	if strings.HasPrefix(s, `["`) {
		text, err := strconv.QuotedPrefix(s[1:])
		if err != nil {
			return step, "", errors.New("the quoted name does not end")
		}
		v, err := value.ParseJSON(text)
		if err != nil {
			return step, "", err
		}
		rest, closed := strings.CutPrefix(s[1+len(text):], "]")
		if !closed {
			return step, "", errors.New("expected ] behind the quoted name")
		}
		return Step{Name: v.Text()}, rest, nil
	}
	inside, rest, closed := strings.Cut(s[1:], "]")
	if !closed {
		return step, "", errors.New("[ is not closed")
	}
	if member, is, ok := strings.Cut(inside, "="); ok {
		if member == "" || is == "" {
			return step, "", errors.New("[member=text] needs both")
		}
		return Step{IsItem: true, Member: member, Is: is}, rest, nil
	}
	n, err := strconv.Atoi(inside)
	if err != nil || n < 0 || n > MaxIndex || strconv.Itoa(n) != inside {
		return step, "", fmt.Errorf("[%s] is neither a number from 0 to %d, a quoted name nor member=text", inside, MaxIndex)
	}
	return Step{IsItem: true, Index: n}, rest, nil
}

// String writes the path so that ParsePath reads it back.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		word, rest := cutWord(s.Name)
		switch {
		case s.IsItem && s.Member != "":
			fmt.Fprintf(&b, "[%s=%s]", s.Member, s.Is)
		case s.IsItem:
			fmt.Fprintf(&b, "[%d]", s.Index)
		case rest != "" || word == "":
			b.WriteByte('[')
			b.Write(value.AppendQuoted(nil, s.Name))
			b.WriteByte(']')
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Name)
		}
	}
	return b.String()
}
