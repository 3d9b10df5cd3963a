package magento

import (
	"strings"
	"testing"
)

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"Größe A/B":      "grosse-a-b", // as recorded
		"First Name":     "first-name",
		"  --x  y--  ":   "x-y",
		"Čevlji & žoge":  "cevlji-and-zoge",
		"日本":             "",
		"Рубашка":        "rubashka",
		"second-name-2":  "second-name-2",
		"ÄÖÜ ẞ":          "aou-ss",
		"tab\tand\nline": "tab-and-line",
	} {
		if got := slug(text); got != want {
			t.Errorf("slug(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMadeURLKey(t *testing.T) {
	for _, c := range []struct{ name, sku, want string }{
		{"Hero Hoodie", "MH07-S", "hero-hoodie-mh07-s"},
		{"", "MH07", "mh07"},
		{"MH07", "mh07", "mh07"},
	} {
		if got := madeURLKey(c.name, c.sku); got != c.want {
			t.Errorf("madeURLKey(%q, %q) = %q, want %q", c.name, c.sku, got, c.want)
		}
	}
	if a, b := madeURLKey("茶", "日"), madeURLKey("茶", "本"); a == "" || a == b {
		t.Errorf("SKUs without a plain letter have the keys %q and %q", a, b)
	}
	if long := madeURLKey(strings.Repeat("long name ", 60), strings.Repeat("S", 64)); len(long) > mostURLKey || !strings.HasSuffix(long, "-"+strings.Repeat("s", 64)) {
		t.Errorf("a long key is %q (%d)", long, len(long))
	}
}

func TestClashedURLKey(t *testing.T) {
	if got := clashedURLKey("shirts", "UK-4"); got != "shirts-uk-4" {
		t.Errorf("a clash becomes %q", got)
	}
	a, b := clashedURLKey(madeURLKey("Shirt", "A/1"), "A/1"), clashedURLKey(madeURLKey("Shirt", "A-1"), "A-1")
	if a == b {
		t.Errorf("two SKUs of one slug get the same key %q", a)
	}
	if again := clashedURLKey(madeURLKey("Shirt", "a/1 "), "a/1 "); again != a {
		t.Errorf("one SKU in two spellings gets the keys %q and %q", a, again)
	}
}
