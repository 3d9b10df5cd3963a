package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/mapping"
)

// setOf is the set that a flow's links belong to, and the side that it reads. A pair has the set of its flow a, so that
// a flow that becomes one keeps its links.
func setOf(cfg *config.Config, f *config.Flow) (string, lockstep.Side) {
	if p, _, side := cfg.Pair(f.Name); p != nil {
		return p.A, side
	}
	return f.Name, lockstep.A
}

// unpairedNotes names flows that face each other and are no pair.
func unpairedNotes(cfg *config.Config) []string {
	var out []string
	for _, two := range cfg.Unpaired() {
		out = append(out, fmt.Sprintf("the flows %s and %s face each other and are no pair: each takes what the other writes for news, and nobody notices conflicts; "+
			"write `pairs: {NAME: {a: %s, b: %s}}`", two[0].Name, two[1].Name, two[0].Name, two[1].Name))
	}
	return out
}

// tracked is the field by which somebody tracks the stream that a flow writes: the flow face to face. What it counts or
// stamps is that side's own.
func tracked(cfg *config.Config, f *config.Flow) string {
	if _, face, _ := cfg.Pair(f.Name); face != nil {
		return face.From.Track.Field
	}
	return ""
}

// leaves tells whether identity leaves a field of the source out: a number or a mark by which the flow face to face
// tracks the target is not for us to write.
func leaves(cfg *config.Config, f *config.Flow, to *lockstep.Stream, field string) bool {
	if field == "" || field != tracked(cfg, f) || to == nil {
		return false
	}
	_, face, _ := cfg.Pair(f.Name)
	t := to.Field(field)
	return face.From.Track.By != lockstep.Timestamp && t != nil && (t.Nullable || t.Default) && !slices.Contains(to.Key, field)
}

// pair joins the flows of each pair of which both are built.
func (b *builder) pair(flows []*engine.Flow) {
	byName := map[string]*engine.Flow{}
	for _, f := range flows {
		byName[f.Name] = f
	}
	for _, p := range b.cfg.Pairs {
		there, back := byName[p.A], byName[p.B]
		if there == nil || back == nil {
			continue
		}
		policy := conflict.Newest
		switch p.Wins {
		case config.AWins:
			policy = conflict.Wins(lockstep.A)
		case config.BWins:
			policy = conflict.Wins(lockstep.B)
		}
		if err := engine.Pair(there, back, policy); err != nil {
			fault := lockstep.FaultOf(err)
			b.problems = append(b.problems, b.cfg.Problem(fault.Code, p.Pos, "pairs."+p.Name, fault.Err.Error(), ""))
			continue
		}
		b.checkPair(p, there, back)
		b.checkPair(p, back, there)
		b.remarkPair(p, there, back)
	}
}

// matchOf are the fields of a flow's target by which a record is found.
func matchOf(f *engine.Flow) []string {
	if len(f.Match) > 0 || f.To.ServerKeys {
		return f.Match
	}
	return f.To.Key
}

// checkPair reports what cannot work: the two must find the same record by the same fields.
func (b *builder) checkPair(p *config.Pair, f, back *engine.Flow) {
	var made, computed []string
	for _, field := range matchOf(f) {
		if from, ok := f.Mapping.CopyOf(field); ok {
			made = append(made, from)
			if to, copied := back.Mapping.CopyOf(from); slices.Contains(back.Mapping.Writes(), from) && (!copied || to != field) {
				b.say("warning", f.Name, fmt.Sprintf("%s is found by %s, which is %s on the other side, and the flow %s makes something else of %s: on its way there and back a record may become another",
					f.To.Name, field, from, back.Name, from), "Let each flow copy the field by which records are found.")
			}
			continue
		}
		computed = append(computed, field)
	}
	if allowed, all := b.systems[f.SourceSystem].allows(f.From.Name); !all {
		for _, name := range back.Mapping.Writes() { // a pair reads what it writes over
			if !slices.Contains(allowed, name) {
				path := "pairs." + p.Name
				b.problems = append(b.problems, b.cfg.Problem(lockstep.CodeRights, p.Pos, path,
					fmt.Sprintf("the system %s does not `allow` the field %q of %s to be read, which the flow %s writes: a pair looks before it writes", f.SourceSystem, name, f.From.Name, back.Name), ""))
			}
		}
	}
	others := matchOf(back)
	if len(computed) > 0 {
		b.say("warning", f.Name, fmt.Sprintf("the field %s, by which records are found, is computed: nobody can tell whether the flow %s finds the same records", strings.Join(computed, ", "), back.Name),
			"Let each flow copy the field by which records are found.")
		return
	}
	if len(made) == 0 || len(others) == 0 || sameNames(made, others) {
		return
	}
	path := "flows." + back.Name + ".match"
	b.problems = append(b.problems, b.cfg.Problem(lockstep.CodeConfig, b.cfg.At(path), path,
		fmt.Sprintf("the two flows of the pair %s find records by different fields: %s by %s, which is made of %s, and %s by %s", p.Name,
			f.Name, strings.Join(matchOf(f), ", "), strings.Join(made, ", "), back.Name, strings.Join(others, ", ")),
		"write `match: ["+strings.Join(made, ", ")+"]` here"))
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (b *builder) say(level, flow, what, next string) {
	b.notes = append(b.notes, Finding{Level: level, Flow: flow, What: what, Next: next})
}

// remarkPair notes what should be known of a pair.
func (b *builder) remarkPair(p *config.Pair, there, back *engine.Flow) {
	if p.Wins == config.NewestWins {
		for _, f := range []*engine.Flow{there, back} {
			if !b.timed(f) {
				b.say("note", f.Name, fmt.Sprintf("nobody can tell when a record of %s/%s was changed, so side a wins each conflict of the pair %s", f.SourceSystem, f.From.Name, p.Name),
					"Name its \"last modified\" field by `version:` under the system's `streams:`, or say `wins: a` or `wins: b`.")
			}
		}
	}
	for _, other := range b.cfg.Flows {
		for _, f := range []*engine.Flow{there, back} {
			if other.Name != there.Name && other.Name != back.Name && other.To.System == f.TargetSystem && other.To.Stream == f.To.Name {
				b.say("note", other.Name, fmt.Sprintf("it writes %s/%s, too, which the pair %s keeps in step: what it writes counts as an edit there", f.TargetSystem, f.To.Name, p.Name), "")
			}
		}
	}
}

// timed tells whether a flow's source says when a record was changed.
func (b *builder) timed(f *engine.Flow) bool {
	if f.Read.Track.By == lockstep.Timestamp {
		return true
	}
	s := b.cfg.System(f.SourceSystem)
	return s != nil && s.Settings().Table("streams")[f.From.Name].Text("version") != ""
}

// remarkChains notes a flow that writes the field by which another flow tracks what it writes: what is stamped by the
// clock of somebody else may lie before the place that the other has read up to.
func (b *builder) remarkChains(f *config.Flow, m *mapping.Mapping) {
	for _, next := range b.cfg.Flows {
		t := next.From.Track
		if t.Field == "" || next.From.System != f.To.System || next.From.Stream != f.To.Stream || !slices.Contains(m.Writes(), t.Field) {
			continue
		}
		if _, face, _ := b.cfg.Pair(f.Name); face == next && t.By == lockstep.Timestamp {
			continue // its own echo is all that it misses
		}
		b.say("warning", f.Name, fmt.Sprintf("it writes %s, by which the flow %s tracks %s/%s: a change that comes with an older value is seen by the next full sync only", t.Field, next.Name, f.To.System, f.To.Stream),
			"Leave the field out under `map`, and let "+f.To.System+" set it (a default, a trigger).")
	}
}
