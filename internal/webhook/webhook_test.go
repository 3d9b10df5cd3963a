package webhook

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

var (
	at   = time.Unix(1_795_424_261, 0)
	body = []byte(`{"keys":["1","2"]}`)
)

func signed(secrets ...string) http.Header {
	h := http.Header{}
	Sign(h, body, at, secrets...)
	return h
}

func check(h http.Header, body []byte, now time.Time, secrets ...string) error {
	s, err := Read(h, now, DefaultWindow)
	if err == nil {
		_, err = s.Check(body, secrets)
	}
	return err
}

// The signature is the one that others make: printf '1795424261.{"keys":["1","2"]}' | openssl dgst -sha256 -hmac "…"
func TestSignatureAsOthersMakeIt(t *testing.T) {
	const want = "sha256=e98b12acc2931e6fad25712eb9480fc62f56ec3a77e680c7152ac703e8aa8335"
	if got := signed("a secret of sixteen").Get(SignatureHeader); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRightOnes(t *testing.T) {
	for name, tc := range map[string]struct {
		h       http.Header
		now     time.Time
		secrets []string
	}{
		"plain":                      {signed("one"), at, []string{"one"}},
		"at the edge of the window":  {signed("one"), at.Add(DefaultWindow), []string{"one"}},
		"from a clock that is ahead": {signed("one"), at.Add(-DefaultWindow), []string{"one"}},
		"we rotate":                  {signed("old"), at, []string{"new", "old"}},
		"the sender rotates":         {signed("new", "old"), at, []string{"old"}},
		"with a blank behind the comma": {http.Header{TimestampHeader: signed("a").Values(TimestampHeader),
			SignatureHeader: {strings.ReplaceAll(signed("a", "b").Get(SignatureHeader), ",", ", ")}}, at, []string{"b"}},
	} {
		if err := check(tc.h, body, tc.now, tc.secrets...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongOnes(t *testing.T) {
	with := func(name string, values ...string) http.Header {
		h := signed("one")
		h[name] = values
		return h
	}
	good := signed("one").Get(SignatureHeader)
	for name, tc := range map[string]struct {
		h       http.Header
		body    string
		now     time.Time
		secrets []string
	}{
		"another secret":     {signed("two"), string(body), at, []string{"one"}},
		"another body":       {signed("one"), string(body) + " ", at, []string{"one"}},
		"another time":       {with(TimestampHeader, strconv.FormatInt(at.Unix()+1, 10)), string(body), at, []string{"one"}},
		"no secret":          {signed(""), string(body), at, nil},
		"old":                {signed("one"), string(body), at.Add(DefaultWindow + time.Second), []string{"one"}},
		"from the future":    {signed("one"), string(body), at.Add(-DefaultWindow - time.Second), []string{"one"}},
		"no time":            {with(TimestampHeader), string(body), at, []string{"one"}},
		"two times":          {with(TimestampHeader, "1", "2"), string(body), at, []string{"one"}},
		"a time of words":    {with(TimestampHeader, "now"), string(body), at, []string{"one"}},
		"a negative time":    {with(TimestampHeader, "-5"), string(body), at, []string{"one"}},
		"an endless time":    {with(TimestampHeader, strings.Repeat("9", 18)), string(body), at, []string{"one"}},
		"no signature":       {with(SignatureHeader), string(body), at, []string{"one"}},
		"an empty signature": {with(SignatureHeader, ""), string(body), at, []string{"one"}},
		"no prefix":          {with(SignatureHeader, good[7:]), string(body), at, []string{"one"}},
		"too short":          {with(SignatureHeader, good[:70]), string(body), at, []string{"one"}},
		"too long":           {with(SignatureHeader, good+"00"), string(body), at, []string{"one"}},
		"no hex":             {with(SignatureHeader, prefix+strings.Repeat("x", 64)), string(body), at, []string{"one"}},
		"too many":           {with(SignatureHeader, strings.Repeat(good+",", 8)+good), string(body), at, []string{"one"}},
	} {
		err := check(tc.h, []byte(tc.body), tc.now, tc.secrets...)
		if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is repeated has the same ID, whatever else was signed beside it.
func TestSameNoticeSameID(t *testing.T) {
	id := func(h http.Header, secrets ...string) ID {
		s, err := Read(h, at, DefaultWindow)
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Check(body, secrets)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if a, b := id(signed("one"), "one"), id(signed("two", "one"), "one"); a != b {
		t.Errorf("%s and %s", hex.EncodeToString(a[:]), hex.EncodeToString(b[:]))
	}
}

func TestSeenForgetsInGenerations(t *testing.T) {
	s := Seen{Most: 2}
	ids := []ID{{1}, {2}, {3}, {4}, {5}}
	for _, id := range ids {
		if s.Has(id) {
			t.Errorf("%d was never added", id[0])
		}
		s.Add(id, at, time.Minute)
		if !s.Has(id) {
			t.Errorf("%d is forgotten at once", id[0])
		}
	}
	if s.Has(ids[0]) || !s.Has(ids[2]) {
		t.Error("more than two generations are kept, or fewer")
	}
	s.Add(ID{6}, at.Add(2*time.Minute), time.Minute)
	s.Add(ID{7}, at.Add(4*time.Minute), time.Minute)
	if s.Has(ids[4]) || !s.Has(ID{6}) {
		t.Error("what is older than it can be right stays, or what is not goes")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("1795424261", signed("one").Get(SignatureHeader))
	f.Add("x", "sha256=,")
	f.Fuzz(func(t *testing.T, stamp, signature string) {
		h := http.Header{TimestampHeader: {stamp}, SignatureHeader: {signature}}
		s, err := Read(h, at, DefaultWindow)
		if err == nil {
			if len(s.ids) == 0 || len(s.ids) > most {
				t.Fatal(len(s.ids))
			}
			_, err = s.Check(body, []string{"a secret that nobody signs with"})
		}
		if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeSignature {
			t.Fatal(err)
		}
	})
}
