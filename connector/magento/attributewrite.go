package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// applyAttributes makes writes of attributes of products.
func (s *System) applyAttributes(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	out := s.applyEach(ctx, writes, s.writeAttribute)
	s.shop.product.forget()
	s.shop.named.forget()
	s.lookups.forgetMembers()
	return out, nil
}

// attributeTexts and attributeFlags are the members of an attribute that are written.
var (
	attributeTexts = []string{"frontend_input", "scope", "default_frontend_label"}
	attributeFlags = []string{"is_required", "is_unique"}
)

func attributeAt(code string) string { return "V1/products/attributes/" + escape(code) }

func (s *System) writeAttribute(ctx context.Context, w *lockstep.Write) lockstep.Result {
	code := string(w.Key)
	if v, ok := w.Fields.Get("attribute_code"); ok && v.Kind() == value.KindText && code == "" {
		code = v.Text()
	}
	res := lockstep.Result{Key: lockstep.Key(code)}
	if w.Op == lockstep.Delete {
		_, err := s.client.do(ctx, call{name: "delete an attribute", method: http.MethodDelete, scope: allViews, path: attributeAt(code)})
		res.Err = deleted(err)
		return res
	}
	if v, ok := w.Fields.Get("attribute_code"); ok && v.Kind() == value.KindText && v.Text() != code {
		res.Err = lockstep.Faultf(lockstep.CodeKey, "Magento gives no attribute another code").On(lockstep.About{Field: "attribute_code"})
		return res
	}
	want, err := attributeWant(w)
	if err != nil {
		res.Err = err
		return res
	}
	var have map[string]json.RawMessage
	_, err = s.client.into(ctx, call{name: "look at an attribute", method: http.MethodGet, scope: allViews, path: attributeAt(code)}, &have)
	switch {
	case lockstep.KindOf(err) == lockstep.NotFound:
		want["attribute_code"] = code
		_, res.Err = s.client.do(ctx, call{name: "create an attribute", method: http.MethodPost, scope: allViews, path: "V1/products/attributes", body: map[string]any{"attribute": want}})
		if saidOf(res.Err, "%1 already exists.") {
			res.Err = lockstep.Faultf(lockstep.CodeVersionMoved, "the attribute was made by somebody else meanwhile")
		}
	case err != nil:
		res.Err = err
	default:
		res.Err = s.changeAttribute(ctx, code, want, have)
	}
	return res
}

// changeAttribute sends an attribute whole: what is left out, Magento sets back. But the options stay as they are: a list
// of them without the labels of all store views would take those away.
func (s *System) changeAttribute(ctx context.Context, code string, want map[string]any, have map[string]json.RawMessage) error {
	body := map[string]any{}
	for name, raw := range have {
		body[name] = raw
	}
	differ := false
	for name, v := range want {
		var text loose
		var truth flag
		switch v := v.(type) {
		case string:
			if json.Unmarshal(have[name], &text) == nil && string(text) == v {
				continue
			}
		case bool:
			if json.Unmarshal(have[name], &truth) == nil && bool(truth) == v {
				continue
			}
		}
		if name == "frontend_input" {
			return lockstep.Faultf(lockstep.CodeValue, "Magento gives no attribute another kind of input").On(lockstep.About{Field: name})
		}
		body[name], differ = v, true
	}
	if !differ {
		return nil
	}
	delete(body, "options")
	_, err := s.client.do(ctx, call{name: "save an attribute", method: http.MethodPut, scope: allViews, path: attributeAt(code), body: map[string]any{"attribute": body}})
	return err
}

func attributeWant(w *lockstep.Write) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range w.Fields.All() {
		switch {
		case v.IsNull():
		case slices.Contains(attributeTexts, name) && v.Kind() == value.KindText:
			out[name] = v.Text()
		case slices.Contains(attributeFlags, name):
			text, err := flagText(v)
			if err != nil {
				return nil, onField(err, name)
			}
			out[name] = text == "1"
		}
	}
	return out, nil
}

// applySets makes writes of attribute sets.
func (s *System) applySets(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	s.shop.sets.forget()
	known, err := s.shop.attributeSets(ctx)
	if err != nil {
		return nil, err
	}
	out := s.applyEach(ctx, writes, func(ctx context.Context, w *lockstep.Write) lockstep.Result { return s.writeSet(ctx, known, w) })
	s.shop.sets.forget()
	return out, nil
}

func setAt(id string) string { return "V1/products/attribute-sets/" + id }

func (s *System) writeSet(ctx context.Context, known *sets, w *lockstep.Write) lockstep.Result {
	res := lockstep.Result{Key: w.Key}
	var id number
	if w.Key != "" && (!isDigits(string(w.Key)) || id.UnmarshalJSON([]byte(w.Key)) != nil) {
		res.Err = lockstep.Faultf(lockstep.CodeGone, "the key is that of no attribute set")
		return res
	}
	if w.Op == lockstep.Delete {
		_, err := s.client.do(ctx, call{name: "delete an attribute set", method: http.MethodDelete, scope: allViews, path: setAt(id.text())})
		res.Err = deleted(err)
		return res
	}
	at := slices.IndexFunc(known.list, func(a attributeSet) bool { return a.ID == id })
	if w.Key != "" && at < 0 {
		res.Err = lockstep.Faultf(lockstep.CodeGone, "there is no attribute set of this id")
		return res
	}
	now := attributeSet{}
	if at >= 0 {
		now = known.list[at]
	}
	want := now
	if v, ok := w.Fields.Get("name"); ok && v.Kind() == value.KindText {
		want.Name = loose(strings.TrimSpace(v.Text()))
	}
	if v, ok := w.Fields.Get("sort_order"); ok && !v.IsNull() {
		n, err := wholeNumber(v)
		if err != nil {
			res.Err = onField(err, "sort_order")
			return res
		}
		want.Sort = number(n)
	}
	if want.Name == "" {
		res.Err = lockstep.Faultf(lockstep.CodeConstraint, "an attribute set needs a name").On(lockstep.About{Field: "name"})
		return res
	}
	if want == now {
		return res
	}
	res.Key, res.Err = s.saveSet(ctx, want)
	return res
}

func (s *System) saveSet(ctx context.Context, want attributeSet) (lockstep.Key, error) {
	body := map[string]any{"attribute_set_name": string(want.Name), "sort_order": int64(want.Sort)}
	q := call{name: "save an attribute set", method: http.MethodPut, scope: allViews, path: setAt(want.ID.text()), body: map[string]any{"attributeSet": body}}
	if want.ID == 0 {
		skeleton, err := s.defaultSet(ctx)
		if err != nil {
			return "", err
		}
		q.method, q.path, q.body = http.MethodPost, "V1/products/attribute-sets", map[string]any{"attributeSet": body, "skeletonId": skeleton}
	} else {
		body["attribute_set_id"], body["entity_type_id"] = int64(want.ID), 4
	}
	var made attributeSet
	if _, err := s.client.into(ctx, q, &made); err != nil {
		return lockstep.Key(want.ID.text()), err
	}
	return lockstep.Key(made.ID.text()), nil
}
