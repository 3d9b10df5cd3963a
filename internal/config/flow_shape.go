package config

import (
	"errors"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	"github.com/lockstep-sync/lockstep/value"
)

var trackShape = object[Track]{
	fields: []field[Track]{
		at("by", shape[lockstep.Tracker](trackerShape{}), func(t *Track) *lockstep.Tracker { return &t.By },
			"`timestamp`: rows with a later \"last modified\"; `version`: rows with a higher number; `flag`: rows marked as changed; "+
				"`trigger`: a change table that triggers fill; `log`: the database's own log; `snapshot`: a full read compared with the links; "+
				"`push`: the source sends its records itself (systems of `type: api`)", required),
		at("field", text, func(t *Track) *string { return &t.Field },
			"with timestamp the \"last modified\" field, with version the number, with flag the mark"),
		at("per", choice[per]{perStream, perRecord}, func(t *Track) *per { return (*per)(&t.Per) },
			"with version: `stream` where one counter numbers all changes, `record` where each record counts its own", standard("stream")),
		at("name", text, func(t *Track) *string { return &t.Name },
			"with trigger and log: a name for the change table or slot, where several lockstep installations track one stream; by default lockstep"),
		at("deleted", text, func(t *Track) *string { return &t.Deleted },
			"a field that is true, or not null, on records that count as gone (soft delete)"),
		at("every", lasting(schedule.MinEvery, 366*24*time.Hour), func(t *Track) *time.Duration { return &t.Every },
			"how often to look; by default 10s, with snapshot 5m"),
		at("overlap", lasting(0, 24*time.Hour), func(t *Track) *time.Duration { return &t.Overlap },
			"with timestamp: how far behind its place to read again; by default what the connector thinks right"),
		at("sweep", lasting(time.Second, 366*24*time.Hour), func(t *Track) *time.Duration { return &t.Sweep },
			"how often to compare the keys and versions of all records with the links, for what the tracker does not see (deletes, records that come "+
				"with an old date); only what differs is read whole; absent is never, then the next full sync finds it"),
	},
	also: trackRules(),
	check: func(d *decoder, n *yaml.Node, at path, t *Track) {
		if what := trackedField[t.By]; what != "" && t.Field == "" {
			d.report(n, at, "", "%s by %s needs `field`: %s of the stream", at, t.By, what)
		}
		for _, setting := range trackSettings {
			if n := d.marks[string(at.sub(setting))]; n != nil && t.By != "" && !trackTakes(t.By, setting) {
				d.report(n, at.sub(setting), "", "%s has no use with %s", at.sub(setting), t.By)
			}
		}
		t.PerRecord = t.Per == string(perRecord)
		if n := d.marks[string(at.sub("sweep"))]; n != nil && t.PerRecord {
			d.report(n, at.sub("sweep"), "", "%s has no use with `per: record`: each look compares all versions", at.sub("sweep"))
		}
		if d.marks[string(at.sub("overlap"))] == nil {
			t.Overlap = -1
		}
		if t.Every != 0 {
			return
		}
		switch {
		case t.Whole():
			t.Every = 5 * time.Minute
		case t.By == lockstep.Trigger || t.By == lockstep.Log:
			t.Every = time.Second
		default:
			t.Every = 10 * time.Second
		}
	},
}

// per says what a version counts.
type per string

const (
	perStream per = "stream"
	perRecord per = "record"
)

// trackedField says what `field` is, for the trackers that need one.
var trackedField = map[lockstep.Tracker]string{
	lockstep.Timestamp: `the "last modified" field`, lockstep.Version: "the number", lockstep.Flag: "the mark",
}

// trackSettings are those that not every tracker takes.
var trackSettings = []string{"field", "per", "name", "overlap", "sweep"}

// trackTakes tells whether a setting means something to a tracker. What a connector adds takes any.
func trackTakes(by lockstep.Tracker, setting string) bool {
	if by == lockstep.Push {
		return false
	}
	switch setting {
	case "field":
		return by != lockstep.Snapshot && by != lockstep.Trigger && by != lockstep.Log
	case "per":
		return by == lockstep.Version
	case "name":
		return by == lockstep.Trigger || by == lockstep.Log
	case "sweep": // these see all there is
		return by != lockstep.Snapshot && by != lockstep.Log && by != lockstep.Push
	case "overlap":
		return by != lockstep.Snapshot && by != lockstep.Trigger && by != lockstep.Log && by != lockstep.Flag
	}
	return true
}

// trackRules says the same to the JSON schema.
func trackRules() map[string]any {
	var all []any
	for _, by := range houseTrackers {
		if rule := trackRule(by); rule != nil {
			all = append(all, whenThen("by", by, rule, map[string]any{}))
		}
	}
	return map[string]any{"allOf": all}
}

func trackRule(by lockstep.Tracker) map[string]any {
	rule, none := map[string]any{}, map[string]any{}
	if trackedField[by] != "" {
		rule = needs("field")
	}
	for _, setting := range trackSettings {
		if !trackTakes(by, setting) {
			none[setting] = false
		}
	}
	if len(none) > 0 {
		rule["properties"] = none
	}
	return rule
}

// houseTrackers are those that the house knows.
var houseTrackers = choice[lockstep.Tracker]{
	lockstep.Timestamp, lockstep.Version, lockstep.Flag, lockstep.Trigger, lockstep.Log, lockstep.Snapshot, lockstep.Push,
}

// trackerShape is a tracker that some connector offers; whether it is the right one is checked against the system.
type trackerShape struct{}

func (trackerShape) absent(*decoder) lockstep.Tracker { return "" }

func (trackerShape) describe() *doc { return trackers(nil).describe() }

func (trackerShape) decode(d *decoder, n *yaml.Node, at path) (lockstep.Tracker, bool) {
	return trackers(d.specs).decode(d, n, at)
}

// trackers are those of the house, and those that a connector adds.
func trackers(connectors []lockstep.Connector) choice[lockstep.Tracker] {
	all := slices.Clone(houseTrackers)
	for _, c := range connectors {
		for _, t := range c.Spec().Trackers {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

var fromShape = object[From]{fields: []field[From]{
	at("system", text, func(f *From) *string { return &f.System }, "the system that is read", required),
	at("stream", text, func(f *From) *string { return &f.Stream }, "its stream: a table, a file, a class", required),
	at("track", trackShape, func(f *From) *Track { return &f.Track }, "how changes are found", required),
}}

var toShape = object[To]{
	fields: []field[To]{
		at("system", text, func(t *To) *string { return &t.System }, "the system that is written", required),
		at("stream", text, func(t *To) *string { return &t.Stream }, "its stream", required),
		at("create", boolean, func(t *To) *bool { return &t.Create }, "make the stream where it is not there", standard("false")),
		at("on_delete", choice[OnDelete]{DeleteIt, DisableIt, IgnoreIt}, func(t *To) *OnDelete { return &t.OnDelete },
			"what becomes of the target's record when the source's is gone", standard("delete")),
		at("disable", shape[[]Const](constsShape{}), func(t *To) *[]Const { return &t.Disable },
			"with `on_delete: disable`: the fields that a disabled record gets, with their values"),
		at("on_target_edit", choice[OnTargetEdit]{OverwriteEdit, KeepEdit, ParkEdit}, func(t *To) *OnTargetEdit { return &t.OnTargetEdit },
			"what verify's repair and a deep full sync do with a record that was edited in the target; a one-way flow does not notice such edits by itself",
			standard("overwrite")),
	},
	also: whenThen("on_delete", DisableIt, needs("disable"), map[string]any{"properties": map[string]any{"disable": false}}),
	check: func(d *decoder, n *yaml.Node, at path, t *To) {
		switch {
		case t.OnDelete == DisableIt && len(t.Disable) == 0:
			d.report(n, at, "", "%s with `on_delete: disable` needs `disable`: the fields that a disabled record gets, such as `disable: {active: false}`", at)
		case t.OnDelete != DisableIt && t.Disable != nil:
			d.report(d.marks[string(at.sub("disable"))], at.sub("disable"), "write `on_delete: disable`", "%s has no use with `on_delete: %s`", at.sub("disable"), t.OnDelete)
		}
	},
}

// fullPlan is `full:` as it stands; the schedule needs the zone of the flow.
type fullPlan struct {
	cron    string
	every   time.Duration
	zone    *time.Location
	atStart bool
}

var fullShape = optional[fullPlan]{object[fullPlan]{
	fields: []field[fullPlan]{
		at("cron", text, func(f *fullPlan) *string { return &f.cron }, "when, as a cron expression: minute hour day month weekday"),
		at("every", lasting(time.Second, 366*24*time.Hour), func(f *fullPlan) *time.Duration { return &f.every }, "or how often"),
		at("zone", zone, func(f *fullPlan) **time.Location { return &f.zone }, "the time zone of `cron`; by default the flow's"),
		at("at_start", boolean, func(f *fullPlan) *bool { return &f.atStart }, "also whenever `lockstep run` starts", standard("false")),
	},
	also: map[string]any{
		"not": needs("cron", "every"),
		"anyOf": []any{needs("cron"), needs("every"),
			map[string]any{"required": []string{"at_start"}, "properties": map[string]any{"at_start": map[string]any{"const": true}}}},
	},
	check: func(d *decoder, n *yaml.Node, at path, f *fullPlan) {
		switch {
		case f.cron != "" && f.every != 0:
			d.report(n, at, "", "%s takes `cron` or `every`, not both", at)
		case f.cron == "" && f.every == 0 && !f.atStart:
			d.report(n, at, "", "%s needs `cron`, `every` or `at_start: true`", at)
		}
	},
}}

var priorityShape = object[Priority]{fields: []field[Priority]{
	at("create", priority, func(p *Priority) *lockstep.Priority { return &p.Create }, "of records that are new to the target", standard("normal")),
	at("update", priority, func(p *Priority) *lockstep.Priority { return &p.Update }, "of records that changed", standard("normal")),
	at("delete", priority, func(p *Priority) *lockstep.Priority { return &p.Delete }, "of records that are gone", standard("normal")),
}}

var retryShape = object[Retry]{
	fields: []field[Retry]{
		at("attempts", within(1, 1000), func(r *Retry) *int { return &r.Attempts }, "how often a record is tried before it is parked", standard("8")),
		at("from", lasting(time.Millisecond, 24*time.Hour), func(r *Retry) *time.Duration { return &r.From }, "the wait after the first failure", standard("1s")),
		at("to", lasting(time.Millisecond, 7*24*time.Hour), func(r *Retry) *time.Duration { return &r.To }, "the longest wait", standard("10m")),
	},
	check: func(d *decoder, n *yaml.Node, at path, r *Retry) {
		if r.From > r.To {
			d.report(n, at, "", "%s: `from` is longer than `to`", at)
		}
	},
}

var deliverShape = object[Deliver]{fields: []field[Deliver]{
	at("batch", within(1, 100_000), func(v *Deliver) *int { return &v.Batch }, "most records in one write", standard("500")),
	at("concurrency", within(1, 256), func(v *Deliver) *int { return &v.Concurrency }, "most writes at the same time", standard("2")),
	at("rate", rate, func(v *Deliver) *Rate { return &v.Rate }, "most records written; absent is no limit"),
	at("retry", retryShape, func(v *Deliver) *Retry { return &v.Retry }, "how failed deliveries are tried again"),
	at("transfer", choice[Transfer]{AutoTransfer, SingleTransfer, BulkTransfer}, func(v *Deliver) *Transfer { return &v.Transfer },
		"`single` sends records one by one and waits for each; `bulk` sends many together, which the target accepts and does later; `auto` leaves that to the connector", standard("auto")),
}}

var deletesShape = object[Brake]{fields: []field[Brake]{
	at("max_share", percent, func(b *Brake) *float64 { return &b.MaxShare }, "most of the flow's records", standard("10%")),
	at("max", within(0, 1<<31-1), func(b *Brake) *int { return &b.Max }, "most in number", standard("1000")),
}}

var pagesShape = object[lockstep.Limit]{fields: []field[lockstep.Limit]{
	at("rows", within(1, 1_000_000), func(l *lockstep.Limit) *int { return &l.Rows }, "most rows", standard("2000")),
	at("bytes", upTo(1<<10, 1<<30), func(l *lockstep.Limit) *int { return &l.Bytes }, "most bytes", standard("4MiB")),
}}

// flowPlan is a flow as it stands; plan makes the Flow.
type flowPlan struct {
	Flow
	full   *fullPlan
	window []string
}

var flowShape = object[flowPlan]{
	fields: []field[flowPlan]{
		at("from", fromShape, func(f *flowPlan) *From { return &f.From }, "what is read", required),
		at("to", toShape, func(f *flowPlan) *To { return &f.To }, "what is written", required),
		at("match", list[string]{item: text, lone: true}, func(f *flowPlan) *[]string { return &f.Match },
			"the fields of the target by which a record is found before it is linked, and after an unknown outcome; by default the target's key fields"),
		at("full", fullShape, func(f *flowPlan) **fullPlan { return &f.full },
			"when full syncs run by themselves; one that was missed runs once at start-up; absent is on request only"),
		at("zone", zone, func(f *flowPlan) **time.Location { return &f.Zone }, "the time zone of `full` and `window`; by default the file's"),
		at("window", list[string]{item: text, lone: true, max: 50}, func(f *flowPlan) *[]string { return &f.window },
			"when the flow may deliver: `06:00-23:00`, `Mon-Fri 08:00-18:00`, over midnight `22:00-04:00`, or a list of them; absent is always"),
		at("priority", priorityShape, func(f *flowPlan) *Priority { return &f.Priority }, "what goes first; low is late, never starved"),
		at("where", shape[*Expr](exprShape{}), func(f *flowPlan) **Expr { return &f.Where },
			"an expression over the source's record: only where it is true, the record belongs to the flow; one that leaves counts as deleted"),
		at("map", shape[[]Rule](rulesShape{}), func(f *flowPlan) *[]Rule { return &f.Map },
			"what each field of the target gets; absent: every field as it is"),
		at("built_from", shape[[]BuiltFrom](builtShape{}), func(f *flowPlan) *[]BuiltFrom { return &f.BuiltFrom },
			"by flow: which records of that flow's source a record is made from, beside `link()`: an expression for a key, a list of keys, or null; "+
				"when one of those changes, this one is looked at again"),
		at("nulls", nullPolicy, func(f *flowPlan) *NullPolicy { return &f.Nulls },
			"what a null does: `send` writes it, `skip` leaves the target's field as it is, `clear` empties it (a text becomes '', a list [])", standard("send")),
		at("values", shape[[]ValueMap](valuesShape{}), func(f *flowPlan) *[]ValueMap { return &f.Values },
			"value maps, by name, for use in expressions: written here, or `{csv: file, key: column, value: column}`"),
		at("script", shape[*Script](scriptShape{}), func(f *flowPlan) **Script { return &f.Script },
			"functions in Starlark that the expressions may call, for what an expression cannot say: written here, or `{file: transform.star}`"),
		at("ignore", list[string]{item: text}, func(f *flowPlan) *[]string { return &f.Ignore },
			"fields of the target that are written but whose differences do not count"),
		at("tolerance", shape[map[string]value.Decimal](tolerancesShape{}), func(f *flowPlan) *map[string]value.Decimal { return &f.Tolerance },
			"by number field of the target: differences up to this do not count"),
		at("deliver", deliverShape, func(f *flowPlan) *Deliver { return &f.Deliver }, "how the flow writes"),
		at("deletes", deletesShape, func(f *flowPlan) *Brake { return &f.Deletes }, "a full sync that would delete more stops and asks"),
		at("drift", choice[Drift]{WarnDrift, HoldDrift, MapDrift, StopDrift}, func(f *flowPlan) *Drift { return &f.Drift },
			"what a changed schema does (a field of either side added, dropped or of another type): `warn` says so and goes on with what still works; "+
				"`hold` captures and delivers nothing until `lockstep resume FLOW` accepts it; `map`, for a flow without `map`, takes up new fields by itself; "+
				"`stop` does nothing at all until then", standard("warn")),
		at("pages", pagesShape, func(f *flowPlan) *lockstep.Limit { return &f.Pages }, "how much is read at once"),
		at("hook", shape[*Hook](hookShape), func(f *flowPlan) **Hook { return &f.Hook },
			"takes signed notices at `POST /hooks/FLOW`, beside the tracker; needs `api`"),
	},
}

var nullPolicy = choice[NullPolicy]{SendNull, SkipNull, ClearNull}

// flowsShape is the table of flows.
type flowsShape struct{}

func (flowsShape) absent(*decoder) []*Flow { return nil }

func (flowsShape) table() table[flowPlan] {
	return table[flowPlan]{what: "a flow", check: checkName, item: flowShape}
}

func (s flowsShape) describe() *doc { return s.table().describe() }

func (s flowsShape) decode(d *decoder, n *yaml.Node, at path) ([]*Flow, bool) {
	members, ok := s.table().decode(d, n, at)
	flows := make([]*Flow, 0, len(members))
	for _, m := range members {
		f := m.v.Flow
		f.Name, f.Pos = m.name, d.pos(m.key)
		for i := range f.Map {
			if f.Map[i].Null == "" {
				f.Map[i].Null = f.Nulls
			}
		}
		d.plans[&f] = m.v
		flows = append(flows, &f)
	}
	return flows, ok
}

// times makes the schedule and the window, in the zone that is nearest.
func (d *decoder) times(c *Config, f *Flow, plan flowPlan) {
	at := path("flows").sub(f.Name)
	if f.Zone == nil {
		f.Zone = c.Zone
	}
	if f.Zone == nil { // reported already
		return
	}
	if plan.full != nil {
		f.Full = &Full{AtStart: plan.full.atStart}
		var err error
		switch in := plan.full.zone; {
		case plan.full.cron != "":
			if in == nil {
				in = f.Zone
			}
			f.Full.Schedule, err = parseCron(plan.full.cron, in)
		case plan.full.every != 0:
			f.Full.Schedule = schedule.Every(plan.full.every)
		}
		d.reportTime(err, at.sub("full").sub("cron"))
	}
	var err error
	f.Window, err = schedule.ParseWindow(plan.window, f.Zone)
	d.reportTime(err, at.sub("window"))
}

func parseCron(text string, zone *time.Location) (schedule.Schedule, error) {
	c, err := schedule.ParseCron(text, zone)
	if err != nil {
		return nil, err // not a nil *Cron in an interface
	}
	return c, nil
}

var errTime = errors.New("what stands there is not right")

// reportTime reports an error of a cron expression or window, without its words where they may come from a variable.
func (d *decoder) reportTime(err error, at path) {
	n := d.marks[string(at)]
	if err == nil || n == nil {
		return
	}
	if hasVariable(n) {
		err = errTime
	}
	d.report(n, at, "", "%s: %s", at, err)
}
