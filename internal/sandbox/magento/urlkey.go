package magento

import (
	"slices"
	"strings"
	"unicode"
)

// urlKeys are the request paths in use, of products and categories alike. Nothing keeps a path from having several
// owners: who asks before another has written gets it, too.
type urlKeys struct {
	byPath map[string][]claim
	paths  map[owner][]string
}

// owner is a product or a category.
type owner struct{ entity, id int }

// claim is a path in use in some stores: a bit for each.
type claim struct {
	owner  owner
	stores uint64
}

// taken says whether another than the owner has a path in any of the stores.
func (u *urlKeys) taken(o owner, path string, stores uint64) bool {
	for _, c := range u.byPath[path] {
		if c.owner != o && c.stores&stores != 0 {
			return true
		}
	}
	return false
}

// claim gives an owner these paths and takes its others away.
func (u *urlKeys) claim(o owner, paths map[string]uint64) {
	u.release(o)
	if u.byPath == nil {
		u.byPath, u.paths = map[string][]claim{}, map[owner][]string{}
	}
	for path, stores := range paths {
		if path == "" || stores == 0 {
			continue
		}
		u.byPath[path] = append(u.byPath[path], claim{o, stores})
		u.paths[o] = append(u.paths[o], path)
	}
}

func (u *urlKeys) release(o owner) {
	for _, path := range u.paths[o] {
		left := slices.DeleteFunc(u.byPath[path], func(c claim) bool { return c.owner == o })
		if len(left) == 0 {
			delete(u.byPath, path)
		} else {
			u.byPath[path] = left
		}
	}
	delete(u.paths, o)
}

// productPaths are the paths of a product in the stores where it can be seen: in its websites, unless it is visible
// nowhere by itself.
func (w *world) productPaths(p *product) map[string]uint64 {
	key, visibility := w.attributes.product("url_key").id, w.attributes.product("visibility").id
	paths := map[string]uint64{}
	for _, v := range w.views[1:] {
		if !slices.Contains(p.websites, v.website) {
			continue
		}
		if s, _ := p.values.at(visibility, v.id); s == "1" {
			continue
		}
		if path, ok := p.values.at(key, v.id); ok {
			paths[path] |= 1 << v.id
		}
	}
	return paths
}

func (w *world) urlTaken(p *product) bool {
	for path, stores := range w.productPaths(p) {
		if w.urls.taken(owner{productEntity, p.id}, path, stores) {
			return true
		}
	}
	return false
}

func (w *world) claimURL(p *product) { w.urls.claim(owner{productEntity, p.id}, w.productPaths(p)) }

// slug is a text as a URL key: letters without their marks, all else a hyphen.
func slug(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range s {
		t := transliterated(unicode.ToLower(r))
		for _, c := range t {
			switch {
			case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
				if gap && b.Len() > 0 {
					b.WriteByte('-')
				}
				gap = false
				b.WriteRune(c)
			default:
				gap = true
			}
		}
		if t == "" {
			gap = true
		}
	}
	return b.String()
}

// transliterated is a small letter in ASCII, by the table of the real one; "" for what it has no letters for.
func transliterated(r rune) string {
	if r < 128 {
		return string(r)
	}
	const table = "àa áa âa ãa äa åa æae çc èe ée êe ëe ìi íi îi ïi ðd ñn òo óo ôo õo öo øo ùu úu ûu üu ýy þp ßss ÿy " +
		"āa ăa ąa ćc ĉc ċc čc ďd đd ēe ĕe ėe ęe ěe ĝg ğg ġg ģg ĥh ħh ĩi īi ĭi įi ıi ĵj ķk ĺl ļl ľl łl ńn ņn ňn ōo ŏo őo œoe " +
		"ŕr ŗr řr śs ŝs şs šs ţt ťt ŧt ũu ūu ŭu ůu űu ųu ŵw ŷy źz żz žz €euro ™tm ©c ®r " +
		"аa бb вv гg дd еe ёe жzh зz иi йi кk лl мm нn оo пp рr сs тt уu фf хh цc чch шsh щshch ыy эe юyu яya"
	i := strings.Index(table, string(r))
	if i < 0 {
		return ""
	}
	word, _, _ := strings.Cut(table[i:], " ")
	return strings.TrimPrefix(word, string(r))
}
