package app

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// raw opens a connection and writes the beginning of a request to it.
func (c *client) raw(text string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// Whoever sends slowly is cut off, in the header and in the body, also one who sends a little every now and then; and
// holds no place in the meantime that others need.
func TestSlowSenders(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{Header: 200 * time.Millisecond, Body: 200 * time.Millisecond})
	head := "POST /hooks/products HTTP/1.1\r\nHost: x\r\n"
	signed := http.Header{}
	webhook.Sign(signed, []byte("x"), time.Now(), secret)
	signature := fmt.Sprintf("%s: %s\r\n%s: %s\r\n", webhook.TimestampHeader, signed.Get(webhook.TimestampHeader), webhook.SignatureHeader, signed.Get(webhook.SignatureHeader))
	token := "Authorization: Bearer token-of-everything\r\n"
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                       {"", ""},
		"half a header":                 {head, ""},
		"half a body, signed":           {head + signature + "Content-Length: 100\r\n\r\n{", "408 "},
		"half a body, with a token":     {head + token + "Content-Length: 100\r\n\r\n{", "408 "},
		"half a body in chunks":         {head + token + "Transfer-Encoding: chunked\r\n\r\nff\r\n{\"key", "408 "},
		"half a body of an operation":   {"POST /v1/flows/products/runs HTTP/1.1\r\nHost: x\r\n" + token + "Content-Length: 100\r\n\r\n{", "408 "},
		"half a body without a token":   {head + "Content-Length: 100\r\n\r\n{", "401 "},
		"a body that promises too much": {head + token + "Content-Length: 1000000\r\n\r\n", "413 "},
	} {
		t.Run(name, func(t *testing.T) {
			conn := c.raw(tc.text)
			var drips sync.WaitGroup
			stop := make(chan struct{})
			drips.Go(func() { // a slow loris: a byte now and then
				for {
					select {
					case <-stop:
						return
					case <-time.After(50 * time.Millisecond):
					}
					if _, err := io.WriteString(conn, "1"); err != nil {
						return
					}
				}
			})
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			text, err := io.ReadAll(conn)
			close(stop)
			drips.Wait()
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("it was not cut off")
			}
			if tc.want != "" && !strings.HasPrefix(string(text), "HTTP/1.1 "+tc.want) {
				t.Errorf("%q %v", text, err)
			}
		})
	}
	if r := c.hook("products", `{"keys":["pa"]}`, time.Now(), secret); r.status != http.StatusAccepted {
		t.Errorf("one who is not slow: %+v", r)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{Requests: 1, Body: time.Minute})
	conn := c.raw("POST /hooks/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-everything\r\nContent-Length: 15\r\n\r\n{")
	for { // until it has its place
		r := c.do("GET", "/healthz", "")
		if r.status == http.StatusServiceUnavailable {
			if p := r.problem(t); p.Code != lockstep.CodeCrowded || r.header.Get("Retry-After") != "1" {
				t.Errorf("%+v", r)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(conn, `"keys":["pa"]}`); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	for c.do("GET", "/healthz", "").status != http.StatusOK {
		time.Sleep(time.Millisecond)
	}
}

// Whoever asks and does not read the answers is cut off, too, and holds no place that others need.
func TestSlowReaders(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{Requests: 1, Reply: 200 * time.Millisecond})
	conn := c.raw("")
	_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
	for { // until it is cut off
		if _, err := io.WriteString(conn, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 100)); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("it was not cut off")
			}
			break
		}
	}
	for c.do("GET", "/healthz", "").status != http.StatusOK {
		time.Sleep(time.Millisecond)
	}
}

// So many connections and no more; the next comes in when one has gone.
func TestTooManyConnections(t *testing.T) {
	_, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{Conns: 2, Header: time.Minute})
	c.http.CloseIdleConnections()
	ask := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	answered := func(conn net.Conn, within time.Duration) bool {
		_ = conn.SetReadDeadline(time.Now().Add(within))
		_, err := conn.Read(make([]byte, 4096))
		return err == nil
	}
	first, second := c.raw(ask), c.raw(ask)
	if !answered(first, time.Minute) || !answered(second, time.Minute) {
		t.Fatal("the first two are not answered")
	}
	third := c.raw(ask)
	if answered(third, 200*time.Millisecond) {
		t.Error("a third is answered")
	}
	_ = first.Close()
	if !answered(third, time.Minute) {
		t.Error("the third is not answered when the first has gone")
	}
	_ = second.Close()
	_ = third.Close()
}

func TestOddRequests(t *testing.T) {
	p, h := outsideHouse(t)
	c := outsideOf(t, h, api.Bounds{})
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", 404}, {"GET", "/v1", "", 404}, {"PUT", "/hooks/products", "", 405}, {"POST", "/hooks/", "", 404},
		{"DELETE", "/v1/flows", "", 405}, {"GET", "/v1/flows/products/nothing", "", 404},
	} {
		r := c.do(tc.method, tc.path, tc.body)
		if r.status != tc.want || r.problem(t).Code != lockstep.CodeRequest || (tc.want == 405) != (r.header.Get("Allow") != "") {
			t.Errorf("%+v: %+v", tc, r)
		}
	}
	for _, path := range []string{"/docs", "/openapi.json", "/openapi.yaml", "/healthz"} {
		if r := c.do("GET", path, "", "Origin", "https://evil.example"); r.status != http.StatusOK || r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %+v", path, r)
		}
	}
	if r := c.do("OPTIONS", "/v1/flows", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET"); r.status != 405 || r.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("a browser of another site: %+v", r)
	}
	if r := c.do("POST", "/hooks/products", `{"keys":["pa"]}`, "Authorization", "Bearer token-of-everything", "Content-Encoding", "gzip"); r.status != http.StatusUnsupportedMediaType {
		t.Errorf("%+v", r)
	}
	if text, err := io.ReadAll(c.raw("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 40<<10) + "\r\n\r\n")); !strings.HasPrefix(string(text), "HTTP/1.1 431") {
		t.Errorf("a long header: %.100q %v", text, err)
	}
	// A request has a name, in the answer and in the log.
	if r := c.do("GET", "/healthz", "", "X-Request-Id", "mine-1"); r.header.Get("X-Request-Id") != "mine-1" || !strings.Contains(p.logged.String(), `"mine-1"`) {
		t.Errorf("%+v", r)
	}
	if r := c.do("GET", "/healthz", "", "X-Request-Id", "bad\tone"); len(r.header.Get("X-Request-Id")) < 20 {
		t.Errorf("%+v", r)
	}
}

// certify writes a certificate for 127.0.0.1 and its key.
func certify(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// With a certificate it is HTTPS, and a renewed certificate is taken up.
func TestTLS(t *testing.T) {
	p, _, _ := inMemory(t, 1)
	first := certify(t, p.dir, "first")
	h := p.open(p.must(strings.ReplaceAll(strings.ReplaceAll(outsideYAML, "stream: others", "stream: products"),
		"127.0.0.1:0", "127.0.0.1:0\n  tls: {cert: cert.pem, key: key.pem}")))
	c := outsideOf(t, h, api.Bounds{})
	look := func(want *x509.Certificate) error {
		roots := x509.NewCertPool()
		roots.AddCert(want)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
		resp, err := client.Get(strings.Replace(c.base, "http:", "https:", 1) + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := look(first); err != nil {
		t.Error(err)
	}
	second := certify(t, p.dir, "second")
	later := time.Now().Add(2 * time.Second) // some file systems know seconds only
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.Chtimes(filepath.Join(p.dir, name), later, later); err != nil {
			t.Fatal(err)
		}
	}
	if err := look(second); err != nil {
		t.Error(err)
	}
	if err := look(first); err == nil {
		t.Error("the old certificate is still shown")
	}
}

// A server that stops answers what it has begun, and takes nothing new.
func TestStopsInGoodOrder(t *testing.T) {
	_, h := outsideHouse(t)
	ctx, stop := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := h.outside(ctx)
	srv := api.New(h.cfg, out, api.Bounds{}, h.log)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(srv.Serve(ctx, l), out.close()) }()
	c := &client{t: t, base: "http://" + l.Addr().String()}
	conn := c.raw("POST /hooks/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-everything\r\nContent-Length: 15\r\nExpect: 100-continue\r\n\r\n")
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") { // it reads the body: the request has begun
		t.Fatal(line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	stop()
	for { // until nobody listens any more
		late, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		_ = late.Close()
		time.Sleep(time.Millisecond)
	}
	if _, err := io.WriteString(conn, `{"keys":["pa"]}`); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := queued(t, h, "products"); got != "pa" {
		t.Errorf("in the queue: %s", got)
	}
}
