package lockstep

import "time"

// Spec describes a connector: the config check, the JSON schema, the docs page and the form are made from it.
type Spec struct {
	Kind     string // the word after "type:" in the configuration
	Summary  string
	Source   bool
	Target   bool
	Trackers []Tracker
	Settings []Setting
	Example  string // a few lines of YAML, the system's settings
}

// SettingType is what a setting holds, and its Go type in Settings.
type SettingType string

// The setting types.
const (
	TextSetting     SettingType = "text"     // string
	IntSetting      SettingType = "int"      // int64
	BoolSetting     SettingType = "bool"     // bool
	DurationSetting SettingType = "duration" // time.Duration
	SizeSetting     SettingType = "size"     // int64, bytes
	TextsSetting    SettingType = "texts"    // []string
	NamedSetting    SettingType = "named"    // map[string]string: a name to a text
	TableSetting    SettingType = "table"    // map[string]Settings: a name to settings of its own
)

// Setting is one configurable value of a connector.
type Setting struct {
	Name     string
	Type     SettingType
	Help     string
	Required bool
	Secret   bool // never shown; may come from ${ENV} or file:
	Default  any  // of the Go type of Type; nil is the zero value
	Choices  []string
	Fields   []Setting // TableSetting: the settings under each name
}

// Settings are the checked values of a connector's settings, defaults filled in.
type Settings map[string]any

// Text is a TextSetting.
func (s Settings) Text(name string) string { v, _ := s[name].(string); return v }

// Int is an IntSetting or a SizeSetting.
func (s Settings) Int(name string) int64 { v, _ := s[name].(int64); return v }

// Bool is a BoolSetting.
func (s Settings) Bool(name string) bool { v, _ := s[name].(bool); return v }

// Duration is a DurationSetting.
func (s Settings) Duration(name string) time.Duration { v, _ := s[name].(time.Duration); return v }

// Texts is a TextsSetting.
func (s Settings) Texts(name string) []string { v, _ := s[name].([]string); return v }

// Named is a NamedSetting.
func (s Settings) Named(name string) map[string]string { v, _ := s[name].(map[string]string); return v }

// Table is a TableSetting.
func (s Settings) Table(name string) map[string]Settings {
	v, _ := s[name].(map[string]Settings)
	return v
}
