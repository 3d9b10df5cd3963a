package trial

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const pimcoreByTrigger = `
store: store.db
systems:
  pim: {type: pimcore, url: %s, api_key: %s, dsn: %q, languages: [en, de]}
  db: {type: sqlite, path: target.sqlite, create: true}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: trigger}}
    to: {system: db, stream: products}
    map: {id: id, sku: sku, name: name_en, place: fullpath, stock: stock}
  names:
    from: {system: pim, stream: Product, track: {by: trigger}}
    to: {system: db, stream: names}
    map: {id: id, german: name_de, published: published}
`

// Two flows share one outbox. After any edits, deletes, moves, inherited values and saves that come late among them,
// deltas alone keep both targets level: full syncs find nothing to do.
func TestPimcoreByTriggerStaysLevel(t *testing.T) {
	srv, err := sandbox.New(sandbox.Options{Products: 60})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dsn := testkit.MariaDB(t)
	must(srv.Mirror(t.Context(), dsn))
	p := newPlace(t)
	db := openDB(t, "sqlite", p.path("target.sqlite"))
	for _, table := range []string{"products (id TEXT PRIMARY KEY, sku TEXT, name TEXT, place TEXT, stock INTEGER)", "names (id TEXT PRIMARY KEY, german TEXT, published BOOLEAN)"} {
		if _, err := db.Exec("CREATE TABLE " + table); err != nil {
			t.Fatal(err)
		}
	}
	h := p.house(fmt.Sprintf(pimcoreByTrigger, web.URL+srv.Path(), srv.Key(), dsn))
	ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	for seed := range uint64(4) {
		must(srv.RandomEdits(40, seed))
		ids := srv.IDs("Product")
		commit := srv.SaveLate(ids[0], map[string]any{"stock": int(900 + seed)})
		must(srv.Save(ids[1], map[string]any{"stock": 7}))
		do(t, h, app.Request{Do: app.DoSync})
		must(commit())
		must(srv.SaveRolledBack(ids[1], map[string]any{"stock": 1}))
		do(t, h, app.Request{Do: app.DoSync})
		level(t, h)
	}
	for flow, r := range do(t, h, app.Request{Do: app.DoSync, Full: true}) {
		if c := r.Counts; c.Created+c.Updated+c.Deleted > 0 {
			t.Errorf("%s: a full sync finds what deltas missed: %+v", flow, c)
		}
	}
	ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackRemove})
}
