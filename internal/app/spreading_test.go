package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// A flow does not claim to be level while news of what its records are made from have not reached them.
func TestNotLevelWhileNewsAreSpread(t *testing.T) {
	p := newPlace(t)
	for name, text := range map[string]string{"parts.csv": "id,name\n1,one\n", "goods.csv": "id,part\n7,1\n"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.db("out.db", `CREATE TABLE parts (id TEXT PRIMARY KEY, name TEXT)`, `CREATE TABLE goods (id TEXT PRIMARY KEY, part TEXT)`)
	h := p.open(p.must(`
systems:
  in:  {type: file, path: ` + p.dir + `, streams: {parts: {key: id}, goods: {key: id}}}
  out: {type: sqlite, path: ` + filepath.Join(p.dir, "out.db") + `}
flows:
  parts:
    from: {system: in, stream: parts, track: {by: snapshot}}
    to:   {system: out, stream: parts}
  goods:
    from: {system: in, stream: goods, track: {by: snapshot}}
    to:   {system: out, stream: goods}
    map: {id: id, part: part}
    built_from: {parts: part}
`))
	level := func() (goods, parts bool) {
		t.Helper()
		for _, e := range ask(t, h, Request{Do: DoStatus}) {
			if e.Status.Flow == "goods" {
				goods = e.Status.LevelUpTo != nil
			} else {
				parts = e.Status.LevelUpTo != nil
			}
		}
		return goods, parts
	}
	ask(t, h, Request{Do: DoSync})
	if goods, parts := level(); !goods || !parts {
		t.Fatalf("synced: goods %v, parts %v", goods, parts)
	}
	if err := h.store.Hint(t.Context(), "parts", []lockstep.Key{"1"}); err != nil {
		t.Fatal(err)
	}
	if goods, parts := level(); goods || !parts {
		t.Errorf("while news are spread: goods %v, parts %v", goods, parts)
	}
	ask(t, h, Request{Do: DoSync})
	if goods, parts := level(); !goods || !parts {
		t.Errorf("synced again: goods %v, parts %v", goods, parts)
	}
}
