package mapping

import (
	"crypto/sha256"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/lockstep-sync/lockstep/value"
)

var (
	oneText = []param{{name: "text", class: isText}}
	cutText = []param{{name: "text", class: isText}, {name: "length", class: isInt}}
	padText = []param{{name: "text", class: isText}, {name: "length", class: isInt}, {name: "fill", class: isText, optional: true}}
	twoText = []param{{name: "text", class: isText}, {name: "part", class: isText}}
)

// each applies a function of text.
func each(f func(string) string) func(*Worker, []value.Value) value.Value {
	return func(w *Worker, a []value.Value) value.Value { return w.text(f(a[0].Text())) }
}

var textFunctions = []function{
	{"text", "text", "text(x)", "any value as text: numbers plain, times in ISO 8601, lists and objects as JSON", `text(12.50)`, `"12.50"`,
		[]param{{name: "x", class: isAny}}, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value { return w.text(w.textOf(a[0])) }},
	{"upper", "text", "upper(text)", "in capitals", `upper("straße")`, `"STRASSE"`, oneText, gives(isText), false, each(upper)},
	{"lower", "text", "lower(text)", "in small letters", `lower("ÄB")`, `"äb"`, oneText, gives(isText), false, each(strings.ToLower)},
	{"trim", "text", "trim(text) or trim(text, characters)", "without white space, or these characters, at both ends", `trim("  a b ")`, `"a b"`,
		[]param{{name: "text", class: isText}, {name: "characters", class: isText, optional: true}}, gives(isText), false, trim},
	{"trimPrefix", "text", "trimPrefix(text, part)", "without the part at its beginning", `trimPrefix("SKU-12", "SKU-")`, `"12"`, twoText, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value {
			return value.Text(strings.TrimPrefix(a[0].Text(), a[1].Text()))
		}},
	{"trimSuffix", "text", "trimSuffix(text, part)", "without the part at its end", `trimSuffix("12 kg", " kg")`, `"12"`, twoText, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value {
			return value.Text(strings.TrimSuffix(a[0].Text(), a[1].Text()))
		}},
	{"replace", "text", "replace(text, old, new)", "every old by new", `replace("a-b-c", "-", "/")`, `"a/b/c"`,
		[]param{{name: "text", class: isText}, {name: "old", class: isText}, {name: "new", class: isText}}, gives(isText), false, replace},
	{"split", "text", "split(text, separator)", "a list of the parts", `split("a,b", ",")`, `["a","b"]`, twoText, func([]static) static { return listOf(of(isText)) }, false, split},
	{"join", "text", "join(list) or join(list, separator)", "one text of the items' texts; nulls are left out", `join(["a", 2, nil], ", ")`, `"a, 2"`,
		[]param{{name: "list", class: isList}, {name: "separator", class: isText, optional: true}}, gives(isText), false, join2},
	{"substr", "text", "substr(text, start) or substr(text, start, length)", "a piece, in characters; a negative start counts from the end", `substr("Ljubljana", 2, 3)`, `"ubl"`,
		[]param{{name: "text", class: isText}, {name: "start", class: isInt}, {name: "length", class: isInt, optional: true}}, gives(isText), false, substr},
	{"left", "text", "left(text, length)", "the first characters", `left("čšž", 2)`, `"čš"`, cutText, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value { return w.text(characters(a[0].Text(), 0, a[1].Int())) }},
	{"right", "text", "right(text, length)", "the last characters", `right("000123", 4)`, `"0123"`, cutText, gives(isText), false, right},
	{"padLeft", "text", "padLeft(text, length) or padLeft(text, length, fill)", "filled up at the left, with blanks or the fill", `padLeft("7", 3, "0")`, `"007"`, padText, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value { return w.text(w.padding(a) + a[0].Text()) }},
	{"padRight", "text", "padRight(text, length) or padRight(text, length, fill)", "filled up at the right", `padRight("ab", 4, ".")`, `"ab.."`, padText, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value { return w.text(a[0].Text() + w.padding(a)) }},
	{"repeat", "text", "repeat(text, times)", "so many times", `repeat("ab", 3)`, `"ababab"`, []param{{name: "text", class: isText}, {name: "times", class: isInt}}, gives(isText), false, repeat},
	{"indexOf", "text", "indexOf(text, part)", "where the part begins, in characters from 0; null where it is not there", `indexOf("käse", "se")`, `2`, twoText, gives(isInt), false,
		func(w *Worker, a []value.Value) value.Value {
			if i := strings.Index(a[0].Text(), a[1].Text()); i >= 0 {
				return value.Int(int64(utf8.RuneCountInString(a[0].Text()[:i])))
			}
			return value.Null
		}},
	{"stripHtml", "text", "stripHtml(text)", "without tags, comments, scripts and styles; entities as characters, white space as single blanks",
		`stripHtml("<p>Fish &amp; <b>chips</b></p>")`, `"Fish & chips"`, oneText, gives(isText), false, each(stripHTML)},
	{"normalise", "text", "normalise(text)", "in Unicode form NFC, runs of white space as one blank, none at the ends", `normalise(" a  b ")`, `"a b"`, oneText, gives(isText), false,
		each(func(s string) string { return strings.Join(strings.Fields(norm.NFC.String(s)), " ") })},
	{"slug", "text", "slug(text)", "for addresses: small letters a to z, digits, hyphens. Accents go (č is c, é is e), and ß is ss, æ ae, œ oe, ø o, đ d, ł l, þ th. ä, ö, ü are a, o, u: replace() first where ae is wanted",
		`slug("Čevlji & Škornji 42")`, `"cevlji-skornji-42"`, oneText, gives(isText), false, each(slug)},
	{"sha256", "text", "sha256(text)", "its SHA-256, as 64 hexadecimal digits: a short name for something long, the same each time", `left(sha256("/a.png 2026"), 12)`, `"fd0723e2c97f"`,
		oneText, gives(isText), false, each(func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) })},
	{"json", "text", "json(text)", "the value that a JSON text holds", `json("{\"a\": 1.50}").a`, `1.50`, oneText, gives(isAny), false, parseJSON},
	{"toJson", "text", "toJson(x)", "any value as JSON text", `toJson([1, "a"])`, `"[1,\"a\"]"`, []param{{name: "x", class: isAny}}, gives(isText), true,
		func(w *Worker, a []value.Value) value.Value { return w.text(string(value.AppendJSON(nil, a[0]))) }},
}

// upper is strings.ToUpper with ß as SS, as Unicode's full mapping has it.
func upper(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")) }

// textOf is a value's one plain text: what text(), join(), lookup() and link() use.
func (w *Worker) textOf(v value.Value) string {
	switch v.Kind() {
	case value.KindText:
		return v.Text()
	case value.KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case value.KindDecimal:
		return v.Decimal().String()
	case value.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case value.KindFloat:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case value.KindBytes:
		if utf8.Valid(v.Bytes()) {
			return string(v.Bytes())
		}
		w.fail("binary data that is no UTF-8 has no text")
	}
	return string(value.AppendJSON(nil, v))
}

func trim(w *Worker, a []value.Value) value.Value {
	if len(a) > 1 {
		return value.Text(strings.Trim(a[0].Text(), a[1].Text()))
	}
	return value.Text(strings.TrimSpace(a[0].Text()))
}

func replace(w *Worker, a []value.Value) value.Value {
	s, old, with := a[0].Text(), a[1].Text(), a[2].Text()
	if old == "" {
		w.fail("replace: old is empty")
	}
	if grows := len(with) - len(old); grows > 0 {
		w.room("", len(s)+strings.Count(s, old)*grows)
	}
	return w.text(strings.ReplaceAll(s, old, with))
}

func split(w *Worker, a []value.Value) value.Value {
	if a[1].Text() == "" {
		w.fail("split: the separator is empty")
	}
	parts := strings.Split(a[0].Text(), a[1].Text())
	w.spend(40 * len(parts))
	out := make([]value.Value, len(parts))
	for i, p := range parts {
		out[i] = value.Text(p)
	}
	return value.List(out...)
}

func join2(w *Worker, a []value.Value) value.Value {
	sep := ""
	if len(a) > 1 {
		sep = a[1].Text()
	}
	var b strings.Builder
	first := true
	for _, item := range a[0].List() {
		w.step()
		if item.IsNull() {
			continue
		}
		if !first {
			b.WriteString(sep)
		}
		first = false
		text := w.textOf(item)
		b.WriteString(w.room(text, b.Len()+len(sep)))
	}
	return w.text(b.String())
}

// characters is n characters of s from the one at start on.
func characters(s string, start, n int64) string {
	if n <= 0 {
		return ""
	}
	from := skip(s, start)
	return s[from : from+skip(s[from:], n)]
}

// skip is how many bytes the first n characters take.
func skip(s string, n int64) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

func substr(w *Worker, a []value.Value) value.Value {
	s, start, n := a[0].Text(), a[1].Int(), int64(len(a[0].Text()))
	if len(a) > 2 {
		n = a[2].Int()
	}
	if start < 0 {
		start = max(0, start+int64(utf8.RuneCountInString(s)))
	}
	return w.text(characters(s, start, n))
}

func right(w *Worker, a []value.Value) value.Value {
	s := a[0].Text()
	return w.text(characters(s, max(0, int64(utf8.RuneCountInString(s))-max(0, a[1].Int())), int64(len(s))))
}

func (w *Worker) padding(a []value.Value) string {
	fill := " "
	if len(a) > 2 {
		if fill = a[2].Text(); fill == "" {
			w.fail("the fill is empty")
		}
	}
	n := a[1].Int() - int64(utf8.RuneCountInString(a[0].Text()))
	if n <= 0 {
		return ""
	}
	if n > maxMemory {
		w.spend(maxMemory + 1)
	}
	times := n/int64(utf8.RuneCountInString(fill)) + 1
	w.spend(int(times) * len(fill))
	return characters(strings.Repeat(fill, int(times)), 0, n)
}

func repeat(w *Worker, a []value.Value) value.Value {
	s, n := a[0].Text(), a[1].Int()
	if n <= 0 || s == "" {
		return value.Text("")
	}
	if n > maxMemory {
		w.spend(maxMemory + 1)
	}
	w.room("", int(n)*len(s))
	return w.text(strings.Repeat(s, int(n)))
}

var (
	hiddenHTML = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script\s*>|<style\b.*?</style\s*>`)
	tagHTML    = regexp.MustCompile(`(?s)<(/?)([a-zA-Z][a-zA-Z0-9]*)\b[^>]*>|<![^>]*>`)
)

// inline are the tags that do not part words.
var inline = map[string]bool{"a": true, "abbr": true, "b": true, "bdi": true, "cite": true, "code": true, "del": true, "dfn": true, "em": true, "font": true,
	"i": true, "ins": true, "kbd": true, "mark": true, "q": true, "s": true, "samp": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true,
	"u": true, "var": true, "wbr": true}

func stripHTML(s string) string {
	s = hiddenHTML.ReplaceAllString(s, " ")
	s = tagHTML.ReplaceAllStringFunc(s, func(tag string) string {
		name := strings.TrimLeft(tag, "</")
		if i := strings.IndexFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
			name = name[:i]
		}
		if inline[strings.ToLower(name)] {
			return ""
		}
		return " "
	})
	return strings.Join(strings.Fields(html.UnescapeString(s)), " ")
}

var slugLetters = map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ł': "l", 'þ': "th", 'ħ': "h", 'ı': "i", 'ŋ': "n"}

func slug(s string) string {
	var b strings.Builder
	hyphen := false
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		switch letters, special := slugLetters[r]; {
		case special || (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9'):
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			if special {
				b.WriteString(letters)
			} else {
				b.WriteRune(r)
			}
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’': // an accent, an apostrophe: nothing in between
		default:
			hyphen = true
		}
	}
	return b.String()
}

func parseJSON(w *Worker, a []value.Value) value.Value {
	w.spend(8 * len(a[0].Text()))
	v, err := value.ParseJSON(a[0].Text())
	if err != nil {
		w.fail("json: the text is no JSON: %v", err)
	}
	return v
}
