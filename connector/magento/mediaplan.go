package magento

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// picture is one image of a product, as a mapping wants it or as Magento has it.
type picture struct {
	hash     string // what it is known by: part of its file's name, or for a foreign one its file
	label    string
	position int64    // of one that is there; of a wanted one planGallery gives it
	roles    []string // in the order of roleOrder
	disabled bool
}

// entry is a picture that Magento has.
type entry struct {
	picture
	id   int64
	file string // "/s/h/shirt-0f3c….png"
}

// roleOrder is the order in which roles are written and read: then equal sets are equal lists.
var roleOrder = [...]string{"image", "small_image", "thumbnail", "swatch_image"}

// sortRoles puts roles into one order, without doubles.
func sortRoles(roles []string) []string {
	rank := func(role string) int {
		if i := slices.Index(roleOrder[:], role); i >= 0 {
			return i
		}
		return len(roleOrder)
	}
	roles = slices.Clone(roles)
	slices.SortFunc(roles, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return slices.Compact(roles)
}

// A file's name is what an image is known by: <slug of the SKU>-<sum of the bytes>-<hash>.<type>. The hash is the
// source's; the sum tells whether two of them are the same bytes, which Magento must not be sent for one product.
const (
	mostFileName = 90 // Magento refuses longer names
	sumLength    = 12
	leastHash    = 8
	mostHash     = 64
)

// fileName is the name under which an image is uploaded.
func fileName(sku, sum, hash, ext string) string {
	tail := "-" + sum + "-" + hash + "." + ext
	slug := fileSlug(sku)
	return slug[:min(len(slug), mostFileName-len(tail)-len("_99"))] + tail
}

// fileSlug is the SKU in the letters that every file system takes; it is never empty.
func fileSlug(sku string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(sku) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "image")
}

// splitFile reads the parts of fileName back; it is false for a file that was not named by us for this product.
func splitFile(sku, file string) (sum, hash string, ok bool) {
	base := file[strings.LastIndexByte(file, '/')+1:]
	base, ext, ok := cutLast(base, '.')
	if !ok || ext != "jpg" && ext != "png" && ext != "gif" {
		return "", "", false
	}
	if head, number, again := cutLast(base, '_'); again && isDigits(number) {
		base = head // Magento's mark of a name that was taken
	}
	base, hash, ok = cutLast(base, '-')
	if !ok || !isHash(hash) {
		return "", "", false
	}
	slug, sum, ok := cutLast(base, '-')
	if !ok || len(sum) != sumLength || slug == "" || !strings.HasPrefix(fileSlug(sku), slug) {
		return "", "", false
	}
	return sum, hash, true
}

// pictureHash is what an image that Magento has is known by.
func pictureHash(sku, file string) string {
	if _, hash, ok := splitFile(sku, file); ok {
		return hash
	}
	return file
}

func cutLast(text string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(text, sep); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// isHash tells a hash that a file's name can hold.
func isHash(text string) bool {
	return len(text) >= leastHash && len(text) <= mostHash && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// checkPictures tells what of a wanted list can never be level.
func checkPictures(want []picture) error {
	hashes, roles := map[string]bool{}, map[string]bool{}
	for i := range want {
		p := &want[i]
		if !isHash(p.hash) && !strings.HasPrefix(p.hash, "/") {
			return pictureFault(p.hash, "a hash has %d to %d of 0-9 and a-z", leastHash, mostHash)
		}
		if hashes[p.hash] {
			return pictureFault(p.hash, "the image is there twice")
		}
		hashes[p.hash] = true
		for _, role := range p.roles {
			if roles[role] {
				return pictureFault(p.hash, "two images have the role %s", role)
			}
			roles[role] = true
		}
	}
	return nil
}

// pictureFault is a value that does not fit, named by its image.
func pictureFault(hash, format string, args ...any) error {
	return pictureCode(lockstep.CodeValue, hash, format, args...)
}

func pictureCode(code lockstep.Code, hash, format string, args ...any) *lockstep.Fault {
	f := lockstep.Faultf(code, "image %s: "+format, append([]any{short(hash)}, args...)...) // a foreign one's hash is its file: it may have a %
	return f.On(lockstep.About{Field: "images"})
}

// galleryPlan is what makes a gallery level, to be done in this order.
type galleryPlan struct {
	uploads  []picture
	updates  []entry // with what they are to be
	removals []entry
}

func (p *galleryPlan) empty() bool {
	return len(p.uploads) == 0 && len(p.updates) == 0 && len(p.removals) == 0
}

// planGallery compares what is wanted with what is there. An image that a send left twice, because the outcome of the
// first was not known, stays once. A role that is given to one image is taken from the others by Magento itself.
func planGallery(want []picture, have []entry) galleryPlan {
	var p galleryPlan
	have = slices.Clone(have)
	slices.SortStableFunc(have, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	kept := make([]int, len(want)) // index in have, or -1
	used := make([]bool, len(have))
	for i := range want {
		kept[i] = slices.IndexFunc(have, func(e entry) bool { return e.hash == want[i].hash })
	}
	want = placed(want, have, kept)
	for i := range want {
		if kept[i] < 0 {
			p.uploads = append(p.uploads, want[i])
		} else {
			used[kept[i]] = true
		}
	}
	// Those with roles come first: the first image of a product is given all that nobody asks for.
	slices.SortStableFunc(p.uploads, func(a, b picture) int { return cmp.Compare(min(len(b.roles), 1), min(len(a.roles), 1)) })
	for i := range p.uploads {
		takeRoles(have, -1, p.uploads[i].roles)
	}
	for _, gains := range []bool{true, false} { // whoever is given a role first: the others need not be told then
		for i, at := range kept {
			if at < 0 || have[at].equal(&want[i]) || gains && !gainsRole(&have[at].picture, &want[i]) {
				continue
			}
			takeRoles(have, at, want[i].roles)
			have[at].picture = want[i]
			p.updates = append(p.updates, have[at])
		}
	}
	for i := range have {
		if !used[i] {
			p.removals = append(p.removals, have[i])
		}
	}
	return p
}

// placed gives the wanted images positions, in the order of the list. Those that are there keep theirs where the order
// allows it: each change is a whole save in Magento.
func placed(want []picture, have []entry, kept []int) []picture {
	want = slices.Clone(want)
	last := int64(-1)
	for i, at := range kept {
		if at >= 0 && have[at].position > last {
			last = have[at].position
		} else {
			last = max(last+1, 1)
		}
		want[i].position = last
	}
	return want
}

func gainsRole(have, want *picture) bool {
	return slices.ContainsFunc(want.roles, func(r string) bool { return !slices.Contains(have.roles, r) })
}

// takeRoles is what Magento does to all other images when one is given roles.
func takeRoles(have []entry, but int, roles []string) {
	for i := range have {
		if i != but && len(roles) > 0 {
			have[i].roles = slices.DeleteFunc(slices.Clone(have[i].roles), func(r string) bool { return slices.Contains(roles, r) })
		}
	}
}

func (p *picture) equal(q *picture) bool {
	return p.label == q.label && p.position == q.position && p.disabled == q.disabled && slices.Equal(p.roles, q.roles)
}
