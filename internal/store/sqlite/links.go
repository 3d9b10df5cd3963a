package sqlite

import (
	"cmp"
	"context"
	"slices"
	"unsafe"

	lockstep "github.com/lockstep-sync/lockstep"
)

const linkColumns = "l.a_key, l.id, l.b_key, l.a_digest, l.a_version, l.b_digest, l.b_version, l.run, l.at"

// The index of side B is named: without statistics SQLite takes a set to hold ten links and would rather scan it.
const (
	findA     = "SELECT " + linkColumns + " FROM json_each(?) j CROSS JOIN link_rows l ON l.set_id = ? AND l.a_key = j.value"
	findSame  = findA + " AND l.b_key IS NULL"
	findOther = "SELECT " + linkColumns + " FROM json_each(?) j CROSS JOIN link_rows l INDEXED BY link_rows_b ON l.set_id = ? AND l.b_key = j.value"
	scanOther = "SELECT " + linkColumns + " FROM link_rows l INDEXED BY link_rows_b WHERE l.set_id = ? AND l.b_key > ? ORDER BY l.b_key LIMIT ?"
)

// scan reads a link; its texts go into the arena.
func (set *linkSet) scan(v cells, a *arena) lockstep.Link {
	l := lockstep.Link{ID: v.number(1), Set: set.name, Run: v.number(7), At: moment(v.number(8))}
	l.A = lockstep.End{Key: lockstep.Key(a.keep(v.peek(0))), Digest: lockstep.Digest(a.keep(v.peekBlob(3))), Version: a.keep(v.peek(4))}
	l.B = lockstep.End{Key: l.A.Key, Digest: lockstep.Digest(a.keep(v.peekBlob(5))), Version: a.keep(v.peek(6))}
	if !v.null(2) {
		l.B.Key = lockstep.Key(a.keep(v.peek(2)))
	}
	return l
}

// arena keeps the texts of a page's links together: an unchanged full sync reads them all and forgets them, and five
// small pieces of memory for each were a fifth of what looking them up cost.
type arena struct{ room []byte }

const arenaRoom = 32 << 10

func (a *arena) keep(s string) string {
	if s == "" {
		return ""
	}
	if cap(a.room)-len(a.room) < len(s) {
		a.room = make([]byte, 0, max(arenaRoom, len(s)))
	}
	from := len(a.room)
	a.room = append(a.room, s...)
	return unsafe.String(&a.room[from], len(s))
}

// links finds links by the keys of one side, in their order; ID 0 where there is none.
func (c *conn) links(set *linkSet, side lockstep.Side, keys []lockstep.Key) ([]lockstep.Link, error) {
	out := make([]lockstep.Link, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	order := make([]int, len(keys)) // keys from the least to the greatest: neighbours lie together in the file
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	sorted := make([]lockstep.Key, len(keys))
	for i, at := range order {
		sorted[i] = keys[at]
	}
	found := func(at int, l lockstep.Link) {
		for key := sorted[at]; at < len(sorted) && sorted[at] == key; at++ {
			if o := &out[order[at]]; o.ID == 0 || l.ID < o.ID { // the oldest claim
				*o = l
			}
		}
	}
	ways := []way{{rangeA, findA}}
	if side == lockstep.B {
		ways = []way{{rangeOther, findOther}, {rangeSame, findSame}}
	}
	var a arena
	for _, w := range ways {
		rest, err := c.linksInRange(w.by, set, sorted, &a, found)
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			continue
		}
		err = c.query(w.find, []any{keyList(rest), set.id}, func(v cells) error {
			l := set.scan(v, &a)
			at, _ := slices.BinarySearch(sorted, l.End(side).Key)
			found(at, l)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// way is how links are found by the keys of a side: a range of them, and one by one.
type way struct {
	by   ranged
	find string
}

// dense is from how many keys on a range is tried: a page of a scan in the order of its keys asks for neighbours, and
// reading a range of the file costs a third of looking up each key.
const dense = 16

// ranged is a way to read the links of a range of keys: the column that holds the key, and the condition.
type ranged struct {
	query string // with the set, the first and the last key, and a LIMIT
	key   int    // the column
}

const rangeHead = "SELECT " + linkColumns + " FROM link_rows l "

var (
	rangeA     = ranged{rangeHead + "WHERE l.set_id = ? AND l.a_key >= ? AND l.a_key <= ? ORDER BY l.a_key LIMIT ?", 0}
	rangeSame  = ranged{rangeHead + "WHERE l.set_id = ? AND l.a_key >= ? AND l.a_key <= ? AND l.b_key IS NULL ORDER BY l.a_key LIMIT ?", 0}
	rangeOther = ranged{rangeHead + "INDEXED BY link_rows_b WHERE l.set_id = ? AND l.b_key >= ? AND l.b_key <= ? ORDER BY l.b_key LIMIT ?", 2}
)

// linksInRange reads the range that the keys span, as long as it holds not many more links than keys. It gives the keys
// that it did not come to.
func (c *conn) linksInRange(by ranged, set *linkSet, sorted []lockstep.Key, a *arena, found func(int, lockstep.Link)) (rest []lockstep.Key, err error) {
	if len(sorted) < dense {
		return sorted, nil
	}
	done, read, limit := 0, 0, 2*len(sorted)
	err = c.query(by.query, []any{set.id, string(sorted[0]), string(sorted[len(sorted)-1]), limit}, func(v cells) error {
		read++
		key := lockstep.Key(v.peek(by.key))
		for done < len(sorted) && sorted[done] < key {
			done++
		}
		if done < len(sorted) && sorted[done] == key {
			found(done, set.scan(v, a))
		}
		return nil
	})
	if err != nil || read < limit {
		return nil, err
	}
	return sorted[done:], nil // the last key's, too: more links may have it
}

// Links finds links by the keys of the flow's source.
func (s *Store) Links(ctx context.Context, name string, keys []lockstep.Key) ([]lockstep.LinkState, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	out := make([]lockstep.LinkState, len(keys))
	err = s.read(ctx, func(c *conn) error {
		set, side, open := s.linksOf(f)
		links, err := c.links(&set, side, keys)
		if err != nil {
			return err
		}
		for i := range links {
			out[i].Link = links[i]
		}
		if open == 0 {
			return nil
		}
		has := map[lockstep.Key]string{}
		err = c.query("SELECT key, version FROM entry_rows WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?))", []any{f.id, keyList(keys)},
			func(v cells) error {
				has[lockstep.Key(v.text(0))] = v.text(1)
				return nil
			})
		for i, key := range keys {
			out[i].Version, out[i].Open = has[key]
		}
		return err
	})
	return out, err
}

// linksOf is where a flow's links are, and how many entries it has open.
func (s *Store) linksOf(f *flow) (set linkSet, side lockstep.Side, open int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *f.set, f.Side, f.open()
}

// LinksTo finds links by the keys of the flow's target.
func (s *Store) LinksTo(ctx context.Context, name string, keys []lockstep.Key) (out []lockstep.Link, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) (err error) {
		set, side, _ := s.linksOf(f)
		out, err = c.links(&set, side.Other(), keys)
		return err
	})
	return out, err
}

// ScanLinks pages through the links in the order of their source keys.
func (s *Store) ScanLinks(ctx context.Context, name string, after lockstep.Key, most int) (out []lockstep.Link, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		set, side, _ := s.linksOf(f)
		var a arena
		take := func(v cells) error {
			out = append(out, set.scan(v, &a))
			return nil
		}
		if side == lockstep.A {
			return c.query("SELECT "+linkColumns+" FROM link_rows l WHERE l.set_id = ? AND l.a_key > ? ORDER BY l.a_key LIMIT ?",
				[]any{set.id, string(after), most}, take)
		}
		return c.scanB(&set, after, most, take, &out)
	})
	return out, err
}

// scanB pages by the keys of side B. Those that equal A's are not in B's index: they are read from the same range of
// A's keys, which the page of the others bounds, so that a whole scan passes over every link once.
func (c *conn) scanB(set *linkSet, after lockstep.Key, most int, take func(cells) error, out *[]lockstep.Link) error {
	err := c.query(scanOther, []any{set.id, string(after), most}, take)
	if err != nil {
		return err
	}
	query, args := "", []any{set.id, string(after)}
	if n := len(*out); n == most && n > 0 {
		query, args = " AND l.a_key <= ?", append(args, string((*out)[n-1].B.Key))
	}
	err = c.query("SELECT "+linkColumns+" FROM link_rows l WHERE l.set_id = ? AND l.a_key > ?"+query+" AND l.b_key IS NULL ORDER BY l.a_key LIMIT ?",
		append(args, most), take)
	slices.SortFunc(*out, func(a, b lockstep.Link) int { return cmp.Or(cmp.Compare(a.B.Key, b.B.Key), cmp.Compare(a.ID, b.ID)) })
	*out = (*out)[:min(most, len(*out))]
	return err
}

// CountLinks is how many links the flow has, and the greatest ID given so far.
func (s *Store) CountLinks(ctx context.Context, name string) (n, maxID int64, err error) {
	f, err := s.flow(name)
	if err != nil {
		return 0, 0, err
	}
	if err := s.alive(ctx); err != nil {
		return 0, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.set.links, s.ids["link"].next - 1, nil
}

// linkWork is what a call does to links.
type linkWork struct{ save, forget []*lockstep.Link }

func (w *linkWork) add(save, forget *lockstep.Link) {
	if save != nil {
		w.save = append(w.save, save)
	}
	if forget != nil {
		w.forget = append(w.forget, forget)
	}
}

var (
	insertLinks = newInserter("INSERT INTO link_rows (set_id, a_key, id, b_key, a_digest, a_version, b_digest, b_version, run, at) VALUES ",
		"(?,?,?,?,?,?,?,?,?,?)", " ON CONFLICT DO NOTHING")
	updateLink = "UPDATE link_rows SET b_key=?, a_digest=?, a_version=?, b_digest=?, b_version=?, run=?, at=? WHERE set_id=? AND a_key=?"
)

// saveLinks forgets and saves the links of one flow, by set.
func (t *tx) saveLinks(f *flow, w *linkWork) error {
	bySet := map[string]*linkWork{}
	of := func(l *lockstep.Link) *linkWork {
		name := cmp.Or(l.Set, f.Set)
		if bySet[name] == nil {
			bySet[name] = &linkWork{}
		}
		return bySet[name]
	}
	for _, l := range w.forget {
		of(l).add(nil, l)
	}
	for _, l := range w.save {
		of(l).add(l, nil)
	}
	for name, w := range bySet {
		set, err := t.linkSet(name)
		if err != nil {
			return err
		}
		if err := t.saveSet(set, f.Side, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) saveSet(set *linkSet, side lockstep.Side, w *linkWork) error {
	n := int64(0)
	for _, l := range w.forget {
		gone, err := t.exec("DELETE FROM link_rows WHERE set_id = ?1 AND a_key = ?2 AND (?3 = 0 OR id = ?3)", set.id, string(l.A.Key), l.ID)
		if err != nil {
			return err
		}
		n -= gone
	}
	if side == lockstep.B {
		moved, err := t.forgetMoved(set, w.save)
		if err != nil {
			return err
		}
		n -= moved
	}
	fresh := make([]*lockstep.Link, 0, len(w.save))
	for _, l := range w.save {
		changed := int64(0)
		if l.ID != 0 {
			var err error
			if changed, err = t.updateLink(set, l); err != nil {
				return err
			}
		}
		if changed == 0 {
			fresh = append(fresh, l)
		}
	}
	added, err := t.addLinks(set, fresh)
	if err != nil {
		return err
	}
	if n += added; n == 0 {
		return nil
	}
	t.set(func() { set.links += n }, func() { set.links -= n })
	_, err = t.exec("UPDATE set_rows SET links = ? WHERE id = ?", set.links, set.id)
	return err
}

// forgetMoved deletes what a flow that reads side B has linked under another key of side A until now.
func (t *tx) forgetMoved(set *linkSet, links []*lockstep.Link) (n int64, err error) {
	keys := make([]lockstep.Key, 0, len(links))
	to := make(map[int64]lockstep.Key, len(links))
	for _, l := range links {
		if l.ID != 0 {
			keys, to[l.ID] = append(keys, l.B.Key), l.A.Key
		}
	}
	were, err := t.links(set, lockstep.B, keys)
	if err != nil {
		return 0, err
	}
	for i := range were {
		if a, known := to[were[i].ID]; known && a != were[i].A.Key {
			gone, err := t.exec("DELETE FROM link_rows WHERE set_id = ? AND a_key = ? AND id = ?", set.id, string(were[i].A.Key), were[i].ID)
			if err != nil {
				return n, err
			}
			n += gone
		}
	}
	return n, nil
}

// addLinks inserts links that are most likely new. Where some are not, the last word on each key is saved again.
func (t *tx) addLinks(set *linkSet, links []*lockstep.Link) (int64, error) {
	if len(links) == 0 {
		return 0, nil
	}
	first, err := t.id("link", len(links))
	if err != nil {
		return 0, err
	}
	added, err := t.insert(insertLinks, len(links), func(args []arg, i int) []arg {
		l := links[i]
		return t.linkValues(append(args, number(set.id), text(string(l.A.Key)), number(cmp.Or(l.ID, first+int64(i)))), l)
	})
	if err != nil || added == int64(len(links)) {
		return added, err
	}
	for _, l := range links {
		if _, err := t.updateLink(set, l); err != nil {
			return 0, err
		}
	}
	return added, nil
}

func (t *tx) updateLink(set *linkSet, l *lockstep.Link) (int64, error) {
	return t.execArgs(updateLink, append(t.linkValues(nil, l), number(set.id), text(string(l.A.Key))))
}

// linkValues appends the columns from b_key on.
func (t *tx) linkValues(args []arg, l *lockstep.Link) []arg {
	var bKey arg
	if l.B.Key != l.A.Key {
		bKey = text(string(l.B.Key))
	}
	at := l.At
	if at.IsZero() {
		at = t.now
	}
	return append(args, bKey, blobOrNull(l.A.Digest), orNull(l.A.Version), blobOrNull(l.B.Digest), orNull(l.B.Version), number(l.Run), micros(at))
}
