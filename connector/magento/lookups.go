package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// lookups turn what a mapping names into the ids that Magento wants. What is not there is made, where `create` allows
// it: once, however many want it at a time.
type lookups struct {
	turns turns // one at a time looks for, and makes, what has one name
	mu    sync.Mutex
	asked map[string]time.Time // when the shop was last asked for something that it does not have
	sets  map[int64]*cell[map[string]bool]
}

// The times for which an answer counts, and how many of them are kept.
const (
	missingLife = 15 * time.Second
	membersLife = 5 * time.Minute
	// justRead is how long what was read needs no second look before something is made that is not in it. Should somebody
	// else make it meanwhile, Magento refuses the second.
	justRead    = 2 * time.Second
	mostMissing = 10_000
)

// again tells whether the shop is to be asked again for what was not there a moment ago: a page of records may want it.
func (l *lookups) again(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.asked[name]; ok && time.Since(at) < missingLife {
		return false
	}
	if l.asked == nil || len(l.asked) >= mostMissing {
		l.asked = map[string]time.Time{}
	}
	l.asked[name] = time.Now()
	return true
}

// encode is a value of an attribute as Magento wants it, nil for none.
func (s *System) encode(ctx context.Context, at *attribute, v value.Value) (*string, error) {
	if at.input == "media_image" {
		return nil, quietf("roles of images are written by images")
	}
	if !at.chooses() || at.code == "status" || at.code == "visibility" {
		return at.plain(v)
	}
	labels, err := labelsOf(at, v)
	if err != nil || len(labels) == 0 {
		return nil, err
	}
	ids := make([]string, len(labels))
	for i, label := range labels {
		if ids[i], err = s.optionID(ctx, at.code, label); err != nil {
			return nil, err
		}
	}
	text := strings.Join(splitIDs(strings.Join(ids, ",")), ",")
	return &text, nil
}

// labelsOf are the labels of a select's or multiselect's value.
func labelsOf(at *attribute, v value.Value) ([]string, error) {
	if at.input == "multiselect" && v.Kind() != value.KindText {
		var labels *[]string
		err := readTexts(&labels, v, false)
		if err != nil {
			return nil, err
		}
		return *labels, nil
	}
	switch v.Kind() {
	case value.KindNull:
		return nil, nil
	case value.KindText:
		if label := strings.TrimSpace(v.Text()); label != "" {
			return []string{label}, nil
		}
		return nil, nil
	case value.KindBool, value.KindInt, value.KindDecimal:
		label, _ := v.KeyText()
		return []string{label}, nil
	}
	return nil, quietf("the label of an option is expected")
}

// optionID is the id of an option's label.
func (s *System) optionID(ctx context.Context, code, label string) (string, error) {
	find := func() (string, error) {
		known, err := s.shop.productAttributes(ctx)
		if err != nil {
			return "", err
		}
		return known.get(code).idOf(label), nil
	}
	if id, err := find(); err != nil || id != "" {
		return id, err
	}
	turn, err := s.lookups.turns.hold(ctx, []string{"option\x00" + code + "\x00" + strings.ToLower(label)})
	if err != nil {
		return "", err
	}
	defer turn.end()
	if id, err := find(); err != nil || id != "" {
		return id, err // somebody made it while we waited
	}
	_, read := s.shop.product.fresh(justRead)
	if read = read && s.conf.creates[createOptions]; !read && s.lookups.again("option\x00"+code+"\x00"+label) {
		if err := s.reloadOptions(ctx, code); err != nil {
			return "", err
		}
		if id, err := find(); err != nil || id != "" {
			return id, err
		}
	}
	if !s.conf.creates[createOptions] {
		return "", quietf("the attribute has no option with this label")
	}
	if beyondThreeBytes(label) || len([]rune(label)) > mostVarchar {
		return "", quietf("Magento does not keep the label of an option as this one is")
	}
	return s.createOption(ctx, code, label, find)
}

// idOf is the value of a label, "" where there is none. Magento takes labels that differ by letter case only for one.
func (a *attribute) idOf(label string) string {
	if a == nil {
		return ""
	}
	if id := a.byLabel[label]; id != "" {
		return id
	}
	for _, o := range a.options {
		if strings.EqualFold(o.label, label) {
			return o.value
		}
	}
	return ""
}

func optionsPath(code string) string { return "V1/products/attributes/" + escape(code) + "/options" }

// reloadOptions asks for the options of one attribute: people add them beside us.
func (s *System) reloadOptions(ctx context.Context, code string) error {
	var all list[wireOption]
	if _, err := s.client.into(ctx, call{name: "options of an attribute", method: http.MethodGet, scope: allViews, path: optionsPath(code)}, &all); err != nil {
		return err
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return err
	}
	at := known.get(code)
	if at == nil { // it was taken away just now
		return nil
	}
	for i := range all {
		id := all[i].id()
		if _, has := at.byValue[id]; id != "" && !has {
			s.shop.addOption(code, option{id, string(all[i].Label)})
		}
	}
	return nil
}

func (s *System) createOption(ctx context.Context, code, label string, find func() (string, error)) (string, error) {
	var answer loose
	_, err := s.client.into(ctx, call{name: "create an option", method: http.MethodPost, scope: allViews, path: optionsPath(code),
		body: map[string]any{"option": map[string]any{"label": label, "sort_order": 0}}}, &answer)
	if saidOf(err, saysOptionTaken) { // somebody else was faster
		if again := s.reloadOptions(ctx, code); again != nil {
			return "", again
		}
		id, again := find()
		if again == nil && id == "" {
			return "", s.takenByID(ctx, code, label, err)
		}
		return id, again
	}
	if err != nil {
		return "", err
	}
	id := strings.TrimPrefix(string(answer), "id_")
	if !isDigits(id) {
		return "", notUnderstood(&call{name: "create an option", method: http.MethodPost}, []byte(`""`))
	}
	s.shop.addOption(code, option{id, label})
	return id, nil
}

// takenByID tells of a label that no option has, and that is refused as taken: Magento takes an option's id for a label,
// too, so that the size 31 cannot be made where the size of another number has the id 31.
func (s *System) takenByID(ctx context.Context, code, label string, err error) error {
	known, again := s.shop.productAttributes(ctx)
	if again != nil {
		return again
	}
	at := known.get(code)
	if at == nil {
		return err
	}
	if _, is := at.byValue[label]; !is {
		return err
	}
	f := lockstep.Faultf(lockstep.CodeUnique, "Magento refuses this label over its API: it is also the id of another option of the attribute").On(lockstep.About{Field: code, Request: "create an option"})
	f.Next = "Make the option by hand in Magento's admin (Stores > Attributes > Product), then `lockstep parked retry`."
	return f
}

// setID is the id of an attribute set's name.
func (s *System) setID(ctx context.Context, name string) (int64, error) {
	find := func() (int64, error) {
		known, err := s.shop.attributeSets(ctx)
		if err != nil {
			return 0, err
		}
		return known.byName[name], nil
	}
	if id, err := find(); err != nil || id != 0 {
		return id, err
	}
	turn, err := s.lookups.turns.hold(ctx, []string{"set\x00" + name})
	if err != nil {
		return 0, err
	}
	defer turn.end()
	if s.lookups.again("set\x00" + name) {
		s.shop.sets.forget()
	}
	if id, err := find(); err != nil || id != 0 {
		return id, err
	}
	if !s.conf.creates[createSets] {
		f := lockstep.Faultf(lockstep.CodeValue, "there is no attribute set of this name").On(lockstep.About{Field: setField})
		f.Next = "Make the attribute set in Magento, or let lockstep make it: `create: [attribute_sets]`."
		return 0, f
	}
	return s.createSet(ctx, name, find)
}

func (s *System) createSet(ctx context.Context, name string, find func() (int64, error)) (int64, error) {
	skeleton, err := s.defaultSet(ctx)
	if err != nil {
		return 0, err
	}
	var made attributeSet
	_, err = s.client.into(ctx, call{name: "create an attribute set", method: http.MethodPost, scope: allViews, path: "V1/products/attribute-sets",
		body: map[string]any{"attributeSet": map[string]any{"attribute_set_name": name, "sort_order": 0}, "skeletonId": skeleton}}, &made)
	s.shop.sets.forget()
	if lockstep.KindOf(err) == lockstep.Invalid { // somebody else was faster?
		if id, again := find(); again == nil && id != 0 {
			return id, nil
		}
	}
	return int64(made.ID), err
}

// defaultSet is the attribute set of products for which the mapping names none.
func (s *System) defaultSet(ctx context.Context) (int64, error) {
	known, err := s.shop.attributeSets(ctx)
	switch {
	case err != nil:
		return 0, err
	case known.byName["Default"] != 0:
		return known.byName["Default"], nil
	case len(known.list) > 0:
		return int64(known.list[0].ID), nil
	}
	return 0, lockstep.Faultf(lockstep.CodeServer, "the shop has no attribute set")
}

// members are the codes of the attributes in a set. A value of another one is dropped by Magento without a word.
func (s *System) members(ctx context.Context, set int64) (map[string]bool, error) {
	l := &s.lookups
	l.mu.Lock()
	if l.sets == nil {
		l.sets = map[int64]*cell[map[string]bool]{}
	}
	if l.sets[set] == nil {
		l.sets[set] = newCell[map[string]bool]()
	}
	c := l.sets[set]
	l.mu.Unlock()
	return c.get(ctx, membersLife, func(ctx context.Context) (map[string]bool, error) {
		var all list[struct {
			Code string `json:"attribute_code"`
		}]
		_, err := s.client.into(ctx, call{name: "attributes of a set", method: http.MethodGet, scope: allViews,
			path: "V1/products/attribute-sets/" + number(set).text() + "/attributes", query: "fields=attribute_code"}, &all)
		out := make(map[string]bool, len(all))
		for _, a := range all {
			out[a.Code] = true
		}
		return out, err
	})
}

// forgetMembers is for when attributes were put into sets, or taken out.
func (l *lookups) forgetMembers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.sets {
		c.forget()
	}
}

// categoryID is the id of a path of names.
func (s *System) categoryID(ctx context.Context, path string) (int64, error) {
	names := splitPath(path)
	path = ""
	for _, name := range names {
		path = joinPath(path, name)
	}
	find := func() (*tree, int64, error) {
		t, err := s.shop.categories(ctx)
		if err != nil {
			return nil, 0, err
		}
		return t, t.byPath[path], nil
	}
	if _, id, err := find(); err != nil || id != 0 {
		return id, err
	}
	// One at a time below a root category: two that make "A/B/C" and "A/B/D" would both make "A/B".
	turn, err := s.lookups.turns.hold(ctx, []string{"category\x00" + names[0]})
	if err != nil {
		return 0, err
	}
	defer turn.end()
	_, read := s.shop.trees.fresh(justRead)
	if read = read && s.conf.creates[createCategories]; !read && s.lookups.again("category\x00"+path) {
		s.shop.trees.forget()
	}
	t, id, err := find()
	if err != nil || id != 0 {
		return id, err
	}
	parent, at := int64(0), ""
	for i, name := range names {
		at = joinPath(at, name)
		switch id := t.byPath[at]; {
		case id != 0:
			parent = id
		case i == 0 || !s.conf.creates[createCategories]:
			f := lockstep.Faultf(lockstep.CodeReference, "there is no category %q yet", at)
			if i > 0 {
				f.Next = "Nothing to do where another flow brings the categories; else let lockstep make them: `create: [categories]`."
			}
			return 0, f
		default:
			if parent, err = s.createCategory(ctx, parent, name, at); err != nil {
				return 0, err
			}
		}
	}
	return parent, nil
}

// createCategory makes a category of a path. Its URL key is Magento's own choice, unless that is taken.
func (s *System) createCategory(ctx context.Context, parent int64, name, path string) (int64, error) {
	body := map[string]any{"name": name, "parent_id": parent, "is_active": true, "include_in_menu": true}
	send := func() (int64, error) {
		var made struct {
			ID number `json:"id"`
		}
		_, err := s.client.into(ctx, call{name: "create a category", method: http.MethodPost, scope: allViews, path: "V1/categories", body: map[string]any{"category": body}}, &made)
		return int64(made.ID), err
	}
	id, err := send()
	if saidOf(err, saysURLKey) {
		s.shop.trees.forget() // somebody else may have been faster
		t, again := s.shop.categories(ctx)
		if again != nil {
			return 0, again
		}
		if id = t.child(parent, name); id != 0 {
			return id, nil
		}
		if s.conf.clash == parkClash {
			return 0, err
		}
		body["custom_attributes"] = []customValue{{"url_key", json.RawMessage(quoted(joinKey(slug(name), skuMark(path))))}}
		id, err = send()
	}
	if err != nil {
		return 0, err
	}
	s.shop.addCategory(id, parent, name)
	return id, nil
}
