package magento

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// The answer to an image does not tell when the product was saved: one search tells it for the whole batch.
func TestVersionsOfABatchWithImagesCostOneSearch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	from, _ := pictures(t)
	var clock ticking
	b := newWriteBench(t, sandbox.Options{Clock: clock.now}, lockstep.Settings{"media_hosts": []string{strings.TrimPrefix(from, "http://")}})
	var writes []lockstep.Write
	for i := range 20 {
		hash := fmt.Sprintf("picture%02d", i)
		w := b.write(shirt(fmt.Sprint("S-", i))...)
		w.Fields = w.Fields.With("images", value.List(value.Object(value.F("hash", hash)))).
			With("image_urls", value.List(value.Object(value.F("hash", hash, "url", from+"/"+hash))))
		writes = append(writes, w)
	}
	b.shop.calls()
	results := b.apply(writes...)
	looks := slices.DeleteFunc(b.shop.calls(), func(c string) bool { return c != "GET /rest/all/V1/products" })
	if len(looks) != 2 {
		t.Errorf("%d searches, want one before and one after", len(looks))
	}
	for i, r := range results {
		if got := b.get("all", fmt.Sprint("S-", i))["updated_at"]; r.Err != nil || r.Version != got {
			t.Errorf("S-%d: version %q, want %q (%v)", i, r.Version, got, r.Err)
		}
	}
}

// What was read a moment ago is not read again before each option and each category that is made.
func TestWhatWasJustReadIsNotReadAgain(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{createOptions, createCategories}})
	if _, err := b.sys.shop.productAttributes(t.Context()); err != nil {
		t.Fatal(err)
	}
	var writes []lockstep.Write
	for i := range 5 {
		w := b.write(shirt(fmt.Sprint("S-", i), "shade", fmt.Sprint("Shade ", i))...)
		writes = append(writes, lockstep.Write{Key: w.Key, Fields: w.Fields.With("categories", value.List(value.Text(fmt.Sprint("Default Category/C", i))))})
	}
	b.shop.calls()
	for i, r := range b.apply(writes...) {
		if r.Err != nil {
			t.Errorf("S-%d: %v", i, r.Err)
		}
	}
	reads := map[string]int{}
	for _, c := range b.shop.calls() {
		if strings.HasPrefix(c, "GET ") {
			reads[c]++
		}
	}
	if reads["GET /rest/all/V1/products/attributes/shade/options"] > 0 || reads["GET /rest/all/V1/categories/list"] > 2 {
		t.Errorf("%v", reads)
	}
}

// Magento takes an option's id for a label, too: the refusal says so, and what to do about it.
func TestALabelThatIsAnotherOptionsID(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{createOptions}})
	b.must(b.write(shirt("S-1", "shade", "Thirty")...))
	f := lockstep.FaultOf(b.apply(b.write(shirt("S-2", "shade", b.option("shade", "Thirty"))...))[0].Err)
	if f == nil || f.Code != lockstep.CodeUnique || f.About.Field != "shade" || !strings.Contains(f.Next, "by hand") || f.Unknown {
		t.Errorf("%+v", f)
	}
}

// ticking is a clock on which no two looks show the same second.
type ticking struct{ seconds atomic.Int64 }

func (c *ticking) now() time.Time { return time.Unix(1_800_000_000+c.seconds.Add(1), 0) }
