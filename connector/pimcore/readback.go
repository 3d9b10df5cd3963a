package pimcore

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// compare tells what of a write did not take effect, by what the mutation showed afterwards. Pimcore ignores some
// values without a word and says success.
func (s *saved) compare(now value.Fields) error {
	var wrong []string
	for i, f := range s.fields {
		got, shown := now.Get(f.name)
		if !shown { // it could not be seen
			continue
		}
		if empty(s.values[i]) && (f.write.lang != "" || s.inherits) {
			continue // what is empty shows the text of a fallback language, or the parent's value
		}
		if !f.took(s.values[i], got, s) {
			wrong = append(wrong, f.name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	f := lockstep.Faultf(lockstep.CodeValue, "Pimcore said success and did not take the value of %s", strings.Join(wrong, ", ")).On(lockstep.About{Field: wrong[0]})
	f.Next = "Compare the value with the field's definition in Pimcore (its length, its options, its unit), then mend the source or the mapping."
	return f
}

// took tells whether a field shows what was written to it.
func (f *field) took(sent, got value.Value, s *saved) bool {
	switch f.write.as {
	case inKey:
		text, _ := textOf(got)
		return text == s.key || f.write.input == "key" && text != "" && s.key == ""
	case inParent, inLink:
		return true
	case inRelation, inRelations:
		return f.tookEnds(sent, got)
	case inImage:
		a, _ := idIn(sent)
		b, _ := idIn(got)
		return a == b
	case inGallery:
		return slices.Equal(idsIn(sent), idsIn(got))
	case inCollection:
		return sent.Kind() == value.KindList && got.Kind() == value.KindList && len(sent.List()) == len(got.List())
	}
	if sent.Kind() == value.KindTime && got.Kind() == value.KindTime && s.zone != nil && f.typ.Kind == value.InstantType {
		// It shows the wall's time alone: an hour that comes twice, when summer ends, reads as one of the two.
		const wall = "2006-01-02 15:04:05"
		return sent.Time().In(s.zone).Format(wall) == got.Time().In(s.zone).Format(wall)
	}
	return same(sent, got)
}

// tookEnds compares a relation's ends. One that is unpublished or not permitted is not shown, so that fewer are no
// proof; another one is.
func (f *field) tookEnds(sent, got value.Value) bool {
	if sent.Kind() == value.KindList && got.Kind() == value.KindList {
		want, have := idsIn(sent), idsIn(got)
		if slices.Contains(want, "") || slices.Contains(have, "") {
			return len(got.List()) <= len(sent.List())
		}
		for _, id := range have {
			if !slices.Contains(want, id) {
				return false
			}
		}
		return true
	}
	if got.IsNull() {
		return true
	}
	a, okA := idIn(sent)
	b, okB := idIn(got)
	return !okA || !okB || a == b
}

func idsIn(v value.Value) []string {
	if v.Kind() != value.KindList {
		return nil
	}
	var out []string
	for _, item := range v.List() {
		id, ok := idIn(item)
		if !ok {
			id = ""
		}
		out = append(out, id)
	}
	return out
}

// same tells whether two single values, or lists of texts, are one to Pimcore: an empty text is null to it, numbers go
// through a double, times are seconds.
func same(a, b value.Value) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	switch {
	case a.Kind() == value.KindTime && b.Kind() == value.KindTime:
		return a.Time().Unix() == b.Time().Unix()
	case a.Kind() == value.KindBool && b.Kind() == value.KindBool:
		return a.Bool() == b.Bool()
	case a.Kind() == value.KindList && b.Kind() == value.KindList:
		return slices.EqualFunc(a.List(), b.List(), same)
	}
	x, okX := textOf(a)
	y, okY := textOf(b)
	if !okX || !okY {
		return value.Equal(a, b)
	}
	if x == y {
		return true
	}
	if a.Kind() == value.KindText && b.Kind() == value.KindText {
		return false
	}
	n, errN := strconv.ParseFloat(x, 64)
	m, errM := strconv.ParseFloat(y, 64)
	return errN == nil && errM == nil && math.Abs(n-m) <= 1e-12*math.Max(math.Abs(n), math.Abs(m))
}

// empty tells what Pimcore keeps as nothing.
func empty(v value.Value) bool {
	switch v.Kind() {
	case value.KindNull:
		return true
	case value.KindText:
		return v.Text() == ""
	case value.KindBytes:
		return len(v.Bytes()) == 0
	case value.KindBool:
		return !v.Bool() // a checkbox that was never set
	case value.KindList:
		return len(v.List()) == 0
	}
	return false
}
