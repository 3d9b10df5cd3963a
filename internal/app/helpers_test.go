package app

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/logging"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// place is a folder with a configuration, and what was logged and answered there.
type place struct {
	t      *testing.T
	dir    string
	env    map[string]string
	logged strings.Builder
	conns  []lockstep.Connector
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "ls") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &place{t: t, dir: dir, env: map[string]string{}, conns: all.All()}
}

// config parses a configuration of this place.
func (p *place) config(text string) (*config.Config, error) {
	env := func(name string) (string, bool) { v, ok := p.env[name]; return v, ok }
	return config.Parse(filepath.Join(p.dir, "lockstep.yaml"), []byte(text), p.conns, env)
}

func (p *place) must(text string) *config.Config {
	p.t.Helper()
	cfg, err := p.config(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return cfg
}

// open opens the house of a configuration.
func (p *place) open(cfg *config.Config) *House {
	p.t.Helper()
	log, err := logging.New(&p.logged, "debug", "json", Mask(cfg))
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := Open(p.t.Context(), cfg, Options{Log: log})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return h
}

// db opens a SQLite database of this place, and runs statements in it.
func (p *place) db(name string, statements ...string) *sql.DB {
	p.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close() })
	run(p.t, db, statements...)
	return db
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// rows is a query's rows, columns separated by |.
func rows(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r.Next() {
		cells := make([]sql.NullString, len(cols))
		to := make([]any, len(cols))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(cols))
		for i, c := range cells {
			if texts[i] = c.String; !c.Valid {
				texts[i] = "NULL"
			}
		}
		out = append(out, strings.Join(texts, "|"))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// ask does a request that must go well, and gives its events without progress.
func ask(t *testing.T, r Runner, req Request) []Event {
	t.Helper()
	events, err := try(t.Context(), r, req)
	if err != nil {
		t.Fatalf("%s: %v", req.Do, err)
	}
	return events
}

func try(ctx context.Context, r Runner, req Request) ([]Event, error) {
	var events []Event
	err := r.Do(ctx, req, func(e Event) error {
		if e.Event != ProgressEvent {
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

func code(err error) lockstep.Code {
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f.Code
	}
	return ""
}
