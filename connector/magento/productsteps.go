package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// one makes one write.
func (a *productApply) one(ctx context.Context, j *job) lockstep.Result {
	if j.stale {
		if err := a.lookAgain(ctx, j); err != nil {
			return lockstep.Result{Err: err}
		}
	}
	s, err := a.current(j)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if j.w.Op == lockstep.Delete {
		return a.remove(ctx, j, s)
	}
	if s != nil {
		j.want.sku = s.sku // Magento's spelling stays
	}
	if a.sys.queued.busy(j.want.sku) || j.stale && a.sys.byQueue(j.w, a.batch) {
		return lockstep.Result{Err: busyFault()}
	}
	steps, err := a.steps(ctx, j, s)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if len(steps) > 0 && a.sys.byQueue(j.w, a.batch) {
		return a.enqueue(j, s, steps)
	}
	for i := range steps {
		if s, err = a.send(ctx, j, s, &steps[i]); err != nil {
			return lockstep.Result{Err: err}
		}
	}
	return a.result(ctx, j, s)
}

// result brings the images level, and answers the write.
func (a *productApply) result(ctx context.Context, j *job, s *sight) lockstep.Result {
	res := lockstep.Result{Key: lockstep.Key(s.sku), Version: s.updated, Note: strings.Join(j.want.left, "; ")}
	if j.want.images == nil {
		return res
	}
	have := readGallery(s.sku, s.gallery)
	if p := planGallery(*j.want.images, have); p.empty() {
		return res
	}
	g := gallery{sys: a.sys, sku: s.sku, shelf: a.shelf, urls: j.want.urls}
	if res.Err = g.level(ctx, *j.want.images, have); res.Err == nil {
		res.Version, j.pictured = "", true
	}
	return res
}

// current is the product that a write is about, nil where there is none.
func (a *productApply) current(j *job) (*sight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.seen[j.key]
	if j.w.IfVersion != "" && (s == nil || s.updated != j.w.IfVersion) {
		return nil, lockstep.Faultf(lockstep.CodeVersionMoved, "the product was saved meanwhile")
	}
	if j.w.Op == lockstep.Delete {
		return s, nil
	}
	if fold := foldSKU(j.want.sku); fold != j.key {
		if s != nil {
			f := lockstep.Faultf(lockstep.CodeKey, "Magento's API gives no product another SKU").On(lockstep.About{Field: "sku"})
			f.Next = "Change the SKU in Magento's admin, too, or let a new product be made under the new SKU."
			return nil, f
		}
		s = a.seen[fold]
	}
	if s == nil {
		if other := sameSKUs(j.want.sku, a.seen); other != nil {
			return nil, differentSKU(other.sku)
		}
	}
	return s, nil
}

func (a *productApply) lookAgain(ctx context.Context, j *job) error {
	seen, err := a.sys.lookAt(ctx, []string{j.want.sku}, a.views)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.seen, j.key)
	if s := seen[foldSKU(j.want.sku)]; s != nil {
		a.seen[foldSKU(j.want.sku)] = s
	}
	return nil
}

// steps are the calls that bring a product level, in their order.
func (a *productApply) steps(ctx context.Context, j *job, s *sight) ([]step, error) {
	w, typ := j.want, "simple"
	if w.typ != nil {
		typ = *w.typ
	} else if s != nil {
		typ = s.typ
	}
	first := step{scope: allViews, top: map[string]any{}, ext: map[string]any{}}
	if err := a.kind(ctx, &first, w, s, typ); err != nil {
		return nil, err
	}
	var err error
	if first.values, err = a.plan.all(w, s, typ); err != nil {
		return nil, err
	}
	if _, mapped := w.values[allViews]["url_key"]; s == nil && !mapped {
		key := madeURLKey(deref(w.values[allViews]["name"]), w.sku)
		first.values["url_key"] = &key
	}
	if err := a.places(ctx, &first, w, s); err != nil {
		return nil, err
	}
	if typ == "configurable" {
		parts, err := a.plan.variants(w, s, a.refs)
		if err != nil {
			return nil, err
		}
		for name, part := range parts {
			first.ext[name] = part
		}
	}
	if len(w.linked) > 0 {
		all, differ, missing := a.plan.links(w, s, a.refs)
		if differ {
			first.top["product_links"] = all
		}
		j.missing = missing
	}
	views, unsure, err := a.plan.values(w, s, first.values)
	if err != nil {
		return nil, err
	}
	j.unsure = unsure
	steps := views
	if s == nil || !first.empty() {
		steps = slices.Insert(steps, 0, first)
	}
	return steps, nil
}

// kind is what a product is: its type and its attribute set, and whether the set has all attributes that are wanted.
func (a *productApply) kind(ctx context.Context, st *step, w *wanted, s *sight, typ string) error {
	set, err := int64(0), error(nil)
	switch {
	case w.set != nil:
		set, err = a.sys.setID(ctx, *w.set)
	case s == nil:
		set, err = a.sys.defaultSet(ctx)
	default:
		set = s.set
	}
	if err != nil {
		return err
	}
	if s == nil || set != s.set {
		st.top["attribute_set_id"] = set
	}
	if s == nil || typ != s.typ {
		st.top["type_id"] = typ
	}
	members, err := a.sys.members(ctx, set)
	if err != nil {
		return err
	}
	for _, values := range w.values {
		for code, v := range values {
			if members[code] || code == "name" || numbers[code] {
				continue
			}
			if v == nil { // there is none, and there can be none
				delete(values, code)
				continue
			}
			if err := a.sys.quietly(quietf("the attribute %s is not in the product's attribute set", code), code, &w.left); err != nil {
				return onField(err, code)
			}
			delete(values, code)
		}
	}
	return nil
}

// places are the websites and the categories that a product is in.
func (a *productApply) places(ctx context.Context, st *step, w *wanted, s *sight) error {
	switch {
	case w.websites != nil && (s == nil || !sameSet(*w.websites, s.websites)):
		st.ext["website_ids"] = *w.websites
	case w.websites == nil && s == nil:
		ids := []int64{}
		for _, site := range a.read.places.websites {
			ids = append(ids, site.id)
		}
		st.ext["website_ids"] = ids
	}
	ids := w.members
	if w.paths != nil {
		ids = &[]int64{}
		for _, path := range *w.paths {
			id, err := a.sys.categoryID(ctx, path)
			if err != nil {
				return onField(err, categoriesField)
			}
			*ids = append(*ids, id)
		}
	}
	var have []int64
	if s != nil {
		for _, m := range s.members {
			have = append(have, int64(m.Category))
		}
	}
	if ids != nil && !sameSet(*ids, have) {
		if err := a.sys.haveCategories(ctx, *ids, have, categoryIDsField); err != nil {
			return err
		}
		if len(*ids) == 0 { // the other way, by category_ids, is not known to take the last away
			st.ext["category_links"] = []categoryLink{}
		} else {
			st.custom = append(st.custom, customValue{"category_ids", idTexts(*ids)})
		}
	}
	return a.links(ctx, st, w, s, have)
}

// links are the categories that are added to those that a product is in.
func (a *productApply) links(ctx context.Context, st *step, w *wanted, s *sight, have []int64) error {
	if w.links == nil {
		return nil
	}
	if len(*w.links) == 0 {
		if len(have) > 0 {
			st.ext["category_links"] = []categoryLink{}
		}
		return nil
	}
	var ids []int64
	var differ []placeLink
	for _, l := range *w.links {
		if s == nil || !slices.Contains(s.members, l) {
			differ = append(differ, placeLink{l.Position, l.Category.text()})
			ids = append(ids, int64(l.Category))
		}
	}
	if len(differ) > 0 {
		st.ext["category_links"] = differ
	}
	return a.sys.haveCategories(ctx, ids, have, categoryLinks)
}

// placeLink is a category link as it is sent: with a text for an id.
type placeLink struct {
	Position number `json:"position"`
	Category string `json:"category_id"`
}

func idTexts(ids []int64) json.RawMessage {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = `"` + number(id).text() + `"`
	}
	return json.RawMessage("[" + strings.Join(texts, ",") + "]")
}

// haveCategories waits for categories that there are not: Magento drops them without a word.
func (s *System) haveCategories(ctx context.Context, ids, known []int64, field string) error {
	for range 2 {
		t, err := s.shop.categories(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(ids, func(id int64) bool { return t.byID[id] == nil && !slices.Contains(known, id) })
		if i < 0 {
			return nil
		}
		if !s.lookups.again("category id\x00" + number(ids[i]).text()) {
			return lockstep.Faultf(lockstep.CodeReference, "there is no category %d yet", ids[i]).On(lockstep.About{Field: field})
		}
		s.shop.trees.forget()
	}
	return lockstep.Faultf(lockstep.CodeReference, "a category is not there yet").On(lockstep.About{Field: field})
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// remove deletes a product.
func (a *productApply) remove(ctx context.Context, j *job, s *sight) lockstep.Result {
	sku := strings.TrimSpace(string(j.w.Key))
	if s != nil {
		sku = s.sku
	}
	res := lockstep.Result{Key: j.w.Key}
	if a.sys.queued.busy(sku) || j.stale && a.sys.byQueue(j.w, a.batch) {
		res.Err = busyFault()
		return res
	}
	item := bulkItem{at: j.at, sku: sku, method: http.MethodDelete, scope: allViews}
	if a.sys.byQueue(j.w, a.batch) {
		a.later(item)
		return res
	}
	_, err := a.sys.client.do(ctx, deleteCall(sku))
	res.Err = deleted(err)
	if res.Err != nil && lockstep.FaultOf(res.Err).Next == nextSlash { // a server before Magento takes no such path: the queue has the SKU in the body
		a.later(item)
		res.Err = nil
	}
	return res
}

func pathOfProduct(sku string) string { return productPath + "/" + escape(sku) }
