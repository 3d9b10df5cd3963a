package magento

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"
)

const contractDir = "../../../../shared/contracts/magento/"

// contract reads a file of the contract, or skips the test.
func contract(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(contractDir + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("third-party data contracts/magento/" + name + " is absent")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

type vectors struct {
	ConsumerSecret string `json:"consumer_secret"`
	TokenSecret    string `json:"token_secret"`
	Vectors        []struct {
		Method, URL string
		OAuth       map[string]string
		BaseString  string `json:"base_string"`
		Signature   string
		Header      string `json:"authorization_header"`
	}
}

// What the real server took is taken, and only once; what differs by one character is not.
func TestOAuthVectors(t *testing.T) {
	var v vectors
	contract(t, "oauth-vectors.json", &v)
	if len(v.Vectors) != 17 {
		t.Fatalf("%d vectors", len(v.Vectors))
	}
	for _, c := range v.Vectors {
		u, err := url.Parse(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		uri := u.EscapedPath()
		if u.RawQuery != "" {
			uri += "?" + u.RawQuery
		}
		i := Integration{ConsumerKey: c.OAuth["oauth_consumer_key"], ConsumerSecret: v.ConsumerSecret, Token: c.OAuth["oauth_token"], TokenSecret: v.TokenSecret}
		if got := baseString(c.Method, "http://"+u.Host, u.EscapedPath(), u.RawQuery, c.OAuth); got != c.BaseString {
			t.Errorf("%s %s:\n got %s\nwant %s", c.Method, c.URL, got, c.BaseString)
		}
		r := httptest.NewRequest(c.Method, "/", nil)
		r.Host, r.RequestURI = u.Host, uri
		r.Header.Set("Authorization", c.Header)
		check := &verifier{integration: i}
		now := time.Unix(1795424700, 0)
		if no := check.verify(r, now); no != nil {
			t.Errorf("%s %s: %s", c.Method, c.URL, no.message)
		}
		if no := check.verify(r, now); no == nil || no.message != "The nonce is already being used by the consumer with ID %1" {
			t.Errorf("a nonce was taken twice: %v", no)
		}
		other := &verifier{integration: i, origin: "https://shop.example"}
		if no := other.verify(r, now); no == nil || no.message != "The signature is invalid. Verify and try again." {
			t.Errorf("another origin is signed alike: %v", no)
		}
		early := &verifier{integration: i}
		if no := early.verify(r, now.Add(-11*time.Minute)); no == nil || no.message != "The timestamp value in the oauth_timestamp parameter is invalid." {
			t.Errorf("a timestamp of the future: %v", no)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"x[2]", "x[10]", -1}, {"x[10]", "x[2]", 1}, {"a", "a", 0}, {"a", "ab", -1}, {"a1b2", "a1b10", -1}, {"a01", "a1", -1}, {"0010", "9", 1}, {"b", "a", 1}} {
		got := naturalOrder(c.a, c.b)
		if (got < 0) != (c.want < 0) || (got > 0) != (c.want > 0) {
			t.Errorf("%s %s: %d", c.a, c.b, got)
		}
	}
}
