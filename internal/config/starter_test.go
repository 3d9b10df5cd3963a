package config

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

func starterInput() StarterInput {
	return StarterInput{
		Connectors: connectors(),
		Zone:       "Europe/Ljubljana",
		Systems: []StarterSystem{
			{"pim", "database", lockstep.Settings{"dsn": "${DSN}", "timeout": 90 * time.Second, "max_record": int64(2 << 20), "search": []string{"a b", "null"},
				"streams": map[string]lockstep.Settings{"no key": {"key": []string{"id"}}}}},
			{"shop", "folder", lockstep.Settings{"path": "it's: #1 \t\u00a0ü"}},
		},
		Flows: []StarterFlow{
			{Name: "products", System: "pim", Stream: "public.Product", Track: lockstep.Track{By: lockstep.Timestamp, Field: "updated at", Deleted: "gone"},
				ToSystem: "shop", ToStream: "true", Create: true, Match: []string{"sku", "market: x"}, Full: "0 3 * * *", Comment: "From here\nto there",
				Map: []StarterRule{{"sku", "sku"}, {"price", "round(price * 1.22, 2)"}, {"on", "true"}, {"one", "1"}, {"label", "'it''s'"}}},
			{Name: "as-is", System: "shop", Stream: "x", Track: lockstep.Track{By: lockstep.Snapshot}, ToSystem: "pim", ToStream: "x"},
		},
	}
}

func TestStarterLoads(t *testing.T) {
	text := Starter(starterInput())
	c, err := parse(t, text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	s := c.System("pim").Settings()
	if got := fmt.Sprintf("%q %v %v %q", s.Text("dsn"), s.Duration("timeout"), s.Int("max_record"), s.Texts("search")); got !=
		`"db://user:hush@host/x" 1m30s 2097152 ["a b" "null"]` || s.Table("streams")["no key"].Texts("key")[0] != "id" {
		t.Errorf("%s\n%s", got, text)
	}
	if got := c.System("shop").Settings().Text("path"); got != "it's: #1 \t\u00a0ü" {
		t.Errorf("the path is %q", got)
	}
	f := c.Flow("products")
	var rules []string
	for _, r := range f.Map {
		rules = append(rules, r.Target+"="+r.Expr.Text)
	}
	if got := fmt.Sprintln(f.From, f.To.Stream, f.To.Create, f.Match, f.Full.Schedule, rules); got !=
		"{pim public.Product {{timestamp updated at false  gone -1ns} stream 10s 0s}} true true [sku market: x] 0 3 * * * Europe/Ljubljana "+
			"[sku=sku price=round(price * 1.22, 2) on=true one=1 label='it''s']\n" {
		t.Errorf("%s\n%s", got, text)
	}
	if err := validate(t, compiled(t), text); err != nil {
		t.Error(err)
	}
}

// A setting in a comment can be taken in as it stands.
func TestStarterRemarksAreSettings(t *testing.T) {
	in := starterInput()
	in.Zone = ""
	in.Flows[0].Create, in.Flows[0].Full = false, ""
	text := Starter(in)
	remark := regexp.MustCompile(`(?m)^( *)#([a-z_]+: )`)
	if n := len(remark.FindAllString(text, -1)); n < 20 {
		t.Fatalf("%d remarks in\n%s", n, text)
	}
	taken := remark.ReplaceAllString(text, "$1$2")
	if _, err := parse(t, taken); err != nil {
		t.Errorf("%s\n%v", taken, err)
	}
	for _, empty := range []StarterInput{{}, {Connectors: connectors()}} {
		if _, err := parse(t, Starter(empty)); err != nil {
			t.Error(err)
		}
	}
}

func TestReferenceHasEverySetting(t *testing.T) {
	text := Reference(connectors())
	var walk func(d *doc)
	walk = func(d *doc) {
		if d == nil {
			return
		}
		for _, f := range d.fields {
			if !strings.Contains(text, "| `"+f.name+"` |") {
				t.Errorf("%s is missing", f.name)
			}
			walk(f.doc)
		}
		walk(d.item)
		for _, v := range d.variants {
			walk(v)
		}
	}
	walk(fileShape.describe())
	for _, c := range connectors() {
		walk(systemDoc(c.Spec()))
		if !strings.Contains(text, "### Type `"+c.Spec().Kind+"`") {
			t.Errorf("%s is missing", c.Spec().Kind)
		}
	}
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5 {
			t.Errorf("line %d is no row: %s", i+1, line)
		}
	}
}

func TestTrackersOfConnectors(t *testing.T) {
	log := kind{Kind: "logged", Summary: "x", Source: true, Target: true, Trackers: []lockstep.Tracker{"bell"}}
	text := strings.NewReplacer("type: database", "type: logged", "dsn: ${DSN}", "", "by: snapshot", "by: bell").Replace(minimal("", "", ""))
	c, err := Parse("x", []byte(text), append(connectors(), log), testEnv)
	if err != nil || c.Flows[0].From.Track.By != "bell" {
		t.Errorf("%v", err)
	}
	if _, err := parse(t, strings.ReplaceAll(minimal("", "", ""), "by: snapshot", "by: bell")); err == nil {
		t.Error("a tracker that nobody offers is taken")
	}
	if schema := string(Schema(append(connectors(), log))); !strings.Contains(strings.Join(strings.Fields(schema), ""), `"push","bell"]`) {
		t.Error("the schema does not know the connector's tracker")
	}
}
