package cli

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// TestMain is lockstep itself where the test binary is called so: what the tests start is the real program.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "lockstep" {
		os.Exit(Main("test"))
	}
	testkit.Main(m)
}

// binary is a folder that holds this test binary as lockstep.
func binary(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lockstep")
	if os.Link(self, path) == nil {
		return dir
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestScripts(t *testing.T) {
	run(t, "testdata/script", nil)
}

// Each of these scripts has a database of its own, $DSN.
func TestPostgresScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/postgres/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	dsn := map[string]string{}
	for _, s := range scripts {
		dsn["script-"+strings.TrimSuffix(filepath.Base(s), ".txtar")] = testkit.Postgres(t)
	}
	run(t, "testdata/postgres", dsn)
}

func run(t *testing.T, dir string, dsn map[string]string) {
	bin := binary(t)
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			e.Setenv("TZ", "UTC")
			e.Setenv("DSN", dsn[filepath.Base(e.WorkDir)])
			return nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sqlite":   sqliteCommand,
			"postgres": postgresCommand,
			"exits":    exitsCommand,
		},
	})
}

// exitsCommand is `exits CODE COMMAND…`: the program must end with exactly that code.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

// sqliteCommand is `sqlite FILE SQL…`; what the last statement finds is stdout, for cmp and stdout.
func sqliteCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sqlite FILE SQL...")
	}
	query(ts, "sqlite", ts.MkAbs(args[0]), args[1:])
}

// postgresCommand is `postgres SQL…` on $DSN.
func postgresCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: postgres SQL...")
	}
	query(ts, "pgx", ts.Getenv("DSN"), args)
}

// query runs statements; the rows of the last go to the script's file "rows", cells separated by |.
func query(ts *testscript.TestScript, driver, dsn string, statements []string) {
	db, err := sql.Open(driver, dsn)
	ts.Check(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	var out strings.Builder
	for _, s := range statements {
		out.Reset()
		rows, err := db.Query(s)
		ts.Check(err)
		columns, err := rows.Columns()
		ts.Check(err)
		for rows.Next() {
			cells, to := make([]sql.NullString, len(columns)), make([]any, len(columns))
			for i := range cells {
				to[i] = &cells[i]
			}
			ts.Check(rows.Scan(to...))
			for i, c := range cells {
				if i > 0 {
					out.WriteByte('|')
				}
				out.WriteString(c.String)
			}
			out.WriteByte('\n')
		}
		ts.Check(rows.Err())
		ts.Check(rows.Close())
	}
	ts.Check(os.WriteFile(ts.MkAbs("rows"), []byte(out.String()), 0o600))
}
