package file

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// place is where a stream's files lie, before they are opened.
type place struct {
	name   string
	conf   conf
	files  []string // that are there, in the order of their names
	single string   // the one file that a target writes; "" where a pattern names several
}

// split parts a file name into its stem and its format, "" where it is none of ours.
func split(file string) (stem, format string) {
	stem = strings.TrimSuffix(file, ".gz")
	switch ext := path.Ext(stem); strings.ToLower(ext) {
	case ".csv":
		return strings.TrimSuffix(stem, ext), "csv"
	case ".jsonl", ".ndjson":
		return strings.TrimSuffix(stem, ext), "jsonl"
	}
	return stem, ""
}

// places lists the streams of the folder: those of the settings, and one for each file that none of them names.
func (s *System) places() (map[string]place, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fileFault(s.dir, err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, e.Name())
		}
	}
	out, taken := map[string]place{}, map[string]bool{}
	for name, c := range s.conf {
		p := place{name: name, conf: c}
		for _, pattern := range c.patterns(name) {
			for _, f := range files {
				if ok, _ := path.Match(pattern, f); ok {
					p.files, taken[f] = append(p.files, filepath.Join(s.dir, f)), true
				}
			}
			if len(p.files) > 0 {
				break
			}
		}
		if !strings.ContainsAny(c.pattern, `*?[`) {
			p.single = filepath.Join(s.dir, c.patterns(name)[0])
			if len(p.files) > 0 {
				p.single = p.files[0]
			}
		}
		out[name] = p
	}
	for _, f := range files {
		stem, format := split(f)
		if format == "" || taken[f] {
			continue
		}
		if _, there := out[stem]; there {
			stem = f // two files of one stem: the second goes by its full name
		}
		p := place{name: stem, conf: plainConf, files: []string{filepath.Join(s.dir, f)}, single: filepath.Join(s.dir, f)}
		out[stem] = p
	}
	return out, nil
}

// patterns are the file names to look for, the first that is there wins, and is made where none is.
func (c conf) patterns(name string) []string {
	if c.pattern != "" {
		return []string{c.pattern}
	}
	if c.format == "jsonl" {
		return []string{name + ".jsonl", name + ".jsonl.gz"}
	}
	if c.format == "csv" {
		return []string{name + ".csv", name + ".csv.gz"}
	}
	return []string{name + ".csv", name + ".csv.gz", name + ".jsonl", name + ".jsonl.gz"}
}

func (p place) format(file string) string {
	if p.conf.format != "" {
		return p.conf.format
	}
	_, format := split(filepath.Base(file))
	if format == "" {
		return "csv"
	}
	return format
}

// def is a stream as it can be read now: where it lies, and what its fields are.
type def struct {
	place
	key    []string
	fields []lockstep.Field
	types  map[string]value.Type
	closed bool // the fields are declared: there are no others
	csv    bool
	man    *manifest
}

// find looks up a stream with its fields.
func (s *System) find(name string) (*def, error) {
	places, err := s.places()
	if err != nil {
		return nil, err
	}
	p, there := places[name]
	if !there {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no file for the stream %q", name).On(lockstep.About{Stream: name})
	}
	d, err := s.define(p)
	if err != nil {
		return nil, lockstep.FaultOf(err).On(lockstep.About{Stream: name})
	}
	return d, nil
}

func (s *System) define(p place) (*def, error) {
	d := &def{place: p, key: p.conf.key, fields: slices.Clone(p.conf.fields), closed: len(p.conf.fields) > 0}
	first := p.single
	if len(p.files) > 0 {
		first = p.files[0]
	}
	d.csv = p.format(first) == "csv"
	if p.single != "" {
		if err := d.readManifest(); err != nil {
			return nil, err
		}
	}
	for i, name := range d.key {
		if slices.Contains(d.key[:i], name) {
			return nil, lockstep.Faultf(lockstep.CodeNoKey, "the key names the field %q twice", name)
		}
	}
	for _, file := range p.files {
		if err := s.addColumns(d, file); err != nil {
			return nil, err
		}
	}
	d.types = make(map[string]value.Type, len(d.fields))
	for _, f := range d.fields {
		d.types[f.Name] = f.Type
	}
	for _, name := range d.key {
		if _, there := d.types[name]; !there {
			d.types[name] = value.Type{Kind: value.TextType}
			d.fields = append(d.fields, lockstep.Field{Name: name, Type: d.types[name]})
		}
	}
	for i := range d.fields {
		d.fields[i].Nullable = !slices.Contains(d.key, d.fields[i].Name)
	}
	return d, nil
}

func (d *def) readManifest() error {
	m, err := readManifest(d.single)
	if err != nil || m == nil {
		return err
	}
	d.man = m
	if m.Stream == nil {
		return nil
	}
	if len(d.key) == 0 {
		d.key = m.Stream.Key
	}
	if d.closed || len(m.Stream.Fields) == 0 {
		return nil
	}
	d.fields, err = m.Stream.fields()
	if err != nil {
		return lockstep.Faultf(lockstep.CodeFormat, "the manifest's types cannot be read: %w", err).On(about(manifestPath(d.single)))
	}
	d.closed = true
	return nil
}

// addColumns adds the columns that a CSV file's header names and nobody has declared; they are text.
func (s *System) addColumns(d *def, file string) error {
	if d.place.format(file) != "csv" || !d.conf.header {
		return nil
	}
	r, err := s.open(d, file)
	if err != nil {
		return err
	}
	defer r.close()
	for _, name := range r.columns {
		if !slices.ContainsFunc(d.fields, func(f lockstep.Field) bool { return f.Name == name }) {
			d.fields = append(d.fields, lockstep.Field{Name: name, Type: value.Type{Kind: value.TextType}})
		}
	}
	return nil
}

// has tells whether a field can be asked for. JSON Lines without declared fields may hold any.
func (d *def) has(name string) bool {
	_, there := d.types[name]
	return there || !d.csv && !d.closed
}

// Streams lists what the folder holds. A file whose header cannot be read is listed without fields, for its
// neighbours are well; reading it says why.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	places, err := s.places()
	if err != nil {
		return nil, err
	}
	var out []lockstep.Stream
	for _, name := range slices.Sorted(maps.Keys(places)) {
		p := places[name]
		d, err := s.define(p)
		if err != nil {
			d = &def{place: p, key: p.conf.key, fields: p.conf.fields}
		}
		if d.unmade() {
			continue
		}
		st := lockstep.Stream{Name: name, Key: d.key, Fields: d.fields, ReadOnly: d.single == "", About: -1}
		if d.man != nil && d.man.Rows != nil {
			st.About = *d.man.Rows
		}
		if !d.csv && !d.closed {
			if st.Fields, err = s.sampleFields(d); err != nil {
				st.Fields = d.fields
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// unmade tells whether a stream is no more than a name and a format: it is for Create to say what it holds.
func (d *def) unmade() bool {
	return d.single != "" && len(d.files) == 0 && d.man == nil && len(d.key) == 0 && len(d.fields) == 0
}

// Create makes an empty file for a stream, with a manifest that keeps its types.
func (s *System) Create(ctx context.Context, st lockstep.Stream, dry bool) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	places, err := s.places()
	if err != nil {
		return "", err
	}
	p, there := places[st.Name]
	if !there {
		if strings.ContainsAny(st.Name, `/\*?[`) || st.Name == "" || st.Name[0] == '.' {
			return "", lockstep.Faultf(lockstep.CodeCannot, "a stream of this name cannot be a file").On(lockstep.About{Stream: st.Name})
		}
		p = place{name: st.Name, conf: plainConf, single: filepath.Join(s.dir, st.Name+".csv")}
	}
	if p.single == "" {
		return "", lockstep.Faultf(lockstep.CodeCannot, "the stream has a pattern for several files").On(lockstep.About{Stream: st.Name})
	}
	names := make([]string, len(st.Fields))
	for i, f := range st.Fields {
		names[i] = f.Name + " " + typetext.Of(f.Type)
	}
	script := "create " + filepath.Base(p.single) + " with the fields " + strings.Join(names, ", ") + "; key " + strings.Join(st.Key, ", ")
	if len(p.files) > 0 || dry {
		return script, nil
	}
	if len(p.conf.fields) > 0 {
		st.Fields = p.conf.fields
	}
	if len(p.conf.key) > 0 {
		st.Key = p.conf.key
	}
	d := &def{place: p, key: st.Key, fields: st.Fields, closed: len(st.Fields) > 0, csv: p.format(p.single) == "csv"}
	if len(d.key) == 0 {
		return "", lockstep.Faultf(lockstep.CodeNoKey, "a stream needs a key").On(lockstep.About{Stream: st.Name})
	}
	return script, s.create(d)
}

// sampleFields are the members of the first lines of a JSON Lines file.
func (s *System) sampleFields(d *def) ([]lockstep.Field, error) {
	fields := slices.Clone(d.fields)
	for _, file := range d.files {
		r, err := s.open(d, file)
		if err != nil {
			return nil, err
		}
		for range 100 {
			row, err := r.next()
			if err != nil {
				break
			}
			v, err := value.ParseJSON(string(row.raw))
			if err != nil || v.Kind() != value.KindObject {
				continue
			}
			for name := range v.Object().All() {
				if !slices.ContainsFunc(fields, func(f lockstep.Field) bool { return f.Name == name }) {
					fields = append(fields, lockstep.Field{Name: name, Nullable: true})
				}
			}
		}
		r.close()
	}
	return fields, nil
}

// Examine says what reading and writing files means.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := s.find(r.Stream)
	if err != nil {
		return nil, err
	}
	out := []lockstep.Finding{{Level: "note", What: "files tell no changes; they are read whole", Next: "Use track: {by: snapshot}."}}
	if len(d.key) == 0 {
		out = append(out, lockstep.Finding{Level: "error", What: "the stream has no key", Next: "Name the key fields with key: under the system's streams:."})
	}
	for _, file := range d.files {
		if _, err := os.Stat(manifestPath(file)); errors.Is(err, fs.ErrNotExist) {
			out = append(out, lockstep.Finding{Level: "warning", What: filepath.Base(file) + " has no manifest: a file that was cut short looks like deletes",
				Next: "Write " + filepath.Base(manifestPath(file)) + " with rows, bytes and sha256."})
		}
	}
	return out, nil
}
