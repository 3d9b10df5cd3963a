package mapping

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// there evaluates what may come later, and tells whether it is there.
func (w *Worker) there(c code) (v value.Value, there bool) {
	before := w.late
	w.late = false
	v = c(w)
	there, w.late = !w.late, before
	return v, there
}

// refer notes that the record is made with another.
func (w *Worker) refer(ref lockstep.Ref, use lockstep.Use) {
	if len(w.refs) >= lockstep.MaxReferences {
		w.fail("the record is made with more than %d others", lockstep.MaxReferences)
	}
	w.refs = append(w.refs, lockstep.Reference{Ref: ref, Use: use})
}

// References are what the record that was mapped last is made with: in order, each once. They are the caller's.
func (w *Worker) References() []lockstep.Reference {
	slices.SortFunc(w.refs, func(a, b lockstep.Reference) int {
		return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Key, b.Key))
	})
	out := make([]lockstep.Reference, 0, len(w.refs))
	for _, r := range w.refs {
		if n := len(out); n > 0 && out[n-1].Ref == r.Ref {
			out[n-1].Use |= r.Use
			continue
		}
		out = append(out, r)
	}
	return out
}

// build finds what the record is made from without a link.
func (w *Worker) build() *lockstep.Fault {
	for i := range w.m.built {
		b := &w.m.built[i]
		v, fault := w.run(&b.rule)
		if fault != nil {
			return fault
		}
		w.late = false
		if fault := w.builtOf(b, v); fault != nil {
			return fault
		}
	}
	return nil
}

func (w *Worker) builtOf(b *built, v value.Value) (fault *lockstep.Fault) {
	keys := []value.Value{v}
	if v.Kind() == value.KindList {
		keys = v.List()
	}
	for _, k := range keys {
		key, there, ok := keyOf(k)
		switch {
		case !ok:
			return w.wrong(&b.rule, fmt.Sprintf("%s is no key", a(k)))
		case !there:
		case len(w.refs) >= lockstep.MaxReferences:
			return w.wrong(&b.rule, fmt.Sprintf("the record is made with more than %d others", lockstep.MaxReferences))
		default:
			w.refer(lockstep.Ref{Flow: b.flow, Key: key}, lockstep.Built)
		}
	}
	return nil
}

// keyOf is a value as a record's key: a list has its parts. There is none where a part is null.
func keyOf(v value.Value) (key lockstep.Key, there, ok bool) {
	parts := []value.Value{v}
	if v.Kind() == value.KindList {
		parts = v.List()
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if p.IsNull() {
			return "", false, true
		}
		if p.Kind() == value.KindList || p.Kind() == value.KindObject {
			return "", false, false
		}
		if texts[i], _ = p.KeyText(); texts[i] == "" && len(parts) == 1 {
			return "", false, true // the empty text names nothing
		}
	}
	return lockstep.MakeKey(texts...), len(texts) > 0, true
}
