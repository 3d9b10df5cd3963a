package magento

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Integration is what the Admin shows of an integration: four strings. Only these resources are granted; none: all.
type Integration struct {
	ConsumerKey, ConsumerSecret string
	Token, TokenSecret          string
	Resources                   []string
}

// Nonces are kept for two hours; a timestamp may be ten minutes ahead.
const (
	nonceLife = 2 * time.Hour
	clockSkew = 600 * time.Second
)

// nonces are the ones that were used: those of the last two hours, and of the two before, which go together.
type nonces struct {
	mu        sync.Mutex
	now, past map[string]bool
	since     time.Time
}

// use tells whether a nonce is new. It counts as used from now on, whatever becomes of the request.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now == nil || now.Sub(n.since) > nonceLife {
		n.past, n.now, n.since = n.now, map[string]bool{}, now
	}
	if n.now[nonce] || n.past[nonce] {
		return false
	}
	n.now[nonce] = true
	return true
}

// oauthParams reads the Authorization header of a signed request.
func oauthParams(header string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(header, "OAuth "), ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok {
			out[rawDecoded(k)] = rawDecoded(strings.Trim(v, `"`))
		}
	}
	return out
}

// verifier checks signed requests as PHP does, in its order of checks.
type verifier struct {
	integration Integration
	origin      string // scheme and host as PHP sees them; empty: as the request says
	nonces      nonces
}

// refusal is why a signed request is refused.
type refusal struct {
	status     int
	message    string
	parameters any
}

var requiredOAuth = [...]string{"oauth_consumer_key", "oauth_signature", "oauth_signature_method", "oauth_nonce", "oauth_timestamp", "oauth_token"}

func (v *verifier) verify(r *http.Request, now time.Time) *refusal {
	p := oauthParams(r.Header.Get("Authorization"))
	denied := func(message string, parameters ...string) *refusal {
		if parameters == nil {
			return &refusal{http.StatusUnauthorized, message, nil}
		}
		return &refusal{http.StatusUnauthorized, message, parameters}
	}
	if n := p["oauth_version"]; n != "" && n != "1.0" {
		return &refusal{http.StatusBadRequest, "The OAuth version %1 isn't supported.", []string{n}}
	}
	for _, k := range requiredOAuth {
		if p[k] == "" {
			return &refusal{http.StatusBadRequest, `"%fieldName" is required. Enter and try again.`, obj{{"fieldName", k}}}
		}
	}
	if len(p["oauth_token"]) != 32 {
		return denied("The token length is invalid. Check the length and try again.")
	}
	if m := p["oauth_signature_method"]; m != "HMAC-SHA256" {
		return &refusal{http.StatusBadRequest, "Signature method %1 is not supported", []string{m}}
	}
	if len(p["oauth_consumer_key"]) != 32 {
		return denied("Consumer key is not the correct length")
	}
	if p["oauth_consumer_key"] != v.integration.ConsumerKey {
		return denied("A consumer having the specified key does not exist")
	}
	stamp, err := strconv.ParseInt(p["oauth_timestamp"], 10, 64)
	if err != nil || stamp <= 0 || time.Unix(stamp, 0).After(now.Add(clockSkew)) {
		return denied("The timestamp value in the oauth_timestamp parameter is invalid.")
	}
	if !v.nonces.use(p["oauth_nonce"], now) { // before the signature is looked at
		return denied("The nonce is already being used by the consumer with ID %1", "1")
	}
	if p["oauth_token"] != v.integration.Token {
		return denied("Specified token does not exist")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	want := v.integration.sign(baseString(r.Method, v.originOf(r), path, query, p))
	if !hmac.Equal([]byte(want), []byte(p["oauth_signature"])) {
		return denied("The signature is invalid. Verify and try again.")
	}
	return nil
}

// originOf is scheme and host as they are signed: a default port is left out.
func (v *verifier) originOf(r *http.Request) string {
	if v.origin != "" {
		return v.origin
	}
	if r.TLS != nil {
		return "https://" + strings.TrimSuffix(r.Host, ":443")
	}
	return "http://" + strings.TrimSuffix(r.Host, ":80")
}

func (i Integration) sign(base string) string {
	mac := hmac.New(sha256.New, []byte(encoded(i.ConsumerSecret)+"&"+encoded(i.TokenSecret)))
	mac.Write([]byte(base))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
