// Package httpkit is what connectors of systems behind HTTP share: a client with bounds (answer size, time, requests in
// flight), and answers and errors classified as faults. It knows no connector, and no fault of it shows a header, a
// query or a body (law 12).
package httpkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Options are the bounds of a client.
type Options struct {
	Timeout  time.Duration // of one request, from the moment it is sent until its answer is read; 0 is a minute
	InFlight int           // most requests at a time; 0 is 2
	MaxBody  int64         // the largest answer, unpacked; 0 is 64 MiB
	Header   http.Header   // goes with every request; it may hold secrets
	// Transport is used as it is where given; nil is a new one for this client alone.
	Transport http.RoundTripper
}

// Client speaks to one system. It is for any number of goroutines.
type Client struct {
	opts  Options
	http  http.Client
	slots chan struct{}
	own   *http.Transport
}

// Request is one request.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Stream gives the body anew for each call, Length bytes of it, where it is too large for Body.
	Stream func() io.Reader
	Length int64
	// Write says that the request changes something: a fault after it may have arrived has an unknown outcome (law 5).
	Write bool
	// Name is what faults call the request; it holds no values.
	Name string
}

// Answer is the answer to a request, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Sent and Took are when the request was sent by our clock, and how long the whole took.
	Sent time.Time
	Took time.Duration
}

// New is a client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.InFlight <= 0 {
		o.InFlight = 2
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 64 << 20
	}
	c := &Client{opts: o, slots: make(chan struct{}, o.InFlight)}
	if o.Transport == nil {
		c.own = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxConnsPerHost:     o.InFlight,
			MaxIdleConnsPerHost: o.InFlight,
			IdleConnTimeout:     60 * time.Second,
			ForceAttemptHTTP2:   true,
		}
		o.Transport = c.own
	}
	c.http = http.Client{
		Transport: o.Transport,
		// A redirect would turn a POST into a GET, and carry the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// InFlight is how many requests there may be at a time.
func (c *Client) InFlight() int { return c.opts.InFlight }

// Close lets go of idle connections. The client can be used on.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Do sends a request and reads its answer. Its error is that of ctx, or a Fault of the connection: that there is an
// answer, with whatever status, is none. See Check.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.slots }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := c.request(limited, r)
	if err != nil {
		return nil, err
	}
	sent := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, r, err)
	}
	defer resp.Body.Close()
	body, err := readBody(resp, c.opts.MaxBody)
	if errors.Is(err, errLarge) {
		return nil, about(r, maybe(r, lockstep.Faultf(lockstep.CodeTooLarge, "the answer is larger than %d bytes", c.opts.MaxBody)))
	}
	if err != nil {
		return nil, c.broken(ctx, r, err)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, Sent: sent, Took: time.Since(sent)}, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	switch {
	case r.Stream != nil:
		body = r.Stream()
	case r.Body != nil:
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil { // its text has the address in it
		return nil, about(r, lockstep.Faultf(lockstep.CodeConfig, "the address cannot be understood"))
	}
	if r.Stream != nil {
		req.ContentLength = r.Length
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(r.Stream()), nil }
	}
	req.Header.Set("User-Agent", "lockstep")
	for _, h := range []http.Header{c.opts.Header, r.Header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	return req, nil
}

var errLarge = errors.New("too large")

// readBody reads a whole answer of a bounded size.
func readBody(resp *http.Response, most int64) ([]byte, error) {
	if resp.ContentLength > most {
		return nil, errLarge
	}
	var b bytes.Buffer
	if resp.ContentLength > 0 {
		b.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, errLarge
	}
	return b.Bytes(), nil
}

// Clock is the system's clock when it began to answer, by the answer's Date: whole seconds, and no later than it
// really was. It is false where the answer has none that can be read.
func (a *Answer) Clock() (time.Time, bool) {
	t, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return time.Time{}, false
	}
	return t.Add(-a.Took).Truncate(time.Second).UTC(), true
}

// CheckURL tells why an address from the settings cannot be spoken to.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil: // its text may hold a password
		return errors.New("it is no address")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("an address with http:// or https:// and a host is needed")
	case u.User != nil:
		return errors.New("no user and password in the address")
	}
	return nil
}

// retryAfter is how long an answer asks to wait; 0 where it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, maxWait)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(0, t.Sub(now)), maxWait)
	}
	return 0
}

const maxWait = time.Hour
