package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

// Bounds of what is read (law 11).
const (
	MaxFile    = 4 << 20 // bytes of the configuration
	maxSecret  = 64 << 10
	maxVisits  = 200_000 // nodes, counted again for each alias that leads to them
	maxNesting = 64
	maxFound   = 1000 // problems: behind so many comes nothing that helps
	maxName    = 200  // characters of a name
)

// decoder walks the node tree by the shapes and gathers every problem.
type decoder struct {
	src      *source
	dir      string
	env      func(string) (string, bool)
	specs    []lockstep.Connector
	problems []Problem
	marks    map[string]*yaml.Node // by path: where each setting stands
	plans    map[*Flow]flowPlan
	open     map[*yaml.Node]bool // the collections that we are in: an alias back to one contains itself
	visits   int
}

// path names a setting, for people: "flows.products.from.system".
type path string

func (p path) sub(name string) path {
	if p == "" {
		return path(name)
	}
	return p + "." + path(name)
}

func (p path) item(i int) path { return p + path("["+strconv.Itoa(i)+"]") }

func (p path) String() string {
	if p == "" {
		return "the configuration"
	}
	return "`" + string(p) + "`"
}

func (d *decoder) pos(n *yaml.Node) Pos { return Pos{d.src.name, n.Line, n.Column} }

// report notes a problem; hint may be "".
func (d *decoder) report(n *yaml.Node, at path, hint, format string, args ...any) {
	d.reportCode(lockstep.CodeConfig, n, at, hint, fmt.Sprintf(format, args...))
}

func (d *decoder) reportCode(code lockstep.Code, n *yaml.Node, at path, hint, message string) {
	if len(d.problems) < maxFound {
		d.problems = append(d.problems, Problem{Pos: d.pos(n), Path: string(at), Code: code, Message: message, Hint: hint})
	}
}

// finish adds the source lines: only now is known what must be masked.
func (d *decoder) finish() error {
	d.src.seal()
	for i := range d.problems {
		p := &d.problems[i]
		p.Source, p.Caret = d.src.show(p.Pos.Line, p.Pos.Col)
	}
	return fault(d.src.name, d.problems)
}

// enter follows aliases and counts. It is false for a node that must not be gone into.
func (d *decoder) enter(n *yaml.Node, at path) (*yaml.Node, bool) {
	use := n
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.visits++
	switch {
	case d.open[n]:
		d.report(use, at, "", "the alias *%s stands for something that contains itself", use.Value)
		return n, false
	case d.visits == maxVisits || len(d.open) > maxNesting:
		d.report(use, at, "", "this is too large or nested too deeply")
		return n, false
	case d.visits > maxVisits:
		return n, false
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		d.report(n, at, "", "tags such as %s are not used here", n.Tag)
		return n, false
	}
	return n, true
}

// pair is one member of a mapping.
type pair struct {
	name string
	key  *yaml.Node
	val  *yaml.Node
}

// pairs are the members of a mapping, in their order, merges ("<<") taken in; leave must be called when they are done.
func (d *decoder) pairs(n *yaml.Node, at path) (pairs []pair, leave func(), ok bool) {
	n, ok = d.enter(n, at)
	if !ok {
		return nil, nil, false
	}
	if n.Kind != yaml.MappingNode {
		d.wrongKind(n, at, "settings below it (`name: value`)")
		return nil, nil, false
	}
	d.open[n] = true
	return d.members(n, at, map[string]bool{}), func() { delete(d.open, n) }, true
}

func (d *decoder) members(n *yaml.Node, at path, seen map[string]bool) []pair {
	var pairs []pair
	var merges []*yaml.Node
	here := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			d.src.hide(val)
			d.report(key, at, "", "a name is a plain text, not a list or a mapping")
		case utf8.RuneCountInString(key.Value) > maxName:
			d.src.hide(val)
			d.report(key, at, "", "a name has at most %d characters", maxName)
		case key.Tag == "!!merge":
			merges = append(merges, val)
		case here[key.Value]:
			d.src.hide(val)
			d.report(key, at.sub(key.Value), "", "`%s` is there twice", key.Value)
		default:
			here[key.Value] = true
			if !seen[key.Value] {
				seen[key.Value] = true
				pairs = append(pairs, pair{key.Value, key, val})
			}
		}
	}
	for _, m := range merges {
		pairs = append(pairs, d.merged(m, at, seen)...)
	}
	return pairs
}

// merged are the members that "<<" brings; what is there already stays.
func (d *decoder) merged(n *yaml.Node, at path, seen map[string]bool) []pair {
	n, ok := d.enter(n, at)
	if !ok {
		return nil
	}
	d.open[n] = true
	defer delete(d.open, n)
	switch n.Kind {
	case yaml.MappingNode:
		return d.members(n, at, seen)
	case yaml.SequenceNode:
		var pairs []pair
		for _, c := range n.Content {
			pairs = append(pairs, d.merged(c, at, seen)...)
		}
		return pairs
	}
	d.report(n, at, "", "<< takes an alias of a mapping")
	return nil
}

// wrongKind says what stands here instead of what should.
func (d *decoder) wrongKind(n *yaml.Node, at path, want string) {
	switch {
	case n.Kind == yaml.MappingNode:
		d.report(n, at, "", "%s takes %s, not settings of its own", at, want)
	case n.Kind == yaml.SequenceNode:
		d.report(n, at, "", "%s takes %s, not a list", at, want)
	case n.Tag == "!!null":
		d.report(n, at, "", "%s has no value; it takes %s", at, want)
	default:
		d.report(n, at, "", "%s takes %s, not a single value", at, want)
	}
}

// scalar reads the text of a scalar, with ${ENV} replaced; want says what is wanted, for the error.
func (d *decoder) scalar(n *yaml.Node, at path, want string) (text string, expanded, ok bool) {
	n, ok = d.enter(n, at)
	if !ok {
		return "", false, false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.wrongKind(n, at, want)
		return "", false, false
	}
	return d.expand(n, at)
}

// quote shows a scalar's text as it stands in the file, which is never what a variable holds (law 12).
func quote(n *yaml.Node) string {
	text := n.Value
	for n.Kind == yaml.AliasNode {
		n = n.Alias
		text = n.Value
	}
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:60]) + "…"
	}
	return strconv.Quote(userInfo.ReplaceAllString(text, "://***@"))
}

// expand replaces ${NAME} and ${NAME:-default}; $${ is a plain ${.
func (d *decoder) expand(n *yaml.Node, at path) (text string, expanded, ok bool) {
	if !strings.Contains(n.Value, "${") {
		return n.Value, false, true
	}
	var b strings.Builder
	rest := n.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			b.WriteString(rest)
			return b.String(), expanded, true
		}
		if strings.HasSuffix(before, "$") {
			b.WriteString(before + "{")
			rest = after
			continue
		}
		b.WriteString(before)
		inner, behind, closed := strings.Cut(after, "}")
		name, standard, hasStandard := strings.Cut(inner, ":-")
		if !closed || !isVariable(name) {
			d.report(n, at, "write $${ for a plain ${", "a variable is written ${NAME} or ${NAME:-default}")
			return "", false, false
		}
		value, set := d.env(name)
		switch {
		case (!set || value == "") && hasStandard:
			value = standard
		case !set:
			d.reportCode(lockstep.CodeSecret, n, at, "set it, or write ${"+name+":-default}", "the environment variable "+name+" is not set")
			return "", false, false
		}
		expanded = true
		b.WriteString(value)
		if b.Len() > MaxFile {
			d.report(n, at, "", "the value of the environment variable %s is too long", name)
			return "", false, false
		}
		rest = behind
	}
}

func isVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// file reads a file that the configuration names, relative to the configuration's folder.
func (d *decoder) file(name string, limit int64) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.dir, name)
	}
	return readFile(name, limit)
}

// readFile reads a regular file of at most limit bytes. Anything else (a device, a pipe) might never end. Its errors do
// not name the file: the name may come from a variable (law 12).
func readFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, nameless(err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nameless(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is larger than %s", shortSize(limit))
	}
	return data, nameless(err)
}

func nameless(err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		return inner.Err
	}
	return err
}
