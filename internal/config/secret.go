package config

import (
	"fmt"
	"log/slog"

	"github.com/lockstep-sync/lockstep"
)

// Secret is a text that shows itself to nobody (law 12): it prints, logs and marshals as ***.
type Secret struct{ reveal func() string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

// Reveal is the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

const masked = "***"

func (s Secret) String() string { return masked }

// Format masks whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// MarshalText masks in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue masks in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// shown is settings as people may see them: secrets are Secret.
func shown(settings lockstep.Settings, specs []lockstep.Setting) map[string]any {
	out := make(map[string]any, len(settings))
	for _, spec := range specs {
		v, ok := settings[spec.Name]
		switch {
		case !ok:
		case spec.Secret:
			out[spec.Name] = Secret{}
		case spec.Type == lockstep.TableSetting:
			table := map[string]any{}
			for name, row := range settings.Table(spec.Name) {
				table[name] = shown(row, spec.Fields)
			}
			out[spec.Name] = table
		default:
			out[spec.Name] = v
		}
	}
	return out
}
