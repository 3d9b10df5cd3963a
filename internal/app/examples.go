package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// Tested is what became of one example of a mapping (`lockstep test`).
type Tested struct {
	Name    string      `json:"name,omitempty"`
	Flow    string      `json:"flow"`
	Pos     config.Pos  `json:"at"`
	OK      bool        `json:"ok"`
	Message string      `json:"message,omitempty"` // why not, where it is not a matter of fields
	Fields  []FieldDiff `json:"fields,omitempty"`  // ours: what the mapping gives; theirs: what the example expects
}

// Test runs files of examples through the mappings. connect: the systems are asked for the types of both sides;
// without it every field is taken as it is written. It opens no store.
func Test(ctx context.Context, cfg *config.Config, files []string, connect bool) (tested []Tested, err error) {
	examples, err := readExamples(cfg, files)
	if err != nil {
		return nil, err
	}
	both := sides(sidesOf)
	if connect {
		open := systems{}
		defer func() { err = errors.Join(err, open.close()) }()
		if both, err = typedSides(ctx, cfg, open, examples); err != nil {
			return nil, err
		}
	}
	byFlow := map[string]*example{}
	var problems []config.Problem
	for _, f := range cfg.Flows {
		some := ofFlow(examples, f.Name)
		if len(some) == 0 {
			continue
		}
		from, to := both(f, some)
		one, err := compileExample(f, from, to)
		if err != nil {
			problems = append(problems, mappingProblems(cfg, f, err)...)
			continue
		}
		byFlow[f.Name] = one
	}
	if err := cfg.Fault(problems); err != nil {
		return nil, err
	}
	for _, ex := range examples {
		one := byFlow[ex.Flow]
		tested = append(tested, testedOf(one.m.Check(ex, one.source, one.target)))
	}
	return tested, nil
}

// readExamples reads all files; an example that names no flow belongs to the only one.
func readExamples(cfg *config.Config, files []string) ([]mapping.Fixture, error) {
	var out []mapping.Fixture
	var errs []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, lockstep.NewFault(lockstep.CodeFile, err))
			continue
		}
		some, err := mapping.ParseFixtures(file, data)
		if err != nil {
			errs = append(errs, err)
		}
		for _, ex := range some {
			if ex.Flow == "" && len(cfg.Flows) == 1 {
				ex.Flow = cfg.Flows[0].Name
			}
			if cfg.Flow(ex.Flow) == nil {
				errs = append(errs, noFlowOf(cfg, ex))
				continue
			}
			out = append(out, ex)
		}
	}
	return out, errors.Join(errs...)
}

func noFlowOf(cfg *config.Config, ex mapping.Fixture) error {
	if ex.Flow == "" {
		return lockstep.Faultf(lockstep.CodeNoFlow, "%s: the example %q names no flow", ex.Pos, ex.Name)
	}
	text := fmt.Sprintf("%s: the example %q names the flow %q, which is not there", ex.Pos, ex.Name, ex.Flow)
	if hint := hintOf(ex.Flow, flowNames(cfg)); hint != "" {
		text += "; " + hint
	}
	return lockstep.NewFault(lockstep.CodeNoFlow, errors.New(text))
}

func ofFlow(examples []mapping.Fixture, flow string) []mapping.Fixture {
	return slices.DeleteFunc(slices.Clone(examples), func(ex mapping.Fixture) bool { return ex.Flow != flow })
}

// example is a flow's mapping with both sides' types.
type example struct {
	m              *mapping.Mapping
	source, target *image.Shape
}

func compileExample(f *config.Flow, from lockstep.Stream, to *lockstep.Stream) (*example, error) {
	m, err := mapping.Compile(withIdentityNulls(f, specOf(f, from, to)))
	if err != nil {
		return nil, err
	}
	out := &example{m: m}
	if out.source, err = image.New(from, fieldNames(from.Fields), image.Options{}); err != nil {
		return nil, err
	}
	target := lockstep.Stream{Name: f.To.Stream}
	if to != nil {
		target = *to
	}
	opt := image.Options{Tolerance: map[string]value.Decimal{}}
	for _, name := range f.Ignore {
		if slices.Contains(m.Writes(), name) {
			opt.Ignore = append(opt.Ignore, name)
		}
	}
	for name, by := range f.Tolerance {
		if slices.Contains(m.Writes(), name) {
			opt.Tolerance[name] = by
		}
	}
	out.target, err = image.New(target, m.Writes(), opt)
	return out, err
}

// sides are both streams of a flow.
type sides func(*config.Flow, []mapping.Fixture) (from lockstep.Stream, to *lockstep.Stream)

// sidesOf are both streams of a flow without asking anybody: whatever its expressions and examples name, of any type.
func sidesOf(f *config.Flow, examples []mapping.Fixture) (from lockstep.Stream, to *lockstep.Stream) {
	from = lockstep.Stream{Name: f.From.Stream}
	if !f.Identity() {
		from = guessed(f).Source
	}
	for _, ex := range examples {
		for name := range ex.Input.All() {
			if from.Field(name) == nil {
				from.Fields = append(from.Fields, lockstep.Field{Name: name, Nullable: true})
			}
		}
	}
	return from, nil
}

// typedSides are both streams of a flow as their systems describe them; a target that is to be created, as it will be.
func typedSides(ctx context.Context, cfg *config.Config, open systems, examples []mapping.Fixture) (sides, error) {
	flows := slices.DeleteFunc(slices.Clone(cfg.Flows), func(f *config.Flow) bool { return len(ofFlow(examples, f.Name)) == 0 })
	if err := joined(open.open(ctx, cfg, usedBy(cfg, flows)), cfg); err != nil {
		return nil, err
	}
	b := &builder{cfg: cfg, systems: open}
	if _, err := b.build(flows); err != nil {
		return nil, err
	}
	return func(f *config.Flow, _ []mapping.Fixture) (lockstep.Stream, *lockstep.Stream) {
		to := open[f.To.System].stream(f.To.Stream)
		if c := b.missing[stream{f.To.System, f.To.Stream}]; c != nil {
			to = &c.Stream
		}
		return *open[f.From.System].stream(f.From.Stream), to
	}, nil
}

func testedOf(c mapping.Checked) Tested {
	at := config.Pos{File: c.Fixture.Pos.File, Line: c.Fixture.Pos.Line, Col: c.Fixture.Pos.Col}
	out := Tested{Name: c.Fixture.Name, Flow: c.Fixture.Flow, Pos: at, OK: c.OK, Message: c.Message}
	for _, m := range c.Fields {
		out.Fields = append(out.Fields, FieldDiff{m.Field, value.AppendJSON(nil, m.Got), value.AppendJSON(nil, m.Want)})
	}
	return out
}
