package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

// settings checks a connector's own settings by its Spec. also are names that may stand beside them.
func (d *decoder) settings(n *yaml.Node, pairs []pair, at path, specs []lockstep.Setting, also []string) (lockstep.Settings, bool) {
	out, ok := lockstep.Settings{}, true
	names := slices.Clone(also)
	for _, spec := range specs {
		names = append(names, spec.Name)
		if spec.Default != nil {
			out[spec.Name] = defaultOf(spec)
		}
	}
	there := map[string]bool{}
	for _, p := range pairs {
		there[p.name] = true
		i := slices.IndexFunc(specs, func(s lockstep.Setting) bool { return s.Name == p.name })
		if i < 0 {
			d.unknown(p, at, names)
			ok = false
			continue
		}
		d.marks[string(at.sub(p.name))] = p.val
		v, good := d.setting(p.val, at.sub(p.name), specs[i])
		if ok = ok && good; good {
			out[p.name] = v
		}
	}
	for _, spec := range specs {
		if spec.Required && !there[spec.Name] {
			d.report(n, at, "", "%s needs `%s`: %s", at, spec.Name, clause(spec.Help))
			ok = false
		}
	}
	return out, ok
}

// defaultOf is a setting's default in the type that Settings promises.
func defaultOf(spec lockstep.Setting) any {
	if n, ok := spec.Default.(int); ok {
		return int64(n)
	}
	return spec.Default
}

func (d *decoder) setting(n *yaml.Node, at path, spec lockstep.Setting) (any, bool) {
	if spec.Secret {
		return d.secret(n, at, spec)
	}
	switch spec.Type {
	case lockstep.TextSetting:
		if len(spec.Choices) > 0 {
			return erase(choice[string](spec.Choices).decode(d, n, at))
		}
		v, ok := text.decode(d, n, at)
		if spec.Name == "path" {
			v = d.path(v)
		}
		return v, ok
	case lockstep.IntSetting:
		return erase(wholeNumber.decode(d, n, at))
	case lockstep.BoolSetting:
		return erase(boolean.decode(d, n, at))
	case lockstep.DurationSetting:
		return erase(duration.decode(d, n, at))
	case lockstep.SizeSetting:
		return erase(size.decode(d, n, at))
	case lockstep.TextsSetting:
		if len(spec.Choices) > 0 {
			return erase(list[string]{item: choice[string](spec.Choices), lone: true}.decode(d, n, at))
		}
		return erase(list[string]{item: text, lone: true}.decode(d, n, at))
	case lockstep.NamedSetting:
		return d.namedSetting(n, at)
	case lockstep.TableSetting:
		return d.tableSetting(n, at, spec)
	}
	d.report(n, at, "", "%s has the type %q, which its connector does not declare rightly", at, spec.Type)
	return nil, false
}

// path is a system's `path` as it begins in the configuration's folder. What is no plain path (":memory:", "file:…")
// stays as it is.
func (d *decoder) path(name string) string {
	if name == "" || filepath.IsAbs(name) || strings.HasPrefix(name, ":") || strings.HasPrefix(name, "file:") {
		return name
	}
	return filepath.Join(d.dir, name)
}

func erase[V any](v V, ok bool) (any, bool) { return v, ok }

var wholeNumber = scalar[int64]{"a whole number", orText("integer", intPattern), parseInt}

func (d *decoder) namedSetting(n *yaml.Node, at path) (any, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return nil, false
	}
	defer leave()
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		v, good := text.decode(d, p.val, at.sub(p.name))
		out[p.name], ok = v, ok && good
	}
	return out, ok
}

func (d *decoder) tableSetting(n *yaml.Node, at path, spec lockstep.Setting) (any, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return nil, false
	}
	defer leave()
	out := make(map[string]lockstep.Settings, len(pairs))
	for _, p := range pairs {
		row := at.sub(p.name)
		d.marks[string(row)] = p.key
		members, leave, good := d.pairs(p.val, row)
		if !good {
			ok = false
			continue
		}
		settings, good := d.settings(p.key, members, row, spec.Fields, nil)
		leave()
		out[p.name], ok = settings, ok && good
	}
	return out, ok
}

// loneVariable is a value that says nothing but where it comes from: it may be shown.
var loneVariable = regexp.MustCompile(`^\$\{[A-Za-z0-9_]*\}$`)

// secret reads a setting that is never shown: as it stands, from ${ENV}, or from a file ("file:path", without the
// line end at its end). No error repeats any of it (law 12).
func (d *decoder) secret(n *yaml.Node, at path, spec lockstep.Setting) (any, bool) {
	if n.Kind != yaml.ScalarNode || !loneVariable.MatchString(n.Value) {
		for d.src.hide(n); n.Kind == yaml.AliasNode; d.src.hide(n) {
			n = n.Alias
		}
	}
	if spec.Type != lockstep.TextSetting {
		v, ok := d.hiddenSetting(n, at, spec)
		return v, ok
	}
	secret, _, ok := d.scalar(n, at, "a secret: a text, ${ENV} or file:path")
	if !ok {
		return nil, false
	}
	if name, isFile := strings.CutPrefix(secret, "file:"); isFile {
		data, err := d.file(name, maxSecret)
		if err != nil {
			d.reportCode(lockstep.CodeSecret, n, at, "", fmt.Sprintf("%s: the file of the secret cannot be read: %v", at, err))
			return nil, false
		}
		secret = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	if secret == "" {
		d.reportCode(lockstep.CodeSecret, n, at, "", fmt.Sprintf("%s is empty", at))
		return nil, false
	}
	return secret, true
}

// hiddenSetting is a secret of another type than text: its problems lose all but their place.
func (d *decoder) hiddenSetting(n *yaml.Node, at path, spec lockstep.Setting) (any, bool) {
	before := len(d.problems)
	spec.Secret = false
	v, ok := d.setting(n, at, spec)
	if len(d.problems) > before {
		d.problems = d.problems[:before]
		d.report(n, at, "", "%s is not of the type %s", at, spec.Type)
	}
	return v, ok
}

// settingDoc describes a connector's setting.
func settingDoc(spec lockstep.Setting) *doc {
	if spec.Secret {
		return &doc{word: "a secret: a text, `${ENV}` or `file:path`", schema: text.schema}
	}
	oneText := text.describe()
	if len(spec.Choices) > 0 {
		oneText = choice[string](spec.Choices).describe()
	}
	switch spec.Type {
	case lockstep.IntSetting:
		return wholeNumber.describe()
	case lockstep.BoolSetting:
		return boolean.describe()
	case lockstep.DurationSetting:
		return duration.describe()
	case lockstep.SizeSetting:
		return size.describe()
	case lockstep.TextsSetting:
		many := &doc{word: "a list, each " + oneText.word, item: oneText}
		return &doc{word: oneText.word + ", or a list of them", variants: []*doc{oneText, many}}
	case lockstep.NamedSetting:
		return &doc{word: "by name: a text", table: true, item: text.describe()}
	case lockstep.TableSetting:
		row := &doc{word: "settings"}
		for _, f := range spec.Fields {
			row.fields = append(row.fields, settingField(f))
		}
		return &doc{word: "by name: settings", table: true, item: row}
	}
	return oneText
}

func settingField(spec lockstep.Setting) fieldDoc {
	return fieldDoc{name: spec.Name, help: spec.Help, standard: showDefault(spec), required: spec.Required, doc: settingDoc(spec)}
}

func showDefault(spec lockstep.Setting) string {
	switch v := spec.Default.(type) {
	case nil:
		return ""
	case time.Duration:
		return shortDuration(v)
	case []string:
		return strings.Join(v, ", ")
	case int64:
		if spec.Type == lockstep.SizeSetting {
			return shortSize(v)
		}
	case int:
		if spec.Type == lockstep.SizeSetting {
			return shortSize(int64(v))
		}
	}
	return fmt.Sprint(spec.Default)
}
