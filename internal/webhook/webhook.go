// Package webhook signs notices and checks their signatures: HMAC-SHA256 over the time of sending, a dot and the body as
// it is on the wire. docs/api.md describes it for those who send.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The headers of a signed notice. The first holds unix seconds, the second "sha256=" and 64 hex digits, or several such
// separated by commas: a sender that changes its secret signs with both.
const (
	TimestampHeader = "X-Lockstep-Timestamp"
	SignatureHeader = "X-Lockstep-Signature"
)

// DefaultWindow is how far the time of a notice may be from ours, both ways.
const DefaultWindow = 5 * time.Minute

const (
	prefix = "sha256="
	most   = 8 // signatures that one notice may carry
)

// ID is a signature as it is known by: equal for the same notice sent again.
type ID [sha256.Size]byte

// Sign puts the headers of a notice with this body, sent at this moment, into h: one signature for each secret.
func Sign(h http.Header, body []byte, at time.Time, secrets ...string) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		id := sum(secret, stamp, body)
		signatures[i] = prefix + hex.EncodeToString(id[:])
	}
	h.Set(TimestampHeader, stamp)
	h.Set(SignatureHeader, strings.Join(signatures, ","))
}

func sum(secret, stamp string, body []byte) (id ID) {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = m.Write([]byte(stamp + ".")) // a hash never fails
	_, _ = m.Write(body)
	m.Sum(id[:0])
	return id
}

// Signature is what a notice's headers say, before its body is read.
type Signature struct {
	stamp string
	ids   []ID
}

// Signed tells whether there is anything of a signature in the headers.
func Signed(h http.Header) bool {
	return h.Get(TimestampHeader) != "" || h.Get(SignatureHeader) != ""
}

// Read takes a signature from headers. It refuses, with CodeSignature, one that is not of the right form or whose time
// is further from now than the window: before the body is read, which may cost more.
func Read(h http.Header, now time.Time, window time.Duration) (Signature, error) {
	stamps, signatures := h.Values(TimestampHeader), h.Values(SignatureHeader)
	if len(stamps) != 1 || len(signatures) != 1 {
		return Signature{}, refuse("a notice has one " + TimestampHeader + " and one " + SignatureHeader)
	}
	s := Signature{stamp: stamps[0]}
	seconds, err := strconv.ParseInt(s.stamp, 10, 64)
	if err != nil || seconds < 0 || len(s.stamp) > 12 {
		return Signature{}, refuse(TimestampHeader + " is not a time in unix seconds")
	}
	switch at := time.Unix(seconds, 0); {
	case at.Before(now.Add(-window)):
		return Signature{}, refuse("the notice is older than " + window.String() + ", or the clocks do not agree")
	case at.After(now.Add(window)):
		return Signature{}, refuse("the notice comes from the future, more than " + window.String() + ": the clocks do not agree")
	}
	parts := strings.SplitN(signatures[0], ",", most+1)
	if len(parts) > most {
		return Signature{}, refuse("the notice has too many signatures")
	}
	for _, part := range parts {
		digits, ok := strings.CutPrefix(strings.TrimSpace(part), prefix)
		var id ID
		if n, err := hex.Decode(id[:], []byte(digits[:min(len(digits), 2*len(id))])); !ok || err != nil || n != len(id) || len(digits) != 2*len(id) {
			return Signature{}, refuse(SignatureHeader + " is not " + prefix + " and 64 hex digits")
		}
		s.ids = append(s.ids, id)
	}
	return s, nil
}

// Check tells whether one of the secrets made the signature of this body, and which signature that is. It compares each
// with each in constant time, so that nothing is learnt from how long it takes. With no secret nothing is right.
func (s Signature) Check(body []byte, secrets []string) (ID, error) {
	var found ID
	right := false
	for _, secret := range secrets {
		want := sum(secret, s.stamp, body)
		for _, id := range s.ids {
			if hmac.Equal(id[:], want[:]) && !right {
				found, right = want, true
			}
		}
	}
	if !right {
		return ID{}, refuse("the signature is not that of this body and time by any secret of the flow")
	}
	return found, nil
}

// For is the ID of a notice as it concerns one flow: what was sent to two with one secret is two notices.
func (id ID) For(flow string) ID { return sha256.Sum256(append(id[:], flow...)) }

func refuse(why string) error { return lockstep.NewFault(lockstep.CodeSignature, errors.New(why)) }
