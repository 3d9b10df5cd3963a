package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// StarterInput is what `lockstep init` knows.
type StarterInput struct {
	Connectors []lockstep.Connector // for the comments on what else can be set
	Zone       string               // "" leaves it to the default
	Systems    []StarterSystem
	Flows      []StarterFlow
}

// StarterSystem is a system; ${NAME} in a setting stays a variable.
type StarterSystem struct {
	Name, Type string
	Settings   lockstep.Settings
}

// StarterFlow is a flow.
type StarterFlow struct {
	Name               string
	System, Stream     string
	Track              lockstep.Track
	ToSystem, ToStream string
	Create             bool
	Match              []string
	Map                []StarterRule // nil carries every field as it is
	Full               string        // a cron expression, "" for none
	Comment            string        // a line above the flow
}

// StarterRule is a field of the target and its expression.
type StarterRule struct{ Field, Expr string }

// Starter is a commented configuration that loads as it is, given that the settings are right.
func Starter(in StarterInput) string {
	w := &starter{}
	w.line(0, "# yaml-language-server: $schema=lockstep.schema.json")
	w.line(0, "#")
	w.line(0, "# `lockstep check` checks this file, `lockstep doctor` connects and looks, `lockstep plan` says what a sync would do.")
	w.line(0, "# Lines that begin with #name: are settings that you may take in; docs/configuration.md has all there are.")
	w.line(0, "")
	w.remark(0, "store", "lockstep.db", "where lockstep remembers everything")
	w.remark(0, "retention", "30d", "how long the timeline keeps the story of what is settled")
	if in.Zone != "" {
		w.line(0, "zone: "+quoted(in.Zone))
	} else {
		w.remark(0, "zone", "UTC", "the time zone of cron expressions and windows")
	}
	w.line(0, "")
	w.open(0, "systems", len(in.Systems))
	for i, s := range in.Systems {
		if i > 0 {
			w.line(0, "")
		}
		w.system(s, in.Connectors)
	}
	w.line(0, "")
	w.open(0, "flows", len(in.Flows))
	for i, f := range in.Flows {
		if i > 0 {
			w.line(0, "")
		}
		w.flow(f)
	}
	return w.b.String()
}

type starter struct{ b strings.Builder }

func (w *starter) line(indent int, text string) {
	if text != "" {
		w.b.WriteString(strings.Repeat("  ", indent) + text)
	}
	w.b.WriteByte('\n')
}

// remark is a setting at its default, as a comment that can be taken in by removing its "#".
func (w *starter) remark(indent int, name, standard, help string) {
	w.line(indent, fmt.Sprintf("%-28s # %s", "#"+name+": "+standard, clause(strings.ReplaceAll(help, "\n", " "))))
}

func (w *starter) open(indent int, name string, members int) {
	if members == 0 {
		w.line(indent, name+": {}")
		return
	}
	w.line(indent, name+":")
}

func (w *starter) system(s StarterSystem, connectors []lockstep.Connector) {
	w.line(1, quoted(s.Name)+":")
	w.line(2, "type: "+quoted(s.Type))
	var specs []lockstep.Setting
	for _, c := range connectors {
		if c.Spec().Kind == s.Type {
			specs = c.Spec().Settings
		}
	}
	w.settings(2, s.Settings, specs)
	for _, spec := range specs {
		_, there := s.Settings[spec.Name]
		if standard := showDefault(spec); !there && standard != "" && spec.Type != lockstep.TextsSetting {
			w.remark(2, spec.Name, quotedSetting(spec.Type, standard), spec.Help)
		}
	}
	w.remark(2, "limits", "{concurrency: 4}", "limits on reading, which protect the system: rate, concurrency, rows, bytes")
}

// settings writes them in the order of the specs; what is in none comes behind, by name.
func (w *starter) settings(indent int, settings lockstep.Settings, specs []lockstep.Setting) {
	names := slices.Sorted(maps.Keys(settings))
	place := func(name string) int {
		if i := slices.IndexFunc(specs, func(s lockstep.Setting) bool { return s.Name == name }); i >= 0 {
			return i
		}
		return len(specs)
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	for _, name := range names {
		var spec lockstep.Setting
		if i := place(name); i < len(specs) {
			spec = specs[i]
		}
		table, ok := settings[name].(map[string]lockstep.Settings)
		if !ok {
			w.line(indent, quoted(name)+": "+settingText(settings[name], spec))
			continue
		}
		w.open(indent, quoted(name), len(table))
		for _, row := range slices.Sorted(maps.Keys(table)) {
			w.open(indent+1, quoted(row), len(table[row]))
			w.settings(indent+2, table[row], spec.Fields)
		}
	}
}

func settingText(v any, spec lockstep.Setting) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case []string:
		return quotedList(v)
	case time.Duration:
		return shortDuration(v)
	case int64:
		if spec.Type == lockstep.SizeSetting {
			return shortSize(v)
		}
	}
	return fmt.Sprint(v)
}

func quotedSetting(kind lockstep.SettingType, text string) string {
	if kind == lockstep.TextSetting {
		return quoted(text)
	}
	return text
}

func (w *starter) flow(f StarterFlow) {
	if f.Comment != "" {
		w.line(1, "# "+strings.Join(strings.Fields(f.Comment), " "))
	}
	w.line(1, quoted(f.Name)+":")
	w.line(2, "from:")
	w.line(3, "system: "+quoted(f.System))
	w.line(3, "stream: "+quoted(f.Stream))
	w.line(3, "track: "+trackText(f.Track))
	w.line(2, "to:")
	w.line(3, "system: "+quoted(f.ToSystem))
	w.line(3, "stream: "+quoted(f.ToStream))
	if f.Create {
		w.line(3, "create: true")
	} else {
		w.remark(3, "create", "false", "make the stream where it is not there")
	}
	w.remark(3, "on_delete", "delete", "or disable, with disable: {field: value}; or ignore")
	w.remark(3, "on_target_edit", "overwrite", "or keep, or park: what a repair does with records that were edited in the target")
	if len(f.Match) > 0 {
		w.line(2, "match: "+quotedList(f.Match)+" # how a record is found on the other side before it is linked")
	}
	if f.Full != "" {
		w.line(2, "full: {cron: "+quoted(f.Full)+"} # minute hour day month weekday")
	} else {
		w.remark(2, "full", "{cron: '0 3 * * *'}", "a full sync at night: the net below the changes")
	}
	w.remark(2, "window", "00:00-24:00", "when it may deliver: 06:00-23:00, or Mon-Fri 08:00-18:00")
	w.remark(2, "deliver", "{batch: 500, concurrency: 2, retry: {attempts: 8, from: 1s, to: 10m}}", "and rate: 50/s")
	w.remark(2, "deletes", "{max_share: 10%, max: 1000}", "a full sync that would delete more stops and asks")
	if f.Map == nil {
		w.line(2, "# Without a map every field goes as it is.")
		return
	}
	w.open(2, "map", len(f.Map))
	for _, r := range f.Map {
		w.line(3, quoted(r.Field)+": "+quoted(r.Expr))
	}
}

func trackText(t lockstep.Track) string {
	text := "{by: " + string(t.By)
	if t.Field != "" {
		text += ", field: " + quoted(t.Field)
	}
	if t.Deleted != "" {
		text += ", deleted: " + quoted(t.Deleted)
	}
	return text + "}"
}

func quotedList(items []string) string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = quoted(item)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

var (
	plainForm    = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`)
	variableForm = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[A-Za-z0-9_./-]*)?\}$`)
	taken        = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"}
)

// quoted is a text as YAML that reads back as that text.
func quoted(text string) string {
	switch {
	case variableForm.MatchString(text), plainForm.MatchString(text) && !slices.Contains(taken, strings.ToLower(text)):
		return text
	case !slices.ContainsFunc([]rune(text), func(r rune) bool { return !strconv.IsPrint(r) }):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	out, _ := json.Marshal(text)
	return string(out)
}
