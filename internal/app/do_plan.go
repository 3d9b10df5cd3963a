package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
)

// A plan file is JSON lines: for each flow a line that names it and its mapping, then its items, as events.

// planLine is one line of a plan file: the beginning of a flow's plan, or an item of it.
type planLine struct {
	Plan     *planHead `json:"plan,omitempty"`
	PlanItem *PlanItem `json:"plan_item,omitempty"`
}

type planHead struct {
	Version int    `json:"version"`
	Flow    string `json:"flow"`
	Mapping string `json:"mapping"`
}

const planVersion = 1

// plan says what a sync would do. It writes nothing but the plan file, if one is asked for.
func (d *doing) plan(ctx context.Context) error {
	if err := d.keysOfOne(); err != nil {
		return err
	}
	b, leave, away, err := d.connected(ctx, false)
	if err != nil {
		return err
	}
	defer leave()
	for _, script := range b.scripts {
		if err := d.text("would create:\n" + script); err != nil {
			return err
		}
	}
	file, err := newPlanFile(d.req.PlanFile)
	if err != nil {
		return err
	}
	defer file.drop()
	err = d.each(ctx, func(ctx context.Context, f *config.Flow) error {
		hash, err := b.engine.MappingHash(f.Name)
		if err != nil {
			return err
		}
		if err := file.write(planLine{Plan: &planHead{planVersion, f.Name, hash}}); err != nil {
			return err
		}
		row, err := b.engine.Plan(ctx, f.Name, engine.PlanOptions{
			Keys: d.req.Keys, Sample: d.req.Sample, Observe: d.progress,
			Report: func(it engine.PlanItem) error {
				item := planItemOf(it, d.mask)
				if err := file.write(planLine{PlanItem: item}); err != nil {
					return err
				}
				return d.emit(Event{Event: PlanItemEvent, PlanItem: item})
			},
		})
		return errors.Join(err, d.row(row))
	})
	if err = errors.Join(away, err); err != nil {
		return err
	}
	return file.keep()
}

// planFile is a plan file being written: under a temporary name until it is whole. A nil one takes everything.
type planFile struct {
	*os.File
	path string
	buf  *bufio.Writer
}

func newPlanFile(path string) (*planFile, error) {
	if path == "" {
		return nil, nil
	}
	if !filepath.IsAbs(path) {
		return nil, lockstep.Faultf(lockstep.CodeUsage, "the path of the plan file is not absolute")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".plan-*") // 0600: it holds values of records
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	}
	return &planFile{f, path, bufio.NewWriter(f)}, nil
}

func (p *planFile) write(line planLine) error {
	if p == nil {
		return nil
	}
	b, err := json.Marshal(line)
	if err != nil {
		return lockstep.NewFault(lockstep.CodeInvariant, err)
	}
	if _, err := p.buf.Write(append(b, '\n')); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	return nil
}

func (p *planFile) keep() error {
	if p == nil {
		return nil
	}
	if err := errors.Join(p.buf.Flush(), p.Sync(), p.Close(), os.Rename(p.Name(), p.path)); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	p.path = ""
	return nil
}

// drop forgets a file that was not kept.
func (p *planFile) drop() {
	if p != nil && p.path != "" {
		_ = p.Close()
		_ = os.Remove(p.Name())
	}
}

// apply does what a saved plan says, flow by flow, unless it has gone stale.
func (d *doing) apply(ctx context.Context) error {
	heads, err := readHeads(d.req.PlanFile)
	if err != nil {
		return err
	}
	b, leave, err := d.enter(ctx, true)
	if err != nil {
		return err
	}
	defer leave()
	var errs []error
	for _, head := range heads {
		if len(d.req.Flows) > 0 && !containsAll(d.req.Flows, []string{head.Flow}) {
			continue
		}
		if f := d.cfg.Flow(head.Flow); f != nil && b.flows[f.Name] == nil {
			errs = append(errs, joined(b.away, d.cfg))
			continue
		}
		if b.engine == nil {
			return lockstep.Faultf(lockstep.CodeNoFlow, "there is no flow %q", head.Flow)
		}
		row, err := b.engine.Apply(ctx, engine.SavedPlan{Flow: head.Flow, Mapping: head.Mapping, Items: itemsOf(d.req.PlanFile, head.Flow)},
			engine.SyncOptions{FullOptions: engine.FullOptions{Observe: d.progress}})
		if e := d.row(row); e != nil {
			return e
		}
		if err != nil {
			errs = append(errs, onFlow(err, head.Flow))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func readHeads(path string) ([]planHead, error) {
	if !filepath.IsAbs(path) {
		return nil, lockstep.Faultf(lockstep.CodeUsage, "name the plan file with its whole path")
	}
	var heads []planHead
	for line, err := range planLines(path) {
		if err != nil {
			return nil, err
		}
		if line.Plan == nil {
			continue
		}
		if line.Plan.Version != planVersion {
			return nil, lockstep.Faultf(lockstep.CodeFormat, "the plan is of version %d; this lockstep knows %d", line.Plan.Version, planVersion)
		}
		heads = append(heads, *line.Plan)
	}
	if len(heads) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeFormat, "the file holds no plan")
	}
	return heads, nil
}

// itemsOf reads the items of a flow's plan; it can be read more than once.
func itemsOf(path, flow string) func() iter.Seq2[engine.PlanItem, error] {
	return func() iter.Seq2[engine.PlanItem, error] {
		return func(yield func(engine.PlanItem, error) bool) {
			for line, err := range planLines(path) {
				it := line.PlanItem
				if err == nil && (it == nil || it.Flow != flow) {
					continue
				}
				item := engine.PlanItem{}
				if it != nil {
					item = engine.PlanItem{Flow: it.Flow, Key: it.Key, Target: it.TargetKey, Action: it.Action, Ours: it.Ours, Was: it.Was, Theirs: it.Theirs}
				}
				if !yield(item, err) {
					return
				}
			}
		}
	}
}

// planLines reads a plan file line by line.
func planLines(path string) iter.Seq2[planLine, error] {
	return func(yield func(planLine, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(planLine{}, lockstep.NewFault(lockstep.CodeFile, err))
			return
		}
		defer func() { _ = f.Close() }()
		in := json.NewDecoder(bufio.NewReader(f))
		for {
			var line planLine
			err := in.Decode(&line)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = lockstep.NewFault(lockstep.CodeFormat, errors.New("the plan file cannot be read: "+err.Error()))
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}
