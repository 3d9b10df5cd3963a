package storetest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	lockstep "github.com/lockstep-sync/lockstep"
)

// modelOperation is what the target has accepted.
type modelOperation struct {
	generation int
	receipt    string
	ask, first time.Time
}

// confirm asks about what is due, and ends some of it: so, with another receipt, or not yet.
func (m *model) confirm() {
	due := slices.DeleteFunc(m.inOrder(), func(e *modelEntry) bool { return e.op == nil || e.op.ask.After(time.Now()) })
	slices.SortStableFunc(due, func(a, b *modelEntry) int { return cmp.Compare(a.op.ask.UnixMicro(), b.op.ask.UnixMicro()) })
	ds := m.confirming()
	got, want := []string{}, []string{}
	for _, d := range ds {
		got = append(got, string(d.Change.Record.Key)+" "+d.Operation.Receipt)
	}
	for _, e := range due {
		want = append(want, string(e.key)+" "+e.op.receipt)
	}
	same(m.bench, got, want)
	if len(ds) == 0 {
		return
	}
	i := rapid.IntRange(0, len(ds)-1).Draw(m.rt, "operation")
	m.past = append(m.past, ds[i])
	o := m.outcomeOf(ds[i])
	if o.Verdict == lockstep.Accept && rapid.Bool().Draw(m.rt, "same receipt") {
		o.Operation.Receipt = due[i].op.receipt
	}
	m.settleAll(o)
}
