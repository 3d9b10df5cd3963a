package trial

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// place is a folder in which a job runs.
type place struct {
	t     *testing.T
	dir   string
	conns []lockstep.Connector
	open  map[*app.House]bool
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "trial")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &place{t: t, dir: dir, conns: all.All(), open: map[*app.House]bool{}}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) mkdir(names ...string) {
	p.t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(p.path(name), 0o700); err != nil {
			p.t.Fatal(err)
		}
	}
}

// house opens the house of a configuration text.
func (p *place) house(text string) *app.House {
	p.t.Helper()
	cfg, err := config.Parse(p.path("lockstep.yaml"), []byte(text), p.conns, os.LookupEnv)
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := app.Open(p.t.Context(), cfg, app.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.open[h] = true
	p.t.Cleanup(func() { p.close(h) })
	return h
}

// close closes a house, once; without it that is done at the test's end.
func (p *place) close(h *app.House) {
	p.t.Helper()
	if !p.open[h] {
		return
	}
	delete(p.open, h)
	if err := h.Close(); err != nil {
		p.t.Error(err)
	}
}

// do does a request that must go well and gives its run events, by flow, and the others as text.
func do(t *testing.T, h *app.House, req app.Request) map[string]app.Run {
	t.Helper()
	runs := map[string]app.Run{}
	var notes []string
	var drifted []app.Drift
	err := h.Do(context.Background(), req, func(e app.Event) error {
		switch {
		case e.Run != nil:
			runs[e.Run.Flow] = *e.Run
		case e.Drift != nil && len(notes) < 10:
			drifted = append(drifted, *e.Drift)
			notes = append(notes, fmt.Sprintf("%+v", *e.Drift))
		case e.Fault != nil:
			notes = append(notes, fmt.Sprintf("%+v", *e.Fault))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", req.Do, err, strings.Join(notes, "\n"))
	}
	if len(notes) > 0 {
		t.Logf("%s:\n%s", req.Do, strings.Join(notes, "\n"))
	}
	if req.Do == app.DoVerify {
		tellDrifted(t, h, drifted[:min(len(drifted), 3)])
	}
	return runs
}

// tellDrifted logs what is known of records that a verify has found different.
func tellDrifted(t *testing.T, h *app.House, drifted []app.Drift) {
	t.Helper()
	for i := range drifted {
		events, err := try(h, app.Request{Do: app.DoExplain, Flows: []string{drifted[i].Flow}, Keys: []lockstep.Key{drifted[i].Key}})
		for _, e := range events {
			told, err := json.MarshalIndent(e.Story, "", " ")
			t.Logf("the story of %s: %s (%v)", drifted[i].Key, told, err)
		}
		if err != nil {
			t.Logf("the story of %s: %v", drifted[i].Key, err)
		}
	}
}

// try does a request and gives its events without progress.
func try(h *app.House, req app.Request) ([]app.Event, error) {
	var events []app.Event
	err := h.Do(context.Background(), req, func(e app.Event) error {
		if e.Progress == nil {
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

// ask is try for a request that must go well.
func ask(t *testing.T, h *app.House, req app.Request) []app.Event {
	t.Helper()
	events, err := try(h, req)
	if err != nil {
		t.Fatalf("%s: %v", req.Do, err)
	}
	return events
}

// level fails the test unless a verify finds all flows level and nothing waits in a queue.
func level(t *testing.T, h *app.House) {
	t.Helper()
	for flow, r := range do(t, h, app.Request{Do: app.DoVerify}) {
		if c := r.Counts; c.Missing+c.Extra+c.Different+c.InFlight > 0 || c.Read == 0 {
			t.Errorf("verify of %s: %+v", flow, c)
		}
	}
	err := h.Do(context.Background(), app.Request{Do: app.DoStatus}, func(e app.Event) error {
		if s := e.Status; s != nil && s.Ready+s.Delayed+s.Waiting+s.Leased+s.Parked > 0 {
			t.Errorf("%s: %+v", s.Flow, *s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tellParked(t, h)
}

// tellParked logs the first entries that are parked, and why.
func tellParked(t *testing.T, h *app.House) {
	t.Helper()
	err := h.Do(context.Background(), app.Request{Do: app.DoParked, Max: 3}, func(e app.Event) error {
		if e.Entry != nil {
			t.Logf("parked: %+v %+v", e.Entry.Key, e.Entry.Fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// rows is a query's rows as text, one line each, for any database.
func rows(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = r.Close() }()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r.Next() {
		cells, to := make([]sql.NullString, len(cols)), make([]any, len(cols))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(cols))
		for i, c := range cells {
			if line[i] = "'" + c.String + "'"; !c.Valid {
				line[i] = "NULL"
			}
		}
		out = append(out, strings.Join(line, "|"))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameRows compares two lists of rows.
func sameRows(t *testing.T, what string, a, b []string) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%s: %d rows against %d", what, len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s, row %d:\n%s\n%s", what, i, a[i], b[i])
		}
	}
	if len(a) == 0 {
		t.Errorf("%s: no rows at all", what)
	}
}

// psql loads a script into a database by psql.
func psql(t *testing.T, dsn, script string) {
	t.Helper()
	cmd := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", dsn)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

func code(err error) lockstep.Code {
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f.Code
	}
	return ""
}
