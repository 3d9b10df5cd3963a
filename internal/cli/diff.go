package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

// mostWide is how much of a value a difference shows.
const mostWide = 60

// showDiff prints the fields in which two images differ, theirs first: what the target has, and what it would get.
func showDiff(w io.Writer, p paint, fields []app.FieldDiff, what string) {
	wide := 0
	for _, f := range fields {
		wide = max(wide, utf8.RuneCountInString(f.Field))
	}
	for _, f := range fields {
		name := f.Field + strings.Repeat(" ", max(0, min(wide, 30)-utf8.RuneCountInString(f.Field)))
		theirs, ours := shorten(f.Theirs, f.Ours)
		switch what {
		case "create", "missing", "wait":
			fmt.Fprintf(w, "      %s  %s\n", p.dim(name), p.good(ours))
		case "delete", "extra":
			fmt.Fprintf(w, "      %s  %s\n", p.dim(name), p.old(theirs))
		default:
			fmt.Fprintf(w, "      %s  %s %s %s\n", p.dim(name), p.old(theirs), p.dim("→"), p.good(ours))
		}
	}
}

// shorten is two JSON values as short texts; of long ones it keeps where they begin to differ.
func shorten(a, b json.RawMessage) (string, string) {
	ta, tb := []rune(valueText(a)), []rune(valueText(b))
	from := 0
	for from < len(ta) && from < len(tb) && ta[from] == tb[from] {
		from++
	}
	from = max(0, from-10)
	cut := func(r []rune) string {
		if len(r) <= mostWide {
			return string(r)
		}
		begin := min(from, len(r)-mostWide/2)
		end := min(len(r), begin+mostWide)
		s := string(r[begin:end])
		if begin > 0 {
			s = "…" + s
		}
		if end < len(r) {
			s += "…"
		}
		return s
	}
	return cut(ta), cut(tb)
}

// valueText is a JSON value on one line; nothing is what is absent.
func valueText(v json.RawMessage) string {
	if len(v) == 0 {
		return "nothing"
	}
	return string(v)
}

// keyText is a key as it is shown, with the target's where that differs.
func keyText(key, target lockstep.Key) string {
	switch {
	case key == "" && target == "":
		return "(no key)"
	case key == "":
		return string(target) + " (in the target)"
	case target != "" && target != key:
		return string(key) + " → " + string(target)
	}
	return string(key)
}

// planItem prints one record of a plan.
func (t *tool) planItem(i app.PlanItem) {
	p := t.outPaint()
	sign, word := "?", i.Action
	switch i.Action {
	case "create":
		sign, word = p.good("+"), p.good(word)
	case "update":
		sign, word = p.warn("~"), p.warn("change")
	case "delete", "disable":
		sign, word = p.old("-"), p.old(word)
	case "park":
		sign, word = p.bad("!"), p.bad("would be parked")
	case "wait":
		sign, word = p.info("…"), p.info("would wait")
	}
	fmt.Fprintf(t.out, "  %s %s  %s\n", sign, p.bold(keyText(i.Key, i.TargetKey)), word)
	showDiff(t.out, p, i.Fields, i.Action)
	showLater(t.out, p, i.Later)
	if i.Fault != nil {
		showFault(t.out, p, i.Fault, "      ")
	}
}

// showLater prints what a record goes without.
func showLater(w io.Writer, p paint, later []app.Ref) {
	const most = 5
	for _, r := range later[:min(len(later), most)] {
		fmt.Fprintf(w, "      %s\n", p.info("later: "+string(r.Key)+" of flow "+r.Flow))
	}
	if n := len(later) - most; n > 0 {
		fmt.Fprintf(w, "      %s\n", p.info(fmt.Sprintf("later: %d more", n)))
	}
}

// showFault prints a fault of a record under it.
func showFault(w io.Writer, p paint, f *app.Fault, by string) {
	in := []string{}
	if f.Field != "" {
		in = append(in, "field "+f.Field)
	}
	if f.In != "" {
		in = append(in, "in "+f.In)
	}
	where := ""
	if len(in) > 0 {
		where = p.dim(" (" + strings.Join(in, ", ") + ")")
	}
	fmt.Fprintf(w, "%s%s %s%s\n", by, p.bad(string(f.Code)), indent(f.Message, by), where)
	if f.Unknown {
		fmt.Fprintf(w, "%s%s\n", by, p.warn("the write may have taken effect all the same"))
	}
	if f.Next != "" {
		fmt.Fprintf(w, "%s%s %s\n", by, p.dim("next:"), f.Next)
	}
}

// limited counts what is shown of each flow, and what is left out.
type limited struct {
	most int // 0 is all
	seen map[string]int
	left map[string]int
	flow string
}

func newLimited(most int) *limited {
	return &limited{most: most, seen: map[string]int{}, left: map[string]int{}}
}

// takes tells whether one more of flow is shown, and whether it is the flow's first.
func (l *limited) takes(flow string) (show, first bool) {
	if l.most > 0 && l.seen[flow] >= l.most {
		l.left[flow]++
		return false, false
	}
	l.seen[flow]++
	first = l.seen[flow] == 1 || l.flow != flow
	l.flow = flow
	return true, first
}

// rest are the flows of which something was left out.
func (l *limited) rest() []string {
	var flows []string
	for f := range l.left {
		flows = append(flows, f)
	}
	slices.Sort(flows)
	return flows
}
