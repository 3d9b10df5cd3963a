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
	deltaTimed = "lockstep: delta by timestamp"
	deltaGoing = "lockstep: delta by trigger, deletes among them"
	verifyBoth = "lockstep: verify, both sides read"
)

const configuration = `store: store.db
systems:
  a: {type: %s, dsn: "%s"}
  b: {type: %s, dsn: "%s"}
flows:
  products:
    from: {system: a, stream: products, track: {%s}}
    to: {system: b, stream: products}
`

// The trackers that are measured.
const (
	byTimestamp = "by: timestamp, field: updated_at"
	byTrigger   = "by: trigger"
	byLog       = "by: log"
)

// home makes a folder with a configuration and nothing remembered: PostgreSQL to PostgreSQL.
func (b *bench) home(source, track string) (string, error) {
	return b.homeOf("postgres", b.pg.DSN(source), "postgres", b.pg.DSN("target"), track)
}

func (b *bench) homeOf(from, fromDSN, to, toDSN, track string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "home-")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(configuration, from, fromDSN, to, toDSN, track)
	return dir, os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(text), 0o600)
}

func (b *bench) lockstep(ctx context.Context, home string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, append(args, "--config", "lockstep.yaml")...)
	cmd.Dir = home
	return cmd
}

// full is a full sync of a home.
func (b *bench) full(ctx context.Context, home string) func() (usage, error) {
	return func() (usage, error) { return timed(b.lockstep(ctx, home, "sync", "products", "--full")) }
}

// oursFull measures full syncs and a verify, from an empty target on. It leaves both sides level, and gives the home
// that remembers them.
func (b *bench) oursFull(ctx context.Context, source string, rows int, track string) (home string, err error) {
	if home, err = b.home(source, track); err != nil {
		return "", err
	}
	if err := b.emptyTarget(ctx, true); err != nil {
		return "", err
	}
	if track != byTimestamp {
		if _, err := timed(b.lockstep(ctx, home, "track", "install", "products")); err != nil {
			return "", err
		}
	}
	full := b.full(ctx, home)
	for _, step := range []struct {
		row    row
		before func() error
		run    func() (usage, error)
	}{
		{row{name: firstFull, limit: copyMerge, target: 1.1, also: "6 s of CPU for 1,000,000 rows"}, nil, full},
		{row{name: levelFull, limit: copyNew, target: 0.4}, nil, full},
		{row{name: nearFull, limit: levelFull, target: 1, beyond: true}, func() error { return b.touch(ctx, source, 1000) }, full},
		{row{name: verifyBoth, limit: copyNew, target: 0.5}, nil, func() (usage, error) {
			return timed(b.lockstep(ctx, home, "verify", "products"))
		}},
	} {
		step.row.rows, step.row.of = rows, rows
		if err := b.measure(ctx, step.row, step.before, step.run); err != nil {
			return "", err
		}
	}
	return home, b.same(ctx, source)
}

// delta measures what changed since the last sync of home, and then the limit for the same work: as many rows change
// once more, and others go.
func (b *bench) delta(ctx context.Context, source, home string, rows, every int, deletes bool) error {
	ours := row{name: deltaTimed, rows: rows / every, of: rows, limit: deltaMerge, target: 1.5}
	limit := row{name: deltaMerge, rows: rows / every, of: rows}
	if deletes {
		ours.name, ours.limit, limit.name = deltaGoing, deltaGone, deltaGone
	}
	change := func() (after string, err error) {
		if after, err = b.last(ctx, source); err != nil {
			return "", err
		}
		if deletes {
			b.round++
			if _, err := b.delete(ctx, source, every, b.round); err != nil {
				return "", err
			}
		}
		return after, b.touch(ctx, source, every)
	}
	if home != "" { // first, while the target still lacks the changes
		if _, err := change(); err != nil {
			return err
		}
		if err := b.measure(ctx, ours, nil, func() (usage, error) {
			return timed(b.lockstep(ctx, home, "sync", "products", "--once"))
		}); err != nil {
			return err
		}
		if err := b.same(ctx, source); err != nil {
			return err
		}
	}
	after, err := change()
	if err != nil {
		return err
	}
	if err := b.limitDelta(ctx, source, after, limit, deletes); err != nil {
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
