package magento

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/lockstep-sync/lockstep"
)

// saysHasRole is Magento's answer to the delete of an image that has a role in some view.
const saysHasRole = "The image cannot be removed as it has been assigned to the other image role"

// galleryFields is what is read of a product's images: without it, a list has all their bytes in it.
const galleryFields = "id,media_type,label,position,types,file,disabled"

// wireEntry is an image as it goes over the wire.
type wireEntry struct {
	ID       number       `json:"id,omitempty"`
	Media    string       `json:"media_type"`
	Label    *string      `json:"label"`
	Position number       `json:"position"`
	Disabled flag         `json:"disabled"`
	Types    list[string] `json:"types"`
	File     string       `json:"file,omitempty"`
}

// entry is what a read entry is to planGallery; videos are left alone.
func (w *wireEntry) entry(sku string) (entry, bool) {
	e := entry{id: int64(w.ID), file: w.File}
	e.hash, e.position, e.disabled, e.roles = pictureHash(sku, w.File), int64(w.Position), bool(w.Disabled), sortRoles(w.Types)
	if w.Label != nil {
		e.label = *w.Label
	}
	return e, w.Media == "" || w.Media == "image"
}

// readGallery reads the entries of a product's answer.
func readGallery(sku string, wire []wireEntry) []entry {
	var out []entry
	for i := range wire {
		if e, ok := wire[i].entry(sku); ok {
			out = append(out, e)
		}
	}
	return out
}

func wireOf(p *picture, id int64) wireEntry {
	roles := p.roles
	if roles == nil {
		roles = []string{}
	}
	return wireEntry{ID: number(id), Media: "image", Label: &p.label, Position: number(p.position), Disabled: flag(p.disabled), Types: roles}
}

// gallery is the way to bring one product's images level.
type gallery struct {
	sys   *System
	sku   string
	shelf *shelf
	urls  map[string]string // where the bytes of each hash are
}

// level does what planGallery found. What it did before a fault stays, and is seen by the look of the next try.
func (g *gallery) level(ctx context.Context, want []picture, have []entry) error {
	if err := checkPictures(want); err != nil {
		return err
	}
	p := planGallery(want, have)
	files, done, err := g.fetch(ctx, p.uploads)
	defer done()
	if err != nil {
		return err
	}
	if err := distinct(g.sku, p.uploads, files, kept(have, p.removals)); err != nil {
		return err
	}
	// The bytes of an image that goes must not come again while it is there: Magento mixes the two up.
	first, last := splitRemovals(g.sku, p.removals, files)
	first = asRead(first, have) // nothing has taken their roles yet
	if err := g.remove(ctx, first); err != nil {
		return err
	}
	for i := range p.uploads {
		alone := i == 0 && len(first) == len(have)
		if err := g.upload(ctx, &p.uploads[i], files[i], alone); err != nil {
			return err
		}
	}
	if len(p.uploads) > 0 && slices.ContainsFunc(have, func(e entry) bool { return foreign(g.sku, &e) }) {
		// Nobody knows whether an image that is not ours is the same bytes as one that came.
		if have, err = g.list(ctx, allViews); err != nil {
			return err
		}
		p = planGallery(want, have)
		last = p.removals
	}
	for i := range p.updates {
		if err := g.put(ctx, allViews, &p.updates[i]); err != nil {
			return err
		}
	}
	return g.remove(ctx, last)
}

// fetch takes the bytes of what is to be uploaded, before anything is changed.
func (g *gallery) fetch(ctx context.Context, uploads []picture) ([]*imageFile, func(), error) {
	var files []*imageFile
	var drops []func()
	done := func() {
		for _, drop := range drops {
			drop()
		}
	}
	for i := range uploads {
		hash := uploads[i].hash
		if !isHash(hash) {
			return nil, done, pictureFault(hash, "the product has no such file any more")
		}
		from := g.urls[hash]
		if from == "" {
			f := pictureCode(lockstep.CodeValue, hash, "nobody says where its bytes are")
			f.Next = "Map the URL of each hash to image_urls."
			return nil, done, f
		}
		file, drop, err := g.shelf.take(ctx, hash, from)
		if err != nil {
			return nil, done, err
		}
		files, drops = append(files, file), append(drops, drop)
	}
	return files, done, nil
}

// kept are the entries that stay.
func kept(have, removals []entry) []entry {
	return slices.DeleteFunc(slices.Clone(have), func(e entry) bool {
		return slices.ContainsFunc(removals, func(r entry) bool { return r.id == e.id })
	})
}

// distinct refuses two images of one product that are the same bytes.
func distinct(sku string, uploads []picture, files []*imageFile, stays []entry) error {
	sums := map[string]string{}
	for _, e := range stays {
		if sum, _, ok := splitFile(sku, e.file); ok {
			sums[sum] = e.hash
		}
	}
	for i, file := range files {
		if other, is := sums[file.sum]; is {
			f := pictureCode(lockstep.CodeValue, uploads[i].hash, "it is the same bytes as image %s of the same product, and Magento would mix the two up", short(other))
			f.Next = "Remove one of the two in the source."
			return f
		}
		sums[file.sum] = uploads[i].hash
	}
	return nil
}

// splitRemovals tells apart what must go before the uploads.
func splitRemovals(sku string, removals []entry, files []*imageFile) (first, last []entry) {
	for _, e := range removals {
		sum, _, ok := splitFile(sku, e.file)
		if ok && slices.ContainsFunc(files, func(f *imageFile) bool { return f.sum == sum }) {
			first = append(first, e)
		} else {
			last = append(last, e)
		}
	}
	return first, last
}

// foreign tells an image that was not uploaded by us.
func foreign(sku string, e *entry) bool {
	_, _, ours := splitFile(sku, e.file)
	return !ours
}

// asRead are entries as they were before planGallery thought of what the uploads do to them.
func asRead(entries, have []entry) []entry {
	return slices.DeleteFunc(slices.Clone(have), func(h entry) bool {
		return !slices.ContainsFunc(entries, func(e entry) bool { return e.id == h.id })
	})
}

// newShelf is a shelf for one Apply.
func (s *System) newShelf() *shelf { return &shelf{from: s.images} }

func (g *gallery) path() string { return "V1/products/" + escape(g.sku) + "/media" }

// upload sends an image. Its body is made while it is sent: no more of it is in memory. The only image of a product gets
// all roles where it asks for none: it is told again that it has none.
func (g *gallery) upload(ctx context.Context, p *picture, file *imageFile, alone bool) error {
	head, tail, err := uploadFrame(p, file, fileName(g.sku, file.sum, p.hash, file.ext))
	if err != nil {
		return err
	}
	c := call{name: "upload an image", method: http.MethodPost, scope: allViews, path: g.path()}
	c.length = int64(len(head)) + int64(base64.StdEncoding.EncodedLen(int(file.size))) + int64(len(tail))
	c.stream = func() io.Reader {
		return io.MultiReader(bytes.NewReader(head), newBase64Reader(file.reader()), bytes.NewReader(tail))
	}
	var id number
	if _, err := g.sys.client.into(ctx, c, &id); err != nil || !alone || len(p.roles) > 0 {
		return ofImages(err)
	}
	return g.put(ctx, allViews, &entry{picture: *p, id: int64(id)})
}

// uploadFrame is what stands before and behind the bytes.
func uploadFrame(p *picture, file *imageFile, name string) (head, tail []byte, err error) {
	type content struct {
		Type string `json:"type"`
		Name string `json:"name"`
		Data string `json:"base64_encoded_data"`
	}
	body := struct {
		Entry struct {
			wireEntry
			Content content `json:"content"`
		} `json:"entry"`
	}{}
	body.Entry.wireEntry = wireOf(p, 0)
	body.Entry.Content = content{Type: file.mime, Name: name}
	all, err := json.Marshal(body)
	if err != nil {
		return nil, nil, lockstep.Faultf(lockstep.CodeInvariant, "an image cannot be encoded")
	}
	at := len(all) - len(`"}}}`) // the data comes last
	return slices.Clip(all[:at]), slices.Clone(all[at:]), nil
}

// base64Reader encodes what it reads, piece by piece.
type base64Reader struct {
	from io.Reader
	raw  [3 * 4096]byte
	text []byte
	left []byte
	err  error
}

func newBase64Reader(from io.Reader) *base64Reader { return &base64Reader{from: from} }

func (r *base64Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := io.ReadFull(r.from, r.raw[:])
		if err != nil && err != io.ErrUnexpectedEOF {
			r.err = err
		} else if err != nil {
			r.err = io.EOF
		}
		r.text = base64.StdEncoding.AppendEncode(r.text[:0], r.raw[:n])
		r.left = r.text
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// put brings an entry's label, position, roles and whether it is shown level.
func (g *gallery) put(ctx context.Context, scope string, e *entry) error {
	body := map[string]any{"entry": wireOf(&e.picture, e.id)}
	return g.send(ctx, call{name: "change an image", method: http.MethodPut, scope: scope, path: g.path() + "/" + strconv.FormatInt(e.id, 10), body: body})
}

// remove deletes entries. Magento refuses one that has a role in any view: roles are taken from it first.
func (g *gallery) remove(ctx context.Context, entries []entry) error {
	for i := range entries {
		e := &entries[i]
		if len(e.roles) > 0 {
			e.roles = nil
			if err := g.put(ctx, allViews, e); err != nil {
				return err
			}
		}
		err := g.delete(ctx, e)
		if saidOf(err, saysHasRole) {
			if err = g.freeInViews(ctx, e); err == nil {
				err = g.delete(ctx, e)
			}
		}
		if err != nil && lockstep.KindOf(err) != lockstep.NotFound {
			return err
		}
	}
	return nil
}

func (g *gallery) delete(ctx context.Context, e *entry) error {
	return g.send(ctx, call{name: "delete an image", method: http.MethodDelete, scope: allViews, path: g.path() + "/" + strconv.FormatInt(e.id, 10)})
}

// freeInViews takes the roles from an entry in each view that has set its own: to the images that have them in all
// views, else to none.
func (g *gallery) freeInViews(ctx context.Context, e *entry) error {
	all, err := g.list(ctx, allViews)
	if err != nil {
		return err
	}
	where, err := g.sys.shop.where(ctx)
	if err != nil {
		return err
	}
	for _, v := range where.views {
		have, err := g.list(ctx, v.code)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(have, func(h entry) bool { return h.id == e.id })
		if at < 0 || len(have[at].roles) == 0 {
			continue
		}
		for i := range have {
			if j := slices.IndexFunc(all, func(a entry) bool { return a.id == have[i].id }); i != at && j >= 0 && gainsRole(&have[i].picture, &all[j].picture) {
				have[i].roles = all[j].roles
				takeRoles(have, i, have[i].roles)
				if err := g.put(ctx, v.code, &have[i]); err != nil {
					return err
				}
			}
		}
		if len(have[at].roles) > 0 {
			have[at].roles = nil
			if err := g.put(ctx, v.code, &have[at]); err != nil {
				return err
			}
		}
	}
	return nil
}

// list reads the product's images as a view has them.
func (g *gallery) list(ctx context.Context, scope string) ([]entry, error) {
	var wire list[wireEntry]
	if _, err := g.sys.client.into(ctx, call{name: "read images", method: http.MethodGet, scope: scope, path: g.path(), query: "fields=" + galleryFields}, &wire); err != nil {
		return nil, ofImages(err)
	}
	return readGallery(g.sku, wire), nil
}

func (g *gallery) send(ctx context.Context, q call) error {
	_, err := g.sys.client.do(ctx, q)
	return ofImages(err)
}

func ofImages(err error) error {
	if f, is := errors.AsType[*lockstep.Fault](err); is {
		return f.On(lockstep.About{Field: "images"})
	}
	return err
}
