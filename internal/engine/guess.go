package engine

import (
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// guess sets the target of a record whose image cannot be mapped any more, where the mapping copies the key: looking
// there can show that an unknown outcome left nothing (law 5).
func (w *worker) guess(it *item) bool {
	f := w.flow
	parts, err := it.key().Parts(len(f.From.Key))
	if err != nil || !f.matchIsKey() {
		return false
	}
	names, values := make([]string, 0, len(f.To.Key)), make([]value.Value, 0, len(f.To.Key))
	for _, name := range f.To.Key {
		source, copied := f.Mapping.CopyOf(name)
		at := -1
		for i, key := range f.From.Key {
			if key == source {
				at = i
			}
		}
		field := f.From.Field(source)
		if !copied || at < 0 || field == nil {
			return false
		}
		v, ok := keyValue(field.Type.Kind, parts[at])
		if !ok {
			return false
		}
		names, values = append(names, name), append(values, v)
	}
	img, err := f.Shape.Coerce(value.NewNames(names...).Fields(values))
	if err != nil {
		return false
	}
	it.target = f.targetKey(img)
	it.guessed = it.target != ""
	it.look = it.look || it.guessed
	return it.guessed
}

// keyValue is the value whose text as a part of a key is given: value.KeyText the other way round.
func keyValue(kind value.TypeKind, text string) (value.Value, bool) {
	switch kind {
	case value.TextType:
		return value.Text(text), true
	case value.IntType:
		n, err := strconv.ParseInt(text, 10, 64)
		return value.Int(n), err == nil
	case value.DecimalType:
		d, err := value.ParseDecimal(text)
		return value.FromDecimal(d), err == nil
	case value.BytesType:
		b, err := hex.DecodeString(text)
		return value.Bytes(b), err == nil
	case value.InstantType, value.WallType, value.DateType:
		t, err := time.Parse(time.RFC3339Nano, text)
		return value.Time(t), err == nil
	}
	return value.Value{}, false
}

// blindFault parks what nobody can look for.
func (w *worker) blindFault(it *item) {
	if it.guessed {
		w.fail(it, lockstep.Faultf(lockstep.CodeBlind, "a create has an unknown outcome, the source's record is gone, and target record %s may be what was created, or somebody else's", it.target))
		return
	}
	w.fail(it, lockstep.NewFault(lockstep.CodeBlind, errors.New("a create has an unknown outcome, and the source's record is gone, so nothing tells where to look")))
}
