package magento

import (
	"strings"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
)

// mostSKU is how many characters a SKU may have.
const mostSKU = 64

// foldSKU is a SKU as Magento's database compares it: without regard to letter case and to blanks around it.
func foldSKU(sku string) string { return strings.ToLower(strings.TrimSpace(sku)) }

// lastLatin is the last of the letters that the usual collations take for one of a to z.
const lastLatin = 0x17F

// bareSKU is a SKU without the marks of its letters: the usual collations take such SKUs for one, too. Letters of other
// scripts stay, however they are written in a URL key.
func bareSKU(sku string) string {
	var b strings.Builder
	for _, r := range foldSKU(sku) {
		if plain := plainLetters(r); r >= utf8.RuneSelf && r <= lastLatin && plain != "" {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// checkSKU is a SKU as it is sent.
func checkSKU(sku string) (string, error) {
	sku = strings.TrimSpace(sku)
	switch {
	case sku == "":
		return "", lockstep.Faultf(lockstep.CodeNullKey, "the product has no SKU").On(lockstep.About{Field: "sku"})
	case utf8.RuneCountInString(sku) > mostSKU:
		return "", lockstep.Faultf(lockstep.CodeKey, "a SKU has at most %d characters, and this one has %d", mostSKU, utf8.RuneCountInString(sku)).On(lockstep.About{Field: "sku"})
	case beyondThreeBytes(sku):
		return "", lockstep.Faultf(lockstep.CodeKey, "a SKU with a character of four bytes is kept as question marks").On(lockstep.About{Field: "sku"})
	}
	return sku, nil
}

// beyondThreeBytes tells a text that a table in MySQL's three-byte utf8 does not hold: each such character becomes ????.
func beyondThreeBytes(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > 0xFFFF })
}
