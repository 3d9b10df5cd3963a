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

// document is the table and what must be known to read it, as Markdown.
func (b *bench) document(ctx context.Context, began time.Time) string {
	var w strings.Builder
	fmt.Fprintf(&w, "Measured %s by `make bench` in %s. %s\n\n", began.UTC().Format(time.DateOnly),
		time.Since(began).Round(time.Minute), b.machine(ctx))
	table := slices.Clone(b.table)
	slices.SortStableFunc(table, func(x, y *row) int { return cmp.Compare(b.whole(y), b.whole(x)) })
	fmt.Fprint(&w, "| case | rows | seconds (min to max) | beside its limit | to reach | client CPU s | peak MiB |\n|---|---:|---|---:|---:|---:|---:|\n")
	for _, r := range table {
		walls := r.walls()
		ratioText, targetText := "", ""
		if limit := b.find(r.limit, r.rows); limit != nil {
			ratioText = fmt.Sprintf("%.2f", ratio(r.runs, limit.runs))
		}
		if r.target > 0 {
			targetText = fmt.Sprintf("%.1f", r.target)
		}
		var cpu []time.Duration
		var peak int64
		for _, u := range r.runs {
			cpu = append(cpu, u.cpu)
			peak = max(peak, u.peak)
		}
		slices.Sort(cpu)
		fmt.Fprintf(&w, "| %s | %d | %.2f (%.2f to %.2f) | %s | %s | %.2f | %d |\n", r.name, r.rows, median(walls).Seconds(),
			walls[0].Seconds(), walls[len(walls)-1].Seconds(), ratioText, targetText, median(cpu).Seconds(), peak>>20)
	}
	return w.String()
}

// whole is the size of the table that a case belongs to: a delta's rows are a share of it, and stand with the rest.
func (b *bench) whole(r *row) int {
	size := r.rows
	if r.name == deltaMerge || r.name == deltaOnce {
		for _, o := range b.table {
			if o.rows > r.rows && o.name != deltaMerge && o.name != deltaOnce && (size == r.rows || o.rows < size) {
				size = o.rows
			}
		}
	}
	return size
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
