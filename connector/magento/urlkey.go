package magento

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostURLKey is how long a URL key that we make may get: it is kept in a column of 255 characters, and a suffix of the
// store and of a clash still has to find room.
const mostURLKey = 200

// madeURLKey is the URL key of a product for which the mapping gives none. It is the same on every try, and the SKU in
// it keeps products of one name apart: Magento itself would make the key of the name alone, and refuse the second.
func madeURLKey(name, sku string) string {
	key, tail := slug(name), slug(sku)
	switch {
	case tail == "":
		return joinKey(key, skuMark(sku))
	case key == "" || key == tail:
		return joinKey("", tail)
	}
	return joinKey(key, tail)
}

// clashedURLKey is what a URL key becomes that another product or category has: still the same on every try. Two SKUs
// may have one slug ("A/1" and "A-1"), so a mark of the SKU as it is goes behind a key that has the slug already.
func clashedURLKey(key, sku string) string {
	tail := slug(sku)
	if tail == "" || key == tail || strings.HasSuffix(key, "-"+tail) {
		return joinKey(key, skuMark(sku))
	}
	return joinKey(key, tail)
}

func joinKey(key, tail string) string {
	if most := mostURLKey - 1 - len(tail); len(key) > most {
		key = strings.TrimRight(key[:max(0, most)], "-")
	}
	if key == "" {
		return tail
	}
	return key + "-" + tail
}

// skuMark tells SKUs apart that have one slug, but not those that Magento takes for one.
func skuMark(sku string) string {
	sum := sha256.Sum256([]byte(foldSKU(sku)))
	return hex.EncodeToString(sum[:4])
}

// slug is a text as Magento makes a URL key of it: letters without their marks, all else a hyphen. What is sent as a
// slug is kept as it is.
func slug(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range text {
		plain := plainLetters(unicode.ToLower(r))
		if plain == "" {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteString(plain)
	}
	return b.String()
}

// plainLetters is a small letter in a to z and 0 to 9, "" for what is none.
func plainLetters(r rune) string {
	switch {
	case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
		return string(r)
	case r == '&':
		return "and"
	case r == '@':
		return "at"
	case r < utf8.RuneSelf:
		return ""
	}
	at := strings.IndexRune(letterTable, r)
	if at < 0 {
		return ""
	}
	plain, _, _ := strings.Cut(letterTable[at+utf8.RuneLen(r):], " ")
	return plain
}

// letterTable has a letter and what it becomes, as Magento's own table has it.
const letterTable = "àa áa âa ãa äa åa æae çc èe ée êe ëe ìi íi îi ïi ðd ñn òo óo ôo õo öo øo ùu úu ûu üu ýy þp ßss ÿy " +
	"āa ăa ąa ćc ĉc ċc čc ďd đd ēe ĕe ėe ęe ěe ĝg ğg ġg ģg ĥh ħh ĩi īi ĭi įi ıi ĵj ķk ĺl ļl ľl ŀl łl ńn ņn ňn ōo ŏo őo œoe " +
	"ŕr ŗr řr śs ŝs şs šs ţt ťt ŧt ũu ūu ŭu ůu űu ųu ŵw ŷy źz żz žz €euro ™tm ©c ®r " +
	"аa бb вv гg дd еe ёe жzh зz иi йi кk лl мm нn оo пp рr сs тt уu фf хh цc чch шsh щshch ыy эe юyu яya"
