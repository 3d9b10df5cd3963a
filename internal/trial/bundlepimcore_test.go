package trial

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// pimEvent is an event as Pimcore dispatches it.
type pimEvent struct {
	Event     string         `json:"event"`
	ID        int            `json:"id"`
	Path      string         `json:"path"`
	Class     string         `json:"class"`
	Type      string         `json:"type"`
	Arguments map[string]any `json:"arguments,omitempty"`
}

const bundlePimcoreYAML = `
api: {listen: %%s}
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes: {Product: {}}
  shop: {type: sqlite, path: shop.db, create: true}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate, every: 24h}}
    to:   {system: shop, stream: products, create: true}
    map: {id: id, sku: sku, path: fullpath, published: published}
    hook: {secrets: [` + hookSecret + `]}
`

// What the bundle tells is what the connector understands: a save, a draft, a moved folder and a delete come to a target
// by the bundle's notices alone.
func TestBundleTellsThePimcoreConnector(t *testing.T) {
	t.Parallel()
	php(t)
	pim, err := pimcore.New(pimcore.Options{Products: 40, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(pim)
	t.Cleanup(web.Close)
	d := newDaemon(t, fmt.Sprintf(bundlePimcoreYAML, web.URL+pim.Path(), pim.Key()))
	d.command("sync")
	shop := openDB(t, "sqlite", "file:"+filepath.Join(d.dir, "shop.db")+"?_pragma=busy_timeout(10000)")
	inShop := func() []string {
		return rows(t, shop, `SELECT id, sku, path FROM products ORDER BY CAST(id AS INTEGER)`)
	}
	inPim := func() (out []string) {
		ids := pim.IDs("Product")
		slices.Sort(ids)
		for _, id := range ids {
			o, _ := pim.Get(id)
			out = append(out, fmt.Sprintf("'%d'|'%v'|'%s'", id, o.Values["sku"], o.Fullpath))
		}
		return out
	}
	sameRows(t, "after the first sync", inPim(), inShop())
	d.start()

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ids := pim.IDs("Product")
	object := func(id int) pimcore.Object {
		o, _ := pim.Get(id)
		return o
	}
	saved, draft, gone := ids[0], ids[1], ids[len(ids)-1]
	was := object(gone)
	must(pim.Save(saved, map[string]any{"sku": "SAVED"}))
	must(pim.SaveVersion(draft, map[string]any{"sku": "DRAFT"}))
	must(pim.Delete(gone))
	folder := pim.ByPath("/Products/outdoor")
	must(pim.Rename(folder, "garden"))
	moved := slices.DeleteFunc(inPim(), func(row string) bool { return !strings.Contains(row, "/garden/") })
	if len(moved) < 5 {
		t.Fatalf("below the folder: %s", moved)
	}

	event := func(name string, o pimcore.Object, args map[string]any) pimEvent {
		return pimEvent{Event: "pimcore.dataobject." + name, ID: o.ID, Path: o.Fullpath, Class: o.Class, Type: o.Kind, Arguments: args}
	}
	j := job{
		Settings: map[string]any{"spool": filepath.Join(d.dir, "spool"), "timeout": 20, "targets": map[string]any{
			"t": map[string]any{"url": "http://" + d.address + "/hooks/products", "secret": hookSecret, "classes": []string{"Product"}},
		}},
		Events: []pimEvent{
			event("postUpdate", object(saved), nil),
			event("postUpdate", object(draft), map[string]any{"saveVersionOnly": true, "isAutoSave": false}),
			event("postUpdate", object(folder), map[string]any{"oldPath": "/Products/outdoor"}),
			event("postDelete", was, nil),
		},
	}
	save(t, j).end(t)
	until(t, "the notice is taken", func() bool {
		report := save(t, job{Settings: j.Settings, Send: true}).end(t).Reports["t"]
		return report.Waiting == 0 && report.Why == ""
	})
	want := inPim()
	until(t, "the target is as Pimcore is", func() bool { return slices.Equal(inShop(), want) || t.Failed() })
	sameRows(t, "by notices", want, inShop())
	if full := strings.Count(d.command("runs"), " full "); full != 1 {
		t.Errorf("%d full runs: they would hide a notice that is not understood", full)
	}
}
