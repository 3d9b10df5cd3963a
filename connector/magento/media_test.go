package magento

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// post sends a call to the shop, as another client of it.
func (s *testShop) post(t *testing.T, method, path, body string) string {
	t.Helper()
	r := httptest.NewRequest(method, "/rest/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	a := httptest.NewRecorder()
	s.Server.ServeHTTP(a, r)
	if a.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, a.Code, a.Body)
	}
	return a.Body.String()
}

func (s *testShop) product(t *testing.T, skus ...string) {
	t.Helper()
	for _, sku := range skus {
		s.post(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":%q,"name":%q,"attribute_set_id":4,"type_id":"simple","price":1}}`, sku, "Name "+sku))
	}
}

// pictures is where the bytes of images come from: /a gives those of a.
func pictures(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(onePixel(r.URL.Path))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, asked
}

// onePixel is a PNG of one pixel, with a text behind it: no two with different texts are equal.
func onePixel(text string) []byte {
	b, _ := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC")
	return append(b, text...)
}

// mediaBench is a product whose images are brought level.
type mediaBench struct {
	t    *testing.T
	shop *testShop
	sys  *System
	from string
	sku  string
}

func newMediaBench(t *testing.T, sku string) (*mediaBench, *atomic.Int64) {
	t.Setenv("TMPDIR", t.TempDir())
	shop := newTestShop(t, sandbox.Options{})
	shop.product(t, sku)
	from, asked := pictures(t)
	sys := shop.open(t, lockstep.Settings{"media_hosts": []string{strings.TrimPrefix(from, "http://")}})
	return &mediaBench{t, shop, sys, from, sku}, asked
}

// images are the product's, as Magento has them in a view.
func (b *mediaBench) images(scope string) []entry {
	b.t.Helper()
	var wire list[wireEntry]
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", scope+"/V1/products/"+escape(b.sku)+"/media?fields="+galleryFields, "")), &wire); err != nil {
		b.t.Fatal(err)
	}
	return readGallery(b.sku, wire)
}

// level brings the images level, whose bytes are at /<hash>, or where at says.
func (b *mediaBench) level(ctx context.Context, at map[string]string, want ...picture) error {
	sh := b.sys.newShelf()
	defer sh.close()
	urls := map[string]string{}
	for _, p := range want {
		urls[p.hash] = b.from + "/" + p.hash
		if path, is := at[p.hash]; is {
			urls[p.hash] = b.from + path
		}
	}
	g := &gallery{sys: b.sys, sku: b.sku, shelf: sh, urls: urls}
	return g.level(ctx, want, b.images(allViews))
}

// must brings the images level and checks that they are, with nothing left to do.
func (b *mediaBench) must(want ...picture) []string {
	b.t.Helper()
	if err := b.level(b.t.Context(), nil, want...); err != nil {
		b.t.Fatal(err)
	}
	writes := b.shop.writes()
	if p := planGallery(want, b.images(allViews)); !p.empty() {
		b.t.Errorf("still to be done: %+v", p)
	}
	if err := b.level(b.t.Context(), nil, want...); err != nil {
		b.t.Error(err)
	}
	if again := b.shop.writes(); len(again) > 0 {
		b.t.Errorf("again: %v", again)
	}
	return writes
}

func pic(hash, label string, position int64, roles ...string) picture {
	return picture{hash: hash, label: label, position: position, roles: roles}
}

func TestAGalleryIsBroughtLevel(t *testing.T) {
	b, _ := newMediaBench(t, "A/1 b")
	all := []string{"image", "small_image", "thumbnail"}
	if w := b.must(pic(hashA, "Front", 1, all...), pic(hashB, "Back", 2)); len(w) != 2 {
		t.Errorf("two images: %v", w)
	}
	if w := b.must(pic(hashA, "Front", 1, all...), pic(hashB, "The back", 2)); len(w) != 1 {
		t.Errorf("a label: %v", w)
	}
	if w := b.must(pic(hashA, "Front", 1), pic(hashB, "The back", 2, all...)); len(w) != 1 {
		t.Errorf("the roles: %v", w)
	}
	off := pic(hashB, "The back", 1, all...)
	off.disabled = true
	if w := b.must(off, pic(hashA, "Front", 1)); len(w) != 2 {
		t.Errorf("not shown, and first: %v", w)
	}
	b.must(pic(hashA, "Front", 1)) // the one with the roles goes
	b.must()
	if left := b.images(allViews); len(left) > 0 {
		t.Errorf("%+v", left)
	}
}

func TestTheBytesThatArriveAreThoseOfTheSource(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	b.must(pic(hashA, "Front", 1, "image"))
	var got []struct {
		Content struct {
			Data []byte `json:"base64_encoded_data"`
			Type string `json:"type"`
			Name string `json:"name"`
		} `json:"content"`
	}
	if err := json.Unmarshal([]byte(b.shop.post(t, "GET", "all/V1/products/A/media", "")), &got); err != nil {
		t.Fatal(err)
	}
	if c := got[0].Content; string(c.Data) != string(onePixel("/"+hashA)) || c.Type != "image/png" || !strings.HasPrefix(c.Name, "a-") {
		t.Errorf("%+v", c)
	}
}

// An upload whose answer was lost is found by the next look; one that came twice all the same is taken away.
func TestUploadsWithAnUnknownOutcome(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	want := []picture{pic(hashA, "Front", 1, "image")}
	b.shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if r.Method == http.MethodPost {
			a.Code = http.StatusGatewayTimeout
		}
	})
	err := b.level(t.Context(), nil, want...)
	if f := lockstep.FaultOf(err); f == nil || !f.Unknown || f.About.Field != "images" {
		t.Fatal(err)
	}
	b.shop.interfere(nil, nil)
	b.shop.writes()
	if w := b.must(want...); len(w) != 0 {
		t.Errorf("it was sent again: %v", w)
	}
	// PHP was at it for longer than anybody waited: the same bytes are there twice, labels and roles mixed up.
	first := b.images(allViews)[0]
	name := first.file[strings.LastIndexByte(first.file, '/')+1:]
	b.shop.post(t, "POST", "all/V1/products/A/media", fmt.Sprintf(`{"entry":{"media_type":"image","label":"Other","position":7,"disabled":false,"types":["small_image"],"content":{"base64_encoded_data":%q,"type":"image/png","name":%q}}}`,
		base64.StdEncoding.EncodeToString(onePixel("/"+hashA)), name))
	if n := len(b.images(allViews)); n != 2 {
		t.Fatalf("%d images", n)
	}
	b.must(want...)
	if got := b.images(allViews); len(got) != 1 || got[0].id != first.id || got[0].label != "Front" || !slices.Equal(got[0].roles, []string{"image"}) {
		t.Errorf("%+v", got)
	}
}

// Magento mixes up two images of a product that are the same bytes.
func TestTheSameBytesTwice(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	same := map[string]string{hashA: "/same", hashB: "/same"}
	check := func(err error) {
		t.Helper()
		if lockstep.KindOf(err) != lockstep.Invalid || !strings.Contains(err.Error(), hashA) || !strings.Contains(err.Error(), hashB) {
			t.Error(err)
		}
		for _, w := range b.shop.writes() {
			t.Error("sent: ", w)
		}
	}
	check(b.level(t.Context(), same, pic(hashA, "a", 1), pic(hashB, "b", 2)))
	if err := b.level(t.Context(), same, pic(hashA, "a", 1, "image")); err != nil {
		t.Fatal(err)
	}
	b.shop.writes()
	check(b.level(t.Context(), same, pic(hashA, "a", 1, "image"), pic(hashB, "b", 2)))
	// The source saved the image again: another hash, the same bytes. The one goes before the other comes.
	if err := b.level(t.Context(), same, pic(hashB, "b", 1, "image")); err != nil {
		t.Fatal(err)
	}
	writes := b.shop.writes()
	came := slices.IndexFunc(writes, func(w string) bool { return strings.HasPrefix(w, "POST ") })
	went := slices.IndexFunc(writes, func(w string) bool { return strings.HasPrefix(w, "DELETE ") })
	if went < 0 || came < went {
		t.Errorf("%v", writes)
	}
	if got := b.images(allViews); len(got) != 1 || got[0].hash != hashB || got[0].label != "b" || !slices.Equal(got[0].roles, []string{"image"}) {
		t.Errorf("%+v", got)
	}
}

// An image that a view has given a role of its own goes, too, and the view has the others' roles afterwards.
func TestAnImageWithARoleInOneViewOnly(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	b.must(pic(hashA, "a", 1, "image", "thumbnail"), pic(hashB, "b", 2))
	var second entry
	for _, e := range b.images("de") {
		if e.hash == hashB {
			second = e
		}
	}
	b.shop.post(t, "PUT", fmt.Sprintf("de/V1/products/A/media/%d", second.id),
		fmt.Sprintf(`{"entry":{"id":%d,"media_type":"image","label":"b","position":2,"disabled":false,"types":["image"]}}`, second.id))
	b.must(pic(hashA, "a", 1, "image", "thumbnail"))
	for _, scope := range []string{allViews, "de", "default"} {
		if got := b.images(scope); len(got) != 1 || !slices.Equal(got[0].roles, []string{"image", "thumbnail"}) {
			t.Errorf("%s: %+v", scope, got)
		}
	}
}

func TestImagesThatCannotBeHad(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	b.must(pic(hashA, "a", 1, "image"))
	err := b.level(t.Context(), map[string]string{hashB: "/missing?sig=hush"}, pic(hashB, "b", 1, "image"))
	if f := lockstep.FaultOf(err); f == nil || f.Kind != lockstep.Invalid || f.About.Field != "images" || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
	sh := b.sys.newShelf()
	defer sh.close()
	g := &gallery{sys: b.sys, sku: "A", shelf: sh}
	if err := g.level(t.Context(), []picture{pic(hashB, "b", 1)}, nil); lockstep.KindOf(err) != lockstep.Invalid {
		t.Error("without a URL: ", err)
	}
	if err := g.level(t.Context(), []picture{pic("/r/e/red.png", "b", 1)}, nil); lockstep.KindOf(err) != lockstep.Invalid {
		t.Error("a file that is gone: ", err)
	}
	if w := b.shop.writes(); len(w) != 0 {
		t.Errorf("something was changed before all was there: %v", w)
	}
	if got := b.images(allViews); len(got) != 1 || got[0].hash != hashA {
		t.Errorf("%+v", got)
	}
}

func TestTheBodyOfAnUploadIsMadeWhileItIsSent(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 3*4096 - 1, 3 * 4096, 3*4096 + 1, 100_000} {
		raw := strings.Repeat("x", n)
		got, err := io.ReadAll(newBase64Reader(strings.NewReader(raw)))
		if err != nil || string(got) != base64.StdEncoding.EncodeToString([]byte(raw)) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	head, tail, err := uploadFrame(&picture{label: `a "b" <c>`, roles: []string{"image"}}, &imageFile{mime: "image/png"}, "a.png")
	if err != nil || !json.Valid(slices.Concat(head, []byte("QQ=="), tail)) || !strings.HasSuffix(string(head), `"base64_encoded_data":"`) {
		t.Errorf("%s…%s, %v", head, tail, err)
	}
}

// A role that nobody has in all views is no one's in the view afterwards.
func TestAnImageWithARoleThatNobodyElseHas(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	b.must(pic(hashA, "a", 1), pic(hashB, "b", 2))
	for _, e := range b.images("de") {
		if e.hash == hashB {
			b.shop.post(t, "PUT", fmt.Sprintf("de/V1/products/A/media/%d", e.id),
				fmt.Sprintf(`{"entry":{"id":%d,"media_type":"image","label":"b","position":2,"disabled":false,"types":["swatch_image"]}}`, e.id))
		}
	}
	b.must(pic(hashA, "a", 1))
	if got := b.images("de"); len(got) != 1 || len(got[0].roles) > 0 {
		t.Errorf("%+v", got)
	}
}

// An image that was there before may be the same bytes as one that comes: what Magento mixes up then is put right.
func TestAnImageOfSomebodyElseWithTheSameBytes(t *testing.T) {
	b, _ := newMediaBench(t, "A")
	b.shop.post(t, "POST", "all/V1/products/A/media", fmt.Sprintf(`{"entry":{"media_type":"image","label":"Old","position":1,"disabled":false,"types":["image","thumbnail"],"content":{"base64_encoded_data":%q,"type":"image/png","name":"old.png"}}}`,
		base64.StdEncoding.EncodeToString(onePixel("/"+hashA))))
	b.shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if r.Method == http.MethodPost {
			id := strings.Trim(strings.TrimSpace(a.Body.String()), `"`)
			b.shop.post(t, "PUT", "all/V1/products/A/media/"+id, fmt.Sprintf(`{"entry":{"id":%s,"media_type":"image","label":"Old","position":1,"disabled":false,"types":["thumbnail"]}}`, id))
		}
	})
	if err := b.level(t.Context(), nil, pic(hashA, "New", 0, "image")); err != nil {
		t.Fatal(err)
	}
	if got := b.images(allViews); len(got) != 1 || got[0].hash != hashA || got[0].label != "New" || !slices.Equal(got[0].roles, []string{"image"}) {
		t.Errorf("%+v", got)
	}
}
