package magento

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// TestContract runs the contract of sources on products: a stream of the suite is products whose fields have the names
// that the suite asks for.
func TestContract(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Connector: Connector, New: newPlace, LoneKey: true, NoNull: true,
		Tracks: []connectortest.Track{{Track: lockstep.Track{By: lockstep.Timestamp, Overlap: -1}, Rereads: true}},
	})
}

// costume is products under the names of a stream of the suite. It is a source alone.
type costume struct {
	sys *System
	def lockstep.Stream
}

// inner is a field's name in Magento.
func (c *costume) inner(name string) string {
	switch name {
	case c.def.Key[0]:
		return "sku"
	case "changed":
		return updatedField
	}
	return "f_" + name
}

func newPlace(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
	return placeOf(t, "price", streams...)
}

// placeOf is a place whose numbers are attributes of a kind of input: Magento takes no negative price.
func placeOf(t *testing.T, numbers string, streams ...lockstep.Stream) connectortest.Place {
	return shopPlace(t, sandbox.Options{}, numbers, streams...)
}

func shopPlace(t *testing.T, o sandbox.Options, numbers string, streams ...lockstep.Stream) connectortest.Place {
	t.Helper()
	o.Open = true
	shop, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(shop)
	t.Cleanup(func() {
		srv.Close()
		_ = shop.Close()
	})
	c := &costume{def: streams[0]}
	for _, f := range c.def.Fields {
		if !strings.HasPrefix(c.inner(f.Name), "f_") {
			continue
		}
		input := "textarea"
		if f.Type.Kind == value.IntType || f.Type.Kind == value.DecimalType {
			input = numbers
		}
		must(t, shop, http.MethodPost, "products/attributes", map[string]any{"attribute": map[string]any{
			"attribute_code": c.inner(f.Name), "frontend_input": input, "scope": "global", "is_required": false, "default_frontend_label": f.Name}})
		must(t, shop, http.MethodPost, "products/attribute-sets/attributes", map[string]any{"attributeSetId": 4, "attributeGroupId": 7, "attributeCode": c.inner(f.Name), "sortOrder": 1})
	}
	return connectortest.Place{
		Open: func(ctx context.Context) (lockstep.System, error) {
			sys, err := Connector.Open(ctx, lockstep.Settings{"url": srv.URL, "token": "t"})
			if err != nil {
				return nil, err
			}
			return &costume{sys: sys.(*System), def: c.def}, nil
		},
		Put: func(t *testing.T, _ string, records ...value.Fields) {
			t.Helper()
			for _, f := range records {
				must(t, shop, http.MethodPost, "products", map[string]any{"product": c.product(f)})
			}
		},
		Delete: func(t *testing.T, _ string, keys ...lockstep.Key) {
			t.Helper()
			for _, k := range keys {
				if sku := skuOf(string(k)); shop.Has(sku) {
					must(t, shop, http.MethodDelete, "products/"+escape(sku), nil)
				}
			}
		},
	}
}

func must(t *testing.T, shop *sandbox.Server, method, path string, body any) {
	t.Helper()
	if _, err := shop.Rest(method, "/rest/all/V1/"+path, body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// skuOf is a key as a SKU: Magento takes blanks off its ends, keeps no characters of four bytes, and takes letters that
// differ by case as the same.
func skuOf(key string) string {
	for _, r := range key {
		if r > 0xffff || unicode.IsControl(r) || unicode.IsUpper(r) {
			return "hex" + hex.EncodeToString([]byte(key))
		}
	}
	if strings.TrimSpace(key) != key {
		return "hex" + hex.EncodeToString([]byte(key))
	}
	return key
}

func keyOf(sku string) string {
	if text, ok := strings.CutPrefix(sku, "hex"); ok {
		if b, err := hex.DecodeString(text); err == nil {
			return string(b)
		}
	}
	return sku
}

func (c *costume) product(f value.Fields) map[string]any {
	p := map[string]any{"attribute_set_id": 4, "price": 1}
	var custom []any
	for name, v := range f.All() {
		switch in := c.inner(name); {
		case in == "sku":
			p["sku"], p["name"] = skuOf(v.String()), "a product"
			custom = append(custom, map[string]any{"attribute_code": "url_key", "value": "u" + hex.EncodeToString([]byte(v.String()))})
		case in == updatedField:
		case v.IsNull():
			custom = append(custom, map[string]any{"attribute_code": in, "value": nil})
		default:
			custom = append(custom, map[string]any{"attribute_code": in, "value": v.String()})
		}
	}
	p["custom_attributes"] = custom
	return p
}

func (c *costume) Close() error { return c.sys.Close() }

func (c *costume) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	all, err := c.sys.Streams(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == productsStream {
			s.Name, s.Key, s.Fields, s.ReadOnly, s.DependsOn = c.def.Name, c.def.Key, c.def.Fields, true, nil
			s.TrackFields = nil
			return []lockstep.Stream{s}, nil
		}
	}
	return nil, fmt.Errorf("no products")
}

// read is a Read in Magento's words.
func (c *costume) read(r lockstep.Read) lockstep.Read {
	if r.Stream != c.def.Name {
		return r
	}
	r.Stream = productsStream
	if r.Track.Field != "" {
		r.Track.Field = c.inner(r.Track.Field)
	}
	if r.Fields == nil {
		return r
	}
	fields := []string{}
	for _, name := range r.Fields {
		fields = append(fields, c.inner(name))
	}
	r.Fields = fields
	return r
}

// record is a record in the suite's words.
func (c *costume) record(rec lockstep.Record, names []string) lockstep.Record {
	rec.Key = lockstep.Key(keyOf(string(rec.Key)))
	if names == nil || rec.Fields.Len() != len(names) {
		return rec
	}
	values := make([]value.Value, len(names))
	for i, name := range names {
		v := rec.Fields.Values()[i]
		f := c.def.Field(name)
		switch {
		case v.IsNull():
		case f != nil && f.Type.Kind == value.IntType:
			text := v.String()
			if v.Kind() == value.KindDecimal {
				text = v.Decimal().Trim().String()
			}
			v, _ = readInt(text)
		case name == c.def.Key[0]:
			v = value.Text(keyOf(v.Text()))
		}
		values[i] = v
	}
	rec.Fields = value.NewNames(names...).Fields(values)
	return rec
}

func (c *costume) page(p lockstep.Page, err error, names []string) (lockstep.Page, error) {
	for i := range p.Changes {
		p.Changes[i].Record = c.record(p.Changes[i].Record, names)
	}
	return p, err
}

func (c *costume) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := c.sys.Scan(ctx, c.read(r), from, l)
	return c.page(p, err, r.Fields)
}

func (c *costume) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := c.sys.Changes(ctx, c.read(r), from, l)
	return c.page(p, err, r.Fields)
}

func (c *costume) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	inner := make([]lockstep.Key, len(keys))
	for i, k := range keys {
		inner[i] = lockstep.Key(skuOf(string(k)))
	}
	got, err := c.sys.Fetch(ctx, c.read(r), inner)
	for i := range got {
		got[i] = c.record(got[i], r.Fields)
	}
	return got, err
}
