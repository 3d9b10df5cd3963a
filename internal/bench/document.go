package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	openMark  = "<!-- bench -->\n"
	closeMark = "<!-- /bench -->"
)

// document is the tables and what must be known to read them, as Markdown.
func (b *bench) document(ctx context.Context, began time.Time) string {
	var w strings.Builder
	fmt.Fprintf(&w, "Measured %s by `make bench` in %s. %s\n\n", began.UTC().Format(time.DateOnly),
		time.Since(began).Round(time.Minute), b.machine(ctx))
	table := slices.Clone(b.table)
	slices.SortStableFunc(table, func(x, y *row) int { return cmp.Compare(y.of, x.of) })
	if len(table) > 0 {
		fmt.Fprint(&w, "| case | rows | of | seconds (min to max) | beside its limit | to reach | client CPU s | peak MiB |\n|---|---:|---:|---|---:|---:|---:|---:|\n")
	}
	for _, r := range table {
		walls := r.walls()
		var cpu []time.Duration
		var peak int64
		for _, u := range r.runs {
			cpu = append(cpu, u.cpu)
			peak = max(peak, u.peak)
		}
		slices.Sort(cpu)
		fmt.Fprintf(&w, "| %s | %d | %d | %.2f (%.2f to %.2f) | %s | %s | %.2f | %d |\n", r.name, r.rows, r.of, median(walls).Seconds(),
			walls[0].Seconds(), walls[len(walls)-1].Seconds(), b.beside(r), r.reach(), median(cpu).Seconds(), peak>>20)
	}
	if len(b.figures) > 0 {
		fmt.Fprint(&w, "\n| what | measured | to reach |\n|---|---|---|\n")
	}
	for _, f := range b.figures {
		fmt.Fprintf(&w, "| %s | %s | %s |\n", f.what, f.measured, f.reach)
	}
	return w.String()
}

// beside is what a case took beside its limit.
func (b *bench) beside(r *row) string {
	limit := b.find(r.limit, r.rows, r.of)
	switch {
	case limit == nil:
		return ""
	case r.beyond:
		return fmt.Sprintf("%+.2f s", ratio(r.runs, limit.runs, true))
	}
	return fmt.Sprintf("%.2f", ratio(r.runs, limit.runs, false))
}

// reach is what a case is to come to.
func (r *row) reach() string {
	var parts []string
	switch {
	case r.beyond:
		parts = append(parts, fmt.Sprintf("%+.0f s", r.target))
	case r.target > 0:
		parts = append(parts, fmt.Sprintf("%.1f", r.target))
	}
	if r.also != "" {
		parts = append(parts, r.also)
	}
	return strings.Join(parts, "; ")
}

// machine says what it was measured on.
func (b *bench) machine(ctx context.Context) string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimSpace(strings.TrimLeft(name, "\t: "))
				break
			}
		}
	}
	version := func(name string, args ...string) string {
		out, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			return "unknown"
		}
		return string(bytes.TrimSpace(out))
	}
	pg, err := b.pg.Psql(ctx, "postgres", "-At", "-c", "show server_version").Output()
	if err != nil {
		pg = []byte("unknown")
	}
	text := fmt.Sprintf("%s, %d cores, %s; PostgreSQL %s; %s; both databases and the tool on it", model, runtime.NumCPU(), memory(),
		strings.Fields(string(pg))[0], runtime.Version())
	if b.binary != "" {
		text += "; " + version(b.binary, "version")
	}
	return text + "."
}

func memory() string {
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err == nil {
			return fmt.Sprintf("%d GiB", (kib+1<<19)>>20)
		}
	}
	return "unknown memory"
}

// write puts the document where it belongs.
func (b *bench) write(path, text string) error {
	if path == "" {
		_, err := fmt.Print(text)
		return err
	}
	old, err := os.ReadFile(path)
	if err == nil {
		head, rest, opened := strings.Cut(string(old), openMark)
		if _, tail, closed := strings.Cut(rest, closeMark); opened && closed {
			text = head + openMark + "\n" + text + "\n" + closeMark + tail
		}
	} else if !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
