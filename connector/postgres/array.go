package postgres

import (
	"strings"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// parseArray reads an array in its text form: {1,NULL,"a \"b\""}, nested braces for more dimensions, and maybe bounds
// in front, "[2:3]={…}", which are dropped.
func parseArray(text string, elem *value.Type) (value.Value, error) {
	if strings.HasPrefix(text, "[") {
		_, rest, ok := strings.Cut(text, "=")
		if !ok {
			return value.Null, errText
		}
		text = rest
	}
	p := arrayParser{text: text, elem: elem}
	v, err := p.list(0)
	if err == nil && p.at != len(text) {
		err = errText
	}
	return v, err
}

type arrayParser struct {
	text string
	at   int
	elem *value.Type
	a    sqlkit.Arena
}

func (p *arrayParser) list(depth int) (value.Value, error) {
	if p.at >= len(p.text) || p.text[p.at] != '{' || depth > 16 {
		return value.Null, errText
	}
	p.at++
	var items []value.Value
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '}':
			p.at++
			return value.List(items...), nil
		case ',', ';': // the delimiter of box is a semicolon
			p.at++
			continue
		}
		v, err := p.item(depth)
		if err != nil {
			return value.Null, err
		}
		items = append(items, v)
	}
	return value.Null, errText
}

func (p *arrayParser) item(depth int) (value.Value, error) {
	switch p.text[p.at] {
	case '{':
		return p.list(depth + 1)
	case '"':
		text, ok := p.quoted()
		if !ok {
			return value.Null, errText
		}
		return decode(&p.a, p.elem, text)
	}
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != '}' && p.text[p.at] != ';' {
		p.at++
	}
	if text := p.text[start:p.at]; text != "NULL" {
		return decode(&p.a, p.elem, []byte(text))
	}
	return value.Null, nil
}

func (p *arrayParser) quoted() ([]byte, bool) {
	b := []byte{}
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return b, true
		case '\\':
			if p.at++; p.at == len(p.text) {
				return nil, false
			}
			b = append(b, p.text[p.at])
		default:
			b = append(b, c)
		}
	}
	return nil, false
}

// appendArray writes texts as an array literal; nil is NULL.
func appendArray(b []byte, items [][]byte) []byte {
	b = append(b, '{')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		if item == nil {
			b = append(b, "NULL"...)
			continue
		}
		b = appendItem(b, item)
	}
	return append(b, '}')
}

func appendItem(b, item []byte) []byte {
	b = append(b, '"')
	for _, c := range item {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
