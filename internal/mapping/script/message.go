package script

import (
	"errors"
	"regexp"
	"strings"

	"go.starlark.net/starlark"
)

var (
	noSuchKey   = regexp.MustCompile(`key .* not in dict`)
	quotedText  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)
	missingText = regexp.MustCompile(`(?s)(invalid literal|invalid float literal|duplicate keyword arg|not supported in replacement fields|keyword)\b.*`)
)

// errorOf is an error of a run: what went wrong, the function of the script in which it did, and where.
func errorOf(err error) *Error {
	out := &Error{Text: plain(err)}
	e, ok := errors.AsType[*starlark.EvalError](err)
	if !ok {
		return out
	}
	if e.Unwrap() != nil {
		out.Text = plain(e.Unwrap())
	} else {
		out.Text = plainText(e.Msg)
	}
	for _, frame := range e.CallStack {
		if frame.Pos.Filename() == "<builtin>" {
			continue
		}
		if out.Line, out.Col = int(frame.Pos.Line), int(frame.Pos.Col); frame.Name != "<toplevel>" {
			out.Func = frame.Name
		}
	}
	if strings.Contains(e.Msg, tooManySteps) {
		out.Text = tooManySteps
	}
	return out
}

// plain is a message without values. Ours have none, and a fail() has the author's own text; Starlark's may have some.
func plain(err error) string {
	if err, ok := errors.AsType[*starlark.EvalError](err); ok && err.Unwrap() != nil {
		return plain(err.Unwrap())
	}
	return plainText(err.Error())
}

func plainText(s string) string {
	if text, ok := strings.CutPrefix(s, "fail: "); ok {
		return text
	}
	s = noSuchKey.ReplaceAllString(s, "the dict has no such key")
	s = missingText.ReplaceAllString(s, "$1")
	return quotedText.ReplaceAllString(s, "…")
}
