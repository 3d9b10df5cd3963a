package httpkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// broken is the fault of a request that got no whole answer.
func (c *Client) broken(ctx context.Context, r Request, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok { // it begins with the address
		err = u.Err
	}
	netErr, isNet := errors.AsType[net.Error](err)
	op, _ := errors.AsType[*net.OpError](err)
	dns, _ := errors.AsType[*net.DNSError](err)
	switch {
	case dns != nil:
		return about(r, lockstep.Faultf(lockstep.CodeUnavailable, "the host is not known: %s", plain(dns.Err)))
	case op != nil && op.Op == "dial":
		return about(r, lockstep.Faultf(lockstep.CodeUnavailable, "no connection: %w", op.Err))
	case errors.Is(err, context.DeadlineExceeded), isNet && netErr.Timeout():
		return about(r, maybe(r, lockstep.Faultf(lockstep.CodeTimeout, "no answer within %s", c.opts.Timeout)))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return about(r, maybe(r, lockstep.Faultf(lockstep.CodeNetwork, "the connection ended before the whole answer was there")))
	case strings.Contains(err.Error(), "certificate"):
		f := lockstep.Faultf(lockstep.CodeLogin, "the server's certificate cannot be trusted: %w", err)
		f.Next = "Let the system have a certificate that this machine trusts, then start the flow again."
		return about(r, f)
	}
	return about(r, maybe(r, lockstep.Faultf(lockstep.CodeNetwork, "the request failed: %w", err)))
}

// Check is the fault of an answer's status, nil for 2xx. What the answer says is not repeated.
func (r Request) Check(a *Answer) error {
	s := a.Status
	fault := lockstep.Faultf
	switch {
	case s >= 200 && s < 300:
		return nil
	case s >= 300 && s < 400:
		f := fault(lockstep.CodeCannot, "status %d: the address only leads to another one", s)
		f.Next = "Put the address that it leads to into the configuration."
		return about(r, f)
	case s == 401:
		return about(r, fault(lockstep.CodeLogin, "status 401: the credentials are refused"))
	case s == 403:
		return about(r, fault(lockstep.CodeRights, "status 403: this is not allowed"))
	case s == 404 || s == 410:
		return about(r, fault(lockstep.CodeGone, "status %d: it is not there", s))
	case s == 408:
		return about(r, fault(lockstep.CodeTimeout, "status 408: the request took too long"))
	case s == 409 || s == 412:
		return about(r, fault(lockstep.CodeVersionMoved, "status %d: it has changed meanwhile", s))
	case s == 413:
		return about(r, fault(lockstep.CodeTooLarge, "status 413: the request is larger than the system takes"))
	case s == 429, s == 503 && a.Header.Get("Retry-After") != "":
		f := fault(lockstep.CodeThrottled, "status %d: the system asks us to wait", s)
		f.Wait = retryAfter(a.Header, time.Now())
		return about(r, f)
	case s == 502 || s == 503:
		return about(r, maybe(r, fault(lockstep.CodeUnavailable, "status %d: the system behind the address does not answer", s)))
	case s == 504:
		return about(r, maybe(r, fault(lockstep.CodeTimeout, "status 504: the system took too long for the server before it")))
	case s >= 500:
		return about(r, maybe(r, fault(lockstep.CodeServer, "status %d", s)))
	case s >= 400:
		return about(r, fault(lockstep.CodeValue, "status %d: the request is refused", s))
	}
	return about(r, maybe(r, fault(lockstep.CodeUnclassified, "status %d", s)))
}

// NotJSON is the fault of an answer that should be JSON and is not, nil where it may be: a page of HTML from something
// between us and the system, or nothing at all.
func (r Request) NotJSON(a *Answer) error {
	body := bytes.TrimLeft(a.Body, " \t\r\n\ufeff")
	switch {
	case len(body) == 0:
		return about(r, maybe(r, lockstep.Faultf(lockstep.CodeServer, "status %d and an empty answer", a.Status)))
	case body[0] == '<':
		return about(r, maybe(r, lockstep.Faultf(lockstep.CodeUnavailable, "status %d and a page of HTML where JSON is expected", a.Status)))
	case body[0] != '{' && body[0] != '[':
		return about(r, maybe(r, lockstep.Faultf(lockstep.CodeServer, "status %d and an answer that is no JSON", a.Status)))
	}
	return nil
}

// Cut is the fault of an answer that ends, or breaks, in the middle of its JSON.
func (r Request) Cut() error {
	return about(r, maybe(r, lockstep.Faultf(lockstep.CodeNetwork, "the answer is no whole JSON document")))
}

func maybe(r Request, f *lockstep.Fault) *lockstep.Fault {
	if r.Write {
		return f.Maybe()
	}
	return f
}

func about(r Request, f *lockstep.Fault) error {
	return f.On(lockstep.About{Request: r.Name})
}

func plain(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
