package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// costLine is a line of BenchmarkRecord.
var costLine = regexp.MustCompile(`(?m)^BenchmarkRecord/(\w+)\S*\s.*?([0-9.]+) ns/record`)

var costNames = map[string]string{
	"changed":  "map with 3 expressions, coerce, digest, compare",
	"familiar": "a record that is as it was",
}

// cost runs the benchmark of what a record costs in the engine, without any input or output.
func (b *bench) cost(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkRecord$", "-benchtime", "2s", "./internal/engine").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w\n%s", err, out)
	}
	found := costLine.FindAllStringSubmatch(string(out), -1)
	if len(found) == 0 {
		return fmt.Errorf("go test says nothing of BenchmarkRecord:\n%s", out)
	}
	for _, m := range found {
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return err
		}
		b.figure("cost of a record in the engine, no I/O: "+costNames[m[1]], fmt.Sprintf("%.2f µs", ns/1000), "3 µs")
	}
	return nil
}
