package pimcore

import (
	"strings"
	"testing"
)

func TestCatalogue(t *testing.T) {
	c := &clock{1795423113}
	q := `{getProductListing(published:false,sortBy:"id"){totalCount edges{node{id sku fullpath name de:name(language:"de") fr:name(language:"fr") modificationDate mainImage{filesize} categories{__typename}}}}}`
	a := newStand(t, Options{Products: 300, Seed: 7, Now: c.now})
	got := a.ask(q, nil)
	if strings.Contains(got, `"errors"`) || !strings.Contains(got, `"totalCount":500`) {
		t.Fatalf("want 300 products and 200 variants: %.300s", got)
	}
	if b := newStand(t, Options{Products: 300, Seed: 7, Now: c.now}); b.ask(q, nil) != got {
		t.Error("the same seed made another catalogue")
	}
	if b := newStand(t, Options{Products: 300, Seed: 8, Now: c.now}); b.ask(q, nil) == got {
		t.Error("another seed made the same catalogue")
	}
}

func BenchmarkListing(b *testing.B) {
	s, err := New(Options{Products: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out := s.execute([]byte(`{"query":"{getProductListing(first:100,sortBy:[\"modificationDate\",\"id\"],published:false,filter:\"{\\\"$or\\\":[{\\\"modificationDate\\\":{\\\"$gt\\\":\\\"1000000\\\"}},{\\\"$and\\\":[{\\\"modificationDate\\\":\\\"5\\\"},{\\\"id\\\":{\\\"$gt\\\":\\\"10\\\"}}]}]}\"){edges{node{id key fullpath published modificationDate sku price stock active releaseDate name de:name(language:\"de\") description categories{... on object_Category{id code}} manufacturer{... on object_Manufacturer{id name}} mainImage{id fullpath} gallery{image{id}} weight{value unit{id}} power attributes{id features{... on csFeatureInput{text}}}}}}}"}`))
		if len(out) < 20000 || string(out[:8]) == `{"errors` {
			b.Fatalf("%.200s", out)
		}
	}
}
