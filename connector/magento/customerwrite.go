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

// applyCustomers makes writes of customers.
func (s *System) applyCustomers(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	var ids []string
	for i := range writes {
		if isDigits(string(writes[i].Key)) && (writes[i].Op != lockstep.Delete || writes[i].IfVersion != "") {
			ids = append(ids, string(writes[i].Key))
		}
	}
	seen, err := s.lookAtCustomers(ctx, ids)
	if err != nil {
		return nil, err
	}
	first := map[lockstep.Key]*lockstep.Write{}
	for i := range writes {
		if first[writes[i].Key] == nil {
			first[writes[i].Key] = &writes[i]
		}
	}
	return s.applyEach(ctx, writes, func(ctx context.Context, w *lockstep.Write) lockstep.Result {
		have := seen[string(w.Key)]
		if w.Key != "" && first[w.Key] != w && isDigits(string(w.Key)) { // it was written a moment ago
			again, err := s.lookAtCustomers(ctx, []string{string(w.Key)})
			if err != nil {
				return lockstep.Result{Err: err}
			}
			have = again[string(w.Key)]
		}
		return s.writeCustomer(ctx, w, have)
	}), nil
}

// customer is a customer as it is: what is not written goes back with it, for Magento replaces it as a whole.
type customer map[string]json.RawMessage

func (c customer) text(name string) string {
	var text loose
	_ = json.Unmarshal(c[name], &text) // what is no text is none
	return string(text)
}

func (s *System) lookAtCustomers(ctx context.Context, ids []string) (map[string]customer, error) {
	out := map[string]customer{}
	for _, group := range inGroups(numberColumn, ids) {
		err := s.client.findAll(ctx, "look at customers", allViews, "V1/customers/search",
			search{groups: [][]filter{group}, sort: []string{numberColumn}, size: s.conf.page}, eachOf(func(c *customer) { out[c.text("id")] = *c }))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func customerAt(id string) string { return "V1/customers/" + id }

func (s *System) writeCustomer(ctx context.Context, w *lockstep.Write, have customer) lockstep.Result {
	res := lockstep.Result{Key: w.Key}
	switch {
	case w.Key != "" && !isDigits(string(w.Key)):
		res.Err = lockstep.Faultf(lockstep.CodeGone, "the key is that of no customer")
		return res
	case w.IfVersion != "" && have.text(updatedField) != w.IfVersion:
		res.Err = lockstep.Faultf(lockstep.CodeVersionMoved, "the customer was saved meanwhile")
		return res
	case w.Op == lockstep.Delete:
		_, err := s.client.do(ctx, call{name: "delete a customer", method: http.MethodDelete, scope: allViews, path: customerAt(string(w.Key))})
		res.Err = deleted(err)
		return res
	case w.Key != "" && have == nil:
		res.Err = lockstep.Faultf(lockstep.CodeGone, "there is no customer of this id")
		return res
	}
	body, differ, err := customerBody(w, have)
	if err != nil {
		res.Err = err
		return res
	}
	if !differ && have != nil {
		res.Version = have.text(updatedField)
		return res
	}
	q := call{name: "save a customer", method: http.MethodPut, scope: allViews, path: customerAt(string(w.Key)), body: map[string]any{"customer": body}}
	if have == nil {
		if err := s.newCustomer(ctx, body); err != nil {
			res.Err = err
			return res
		}
		q.method, q.path = http.MethodPost, "V1/customers"
	}
	var now customer
	if _, res.Err = s.client.into(ctx, q, &now); res.Err != nil {
		return res
	}
	res.Key, res.Version = lockstep.Key(now.text("id")), now.text(updatedField)
	return res
}

// newCustomer says where a new customer belongs, where the mapping does not: without a store view there is no default.
func (s *System) newCustomer(ctx context.Context, body map[string]any) error {
	places, err := s.shop.where(ctx)
	if err != nil {
		return err
	}
	if len(places.views) == 0 {
		return nil
	}
	site := places.views[0].website.id
	if given, ok := body["website_id"].(json.RawMessage); ok {
		var n number
		if json.Unmarshal(given, &n) == nil {
			site = int64(n)
		}
	} else {
		body["website_id"] = site
	}
	if _, given := body["store_id"]; !given {
		for _, v := range places.views {
			if v.website.id == site {
				body["store_id"] = v.id
				break
			}
		}
	}
	return nil
}

// customerReads are members that answers have and requests need not.
var customerReads = []string{"created_at", updatedField, "created_in", "default_billing", "default_shipping", "addresses"}

// customerBody is a customer as it is to be, and whether it is not so.
func customerBody(w *lockstep.Write, have customer) (map[string]any, bool, error) {
	body, differ := map[string]any{}, false
	for name, raw := range have {
		if !slices.Contains(customerReads, name) {
			body[name] = raw
		}
	}
	for name, v := range w.Fields.All() {
		if name == "id" || name == "created_at" || name == updatedField {
			continue
		}
		raw, err := customerMember(name, v)
		if err != nil {
			return nil, false, onField(err, name)
		}
		if sameMember(v, raw, have[name]) {
			continue
		}
		body[name], differ = raw, true
	}
	return body, differ, nil
}

func customerMember(name string, v value.Value) (json.RawMessage, error) {
	switch {
	case v.IsNull() && name == "addresses":
		return json.RawMessage("[]"), nil
	case v.IsNull():
		return json.RawMessage(`""`), nil
	case v.Kind() == value.KindTime:
		text, err := timeText(v, "2006-01-02")
		return quoted(text), err
	case v.Kind() == value.KindText && beyondThreeBytes(v.Text()):
		return nil, quietf("it has a character of four bytes, such as an emoji, which Magento keeps as question marks")
	case v.Kind() == value.KindList || v.Kind() == value.KindObject || v.Kind() == value.KindText || v.Kind() == value.KindInt || v.Kind() == value.KindBool:
		return value.AppendJSON(nil, v), nil
	}
	text, err := numberText(v)
	return json.RawMessage(text), err
}

// sameMember tells whether a customer has a value already. Of lists and objects, members that are not spoken of do not
// count: Magento adds ids of its own.
func sameMember(v value.Value, want, have json.RawMessage) bool {
	if v.Kind() == value.KindList || v.Kind() == value.KindObject {
		var a, b any
		return json.Unmarshal(want, &a) == nil && json.Unmarshal(have, &b) == nil && within(a, b)
	}
	var a, b loose
	if json.Unmarshal(want, &a) != nil {
		return false
	}
	if len(have) > 0 && json.Unmarshal(have, &b) != nil {
		return false
	}
	return a == b || strings.TrimSpace(string(a)) == "" && b == ""
}

// within tells whether all that want says is so in have.
func within(want, have any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		for name, v := range w {
			if !ok || !within(v, h[name]) {
				return false
			}
		}
		return ok
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !within(w[i], h[i]) {
				return false
			}
		}
		return true
	}
	return want == have || want == nil && have == ""
}
