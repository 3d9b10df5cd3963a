package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// flagger is the trigger that sets a mark, for applications that do not set it themselves.
type flagger struct {
	plan    *sqlkit.Plan
	mark    *sqlkit.Column
	sql     string // the quoted name of its function
	name    string
	trigger string
	marker  string
}

func flagMarker(r lockstep.Read) string { return "lockstep flag 1 of stream " + r.Stream + ", " }

func flagName(r lockstep.Read) string { return sqlkit.TrackName(r, nameLimit) + "_f" }

func flaggerOf(p *sqlkit.Plan, r lockstep.Read) (*flagger, error) {
	mark, err := p.Mark()
	if err != nil {
		return nil, err
	}
	f := &flagger{plan: p, mark: mark, name: flagName(r)}
	f.sql = p.Table.Info.(tableInfo).schema + "." + sqlkit.Quote(f.name)
	// Triggers fire in the order of their names. It is to be the first: what others change then is no change of the
	// application's, and would set the mark again whenever it is taken away.
	f.trigger = sqlkit.Quote("00_" + sqlkit.TrackName(r, nameLimit))
	f.marker = flagMarker(r) + hex.EncodeToString(sha256Of(f.body()))
	return f, nil
}

func sha256Of(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:8]
}

// body marks each row that is inserted, and each whose update changes more than the mark. An application that writes all
// columns back, the mark as it once read it among them, does not undo that.
func (f *flagger) body() string {
	mark, set := sqlkit.Quote(f.mark.Name), "1"
	if f.mark.Type.Kind == value.BoolType {
		set = "true"
	}
	var same strings.Builder
	idle, _ := f.plan.Table.Idle(f.mark.Name)
	for _, c := range idle {
		name := sqlkit.Quote(c.Name)
		same.WriteString("\t\tlockstep_row." + name + " := OLD." + name + ";\n")
	}
	return "DECLARE\n\tlockstep_row record := NEW;\nBEGIN\n\tIF TG_OP = 'UPDATE' THEN\n" + same.String() +
		"\t\tIF lockstep_row *<> OLD THEN NEW." + mark + " := " + set + "; END IF;\n\tELSE\n\t\tNEW." + mark + " := " + set + ";\n\tEND IF;\n\tRETURN NEW;\nEND"
}

const flagStateSQL = `SELECT c.relkind, pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'TRIGGER'), has_schema_privilege(c.relnamespace, 'CREATE'),
	(SELECT count(*) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid WHERE g.tgrelid = c.oid AND p.proname = $2 AND g.tgenabled IN ('O', 'A')
		AND obj_description(p.oid, 'pg_proc') = $3)
FROM pg_class c WHERE c.oid = $1::oid`

// state is what is there: triggers is 1 where the trigger is as it should be.
func (f *flagger) state(ctx context.Context, c link) (st state, err error) {
	row, err := c.one(ctx, flagStateSQL, strconv.FormatUint(uint64(f.plan.Table.Info.(tableInfo).oid), 10), f.name, f.marker)
	if err != nil || row == nil {
		return st, err
	}
	n, _ := strconv.Atoi(row[4])
	return state{kind: row[0], owner: row[1] == "t", mayTrack: row[2] == "t", mayCreate: row[3] == "t", triggers: n}, nil
}

func (s *System) installFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	f, err := flaggerOf(p, r)
	if err != nil {
		return "", err
	}
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	st, err := f.state(ctx, conn)
	switch {
	case err != nil || st.triggers > 0:
		return "", err
	case kinds[st.kind] != "":
		return "", sqlkit.CannotTrack(p.Table, kinds[st.kind])
	}
	if !dry {
		if err := (&changeTable{plan: p, schema: p.Table.Info.(tableInfo).schema}).mayInstall(st); err != nil {
			return "", err
		}
	}
	old, err := conn.ours(ctx, f.name, flagMarker(r))
	if err != nil {
		return "", err
	}
	script := ""
	for _, o := range old {
		if o.sql == f.sql {
			script = "DROP FUNCTION " + o.sql + "() CASCADE;\n"
		}
	}
	script += fmt.Sprintf("CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %s;\nCOMMENT ON FUNCTION %s() IS %s;\n", f.sql, dollar(f.body()), f.sql, literal(f.marker)) +
		fmt.Sprintf("CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s();\n", f.trigger, p.Table.SQL, f.sql)
	if st.owner {
		script += fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s;\n", p.Table.SQL, f.trigger)
	}
	script = transaction(script)
	if !dry {
		_, err = conn.pg.Exec(ctx, script).ReadAll()
	}
	return script, err
}

func (s *System) removeFlag(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	found, err := conn.ours(ctx, flagName(r), flagMarker(r))
	if err != nil || len(found) == 0 {
		return "", err
	}
	script := ""
	for _, f := range found {
		script += "DROP FUNCTION " + f.sql + "() CASCADE;\n"
	}
	script = transaction(script)
	if !dry {
		_, err = conn.pg.Exec(ctx, script).ReadAll()
	}
	return script, err
}
