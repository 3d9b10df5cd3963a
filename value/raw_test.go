package value_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/value"
)

// TestDecodedTextStaysText looks that what a field of tagged JSON holds stays text where it can, is what it was, and is
// refused where it is no JSON.
func TestDecodedTextStaysText(t *testing.T) {
	for _, c := range []struct {
		text string
		raw  bool
	}{
		{`{"a": 1, "b": ["x\"}", {}]}`, true}, {`[1, 2]`, true}, {`{}`, true}, {`{"a": {"$dec": "1"}}`, false}, {`{"$obj": {"$a": 1}}`, false},
		{`{"\u0024dec": "1"}`, false}, {`"text"`, false},
	} {
		got, err := new(value.Decoder).Fields(`{"before": 1, "it":` + c.text + `,"after": 2}`)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		it, _ := got.Get("it")
		if raw, ok := it.RawText(); ok != c.raw || (ok && raw != c.text) {
			t.Errorf("%s: raw %v, %q", c.text, ok, raw)
		}
		again, err := new(value.Decoder).Fields(string(value.AppendTagged(nil, got)))
		if err != nil || !again.Equal(got) {
			t.Errorf("%s comes back as %v: %v", c.text, again, err)
		}
	}
	for _, bad := range []string{`{"a": }`, `{"a" 1}`, `[1,]`, `{"a": 1`, `{"a": tru}`, `[1 2]`, `{"a": "\x"}`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)} {
		if got, err := new(value.Decoder).Fields(`{"it":` + bad + `}`); err == nil {
			t.Errorf("%.20s is taken for %v", bad, got)
		}
	}
}
