package file

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// Apply appends the writes to the stream's journal and syncs it once for all of them. A write is answered by itself;
// an error is about the file, and then nothing was written unless the fault says that this is unknown.
func (s *System) Apply(ctx context.Context, streamName string, writes []lockstep.Write) ([]lockstep.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := s.stream(streamName)
	st.mu.Lock()
	defer st.mu.Unlock()
	results, err := s.apply(st, streamName, writes)
	if err != nil {
		return nil, lockstep.FaultOf(err).On(lockstep.About{Stream: streamName})
	}
	return results, nil
}

func (s *System) apply(st *stream, streamName string, writes []lockstep.Write) ([]lockstep.Result, error) {
	d, err := s.find(streamName)
	if err != nil {
		return nil, err
	}
	if d.single == "" {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "a stream of several files cannot be written")
	}
	if len(d.key) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeNoKey, "the stream has no key")
	}
	if err := s.load(st, d); err != nil || len(writes) == 0 {
		return nil, err
	}
	for _, w := range writes {
		for name := range w.Fields.All() {
			if !d.takes(name) {
				return nil, lockstep.Faultf(lockstep.CodeNoField, "there is no field %q", name).On(lockstep.About{Field: name})
			}
		}
	}
	if st.journal == nil {
		if st.journal, err = openJournal(d.single, true); err != nil {
			return nil, err
		}
	}
	if s.full(st.journal, d) {
		if err := s.fold(st, d); err != nil {
			return nil, err
		}
	}
	results := make([]lockstep.Result, len(writes))
	var text []byte
	var lines []pending
	for i, w := range writes {
		key, fields, fault := d.prepare(w)
		from := len(text)
		if fault == nil {
			text = appendEntry(text, key, fields, w.Op == lockstep.Delete)
			if len(text)-from > s.maxRecord {
				fault = lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, the limit is %d", len(text)-from, s.maxRecord)
			}
		}
		if fault != nil {
			text = text[:from]
			results[i] = lockstep.Result{Key: w.Key, Err: fault.On(lockstep.About{Stream: streamName, Key: w.Key})}
			continue
		}
		lines = append(lines, pending{key, fields, len(text) - from})
		results[i] = lockstep.Result{Key: key}
	}
	return results, st.journal.append(text, lines, s.step)
}

// full tells whether the journal is to be folded first: folding reads and writes the whole file, so a journal may grow
// to half of it, and loading n records costs a few times n.
func (s *System) full(j *journal, d *def) bool {
	limit := s.journalMax
	if d.man != nil && d.man.Bytes != nil {
		limit = max(limit, *d.man.Bytes/2)
	}
	return j.size > limit || j.len() > journalLines
}

// takes tells whether a field can be written: any, unless they are declared or the file has no header.
func (d *def) takes(name string) bool {
	_, there := d.types[name]
	return there || !d.closed
}

// prepare is a write as the journal keeps it: with its key fields, and each value as it will be read back.
func (d *def) prepare(w lockstep.Write) (lockstep.Key, value.Fields, *lockstep.Fault) {
	if w.IfVersion != "" {
		return "", value.Fields{}, lockstep.Faultf(lockstep.CodeVersionMoved, "records of a file have no version")
	}
	if w.Op == lockstep.Delete {
		return w.Key, value.Fields{}, nil
	}
	fields := w.Fields
	if fields.Len() > 0 {
		values := make([]value.Value, fields.Len())
		for i := range values {
			name, v := fields.At(i)
			var err error
			if values[i], err = d.normal(name, v); err != nil {
				return "", fields, lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: name})
			}
		}
		fields = fields.Names().Fields(values)
	}
	if w.Key != "" || len(d.key) == 1 && w.Fields.Len() == 0 {
		var fault *lockstep.Fault
		if fields, fault = d.withKey(w.Key, fields); fault != nil {
			return "", fields, fault
		}
	}
	key, fault := d.keyOf(fields)
	if fault == nil && w.Key != "" && key != w.Key {
		fault = lockstep.Faultf(lockstep.CodeKey, "the key is %q, the key fields say %q", w.Key, key)
	}
	return key, fields, fault
}

// withKey sets the key fields that a write leaves out.
func (d *def) withKey(key lockstep.Key, fields value.Fields) (value.Fields, *lockstep.Fault) {
	parts, err := key.Parts(len(d.key))
	if err != nil {
		return fields, lockstep.FaultOf(err)
	}
	for i, name := range d.key {
		if _, there := fields.Get(name); there {
			continue
		}
		v, err := keyValue(parts[i], d.types[name])
		if err != nil {
			return fields, lockstep.NewFault(lockstep.CodeKey, err).On(lockstep.About{Field: name})
		}
		fields = fields.With(name, v)
	}
	return fields, nil
}

// keyValue is the value whose KeyText is text.
func keyValue(text string, t value.Type) (value.Value, error) {
	switch t.Kind {
	case value.BytesType:
		b, err := hex.DecodeString(text)
		return value.Bytes(b), err
	case value.DateType, value.WallType, value.InstantType:
		at, err := time.Parse(time.RFC3339Nano, text)
		return value.Time(at), err
	case value.FloatType:
		f, err := strconv.ParseFloat(text, 64)
		return value.Float(f), err
	}
	return typetext.Value(text, t)
}

// normal is a value as it will be read back from the file, so that a record looks the same before and after it is
// folded in.
func (d *def) normal(name string, v value.Value) (value.Value, error) {
	t, known := d.types[name]
	declared := known && (d.closed || slices.ContainsFunc(d.conf.fields, func(f lockstep.Field) bool { return f.Name == name }))
	switch {
	case v.IsNull():
		return v, nil
	case !declared && d.csv:
		if err := typetext.Check(v, value.Type{}); err != nil {
			return v, err
		}
		return value.Text(typetext.Text(v, value.Type{})), nil
	case !declared:
		if err := typetext.Check(v, value.Type{}); err != nil {
			return v, err
		}
		return value.ParseJSON(string(typetext.AppendJSON(nil, v, value.Type{})))
	}
	if err := typetext.Check(v, t); err != nil {
		return v, err
	}
	switch t.Kind {
	case value.IntType, value.FloatType, value.DateType, value.UUIDType, value.ClockType:
		return typetext.Value(typetext.Text(v, t), t)
	}
	return v, nil
}
