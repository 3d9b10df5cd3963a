package magento

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// send makes one call of a product, and answers with the product as it is then.
func (a *productApply) send(ctx context.Context, j *job, s *sight, st *step) (*sight, error) {
	now, err := a.save(ctx, j.want.sku, s == nil, st)
	if saidOf(err, saysURLKey) {
		now, err = a.clashed(ctx, j, s, st, err)
	}
	if err != nil {
		return nil, err
	}
	now = now.over(s)
	a.mu.Lock()
	a.seen[foldSKU(now.sku)] = now
	a.mu.Unlock()
	if st.scope != allViews {
		return a.inherit(ctx, now, st)
	}
	return now, nil
}

// over is what is known after a call: its answer, and what was known of other scopes before. The answer in a view is
// about the view in its values only.
func (s *sight) over(before *sight) *sight {
	if before == nil {
		return s
	}
	for scope, values := range before.scopes {
		if s.scopes[scope] == nil {
			s.scopes[scope] = values
		}
	}
	s.twins = before.twins
	return s
}

// saveCall saves a product. A SKU with a slash goes in the body alone: many servers before Magento take no %2F in a path.
func saveCall(sku, scope string, create bool, product any) call {
	q := call{name: "save a product", method: http.MethodPut, scope: scope, path: pathOfProduct(sku), body: map[string]any{"product": product}}
	if create || strings.Contains(sku, "/") {
		q.method, q.path = http.MethodPost, productPath
	}
	return q
}

func deleteCall(sku string) call {
	return call{name: "delete a product", method: http.MethodDelete, scope: allViews, path: pathOfProduct(sku)}
}

// save is the call itself.
func (a *productApply) save(ctx context.Context, sku string, create bool, st *step) (*sight, error) {
	r, err := a.sys.client.do(ctx, saveCall(sku, st.scope, create, st.body(sku, a.plan.attrs)))
	if err != nil {
		return nil, err
	}
	now, err := sightOf(r.body, st.scope)
	if err != nil {
		return nil, lockstep.FaultOf(err).Maybe()
	}
	return now, nil
}

// clashed handles a URL key that is taken. Magento says the same of a SKU that there is twice: that is looked for first.
func (a *productApply) clashed(ctx context.Context, j *job, s *sight, st *step, clash error) (*sight, error) {
	seen, err := a.sys.lookAt(ctx, []string{j.want.sku}, nil)
	if err != nil {
		return nil, err
	}
	switch now := seen[foldSKU(j.want.sku)]; {
	case now != nil && now.twins > 0:
		f := lockstep.Faultf(lockstep.CodeAmbiguous, "there are %d products with this SKU, so Magento saves none of them", now.twins+1)
		f.Next = "Delete all but one of them in Magento's admin; lockstep then goes on."
		return nil, f
	case now != nil && s == nil: // somebody made it just now
		return nil, lockstep.Faultf(lockstep.CodeVersionMoved, "the product was made by somebody else meanwhile")
	}
	mapped, key, rule := false, "", a.sys.conf.clash
	for _, scope := range []string{allViews, st.scope} {
		if v, ok := j.want.values[scope]["url_key"]; ok && v != nil {
			mapped, key = true, slug(*v)
		}
	}
	if rule == parkClash || mapped && rule != suffixClash {
		return nil, clash
	}
	if v := st.values["url_key"]; !mapped && v != nil {
		key = *v
	} else if !mapped {
		key, _ = s.value(allViews, "url_key")
	}
	again := *st
	again.values = maps.Clone(st.values)
	if again.values == nil {
		again.values = map[string]*string{}
	}
	key = clashedURLKey(key, j.want.sku)
	again.values["url_key"] = &key
	return a.save(ctx, j.want.sku, s == nil, &again)
}

// inherit sees to it that a view shows what counts for all where it is to have no value of its own: a null does that for
// most attributes, and not for a product's own members in all versions. Then the view gets that value as its own.
func (a *productApply) inherit(ctx context.Context, now *sight, st *step) (*sight, error) {
	left := step{scope: st.scope, values: map[string]*string{}}
	for code, want := range st.values {
		will, has := now.value(allViews, code)
		if have, shows := now.value(st.scope, code); want == nil && shows && has && !a.plan.attrs.get(code).sameValue(will, have) {
			left.values[code] = &will
		}
	}
	if len(left.values) == 0 {
		return now, nil
	}
	again, err := a.save(ctx, now.sku, false, &left)
	if err != nil {
		return nil, err
	}
	return again.over(now), nil
}

// finish does what had to wait for the others: links to products that the batch has made meanwhile, and views of which
// it was not known whether they follow.
func (a *productApply) finish(ctx context.Context) {
	var links, views [][]*job
	for _, j := range a.jobs {
		switch res := &a.results[j.at]; {
		case res.Err != nil || res.Receipt != "":
		case len(j.missing) > 0:
			links = append(links, []*job{j})
		case len(j.unsure) > 0:
			views = append(views, []*job{j})
		}
	}
	some := slices.Concat(links, views)
	if len(some) == 0 {
		return
	}
	var skus []string
	scopes := map[string]bool{}
	for _, turn := range some {
		skus = append(skus, turn[0].want.sku)
		for _, v := range turn[0].unsure {
			scopes[v] = true
		}
	}
	seen, err := a.sys.lookAt(ctx, skus, slices.Sorted(maps.Keys(scopes)))
	if err != nil {
		for _, turn := range some {
			a.results[turn[0].at].Err = err
		}
		return
	}
	maps.Copy(a.seen, seen)
	if len(links) > 0 && !a.lookAtReferences(ctx, links) {
		return
	}
	a.run(ctx, some, a.rest)
}

// versions finds out when the products were saved whose images were written: by as few searches as there can be. What
// was written stays done where that fails.
func (a *productApply) versions(ctx context.Context) {
	var skus []string
	for _, j := range a.jobs {
		if res := &a.results[j.at]; j.pictured && res.Err == nil && res.Version == "" {
			skus = append(skus, j.want.sku)
		}
	}
	if len(skus) == 0 {
		return
	}
	got, err := a.sys.lightProducts(ctx, skus)
	if err != nil {
		return
	}
	for _, j := range a.jobs {
		if res := &a.results[j.at]; j.pictured && res.Err == nil && res.Version == "" {
			res.Version = got[foldSKU(j.want.sku)].Updated
		}
	}
}

// rest sends what is left of a write.
func (a *productApply) rest(ctx context.Context, j *job) lockstep.Result {
	res := a.results[j.at]
	a.mu.Lock()
	s := a.seen[foldSKU(j.want.sku)]
	a.mu.Unlock()
	if s == nil {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeVersionMoved, "the product went meanwhile")}
	}
	var steps []step
	if len(j.missing) > 0 {
		all, differ, missing := a.plan.links(j.want, s, a.refs)
		if j.missing = missing; differ {
			steps = append(steps, step{scope: allViews, top: map[string]any{"product_links": all}})
		}
	}
	asked := *j.want
	asked.values = map[string]map[string]*string{}
	for _, view := range j.unsure {
		asked.values[view] = j.want.values[view]
	}
	views, _, err := a.plan.values(&asked, s, nil)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	for _, st := range append(steps, views...) {
		if s, err = a.send(ctx, j, s, &st); err != nil {
			return lockstep.Result{Err: err}
		}
		res.Version = s.updated
	}
	if len(j.missing) > 0 { // all else is level by now: products that name each other do not wait for each other for ever
		return lockstep.Result{Err: waiting("linked products are", j.missing)}
	}
	return res
}

// enqueue leaves a product's first step to Magento's queue. What else there is to do is found by the look that follows.
func (a *productApply) enqueue(j *job, s *sight, steps []step) lockstep.Result {
	sku, was := j.want.sku, ""
	if s != nil {
		sku, was = s.sku, s.updated
	}
	body, err := json.Marshal(steps[0].body(sku, a.plan.attrs))
	if err != nil {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeInvariant, "a product cannot be written as JSON")}
	}
	more := len(steps) > 1 || len(j.missing) > 0 || len(j.unsure) > 0 || j.want.images != nil
	a.later(bulkItem{at: j.at, sku: sku, method: http.MethodPut, scope: steps[0].scope, product: body, more: more, was: was})
	return lockstep.Result{}
}

func (a *productApply) later(it bulkItem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = append(a.items, it)
}

// queue sends what goes by Magento's queue. What is refused there goes by a call of its own, which says why.
func (a *productApply) queue(ctx context.Context) {
	if len(a.items) == 0 {
		return
	}
	slices.SortFunc(a.items, func(x, y bulkItem) int { return x.at - y.at })
	for _, it := range a.sys.sendBulks(ctx, a.items, a.results) {
		a.results[it.at] = a.down.guard(ctx, func() lockstep.Result {
			q := saveCall(it.sku, it.scope, false, it.product)
			if it.method == http.MethodDelete {
				q = deleteCall(it.sku)
			}
			r, err := a.sys.client.do(ctx, q)
			if it.method == http.MethodDelete {
				err = deleted(err)
			}
			if err != nil || it.method == http.MethodDelete {
				return lockstep.Result{Key: lockstep.Key(it.sku), Err: err}
			}
			now, err := sightOf(r.body, it.scope)
			if err != nil {
				return lockstep.Result{Err: err}
			}
			if it.more {
				return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeVersionMoved, "more is to be sent")}
			}
			return lockstep.Result{Key: lockstep.Key(now.sku), Version: now.updated}
		})
	}
}
