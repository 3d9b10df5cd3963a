package mykit

import (
	"fmt"
	"strings"
)

// Quote is name as a quoted identifier.
func Quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// QuoteAll are the names quoted, with commas between them.
func QuoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = Quote(n)
	}
	return strings.Join(quoted, ", ")
}

// Marks are n question marks.
func Marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Literal is a text as SQL writes it.
func Literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

// VersionNumber reads "10.11.4-MariaDB-log", and the "5.5.5-" that old MariaDB puts in front.
func VersionNumber(text string) int {
	var major, minor, patch int
	_, _ = fmt.Sscanf(strings.TrimPrefix(text, "5.5.5-"), "%d.%d.%d", &major, &minor, &patch) // what is not there is 0
	return major*10000 + minor*100 + patch
}

// LockSQL locks what nobody holds; servers that cannot pass over the rest wait for it.
func LockSQL(maria bool, version int) string {
	if maria && version >= 100600 || !maria && version >= 80001 {
		return " FOR UPDATE SKIP LOCKED"
	}
	return " FOR UPDATE"
}
