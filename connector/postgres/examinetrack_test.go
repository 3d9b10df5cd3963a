package postgres_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// allFindings are what Examine says, one line each.
func allFindings(t *testing.T, s source, r lockstep.Read) string {
	t.Helper()
	found, err := s.Examine(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Level+": "+f.What+" | "+f.Next)
	}
	return strings.Join(lines, "\n")
}

func TestExamineTrackers(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE items (id int PRIMARY KEY, v text, n bigint, changed boolean)`, `CREATE TABLE heir () INHERITS (items)`)
	role, as := testkit.Role(t, dsn)
	exec(t, dsn, `GRANT SELECT ON items TO `+role)
	s, poor := open(t, lockstep.Settings{"dsn": dsn}).(source), open(t, lockstep.Settings{"dsn": as}).(source)
	for _, c := range []struct {
		track     lockstep.Track
		s         source
		do        string
		want, not []string
	}{
		{track: lockstep.Track{By: lockstep.Version, Field: "n"}, s: s, want: []string{"note: deletes are not seen", "no number twice", "rows without a number", "warning: no index begins with n", "ok: open transactions are seen"}},
		{track: lockstep.Track{By: lockstep.Version, Field: "n"}, s: poor, do: `CREATE INDEX ON items (n)`, want: []string{"GRANT pg_read_all_stats"}, not: []string{"no index"}},
		{track: lockstep.Track{By: lockstep.Flag, Field: "changed"}, s: s, want: []string{"must be set by the application", "may be null", `ON "public"."items" ("id") WHERE "changed"`}, not: []string{"error:"}},
		{track: lockstep.Track{By: lockstep.Flag, Field: "changed"}, s: poor, do: `CREATE INDEX ON items (id) WHERE changed`, want: []string{`error: the user may not take the marks away: the same rows would come with every poll | GRANT UPDATE ("changed")`}, not: []string{"no index"}},
		{track: lockstep.Track{By: lockstep.Trigger}, s: s, want: []string{"error: there is no change table", "track install", "TRUNCATE", "warning: other tables inherit"}},
	} {
		if c.do != "" {
			exec(t, dsn, c.do)
		}
		r := lockstep.Read{Stream: "items", Track: c.track}
		got := allFindings(t, c.s, r)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in:\n%s", c.track.By, want, got)
			}
		}
		for _, not := range c.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q should not be in:\n%s", c.track.By, not, got)
			}
		}
		if c.track.By == lockstep.Version || c.s == poor {
			continue
		}
		if _, err := s.Install(t.Context(), r, false); err != nil {
			t.Fatal(err)
		}
		if got := allFindings(t, s, r); !strings.Contains(got, "ok: a trigger sets changed") && !strings.Contains(got, "ok: the change table") {
			t.Errorf("%s, installed:\n%s", c.track.By, got)
		}
	}
}
