package pimcore

import "net/http"

func (s *Server) control(w http.ResponseWriter, _ *http.Request) {
	page(w, http.StatusNotFound, "Not Found")
}
