// Package kit is what stand-ins share: who may control one, and what goes wrong when.
package kit

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Gate says who may control a stand-in: a process of the same host, or, with a token and Anywhere, others, too.
type Gate struct {
	Token    string
	Anywhere bool
}

// Refuses tells why a control request is refused: it comes from another host, without the token, or out of a web page.
// The status is 0 for one that is not.
func (g Gate) Refuses(r *http.Request) (status int, why string) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	near := err == nil && net.ParseIP(host).IsLoopback()
	if !near && (!g.Anywhere || g.Token == "") {
		return http.StatusForbidden, "control is for the same host only"
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if g.Token != "" && subtle.ConstantTimeCompare([]byte(g.Token), []byte(token)) != 1 {
		return http.StatusUnauthorized, "the control token is missing or wrong"
	}
	if r.Header.Get("Origin") != "" {
		return http.StatusForbidden, "not from a web page"
	}
	return 0, ""
}

// Reply answers a control request.
func Reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// Read reads the order of a control request; no body at all is an empty one, and a member that there is not is refused.
func Read(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
