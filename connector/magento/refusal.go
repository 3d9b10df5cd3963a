package magento

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// refusal is what Magento says about a call that it did not do. Its text, as it is before values are put in, is the
// stable key of what went wrong. Error shows no value (law 12).
type refusal struct {
	status   int
	template string
	params   []param
	errors   []refusal // several at once: of input that is checked by its parts
}

// param is a value for a place in the template: by name (%fieldName), or by its number (%1).
type param struct{ name, text string }

// The bounds of an envelope that is read.
const (
	maxRefusals = 20
	maxParams   = 20
	maxShown    = 300
)

// envelope is a refusal on the wire. Parameters are an object, a list, or, where PHP had nothing to say, an empty list.
type envelope struct {
	Message    string          `json:"message"`
	Parameters json.RawMessage `json:"parameters"`
	Errors     []envelope      `json:"errors"`
}

// readRefusal reads an answer; it is false where the answer has no envelope.
func readRefusal(status int, body []byte) (*refusal, bool) {
	var e envelope
	if !utf8.Valid(body) || json.Unmarshal(body, &e) != nil || e.Message == "" {
		return nil, false
	}
	r := e.refusal()
	r.status = status
	return &r, true
}

func (e *envelope) refusal() refusal {
	r := refusal{template: e.Message, params: readParams(e.Parameters)}
	for _, sub := range e.Errors[:min(len(e.Errors), maxRefusals)] {
		sub.Errors = nil
		r.errors = append(r.errors, sub.refusal())
	}
	return r
}

func readParams(raw json.RawMessage) []param {
	var out []param
	var named map[string]any
	if json.Unmarshal(raw, &named) == nil {
		for name, v := range named {
			out = append(out, param{name, fmt.Sprint(v)})
		}
		slices.SortFunc(out, func(a, b param) int { return strings.Compare(a.name, b.name) })
	}
	var listed []any
	if json.Unmarshal(raw, &listed) == nil {
		for i, v := range listed {
			out = append(out, param{fmt.Sprint(i + 1), fmt.Sprint(v)})
		}
	}
	return out[:min(len(out), maxParams)]
}

// param is the value of a place in the template, "" where there is none.
func (r *refusal) param(name string) string {
	for _, p := range r.params {
		if p.name == name {
			return p.text
		}
	}
	return ""
}

// says tells whether a text is the template, or begins one of the messages in it: some are put into others as values.
func (r *refusal) says(text string) bool {
	if strings.HasPrefix(r.template, text) {
		return true
	}
	for _, p := range r.params {
		if strings.HasPrefix(p.text, text) {
			return true
		}
	}
	return slices.ContainsFunc(r.errors, func(e refusal) bool { return e.says(text) })
}

// refusalOf is what Magento said of a call, nil where an error is none of its words.
func refusalOf(err error) *refusal {
	r, _ := errors.AsType[*refusal](err)
	return r
}

// saidOf tells whether Magento's refusal says a text.
func saidOf(err error, text string) bool {
	r := refusalOf(err)
	return r != nil && r.says(text)
}

// Error is the message without values: those that are names of fields, rights or bounds stay.
func (r *refusal) Error() string {
	texts := []string{r.render()}
	for i := range r.errors {
		texts = append(texts, r.errors[i].render())
	}
	text := strings.Join(texts, "; ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return fmt.Sprintf("Magento says: %s (status %d)", text, r.status)
}

// shown are the parameters that name a part of Magento, and no value of a record.
var shown = map[string]bool{"fieldName": true, "field": true, "resources": true, "max": true, "type": true, "field_name": true}

// ownWords are the templates whose numbered parameters are names of Magento's own, or messages.
var ownWords = []string{"Could not save category: %1", "Invalid product data: %1", `The "%1" attribute`, "Signature method %1", `The child product doesn't have the "%1"`, "%1 already exists."}

func (r *refusal) render() string {
	own := slices.ContainsFunc(ownWords, func(t string) bool { return strings.HasPrefix(r.template, t) })
	pairs := []string{}
	for _, p := range slices.Backward(r.params) { // %10 before %1
		text := "…"
		if shown[p.name] && isShort(p.text) {
			text = p.text
		} else if own && p.name == "1" {
			text = mask(p.text)
		}
		pairs = append(pairs, "%"+p.name, "\x00"+text+"\x00")
	}
	if len(pairs) == 0 {
		return mask(r.template)
	}
	// What is put in is not masked again; the text around it may hold values all the same.
	out := strings.NewReplacer(pairs...).Replace(maskKeeping(r.template))
	return strings.ReplaceAll(out, "\x00", "")
}

func isShort(text string) bool {
	return len(text) <= 200 && !strings.ContainsAny(text, "\x00\r\n\"@")
}

// mask leaves out of a text what may be a value that was put into it: what stands in quotes, unless the text says that
// it is an attribute or a type; words with a digit or an @, and what follows an =.
func mask(text string) string { return maskWords(strings.ReplaceAll(text, "\x00", ""), false) }

// maskKeeping is mask that leaves the places of parameters as they are.
func maskKeeping(text string) string { return maskWords(strings.ReplaceAll(text, "\x00", ""), true) }

func maskWords(text string, keep bool) string {
	var b strings.Builder
	parts := strings.Split(text, `"`)
	for i, part := range parts {
		if i%2 == 0 || i == len(parts)-1 {
			b.WriteString(maskPlain(part, keep))
			continue
		}
		next := parts[i+1]
		named := strings.HasSuffix(parts[i-1], "during ") || strings.HasSuffix(parts[i-1], "Attribute ") || strings.HasPrefix(next, " attribute") ||
			strings.HasPrefix(next, " type was") || strings.HasPrefix(next, " is a required") || keep && strings.HasPrefix(part, "%")
		if named && isShort(part) {
			b.WriteString(`"` + part + `"`)
		} else {
			b.WriteString(`"…"`)
		}
	}
	return b.String()
}

func maskPlain(text string, keep bool) string {
	words := strings.Split(text, " ")
	after := false
	for i, w := range words {
		place := keep && strings.Contains(w, "%")
		if !place && (after || strings.ContainsAny(w, "0123456789@")) && w != "" && w != "=" {
			words[i] = "…"
		}
		after = w == "=" || strings.HasSuffix(w, "=")
	}
	return strings.Join(words, " ")
}
