package magento

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
)

// entryBody is an entry with a picture.
func entryBody(name string, picture int, more string) string {
	return fmt.Sprintf(`{"entry":{"media_type":"image","label":"L","position":1,"disabled":false,"types":["image"],"content":{"base64_encoded_data":"%s","type":"image/png","name":"%s"}%s}}`,
		base64.StdEncoding.EncodeToString(drawing(picture)), name, more)
}

func fetch(t *testing.T, srv *httptest.Server, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

const mediaOf = "/rest/all/V1/products/S/media"

func TestAPictureIsServedUntilItsEntryIsGone(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"S","name":"S","attribute_set_id":4,"price":1}}`)
	if code, got := ask(t, srv, "POST", mediaOf, entryBody("Grün 1.PNG", 1, "")); code != 200 || got[""] != "1" {
		t.Fatalf("add: %d %v", code, got)
	}
	path := "/media/catalog/product/g/r/gr__n_1.png"
	if code, got := fetch(t, srv, path); code != 200 || got != string(drawing(1)) {
		t.Errorf("file: %d, %d bytes", code, len(got))
	}
	ask(t, srv, "PUT", mediaOf+"/1", entryBody("other.png", 2, `,"id":1`))
	if code, _ := fetch(t, srv, path); code != 404 {
		t.Errorf("the old file: %d", code)
	}
	if code, got := fetch(t, srv, "/media/catalog/product/o/t/other.png"); code != 200 || got != string(drawing(2)) {
		t.Errorf("the new file: %d", code)
	}
	ask(t, srv, "DELETE", "/rest/all/V1/products/S", "")
	if code, _ := fetch(t, srv, "/media/catalog/product/o/t/other.png"); code != 404 {
		t.Errorf("the file of a deleted product: %d", code)
	}
}

// A picture that has a role in any store view is not removed.
func TestAPictureWithARoleInOneViewStays(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"S","name":"S","attribute_set_id":4,"price":1}}`)
	ask(t, srv, "POST", mediaOf, entryBody("a.png", 1, ""))
	const without, with = `{"entry":{"id":1,"media_type":"image","label":"L","position":1,"disabled":false,"types":[]}}`,
		`{"entry":{"id":1,"media_type":"image","label":"L","position":1,"disabled":false,"types":["thumbnail"]}}`
	ask(t, srv, "PUT", "/rest/de/V1/products/S/media/1", with)
	ask(t, srv, "PUT", mediaOf+"/1", without)
	if code, got := ask(t, srv, "DELETE", mediaOf+"/1", ""); code != 400 || got["message"] != "The image cannot be removed as it has been assigned to the other image role" {
		t.Errorf("with a role in de: %d %v", code, got)
	}
	ask(t, srv, "PUT", "/rest/de/V1/products/S/media/1", without)
	if code, got := ask(t, srv, "DELETE", mediaOf+"/1", ""); code != 200 {
		t.Errorf("without: %d %v", code, got)
	}
	if code, got := ask(t, srv, "DELETE", mediaOf+"/1", ""); code != 404 {
		t.Errorf("again: %d %v", code, got)
	}
}

// A file name of more than 90 letters is refused with a text that does not say why.
func TestNamesOfFilesAreBounded(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"S","name":"S","attribute_set_id":4,"price":1}}`)
	name := fmt.Sprintf("%087d.png", 1)
	if code, got := ask(t, srv, "POST", mediaOf, entryBody(name, 1, "")); code != 400 || got["message"] != "The product can't be saved." {
		t.Errorf("91 letters: %d %v", code, got)
	}
	if code, got := ask(t, srv, "POST", mediaOf, entryBody(name[1:], 1, "")); code != 200 {
		t.Errorf("90 letters: %d %v", code, got)
	}
}

// Entries with an id say which are kept; the others are added.
func TestAProductsEntriesNameWhatIsKept(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"S","name":"S","attribute_set_id":4,"price":1}}`)
	for i, name := range []string{"a.png", "b.png", "c.png"} {
		ask(t, srv, "POST", mediaOf, entryBody(name, i, ""))
	}
	entry := entryBody("d.png", 9, "")
	body := `{"product":{"media_gallery_entries":[{"id":2,"media_type":"image","label":"B","position":4,"disabled":true,"types":[]},` + entry[len(`{"entry":`):len(entry)-1] + `]}}`
	code, got := ask(t, srv, "PUT", "/rest/all/V1/products/S?fields=media_gallery_entries[id,label,types]", body)
	want := []any{map[string]any{"id": 4.0, "label": "L", "types": []any{"image"}}, map[string]any{"id": 2.0, "label": "B", "types": []any{}}}
	if code != 200 || !reflect.DeepEqual(got["media_gallery_entries"], want) {
		t.Errorf("%d %v\nwant %v", code, got["media_gallery_entries"], want)
	}
	if code, _ := fetch(t, srv, "/media/catalog/product/a/_/a.png"); code != 404 {
		t.Errorf("what was not named: %d", code)
	}
}
