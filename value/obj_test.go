package value

import "testing"

// An object whose only member is named like a tag is an object all the same.
func TestTaggedKeepsObjectsThatLookLikeTags(t *testing.T) {
	for _, f := range []Fields{
		F("a", F("$float", "no tag")), F("$float", "no tag"), F("a", F("$obj", F("$obj", 1))), F("a", F("$obj", "x")),
		F("a", F("$obj", F("$dec", F("$time", "t")))), F("a", []any{F("$bytes", "!"), F("x", F("$dec", "1"))}), F("a", F("$dec", "1", "b", 2)),
	} {
		text := string(AppendTagged(nil, f))
		var d Decoder
		got, err := d.Fields(text)
		if err != nil || !got.Equal(f) {
			t.Errorf("%s: %s, %v", text, AppendFields(nil, got), err)
		}
	}
}
