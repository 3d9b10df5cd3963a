package magento

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lockstep-sync/lockstep"
)

// productApply is one Apply of products: one look at all of them, then what differs of each, and at last what hangs on
// the others.
type productApply struct {
	sys     *System
	read    productReader
	plan    planner
	results []lockstep.Result
	batch   int
	jobs    []*job
	views   []string          // that the writes ask something of
	seen    map[string]*sight // by folded SKU
	refs    map[string]*reference
	shelf   *shelf
	mu      sync.Mutex // guards seen, and items
	items   []bulkItem // for Magento's queue
	down    downed
}

// job is one write.
type job struct {
	at    int
	w     *lockstep.Write
	want  *wanted
	key   string // folded: of the product that it is about
	stale bool   // another write of this Apply was about the same product before
	// What is to be looked at when all else is written.
	missing []string // linked products that were not there
	unsure  []string // views of which it is not known whether they follow a value of all views
	// pictured says that images were written, whose answers do not tell updated_at.
	pictured bool
}

// applyProducts makes writes of products.
func (s *System) applyProducts(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	a := &productApply{sys: s, results: make([]lockstep.Result, len(writes)), batch: len(writes), refs: map[string]*reference{}}
	if err := a.begin(ctx); err != nil {
		return nil, err
	}
	defer a.shelf.close()
	a.understand(ctx, writes)
	a.plan.attrs = a.read.attrs
	var names []string
	for _, j := range a.jobs {
		names = append(names, bareSKU(j.key))
	}
	turn, err := s.skus.hold(ctx, names) // law 3
	if err != nil {
		return nil, err
	}
	defer turn.end()
	if err := a.look(ctx); err != nil {
		return nil, err
	}
	first, last := a.inOrder()
	a.run(ctx, first, a.one)
	if len(last) > 0 && a.lookAtReferences(ctx, last) {
		a.run(ctx, last, a.one)
	}
	a.queue(ctx)
	a.finish(ctx)
	a.versions(ctx)
	for i := range writes {
		if f := lockstep.FaultOf(a.results[i].Err); f != nil && f.About.Key == "" {
			a.results[i].Err = f.On(lockstep.About{Key: writes[i].Key})
		}
	}
	return a.results, nil
}

// begin gets what is known of the shop.
func (a *productApply) begin(ctx context.Context) error {
	attrs, err := a.sys.shop.productAttributes(ctx)
	if err != nil {
		return err
	}
	places, err := a.sys.shop.where(ctx)
	if err != nil {
		return err
	}
	a.read = productReader{sys: a.sys, attrs: attrs, places: places}
	a.plan = planner{attrs: attrs, places: places, suffix: a.sys.conf.clash == suffixClash}
	a.shelf = a.sys.newShelf()
	return nil
}

// understand reads the writes.
func (a *productApply) understand(ctx context.Context, writes []lockstep.Write) {
	had := map[string]bool{}
	views := map[string]bool{}
	for i := range writes {
		j := &job{at: i, w: &writes[i], key: foldSKU(string(writes[i].Key)), want: &wanted{sku: string(writes[i].Key)}}
		if writes[i].Op != lockstep.Delete {
			res := a.down.guard(ctx, func() (res lockstep.Result) { // a shop that is down is not asked for the labels of each
				j.want, res.Err = a.read.read(ctx, &writes[i])
				return res
			})
			if a.results[i] = res; res.Err != nil {
				continue
			}
			want := j.want
			if j.key == "" {
				j.key = foldSKU(want.sku)
			}
			for scope := range want.values {
				views[scope] = true
			}
		}
		j.stale = had[j.key]
		had[j.key] = true
		a.jobs = append(a.jobs, j)
	}
	delete(views, allViews)
	a.views = slices.Sorted(maps.Keys(views))
}

// look reads all products of the batch as they are. Deletes need none, unless they ask for a version.
func (a *productApply) look(ctx context.Context) error {
	var skus []string
	for _, j := range a.jobs {
		if j.w.Op == lockstep.Delete && j.w.IfVersion == "" {
			continue
		}
		skus = append(skus, strings.TrimSpace(string(j.w.Key)))
		if foldSKU(j.want.sku) != j.key {
			skus = append(skus, j.want.sku)
		}
	}
	slices.Sort(skus)
	skus = slices.DeleteFunc(slices.Compact(skus), func(sku string) bool { return foldSKU(sku) == "" })
	var err error
	a.seen, err = a.sys.lookAt(ctx, skus, a.views)
	return err
}

// inOrder tells apart the writes that name no other product: they go first, for the others may name theirs.
func (a *productApply) inOrder() (first, last [][]*job) {
	turns := map[string][]*job{}
	for _, j := range a.jobs {
		turns[bareSKU(j.key)] = append(turns[bareSKU(j.key)], j)
	}
	for _, j := range a.jobs {
		some := turns[bareSKU(j.key)]
		switch {
		case some[0] != j:
		case slices.ContainsFunc(some, func(j *job) bool { return len(j.named()) > 0 }):
			last = append(last, some)
		default:
			first = append(first, some)
		}
	}
	return first, last
}

// named are the SKUs of other products that a write names.
func (j *job) named() []string {
	var out []string
	if j.want.children != nil {
		out = append(out, *j.want.children...)
	}
	for _, links := range j.want.linked {
		for _, l := range links {
			out = append(out, l.sku)
		}
	}
	return out
}

// lookAtReferences reads the products that the writes name.
func (a *productApply) lookAtReferences(ctx context.Context, some [][]*job) bool {
	var children, linked []string
	for _, turn := range some {
		for _, j := range turn {
			if j.want.children != nil {
				children = append(children, *j.want.children...)
			}
			linked = append(linked, a.unknownLinks(j)...)
		}
	}
	for _, look := range []struct {
		skus   []string
		fields string
	}{{children, childFields}, {linked, linkedFields}} {
		skus := slices.DeleteFunc(distinctSKUs(look.skus), func(sku string) bool { return a.refs[foldSKU(sku)] != nil })
		got, err := a.sys.references(ctx, skus, look.fields)
		if err != nil {
			for _, turn := range some {
				for _, j := range turn {
					a.results[j.at].Err = err
				}
			}
			return false
		}
		maps.Copy(a.refs, got)
	}
	return true
}

// unknownLinks are the SKUs that a product is to be linked to and is not yet.
func (a *productApply) unknownLinks(j *job) []string {
	var out []string
	s := a.seen[j.key]
	for kind, links := range j.want.linked {
		for _, l := range links {
			if s == nil || !slices.ContainsFunc(s.linked, func(h productLink) bool { return h.Kind == kind && foldSKU(h.Linked) == foldSKU(l.sku) }) {
				out = append(out, l.sku)
			}
		}
	}
	return out
}

// turnsAtOnce is how many turns are under way: more than there may be requests, which is the client's to see to. While one
// makes up its mind, or takes an image from where it is, another keeps the shop busy.
func (a *productApply) turnsAtOnce() int {
	if n := a.sys.conf.writers; n > 1 {
		return 2 * n
	}
	return 1 // one thing after the other is what was asked for
}

// run works on several turns at a time, and within each on one write after the other.
func (a *productApply) run(ctx context.Context, all [][]*job, do func(context.Context, *job) lockstep.Result) {
	next := make(chan []*job)
	var wg sync.WaitGroup
	for range min(a.turnsAtOnce(), len(all)) {
		wg.Go(func() {
			for turn := range next {
				for _, j := range turn {
					a.results[j.at] = a.down.guard(ctx, func() lockstep.Result { return do(ctx, j) })
				}
			}
		})
	}
	for _, turn := range all {
		next <- turn
	}
	close(next)
	wg.Wait()
}

// downed stops a batch when the system as a whole has failed: what was not sent then is known not to be done.
type downed struct {
	mu    sync.Mutex
	fault *lockstep.Fault
}

func (d *downed) guard(ctx context.Context, do func() lockstep.Result) lockstep.Result {
	d.mu.Lock()
	f := d.fault
	d.mu.Unlock()
	if f != nil {
		return lockstep.Result{Err: notSent(f)}
	}
	if err := ctx.Err(); err != nil {
		return lockstep.Result{Err: err}
	}
	res := do()
	if f := lockstep.FaultOf(res.Err); f != nil && ofSystem(f) {
		d.mu.Lock()
		if d.fault == nil {
			d.fault = f
		}
		d.mu.Unlock()
	}
	return res
}
