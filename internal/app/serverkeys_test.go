package app

import (
	"path/filepath"
	"testing"
)

// A target that could choose its keys does not choose them where the mapping gives them: what is looked at before it
// is written is found by its key.
func TestMappingGivesTheKeyOfARowidTable(t *testing.T) {
	p := newPlace(t)
	p.db("a.db", `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)`, `INSERT INTO item VALUES (7, 'seven'), (8, 'eight')`)
	out := p.db("b.db", `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)`)
	h := p.open(p.must(`
systems:
  a: {type: sqlite, path: ` + filepath.Join(p.dir, "a.db") + `}
  b: {type: sqlite, path: ` + filepath.Join(p.dir, "b.db") + `}
flows:
  items:
    from: {system: a, stream: item, track: {by: snapshot, every: 1h}}
    to:   {system: b, stream: item}
`))
	file := filepath.Join(p.dir, "plan.jsonl")
	ask(t, h, Request{Do: DoPlan, PlanFile: file})
	ask(t, h, Request{Do: DoApply, PlanFile: file})
	for _, e := range ask(t, h, Request{Do: DoParked}) {
		t.Errorf("parked: %+v", e.Entry)
	}
	if got := rows(t, out, "SELECT id, name FROM item ORDER BY id"); len(got) != 2 || got[0] != "7|seven" {
		t.Errorf("%v", got)
	}
}
