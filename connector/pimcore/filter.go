package pimcore

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// dialect writes conditions and orders as an endpoint takes them. A later DataHub that takes them in another form is
// another dialect.
type dialect interface {
	// filter is the text of a listing's argument "filter"; "" where there is nothing to filter by, for an empty
	// filter is an error.
	filter(condition) string
	// order is the columns of "sortBy".
	order(columns ...string) []string
}

// condition is a comparison of a column, or several conditions together.
type condition struct {
	op     operator
	column string // of comparisons
	value  string // always a text: later versions quote nothing else
	parts  []condition
}

type operator uint8

const (
	all operator = iota // of parts; none is no condition
	anyOf
	equal
	isNull
	notNull
	greater
	atLeast
	atMost
	like
)

func compare(column string, op operator, text string) condition {
	return condition{op: op, column: column, value: text}
}

func allOf(parts ...condition) condition { return condition{parts: parts} }

func oneOf(parts ...condition) condition { return condition{op: anyOf, parts: parts} }

var operators = map[operator]string{greater: "$gt", atLeast: "$gte", atMost: "$lte", like: "$like"}

// modern is Pimcore 11 and later.
type modern struct{}

func (modern) filter(c condition) string {
	return filterText(c, func(column string) string { return column })
}

func (modern) order(columns ...string) []string { return columns }

// prefixed is Pimcore 10: the columns that every object has begin with o_, and only those.
type prefixed struct{}

func (prefixed) filter(c condition) string { return filterText(c, prefix) }

func (prefixed) order(columns ...string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = prefix(c)
	}
	return out
}

// systemColumns are the columns that every object has.
var systemColumns = []string{"id", "parentId", "type", "key", "path", "index", "published", "creationDate", "modificationDate", "classId", "className"}

func prefix(column string) string {
	if slices.Contains(systemColumns, column) {
		return "o_" + column
	}
	return column
}

// filterText writes a condition as JSON. Inside $or everything is ored, the members of an object as well: each
// alternative of more than one comparison is an $and of its own.
func filterText(c condition, column func(string) string) string {
	var b bytes.Buffer
	c = c.simple()
	if c.op == all && len(c.parts) == 0 {
		return ""
	}
	if c.op == all {
		writeConditions(&b, c.parts, column)
		return b.String()
	}
	c.write(&b, column)
	return b.String()
}

// simple is c without groups of one, and without empty ones.
func (c condition) simple() condition {
	if c.op > anyOf {
		return c
	}
	var parts []condition
	for _, p := range c.parts {
		if p = p.simple(); p.op > anyOf || len(p.parts) > 0 {
			parts = append(parts, p)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return condition{op: c.op, parts: parts}
}

func writeConditions(b *bytes.Buffer, parts []condition, column func(string) string) {
	b.WriteByte('[')
	for i, p := range parts {
		if i > 0 {
			b.WriteByte(',')
		}
		p.write(b, column)
	}
	b.WriteByte(']')
}

func (c condition) write(b *bytes.Buffer, column func(string) string) {
	b.WriteByte('{')
	defer b.WriteByte('}')
	switch c.op {
	case all:
		b.WriteString(`"$and":`)
		writeConditions(b, c.parts, column)
		return
	case anyOf:
		b.WriteString(`"$or":`)
		writeConditions(b, c.parts, column)
		return
	}
	writeJSON(b, column(c.column))
	b.WriteByte(':')
	switch c.op {
	case equal:
		writeJSON(b, c.value)
	case isNull:
		b.WriteString("null")
	case notNull: // $notnull makes broken SQL
		b.WriteString(`{"$not":null}`)
	default:
		b.WriteString(`{"` + operators[c.op] + `":`)
		writeJSON(b, c.value)
		b.WriteByte('}')
	}
}

// dialectHolder keeps the dialect that an endpoint answered to; nil is none yet.
type dialectHolder chan dialect

func newDialectHolder() dialectHolder {
	h := make(dialectHolder, 1)
	h <- nil
	return h
}

// dialectOf is the dialect that the settings name, or the one that the endpoint answers to.
func (s *System) dialectOf(ctx context.Context, class string) (dialect, error) {
	switch s.conf.version {
	case "10":
		return prefixed{}, nil
	case "11", "12":
		return modern{}, nil
	}
	var known dialect
	select {
	case known = <-s.speaks:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.speaks <- known }()
	if known != nil {
		return known, nil
	}
	found, err := s.probeDialect(ctx, class)
	if err == nil {
		known = found
	}
	return found, err
}

// probeDialect asks in both dialects. The wrong one is an unknown column, which is an error.
func (s *System) probeDialect(ctx context.Context, class string) (dialect, error) {
	var q string
	for i, d := range []dialect{modern{}, prefixed{}} {
		q += fmt.Sprintf("v%d:get%sListing(first:1,published:false,filter:%q){edges{node{id}}}\n", i, upper(class), d.filter(compare("id", greater, "0")))
	}
	d := document{name: "probe of the version", query: "{" + q + "}"}
	a, err := s.client.post(ctx, d)
	if err != nil {
		return nil, err
	}
	failed := map[string]bool{}
	for _, e := range a.errors {
		failed[e.root()] = true
	}
	switch {
	case failed[""] || failed["v0"] && failed["v1"]:
		return nil, graphFault(d, a.errors)
	case failed["v0"]:
		return prefixed{}, nil
	case failed["v1"]:
		return modern{}, nil
	}
	f := lockstep.Faultf(lockstep.CodeConfig, "the endpoint answers to filters of Pimcore 10 and of 11 alike")
	f.Next = "Set `version` of the system to Pimcore's major version."
	return nil, f
}
