package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// propose makes a flow for each stream, those that others refer to first.
func (plan *initPlan) propose(streams []lockstep.Stream) {
	names := map[string]bool{}
	for _, s := range byDependence(streams) {
		f := config.StarterFlow{
			Name: flowName(s.Name, names), System: plan.from.Name, Stream: s.Name, ToSystem: plan.to.Name, ToStream: s.Name,
			Track: plan.track(s),
		}
		if len(s.Key) == 0 && len(s.Fields) > 0 {
			plan.needKey(s)
		}
		if to := likeStream(plan.to.streams, s.Name); to != nil {
			f.ToStream = to.Name
			plan.mapFields(&f, s, *to)
		} else {
			f.Create = plan.to.creates
			if i := strings.LastIndexByte(f.ToStream, '.'); i >= 0 {
				f.ToStream = f.ToStream[i+1:] // another system has other schemas
			}
			if f.Create {
				f.Comment = "The target has no such stream; `create: true` makes it from the source's fields."
			}
		}
		plan.flows = append(plan.flows, f)
	}
}

var notInName = regexp.MustCompile(`[^a-z0-9_-]+`)

// flowName is a stream's name as a flow's; a schema in front goes.
func flowName(stream string, taken map[string]bool) string {
	if i := strings.LastIndexByte(stream, '.'); i >= 0 {
		stream = stream[i+1:]
	}
	base := strings.Trim(notInName.ReplaceAllString(strings.ToLower(stream), "_"), "_-")
	if base == "" || base[0] >= '0' && base[0] <= '9' {
		base = "flow_" + base
	}
	name := base
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	taken[name] = true
	return name
}

// track is by the most likely "last modified" field, else by comparing everything.
func (plan *initPlan) track(s lockstep.Stream) lockstep.Track {
	if plan.from.changes && len(s.TrackFields) > 0 && slices.Contains(plan.from.spec.Trackers, lockstep.Timestamp) {
		return lockstep.Track{By: lockstep.Timestamp, Field: s.TrackFields[0]}
	}
	return lockstep.Track{By: lockstep.Snapshot}
}

// needKey writes down a key for a stream that declares none: somebody must look at it.
func (plan *initPlan) needKey(s lockstep.Stream) {
	key := s.Fields[0].Name
	for _, f := range s.Fields {
		if n := strings.ToLower(f.Name); n == "id" || n == "sku" || n == "code" {
			key = f.Name
			break
		}
	}
	table, _ := plan.from.Settings["streams"].(map[string]lockstep.Settings)
	if table == nil {
		table = map[string]lockstep.Settings{}
		plan.from.Settings["streams"] = table
	}
	table[s.Name] = lockstep.Settings{"key": []string{key}}
	plan.notes = append(plan.notes, fmt.Sprintf("%s declares no key; %q is a guess: see `streams:` under %s", s.Name, key, plan.from.Name))
}

// likeStream is the stream of that name, whatever its case and schema.
func likeStream(all []lockstep.Stream, name string) *lockstep.Stream {
	for i := range all {
		if plainName(all[i].Name) == plainName(name) && !all[i].ReadOnly {
			return &all[i]
		}
	}
	return nil
}

func plainName(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

var plainField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// mapFields maps like-named fields, unless both sides have the same ones.
func (plan *initPlan) mapFields(f *config.StarterFlow, from, to lockstep.Stream) {
	same, missing := true, []string{}
	for _, field := range to.Fields {
		if field.ReadOnly {
			continue
		}
		i := slices.IndexFunc(from.Fields, func(x lockstep.Field) bool { return plainName(x.Name) == plainName(field.Name) })
		if i < 0 {
			if !field.Nullable && !field.Default {
				missing = append(missing, field.Name)
			}
			continue
		}
		expr := from.Fields[i].Name
		same = same && expr == field.Name
		if !plainField.MatchString(expr) {
			expr = fmt.Sprintf("$env[%q]", expr)
		}
		f.Map = append(f.Map, config.StarterRule{Field: field.Name, Expr: expr})
	}
	if same && len(f.Map) == len(from.Fields) {
		f.Map = nil
	}
	if len(missing) > 0 {
		plan.notes = append(plan.notes, fmt.Sprintf("%s needs %s, for which the source has nothing of that name: add them to `map:`", to.Name, strings.Join(missing, ", ")))
	}
}

// byDependence puts streams behind those that they refer to; rings stay as they are.
func byDependence(streams []lockstep.Stream) []lockstep.Stream {
	var out []lockstep.Stream
	state := map[string]int{}
	byName := map[string]lockstep.Stream{}
	for _, s := range streams {
		byName[s.Name] = s
	}
	var visit func(lockstep.Stream)
	visit = func(s lockstep.Stream) {
		if state[s.Name] > 0 {
			return
		}
		state[s.Name] = 1
		for _, on := range s.DependsOn {
			if d, ok := byName[on]; ok {
				visit(d)
			}
		}
		out = append(out, s)
	}
	for _, s := range streams {
		visit(s)
	}
	return out
}
