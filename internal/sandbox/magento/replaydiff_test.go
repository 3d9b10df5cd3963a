package magento

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// differs says in what an answer is not the one that was recorded.
func (p *player) differs(e recorded, status int, header http.Header, body string) []string {
	var out []string
	if status != e.Response.Status {
		out = append(out, fmt.Sprintf("status %d, recorded %d", status, e.Response.Status))
	}
	for _, name := range []string{"content-type", "cache-control"} {
		if want, got := e.Response.Headers[name], header.Get(name); want != "" && mediaType(want) != mediaType(got) {
			out = append(out, fmt.Sprintf("%s: %s, recorded %s", name, got, want))
		}
	}
	want, err := decodedJSON(e.Response.Body)
	if err != nil {
		return append(out, err.Error())
	}
	if !strings.HasPrefix(e.Response.Headers["content-type"], "application/json") || e.Request.Method == http.MethodHead {
		text, _ := want.(string)
		if lines(text) != lines(body) && !(strings.Contains(text, "shortened") && strings.HasPrefix(strings.ToLower(body), "<!doctype html>")) {
			out = append(out, fmt.Sprintf("answered %s, recorded %s", shortened(body), shortened(text)))
		}
		return out
	}
	got, err := decodedJSON([]byte(body))
	if err != nil {
		return append(out, "no JSON: "+shortened(body))
	}
	if token, ok := got.(string); ok && want == "<JWT>" {
		p.jwt = token
	}
	p.learn(want, got)
	c := comparison{p: p, who: subjectOf(e)}
	c.compare("", want, got)
	if len(c.out) > 0 {
		c.out = append(c.out, "answered "+shortened(body))
	}
	return append(out, c.out...)
}

// lines are those of a text in an order of their own: lists of stores have none.
func lines(text string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(text, "\n")), "\n")
}

func mediaType(s string) string {
	t, params, err := mime.ParseMediaType(s)
	if err != nil {
		return s
	}
	return t + ";" + strings.ToLower(params["charset"])
}

// subjectOf is the product that an exchange is about.
func subjectOf(e recorded) string {
	_, rest, ok := strings.Cut(e.Request.Path, "/V1/products/")
	if !ok {
		return ""
	}
	sku, _, _ := strings.Cut(rest, "?")
	return strings.ToLower(sku)
}

var (
	timeText = regexp.MustCompile(`^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$`)
	hashText = regexp.MustCompile(`^[0-9a-f]{64}$`)
	md5Text  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	cartText = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)
	uuidText = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	jwtText  = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`)
	reportID = regexp.MustCompile(`webapi-[0-9a-f]+`)
)

// learn notes what stands here for a recorded uuid or cart.
func (p *player) learn(want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			for k := range w {
				p.learn(w[k], g[k])
			}
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				p.learn(w[i], g[i])
			}
		}
	case string:
		g, _ := got.(string)
		if uuidText.MatchString(w) && uuidText.MatchString(g) || cartText.MatchString(w) && cartText.MatchString(g) {
			p.uuids[w] = g
		}
	}
}

// comparison collects where two answers differ.
type comparison struct {
	p   *player
	who string
	out []string
}

func (c *comparison) say(path, format string, args ...any) {
	if len(c.out) < 12 {
		c.out = append(c.out, path+": "+fmt.Sprintf(format, args...))
	}
}

func (c *comparison) compare(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.say(path, "%s, recorded an object", kindOf(got))
			return
		}
		c.objects(path, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok {
			c.say(path, "%s, recorded a list", kindOf(got))
			return
		}
		if len(w) != len(g) {
			c.say(path, "%d elements, recorded %d", len(g), len(w))
		}
		w, g = aligned(path, w, g)
		for i := range min(len(w), len(g)) {
			c.compare(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
	default:
		if !c.same(path, want, got) {
			c.say(path, "%s, recorded %s", shown(got), shown(want))
		}
	}
}

func (c *comparison) objects(path string, want, got map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		v, ok := got[k]
		if !ok {
			c.say(path+"."+k, "missing, recorded %s", shown(want[k]))
			continue
		}
		c.compare(path+"."+k, want[k], v)
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			c.say(path+"."+k, "%s, not recorded", shown(got[k]))
		}
	}
}

// aligned brings lists that have no order into one: by what names an element.
func aligned(path string, want, got []any) ([]any, []any) {
	name := ""
	switch {
	case path == "" && hasMember(want, "store_group_id"), path == "" && hasMember(want, "default_group_id"):
		name = "code" // the real one sorts store views and websites one way or another, from request to request
	case path == "" && hasMember(want, "attribute_code"):
		name = "attribute_code" // a set's attributes come as the database finds them
	case strings.HasSuffix(path, "custom_attributes"):
		name = "attribute_code"
	case strings.HasSuffix(path, "sales_channels"):
		name = "code"
	}
	if name == "" {
		return want, got
	}
	by := func(list []any) []any {
		return slices.SortedStableFunc(slices.Values(list), func(a, b any) int {
			return strings.Compare(fmt.Sprint(memberOf(a, name)), fmt.Sprint(memberOf(b, name)))
		})
	}
	return by(want), by(got)
}

func memberOf(v any, name string) any {
	o, _ := v.(map[string]any)
	return o[name]
}

func hasMember(list []any, name string) bool { return len(list) > 0 && memberOf(list[0], name) != nil }

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "a text"
}

func shown(v any) string {
	raw, _ := json.Marshal(v)
	return shortened(string(raw))
}

// same compares what is no object and no list: by value, or by pattern where the value is the server's own.
func (c *comparison) same(path string, want, got any) bool {
	if w, ok := want.(json.Number); ok {
		g, ok := got.(json.Number)
		a, _ := w.Float64()
		b, _ := g.Float64()
		return ok && a == b
	}
	w, isText := want.(string)
	g, ok := got.(string)
	if !isText || !ok {
		return want == got
	}
	switch {
	case w == g:
		return c.moves(path, w, g)
	case w == "<JWT>":
		return jwtText.MatchString(g)
	case timeText.MatchString(w) && strings.HasPrefix(w, "2026-11-23"):
		return timeText.MatchString(g) && c.moves(path, w, g)
	case c.p.uuids[w] == g:
		return true
	case hashText.MatchString(w):
		return hashText.MatchString(g)
	case md5Text.MatchString(w):
		return md5Text.MatchString(g)
	case reportID.MatchString(w):
		return reportID.ReplaceAllString(w, "") == reportID.ReplaceAllString(g, "")
	case strings.HasPrefix(w, "{") || strings.HasPrefix(w, "["):
		return c.nested(path, w, g)
	case strings.HasSuffix(path, "remote_ip"):
		return g != ""
	}
	return false
}

// nested compares JSON in a text.
func (c *comparison) nested(path, want, got string) bool {
	w, err := decodedJSON([]byte(want))
	if err != nil {
		return false
	}
	g, err := decodedJSON([]byte(got))
	if err != nil {
		return false
	}
	c.compare(path+"(JSON)", w, g)
	return true
}

// moves tells whether a product's updated_at moved where it was recorded to move, and stayed where it stayed.
func (c *comparison) moves(path, want, got string) bool {
	if path != ".updated_at" || c.who == "" {
		return true
	}
	last, ok := c.p.times[c.who]
	c.p.times[c.who] = [2]string{want, got}
	if !ok || last[0] != want {
		return true // that it moved within one second is not to be seen in the recording
	}
	return last[1] == got
}
