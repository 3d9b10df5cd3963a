package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/mapping"
)

// builder makes flows of a configuration and open systems. It goes on behind a problem, so that all come at once.
type builder struct {
	cfg      *config.Config
	systems  systems
	problems []config.Problem
	notes    []Finding           // what is no mistake, but should be known
	missing  map[stream]*created // target streams that are to be created
	links    map[string][]string
	drift
}

// stream names a stream of a system.
type stream struct{ system, name string }

// created is a target stream that is not there yet: as the mappings of its flows would have it.
type created struct{ lockstep.Stream }

// build makes the flows. Where there are problems it makes none; the error holds *config.Errors.
func (b *builder) build(flows []*config.Flow) ([]*engine.Flow, error) {
	b.missing, b.links = map[stream]*created{}, map[string][]string{}
	b.drift = newDrift(b.accepted)
	var out []*engine.Flow
	b.deriveAll(flows)
	for _, f := range flows {
		b.compare(f, b.systems[f.From.System].stream(f.From.Stream), b.targetStream(f))
		before := len(b.problems)
		flow := b.flow(f)
		switch {
		case flow != nil:
			out = append(out, flow)
		case len(b.changes[f.Name]) > 0:
			b.cannot(f, b.problems[before:])
			b.problems = b.problems[:before:before]
		}
	}
	out = b.pairs(out)
	for _, note := range unpairedNotes(b.cfg) {
		b.notes = append(b.notes, Finding{Level: "warning", What: note})
	}
	for _, note := range cycles(b.cfg, b.links) {
		b.notes = append(b.notes, Finding{Level: "warning", What: note, Next: "Leave one of the references out, or see that it can be empty."})
	}
	return out, b.cfg.Fault(b.problems)
}

// report adds a problem at a setting of a flow.
func (b *builder) report(f *config.Flow, setting string, code lockstep.Code, hint, format string, args ...any) {
	path := "flows." + f.Name
	if setting != "" {
		path += "." + setting
	}
	b.problems = append(b.problems, b.cfg.Problem(code, b.cfg.At(path), path, fmt.Sprintf(format, args...), hint))
}

// transfer is how the flow's writes go over.
func (b *builder) transfer(f *config.Flow, to lockstep.Stream) lockstep.Transfer {
	switch f.Deliver.Transfer {
	case config.SingleTransfer:
		return lockstep.SingleTransfer
	case config.BulkTransfer:
		if !to.Bulk {
			b.report(f, "deliver.transfer", lockstep.CodeCannot, "leave it out, or say `auto`", "%s of %s takes no writes in bulk", to.Name, f.To.System)
		}
		return lockstep.BulkTransfer
	}
	return lockstep.AutoTransfer
}

// flow makes one flow, or reports why it cannot; nil where something is wrong.
func (b *builder) flow(f *config.Flow) *engine.Flow {
	before := len(b.problems)
	from := b.source(f)
	to := b.target(f)
	if from == nil || to == nil {
		return nil
	}
	m := b.mapping(f, *from, to)
	if m == nil {
		return nil
	}
	if to.ServerKeys && containsAll(m.Writes(), to.Key) { // the target could choose the key; this mapping does
		own := *to
		own.ServerKeys = false
		to = &own
	}
	out := &engine.Flow{
		FlowDef:      defOf(b.cfg, f),
		SourceSystem: f.From.System,
		TargetSystem: f.To.System,
		From:         *from,
		To:           *to,
		Mapping:      m,
		Written:      written(f),
		OnDelete:     engine.OnDelete(f.To.OnDelete),
		OnTargetEdit: engine.OnTargetEdit(f.To.OnTargetEdit),
		Deletes:      engine.Brake{Share: f.Deletes.MaxShare, Max: int64(f.Deletes.Max)},
		Batch:        f.Deliver.Batch,
		Transfer:     b.transfer(f, *to),
		Concurrency:  f.Deliver.Concurrency,
		Retry:        engine.Retry{Attempts: f.Deliver.Retry.Attempts, From: f.Deliver.Retry.From, To: f.Deliver.Retry.To},
		Page:         b.cfg.Page(f),
		Every:        f.From.Track.Every,
		Full:         fullOf(f),
		Light:        lightOf(f),
		FullNow:      f.Full != nil && f.Full.AtStart,
		Window:       f.Window,
	}
	out.Source, _ = b.systems[f.From.System].guard.Source()
	out.Target, _ = b.systems[f.To.System].guard.Target()
	if b.missing[stream{f.To.System, f.To.Stream}] != nil {
		out.Target = absent{}
	}
	if b.missing[stream{f.From.System, f.From.Stream}] != nil {
		out.Source = absent{}
	}
	if per := f.Deliver.Rate.PerSecond(); per > 0 {
		out.Rate = rate.NewLimiter(rate.Limit(per), max(1, f.Deliver.Batch))
	}
	out.Read = readOf(f, *from, m)
	out.Shape, out.Compare = b.shape(f, *to, m)
	out.Match = b.match(f, *to, m)
	out.Disable = b.disable(f, *to)
	b.remark(f, *to, m)
	b.remarkChains(f, m)
	if len(b.problems) > before {
		return nil
	}
	return out
}

// defOf is what the store knows of a flow. It needs no system.
func defOf(cfg *config.Config, f *config.Flow) lockstep.FlowDef {
	set, side := setOf(cfg, f)
	return lockstep.FlowDef{
		Name: f.Name, Feed: feedOf(f), Set: set, Side: side,
		Create: f.Priority.Create, Update: f.Priority.Update, Delete: f.Priority.Delete,
	}
}

// feedOf names the feed that a flow reads, "" where all records are compared. Flows share a feed if they track the same stream in the
// same way; the store keeps its checkpoint under this name.
func feedOf(f *config.Flow) string {
	t := f.From.Track
	if t.Whole() {
		return ""
	}
	name := f.From.System + "/" + f.From.Stream + "/" + string(t.By)
	if t.Field != "" {
		name += ":" + t.Field
	}
	if t.Deleted != "" {
		name += ",deleted:" + t.Deleted
	}
	if t.Name != "" {
		name += ",name:" + t.Name
	}
	if t.Overlap >= 0 {
		name += ",overlap:" + t.Overlap.String()
	}
	return name
}

// source finds the stream that a flow reads, and checks it.
func (b *builder) source(f *config.Flow) *lockstep.Stream {
	sys := b.systems[f.From.System]
	src, ok := sys.guard.Source()
	if !ok {
		b.report(f, "from.system", lockstep.CodeCannot, "", "the system %s cannot be read", f.From.System)
		return nil
	}
	s := b.sourceStream(f)
	if s == nil {
		hint := hintOf(f.From.Stream, streamNames(sys))
		b.report(f, "from.stream", lockstep.CodeNoStream, hint, "the system %s has no stream %q", f.From.System, f.From.Stream)
		return nil
	}
	if len(s.Key) == 0 {
		b.report(f, "from.stream", lockstep.CodeNoKey, "", "the stream %s of %s has no key", s.Name, f.From.System)
	}
	s = b.known(f, s, fromSide)
	t := f.From.Track
	if _, ok := src.(lockstep.Source); !ok && !t.Whole() {
		b.report(f, "from.track.by", lockstep.CodeCannot, "write `by: snapshot`", "the system %s cannot tell what changed", f.From.System)
	}
	for setting, name := range map[string]string{"from.track.field": t.Field, "from.track.deleted": t.Deleted} {
		if name != "" && len(s.Fields) > 0 && s.Field(name) == nil {
			b.report(f, setting, lockstep.CodeNoField, hintOf(name, fieldNames(s.Fields)), "the stream %s of %s has no field %q", s.Name, f.From.System, name)
		}
	}
	return s
}

// target finds the stream that a flow writes, and checks it. One that is to be created is as it will be.
func (b *builder) target(f *config.Flow) *lockstep.Stream {
	sys := b.systems[f.To.System]
	if _, ok := sys.guard.Target(); !ok {
		b.report(f, "to.system", lockstep.CodeCannot, "", "the system %s cannot be written", f.To.System)
		return nil
	}
	s := b.targetStream(f)
	switch {
	case s == nil && b.wasThere(f):
		b.report(f, "to.stream", lockstep.CodeNoStream, "make it again, then run `lockstep sync "+f.Name+" --deep`", "the stream %s of %s is gone", f.To.Stream, f.To.System)
		return nil
	case s == nil && f.To.Create:
		return nil // derive said why
	case s == nil:
		hint := hintOf(f.To.Stream, streamNames(sys))
		if _, ok := sys.sys.(lockstep.Creator); ok {
			hint = strings.TrimPrefix(hint+"; `create: true` makes it", "; ")
		}
		b.report(f, "to.stream", lockstep.CodeNoStream, hint, "the system %s has no stream %q", f.To.System, f.To.Stream)
		return nil
	case s.ReadOnly:
		b.report(f, "to.stream", lockstep.CodeCannot, "", "the stream %s of %s cannot be written", s.Name, f.To.System)
	case len(s.Key) == 0:
		b.report(f, "to.stream", lockstep.CodeNoKey, "", "the stream %s of %s has no key", s.Name, f.To.System)
	}
	return b.known(f, s, toSide)
}

// targetStream is what a flow writes, as it is or will be; nil where it is not there.
func (b *builder) targetStream(f *config.Flow) *lockstep.Stream {
	if c := b.missing[stream{f.To.System, f.To.Stream}]; c != nil {
		return &c.Stream
	}
	return b.systems[f.To.System].stream(f.To.Stream)
}

// mapping compiles a flow's mapping. to nil: it is not known yet.
func (b *builder) mapping(f *config.Flow, from lockstep.Stream, to *lockstep.Stream) *mapping.Mapping {
	allowed, all := b.systems[f.From.System].allows(from.Name)
	source := from
	if !all && f.Identity() { // every field that may leave
		source.Fields = slices.DeleteFunc(slices.Clone(from.Fields), func(fd lockstep.Field) bool { return !slices.Contains(allowed, fd.Name) })
	}
	if f.Identity() {
		source.Fields = slices.DeleteFunc(slices.Clone(source.Fields), func(fd lockstep.Field) bool { return leaves(b.cfg, f, to, fd.Name) })
	}
	m, err := mapping.Compile(withIdentityNulls(f, specOf(f, source, to)))
	if err != nil {
		b.problems = append(b.problems, mappingProblems(b.cfg, f, err)...)
		return nil
	}
	if to == nil {
		return m
	}
	b.links[f.Name] = m.Waits()
	b.problems = append(b.problems, linkProblems(b.cfg, f, m)...)
	for _, name := range m.Reads() {
		if !all && !slices.Contains(allowed, name) {
			path, at := readPlace(b.cfg, f, name)
			text := fmt.Sprintf("the system %s does not `allow` the field %q of %s to be read", f.From.System, name, from.Name)
			b.problems = append(b.problems, b.cfg.Problem(lockstep.CodeRights, at, path, text, ""))
		}
	}
	return m
}

// readPlace is where a flow's mapping reads a field.
func readPlace(cfg *config.Config, f *config.Flow, name string) (path string, at config.Pos) {
	path = "flows." + f.Name + ".map"
	reads := func(e *config.Expr) bool {
		return e != nil && (strings.TrimSpace(e.Text) == name || slices.Contains(word.FindAllString(e.Text, -1), name))
	}
	for _, r := range f.Map {
		if reads(r.Expr) {
			return path + "." + r.Target, r.Expr.Pos
		}
	}
	if reads(f.Where) {
		return "flows." + f.Name + ".where", f.Where.Pos
	}
	for _, from := range f.BuiltFrom {
		if reads(from.Expr) {
			return "flows." + f.Name + ".built_from." + from.Flow, from.Expr.Pos
		}
	}
	return path, cfg.At(path)
}

// readOf is how a flow reads its source: what the mapping needs, the key, and the tracker's fields.
func readOf(f *config.Flow, from lockstep.Stream, m *mapping.Mapping) lockstep.Read {
	track := f.From.Track.Track
	want := append(m.Reads(), from.Key...)
	want = append(want, track.Field, track.Deleted)
	fields := make([]string, 0, len(want))
	for _, fd := range from.Fields {
		if slices.Contains(want, fd.Name) {
			fields = append(fields, fd.Name)
		}
	}
	return lockstep.Read{Stream: from.Name, Fields: fields, Track: track}
}

func containsAll(names, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(names, s) })
}

func streamNames(s *system) []string {
	names := make([]string, len(s.streams))
	for i, st := range s.streams {
		names[i] = st.Name
	}
	return names
}

func fieldNames(fields []lockstep.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// hintOf names what may be meant, or all there is where that is little.
func hintOf(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return near
	}
	if len(names) == 0 || len(names) > 12 {
		return ""
	}
	return "there is " + strings.Join(names, ", ")
}

// create makes the missing streams, and lists those systems again. dry: it only says how.
func (b *builder) create(ctx context.Context, dry bool) (scripts []string, err error) {
	touched := map[string]bool{}
	for _, at := range b.inOrder() {
		creator := b.systems[at.system].sys.(lockstep.Creator) // derive asked
		script, err := creator.Create(ctx, b.missing[at].Stream, dry)
		if err != nil {
			return scripts, lockstep.FaultOf(fmt.Errorf("create: %w", err)).On(lockstep.About{System: at.system, Stream: at.name})
		}
		scripts = append(scripts, script)
		touched[at.system] = !dry
	}
	for name, changed := range touched {
		if changed {
			if err := b.systems[name].list(ctx); err != nil {
				return scripts, err
			}
		}
	}
	return scripts, nil
}
