package cli

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// initSystem is a system that init writes down, and connects to where it can.
type initSystem struct {
	config.StarterSystem
	spec      lockstep.Spec
	connector lockstep.Connector
	real      lockstep.Settings // with what the variables stand for
	variables []string
	streams   []lockstep.Stream // what it has; nil where it could not be asked
	creates   bool              // it can make streams
	changes   bool              // it can tell what changed
}

func connectorOf(kind string) (lockstep.Connector, error) {
	var kinds []string
	for _, c := range all.All() {
		if c.Spec().Kind == kind {
			return c, nil
		}
		kinds = append(kinds, c.Spec().Kind)
	}
	return nil, usagef("there is no type %q; the types are %s", kind, strings.Join(kinds, ", "))
}

// newInitSystem reads TYPE:VALUE,name=value.
func newInitSystem(name, text string) (*initSystem, error) {
	kind, rest, ok := strings.Cut(text, ":")
	c, err := connectorOf(kind)
	if err != nil {
		return nil, err
	}
	s := &initSystem{StarterSystem: config.StarterSystem{Name: name, Type: kind, Settings: lockstep.Settings{}}, spec: c.Spec(), connector: c, real: lockstep.Settings{}}
	s.defaults()
	first := s.main()
	if first == nil {
		return s, nil
	}
	value, more := cutSettings(rest, s.spec)
	if !ok || value == "" {
		return nil, usagef("%s needs its %s: %s:VALUE", kind, first.Name, kind)
	}
	s.set(*first, value)
	for _, pair := range more {
		setting, v, _ := strings.Cut(pair, "=")
		s.set(*settingOf(s.spec, setting), v)
	}
	return s, nil
}

var oneMore = regexp.MustCompile(`,([a-z_]+)=`)

// cutSettings cuts VALUE,name=value,… where name is a setting of the type: a DSN may have commas and equal signs.
func cutSettings(text string, spec lockstep.Spec) (value string, more []string) {
	cuts := []int{}
	for _, m := range oneMore.FindAllStringSubmatchIndex(text, -1) {
		if settingOf(spec, text[m[2]:m[3]]) != nil {
			cuts = append(cuts, m[0])
		}
	}
	for i := len(cuts) - 1; i >= 0; i-- {
		more = append([]string{text[cuts[i]+1:]}, more...)
		text = text[:cuts[i]]
	}
	return text, more
}

func settingOf(spec lockstep.Spec, name string) *lockstep.Setting {
	for i := range spec.Settings {
		if s := &spec.Settings[i]; s.Name == name && s.Type != lockstep.TableSetting {
			return s
		}
	}
	return nil
}

// main is the setting that the type needs most.
func (s *initSystem) main() *lockstep.Setting {
	for i := range s.spec.Settings {
		if s.spec.Settings[i].Required {
			return &s.spec.Settings[i]
		}
	}
	return nil
}

func (s *initSystem) defaults() {
	for _, set := range s.spec.Settings {
		if set.Default != nil {
			s.real[set.Name] = set.Default
		}
	}
}

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// set takes a setting in. A secret is written as a variable; what it is now is used to connect, and forgotten.
func (s *initSystem) set(setting lockstep.Setting, v string) {
	m := variable.FindStringSubmatch(v)
	switch {
	case m != nil:
		s.variables = append(s.variables, m[1])
		s.Settings[setting.Name], s.real[setting.Name] = v, os.Getenv(m[1])
	case setting.Secret:
		name := strings.ToUpper(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(s.Name+"_"+setting.Name, "_"))
		s.variables = append(s.variables, name)
		s.Settings[setting.Name], s.real[setting.Name] = "${"+name+"}", v
	case setting.Type == lockstep.BoolSetting:
		s.Settings[setting.Name], s.real[setting.Name] = v == "true", v == "true"
	default:
		s.Settings[setting.Name], s.real[setting.Name] = v, v
	}
}

// connect asks the system what it has.
func (s *initSystem) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	sys, err := s.connector.Open(ctx, s.real)
	if err == nil {
		_, s.creates = sys.(lockstep.Creator)
		_, s.changes = sys.(lockstep.Source)
		s.streams, err = sys.Streams(ctx)
		err = errors.Join(err, sys.Close())
	}
	if err != nil {
		return lockstep.FaultOf(err).On(lockstep.About{System: s.Name})
	}
	return nil
}
