package pimcore

import (
	"bytes"
	"net/http"
	"path"
	"strings"
	"time"
)

// file answers with the bytes of an asset, at its full path below /var/assets, where the web server of a Pimcore finds
// them, and at the full path itself, to which it is rewritten. It is false where there is none.
func (s *Server) file(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/var/assets")
	s.w.mu.RLock()
	a := s.w.assets[s.w.files[name]]
	s.w.mu.RUnlock()
	if a == nil || a.kind == "folder" {
		return false
	}
	if a.mime != "" {
		w.Header().Set("Content-Type", a.mime)
	}
	http.ServeContent(w, r, "", time.Unix(a.modified, 0), bytes.NewReader(a.data))
	return true
}
