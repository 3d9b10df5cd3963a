package magento

import (
	"encoding/xml"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// wants says in which form an answer is accepted: JSON, XML, or none that there is.
func wants(r *http.Request) (asXML, ok bool) {
	accept := r.Header.Get("Accept")
	if accept == "" {
		return false, true
	}
	for part := range strings.SplitSeq(accept, ",") {
		t, _, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		switch t {
		case "*/*", "application/*", "application/json":
			return false, true
		case "application/xml", "text/xml":
			return true, true
		}
	}
	return false, false
}

// appendXML writes an answer as the XML renderer does: the elements of a list are items.
func appendXML(v any) []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n")
	element(&b, "response", v, "")
	return []byte(b.String())
}

func element(b *strings.Builder, name string, v any, indent string) {
	switch v := v.(type) {
	case obj:
		b.WriteString(indent + "<" + name + ">\n")
		for _, m := range v {
			element(b, m.name, m.value, indent+"  ")
		}
		b.WriteString(indent + "</" + name + ">\n")
	case []any:
		b.WriteString(indent + "<" + name + ">\n")
		for _, e := range v {
			element(b, "item", e, indent+"  ")
		}
		b.WriteString(indent + "</" + name + ">\n")
	case nil:
		b.WriteString(indent + "<" + name + "/>\n")
	default:
		b.WriteString(indent + "<" + name + ">")
		_ = xml.EscapeText(b, []byte(fmt.Sprint(v))) // a Builder takes everything
		b.WriteString("</" + name + ">\n")
	}
}
