package sqlite

import (
	lockstep "github.com/lockstep-sync/lockstep"
)

// end is the other end of a reference in the file.
type end struct {
	flow int64
	key  lockstep.Key
}

// saveRefs replaces what records were made with; of those whose write was accepted it adds to it. What is as it was is
// read and not written.
func (t *tx) saveRefs(f *flow, all []lockstep.Refers, since lockstep.Seq, accepted map[lockstep.Key]bool) error {
	for from := 0; from < len(all); from += page {
		if err := t.saveSomeRefs(f, all[from:min(from+page, len(all))], since, accepted); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) saveSomeRefs(f *flow, all []lockstep.Refers, since lockstep.Seq, accepted map[lockstep.Key]bool) error {
	had := map[lockstep.Key]map[end]lockstep.Use{}
	keys := make([]lockstep.Key, 0, len(all))
	anew := false
	for i := range all {
		keys, had[all[i].Key], anew = append(keys, all[i].Key), map[end]lockstep.Use{}, anew || len(all[i].To) > 0
	}
	if !f.refers && !anew {
		return nil
	}
	err := t.query("SELECT key, to_id, to_key, use FROM reference_rows WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?))",
		[]any{f.id, keyList(keys)}, func(v cells) error {
			had[lockstep.Key(v.text(0))][end{v.number(1), lockstep.Key(v.text(2))}] = lockstep.Use(v.number(3))
			return nil
		})
	if err != nil {
		return err
	}
	pending := map[*flow][]lockstep.Refers{} // by the flow that is waited for
	again := map[lockstep.Key]bool{}
	for i := range all {
		key, were := all[i].Key, had[all[i].Key]
		now := map[end]lockstep.Use{}
		for _, r := range all[i].To {
			if other := t.s.flows[r.Flow]; other != nil {
				now[end{other.id, r.Key}] |= r.Use
			}
		}
		if accepted[key] {
			for at, use := range were {
				now[at] |= use
			}
		}
		had[key] = now // a record that comes twice is saved twice
		for at, use := range were {
			if now[at] == use {
				continue
			}
			if _, err := t.exec("DELETE FROM reference_rows WHERE flow_id = ? AND key = ? AND to_id = ? AND to_key = ?", f.id, string(key), at.flow, string(at.key)); err != nil {
				return err
			}
		}
		for at, use := range now {
			other := t.s.byID[at.flow]
			if use&lockstep.Pending != 0 {
				pending[other] = append(pending[other], lockstep.Refers{Key: key, To: []lockstep.Reference{{Ref: lockstep.Ref{Key: at.key}}}})
			}
			if were[at] == use {
				continue
			}
			if use&^were[at]&lockstep.Built != 0 && since != 0 && t.touchedSince(other, changed(at.key), since) {
				again[key] = true // its news went by before anybody knew
			}
			if _, err := t.exec("INSERT INTO reference_rows VALUES (?, ?, ?, ?, ?, 0)", f.id, string(key), at.flow, string(at.key), int64(use)); err != nil {
				return err
			}
			t.refer(f, other)
		}
	}
	return t.lookAgain(f, pending, again)
}

// refer notes that the two flows have references.
func (t *tx) refer(f, other *flow) {
	if f.refers && other.referred {
		return
	}
	wasFrom, wasTo := f.refers, other.referred
	t.set(func() { f.refers, other.referred = true, true }, func() { f.refers, other.referred = wasFrom, wasTo })
}

// lookAgain has records looked at again that were made from what has changed since they were read, and those whose missing
// links have come since they were mapped: nobody else will.
func (t *tx) lookAgain(f *flow, pending map[*flow][]lockstep.Refers, again map[lockstep.Key]bool) error {
	for other, all := range pending {
		keys := make([]lockstep.Key, len(all))
		for i := range all {
			keys[i] = all[i].To[0].Key
		}
		links, err := t.links(other.set, other.Side, keys)
		if err != nil {
			return err
		}
		for i := range all {
			if links[i].ID != 0 {
				again[all[i].Key] = true
			}
		}
	}
	hints := make([]lockstep.Change, 0, len(again))
	for key := range again {
		hints = append(hints, hintOf(key))
	}
	return t.take(f, hints, make([]arg, len(hints)), referred)
}

// news remembers that those who refer to records in some way are to look. Those that nobody refers to leave no trace.
func (t *tx) news(f *flow, keys []lockstep.Key, use lockstep.Use, asker int64) error {
	if use&lockstep.Built != 0 {
		for _, key := range keys { // those that are being made from it just now are told by saveRefs
			t.touch(f, changed(key))
		}
	}
	if !f.referred || len(keys) == 0 {
		return nil
	}
	how := "r.use & ?3"
	if use == lockstep.Pending { // its own index answers
		how = "r.use & 4"
	}
	n, err := t.exec(`INSERT INTO news_rows SELECT DISTINCT ?2, j.value, ?3, ?4, 0, '' FROM json_each(?1) j
		WHERE EXISTS (SELECT 1 FROM reference_rows r WHERE r.to_id = ?2 AND r.to_key = j.value AND `+how+`)
		ON CONFLICT DO UPDATE SET use = use | excluded.use, asker = max(asker, excluded.asker), after_flow = 0, after_key = ''`,
		keyList(keys), f.id, int64(use), asker)
	if err != nil || n == 0 {
		return err
	}
	return t.countNews()
}

// countNews notes whether there are any, and wakes all who may spread them.
func (t *tx) countNews() error {
	n, err := t.one("SELECT EXISTS (SELECT 1 FROM news_rows)")
	if err != nil {
		return err
	}
	if was := t.s.untold; was != (n != 0) {
		t.set(func() { t.s.untold = n != 0 }, func() { t.s.untold = was })
	}
	if n != 0 {
		for _, f := range t.s.flows {
			t.wake(f)
		}
	}
	return nil
}

// telling is a row of news_rows.
type telling struct {
	to        *flow
	key       lockstep.Key
	use       lockstep.Use
	asker     int64
	afterFlow int64
	afterKey  string
	reached   []end // those who refer, from the place on
	isThrough bool
}

// spread takes news to those who refer to their records: up to most of them.
func (t *tx) spread(most int) error {
	if !t.s.untold {
		return nil
	}
	var work []*telling
	err := t.query("SELECT to_id, to_key, use, asker, after_flow, after_key FROM news_rows LIMIT ?", []any{most}, func(v cells) error {
		work = append(work, &telling{to: t.s.byID[v.number(0)], key: lockstep.Key(v.text(1)), use: lockstep.Use(v.number(2)), asker: v.number(3),
			afterFlow: v.number(4), afterKey: v.text(5)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range work {
		if most <= 0 {
			break
		}
		if err := t.reach(w, most); err != nil {
			return err
		}
		most -= max(1, len(w.reached))
		if err := t.tellThem(w); err != nil {
			return err
		}
	}
	return t.countNews()
}

// reach finds the next of those who refer to a record.
func (t *tx) reach(w *telling, most int) error {
	err := t.query(`SELECT flow_id, key FROM reference_rows INDEXED BY reference_rows_to WHERE to_id = ?1 AND to_key = ?2 AND (flow_id, key) > (?3, ?4)
		AND use & ?5 AND NOT (flow_id = ?1 AND key = ?2 AND NOT use & ?5 & 4) ORDER BY flow_id, key LIMIT ?6`, // its own news are none, but for its link
		[]any{w.to.id, string(w.key), w.afterFlow, w.afterKey, int64(w.use), most}, func(v cells) error {
			w.reached = append(w.reached, end{v.number(0), lockstep.Key(v.text(1))})
			return nil
		})
	w.isThrough = len(w.reached) < most
	return err
}

// tellThem makes hints for those that were reached, and notes how far the news came.
func (t *tx) tellThem(w *telling) error {
	for len(w.reached) > 0 {
		f, n := t.s.byID[w.reached[0].flow], 1
		for n < len(w.reached) && w.reached[n].flow == f.id {
			n++
		}
		var keys []lockstep.Key
		for _, r := range w.reached[:n] {
			keys = append(keys, r.key)
		}
		w.afterFlow, w.afterKey, w.reached = f.id, string(keys[n-1]), w.reached[n:]
		if w.asker != 0 {
			_, err := t.exec("UPDATE reference_rows SET asked = ? WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?)) AND to_id = ? AND to_key = ?",
				w.asker, f.id, keyList(keys), w.to.id, string(w.key))
			if err != nil {
				return err
			}
		}
		if err := t.tellFlow(w, f, keys); err != nil {
			return err
		}
	}
	if w.isThrough {
		_, err := t.exec("DELETE FROM news_rows WHERE to_id = ? AND to_key = ?", w.to.id, string(w.key))
		return err
	}
	_, err := t.exec("UPDATE news_rows SET after_flow = ?, after_key = ? WHERE to_id = ? AND to_key = ?", w.afterFlow, w.afterKey, w.to.id, string(w.key))
	return err
}

func (t *tx) tellFlow(w *telling, f *flow, keys []lockstep.Key) error {
	if !f.attached {
		return t.miss(f, "the flow was left out while records changed that its own were made with: a full sync is due")
	}
	changes := make([]lockstep.Change, len(keys))
	for i, key := range keys {
		changes[i] = hintOf(key)
	}
	open, err := t.rowsByKey(f, keys)
	if err != nil {
		return err
	}
	t.wake(f)
	return t.takeAs(f, open, changes, make([]arg, len(changes)), referred, "refers to "+string(w.key)+" of flow "+w.to.Name)
}
