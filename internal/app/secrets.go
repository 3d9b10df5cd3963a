package app

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// Mask is a function that puts *** in place of every secret of the configuration, wherever one turns up in a text: the
// second lock behind connectors that do not put them there (law 12). It is for logs and errors.
func Mask(cfg *config.Config) func(string) string {
	var secrets []string
	for _, s := range cfg.Systems {
		if s.Connector != nil {
			secrets = append(secrets, secretsOf(s.Settings(), s.Connector.Spec().Settings)...)
		}
	}
	if cfg.API != nil {
		for _, t := range cfg.API.Tokens {
			secrets = append(secrets, t.Token.Reveal())
		}
	}
	for _, f := range cfg.Flows {
		if f.Hook != nil {
			for _, s := range f.Hook.Secrets {
				secrets = append(secrets, s.Reveal())
			}
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	secrets = slices.Compact(secrets)
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, "***")
	}
	return strings.NewReplacer(pairs...).Replace
}

func secretsOf(settings lockstep.Settings, specs []lockstep.Setting) []string {
	var out []string
	for _, spec := range specs {
		switch {
		case spec.Secret && spec.Type == lockstep.TextsSetting:
			for _, text := range settings.Texts(spec.Name) {
				out = append(out, partsOf(text)...)
			}
		case spec.Secret:
			out = append(out, partsOf(settings.Text(spec.Name))...)
		case spec.Type == lockstep.TableSetting:
			for _, row := range settings.Table(spec.Name) {
				out = append(out, secretsOf(row, spec.Fields)...)
			}
		}
	}
	return out
}

// shortest is the length from which on a secret is masked: a shorter one would turn half of all texts into stars.
const shortest = 4

var keywordPassword = regexp.MustCompile(`(?i)\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)

// partsOf is a secret, and the password in it if it is an address: drivers take addresses apart before they complain.
func partsOf(secret string) []string {
	parts := []string{secret}
	if u, err := url.Parse(secret); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			parts = append(parts, password, url.QueryEscape(password), url.PathEscape(password))
		}
		if q := u.Query().Get("password"); q != "" {
			parts = append(parts, q)
		}
	}
	if m := keywordPassword.FindStringSubmatch(secret); m != nil {
		parts = append(parts, m[1], strings.Trim(m[1], "'"))
	}
	return slices.DeleteFunc(parts, func(p string) bool { return len(p) < shortest })
}
