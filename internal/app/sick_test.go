package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// A file that is no CSV at all harms its own flow only, also when the house is opened with it; mended, it goes.
func TestUnreadableFileHarmsItsFlowOnly(t *testing.T) {
	p := newPlace(t)
	dir := filepath.Join(p.dir, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good.csv", "id,name\n1,one\n")
	write("bad.csv", "\xff\xfei\x00d\x00,\x00n\x00\n\x00")
	out := p.db("out.db", `CREATE TABLE good (id TEXT PRIMARY KEY, name TEXT)`, `CREATE TABLE bad (id TEXT PRIMARY KEY, name TEXT)`)
	h := p.open(p.must(`
systems:
  in:  {type: file, path: ` + dir + `, streams: {good: {key: id}, bad: {key: id}}}
  out: {type: sqlite, path: ` + filepath.Join(p.dir, "out.db") + `}
flows:
  good:
    from: {system: in, stream: good, track: {by: snapshot}}
    to:   {system: out, stream: good}
  bad:
    from: {system: in, stream: bad, track: {by: snapshot}}
    to:   {system: out, stream: bad}
`))
	_, err := try(t.Context(), h, Request{Do: DoSync})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeFormat || f.About.Flow != "bad" {
		t.Errorf("want one %s of the flow: %v", lockstep.CodeFormat, err)
	}
	if got := rows(t, out, "SELECT id, name FROM good"); len(got) != 1 {
		t.Errorf("the healthy flow brought %v", got)
	}
	write("bad.csv", "id,name\n2,two\n")
	ask(t, h, Request{Do: DoSync})
	if got := rows(t, out, "SELECT id, name FROM bad"); len(got) != 1 || got[0] != "2|two" {
		t.Errorf("mended, it brought %v", got)
	}
}
