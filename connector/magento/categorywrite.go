package magento

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// categoryApply is one Apply of categories: one look at all of them, then what differs of each.
type categoryApply struct {
	sys    *System
	attrs  *attributes
	places *places
	plan   planner
	seen   map[int64]*sight
	had    map[lockstep.Key]bool // written before in this Apply
}

// categoryMembers are the members of a category, beside its attributes on the wire, that are attributes, too.
var categoryMembers = map[string]bool{"name": true, "is_active": true, "include_in_menu": true, "position": true}

// applyCategories makes writes of categories.
func (s *System) applyCategories(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	attrs, err := s.shop.categoryAttributes(ctx)
	if err != nil {
		return nil, err
	}
	places, err := s.shop.where(ctx)
	if err != nil {
		return nil, err
	}
	a := &categoryApply{sys: s, attrs: attrs, places: places, plan: planner{attrs: attrs, places: places}, seen: map[int64]*sight{}}
	var keys []string
	for i := range writes {
		if id := writes[i].Key; isDigits(string(id)) && (writes[i].Op != lockstep.Delete || writes[i].IfVersion != "") {
			keys = append(keys, string(id))
		}
	}
	turn, err := s.lookups.turns.hold(ctx, append(prefixed("category id\x00", keys), "categories"))
	if err != nil {
		return nil, err
	}
	defer turn.end()
	if err := a.look(ctx, keys); err != nil {
		return nil, err
	}
	defer s.shop.trees.forget()
	// One after the other: they hang below each other, and saves side by side lock each other out.
	results := make([]lockstep.Result, len(writes))
	var down downed
	for i := range writes {
		results[i] = down.guard(ctx, func() lockstep.Result { return a.one(ctx, &writes[i]) })
		if f := lockstep.FaultOf(results[i].Err); f != nil && f.About.Key == "" {
			results[i].Err = f.On(lockstep.About{Key: writes[i].Key})
		}
	}
	return results, nil
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// look reads categories as they are at all scopes that have fields.
func (a *categoryApply) look(ctx context.Context, ids []string) error {
	scopes := []string{allViews}
	for _, v := range a.places.spoken {
		scopes = append(scopes, v.code)
	}
	for _, group := range inGroups(numberColumn, ids) {
		for _, scope := range scopes {
			err := a.sys.client.findAll(ctx, "look at categories", scope, categoryPath,
				search{groups: [][]filter{group}, sort: []string{numberColumn}, size: a.sys.conf.page}, eachOf(func(w *wireCategoryRecord) { a.keep(w, scope) }))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *categoryApply) keep(w *wireCategoryRecord, scope string) *sight {
	s := a.seen[int64(w.ID)]
	if s == nil {
		s = &sight{id: int64(w.ID), scopes: map[string]map[string]string{}}
		a.seen[s.id] = s
	}
	values := map[string]string{}
	put := func(code string, raw json.RawMessage) {
		var text loose
		if json.Unmarshal(raw, &text) == nil && text != "" {
			values[code] = string(text)
		}
	}
	for _, c := range w.Custom {
		put(c.Code, c.Value)
	}
	put("name", w.Name)
	put("position", w.Position)
	put("is_active", flagRaw(w.Active))
	put("include_in_menu", flagRaw(w.InMenu))
	s.scopes[scope] = values
	var parent number
	var updated loose
	if scope == allViews && json.Unmarshal(w.Parent, &parent) == nil {
		s.set = int64(parent) // of a category: what it hangs below
	}
	if json.Unmarshal(w.Updated, &updated) == nil {
		s.updated = string(updated)
	}
	return s
}

// flagRaw is a truth as attributes have it.
func flagRaw(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case "true":
		return json.RawMessage(`"1"`)
	case "false":
		return json.RawMessage(`"0"`)
	}
	return raw
}

// categoryWant is what a write of a category asks for.
type categoryWant struct {
	wanted
	parent int64 // 0 where it is not spoken of
}

func (a *categoryApply) read(w *lockstep.Write) (*categoryWant, error) {
	out := &categoryWant{wanted: wanted{values: map[string]map[string]*string{}}}
	for name, v := range w.Fields.All() {
		err := a.field(out, name, v)
		if err = a.sys.quietly(err, name, &out.left); err != nil {
			return nil, onField(err, name)
		}
	}
	return out, nil
}

func (a *categoryApply) field(out *categoryWant, name string, v value.Value) (err error) {
	switch name {
	case "id", "path", "level", "created_at", updatedField:
		return nil
	case "parent_id":
		if !v.IsNull() {
			out.parent, err = wholeNumber(v)
		}
		return err
	}
	at, scope := scopedAttribute(a.attrs, a.places, name)
	if at == nil && name == "position" {
		at, scope = &attribute{code: "position", backend: "int"}, allViews
	}
	if at == nil {
		return noSuchField(a.sys.conf)
	}
	text, err := at.categoryText(v)
	if err != nil {
		return err
	}
	if out.values[scope] == nil {
		out.values[scope] = map[string]*string{}
	}
	out.values[scope][at.code] = text
	return nil
}

// categoryText is a value as Magento writes it; labels become the values of options that there are.
func (a *attribute) categoryText(v value.Value) (*string, error) {
	if v.Kind() == value.KindBool {
		text, err := flagText(v)
		return &text, err
	}
	if !a.chooses() || categoryMembers[a.code] {
		return a.plain(v)
	}
	labels, err := labelsOf(a, v)
	if err != nil || len(labels) == 0 {
		return nil, err
	}
	ids := make([]string, len(labels))
	for i, label := range labels {
		if ids[i] = a.idOf(label); ids[i] == "" {
			return nil, quietf("the attribute has no option with this label")
		}
	}
	text := strings.Join(ids, ",")
	return &text, nil
}

func (a *categoryApply) one(ctx context.Context, w *lockstep.Write) lockstep.Result {
	id := int64(0)
	if w.Key != "" {
		var n number
		if !isDigits(string(w.Key)) || n.UnmarshalJSON([]byte(w.Key)) != nil {
			return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeGone, "the key is that of no category")}
		}
		id = int64(n)
	}
	if a.had[w.Key] && id != 0 {
		if err := a.look(ctx, []string{string(w.Key)}); err != nil {
			return lockstep.Result{Err: err}
		}
	}
	if a.had == nil {
		a.had = map[lockstep.Key]bool{}
	}
	a.had[w.Key] = true
	s := a.seen[id]
	switch {
	case w.IfVersion != "" && (s == nil || s.updated != w.IfVersion):
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeVersionMoved, "the category was saved meanwhile")}
	case w.Op == lockstep.Delete:
		_, err := a.sys.client.do(ctx, call{name: "delete a category", method: http.MethodDelete, scope: allViews, path: categoryAt(id)})
		delete(a.seen, id)
		return lockstep.Result{Key: w.Key, Err: deleted(err)}
	case id != 0 && s == nil:
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeGone, "there is no category of this id")}
	}
	want, err := a.read(w)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if s, err = a.level(ctx, want, s); err != nil {
		return lockstep.Result{Err: err}
	}
	return lockstep.Result{Key: lockstep.Key(number(s.id).text()), Version: s.updated, Note: strings.Join(want.left, "; ")}
}

func categoryAt(id int64) string { return "V1/categories/" + number(id).text() }

// level makes, moves and saves a category as far as it differs.
func (a *categoryApply) level(ctx context.Context, want *categoryWant, s *sight) (*sight, error) {
	all, err := a.plan.all(&want.wanted, s, "")
	if err != nil {
		return nil, err
	}
	for code, v := range all {
		if v == nil && (code == "is_active" || code == "include_in_menu" || code == "position") {
			delete(all, code) // there is always one
		}
	}
	views, _, err := a.plan.values(&want.wanted, s, all)
	if err != nil {
		return nil, err
	}
	switch {
	case s == nil:
		if s, err = a.create(ctx, want, all); err != nil {
			return nil, err
		}
		all = nil
	case want.parent != 0 && want.parent != s.set:
		_, err := a.sys.client.do(ctx, call{name: "move a category", method: http.MethodPut, scope: allViews, path: categoryAt(s.id) + "/move", body: map[string]any{"parentId": want.parent}})
		if err != nil {
			return nil, parentFault(err)
		}
		if err := a.look(ctx, []string{number(s.id).text()}); err != nil {
			return nil, err
		}
	}
	if len(all) > 0 {
		views = slices.Insert(views, 0, step{scope: allViews, values: all})
	}
	for i := range views {
		if s, err = a.save(ctx, want, s, &views[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parentFault waits for a parent that is not there.
func parentFault(err error) error {
	if lockstep.KindOf(err) == lockstep.NotFound {
		return lockstep.Faultf(lockstep.CodeReference, "the category that this one is to hang below is not there").On(lockstep.About{Field: "parent_id"})
	}
	return err
}

func (a *categoryApply) create(ctx context.Context, want *categoryWant, all map[string]*string) (*sight, error) {
	body := a.body(all, allViews)
	body["parent_id"] = want.parent
	if want.parent == 0 {
		return nil, lockstep.Faultf(lockstep.CodeConstraint, "a new category needs a parent").On(lockstep.About{Field: "parent_id"})
	}
	for _, code := range []string{"is_active", "include_in_menu"} {
		if _, ok := body[code]; !ok {
			body[code] = true
		}
	}
	q := call{name: "create a category", method: http.MethodPost, scope: allViews, path: "V1/categories", body: map[string]any{"category": body}}
	var made wireCategoryRecord
	_, err := a.sys.client.into(ctx, q, &made)
	if saidOf(err, saysURLKey) {
		// Of one name below one parent there is one: Magento would take a second, with another key.
		a.sys.shop.trees.forget()
		t, again := a.sys.shop.categories(ctx)
		if again != nil {
			return nil, again
		}
		if t.child(want.parent, deref(all["name"])) != 0 || !a.mayRename(want) {
			return nil, err
		}
		body["custom_attributes"] = renamed(body["custom_attributes"], joinKey(slug(deref(all["name"])), skuMark(number(want.parent).text()+"/"+deref(all["name"]))))
		_, err = a.sys.client.into(ctx, q, &made)
	}
	if err != nil {
		return nil, parentFault(err)
	}
	return a.keep(&made, allViews), nil
}

// mayRename tells whether a URL key that is taken may become another one.
func (a *categoryApply) mayRename(want *categoryWant) bool {
	_, mapped := want.values[allViews]["url_key"]
	return a.sys.conf.clash == suffixClash || a.sys.conf.clash == "" && !mapped
}

func renamed(custom any, key string) []customValue {
	list, _ := custom.([]customValue)
	list = slices.DeleteFunc(slices.Clone(list), func(c customValue) bool { return c.Code == "url_key" })
	return append(list, customValue{"url_key", quoted(key)})
}

// body is a category's values as they are sent.
func (a *categoryApply) body(values map[string]*string, scope string) map[string]any {
	out := map[string]any{}
	var custom []customValue
	for _, code := range slices.Sorted(maps.Keys(values)) {
		v := values[code]
		switch {
		case !categoryMembers[code]:
			custom = append(custom, customValue{code, wireValue(a.attrs.get(code), scope, v)})
		case v == nil:
			out[code] = nil
		case code == "name":
			out[code] = *v
		case code == "position":
			out[code] = json.Number(*v)
		default:
			out[code] = *v == "1"
		}
	}
	if len(custom) > 0 {
		out["custom_attributes"] = custom
	}
	return out
}

func (a *categoryApply) save(ctx context.Context, want *categoryWant, s *sight, st *step) (*sight, error) {
	var now wireCategoryRecord
	send := func(values map[string]*string) error {
		now = wireCategoryRecord{}
		_, err := a.sys.client.into(ctx, call{name: "save a category", method: http.MethodPut, scope: st.scope, path: categoryAt(s.id),
			body: map[string]any{"category": a.body(values, st.scope)}}, &now)
		return err
	}
	if err := send(st.values); err != nil {
		return nil, err
	}
	if now.ID == 0 {
		now.ID = number(s.id)
	}
	s = a.keep(&now, st.scope)
	left := map[string]*string{}
	for code, v := range st.values { // what null did not take away gets the value of all views
		will, has := s.value(allViews, code)
		if have, shows := s.value(st.scope, code); st.scope != allViews && v == nil && has && shows && !a.attrs.get(code).sameValue(will, have) {
			left[code] = &will
		}
	}
	if len(left) == 0 {
		return s, nil
	}
	if err := send(left); err != nil {
		return nil, err
	}
	return a.keep(&now, st.scope), nil
}
