package cli

import (
	"bytes"
	"io"
)

// indented writes lines with something in front of each.
type indented struct {
	w   io.Writer
	by  string
	mid bool // within a line
}

func (i *indented) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		line, rest := b, []byte(nil)
		if at := bytes.IndexByte(b, '\n'); at >= 0 {
			line, rest = b[:at+1], b[at+1:]
		}
		if !i.mid && len(line) > 1 {
			if _, err := io.WriteString(i.w, i.by); err != nil {
				return 0, err
			}
		}
		if _, err := i.w.Write(line); err != nil {
			return 0, err
		}
		i.mid = line[len(line)-1] != '\n'
		b = rest
	}
	return n, nil
}
