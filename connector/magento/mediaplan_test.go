package magento

import (
	"reflect"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

const (
	sumA  = "0123456789ab"
	hashA = "aaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbb"
	hashC = "cccccccccccc"
)

func TestAFileNameCarriesItsHashAndFits(t *testing.T) {
	long := strings.Repeat("f", mostHash)
	for _, sku := range []string{"A/B 1", "Größe", "***", strings.Repeat("sku-", 16)} {
		for _, hash := range []string{hashA, long} {
			name := fileName(sku, sumA, hash, "png")
			if len(name)+len("_99") > mostFileName {
				t.Errorf("%q is too long", name)
			}
			for _, file := range []string{"/a/b/" + name, "/a/b/" + strings.Replace(name, ".png", "_7.png", 1)} {
				if sum, got, ok := splitFile(sku, file); !ok || sum != sumA || got != hash {
					t.Errorf("%q: %q %q %v", file, sum, got, ok)
				}
			}
		}
	}
	for _, foreign := range []string{"/r/e/red.png", "/t/s/t-shirt-blue-front.png", "/o/t/other-" + sumA + "-" + hashA + ".png", "/a/b/ab-1-" + sumA + "-" + hashA + ".svg"} {
		if got := pictureHash("A/B", foreign); got != foreign {
			t.Errorf("%q is %q", foreign, got)
		}
	}
}

func TestWhatAGalleryNeeds(t *testing.T) {
	all := []string{"image", "small_image"}
	pic := func(hash, label string, pos int64, roles ...string) picture {
		return picture{hash: hash, label: label, position: pos, roles: roles}
	}
	have := func(id int64, p picture) entry { return entry{id: id, picture: p} }
	tests := map[string]struct {
		want []picture
		have []entry
		plan galleryPlan
	}{
		"level": {
			want: []picture{pic(hashA, "a", 1, all...)},
			have: []entry{have(4, pic(hashA, "a", 1, all...))},
		},
		"a new one takes the roles of the one that stays": {
			want: []picture{pic(hashB, "b", 1, all...), pic(hashA, "a", 2)},
			have: []entry{have(4, pic(hashA, "a", 2, all...))},
			plan: galleryPlan{uploads: []picture{pic(hashB, "b", 1, all...)}},
		},
		"roles go from one to the other in one call": {
			want: []picture{pic(hashA, "a", 1), pic(hashB, "b", 2, all...)},
			have: []entry{have(4, pic(hashA, "a", 1, all...)), have(5, pic(hashB, "b", 2))},
			plan: galleryPlan{updates: []entry{have(5, pic(hashB, "b", 2, all...))}},
		},
		"a double of an unknown outcome goes": {
			want: []picture{pic(hashA, "a", 1, all...)},
			have: []entry{have(9, pic(hashA, "a", 1, all...)), have(4, pic(hashA, "a", 1))},
			plan: galleryPlan{updates: []entry{have(4, pic(hashA, "a", 1, all...))}, removals: []entry{have(9, pic(hashA, "a", 1))}},
		},
		"the second of three goes, and the others stay where they are": {
			want: []picture{pic(hashA, "a", 0, all...), pic(hashC, "c", 0)},
			have: []entry{have(4, pic(hashA, "a", 1, all...)), have(5, pic(hashB, "b", 2)), have(6, pic(hashC, "c", 3))},
			plan: galleryPlan{removals: []entry{have(5, pic(hashB, "b", 2))}},
		},
		"another order": {
			want: []picture{pic(hashB, "b", 0), pic(hashA, "a", 0, all...)},
			have: []entry{have(4, pic(hashA, "a", 1, all...)), have(5, pic(hashB, "b", 2))},
			plan: galleryPlan{updates: []entry{have(4, pic(hashA, "a", 3, all...))}},
		},
		"none is wanted": {
			have: []entry{have(4, pic("/r/e/red.png", "a", 1, all...))},
			plan: galleryPlan{removals: []entry{have(4, pic("/r/e/red.png", "a", 1, all...))}},
		},
	}
	for name, test := range tests {
		got := planGallery(test.want, test.have)
		for i := range got.removals {
			if len(got.removals[i].roles) == 0 {
				got.removals[i].roles = nil
			}
		}
		if !reflect.DeepEqual(got, test.plan) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, test.plan)
		}
	}
}

func TestPicturesThatCanNeverBeLevel(t *testing.T) {
	for name, want := range map[string][]picture{
		"short hash":     {{hash: "abc"}},
		"letters":        {{hash: "ABCDEFGHIJ"}},
		"twice":          {{hash: hashA}, {hash: hashA}},
		"role of two":    {{hash: hashA, roles: []string{"image"}}, {hash: hashB, roles: []string{"image"}}},
		"path in a hash": {{hash: "abcdefgh/.."}},
	} {
		if err := checkPictures(want); lockstep.KindOf(err) != lockstep.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkPictures([]picture{{hash: hashA, roles: []string{"image"}}, {hash: hashB}, {hash: "/r/e/red.png"}}); err != nil {
		t.Error(err)
	}
}

// A foreign image is known by its file, and a file's name may hold anything.
func TestAnImageIsNamedAsItIs(t *testing.T) {
	if err := pictureFault("/5/0/50%off.jpg", "it has %d bytes", 7); !strings.Contains(err.Error(), "image /5/0/50%off.jpg: it has 7 bytes") {
		t.Error(err)
	}
}

// A label that Magento would cut or spoil can never be level.
func TestALabelThatMagentoDoesNotKeep(t *testing.T) {
	for _, label := range []string{"Red \U0001f457", strings.Repeat("ü", 256)} {
		var p picture
		if _, is := p.read("label", value.Text(label)).(*quiet); !is {
			t.Errorf("%d bytes are taken", len(label))
		}
	}
}
