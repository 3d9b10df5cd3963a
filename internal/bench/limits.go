package main

import (
	"context"
	"fmt"
	"os/exec"
)

// The limits: what psql needs for the same work, with nothing in between that remembers anything.
const (
	copyNew     = "COPY into a new table, indexes after"
	copyIndexed = "COPY into the indexed table"
	copyMerge   = "COPY into a staging table, then merge"
	deltaMerge  = "COPY of the changed rows, then merge"
	deltaGone   = "COPY of the changed rows and deleted keys, then merge"
)

const (
	copyOut   = "COPY products TO STDOUT"
	copyIn    = "COPY products FROM STDIN"
	copyDelta = "COPY (SELECT * FROM products WHERE updated_at > '%s') TO STDOUT"
)

// limitsFull measures the three ways to copy the whole table. The last leaves the target as the source is.
func (b *bench) limitsFull(ctx context.Context, source string, rows int) error {
	fresh := func() error { return b.emptyTarget(ctx, false) }
	indexed := func() error { return b.emptyTarget(ctx, true) }
	err := b.measure(ctx, row{name: copyNew, rows: rows, of: rows}, fresh, func() (usage, error) {
		u, err := timed(b.psql(ctx, source, copyOut), b.psql(ctx, "target", copyIn))
		if err != nil {
			return u, err
		}
		v, err := timed(b.psql(ctx, "target", indexes...))
		return u.plus(v), err
	})
	if err != nil {
		return err
	}
	if err := b.measure(ctx, row{name: copyIndexed, rows: rows, of: rows}, indexed, func() (usage, error) {
		return timed(b.psql(ctx, source, copyOut), b.psql(ctx, "target", copyIn))
	}); err != nil {
		return err
	}
	return b.measure(ctx, row{name: copyMerge, rows: rows, of: rows}, indexed, func() (usage, error) {
		return timed(b.psql(ctx, source, copyOut), b.staged(ctx))
	})
}

// limitDelta measures what changed after a time, into a target that is level but for it: the rows are copied and merged,
// and the keys of those that are gone copied and deleted.
func (b *bench) limitDelta(ctx context.Context, source, after string, r row, deletes bool) error {
	return b.measure(ctx, r, nil, func() (usage, error) {
		u, err := timed(b.psql(ctx, source, fmt.Sprintf(copyDelta, after)), b.staged(ctx))
		if err != nil || !deletes {
			return u, err
		}
		v, err := timed(b.psql(ctx, source, "COPY gone TO STDOUT"), b.psql(ctx, "target", "CREATE TEMP TABLE gone (id bigint)",
			"COPY gone FROM STDIN", "DELETE FROM products p USING gone g WHERE p.id = g.id"))
		return u.plus(v), err
	})
}

// staged loads what comes in and merges it by key.
func (b *bench) staged(ctx context.Context) *exec.Cmd {
	return b.psql(ctx, "target", "CREATE TEMP TABLE staged (LIKE products)", "COPY staged FROM STDIN", merge)
}
