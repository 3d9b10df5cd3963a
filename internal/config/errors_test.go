package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// minimal is a right configuration with a hole for more of the system, of the flow, and of the file.
func minimal(system, flow, file string) string {
	indent := func(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }
	return "systems:\n  a:\n    type: database\n    dsn: ${DSN}\n    " + indent(system) +
		"\n  b: {type: folder, path: out}\nflows:\n  f:\n    from: {system: a, stream: s, track: {by: snapshot}}\n    " +
		"to: {system: b, stream: t}\n    " + indent(flow) + "\n" + file
}

func problems(t *testing.T, err error) []Problem {
	t.Helper()
	if err == nil {
		return nil
	}
	all, ok := errors.AsType[*Errors](err)
	if !ok {
		t.Fatalf("%v holds no *Errors", err)
	}
	return all.Problems
}

// Each mistake gives exactly one problem, at its place, with these words.
func TestOneMistakeOneProblem(t *testing.T) {
	must(t, minimal("", "", ""))
	for _, tc := range []struct{ system, flow, file, at, want string }{
		{system: "conections: 4", at: "conections", want: "unknown key `conections` in `systems.a`; did you mean `connections`?"},
		{system: "connections: many", at: "many", want: "is not a whole number"},
		{system: "connections: 0777", at: "0777", want: "octal"},
		{system: "connections: 1_000", at: "1_000", want: "with _ inside"},
		{system: "connections: 1.5", at: "1.5", want: "is not a whole number"},
		{system: "connections: 99999999999999999999", at: "9999", want: "too large"},
		{system: "connections: [1]", at: "[1]", want: "takes a whole number, not a list"},
		{system: "connections:", at: "", want: "`systems.a.connections` has no value"},
		{system: "connections: ~", at: "~", want: "`systems.a.connections` has no value"},
		{system: "timeout: 30", at: "30", want: "has no unit"},
		{system: "timeout: 30 sec", at: "30 sec", want: "is not a duration"},
		{system: "max_record: 4MB2", at: "4MB2", want: "is not a size"},
		{system: "tls: yes", at: "yes", want: "is neither true nor false"},
		{system: "mode: fsat", at: "fsat", want: "cannot be \"fsat\"; did you mean `fast`?"},
		{system: "mode: zzzzzz", at: "zzzzzz", want: "there is safe, fast"},
		{system: "schema: ''", at: "''", want: "is empty"},
		{system: "schema: {a: b}", at: "{a", want: "takes a text, not settings of its own"},
		{system: "schema: !weird x", at: "!weird", want: "tags such as !weird are not used here"},
		{system: "schema: ${NOPE}", at: "${NOPE}", want: "the environment variable NOPE is not set; set it, or write ${NOPE:-default}"},
		{system: "schema: ${NOPE", at: "${NOPE", want: "a variable is written ${NAME}"},
		{system: "streams: {s: {where: x}}", at: "s: {where", want: "`systems.a.streams.s` needs `key`: the key fields"},
		{system: "streams: {s: {key: id, wehre: x}}", at: "wehre", want: "did you mean `where`?"},
		{system: "dsn: again", at: "dsn: ***", want: "`dsn` is there twice"},
		{system: "limits: {rate: 5/m}", at: "5/m", want: "is not a rate such as"},
		{system: "limits: {rows: 0}", at: "0}", want: "is not from 1 to 1000000"},
		{system: "limits: {bytes: 1B}", at: "1B", want: "is not between 1KiB and 1GiB"},
		{system: "allow: {other: [x]}", at: "s, track", want: "the system a does not `allow` its stream \"s\" to be read; there is other"},
		{flow: "wndow: 06:00-23:00", at: "wndow", want: "did you mean `window`?"},
		{flow: "window: 6-23", at: "6-23", want: "\"6\" is not a time of day"},
		{flow: "window: [06:00-23:00, Mom 06:00-07:00]", at: "[06:00", want: "is not a day of the week"},
		{flow: "zone: Europe/Lubljana", at: "Europe", want: "there is no time zone"},
		{flow: "full: {cron: '0 25 * * *'}", at: "'0 25", want: "cron expression cannot be understood"},
		{flow: "full: {cron: '0 3 * * *', every: 1h}", at: "{cron", want: "not both"},
		{flow: "full: {zone: UTC}", at: "{zone", want: "needs `cron`, `every` or `at_start: true`"},
		{flow: "priority: {create: hi}", at: "hi}", want: "none of high, normal, low"},
		{flow: "map: {}", at: "{}", want: "has no fields"},
		{flow: "map: {x: 2026-01-02}", at: "2026", want: "is a date to YAML and a subtraction as an expression"},
		{flow: "map: {x: 0x1F}", at: "0x1F", want: "read in more than one way"},
		{flow: "map: {x: .inf}", at: ".inf", want: "read in more than one way"},
		{flow: "map: {x: }", at: "", want: "has no value; write null"},
		{flow: "map: {x: [a]}", at: "[a]", want: "takes an expression, not a list"},
		{flow: "map: {x: {expr: a, const: b}}", at: "{expr", want: "needs `expr` or `const`: one of them"},
		{flow: "map: {x: {null: skip}}", at: "{null", want: "needs `expr` or `const`: one of them"},
		{flow: "map: {x: {expr: a, null: drop}}", at: "drop", want: "there is send, skip, clear"},
		{flow: "map: {x: a, x: b}", at: "x: ***", want: "`x` is there twice"},
		{flow: "nulls: sned", at: "sned", want: "did you mean `send`?"},
		{flow: "tolerance: {x: -1}", at: "-1", want: "is not a number from 0 on"},
		{flow: "match: [a, a]", at: "a]", want: "names a field twice"},
		{flow: "deliver: {batch: 0}", at: "0}", want: "is not from 1 to 100000"},
		{flow: "deliver: {retry: {from: 1h, to: 1s}}", at: "{from: 1h", want: "`from` is longer than `to`"},
		{flow: "deletes: {max_share: 101%}", at: "101%", want: "is more than 100%"},
		{flow: "deletes: {max_share: 0.1}", at: "0.1", want: "is not a share such as 10%"},
		{flow: "values: {v: {csv: none.csv, key: a, value: b}}", at: "none.csv", want: "cannot be read: no such file"},
		{flow: "values: {v: {csv: none.csv, key: a}}", at: "{csv", want: "needs `value`"},
		{flow: "where: ''", at: "''", want: "`flows.f.where` is empty"},
		{file: "retention: 1m", at: "1m", want: "is not between 1h and 36500d"},
		{file: "peers: {}", at: "peers", want: "unknown key `peers`"},
		{file: "log: {level: loud}", at: "loud", want: "there is debug, info, warn, error"},
		{file: "x-y: &x {a: 1}\nlog: {<<: 3}", at: "3}", want: "<< takes an alias of a mapping"},
		{file: "x-y: &x {<<: *x}\nlog: *x", at: "*x}", want: "contains itself"},
		{file: "log: [x]", at: "[x]", want: "takes settings below it"},
		{file: strings.Repeat("n", 201) + ": 1", at: "nnn", want: "at most 200 characters"},
		{file: "log: {[a]: b}", at: "[a]", want: "a name is a plain text"},
	} {
		text := minimal(tc.system, tc.flow, tc.file)
		_, err := parse(t, text)
		got := problems(t, err)
		if len(got) != 1 {
			t.Errorf("%+v gives %d problems: %v", tc, len(got), err)
			continue
		}
		p := got[0]
		if !strings.Contains(p.Message+"; "+p.Hint, tc.want) {
			t.Errorf("%+v says %q; %q", tc, p.Message, p.Hint)
		}
		if shown := string([]rune(p.Source)[p.Caret-1:]); !strings.HasPrefix(shown, tc.at) {
			t.Errorf("%+v points at %q\n%v", tc, shown, p)
		}
		line := []rune(strings.Split(text, "\n")[p.Pos.Line-1])
		if at, _, _ := strings.Cut(tc.at, "***"); !strings.HasPrefix(string(line[p.Pos.Col-1:]), strings.TrimSuffix(at, " ")) {
			t.Errorf("%+v is said to be at %s", tc, p.Pos)
		}
	}
}

func TestMistakesBetweenParts(t *testing.T) {
	head := "systems:\n  db: {type: database, dsn: x}\n  out: {type: sink}\n  in: {type: feed}\n  dir: {type: folder, path: p}\nflows:\n  f:\n    "
	for _, tc := range []struct{ flow, want string }{
		{"from: {system: bd, stream: s, track: {by: snapshot}}\n    to: {system: dir, stream: s}", "there is no system \"bd\"; did you mean `db`?"},
		{"from: {system: out, stream: s, track: {by: snapshot}}\n    to: {system: dir, stream: s}", "out is a sink system, which cannot be read"},
		{"from: {system: db, stream: s, track: {by: snapshot}}\n    to: {system: in, stream: s}", "in is a feed system, which cannot be written to"},
		{"from: {system: dir, stream: s, track: {by: timestamp, field: x}}\n    to: {system: db, stream: s}", "which cannot be tracked by timestamp; it offers snapshot"},
		{"from: {system: db, stream: s, track: {by: timestamp}}\n    to: {system: dir, stream: s}", "`flows.f.from.track` by timestamp needs `field`"},
		{"from: {system: db, stream: s, track: {by: snapshot, field: x}}\n    to: {system: dir, stream: s}", "`flows.f.from.track.field` has no use with snapshot"},
		{"from: {system: db, stream: s, track: {by: magic}}\n    to: {system: dir, stream: s}", "cannot be \"magic\"; there is timestamp, version, flag, trigger, log, snapshot"},
		{"from: {system: db, stream: s, track: {by: trigger}}\n    to: {system: dir, stream: s}", "which cannot be tracked by trigger; it offers snapshot, timestamp"},
		{"from: {system: db, stream: s, track: {by: snapshot, sweep: 15m}}\n    to: {system: dir, stream: s}", "`flows.f.from.track.sweep` has no use with snapshot"},
		{"from: {system: db, stream: s, track: {by: version, per: record, field: n, sweep: 15m}}\n    to: {system: dir, stream: s}", "`flows.f.from.track.sweep` has no use with `per: record`"},
		{"from: {system: db, stream: s, track: {by: timestamp, field: x, name: y}}\n    to: {system: dir, stream: s}", "`flows.f.from.track.name` has no use with timestamp"},
		{"from: {system: db, stream: s}\n    to: {system: dir, stream: s}", "`flows.f.from` needs `track`"},
		{"from: {system: db, stream: s, track: {by: snapshot}}\n    to: {system: db, stream: s}", "into the stream that it reads"},
		{"from: {system: db, stream: s, track: {by: snapshot}}\n    to: {system: dir, stream: s, on_delete: disable}", "needs `disable`"},
		{"from: {system: db, stream: s, track: {by: snapshot}}\n    to: {system: dir, stream: s, disable: {a: 1}}", "has no use with `on_delete: delete`"},
		{"from: {system: db, stream: s, track: {by: snapshot}}", "`flows.f` needs `to`"},
	} {
		_, err := parse(t, head+tc.flow+"\n")
		got := problems(t, err)
		if len(got) != 1 || !strings.Contains(got[0].Message+"; "+got[0].Hint, tc.want) {
			t.Errorf("%s\nwant %s\ngot %v", tc.flow, tc.want, err)
		}
	}
}

// All problems of a file come at once, in the order of the file.
func TestAllAtOnce(t *testing.T) {
	_, err := parse(t, `stor: x
systems:
  pim: {type: databse, dsn: abc}
  no good: {type: folder, path: x}
  c: {path: y}
flows:
  a:
    from: {system: pmi, stream: x, track: {by: timestmp}}
    to: {system: pim, stream: y, on_delete: disable}
    window: 6-23
    map: {n: 0777, m: {}}
`)
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, fmt.Sprintf("%d:%d", p.Pos.Line, p.Pos.Col))
	}
	if want := "1:1 3:15 4:3 5:6 8:20 8:48 9:9 10:13 11:14 11:23"; strings.Join(got, " ") != want {
		t.Errorf("problems at %v, want %s\n%v", got, want, err)
	}
	f := lockstep.FaultOf(err)
	if f.Code != lockstep.CodeConfig || f.Kind != lockstep.Invalid {
		t.Errorf("the fault is %s, %s", f.Code, f.Kind)
	}
}

func TestNotYAML(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "holds no settings",
		"# nothing\n":             "holds no settings",
		"- a\n":                   "takes settings below it (`name: value`), not a list",
		"a\n":                     "takes settings below it (`name: value`), not a single value",
		"a: 1\n---\nb: 2\n":       "more than one document",
		"log: *nope\n":            "lockstep.yaml:1:6: not valid YAML: unknown anchor 'nope' referenced",
		"a: b: c\n":               "lockstep.yaml:1:5: not valid YAML",
		"log:\n\tlevel: info\n":   "indent with spaces, not tabs",
		"a: \xff\n":               "is not UTF-8",
		"log: {level: info\nx: 1": "lockstep.yaml:2:2",
	} {
		_, err := parse(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q says %v", text, err)
		}
	}
	if _, err := parse(t, "# "+strings.Repeat("x", MaxFile)); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a large file says %v", err)
	}
}

// Law 12: nothing that may be a secret is in any error or in any form of a Config.
func TestSecretsStayInside(t *testing.T) {
	const secret = "hush"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte("db://hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	parseIn := func(text string) (*Config, error) {
		return Parse(filepath.Join(dir, "lockstep.yaml"), []byte(text), connectors(), func(string) (string, bool) { return "hush", true })
	}
	c, err := parseIn(strings.Replace(minimal("", "", ""), "${DSN}", "file:dsn", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.System("a").Settings().Text("dsn"); got != "db://hush" {
		t.Errorf("the file's secret is read as %q", got)
	}
	asJSON, _ := json.Marshal(c)
	shownJSON, _ := json.Marshal(c.System("a").Shown())
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "c", c, "s", *c.System("a"), "shown", c.System("a").Shown(), "secret", NewSecret(secret))
	for _, text := range []string{
		string(asJSON), string(shownJSON), logged.String(), fmt.Sprintf("%v %+v %#v", *c.System("a"), *c.System("a"), *c.System("a")),
		fmt.Sprintf("%v %+v %#v %s %q %x", NewSecret(secret), NewSecret(secret), NewSecret(secret), NewSecret(secret), NewSecret(secret), NewSecret(secret)),
	} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("a secret shows in %s", text)
		}
	}
	if !strings.Contains(string(shownJSON), `"dsn":"***"`) || !strings.Contains(string(shownJSON), `"schema":"public"`) {
		t.Errorf("shown: %s", shownJSON)
	}

	for _, text := range []string{
		"systems: {a: {type: database, dsn: hush, bad: 1}}\nflows: {}",
		"systems: {a: {type: database, dns: hush}}\nflows: {}",
		"systems: {a: {type: databse, dsn: hush}}\nflows: {}",
		"systems: {a: {dsn: hush}}\nflows: {}",
		"systems: {a: {type: database, dsn: [hush, x], mode: y}}\nflows: {}",
		"systems: {a: {type: database, dsn: {hush: hush}}}\nflows: {}",
		"systems: {a: {type: database, dsn: !tag hush, x: y}}\nflows: {}",
		"systems: {a: {type: database, dsn: x, dsn: hush}}\nflows: {}",
		"systems:\n  a:\n    type: database\n    bad: 1 # dsn was hush\n    dsn: |\n      line\n      hush\n    mode: bad\nflows: {}",
		"systems: {a: {type: database, dsn: \"hush\", schema: '', password: {x: hush}}}\nflows: {}",
		"systems: {a: {type: database, dsn: '${NONE:-hush}', bad: 1}}\nflows: {}",
		"systems: {a: {type: database, dsn: '${V}hush', bad: 1}}\nflows: {}",
		"systems: {a: {type: database, dsn: 'file:${V}', bad: 1}}\nflows: {}",
		"x-a: &x hush\nsystems: {a: {type: database, dsn: *x, bad: 1}}\nflows: {}",
		"x-a: &x {dsn: hush, bad: 1}\nsystems: {a: {<<: *x, type: database}}\nflows: {}",
		"systems: {a: {type: database, dsn: file:/nowhere/at/all, schema: https://me:hush@host/, mode: https://me:hush@host/}}\nflows: {}",
		"systems: {a: {type: database, dsn: x, mode: ${V}, connections: ${V}, timeout: ${V}, max_record: ${V}, tls: ${V}}}\nflows: {}",
		"zone: ${V}\nlog: {level: ${V}}\nretention: ${V}\nsystems: {}\nflows: {}",
		minimal("", "window: ${V}\nfull: {cron: '${V} x'}", ""),
		minimal("", "window: ['06:00-08:00', '${V}']\ntolerance: {x: '${V}'}\npriority: {create: '${V}'}\ndeletes: {max_share: '${V}'}", ""),
		minimal("limits: {rate: '${V}', rows: '${V}', bytes: '${V}'}", "values: {x: {csv: '${V}', key: a, value: b}}", ""),
		minimal("allow: {x: [a]}", "", "") + "  g:\n    from: {system: '${V}', stream: '${V}', track: {by: '${V}'}}\n    to: {system: '${V}', stream: x}\n",
		"systems: {a: {type: '${V}'}}\nflows: {}",
		"systems:\n  a: {type: database, dsn: \"hush}\nflows: {}",
		"systems:\n  a:\n    token: |\n      hush\n\t\thush\nflows: {}",
		"systems:\n  a:\n    password: hush: x\n",
	} {
		_, err := parseIn(text)
		if err == nil {
			t.Errorf("%s\nis taken", text)
			continue
		}
		asJSON, _ := json.Marshal(problems(t, err))
		if all := err.Error() + string(asJSON); strings.Contains(all, secret) {
			t.Errorf("%s\nshows a secret:\n%v", text, all)
		}
	}
}

// A file that is wrong all over is answered soon, and in bounds.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "unknown%d: {a: secret}\n", i)
	}
	b.WriteString("systems: {a: {type: folder, path: x, " + strings.Repeat("n", 300) + ": y}}\nflows: {}")
	_, err := parse(t, b.String())
	if n := len(problems(t, err)); n != maxFound || strings.Count(err.Error(), "\n") > 4*maxShown || !strings.HasSuffix(err.Error(), "… and 900 more") {
		t.Errorf("%d problems", n)
	}
}

func TestVariables(t *testing.T) {
	for in, want := range map[string]string{
		"${DSN}":                 "db://user:hush@host/x",
		"a ${STREAM} ${STREAM}b": "a Product Productb",
		"${NOPE:-x}":             "x",
		"${EMPTY:-x}":            "x",
		"x${EMPTY}":              "x",
		"${NOPE:-}y":             "y",
		"$${DSN}":                "${DSN}",
		"$ {DSN} $DSN":           "$ {DSN} $DSN",
	} {
		c, err := parse(t, minimal("schema: '"+in+"'", "", ""))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := c.System("a").Settings().Text("schema"); got != want {
			t.Errorf("%s is %q, not %q", in, got, want)
		}
	}
	_, err := parse(t, minimal("schema: ${NOPE}", "", ""))
	if f := lockstep.FaultOf(err); f.Code != lockstep.CodeSecret {
		t.Errorf("a missing variable alone is %s", f.Code)
	}
}

func TestAliasesAndMerges(t *testing.T) {
	c := must(t, "x-d: &d {batch: 3, concurrency: 9}\nx-e: &e {concurrency: 8, rate: 5/s}\n"+
		minimal("streams: &s {one: &k {key: id}, two: *k}", "deliver: {<<: [*d, *e], batch: 7}\npages: &p {rows: 5}", "")+
		"  g:\n    from: {system: a, stream: s, track: {by: snapshot}}\n    to: {system: b, stream: u}\n    pages: *p\n")
	if got := fmt.Sprintf("%+v", c.Flow("f").Deliver); got != "{Batch:7 Concurrency:9 Rate:5/s Retry:{Attempts:8 From:1s To:10m0s} Transfer:auto}" {
		t.Error(got)
	}
	if c.Flow("g").Pages.Rows != 5 || len(c.System("a").Settings().Table("streams")) != 2 {
		t.Errorf("%+v", c.Flow("g").Pages)
	}
	bomb := "x-0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("x-%d: &x%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), 10), ", "))
	}
	_, err := parse(t, bomb+minimal("", "map: {a: {const: *x8}}", ""))
	if err == nil || !strings.Contains(err.Error(), "too large or nested too deeply") {
		t.Errorf("a bomb of aliases says %v", err)
	}
	_, err = parse(t, minimal("", "map: {a: {const: "+strings.Repeat("[", 500)+strings.Repeat("]", 500)+"}}", ""))
	if err == nil || !strings.Contains(err.Error(), "too large or nested too deeply") {
		t.Errorf("deep nesting says %v", err)
	}
}

func TestHints(t *testing.T) {
	names := []string{"timestamp", "version", "flag", "snapshot", "trigger", "log"}
	for word, want := range map[string]string{"timestmp": "timestamp", "snaphsot": "snapshot", "LOG": "log", "lg": "log", "webhook": "", "": ""} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest to %q is %q, not %q", word, got, want)
		}
	}
	if d := distance(strings.Repeat("x", 1<<20), "y"); d > 100 {
		t.Error(d)
	}
}

func TestFilesOfValues(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good.csv", "\ufeffcode,name\nr,Red\ng,\"Gre,en\"\n")
	write("double.csv", "code,name\nr,1\nr,2\n")
	write("ragged.csv", "code,name\nr\n")
	write("empty.csv", "")
	for file, want := range map[string]string{
		"good.csv": "", "double.csv": "line 3 has a key that was there already", "ragged.csv": "is not a CSV file", "empty.csv": "has no header",
		".": "cannot be read",
	} {
		c, err := Parse(filepath.Join(dir, "l.yaml"), []byte(minimal("", "values: {v: {csv: "+file+", key: code, value: name}}", "")), connectors(), testEnv)
		if want == "" {
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.Flows[0].Values[0].Values); got != "map[g:Gre,en r:Red]" {
				t.Error(got)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s says %v", file, err)
		}
	}
	_, err := Parse(filepath.Join(dir, "l.yaml"), []byte(minimal("", "values: {v: {csv: good.csv, key: cod, value: name}}", "")), connectors(), testEnv)
	if err == nil || !strings.Contains(err.Error(), "its columns are code, name") {
		t.Errorf("a wrong column says %v", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "none.yaml"), connectors())
	if lockstep.FaultOf(err).Code != lockstep.CodeFile {
		t.Errorf("a missing file is %v", err)
	}
	if _, err := Load(dir, connectors()); lockstep.FaultOf(err).Code != lockstep.CodeFile {
		t.Errorf("a folder is %v", err)
	}
	t.Setenv("DSN", "x")
	file := filepath.Join(dir, "lockstep.yaml")
	if err := os.WriteFile(file, []byte(minimal("", "", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, connectors())
	if err != nil {
		t.Fatal(err)
	}
	if c.Store != filepath.Join(dir, "lockstep.db") || c.Socket != filepath.Join(dir, "lockstep.sock") {
		t.Errorf("store %s, socket %s", c.Store, c.Socket)
	}
	if got := c.System("b").Settings().Text("path"); got != filepath.Join(dir, "out") {
		t.Errorf("the folder is %s", got)
	}
}
