package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	lockstep "github.com/lockstep-sync/lockstep"
)

// ReferenceModel compares what a store makes of references with a small model under random use: two flows whose records
// are made with each other's and their own, changes, links, news, settles, pages and reopening. After every step what
// records were made with, what is open and what is untold must be the model's.
func ReferenceModel(t *testing.T, h Harness) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			b := newBench(shrinking{t, rt}, h)
			defer func() { _ = b.s.Close() }()
			m := &refModel{bench: b, rt: rt, refs: map[lockstep.Ref]map[lockstep.Ref]lockstep.Use{}, open: map[lockstep.Ref]bool{},
				links: map[lockstep.Ref]bool{}, untold: map[lockstep.Ref]lockstep.Use{}, held: map[lockstep.Ref]lockstep.Delivery{}}
			actions := map[string]func(*rapid.T){"": func(*rapid.T) { m.check() }}
			for name, act := range map[string]func(){"append": m.append, "page": m.page, "lease": m.lease, "settle": m.settle, "reopen": m.reopenAll} {
				actions[name] = func(rt *rapid.T) { m.rt = rt; act() }
			}
			rt.Repeat(actions)
		})
	})
}

type refModel struct {
	*bench
	rt     *rapid.T
	refs   map[lockstep.Ref]map[lockstep.Ref]lockstep.Use
	open   map[lockstep.Ref]bool
	links  map[lockstep.Ref]bool
	untold map[lockstep.Ref]lockstep.Use
	held   map[lockstep.Ref]lockstep.Delivery
}

func (m *refModel) draw() lockstep.Ref {
	return lockstep.Ref{Flow: rapid.SampledFrom([]string{"f", "g"}).Draw(m.rt, "flow"), Key: modelKeys.Draw(m.rt, "key")}
}

func (m *refModel) use() lockstep.Use { return lockstep.Use(rapid.IntRange(1, 7).Draw(m.rt, "use")) }

func (m *refModel) drawRefs() []lockstep.Reference {
	out := []lockstep.Reference{}
	for range rapid.IntRange(0, 2).Draw(m.rt, "references") {
		out = append(out, lockstep.Reference{Ref: m.draw(), Use: m.use()})
	}
	return out
}

// save is what a store does with references.
func (m *refModel) save(of lockstep.Ref, all []lockstep.Reference) {
	m.refs[of] = map[lockstep.Ref]lockstep.Use{}
	for _, r := range all {
		m.refs[of][r.Ref] |= r.Use
	}
	for to, use := range m.refs[of] {
		if use&lockstep.Pending != 0 && m.links[to] {
			m.open[of] = true
		}
	}
}

func (m *refModel) news(of lockstep.Ref, use lockstep.Use) {
	for _, refs := range m.refs {
		if refs[of]&use != 0 {
			m.untold[of] |= use
		}
	}
}

func (m *refModel) append() {
	at := m.draw()
	m.news(at, lockstep.Built)
	m.open[at] = true
	m.captureOf(at.Flow, up(at.Key, 1))
}

func (m *refModel) page() {
	at := m.draw()
	end := lockstep.PageEnd{}
	if rapid.Bool().Draw(m.rt, "link") {
		end.Links = []lockstep.Link{ab(at.Key, "to "+at.Key)}
		m.links[at] = true
		m.news(at, lockstep.Pending)
	}
	if rapid.Bool().Draw(m.rt, "refs") {
		end.Refs = []lockstep.Refers{{Key: at.Key, To: m.drawRefs()}}
		m.save(at, end.Refs[0].To)
	}
	if rapid.Bool().Draw(m.rt, "news") {
		end.News = []lockstep.News{{Key: at.Key, For: m.use()}}
		m.news(at, end.News[0].For)
	}
	run, err := m.s.StartRun(m.ctx, lockstep.Run{Flow: at.Flow, Kind: lockstep.FullRun})
	m.ok(err)
	end.Run = run
	m.ok(m.s.SettlePage(m.ctx, at.Flow, end))
}

// lease spreads what is untold: it is far less than a page.
func (m *refModel) lease() {
	for to, use := range m.untold {
		for from, refs := range m.refs {
			if how := refs[to] & use; how != 0 && (from != to || how&lockstep.Pending != 0) {
				m.open[from] = true
			}
		}
	}
	clear(m.untold)
	flow := rapid.SampledFrom([]string{"f", "g"}).Draw(m.rt, "flow")
	for _, d := range m.leaseOf(flow, 1) {
		m.held[lockstep.Ref{Flow: flow, Key: d.Change.Record.Key}] = d
	}
}

// settle closes a lease; the entry stays where it was hinted at since.
func (m *refModel) settle() {
	if len(m.held) == 0 {
		return
	}
	all := slices.SortedFunc(maps.Keys(m.held), func(a, b lockstep.Ref) int { return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Key, b.Key)) })
	at := rapid.SampledFrom(all).Draw(m.rt, "held")
	d := m.held[at]
	delete(m.held, at)
	es, err := m.s.Open(m.ctx, at.Flow, []lockstep.Key{at.Key})
	m.ok(err)
	if es[0] == nil || es[0].State != lockstep.Leased {
		m.Fatalf("%v is not leased: %+v", at, es[0])
	}
	if es[0].Generation == d.Generation {
		delete(m.open, at)
	}
	o := done(d)
	if rapid.Bool().Draw(m.rt, "link") {
		l := ab(at.Key, "to "+at.Key)
		o.Link = &l
		m.links[at] = true
		m.news(at, lockstep.Pending)
	}
	if rapid.Bool().Draw(m.rt, "refs") {
		o.Refs = m.drawRefs()
		m.save(at, o.Refs)
	}
	if rapid.Bool().Draw(m.rt, "news") {
		o.News = m.use()
		m.news(at, o.News)
	}
	m.bench.settle(o)
}

func (m *refModel) reopenAll() {
	m.reopen()
	m.attach(benchFlows...)
	if m.h.Reopen != nil {
		clear(m.held)
	}
}

func (m *refModel) check() {
	var want, got []string
	for from, refs := range m.refs {
		for to, use := range refs {
			want = append(want, fmt.Sprintf("%v made with %v: %d", from, to, use))
		}
	}
	for at := range m.open {
		want = append(want, fmt.Sprintf("%v open", at))
	}
	want = append(want, fmt.Sprintf("%d untold", len(m.untold)))
	for _, flow := range []string{"f", "g"} {
		for _, key := range []lockstep.Key{"a", "b", "c", "d"} {
			all, err := m.s.Refers(m.ctx, flow, key)
			m.ok(err)
			for _, r := range all {
				got = append(got, fmt.Sprintf("%v made with %v: %d", lockstep.Ref{Flow: flow, Key: key}, r.Ref, r.Use))
			}
		}
		es, err := m.s.Entries(m.ctx, flow, "", 0, 100)
		m.ok(err)
		for _, e := range es {
			got = append(got, fmt.Sprintf("%v open", lockstep.Ref{Flow: flow, Key: e.Change.Record.Key}))
		}
	}
	got = append(got, fmt.Sprintf("%d untold", m.status("f").Spreading))
	slices.Sort(want)
	slices.Sort(got)
	same(m.bench, got, want)
}
