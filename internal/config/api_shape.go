package config

import (
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// API says where lockstep answers over HTTP, and to whom.
type API struct {
	Listen   string // host:port
	TLS      *TLS   // nil: plain HTTP
	Insecure bool   // plain HTTP also where others than this machine can reach it
	MaxBody  int
	Tokens   []*Token
}

// TLS names a certificate and its key, in PEM.
type TLS struct{ Cert, Key string }

// Token lets somebody in.
type Token struct {
	Name  string
	Pos   Pos
	Token Secret
	Flows []string // nil: all
	May   []Right
}

// Right is what a token may do.
type Right string

// The rights.
const (
	MayHook Right = "hook" // send notices that are not signed
	MayPush Right = "push" // push records
	MayPull Right = "pull" // pull records, and settle them
	MayRun  Right = "run"  // start runs
	MayRead Right = "read" // look at flows, runs and records
)

// Hook says how a flow's notices are signed.
type Hook struct {
	Secrets []Secret // any of them: while one is changed, there are two
	Window  time.Duration
}

// leastSecret is how long a token or a secret of a hook must be: it is all that keeps others out.
const leastSecret = 16

// secretShape is a text that is never shown.
type secretShape struct{ least int }

func (s secretShape) absent(*decoder) Secret { return Secret{} }

func (s secretShape) describe() *doc {
	return &doc{word: "a secret of at least " + strconv.Itoa(s.least) + " characters: a text, `${ENV}` or `file:path`", schema: text.schema}
}

func (s secretShape) decode(d *decoder, n *yaml.Node, at path) (Secret, bool) {
	v, ok := d.secret(n, at, lockstep.Setting{Name: "secret", Type: lockstep.TextSetting, Secret: true})
	if !ok {
		return Secret{}, false
	}
	if len(v.(string)) < s.least {
		d.reportCode(lockstep.CodeSecret, n, at, "`openssl rand -hex 32` makes a good one", at.String()+" is shorter than "+strconv.Itoa(s.least)+" characters")
		return Secret{}, false
	}
	return NewSecret(v.(string)), true
}

var tokenShape = object[Token]{
	fields: []field[Token]{
		at("token", shape[Secret](secretShape{leastSecret}), func(t *Token) *Secret { return &t.Token },
			"what is sent as `Authorization: Bearer TOKEN`; `openssl rand -hex 32` makes a good one", required),
		at("flows", list[string]{item: text, lone: true}, func(t *Token) *[]string { return &t.Flows }, "the flows that it is for; absent is all"),
		at("may", list[Right]{item: choice[Right]{MayHook, MayPush, MayPull, MayRun, MayRead}, lone: true}, func(t *Token) *[]Right { return &t.May },
			"what it may do: `hook` sends notices that are not signed, `push` records, `pull` fetches records and settles them, `run` starts runs, `read` looks", required),
	},
	check: func(d *decoder, n *yaml.Node, at path, t *Token) {
		if len(t.May) == 0 {
			d.report(n, at, "", "%s may do nothing: name what it `may`", at)
		}
		if t.Flows != nil && len(t.Flows) == 0 {
			d.report(n, at, "leave `flows` out for all", "%s is for no flow", at)
		}
	},
}

var tlsShape = optional[TLS]{object[TLS]{fields: []field[TLS]{
	at("cert", text, func(t *TLS) *string { return &t.Cert }, "file of the certificate, and of those between it and its root, in PEM", required),
	at("key", text, func(t *TLS) *string { return &t.Key }, "file of its private key, in PEM", required),
}}}

// address is host:port.
var address = text.checked("an address such as 127.0.0.1:8087", func(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return errors.New("is not an address such as 127.0.0.1:8087")
	}
	return nil
})

var apiShape = optional[API]{object[API]{fields: []field[API]{
	at("listen", address, func(a *API) *string { return &a.Listen },
		"the address to listen on, `host:port`; other machines reach it only where the host is none of this machine's own (127.0.0.1, ::1, localhost)", required),
	at("tls", shape[*TLS](tlsShape), func(a *API) **TLS { return &a.TLS }, "with a certificate, HTTPS; a renewed one is taken up without a restart"),
	at("insecure", boolean, func(a *API) *bool { return &a.Insecure },
		"listen without TLS although other machines can reach it: tokens and records then travel in clear; for a reverse proxy in front that speaks TLS", standard("false")),
	at("max_body", upTo(1<<10, 1<<30), func(a *API) *int { return &a.MaxBody }, "the largest body of a request", standard("8MiB")),
	at("tokens", shape[[]*Token](tokensShape{}), func(a *API) *[]*Token { return &a.Tokens }, "who may come in, by names of your choice, which the log shows"),
}}}

var hookShape = optional[Hook]{object[Hook]{
	fields: []field[Hook]{
		at("secrets", list[Secret]{item: secretShape{leastSecret}, lone: true, max: 8}, func(h *Hook) *[]Secret { return &h.Secrets },
			"the secrets that notices are signed with; any of them will do, so that one can be changed without a gap", required),
		at("window", lasting(time.Second, time.Hour), func(h *Hook) *time.Duration { return &h.Window },
			"how far a notice's time may be from ours, both ways", standard(shortDuration(webhook.DefaultWindow))),
	},
	check: func(d *decoder, n *yaml.Node, at path, h *Hook) {
		if len(h.Secrets) == 0 {
			d.report(n, at, "", "%s needs a secret: without one, anybody could send notices", at)
		}
	},
}}

// tokensShape is the table of tokens.
type tokensShape struct{}

func (tokensShape) absent(*decoder) []*Token { return nil }

func (tokensShape) table() table[Token] {
	return table[Token]{what: "a token", check: checkName, item: tokenShape}
}

func (s tokensShape) describe() *doc { return s.table().describe() }

func (s tokensShape) decode(d *decoder, n *yaml.Node, at path) ([]*Token, bool) {
	members, ok := s.table().decode(d, n, at)
	tokens := make([]*Token, 0, len(members))
	for _, m := range members {
		m.v.Name, m.v.Pos = m.name, d.pos(m.key)
		tokens = append(tokens, &m.v)
	}
	return tokens, ok
}

// Open tells whether other machines can reach the address.
func (a *API) Open() bool {
	host, _, err := net.SplitHostPort(a.Listen)
	if err != nil {
		return true
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// checkAPI checks `api` against the flows, and their hooks against it.
func (d *decoder) checkAPI(c *Config) {
	for _, f := range c.Flows {
		at := path("flows").sub(f.Name).sub("hook")
		if n := d.marks[string(at)]; n != nil && d.marks["api"] == nil {
			d.report(n, at, "add `api: {listen: 127.0.0.1:8087}`", "%s has no use without `api`: nothing would listen", at)
		}
	}
	if c.API == nil {
		return
	}
	_, _, wrong := net.SplitHostPort(c.API.Listen)
	if n := d.marks["api.listen"]; n != nil && wrong == nil && c.API.Open() && d.marks["api.tls"] == nil && !c.API.Insecure {
		d.report(n, "api.listen", "give it `tls`, or listen on 127.0.0.1; behind a proxy that speaks TLS, write `insecure: true`",
			"other machines can reach %s, and without TLS tokens and records would travel in clear", path("api.listen"))
	}
	d.checkTLS(c)
	d.checkTokens(c)
}

func (d *decoder) checkTLS(c *Config) {
	t, n := c.API.TLS, d.marks["api.tls"]
	if t == nil || t.Cert == "" || t.Key == "" || n == nil {
		return
	}
	for _, name := range []*string{&t.Cert, &t.Key} {
		if !filepath.IsAbs(*name) {
			*name = filepath.Join(d.dir, *name)
		}
	}
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		d.report(n, "api.tls", "", "%s: certificate and key cannot be used: %v", path("api.tls"), nameless(err))
	}
}

func (d *decoder) checkTokens(c *Config) {
	names := make([]string, len(c.Flows))
	for i, f := range c.Flows {
		names[i] = f.Name
	}
	seen := map[string]string{}
	for _, t := range c.API.Tokens {
		at := path("api.tokens").sub(t.Name)
		for _, name := range t.Flows {
			if n := d.marks[string(at.sub("flows"))]; name != "" && n != nil && !slices.Contains(names, name) {
				d.report(n, at.sub("flows"), didYouMean(name, names), "%s: there is no flow %q", at.sub("flows"), name)
			}
		}
		secret := t.Token.Reveal()
		if other := seen[secret]; secret != "" && other != "" {
			d.report(d.marks[string(at)], at, "", "%s is the same token as `api.tokens.%s`", at, other)
		}
		seen[secret] = t.Name
	}
}
