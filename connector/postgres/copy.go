package postgres

import (
	"io"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// copyReader gives writes as the text format of COPY. It holds about copyBuffer bytes at a time.
type copyReader struct {
	b      *sqlkit.Binding
	writes []lockstep.Write
	places []int
	buf    []byte
	sent   int // of buf
	words  []byte
	err    error // what was wrong with a write: the server only hears that COPY failed
}

const copyBuffer = 64 << 10

// Read fills p with rows.
func (r *copyReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.sent == len(r.buf) {
		if r.fill(); r.err != nil {
			return 0, r.err
		}
		if len(r.buf) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, r.buf[r.sent:])
	r.sent += n
	return n, nil
}

func (r *copyReader) fill() {
	r.buf, r.sent = r.buf[:0], 0
	for len(r.places) > 0 && len(r.buf) < copyBuffer-4096 && r.err == nil {
		r.row(&r.writes[r.places[0]])
		r.places = r.places[1:]
	}
}

func (r *copyReader) row(w *lockstep.Write) {
	var parts []string
	if w.Key != "" && len(r.b.Key) > 1 {
		if parts, r.err = w.Key.Parts(len(r.b.Key)); r.err != nil {
			return
		}
	}
	values := w.Fields.Values()
	for i, c := range r.b.Columns {
		if i > 0 {
			r.buf = append(r.buf, '\t')
		}
		switch at := r.b.Field[i]; {
		case at >= 0:
			r.cell(&c.Type, values[at])
		case parts != nil:
			r.buf = sqlkit.AppendEscaped(r.buf, string(keyParam(c, parts[i])))
		case c.Type.Kind == value.BytesType:
			r.buf = sqlkit.AppendEscaped(r.buf, string(keyParam(c, string(w.Key))))
		default:
			r.buf = sqlkit.AppendEscaped(r.buf, string(w.Key))
		}
	}
	r.buf = append(r.buf, '\n')
}

func (r *copyReader) cell(t *value.Type, v value.Value) {
	switch k := v.Kind(); {
	case k == value.KindNull:
		r.buf = append(r.buf, '\\', 'N')
	case k <= value.KindDecimal && t.Kind != value.JSONType, k == value.KindTime && t.Kind != value.JSONType: // nothing to escape
		r.buf = appendText(r.buf, t, v)
	default:
		if text, ok := plainText(t, v); ok {
			r.buf = sqlkit.AppendEscaped(r.buf, text)
			return
		}
		r.words = appendText(r.words[:0], t, v)
		r.buf = sqlkit.AppendEscaped(r.buf, string(r.words))
	}
}
