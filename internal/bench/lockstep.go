package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// What lockstep does, and the limit that it is measured against (docs/performance.md says why that one).
const (
	firstFull  = "lockstep: first full sync"
	levelFull  = "lockstep: full sync, nothing changed"
	nearFull   = "lockstep: full sync, 0.1 % changed"
	deltaOnce  = "lockstep: delta"
	verifyBoth = "lockstep: verify"
)

const configuration = `store: store.db
systems:
  a: {type: postgres, dsn: "%s"}
  b: {type: postgres, dsn: "%s"}
flows:
  products:
    from: {system: a, stream: products, track: {by: timestamp, field: updated_at}}
    to: {system: b, stream: products}
`

// home makes a folder with a configuration and nothing remembered.
func (b *bench) home(source string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "home-")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(configuration, b.pg.DSN(source), b.pg.DSN("target"))
	return dir, os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(text), 0o600)
}

func (b *bench) lockstep(ctx context.Context, home string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, append(args, "--config", "lockstep.yaml")...)
	cmd.Dir = home
	return cmd
}

// oursFull measures full syncs and a verify, from an empty target on. It leaves both sides level, and gives the home
// that remembers them.
func (b *bench) oursFull(ctx context.Context, source string, rows int) (home string, err error) {
	if home, err = b.home(source); err != nil {
		return "", err
	}
	if err := b.emptyTarget(ctx, true); err != nil {
		return "", err
	}
	full := func() (usage, error) { return timed(b.lockstep(ctx, home, "sync", "products", "--full")) }
	for _, step := range []struct {
		row    row
		before func() error
		run    func() (usage, error)
	}{
		{row{name: firstFull, rows: rows, limit: copyMerge, target: 1.5}, nil, full},
		{row{name: levelFull, rows: rows, limit: copyNew, target: 0.6}, nil, full},
		{row{name: nearFull, rows: rows, limit: copyNew}, func() error { return b.touch(ctx, source, 1000) }, full},
		{row{name: verifyBoth, rows: rows, limit: copyNew}, nil, func() (usage, error) {
			return timed(b.lockstep(ctx, home, "verify", "products"))
		}},
	} {
		if err := b.measure(ctx, step.row, step.before, step.run); err != nil {
			return "", err
		}
	}
	return home, b.same(ctx, source)
}

// oursDelta measures what changed since the last sync of home.
func (b *bench) oursDelta(ctx context.Context, source, home string, changed int) error {
	r := row{name: deltaOnce, rows: changed, limit: deltaMerge, target: 2}
	if err := b.measure(ctx, r, nil, func() (usage, error) {
		return timed(b.lockstep(ctx, home, "sync", "products", "--once"))
	}); err != nil {
		return err
	}
	return b.same(ctx, source)
}

// same checks that what was measured was done: both sides hold the same rows.
func (b *bench) same(ctx context.Context, source string) error {
	const sum = "SELECT count(*), sum(hashtextextended(products::text, 0)::numeric) FROM products"
	var all [2]string
	for i, database := range []string{source, "target"} {
		out, err := b.pg.Psql(ctx, database, "-At", "-c", sum).Output()
		if err != nil {
			return err
		}
		all[i] = string(out)
	}
	if all[0] != all[1] {
		return fmt.Errorf("the two sides differ, so the figures mean nothing: source %s, target %s", all[0], all[1])
	}
	return nil
}
