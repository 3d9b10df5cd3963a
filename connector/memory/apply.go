package memory

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Apply does the writes one by one, each with its own answer; where the stream answers as a whole, all of them or none.
func (s *System) Apply(ctx context.Context, streamName string, writes []lockstep.Write) ([]lockstep.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.before(Call{Name: "Apply", Stream: streamName}); err != nil {
		return nil, err
	}
	whole := false
	if err := s.locked(func() error { return s.checkWrites(streamName, writes, &whole) }); err != nil {
		return nil, err
	}
	var results []lockstep.Result
	var err error
	if whole {
		results, err = s.applyWhole(streamName, writes)
	} else {
		results, err = s.applyEach(ctx, streamName, writes)
	}
	if err != nil {
		return nil, err
	}
	if err := s.after(Call{Name: "Apply", Stream: streamName}); err != nil {
		return nil, err
	}
	return results, nil
}

// checkWrites finds what is wrong with the call itself, whatever the records hold.
func (s *System) checkWrites(streamName string, writes []lockstep.Write, whole *bool) error {
	st, err := s.stream(streamName)
	if err != nil {
		return err
	}
	*whole = st.rules.Whole
	about := lockstep.About{Stream: streamName}
	if st.def.ReadOnly {
		return lockstep.Faultf(lockstep.CodeCannot, "the stream cannot be written").On(about)
	}
	if st.def.MaxBatch > 0 && len(writes) > st.def.MaxBatch {
		return lockstep.Faultf(lockstep.CodeInvariant, "%d writes in one call, the most is %d", len(writes), st.def.MaxBatch).On(about)
	}
	for _, w := range writes {
		for name := range w.Fields.All() {
			if !st.open && st.def.Field(name) == nil {
				return noField(streamName, name)
			}
		}
	}
	return nil
}

func (s *System) applyEach(ctx context.Context, streamName string, writes []lockstep.Write) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(writes))
	for i, w := range writes {
		if err := ctx.Err(); err != nil {
			if i == 0 {
				return nil, err
			}
			return nil, lockstep.NewFault(lockstep.CodeTimeout, err).On(lockstep.About{Stream: streamName}).Maybe()
		}
		call := Call{Name: "Write", Stream: streamName, Key: w.Key}
		err := s.before(call)
		if err == nil {
			err = s.locked(func() error {
				st, err := s.stream(streamName)
				if err != nil {
					return err
				}
				if st.rules.Later != nil && w.Transfer != lockstep.SingleTransfer {
					results[i] = s.accept(st, w)
				} else {
					results[i] = s.answer(st, w, nil)
				}
				return nil
			})
		}
		if err == nil {
			err = s.after(call)
		}
		if err != nil {
			results[i] = lockstep.Result{Key: w.Key, Err: lockstep.FaultOf(err)}
		}
	}
	return results, nil
}

// applyWhole undoes everything when one write is refused. The fault names no record, as that of a database's
// statement does not, unless it was the only one: the engine has to halve the batch.
func (s *System) applyWhole(streamName string, writes []lockstep.Write) ([]lockstep.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.stream(streamName)
	if err != nil {
		return nil, err
	}
	s.counts["Write"] += len(writes)
	results := make([]lockstep.Result, len(writes))
	var undo undoList
	for i, w := range writes {
		results[i] = s.answer(st, w, &undo)
		if results[i].Err == nil {
			continue
		}
		undo.run()
		fault := *lockstep.FaultOf(results[i].Err)
		if len(writes) > 1 {
			fault.About.Key = ""
		}
		return nil, &fault
	}
	return results, nil
}

type undoList []func()

func (u *undoList) add(f func()) {
	if u != nil {
		*u = append(*u, f)
	}
}

func (u *undoList) run() {
	for _, f := range slices.Backward(*u) {
		f()
	}
}

// answer does one write.
func (s *System) answer(st *stream, w lockstep.Write, undo *undoList) lockstep.Result {
	if before, done := st.done[w.ID]; st.rules.RemembersIDs && w.ID != "" && done {
		return before
	}
	res, err := s.write(st, w, undo)
	if err != nil {
		return lockstep.Result{Key: w.Key, Err: lockstep.FaultOf(err).On(lockstep.About{Stream: st.def.Name, Key: w.Key})}
	}
	folded := st.fold(res.Key)
	st.writes[folded]++
	undo.add(func() { st.writes[folded]-- })
	if st.rules.RemembersIDs && w.ID != "" {
		st.done[w.ID] = res
		undo.add(func() { delete(st.done, w.ID) })
	}
	return res
}

func (s *System) write(st *stream, w lockstep.Write, undo *undoList) (lockstep.Result, error) {
	old := st.rows[st.fold(w.Key)]
	if w.Key == "" {
		old = nil
	}
	if w.IfVersion != "" && (old == nil || old.version != w.IfVersion) {
		if old == nil {
			return lockstep.Result{}, lockstep.Faultf(lockstep.CodeGone, "there is no record at version %q", w.IfVersion)
		}
		return lockstep.Result{}, lockstep.Faultf(lockstep.CodeVersionMoved, "the record is at version %q, not %q", old.version, w.IfVersion)
	}
	if w.Op == lockstep.Delete {
		if old == nil {
			return lockstep.Result{Key: w.Key}, nil // law 5: gone is done
		}
		if err := s.checkReferred(st, old); err != nil {
			return lockstep.Result{}, err
		}
		s.change(st, lockstep.Delete, row{key: old.key}, undo)
		return lockstep.Result{Key: old.key}, nil
	}
	next, err := s.merged(st, old, w)
	if err != nil {
		return lockstep.Result{}, err
	}
	if err := s.checkRules(st, next); err != nil {
		return lockstep.Result{}, err
	}
	if old != nil && st.fold(next.key) != st.fold(old.key) {
		s.change(st, lockstep.Delete, row{key: old.key}, undo)
	}
	done := s.change(st, lockstep.Upsert, next, undo)
	return lockstep.Result{Key: done.key, Version: done.version}, nil
}

// merged is the row as it will be: the fields of the write over those that are there.
func (s *System) merged(st *stream, old *row, w lockstep.Write) (row, error) {
	next := row{key: w.Key}
	if old != nil {
		next = row{key: old.key, fields: old.fields}
	}
	for name, v := range w.Fields.All() {
		if f := st.def.Field(name); f != nil && !fits(v, f.Type) {
			return row{}, lockstep.Faultf(lockstep.CodeValue, "a %s does not fit a field of type %s", v.Kind(), f.Type.Kind).On(lockstep.About{Field: name})
		}
	}
	next.fields = overlay(next.fields, w.Fields)
	if old == nil {
		if err := s.chooseKey(st, &next); err != nil {
			return row{}, err
		}
	}
	got, err := st.keyOf(next.fields)
	if err != nil {
		return row{}, err
	}
	if st.fold(got) == st.fold(next.key) {
		return next, nil
	}
	if st.def.ServerKeys {
		return row{}, lockstep.Faultf(lockstep.CodeKey, "the key is %q, the key fields say %q", next.key, got)
	}
	if st.rows[st.fold(got)] != nil && old != nil {
		return row{}, lockstep.Faultf(lockstep.CodeUnique, "key %q is taken", got)
	}
	next.key = got // the record moves, or is made where it was to go
	return next, nil
}

// chooseKey settles the key of a new record: the write's own, that of its fields, or the system's choice. Key fields
// that are not among the fields are set from it.
func (s *System) chooseKey(st *stream, r *row) error {
	if r.key != "" && st.def.ServerKeys {
		return lockstep.Faultf(lockstep.CodeGone, "there is no record to update, and the system chooses the keys of new ones")
	}
	if st.def.ServerKeys {
		s.nextKey++
		r.key = lockstep.Key(strconv.FormatInt(s.nextKey, 10))
	}
	if r.key == "" {
		key, err := st.keyOf(r.fields)
		if err != nil {
			return err
		}
		r.key = key
		return nil
	}
	parts, err := r.key.Parts(len(st.def.Key))
	if err != nil {
		return err
	}
	for i, name := range st.def.Key {
		if _, there := r.fields.Get(name); there && !st.def.ServerKeys {
			continue
		}
		f := st.def.Field(name)
		if f == nil {
			f = &lockstep.Field{}
		}
		v, ok := keyValue(parts[i], f.Type)
		if !ok {
			return lockstep.Faultf(lockstep.CodeKey, "the key does not fit the key field's type %s", f.Type.Kind).On(lockstep.About{Field: name})
		}
		r.fields = r.fields.With(name, v)
	}
	return nil
}

// overlay is base with the fields of top set.
func overlay(base, top value.Fields) value.Fields {
	if base.Len() == 0 {
		return top
	}
	values, fresh := slices.Clone(base.Values()), []string(nil)
	for name, v := range top.All() {
		if i := base.Names().Index(name); i >= 0 {
			values[i] = v
			continue
		}
		fresh, values = append(fresh, name), append(values, v)
	}
	if fresh == nil {
		return base.Names().Fields(values)
	}
	return value.NewNames(slices.Concat(base.Names().List(), fresh)...).Fields(values)
}

func (st *stream) keyOf(f value.Fields) (lockstep.Key, error) {
	parts := make([]string, len(st.def.Key))
	for i, name := range st.def.Key {
		v, _ := f.Get(name)
		text, there := v.KeyText()
		if !there {
			return "", lockstep.Faultf(lockstep.CodeNullKey, "the key field is null").On(lockstep.About{Field: name})
		}
		parts[i] = text
	}
	return lockstep.MakeKey(parts...), nil
}

// checkRules holds a row against the stream's constraints.
func (s *System) checkRules(st *stream, r row) error {
	for _, name := range st.rules.NotNull {
		if v, _ := r.fields.Get(name); v.IsNull() {
			return lockstep.Faultf(lockstep.CodeConstraint, "the field must not be null").On(lockstep.About{Field: name})
		}
	}
	for _, name := range st.rules.Unique {
		v, _ := r.fields.Get(name)
		if holder, taken := st.unique[name][uniqueText(v)]; !v.IsNull() && taken && holder != st.fold(r.key) {
			return lockstep.Faultf(lockstep.CodeUnique, "the record %q holds this value already", holder).On(lockstep.About{Field: name})
		}
	}
	for name, to := range st.rules.References {
		v, _ := r.fields.Get(name)
		key, there := v.KeyText()
		if !there {
			continue
		}
		if other := s.streams[to]; other == nil || other.rows[other.fold(lockstep.Key(key))] == nil {
			return lockstep.Faultf(lockstep.CodeReference, "there is no record %q in %s yet", key, to).On(lockstep.About{Field: name})
		}
	}
	return nil
}

// checkReferred refuses to delete what another record refers to: dependants go first.
func (s *System) checkReferred(st *stream, r *row) error {
	for _, other := range s.streams {
		for field, to := range other.rules.References {
			if to != st.def.Name {
				continue
			}
			for _, o := range other.rows {
				v, _ := o.fields.Get(field)
				if key, there := v.KeyText(); there && st.fold(lockstep.Key(key)) == st.fold(r.key) {
					return lockstep.NewFault(lockstep.CodeReference, errors.New("a record of "+other.def.Name+" refers to this one")).On(lockstep.About{Field: field})
				}
			}
		}
	}
	return nil
}

func uniqueText(v value.Value) string { return matchText([]value.Value{v}, false) }

// change makes a row so, or takes it away, in rows, unique values and log.
func (s *System) change(st *stream, op lockstep.Op, r row, undo *undoList) row {
	s.wroteAt++
	r.at = s.tick()
	if !st.rules.NoVersions {
		r.version = strconv.FormatInt(s.wroteAt, 10)
	}
	if st.rules.Touch != "" && op == lockstep.Upsert && !r.touched {
		r.fields = r.fields.With(st.rules.Touch, value.Time(r.at))
	}
	folded := st.fold(r.key)
	old := st.rows[folded]
	st.swap(folded, old, op, &r)
	st.log = append(st.log, logEntry{op, r})
	undo.add(func() {
		st.log = st.log[:len(st.log)-1]
		if old != nil {
			st.swap(folded, &r, lockstep.Upsert, old)
		} else {
			st.swap(folded, &r, lockstep.Delete, nil)
		}
	})
	return r
}

func (st *stream) swap(folded lockstep.Key, old *row, op lockstep.Op, r *row) {
	for _, name := range st.rules.Unique {
		if old != nil {
			if v, _ := old.fields.Get(name); !v.IsNull() {
				delete(st.unique[name], uniqueText(v))
			}
		}
		if op == lockstep.Upsert {
			if v, _ := r.fields.Get(name); !v.IsNull() {
				st.unique[name][uniqueText(v)] = folded
			}
		}
	}
	if op == lockstep.Delete {
		st.drop(folded)
		return
	}
	st.put(r)
}
