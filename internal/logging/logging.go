// Package logging makes the logger that the house is given. Loggers are handed down, never global. Error means that a
// person must act; Warn, that it healed or will be tried again; Info, start, stop, a run's end; Debug, per record.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// New is a logger that writes to w. level is debug, info, warn or error ("" is info); format is "text" for people,
// "json" for machines, one object a line ("" is json). mask is applied to every text, so that no secret gets out by
// way of somebody's error message (law 12).
func New(w io.Writer, level, format string, mask ...func(string) string) (*slog.Logger, error) {
	opt := &slog.HandlerOptions{ReplaceAttr: replacer(mask)}
	var l slog.Level
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil || strings.ContainsAny(level, "+-") {
			return nil, fmt.Errorf("the log level is debug, info, warn or error, not %q", level)
		}
	}
	opt.Level = l
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opt)), nil
	case "json", "":
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	}
	return nil, fmt.Errorf("the log format is text or json, not %q", format)
}

// replacer masks texts. Values of other kinds than slog's own are turned into text first: a struct that somebody logs
// must not carry a secret past the mask.
func replacer(mask []func(string) string) func([]string, slog.Attr) slog.Attr {
	return func(_ []string, a slog.Attr) slog.Attr {
		var text string
		switch a.Value.Kind() {
		case slog.KindString:
			text = a.Value.String()
		case slog.KindAny:
			switch v := a.Value.Any().(type) {
			case nil, *slog.Source, slog.Level:
				return a
			default:
				text = fmt.Sprint(v)
			}
		default:
			return a
		}
		for _, m := range mask {
			text = m(text)
		}
		return slog.String(a.Key, text)
	}
}
