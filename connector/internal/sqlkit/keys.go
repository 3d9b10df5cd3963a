package sqlkit

import (
	"slices"
	"strconv"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// ColumnKeys are the texts of keys, field by field: ColumnKeys(keys, 2)[1][i] is the second field of keys[i].
func ColumnKeys(keys []lockstep.Key, n int) ([][]string, error) {
	columns := make([][]string, n)
	for i := range columns {
		columns[i] = make([]string, len(keys))
	}
	for i, k := range keys {
		parts, err := k.Parts(n)
		if err != nil {
			return nil, err
		}
		for j, p := range parts {
			columns[j][i] = p
		}
	}
	return columns, nil
}

// Move is a write whose fields give its record another key.
type Move struct{ From, To lockstep.Key }

// Moves finds the upserts whose key fields differ from their key. Such a write is replaced by one without a Key and
// with all key fields: an insert of it makes the record at its new key. moves holds the keys, by place; writes are
// copied before they are changed.
func Moves(t *Table, writes []lockstep.Write) (_ []lockstep.Write, moves map[int]Move, err error) {
	k := keyFields{key: t.Stream.Key}
	for i := range writes {
		moved, err := k.moved(&writes[i])
		if err != nil {
			return nil, nil, err
		}
		if !moved {
			continue
		}
		if moves == nil {
			moves, writes = map[int]Move{}, slices.Clone(writes)
		}
		w := &writes[i]
		fields, parts, err := k.complete(w)
		if err != nil {
			return nil, nil, err
		}
		moves[i] = Move{From: w.Key, To: lockstep.MakeKey(parts...)}
		w.Key, w.Fields = "", fields
	}
	return writes, moves, nil
}

// keyFields knows where the key fields stand in the fields of the last write.
type keyFields struct {
	key   []string
	names *value.Names
	at    []int
	any   bool
	text  []byte
}

func (k *keyFields) look(names *value.Names) {
	if names == k.names && k.at != nil {
		return
	}
	k.names, k.at, k.any = names, make([]int, len(k.key)), false
	for i, name := range k.key {
		k.at[i] = -1
		if names != nil {
			k.at[i] = names.Index(name)
		}
		k.any = k.any || k.at[i] >= 0
	}
}

func (k *keyFields) moved(w *lockstep.Write) (bool, error) {
	if w.Op == lockstep.Delete || w.Key == "" {
		return false, nil
	}
	if k.look(w.Fields.Names()); !k.any {
		return false, nil
	}
	if len(k.at) == 1 {
		return !k.same(w.Fields.Values()[k.at[0]], string(w.Key)), nil
	}
	parts, err := w.Key.Parts(len(k.at))
	if err != nil {
		return false, err
	}
	for i, at := range k.at {
		if at >= 0 && !k.same(w.Fields.Values()[at], parts[i]) {
			return true, nil
		}
	}
	return false, nil
}

func (k *keyFields) same(v value.Value, part string) bool {
	switch v.Kind() {
	case value.KindInt: // the most usual one, without an allocation
		k.text = strconv.AppendInt(k.text[:0], v.Int(), 10)
		return string(k.text) == part
	case value.KindText:
		return v.Text() == part
	}
	text, ok := v.KeyText()
	return ok && text == part
}

// complete are the write's fields with all key fields, and the texts of its new key.
func (k *keyFields) complete(w *lockstep.Write) (value.Fields, []string, error) {
	parts, err := w.Key.Parts(len(k.at))
	if err != nil {
		return value.Fields{}, nil, err
	}
	fields := w.Fields
	for i, at := range k.at {
		if at < 0 {
			fields = fields.With(k.key[i], value.Text(parts[i]))
			continue
		}
		text, ok := fields.Values()[at].KeyText()
		if !ok {
			return fields, nil, lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Key: w.Key, Field: k.key[i]})
		}
		parts[i] = text
	}
	return fields, parts, nil
}
