package magento

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/gif" // DecodeConfig knows what is registered
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"strings"
)

// picture is an image that was sent.
type picture struct {
	data []byte
	name string
}

// pictureOf reads the content of an entry: a picture that is one, of the type that it says.
func pictureOf(in object) (picture, error) {
	bad := func(text string) (picture, error) { return picture{}, fail(http.StatusBadRequest, text) }
	data, err := base64.StdEncoding.DecodeString(in.text("base64_encoded_data"))
	if err != nil || len(data) == 0 {
		return bad("The image content must be valid base64 encoded data.")
	}
	_, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return bad("The image content must be valid base64 encoded data.")
	}
	if in.text("type") != "image/"+format {
		return bad("The image MIME type is not valid or not supported.")
	}
	name := in.text("name")
	if name == "" || strings.ContainsAny(name, `/:*?";<>()|{}\`) {
		return bad("Provided image name contains forbidden characters.")
	}
	if i := strings.LastIndexByte(name, '.'); i < 0 || i == len(name)-1 {
		name = strings.TrimSuffix(name, ".") + map[string]string{"jpeg": ".jpg", "png": ".png", "gif": ".gif"}[format]
	}
	return picture{data, name}, nil
}

const maxFileName = 90

// fileName is a name as the file gets it: small letters, digits, hyphens and underscores.
func fileName(name string) (string, error) {
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		stem, ext = name[:i], name[i:]
	}
	var b strings.Builder
	for _, r := range []byte(strings.ToLower(stem)) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			b.WriteByte(r)
		} else {
			b.WriteByte('_')
		}
	}
	s := b.String()
	if strings.Trim(s, "_") == "" {
		s = "file"
	}
	s += strings.ToLower(ext)
	if len(s) > maxFileName {
		return "", fail(http.StatusBadRequest, "The product can't be saved.")
	}
	return s, nil
}

// dispersed is a file's path: two folders by its first two letters.
func dispersed(name string) string {
	letter := func(i int) string {
		if i >= len(name) || name[i] == '.' {
			return "_"
		}
		return name[i : i+1]
	}
	return "/" + letter(0) + "/" + letter(1) + "/" + name
}

// files are the catalogue's pictures by their path: "/r/e/red.png".
type files map[string][]byte

// free is a path that no file has: with _1, _2, … behind its name.
func (f files) free(path string) string {
	stem, ext := path, ""
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		stem, ext = path[:i], path[i:]
	}
	got := path
	for i := 1; f[got] != nil; i++ {
		got = fmt.Sprintf("%s_%d%s", stem, i, ext)
	}
	return got
}

const mediaPath = "/media/catalog/product"

// serveMedia serves a picture; false if the path is none of theirs.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) bool {
	path, ok := strings.CutPrefix(r.URL.Path, mediaPath)
	if !ok {
		return false
	}
	s.world.mu.Lock()
	data := s.world.files[path]
	s.world.mu.Unlock()
	if data == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return true
	}
	w.Header().Set("Content-Type", http.DetectContentType(data))
	w.Header().Set("Content-Length", itoa(len(data)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(data)
	}
	return true
}
