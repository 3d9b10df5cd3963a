package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

// cross checks the parts against each other. It runs also where something else is wrong, so it reports only what is
// wrong for certain.
func (d *decoder) cross(c *Config) {
	for _, f := range c.Flows {
		d.times(c, f, d.plans[f])
		at := path("flows").sub(f.Name)
		from, to := d.endpoint(c, f.From.System, at.sub("from")), d.endpoint(c, f.To.System, at.sub("to"))
		if from != nil {
			d.checkFrom(f, from, at.sub("from"))
		}
		if to != nil && !to.Connector.Spec().Target {
			d.report(d.marks[string(at.sub("to.system"))], at.sub("to.system"), "", "%s is a %s system, which cannot be written to", f.To.System, to.Type)
		}
		if n := d.marks[string(at.sub("to.stream"))]; n != nil && f.From.Stream != "" && f.From.System == f.To.System && f.From.Stream == f.To.Stream {
			d.report(n, at.sub("to.stream"), "", "the flow would write into the stream that it reads")
		}
		d.twice(f.Match, at.sub("match"))
		d.twice(f.Ignore, at.sub("ignore"))
	}
	d.checkPairs(c)
	d.checkAPI(c)
}

// endpoint is the system that a flow names; nil where it cannot be checked on.
func (d *decoder) endpoint(c *Config, name string, at path) *System {
	n := d.marks[string(at.sub("system"))]
	if n == nil || name == "" || d.marks["systems"] == nil {
		return nil
	}
	if s := c.System(name); s != nil {
		if s.Connector == nil {
			return nil
		}
		return s
	}
	names := make([]string, len(c.Systems))
	for i, s := range c.Systems {
		names[i] = s.Name
	}
	d.report(n, at.sub("system"), didYouMean(n.Value, names), "there is no system %s", quote(n))
	return nil
}

func (d *decoder) checkFrom(f *Flow, s *System, at path) {
	spec := s.Connector.Spec()
	if !spec.Source {
		d.report(d.marks[string(at.sub("system"))], at.sub("system"), "", "%s is a %s system, which cannot be read", s.Name, s.Type)
		return
	}
	by := d.marks[string(at.sub("track.by"))]
	// A snapshot needs nothing of a connector.
	if t := f.From.Track.By; by != nil && t != "" && !f.From.Track.Whole() && !slices.Contains(spec.Trackers, t) {
		offers := []string{string(lockstep.Snapshot)}
		for _, t := range spec.Trackers {
			if t != lockstep.Snapshot {
				offers = append(offers, string(t))
			}
		}
		d.report(by, at.sub("track.by"), "it offers "+join(offers), "%s is a %s system, which cannot be tracked by %s", s.Name, s.Type, t)
	}
	stream := d.marks[string(at.sub("stream"))]
	if s.Allow != nil && stream != nil && !slices.ContainsFunc(s.Allow, func(a Allowed) bool { return a.Stream == f.From.Stream }) {
		names := make([]string, len(s.Allow))
		for i, a := range s.Allow {
			names[i] = a.Stream
		}
		d.report(stream, at.sub("stream"), didYouMean(stream.Value, names), "the system %s does not `allow` its stream %s to be read", s.Name, quote(stream))
	}
}

// twice reports names that a list has more than once.
func (d *decoder) twice(names []string, at path) {
	for i, name := range names {
		if name != "" && slices.Contains(names[:i], name) {
			n := d.marks[string(at)]
			for n != nil && n.Kind == yaml.AliasNode {
				n = n.Alias
			}
			if n != nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
				d.report(n.Content[i], at, "", "%s names a field twice", at)
			}
		}
	}
}

// hasVariable tells whether a text below n comes from the environment.
func hasVariable(n *yaml.Node) bool {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return strings.Contains(n.Value, "${") || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool {
		return c.Kind == yaml.ScalarNode && strings.Contains(c.Value, "${")
	})
}
