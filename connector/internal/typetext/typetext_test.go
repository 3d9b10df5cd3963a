package typetext_test

import (
	"testing"

	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

func TestTypesAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"any", "bool", "int", "int16", "uint", "uint32", "float", "float32", "decimal", "decimal(12,2)", "text", "text(40)", "char(10)",
		"bytes", "bytes(16)", "date", "clock", "clock(us)", "wall", "wall(s)", "instant(ms)", "json", "uuid", "object", "list", "list<int>", "set<text(3)>", "list<list<decimal(3,1)>>"} {
		got, err := typetext.Parse(text)
		if err != nil || typetext.Of(got) != text {
			t.Errorf("%s: %s, %v", text, typetext.Of(got), err)
		}
	}
	if name, typ, ok := typetext.Cut("net price decimal(12, 2)"); !ok || name != "net price" && name != "net" || typ == "" {
		t.Errorf("%q %q %v", name, typ, ok)
	}
}
