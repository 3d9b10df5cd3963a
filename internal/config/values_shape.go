package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep/value"
)

// Bounds of a value map in a file (law 11).
const (
	maxMapFile = 16 << 20
	maxMapRows = 200_000
)

// mapFile is a value map that stands in a CSV file with a header.
type mapFile struct{ csv, key, value string }

var mapFileShape = object[mapFile]{fields: []field[mapFile]{
	at("csv", text, func(m *mapFile) *string { return &m.csv }, "a CSV file with a header, relative to the configuration's folder", required),
	at("key", text, func(m *mapFile) *string { return &m.key }, "the column of what is looked up", required),
	at("value", text, func(m *mapFile) *string { return &m.value }, "the column of what it becomes", required),
}}

// valuesShape is the value maps of a flow.
type valuesShape struct{}

func (valuesShape) absent(*decoder) []ValueMap { return nil }

func (valuesShape) describe() *doc {
	inline := &doc{word: "values with what they become", table: true, item: &doc{word: "a value", schema: map[string]any{}},
		also: map[string]any{"not": needs("csv")}}
	return &doc{word: "value maps by name", table: true, names: namePattern, item: &doc{word: "values with what they become, or a file",
		variants: []*doc{mapFileShape.describe(), inline}}}
}

func (valuesShape) decode(d *decoder, n *yaml.Node, at path) ([]ValueMap, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return nil, false
	}
	defer leave()
	maps := make([]ValueMap, 0, len(pairs))
	for _, p := range pairs {
		d.marks[string(at.sub(p.name))] = p.key
		if wrong := checkName(p.name); wrong != "" {
			d.report(p.key, at.sub(p.name), "", "a value map cannot be called %s: %s", quote(p.key), wrong)
			ok = false
		}
		values, good := d.valueMap(p.val, at.sub(p.name))
		maps, ok = append(maps, ValueMap{p.name, d.pos(p.key), values}), ok && good
	}
	return maps, ok
}

// valueMap reads one: a mapping with `csv` names a file, any other is the map itself.
func (d *decoder) valueMap(n *yaml.Node, at path) (map[string]value.Value, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return nil, false
	}
	if slices.ContainsFunc(pairs, func(p pair) bool { return p.name == "csv" }) {
		leave()
		file, ok := mapFileShape.decode(d, n, at)
		if !ok {
			return nil, false
		}
		out, err := d.readMap(file)
		if err != nil {
			d.report(d.marks[string(at.sub("csv"))], at.sub("csv"), "", "%s: %s: %s", at, quote(d.marks[string(at.sub("csv"))]), err)
		}
		return out, err == nil
	}
	defer leave()
	out := make(map[string]value.Value, len(pairs))
	for _, p := range pairs {
		v, good := d.constant(p.val, at.sub(p.name))
		out[p.name], ok = v, ok && good
	}
	return out, ok
}

// readMap reads a map from a file. Its errors name lines and columns, never what stands there.
func (d *decoder) readMap(file mapFile) (map[string]value.Value, error) {
	data, err := d.file(file.csv, maxMapFile)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, errors.New("has no header")
	}
	header = slices.Clone(header)
	key, val := slices.Index(header, file.key), slices.Index(header, file.value)
	for name, column := range map[string]int{"key": key, "value": val} {
		if column < 0 {
			return nil, fmt.Errorf("has no such column as `%s` names; its columns are %s", name, strings.Join(header, ", "))
		}
	}
	out := map[string]value.Value{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("is not a CSV file: %w", err)
		}
		line, _ := r.FieldPos(key)
		if _, double := out[row[key]]; double {
			return nil, fmt.Errorf("line %d has a key that was there already", line)
		}
		if len(out) == maxMapRows {
			return nil, fmt.Errorf("has more than %d rows", maxMapRows)
		}
		out[strings.Clone(row[key])] = value.Text(strings.Clone(row[val]))
	}
}
