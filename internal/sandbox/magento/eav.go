package magento

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// eav are the values of one product or category: a value per attribute and store, 0 being the default that the others
// inherit. There are few of them, so they are looked through.
type eav []eavValue

type eavValue struct {
	attribute, store int
	text             string
}

func (e eav) index(attribute, store int) int {
	for i := range e {
		if e[i].attribute == attribute && e[i].store == store {
			return i
		}
	}
	return -1
}

// at is a value as a store sees it: its own, else the default.
func (e eav) at(attribute, store int) (string, bool) {
	i := -1
	if store != 0 {
		i = e.index(attribute, store)
	}
	if i < 0 {
		i = e.index(attribute, 0)
	}
	if i < 0 {
		return "", false
	}
	return e[i].text, true
}

// own is a value of exactly this store.
func (e eav) own(attribute, store int) (string, bool) {
	if i := e.index(attribute, store); i >= 0 {
		return e[i].text, true
	}
	return "", false
}

func (e *eav) put(attribute, store int, text string) {
	if i := e.index(attribute, store); i >= 0 {
		(*e)[i].text = text
		return
	}
	*e = append(*e, eavValue{attribute, store, text})
}

func (e *eav) remove(attribute, store int) {
	if i := e.index(attribute, store); i >= 0 {
		*e = slices.Delete(*e, i, i+1)
	}
}

// scopeOf are the stores whose values a write at a store changes: global ones have only the default, website ones all
// views of the store's website.
func (w *world) scopeOf(at *attribute, store int) []int {
	switch {
	case store == 0 || at.scope == "global":
		return []int{0}
	case at.scope == "website":
		return w.viewsOf(w.views[store].website)
	}
	return []int{store}
}

// write sets a value at a store, by the attribute's scope; nil and "" remove it there, so that it inherits again.
func (w *world) write(e *eav, at *attribute, store int, value any) {
	text, ok := value.(string)
	for _, s := range w.scopeOf(at, store) {
		if !ok || text == "" {
			e.remove(at.id, s)
		} else {
			e.put(at.id, s, stored(at, text))
		}
	}
}

// stored is a text as its column takes it, silently: three bytes per character, 255 characters in a varchar.
func stored(at *attribute, s string) string {
	s = threeBytes(s)
	if at.backend == "varchar" && len(s) > 255 && utf8.RuneCountInString(s) > 255 {
		s = string([]rune(s)[:255])
	}
	return s
}

// threeBytes makes a question mark of every byte of a character that needs four.
func threeBytes(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > 0xffff }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r > 0xffff {
			b.WriteString("????")
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
