package magento

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// step is one call that saves a part of a product.
type step struct {
	scope  string
	values map[string]*string // by attribute code; nil takes a value away
	top    map[string]any     // other members of the product
	ext    map[string]any     // of its extension attributes
	custom []customValue      // what is no attribute and goes as one all the same
}

func (s *step) empty() bool {
	return len(s.values) == 0 && len(s.top) == 0 && len(s.ext) == 0 && len(s.custom) == 0
}

// customValue is an attribute on the wire.
type customValue struct {
	Code  string          `json:"attribute_code"`
	Value json.RawMessage `json:"value"`
}

var jsonNull = json.RawMessage("null")

func quoted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(text) != nil { // a text can always be encoded
		return jsonNull
	}
	return bytes.TrimSpace(b.Bytes())
}

// body is the product as it is sent.
func (s *step) body(sku string, attrs *attributes) map[string]any {
	out := map[string]any{"sku": sku}
	maps.Copy(out, s.top)
	custom := slices.Clone(s.custom)
	for _, code := range slices.Sorted(maps.Keys(s.values)) {
		v := wireValue(attrs.get(code), s.scope, s.values[code])
		if code == "name" || numbers[code] {
			out[code] = v
			continue
		}
		custom = append(custom, customValue{code, v})
	}
	if len(custom) > 0 {
		out["custom_attributes"] = custom
	}
	if len(s.ext) > 0 {
		out["extension_attributes"] = s.ext
	}
	return out
}

// numbers are the members of a product, beside its name, that are attributes, too: they are numbers there.
var numbers = map[string]bool{"price": true, "status": true, "visibility": true, "weight": true}

// wireValue is an attribute's value on the wire. A text is taken away for all views by an empty one. Elsewhere it is null:
// in a store view that lets the value of all views show again.
func wireValue(at *attribute, scope string, v *string) json.RawMessage {
	switch {
	case v == nil && scope == allViews && !numbers[at.code] && (at.backend == "varchar" || at.backend == "text") && at.input != "multiselect":
		return json.RawMessage(`""`)
	case v == nil:
		return jsonNull
	case numbers[at.code]:
		return json.RawMessage(*v)
	}
	return quoted(*v)
}

// planner compares what is wanted with what is there. It asks nobody.
type planner struct {
	attrs  *attributes
	places *places
	suffix bool // a URL key that the mapping gives may get a suffix where it clashes
}

// values finds what must be sent of attributes' values: first for all views, then for each view. What is asked for in a
// view is compared with how the view will be by then: where it shows what counts for all now, it will show that after
// its change, too. Whether it does, or has the same by a value of its own, Magento does not say: unsure are the views
// that are to be looked at afterwards.
func (p *planner) values(w *wanted, s *sight, all map[string]*string) (views []step, unsure []string, err error) {
	shown := map[string]map[string]string{} // by view: what it will show
	was := map[string]string{}
	if s != nil {
		was = s.scopes[allViews]
	}
	will := maps.Clone(was)
	if will == nil {
		will = map[string]string{}
	}
	putValues(will, all)
	for i := range p.places.views {
		v := &p.places.views[i]
		asked := w.values[v.code]
		if asked == nil {
			continue
		}
		shown[v.code] = maps.Clone(will)
		if s == nil {
			continue
		}
		for code := range asked {
			now, has := s.value(v.code, code)
			before, had := was[code]
			if has == had && now == before {
				if _, moves := all[code]; moves {
					unsure = append(unsure, v.code)
				}
				continue
			}
			putValues(shown[v.code], map[string]*string{code: textOrNil(now, has)})
		}
	}
	for i := range p.places.views {
		v := &p.places.views[i]
		st := step{scope: v.code, values: map[string]*string{}}
		for code, want := range w.values[v.code] {
			at := p.attrs.get(code)
			want = p.inherited(at, want, will)
			now, has := shown[v.code][code]
			if want == nil && !p.differs(at, textOrNil(will[code], will[code] != ""), now, has) || want != nil && !p.differs(at, want, now, has) {
				continue
			}
			st.values[code] = want
			if at.scope != scopeWebsite {
				continue
			}
			if err := p.sameInSite(w, v, at, will); err != nil {
				return nil, nil, err
			}
			for j := range p.places.views { // it is written for the whole website
				if o := &p.places.views[j]; o.website.id == v.website.id && shown[o.code] != nil {
					putValues(shown[o.code], map[string]*string{code: orElse(want, will, code)})
				}
			}
		}
		if len(st.values) > 0 {
			views = append(views, st)
		}
	}
	slices.Sort(unsure)
	return views, slices.Compact(unsure), nil
}

// inherited is nil for a value that is also that of all views: then the view needs none of its own.
func (p *planner) inherited(at *attribute, want *string, will map[string]string) *string {
	if want != nil && !p.differs(at, want, will[at.code], will[at.code] != "") {
		return nil
	}
	return want
}

// sameInSite refuses two views of one website that ask for different values of what the website has one of.
func (p *planner) sameInSite(w *wanted, v *view, at *attribute, will map[string]string) error {
	mine := p.inherited(at, w.values[v.code][at.code], will)
	for i := range p.places.views {
		o := &p.places.views[i]
		other, asks := w.values[o.code][at.code]
		if o.website.id != v.website.id || !asks {
			continue
		}
		if other = p.inherited(at, other, will); (mine == nil) != (other == nil) || mine != nil && p.differs(at, mine, *other, true) {
			return lockstep.Faultf(lockstep.CodeValue, "the attribute has one value for each website, and the views %s and %s of one website ask for two", v.code, o.code).
				On(lockstep.About{Field: at.code + "_" + v.suffix})
		}
	}
	return nil
}

// differs tells whether a value must be sent.
func (p *planner) differs(at *attribute, want *string, have string, has bool) bool {
	switch {
	case want == nil:
		return has && have != ""
	case !has:
		return true
	}
	return !at.sameValue(*want, have)
}

// all finds what must be sent of the values that count in all views.
func (p *planner) all(w *wanted, s *sight, typ string) (map[string]*string, error) {
	out := map[string]*string{}
	for code, want := range w.values[allViews] {
		at := p.attrs.get(code)
		have, has := s.value(allViews, code)
		switch {
		case !priced(typ) && (code == "price" || code == "special_price"): // Magento makes it of the children's
		case !p.differs(at, want, have, has):
		case code == "url_key" && p.suffix && want != nil && has && have == clashedURLKey(slug(*want), w.sku): // it clashed before
		case want == nil && numbers[code] && code != "price" && code != "weight": // there is always one
		case want == nil && at != nil && at.required:
			return nil, lockstep.Faultf(lockstep.CodeConstraint, "a product must have a value of this attribute").On(lockstep.About{Field: code})
		default:
			out[code] = want
		}
	}
	return out, nil
}

// priced tells the types whose price is their own.
func priced(typ string) bool { return typ != "configurable" && typ != "grouped" }

func putValues(into map[string]string, values map[string]*string) {
	for code, v := range values {
		if v == nil {
			delete(into, code)
		} else {
			into[code] = *v
		}
	}
}

func textOrNil(text string, has bool) *string {
	if !has || text == "" {
		return nil
	}
	return &text
}

// orElse is a view's value, or that of all views.
func orElse(want *string, will map[string]string, code string) *string {
	if want != nil {
		return want
	}
	return textOrNil(will[code], will[code] != "")
}
