package magento

import (
	"context"
	"net/http"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// optionApply is one Apply of options: the labels of an attribute are read once for it.
type optionApply struct {
	sys    *System
	places *places
	labels map[string]map[string]map[string]string // by attribute code, scope and id
}

// applyOptions makes writes of options.
func (s *System) applyOptions(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	places, err := s.shop.where(ctx)
	if err != nil {
		return nil, err
	}
	a := &optionApply{sys: s, places: places, labels: map[string]map[string]map[string]string{}}
	// One after the other: each sends all labels of its option, as they were read.
	results := make([]lockstep.Result, len(writes))
	var down downed
	for i := range writes {
		results[i] = down.guard(ctx, func() lockstep.Result { return a.one(ctx, &writes[i]) })
		if f := lockstep.FaultOf(results[i].Err); f != nil && f.About.Key == "" {
			results[i].Err = f.On(lockstep.About{Key: writes[i].Key})
		}
	}
	s.shop.product.forget()
	s.shop.named.forget()
	return results, nil
}

// optionWant is what a write of an option asks for.
type optionWant struct {
	code   string
	id     string
	labels map[string]*string // by scope
	order  *int64
}

func (a *optionApply) read(w *lockstep.Write) (*optionWant, error) {
	out := &optionWant{labels: map[string]*string{}}
	if w.Key != "" {
		parts, err := w.Key.Parts(2)
		if err != nil {
			return nil, err
		}
		out.code, out.id = parts[0], parts[1]
	} else if v, ok := w.Fields.Get("attribute_code"); ok && v.Kind() == value.KindText {
		out.code = v.Text()
	}
	for name, v := range w.Fields.All() {
		scope := ""
		if name == "label" {
			scope = allViews
		}
		for i := range a.places.spoken {
			if name == viewName("label", a.places.spoken[i].suffix) {
				scope = a.places.spoken[i].code
			}
		}
		switch {
		case scope != "":
			var text *string
			if err := readText(&text, v); err != nil {
				return nil, onField(err, name)
			}
			if text != nil && (beyondThreeBytes(*text) || len([]rune(*text)) > mostVarchar) {
				return nil, onField(quietf("Magento does not keep this label as it is"), name)
			}
			out.labels[scope] = text
		case name == "sort_order" && !v.IsNull():
			n, err := wholeNumber(v)
			if err != nil {
				return nil, onField(err, name)
			}
			out.order = &n
		}
	}
	if out.code == "" {
		return nil, lockstep.Faultf(lockstep.CodeConstraint, "an option needs the code of its attribute").On(lockstep.About{Field: "attribute_code"})
	}
	return out, nil
}

// have are the labels that an attribute's options have, by scope and id.
func (a *optionApply) have(ctx context.Context, code string, fresh bool) (map[string]map[string]string, error) {
	if had := a.labels[code]; had != nil && !fresh {
		return had, nil
	}
	out := map[string]map[string]string{}
	scopes := []string{allViews}
	for i := range a.places.views { // of all: what is not sent with an option is taken away
		scopes = append(scopes, a.places.views[i].code)
	}
	for _, scope := range scopes {
		var all list[wireOption]
		if _, err := a.sys.client.into(ctx, call{name: "options of an attribute", method: http.MethodGet, scope: scope, path: optionsPath(code)}, &all); err != nil {
			if lockstep.KindOf(err) == lockstep.NotFound {
				return nil, lockstep.Faultf(lockstep.CodeReference, "the attribute is not there yet").On(lockstep.About{Field: "attribute_code"})
			}
			return nil, err
		}
		out[scope] = map[string]string{}
		for i := range all {
			if id := all[i].id(); id != "" {
				out[scope][id] = string(all[i].Label)
			}
		}
	}
	a.labels[code] = out
	return out, nil
}

func (a *optionApply) one(ctx context.Context, w *lockstep.Write) lockstep.Result {
	want, err := a.read(w)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	res := lockstep.Result{Key: w.Key}
	if w.Op == lockstep.Delete {
		_, err := a.sys.client.do(ctx, call{name: "delete an option", method: http.MethodDelete, scope: allViews, path: optionsPath(want.code) + "/" + escape(want.id)})
		res.Err = deleted(err)
		delete(a.labels, want.code)
		return res
	}
	turn, err := a.sys.lookups.turns.hold(ctx, []string{"option\x00" + want.code + "\x00" + strings.ToLower(deref(want.labels[allViews]))})
	if err != nil {
		return lockstep.Result{Err: err}
	}
	defer turn.end()
	have, err := a.have(ctx, want.code, false)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if _, there := have[allViews][want.id]; want.id != "" && !there {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeGone, "there is no option of this id")}
	}
	if want.id == "" {
		res.Key, res.Err = a.create(ctx, want)
		return res
	}
	res.Err = a.change(ctx, want, have)
	return res
}

// body is an option as it is sent, with the labels of all store views.
func (a *optionApply) body(want *optionWant, have map[string]map[string]string) map[string]any {
	label := deref(want.labels[allViews])
	if want.labels[allViews] == nil {
		label = have[allViews][want.id]
	}
	type storeLabel struct {
		Store int64  `json:"store_id"`
		Label string `json:"label"`
	}
	labels := []storeLabel{}
	for i := range a.places.views {
		v := &a.places.views[i]
		text, asked := want.labels[v.code]
		own := deref(text)
		if !asked && have[v.code][want.id] != have[allViews][want.id] { // it has one of its own, which nobody asked to change
			own = have[v.code][want.id]
		}
		if own != "" && own != label {
			labels = append(labels, storeLabel{v.id, own})
		}
	}
	out := map[string]any{"label": label, "store_labels": labels}
	if want.order != nil {
		out["sort_order"] = *want.order
	}
	return out
}

func (a *optionApply) create(ctx context.Context, want *optionWant) (lockstep.Key, error) {
	var answer loose
	_, err := a.sys.client.into(ctx, call{name: "create an option", method: http.MethodPost, scope: allViews, path: optionsPath(want.code),
		body: map[string]any{"option": a.body(want, nil)}}, &answer)
	delete(a.labels, want.code)
	if saidOf(err, saysOptionTaken) { // it is there: brought level, it is the same
		have, again := a.have(ctx, want.code, true)
		if again != nil {
			return "", again
		}
		for id, label := range have[allViews] {
			if strings.EqualFold(label, deref(want.labels[allViews])) {
				want.id = id
				return lockstep.MakeKey(want.code, id), a.change(ctx, want, have)
			}
		}
	}
	if err != nil {
		return "", err
	}
	id := strings.TrimPrefix(string(answer), "id_")
	if !isDigits(id) {
		return "", notUnderstood(&call{name: "create an option", method: http.MethodPost}, []byte(`""`))
	}
	return lockstep.MakeKey(want.code, id), nil
}

func (a *optionApply) change(ctx context.Context, want *optionWant, have map[string]map[string]string) error {
	differ := false
	label := have[allViews][want.id]
	if text, asked := want.labels[allViews]; asked && text != nil {
		differ = *text != label
		label = *text
	}
	for scope, text := range want.labels {
		now := have[scope][want.id]
		inherits := now == have[allViews][want.id]
		switch {
		case scope == allViews:
		case text == nil || *text == label:
			differ = differ || !inherits && now != label
		default:
			differ = differ || now != *text
		}
	}
	if !differ {
		return nil
	}
	body := a.body(want, have)
	body["value"] = want.id
	_, err := a.sys.client.do(ctx, call{name: "save an option", method: http.MethodPut, scope: allViews, path: optionsPath(want.code) + "/" + escape(want.id),
		body: map[string]any{"option": body}})
	delete(a.labels, want.code)
	return err
}
