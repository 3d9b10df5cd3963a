package pimcore

import (
	"errors"
	"slices"
	"strconv"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// gqlError is one entry of errors.
type gqlError struct {
	message      string
	line, column int // 0: no location
	path         []any
}

// told is an error whose text the client may see; the text of all others is "Internal server error".
type told string

func (e told) Error() string { return string(e) }

// errInternal stands for what PHP or the database refused.
var errInternal = errors.New("internal")

func (r *request) fail(err error, f *planned) {
	e := gqlError{message: "Internal server error", path: slices.Clone(r.path)}
	if t, ok := errors.AsType[told](err); ok {
		e.message = string(t)
	}
	if p := f.node.Position; p != nil {
		e.line, e.column = p.Line, p.Column
	}
	r.errs = append(r.errs, e)
}

// invalid are the errors of a document that is not executed at all.
func invalid(list gqlerror.List, prefix string) []gqlError {
	out := make([]gqlError, 0, len(list))
	for _, e := range list {
		g := gqlError{message: prefix + e.Message}
		if len(e.Locations) > 0 {
			g.line, g.column = e.Locations[0].Line, e.Locations[0].Column
		}
		out = append(out, g)
	}
	return out
}

// answer puts errors before data, as the real one does. data nil: the document was refused, there is none.
func answer(errs []gqlError, data []byte) []byte {
	b := []byte{'{'}
	if len(errs) > 0 {
		b = append(b, `"errors":[`...)
		for i, e := range errs {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.json(b)
		}
		b = append(b, ']')
	}
	if data != nil {
		if len(errs) > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `"data":`...), data...)
	}
	return append(b, '}')
}

func (e gqlError) json(b []byte) []byte {
	b = phpString(append(b, `{"message":`...), e.message)
	if e.line > 0 {
		b = strconv.AppendInt(append(b, `,"locations":[{"line":`...), int64(e.line), 10)
		b = append(strconv.AppendInt(append(b, `,"column":`...), int64(e.column), 10), `}]`...)
	}
	if e.path != nil {
		b = append(b, `,"path":[`...)
		for i, p := range e.path {
			if i > 0 {
				b = append(b, ',')
			}
			if n, ok := p.(int); ok {
				b = strconv.AppendInt(b, int64(n), 10)
			} else {
				b = phpString(b, p.(string))
			}
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
