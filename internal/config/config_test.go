package config

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// kind is a connector that has a Spec only: nothing here opens a system.
type kind lockstep.Spec

func (k kind) Spec() lockstep.Spec { return lockstep.Spec(k) }

func (k kind) Open(context.Context, lockstep.Settings) (lockstep.System, error) {
	return nil, errors.New("nothing is opened here")
}

func connectors() []lockstep.Connector {
	return []lockstep.Connector{
		kind{
			Kind: "database", Summary: "A relational database.", Source: true, Target: true,
			Trackers: []lockstep.Tracker{lockstep.Timestamp},
			Example:  "dsn: ${DATABASE_DSN}",
			Settings: []lockstep.Setting{
				{Name: "dsn", Type: lockstep.TextSetting, Help: "how to connect", Required: true, Secret: true},
				{Name: "schema", Type: lockstep.TextSetting, Help: "the schema", Default: "public"},
				{Name: "mode", Type: lockstep.TextSetting, Help: "how", Default: "safe", Choices: []string{"safe", "fast"}},
				{Name: "connections", Type: lockstep.IntSetting, Help: "how many", Default: int64(4)},
				{Name: "timeout", Type: lockstep.DurationSetting, Help: "how long", Default: 30 * time.Second},
				{Name: "max_record", Type: lockstep.SizeSetting, Help: "how large", Default: int64(1 << 20)},
				{Name: "tls", Type: lockstep.BoolSetting, Help: "whether to encrypt", Default: true},
				{Name: "search", Type: lockstep.TextsSetting, Help: "where to look"},
				{Name: "streams", Type: lockstep.TableSetting, Help: "what is special about a stream", Fields: []lockstep.Setting{
					{Name: "key", Type: lockstep.TextsSetting, Help: "the key fields", Required: true},
					{Name: "where", Type: lockstep.TextSetting, Help: "a filter"},
				}},
			},
		},
		kind{
			Kind: "folder", Summary: "A folder of files.", Source: true, Target: true,
			Settings: []lockstep.Setting{{Name: "path", Type: lockstep.TextSetting, Help: "the folder", Required: true}},
		},
		kind{Kind: "sink", Summary: "Only written.", Target: true},
		kind{Kind: "feed", Summary: "Only read.", Source: true, Trackers: []lockstep.Tracker{lockstep.Timestamp}},
	}
}

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{"DSN": "db://user:hush@host/x", "EVERY": "30s", "EMPTY": "", "BAD": "topsecretvalue", "STREAM": "Product"}[name]
	return v, ok
}

func parse(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Parse("lockstep.yaml", []byte(text), connectors(), testEnv)
}

func must(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const full = `
store: state/ls.db
retention: 7d
zone: Europe/Ljubljana
log: {level: debug, format: json}

systems:
  pim:
    type: database
    dsn: ${DSN}
    connections: 8
    timeout: 1m30s
    max_record: 4MiB
    tls: false
    search: [a, b]
    streams:
      Product: {key: id}
      Price: {key: [sku, market], where: "active"}
    allow:
      Product: [id, sku, name, price, published]
    limits: {rate: 50/s, concurrency: 2, rows: 1000, bytes: 8MiB}
  shop: {type: folder, path: 0777}

flows:
  products:
    from: {system: pim, stream: "${STREAM}", track: {by: timestamp, field: changed, deleted: gone, every: "${EVERY}", overlap: 2m, sweep: 15m}}
    to: {system: shop, stream: products, create: true, on_delete: disable, disable: {active: false, note: gone, since: 2026-01-02}, on_target_edit: park}
    match: sku
    full: {cron: "0 3 * * *", at_start: true}
    window: ["06:00-23:00", "Sat 00:00-24:00"]
    priority: {create: high, delete: low}
    where: published == true
    map:
      sku: sku
      name: 'trim(name)'
      price: |
        round(
          price * 1.22, 2)
      status: {expr: "published ? 1 : 2", null: clear}
      market: {const: si}
      stock: 0
      weight: 1.50
      active: true
      note: null
      tags: {const: [a, 1, {b: null}]}
    nulls: skip
    values:
      status: {active: 1, inactive: 2, "null": null}
    ignore: [changed_at]
    tolerance: {price: 0.01}
    deliver: {batch: 100, concurrency: 4, rate: 600/min, retry: {attempts: 3, from: 2s, to: 1m}, transfer: single}
    deletes: {max_share: 5%, max: 50}
    pages: {rows: 5000, bytes: 1MiB}
  plain:
    from: {system: shop, stream: p, track: {by: snapshot}}
    to: {system: pim, stream: p}
`

func TestEverySettingIsRead(t *testing.T) {
	c := must(t, full)
	eq := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, not %v", what, got, want)
		}
	}
	eq("store", c.Store, "state/ls.db")
	eq("socket", c.Socket, "state/ls.sock")
	eq("retention", c.Retention, 7*24*time.Hour)
	eq("log", c.Log, Log{"debug", "json"})
	pim := c.System("pim")
	s := pim.Settings()
	eq("dsn", s.Text("dsn"), "db://user:hush@host/x")
	eq("schema", s.Text("schema"), "public")
	eq("connections", s.Int("connections"), 8)
	eq("timeout", s.Duration("timeout"), 90*time.Second)
	eq("max_record", s.Int("max_record"), 4<<20)
	eq("tls", s.Bool("tls"), false)
	eq("search", s.Texts("search"), "[a b]")
	eq("key", s.Table("streams")["Product"].Texts("key"), "[id]")
	eq("keys", s.Table("streams")["Price"].Texts("key"), "[sku market]")
	eq("limits", fmt.Sprintf("%+v", pim.Limits), "{Rate:50/s Concurrency:2 Rows:1000 Bytes:8388608}")
	fields, all := pim.Allows("Product")
	eq("allowed", fmt.Sprint(fields, all), "[id sku name price published] false")
	fields, all = pim.Allows("Other")
	eq("not allowed", fmt.Sprint(fields, all), "[] false")
	_, all = c.System("shop").Allows("any")
	eq("allows all", all, true)
	eq("a text that YAML takes for octal", c.System("shop").Settings().Text("path"), "0777")

	f := c.Flow("products")
	eq("from", f.From.System+"."+f.From.Stream, "pim.Product")
	eq("track", fmt.Sprintf("%+v", f.From.Track), "{Track:{By:timestamp Field:changed PerRecord:false Name: Deleted:gone Overlap:2m0s} Per:stream Every:30s Sweep:15m0s}")
	eq("to", fmt.Sprintf("%+v", f.To), "{System:shop Stream:products Create:true OnDelete:disable Disable:[{Field:active Value:false} {Field:note Value:gone} {Field:since Value:2026-01-02}] OnTargetEdit:park}")
	eq("match", f.Match, "[sku]")
	eq("full", f.Full.Schedule, "0 3 * * * Europe/Ljubljana")
	eq("at_start", f.Full.AtStart, true)
	eq("window", f.Window, "06:00-23:00; Sat 00:00-24:00 Europe/Ljubljana")
	eq("priority", fmt.Sprint(f.Priority), fmt.Sprint(Priority{lockstep.High, lockstep.Normal, lockstep.Low}))
	eq("where", f.Where.Text, "published == true")
	eq("deliver", fmt.Sprintf("%+v", f.Deliver), "{Batch:100 Concurrency:4 Rate:600/min Retry:{Attempts:3 From:2s To:1m0s} Transfer:single}")
	eq("deletes", f.Deletes, Brake{0.05, 50})
	eq("page", c.Page(f), lockstep.Limit{Rows: 1000, Bytes: 1 << 20})
	eq("tolerance", f.Tolerance["price"], "0.01")
	eq("values", f.Values[0].Values["active"], value.Int(1))
	eq("ignore", f.Ignore, "[changed_at]")

	var rules []string
	for _, r := range f.Map {
		what := r.Const.Kind().String() + " " + r.Const.String()
		if r.Expr != nil {
			what = r.Expr.Text
		}
		rules = append(rules, r.Target+"="+what+"/"+string(r.Null))
	}
	eq("map", strings.Join(rules, "; "), "sku=sku/skip; name=trim(name)/skip; price=round(\n  price * 1.22, 2)\n/skip; status=published ? 1 : 2/clear; "+
		"market=text si/skip; stock=int 0/skip; weight=decimal 1.50/skip; active=bool true/skip; note=null null/skip; tags=list [\"a\",1,{\"b\":null}]/skip")

	p := c.Flow("plain")
	eq("identity", p.Identity(), true)
	eq("track by default", fmt.Sprintf("%+v", p.From.Track), "{Track:{By:snapshot Field: PerRecord:false Name: Deleted: Overlap:-1ns} Per:stream Every:5m0s Sweep:0s}")
	eq("to by default", fmt.Sprintf("%+v", p.To), "{System:pim Stream:p Create:false OnDelete:delete Disable:[] OnTargetEdit:overwrite}")
	eq("deliver by default", fmt.Sprintf("%+v", p.Deliver), "{Batch:500 Concurrency:2 Rate:unlimited Retry:{Attempts:8 From:1s To:10m0s} Transfer:auto}")
	eq("deletes by default", p.Deletes, Brake{0.1, 1000})
	eq("pages by default", c.Page(p), lockstep.Limit{Rows: 2000, Bytes: 4 << 20})
	eq("full by default", p.Full == nil, true)
	eq("window by default", p.Window.Always(), true)
	eq("nulls by default", p.Nulls, SendNull)
}

func TestPlacesOfExpressions(t *testing.T) {
	c := must(t, full)
	lines := strings.Split(full, "\n")
	at := func(p Pos) string { return string([]rune(lines[p.Line-1])[p.Col-1:]) }
	for _, r := range c.Flow("products").Map {
		if r.Expr == nil {
			continue
		}
		first, _, _ := strings.Cut(r.Expr.Text, "\n")
		if got := at(r.Expr.At(1, 1)); !strings.HasPrefix(got, first) {
			t.Errorf("the expression of %s is said to begin at %q", r.Target, got)
		}
		if r.Target == "price" {
			if got := at(r.Expr.At(2, 3)); got != "price * 1.22, 2)" {
				t.Errorf("its second line is said to have %q", got)
			}
		}
		if got := at(r.Pos); !strings.HasPrefix(got, r.Target) {
			t.Errorf("the rule of %s is said to be at %q", r.Target, got)
		}
	}
	if got := at(c.At("flows.products.map.price")); got != "price: |" {
		t.Error(got)
	}
	if got := at(c.At("flows.plain.deliver.retry.from")); got != "plain:" {
		t.Errorf("what is not there is in %q", got)
	}
	p := c.Problem(lockstep.CodeMapping, c.Flow("products").Map[1].Expr.At(1, 6), "flows.products.map.name", "no", "")
	if p.Source != "      name: 'trim(name)'" || p.Caret != 19 {
		t.Errorf("%+v", p)
	}
}
