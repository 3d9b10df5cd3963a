//go:build linux

package trial

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

// smallDisk mounts a tmpfs of a few pages; grow gives it room.
func (p *place) smallDisk(name, size string) (grow func()) {
	p.t.Helper()
	if os.Geteuid() != 0 {
		p.t.Skip("needs root, to mount a small disk")
	}
	p.mkdir(name)
	dir := p.path(name)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		p.t.Skipf("cannot mount a small disk: %v", err)
	}
	p.t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			p.t.Error(err)
		}
	})
	return func() {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
			p.t.Fatal(err)
		}
	}
}

const diskYAML = `
store: %s
systems:
  lite: {type: sqlite, path: src.db}
  out:  {type: file, path: %s}
  near: {type: sqlite, path: near.db, create: true}
flows:
  wide:
    from: {system: lite, stream: wide, track: {by: snapshot}}
    to:   {system: out, stream: wide, create: true}
    deliver: {retry: {attempts: 2, from: 10ms, to: 20ms}}
  small:
    from: {system: lite, stream: small, track: {by: snapshot}}
    to:   {system: near, stream: small, create: true}
    deliver: {retry: {attempts: 2, from: 10ms, to: 20ms}}
`

// The disk of a file target is full: one error, the other flow is delivered, and with room again all comes level.
func TestTargetsDiskFull(t *testing.T) {
	p := newPlace(t)
	grow := p.smallDisk("out", "1m")
	src := openDB(t, "sqlite", p.path("src.db"))
	exe(t, src, `CREATE TABLE wide (id INTEGER PRIMARY KEY, note TEXT)`, `CREATE TABLE small (id INTEGER PRIMARY KEY)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO wide SELECT i, hex(randomblob(5000)) FROM n`,
		`INSERT INTO small VALUES (1), (2)`)
	h := p.house(fmt.Sprintf(diskYAML, "lockstep.db", "out"))
	_, err := try(h, app.Request{Do: app.DoSync})
	oneFault(t, err, lockstep.CodeFile, "disk is full", "wide")
	near := openDB(t, "sqlite", p.path("near.db"))
	sameRows(t, "the neighbour", rows(t, near, `SELECT count(*) FROM small`), []string{"'2'"})
	if left := parked(t, h, "wide"); len(left) > 0 {
		t.Errorf("parked, though no record is to blame: %v", left)
	}
	grow()
	exe(t, src, `UPDATE wide SET note = 'short' WHERE id = 3`, `DELETE FROM wide WHERE id = 4`)
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	p.close(h)
	header, records := readCSV(t, p.path("out/wide.csv"))
	if len(header) != 2 || len(records) != 399 {
		t.Errorf("%q, %d records, want 399", header, len(records))
	}
}

// The store's disk is full, in the middle of a full sync: that is what the sync says, nothing is lost, and
// with room again a sync brings all level.
func TestStoresDiskFull(t *testing.T) {
	for _, track := range []string{"by: snapshot", "by: timestamp, field: changed"} {
		t.Run(strings.Split(track, ",")[0][4:], func(t *testing.T) {
			p := newPlace(t)
			grow := p.smallDisk("store", "2m")
			src := openDB(t, "sqlite", p.path("src.db"))
			stamp := time.Now().UTC().Format(time.RFC3339)
			exe(t, src, `CREATE TABLE item (id TEXT PRIMARY KEY, note TEXT, changed TIMESTAMPTZ)`,
				`INSERT INTO item VALUES ('first', 'one', '`+stamp+`')`)
			cfg := fmt.Sprintf(`
store: store/lockstep.db
systems:
  lite: {type: sqlite, path: src.db}
  near: {type: sqlite, path: near.db, create: true}
flows:
  items:
    from: {system: lite, stream: item, track: {%s}}
    to:   {system: near, stream: item, create: true}
    deliver: {retry: {attempts: 2, from: 10ms, to: 20ms}}
`, track)
			h := p.house(cfg)
			do(t, h, app.Request{Do: app.DoSync})
			exe(t, src, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
				INSERT INTO item SELECT 'a key that is long enough to fill the disk of a store ' || i, 'note ' || i, '`+stamp+`' FROM n`)
			_, err := try(h, app.Request{Do: app.DoSync})
			for _, f := range faults(err) { // of the capture, and of the delivery beside it
				if f.Code != lockstep.CodeStoreFull {
					t.Errorf("want %s only: %v", lockstep.CodeStoreFull, err)
				}
			}
			if err == nil {
				t.Error("a sync on a full disk went well")
			}
			grow()
			do(t, h, app.Request{Do: app.DoSync})
			level(t, h)
			near := openDB(t, "sqlite", p.path("near.db"))
			sameRows(t, "all", rows(t, near, `SELECT id, note FROM item ORDER BY id`), rows(t, src, `SELECT id, note FROM item ORDER BY id`))
		})
	}
}
