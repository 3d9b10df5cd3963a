package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Bounds of what the expressions of one record may do (law 11). They are far above what a real mapping needs.
const (
	maxSteps   = 2_000_000 // turns of loops and calls of functions
	maxMemory  = 64 << 20  // bytes of texts and lists made
	maxItems   = 1_000_000 // of one list
	maxNesting = 4         // map() in filter() in …
	maxSource  = 16 << 10  // bytes of one expression
	maxNodes   = 2_000     // of one expression's tree
)

// Worker runs a mapping; one goroutine at a time. It reuses its memory from record to record, but what it returns is
// the caller's.
type Worker struct {
	m      *Mapping
	values []value.Value // of the record
	names  *value.Names
	at     []int // of each source field: where it stands in values, or -1
	// straight says that the record's values are the result as they stand: every field a copy, in the same order.
	straight bool
	// lacks are the rules that read a field which the record does not have: its source could not show it (a relation
	// whose end is hidden), and the target's field stays as it is. unsure is the first field that the filter lacks.
	lacks   []bool
	lacking bool
	unsure  string
	opened  []value.Value
	openGen []uint64
	gen     uint64
	lets    []value.Value
	frames  []frame
	stack   []value.Value
	short   bool // ?. met a null: the rest of its chain is null
	steps   int
	memory  int
	// scriptSteps are what is left for the script's calls for this record.
	scriptSteps int
	resolve     Resolver
	refs        []lockstep.Reference // of this record, as they were met
	laters      int                  // how many later() are around
	late        bool                 // what was evaluated last lacks a link that comes later
	zones       zones

	out     []value.Value
	skipped []bool
	subsets map[string]*value.Names // names by the fields present, where some were skipped
}

type frame struct {
	item, acc value.Value
	index     int
}

// Worker is a new worker.
func (m *Mapping) Worker() *Worker {
	n := len(m.fields)
	return &Worker{
		m: m, at: make([]int, n), opened: make([]value.Value, n), openGen: make([]uint64, n), lets: make([]value.Value, m.lets),
		frames: make([]frame, m.frames), out: make([]value.Value, len(m.rules)), skipped: make([]bool, len(m.rules)),
	}
}

// Map gives the target's fields of a record; keep is false where the filter leaves the record out. A fault of
// CodeMapping names the field that failed and why; one of CodeReference, with For set, says which linked record is
// not there yet. The fields of all records share their names, as far as the same ones are present.
func (w *Worker) Map(rec lockstep.Record, resolve Resolver) (fields value.Fields, keep bool, err error) {
	w.begin(rec, resolve)
	if f := w.m.filter; f != nil {
		if w.unsure != "" {
			return value.Fields{}, false, lockstep.Faultf(lockstep.CodeHidden, "the filter reads %q, which the source could not show", w.unsure).
				On(lockstep.About{Flow: w.m.flow, Key: rec.Key, Field: w.unsure})
		}
		v, err := w.run(f)
		if err == nil && v.Kind() != value.KindBool {
			err = w.wrong(f, fmt.Sprintf("the filter is %s where a truth is needed", a(v)))
		}
		if err != nil {
			return value.Fields{}, false, err.On(lockstep.About{Key: rec.Key})
		}
		if !v.Bool() {
			return value.Fields{}, false, nil
		}
	}
	if err := w.build(); err != nil { // first: where a rule fails, what the record is made from may mend it
		return value.Fields{}, false, err.On(lockstep.About{Key: rec.Key})
	}
	if w.straight {
		return w.m.names.Fields(w.values), true, nil // values are immutable: the record's own serve
	}
	out, anySkipped := w.out, false
	if w.m.flat {
		out = make([]value.Value, len(w.m.rules)) // becomes the result's
	}
	for i := range w.m.rules {
		r := &w.m.rules[i]
		if w.lacking && w.lacks[i] {
			w.skipped[i], anySkipped, out[i] = true, true, value.Null
			continue
		}
		var v value.Value
		switch {
		case r.copy >= 0:
			v = w.load(r.copy)
		case r.HasConst:
			v = r.Const
		default:
			var err *lockstep.Fault
			if v, err = w.run(r); err != nil {
				return value.Fields{}, false, err.On(lockstep.About{Key: rec.Key})
			}
		}
		w.skipped[i] = false
		if w.late {
			w.late, w.skipped[i], anySkipped, out[i] = false, true, true, value.Null
			continue
		}
		if v.IsNull() && r.Null != SendNull {
			w.skipped[i] = r.Null == SkipNull
			anySkipped = anySkipped || w.skipped[i]
			v = r.empty
		}
		out[i] = v
	}
	if w.m.flat && !anySkipped {
		return w.m.names.Fields(out), true, nil
	}
	return w.gather(out), true, nil
}

// begin makes the worker ready for a record.
func (w *Worker) begin(rec lockstep.Record, resolve Resolver) {
	w.resolve, w.steps, w.memory, w.values = resolve, 0, 0, rec.Fields.Values()
	w.refs, w.laters, w.late = w.refs[:0], 0, false
	w.scriptSteps = w.m.steps
	w.gen++
	if names := rec.Fields.Names(); names != w.names || names == nil {
		w.names = names
		for i, name := range w.m.fields {
			w.at[i] = -1
			if names != nil {
				w.at[i] = names.Index(name)
			}
		}
		w.straight = w.m.flat && names != nil && names.Len() == len(w.m.rules)
		for i := range w.m.rules {
			r := &w.m.rules[i]
			w.straight = w.straight && r.copy >= 0 && w.at[r.copy] == i && r.Null == SendNull
		}
		w.look()
	}
}

// look finds out what a record with these names lacks. One without any is that of a delete, and lacks nothing.
func (w *Worker) look() {
	w.lacking, w.unsure = false, ""
	if w.names == nil {
		return
	}
	missing := func(r *rule) string {
		for slot, used := range r.uses {
			if used && w.at[slot] < 0 {
				return w.m.fields[slot]
			}
		}
		return ""
	}
	if w.lacks == nil {
		w.lacks = make([]bool, len(w.m.rules))
	}
	for i := range w.m.rules {
		w.lacks[i] = missing(&w.m.rules[i]) != ""
		w.lacking = w.lacking || w.lacks[i]
	}
	if w.m.filter != nil {
		w.unsure = missing(w.m.filter)
	}
}

// run evaluates a rule; all that goes wrong inside becomes a fault.
func (w *Worker) run(r *rule) (v value.Value, fault *lockstep.Fault) {
	if r.run == nil {
		if r.copy >= 0 {
			return w.load(r.copy), nil
		}
		return r.Const, nil
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			fault = w.wrong(r, p.text)
		case *lockstep.Fault:
			fault = p.On(lockstep.About{Flow: w.m.flow, Field: r.Name})
		default:
			fault = w.wrong(r, fmt.Sprint("internal error: ", p))
		}
		if fault != nil {
			w.stack, w.short = w.stack[:0], false
		}
	}()
	return r.run(w), nil
}

// wrong is a fault of this record alone. It shows the expression, not the values (law 12).
func (w *Worker) wrong(r *rule, text string) *lockstep.Fault {
	expr := strings.TrimSpace(r.Expr)
	if len(expr) > 200 {
		expr = strings.ToValidUTF8(expr[:200], "") + "…"
	}
	err := errors.New(text + "\n | " + strings.ReplaceAll(expr, "\n", "\n | "))
	return lockstep.NewFault(lockstep.CodeMapping, err).On(lockstep.About{Flow: w.m.flow, Field: r.Name})
}

// gather puts the rules' values together.
func (w *Worker) gather(out []value.Value) value.Fields {
	top := w.m.top
	values := make([]value.Value, 0, len(top))
	var absent []bool
	for i := range top {
		o := &top[i]
		var v value.Value
		var present bool
		if o.tree != nil {
			v, present = o.tree.build(out, w.skipped)
		} else {
			v, present = out[o.rule], !w.skipped[o.rule]
		}
		if present {
			values = append(values, v)
			continue
		}
		if absent == nil {
			absent = make([]bool, len(top))
		}
		absent[i] = true
	}
	if absent == nil {
		return w.m.names.Fields(values)
	}
	return w.subset(absent).Fields(values)
}

// maxSubsets bounds how many lists of names are kept.
const maxSubsets = 256

func (w *Worker) subset(absent []bool) *value.Names {
	key := make([]byte, len(absent))
	for i, gone := range absent {
		if gone {
			key[i] = 1
		}
	}
	if n, ok := w.subsets[string(key)]; ok {
		return n
	}
	var list []string
	for i, o := range w.m.top {
		if !absent[i] {
			list = append(list, o.name)
		}
	}
	n := value.NewNames(list...)
	if w.subsets == nil || len(w.subsets) >= maxSubsets {
		w.subsets = map[string]*value.Names{}
	}
	w.subsets[string(key)] = n
	return n
}

func (w *Worker) load(slot int) value.Value {
	if at := w.at[slot]; at >= 0 {
		return w.values[at]
	}
	return value.Null
}

// open is load for somebody who looks inside: JSON text is parsed, once per record.
func (w *Worker) open(slot int) value.Value {
	v := w.load(slot)
	if _, raw := v.RawText(); !raw {
		return v
	}
	if w.openGen[slot] != w.gen {
		if v.Kind() == value.KindObject {
			v = value.Object(v.Object())
		} else {
			v = value.List(v.List()...)
		}
		w.opened[slot], w.openGen[slot] = v, w.gen
	}
	return w.opened[slot]
}

// step counts one turn of a loop or call of a function.
func (w *Worker) step() {
	if w.steps++; w.steps > maxSteps {
		w.fail("the expressions take more than %d steps for this record", maxSteps)
	}
}

// spend counts bytes that an expression makes.
func (w *Worker) spend(n int) {
	if n < 0 || n > maxMemory || w.memory+n > maxMemory {
		w.fail("the expressions make more than %d MB of text and lists for this record", maxMemory>>20)
	}
	w.memory += n
}

// text is a text that was made.
func (w *Worker) text(s string) value.Value {
	w.spend(len(s))
	return value.Text(s)
}

// room refuses to join s to n more bytes before it is done.
func (w *Worker) room(s string, n int) string {
	if len(s)+n > maxMemory {
		w.spend(len(s) + n)
	}
	return s
}
