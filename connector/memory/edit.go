package memory

import (
	"errors"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// What follows is a user of the system at work: it asks no hook, counts as no call and heeds no constraint, so that
// a test can also make what a rule forbids. A "last modified" field that it sets itself stays as it is set, so that a
// test can make late commits and clocks that are wrong.

// Put sets a whole record; fields that are not named are gone. Its key is made of its key fields. A stream that was
// not declared is made, with the key field "id". It panics where a key field is missing, as only a wrong test does.
func (s *System) Put(streamName string, fields value.Fields) lockstep.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[streamName]
	if st == nil {
		st = s.define(lockstep.Stream{Name: streamName, SeesDeletes: true})
	}
	key, err := st.keyOf(fields)
	if err != nil {
		panic(err)
	}
	_, touched := fields.Get(st.rules.Touch)
	s.change(st, lockstep.Upsert, row{key: key, fields: fields, touched: touched}, nil)
	return key
}

// Edit sets some fields of a record, the others stay; names and values in turn as for value.F. It panics where there
// is no such record.
func (s *System) Edit(streamName string, key lockstep.Key, pairs ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, old := s.lookup(streamName, key)
	if old == nil {
		panic("memory: no record " + string(key) + " in " + streamName)
	}
	top := value.F(pairs...)
	_, touched := top.Get(st.rules.Touch)
	s.change(st, lockstep.Upsert, row{key: old.key, fields: overlay(old.fields, top), touched: touched}, nil)
}

// Delete takes a record away and tells whether it was there.
func (s *System) Delete(streamName string, key lockstep.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, old := s.lookup(streamName, key)
	if old == nil {
		return false
	}
	s.change(st, lockstep.Delete, row{key: old.key}, nil)
	return true
}

// Get is a record as it is.
func (s *System) Get(streamName string, key lockstep.Key) (lockstep.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r := s.lookup(streamName, key)
	if r == nil {
		return lockstep.Record{}, false
	}
	return lockstep.Record{Key: r.key, Fields: r.fields, Version: r.version, At: r.at}, true
}

// All is every record of a stream, by key: the ground truth of a test.
func (s *System) All(streamName string) map[lockstep.Key]value.Fields {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[lockstep.Key]value.Fields{}
	if st := s.streams[streamName]; st != nil {
		for _, r := range st.rows {
			out[r.key] = r.fields
		}
	}
	return out
}

// Len is how many records a stream has.
func (s *System) Len(streamName string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[streamName]; st != nil {
		return len(st.rows)
	}
	return 0
}

// ForgetLog drops the change log of a stream, so that every position in it is lost.
func (s *System) ForgetLog(streamName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[streamName]
	if st == nil {
		return errors.New("memory: no stream " + streamName)
	}
	st.forgot += int64(len(st.log)) + 1 // beyond every position that was given out
	st.log = nil
	return nil
}

func (s *System) lookup(streamName string, key lockstep.Key) (*stream, *row) {
	st := s.streams[streamName]
	if st == nil {
		return nil, nil
	}
	return st, st.rows[st.fold(key)]
}
