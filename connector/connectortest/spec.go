package connectortest

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// CheckSpec holds a Spec against what the configuration, the schema and the docs need of it.
func CheckSpec(t *testing.T, s lockstep.Spec) {
	t.Helper()
	if s.Kind == "" || s.Summary == "" || s.Example == "" {
		t.Error("kind, summary and example must be given")
	}
	if !s.Source && !s.Target {
		t.Error("neither a source nor a target")
	}
	if s.Source && len(s.Trackers) == 0 {
		t.Error("a source names its trackers, snapshot at least")
	}
	checkSettings(t, "", s.Settings)
}

func checkSettings(t *testing.T, under string, settings []lockstep.Setting) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range settings {
		name := under + s.Name
		if s.Name == "" || s.Help == "" {
			t.Errorf("setting %q: name and help must be given", name)
		}
		if seen[s.Name] {
			t.Errorf("setting %q is there twice", name)
		}
		seen[s.Name] = true
		if s.Required && s.Default != nil {
			t.Errorf("setting %q is required and has a default", name)
		}
		if s.Default != nil && !goTypeFits(s.Default, s.Type) {
			t.Errorf("setting %q: its default is a %T, which is not the Go type of %s", name, s.Default, s.Type)
		}
		if (s.Type == lockstep.TableSetting) != (len(s.Fields) > 0) {
			t.Errorf("setting %q: a table has fields, and only a table", name)
		}
		checkSettings(t, name+".", s.Fields)
	}
}

func goTypeFits(v any, t lockstep.SettingType) bool {
	ok := false
	switch t {
	case lockstep.TextSetting:
		_, ok = v.(string)
	case lockstep.IntSetting, lockstep.SizeSetting:
		_, ok = v.(int64)
	case lockstep.BoolSetting:
		_, ok = v.(bool)
	case lockstep.DurationSetting:
		_, ok = v.(time.Duration)
	case lockstep.TextsSetting:
		_, ok = v.([]string)
	case lockstep.NamedSetting:
		_, ok = v.(map[string]string)
	case lockstep.TableSetting:
		_, ok = v.(map[string]lockstep.Settings)
	}
	return ok
}
