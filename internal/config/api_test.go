package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const wholeAPI = `api:
  listen: 127.0.0.1:8087
  max_body: 1MiB
  tokens:
    shop: {token: '${SHOP_TOKEN}', flows: f, may: [pull, read]}
    ops: {token: another-token-of-ours, may: run}
`

var apiEnv = func(name string) (string, bool) {
	switch name {
	case "SHOP_TOKEN":
		return "sixteen-or-more-characters", true
	case "SHORT":
		return "short", true
	}
	return testEnv(name)
}

func parseAPI(t *testing.T, dir, flow, file string) (*Config, error) {
	t.Helper()
	return Parse(filepath.Join(dir, "lockstep.yaml"), []byte(minimal("", flow, file)), connectors(), apiEnv)
}

func TestAPI(t *testing.T) {
	c, err := parseAPI(t, t.TempDir(), "hook: {secrets: [a-secret-of-the-hook, '${SHOP_TOKEN}'], window: 2m}", wholeAPI)
	if err != nil {
		t.Fatal(err)
	}
	shop, ops, hook := c.API.Tokens[0], c.API.Tokens[1], c.Flow("f").Hook
	if c.API.Listen != "127.0.0.1:8087" || c.API.MaxBody != 1<<20 || c.API.Open() || shop.Name != "shop" || shop.Token.Reveal() != "sixteen-or-more-characters" ||
		fmt.Sprint(shop.Flows, shop.May) != "[f] [pull read]" || ops.Flows != nil || fmt.Sprint(ops.May) != "[run]" ||
		hook.Window != 2*time.Minute || len(hook.Secrets) != 2 || hook.Secrets[0].Reveal() != "a-secret-of-the-hook" {
		t.Errorf("%+v %+v %+v", c.API, shop, hook)
	}
	if hook := must(t, minimal("", "hook: {secrets: a-secret-of-the-hook}", "api: {listen: 'localhost:1'}")).Flow("f").Hook; hook.Window != 5*time.Minute {
		t.Errorf("%+v", hook)
	}
	// Nothing that prints a configuration shows a secret (law 12).
	text, _ := json.Marshal(c)
	for _, shown := range []string{fmt.Sprintf("%+v %#v %v", c.API.Tokens[0], *c.API.Tokens[0], hook), string(text)} {
		if strings.Contains(shown, "sixteen-or-more") || strings.Contains(shown, "a-secret-of") {
			t.Errorf("a secret shows: %s", shown)
		}
	}
}

func TestWhoCanReach(t *testing.T) {
	for listen, open := range map[string]bool{
		"127.0.0.1:1": false, "127.9.9.9:1": false, "localhost:1": false, "[::1]:1": false,
		":1": true, "0.0.0.0:1": true, "[::]:1": true, "10.0.0.1:1": true, "sync.example.com:1": true,
	} {
		if a := (API{Listen: listen}); a.Open() != open {
			t.Errorf("%s: %v", listen, a.Open())
		}
	}
}

func TestMistakesOfTheAPI(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ flow, file, want string }{
		{file: "api: {}", want: "`api` needs `listen`"},
		{file: "api: {listen: 8087}", want: "is not an address such as 127.0.0.1:8087"},
		{file: "api: {listen: '127.0.0.1:x'}", want: "is not an address such as 127.0.0.1:8087"},
		{file: "api: {listen: ':8087'}", want: "other machines can reach `api.listen`, and without TLS tokens and records would travel in clear; give it `tls`"},
		{file: "api: {listen: '10.1.2.3:8087', insecure: false}", want: "behind a proxy that speaks TLS, write `insecure: true`"},
		{file: "api: {listen: ':8087', tls: {cert: none.pem, key: none.pem}}", want: "certificate and key cannot be used: no such file"},
		{file: "api: {listen: ':8087', tls: {cert: empty.pem, key: empty.pem}}", want: "certificate and key cannot be used: tls: failed to find any PEM data"},
		{file: "api: {listen: ':8087', tls: {cert: none.pem}}", want: "`api.tls` needs `key`"},
		{file: "api: {listen: '127.0.0.1:1', max_body: 10B}", want: "is not between 1KiB and 1GiB"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {may: run}}}", want: "`api.tokens.a` needs `token`"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-}}}", want: "`api.tokens.a` needs `may`"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: []}}}", want: "may do nothing"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: [pul]}}}", want: "did you mean `pull`?"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: short, may: run}}}", want: "is shorter than 16 characters; `openssl rand -hex 32`"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: '${SHORT}', may: run}}}", want: "is shorter than 16 characters"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: run, flows: [ff]}}}", want: "there is no flow \"ff\"; did you mean `f`?"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: run, flows: []}}}", want: "is for no flow"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a b: {token: sixteen-characters-, may: run}}}", want: "cannot be called"},
		{file: "api: {listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: run}, b: {token: sixteen-characters-, may: run}}}", want: "`api.tokens.b` is the same token as `api.tokens.a`"},
		{flow: "hook: {secrets: [sixteen-characters-]}", want: "`flows.f.hook` has no use without `api`"},
		{flow: "hook: {}", file: "api: {listen: '127.0.0.1:1'}", want: "`flows.f.hook` needs `secrets`"},
		{flow: "hook: {secrets: []}", file: "api: {listen: '127.0.0.1:1'}", want: "without one, anybody could send notices"},
		{flow: "hook: {secrets: [short]}", file: "api: {listen: '127.0.0.1:1'}", want: "is shorter than 16 characters"},
		{flow: "hook: {secrets: [sixteen-characters-], window: 2h}", file: "api: {listen: '127.0.0.1:1'}", want: "is not between 1s and 1h"},
	} {
		_, err := parseAPI(t, dir, tc.flow, tc.file)
		got := problems(t, err)
		if len(got) != 1 || !strings.Contains(got[0].Message+"; "+got[0].Hint, tc.want) {
			t.Errorf("%+v gives %d problems: %v", tc, len(got), err)
		}
		if err != nil && strings.Contains(err.Error(), "sixteen-characters-") {
			t.Errorf("a secret shows: %v", err)
		}
	}
}
