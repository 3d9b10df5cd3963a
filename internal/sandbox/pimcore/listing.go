package pimcore

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// listing is getXListing: the condition is made at once, rows are looked for when totalCount or edges are asked.
type listing struct {
	class     *class
	where     []condition
	broken    bool
	sort      []sortKey
	badSort   bool
	first     int
	limited   bool
	after     int
	published bool
}

type sortKey struct {
	name string
	fn   columnFn
	desc bool
}

func (l *listing) typeName() string { return upperFirst(l.class.Name) + "Connection" }

func (r *request) listing(c *class, f *planned) (any, error) {
	r.locale(f)
	l := &listing{class: c, published: true}
	if on, given := f.flag("published"); given && !on {
		l.published = false
	}
	l.first, l.limited = f.number("first")
	l.after, _ = f.number("after")
	if v, ok := f.args["ids"].(string); ok {
		l.where = append(l.where, idsCondition(v))
	}
	if v, ok := f.args["fullpaths"].(string); ok {
		l.where = append(l.where, pathsCondition(v))
	}
	if v, ok := f.args["tags"].(string); ok {
		l.where = append(l.where, tagsCondition(v))
	}
	if text, ok := f.args["filter"].(string); ok {
		cond, err := r.s.filter(c, text, r.filterLanguage())
		if err != nil {
			return nil, err
		}
		l.broken = cond.broken
		l.where = append(l.where, cond)
	}
	r.sortKeys(l, f)
	return l, nil
}

// filterLanguage is the one language in which localized columns are matched: the default where the locale is unknown.
func (r *request) filterLanguage() string {
	for _, l := range r.w.languages {
		if l == r.language {
			return l
		}
	}
	return r.w.languages[0]
}

func (r *request) sortKeys(l *listing, f *planned) {
	var orders []string
	for _, o := range texts(f.args["sortOrder"]) {
		if o = strings.ToUpper(o); o == "ASC" || o == "DESC" { // others are left out, and shift what follows
			orders = append(orders, o)
		}
	}
	last := "ASC"
	for i, name := range texts(f.args["sortBy"]) {
		if i < len(orders) {
			last = orders[i]
		}
		fn, brick := r.s.column(l.class, name, r.filterLanguage())
		l.badSort = l.badSort || fn == nil || brick
		l.sort = append(l.sort, sortKey{name, fn, last == "DESC"})
	}
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func idsCondition(list string) condition {
	ids := map[int]bool{}
	for _, s := range strings.Split(list, ",") {
		ids[int(leadingNumber(s))] = true
	}
	return condition{match: func(o *object) bool { return ids[o.id] }}
}

// pathsCondition reads a line of CSV with the single quote as quoting character.
func pathsCondition(list string) condition {
	paths := map[string]bool{}
	for _, p := range splitQuoted(list) {
		paths[p] = true
	}
	return condition{match: func(o *object) bool { return paths[o.fullpath()] }}
}

func splitQuoted(s string) []string {
	var out []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'' && quoted && i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(out, b.String())
}

func tagsCondition(list string) condition {
	wanted := map[string]bool{}
	for _, t := range strings.Split(list, ",") {
		wanted[strings.TrimSpace(t)] = true
	}
	return condition{match: func(o *object) bool {
		for _, t := range o.tags {
			if wanted[t] {
				return true
			}
		}
		return false
	}}
}

func (l *listing) matches(o *object) bool {
	if l.published && !o.published {
		return false
	}
	for _, c := range l.where {
		if !c.match(o) {
			return false
		}
	}
	return true
}

func (l *listing) field(r *request, f *planned) (any, error) {
	if l.broken {
		return nil, errInternal
	}
	if f.node.Name == "totalCount" {
		n := 0
		for _, o := range r.w.byClass[l.class.Name] {
			if l.matches(o) {
				n++
			}
		}
		return n, nil
	}
	if r.s.faults.Due(FaultPart) || l.badSort || l.limited && l.first < 0 || l.after < 0 {
		return nil, errInternal
	}
	return l.edges(r), nil
}

// edges are the page's rows: the permission check comes behind the limit, so a page may be short.
func (l *listing) edges(r *request) []source {
	out := []source{}
	if l.limited && l.first == 0 {
		return out
	}
	skip, left := l.after, l.first
	for _, o := range r.w.inOrder(l.class, l.sort, r.filterLanguage()) {
		if !l.matches(o) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if r.w.may(mayRead, o.fullpath(), false) {
			out = append(out, edge{o})
		}
		if left--; l.limited && left == 0 {
			break
		}
	}
	return r.s.halfFilled(out)
}

type edge struct{ o *object }

func (e edge) typeName() string { return upperFirst(e.o.class.Name) + "Edge" }

func (e edge) field(_ *request, f *planned) (any, error) {
	if f.node.Name == "cursor" {
		return "object-" + strconv.Itoa(e.o.id), nil
	}
	return node(e), nil
}

// inOrder is a class's objects in an order. What was sorted is kept until something is written.
func (w *world) inOrder(c *class, by []sortKey, language string) []*object {
	name := fmt.Sprint(c.Name, language)
	for _, k := range by {
		name += fmt.Sprint("\x00", k.name, k.desc)
	}
	w.sortMu.Lock()
	defer w.sortMu.Unlock()
	if w.sortAt != w.gen {
		w.sortAt = w.gen
		clear(w.sorted)
	}
	if list, ok := w.sorted[name]; ok {
		return list
	}
	list := make([]*object, 0, len(w.byClass[c.Name]))
	for _, o := range w.byClass[c.Name] {
		list = append(list, o)
	}
	sort.Slice(list, func(i, j int) bool { return before(list[i], list[j], by) })
	w.sorted[name] = list
	return list
}

// before: without an order given, rows come as the index on key and path holds them. Equal rows have no promised
// order; here the younger one comes first, so that nobody relies on the id.
func before(a, b *object, by []sortKey) bool {
	for _, k := range by {
		if n := k.fn(a).compare(k.fn(b)); n != 0 {
			return n < 0 != k.desc
		}
	}
	if len(by) > 0 {
		return a.id > b.id
	}
	if a.key != b.key {
		return a.key < b.key
	}
	if a.path != b.path {
		return a.path < b.path
	}
	return a.id > b.id
}
