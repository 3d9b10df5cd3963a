package pimcore

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextsAreReadAsTheyWereMeant(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `""`: "", `"a\/b"`: "a/b", `"\u003Cp\u003E\"x\" & \u00e9\n"`: "<p>\"x\" & é\n", `"\ud83d\ude00"`: "😀", `"\\"`: `\`, `"\\\""`: `\"`} {
		c := &cursor{text: in + `,"next"`}
		if got, err := c.string(); err != nil || got != want || c.text[c.at:] != `,"next"` {
			t.Errorf("%s: %q, %v", in, got, err)
		}
		c = &cursor{text: in + `,"next"`}
		if err := c.skip(); err != nil || c.text[c.at:] != `,"next"` {
			t.Errorf("%s skipped to %s, %v", in, c.text[c.at:], err)
		}
	}
	for _, in := range []string{`"`, `"a`, `"\`, `"\"`, `"\u12"`, `"\ud83d"`, `"\x"`, `a`, ``} {
		if got, err := (&cursor{text: in}).string(); err == nil {
			t.Errorf("%s is read as %q", in, got)
		}
	}
	deep := strings.Repeat("[", 10_000)
	if err := (&cursor{text: deep}).skip(); err == nil {
		t.Error("no bound")
	}
}

// What encoding/json takes, the cursor takes, and reads the same texts from it.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x\/",{"b":null}],"c":true}`, `"\\\""`, `[[],{}]`, `{"a":"\u00e9"}`, ` { "a" : -1.5e3 } `, `"\`, `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		c := &cursor{text: text}
		err := c.skip()
		if err == nil {
			err = c.end()
		}
		if json.Valid([]byte(text)) && err != nil && strings.Count(text, "[")+strings.Count(text, "{") < maxDepth {
			t.Errorf("%q is not taken", text)
		}
		var want string
		if json.Unmarshal([]byte(text), &want) == nil && strings.HasPrefix(strings.TrimSpace(text), `"`) && !strings.ContainsRune(want, utf8.RuneError) {
			if got, err := (&cursor{text: text}).string(); err != nil || got != want {
				t.Errorf("%q is read as %q, %v", text, got, err)
			}
		}
	})
}
