package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
)

// search is what is looked for in a list.
type search struct {
	groups [][]filter // each of them must hold, by one of its filters
	sort   []string   // ascending
	size   int        // 0: all that there are
	page   int        // from 1; 0 is 1
	fields string     // of the answer, as Magento writes it: "items[id,sku],total_count"; "" is all
}

type filter struct{ field, cond, value string }

// The conditions that Magento knows.
const (
	equals  = "eq"
	oneOf   = "in"
	greater = "gt"
	atLeast = "gteq"
	isNull  = "null"
)

// query is the search as a URL's query. Values are escaped whole: a raw = in one would make a signature wrong.
func (s search) query() string {
	var b strings.Builder
	b.WriteString("searchCriteria[pageSize]=" + strconv.Itoa(s.size))
	if s.page > 1 {
		b.WriteString("&searchCriteria[currentPage]=" + strconv.Itoa(s.page))
	}
	for i, group := range s.groups {
		for j, f := range group {
			at := "&searchCriteria[filterGroups][" + strconv.Itoa(i) + "][filters][" + strconv.Itoa(j) + "]"
			b.WriteString(at + "[field]=" + escape(f.field) + at + "[value]=" + escape(f.value) + at + "[conditionType]=" + f.cond)
		}
	}
	for i, field := range s.sort {
		at := "&searchCriteria[sortOrders][" + strconv.Itoa(i) + "]"
		b.WriteString(at + "[field]=" + escape(field) + at + "[direction]=ASC")
	}
	if s.fields != "" {
		b.WriteString("&fields=" + s.fields)
	}
	return b.String()
}

// The bounds of one filter: servers before Magento take URLs of 8 KB at most.
const (
	maxIn      = 60
	maxInBytes = 4000
	maxEqual   = 15 // filters with a comma in their value, each with its own
)

// inGroups are filters that together look for all values of a field, each for as many as one URL holds. A value with a
// comma needs a filter of its own, for in splits there.
func inGroups(field string, values []string) [][]filter {
	var out [][]filter
	var plain []string
	var apart []filter
	size := 0
	flush := func() {
		var group []filter
		if len(plain) > 0 {
			group = append(group, filter{field, oneOf, strings.Join(plain, ",")})
		}
		if group = append(group, apart...); len(group) > 0 {
			out = append(out, group)
		}
		plain, apart, size = nil, nil, 0
	}
	for _, v := range values {
		n := len(escape(v)) + len("%2C")
		comma := strings.Contains(v, ",")
		if comma {
			n += 160 // the filter around it
		}
		if len(plain)+len(apart) > 0 && (size+n > maxInBytes || len(plain)+len(apart) >= maxIn || comma && len(apart) >= maxEqual) {
			flush()
		}
		if size += n; comma {
			apart = append(apart, filter{field, equals, v})
		} else {
			plain = append(plain, v)
		}
	}
	flush()
	return out
}

// found is a page of a search.
type found struct {
	items []json.RawMessage
	total int // of all pages
	clock time.Time
}

// find makes one search. An answer without a number of records is none.
func (c *client) find(ctx context.Context, name, scope, path string, s search) (*found, error) {
	q := call{name: name, method: http.MethodGet, scope: scope, path: path, query: s.query()}
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	var body struct {
		Items json.RawMessage `json:"items"`
		Total *number         `json:"total_count"`
	}
	if !utf8.Valid(r.body) || json.Unmarshal(r.body, &body) != nil || body.Total == nil {
		return nil, notUnderstood(&q, r.body)
	}
	out := &found{total: int(*body.Total), clock: r.clock}
	if out.items, err = listOf[json.RawMessage](body.Items); err != nil {
		return nil, notUnderstood(&q, r.body)
	}
	return out, nil
}

// maxPages is the most that findAll reads.
const maxPages = 10_000

// findAll reads all pages of a search that needs no place to go on from. Older Magentos repeat their last page for
// those behind it: the first item, read again, is an end, too.
func (c *client) findAll(ctx context.Context, name, scope, path string, s search, each func(items []json.RawMessage) error) error {
	first, seen := "", 0
	for s.page = 1; s.page <= maxPages; s.page++ {
		got, err := c.find(ctx, name, scope, path, s)
		if err != nil {
			return err
		}
		if len(got.items) == 0 || s.page > 1 && string(got.items[0]) == first {
			return nil
		}
		first = string(got.items[0])
		if err := each(got.items); err != nil {
			return lockstep.FaultOf(err).On(lockstep.About{Request: name})
		}
		if seen += len(got.items); seen >= got.total || s.size == 0 {
			return nil
		}
	}
	return lockstep.Faultf(lockstep.CodeServer, "the pages of a list do not end").On(lockstep.About{Request: name})
}
