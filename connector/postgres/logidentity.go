package postgres

import (
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// texts reads an array of texts.
func texts(array string) ([]string, error) {
	v, err := parseArray(array, &value.Type{Kind: value.TextType})
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(v.List()))
	for _, item := range v.List() {
		out = append(out, item.Text())
	}
	return out, nil
}

// decodable says why a stream has no log.
func (id identity) decodable(t *sqlkit.Table) error {
	why := ""
	switch {
	case id.kind != "r" && id.kind != "p":
		why = "a view or a foreign table has no log of its own"
	case id.parent:
		why = "other tables inherit from it, and their rows would be missed"
	case id.lasting == "u":
		why = "the table is unlogged"
	case id.lasting != "p":
		why = "the table is temporary"
	default:
		return nil
	}
	return lockstep.Faultf(lockstep.CodeCannot, "%s cannot be tracked by log: %s", t.SQL, why)
}

// covers tells whether old rows hold the stream's key.
func (id identity) covers(t *sqlkit.Table) bool {
	return id.is == "FULL" || !slices.ContainsFunc(t.Stream.Key, func(k string) bool { return !slices.Contains(id.columns, k) })
}

// mend are the statements that make old rows hold the key. Where nothing holds yet, an index over the key costs least;
// where something does, others may need it, so all is kept.
func (id identity) mend(t *sqlkit.Table) []string {
	if id.covers(t) {
		return nil
	}
	to := "FULL"
	if len(id.columns) == 0 && id.index != "" && !id.parts {
		to = "USING INDEX " + id.index
	}
	return id.set(t, to)
}

func (id identity) set(t *sqlkit.Table, to string) []string {
	out := []string{"ALTER TABLE " + t.SQL + " REPLICA IDENTITY " + to}
	for _, leaf := range id.leaves { // each partition has its own
		out = append(out, "ALTER TABLE "+leaf+" REPLICA IDENTITY "+to)
	}
	return out
}

func (id identity) remember(publication, note string) string {
	return "COMMENT ON PUBLICATION " + sqlkit.Quote(publication) + " IS " + literal(note)
}

// restore puts back what was before us. Another publication of ours keeps it, and the note with it.
func (id identity) restore(t *sqlkit.Table) []string {
	if id.note == "" {
		return nil
	}
	if id.other != "" {
		return []string{"COMMENT ON PUBLICATION " + id.other + " IS " + literal(identityNote+id.note)}
	}
	set := id.is == "FULL" || id.index != "" && id.is == "USING INDEX "+id.index
	known := id.note == "DEFAULT" || id.note == "NOTHING" || strings.HasPrefix(id.note, `USING INDEX `) && !strings.ContainsAny(id.note, ";'")
	if !set || !known {
		return nil
	}
	return id.set(t, id.note)
}
