package memory

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// Later makes a stream accept writes and do them later (lockstep.Confirmer). It is asked what becomes of the nth operation
// of the stream, from 1, when somebody asks about it for the asked-th time; nil does each the first time.
type Later func(n, asked int) Fate

// Fate is what becomes of an operation.
type Fate uint8

// What can become of an operation.
const (
	Do     Fate = iota // it is done now
	NotYet             // it goes on
	Renew              // it goes on under another receipt
	Lose               // it is forgotten and not done; nobody can tell
	Mumble             // it is done, and nobody can tell
	Half               // it is done, and more is to be sent: kind Conflict
	Refuse             // it has failed
	Fail               // it has failed for now: kind Transient
)

// operation is a write that was accepted.
type operation struct {
	write lockstep.Write
	n     int
	asked int
	ended bool
	res   lockstep.Result
}

const receiptPrefix = "op-"

// accept takes a write for later.
func (s *System) accept(st *stream, w lockstep.Write) lockstep.Result {
	st.accepted++
	st.operations = append(st.operations, &operation{write: w, n: st.accepted})
	key := w.Key
	if !st.def.ServerKeys && w.Op != lockstep.Delete {
		if to, err := st.keyOf(w.Fields); err == nil {
			key = to
		}
	}
	return lockstep.Result{Key: key, Receipt: receiptPrefix + strconv.Itoa(st.accepted)}
}

// Confirm says what became of operations.
func (s *System) Confirm(ctx context.Context, streamName string, receipts []string) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(receipts))
	err := s.call(ctx, "Confirm", streamName, func() error {
		st, err := s.stream(streamName)
		if err != nil {
			return err
		}
		for i, receipt := range receipts {
			results[i] = s.confirm(st, receipt)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (s *System) confirm(st *stream, receipt string) lockstep.Result {
	no, again, _ := strings.Cut(strings.TrimPrefix(receipt, receiptPrefix), ".")
	n, err := strconv.Atoi(no)
	if err != nil || !strings.HasPrefix(receipt, receiptPrefix) || n < 1 || n > len(st.operations) || st.operations[n-1] == nil {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeTimeout, "nobody knows this operation").On(lockstep.About{Stream: st.def.Name}).Maybe()}
	}
	op := st.operations[n-1]
	if op.ended {
		return op.res
	}
	op.asked++
	fate := Do
	if st.rules.Later != nil {
		fate = st.rules.Later(op.n, op.asked)
	}
	about := lockstep.About{Stream: st.def.Name, Key: op.write.Key}
	switch fate {
	case NotYet:
		return lockstep.Result{Key: op.write.Key, Receipt: receipt}
	case Renew:
		renewed, _ := strconv.Atoi(again)
		return lockstep.Result{Key: op.write.Key, Receipt: fmt.Sprintf("%s%d.%d", receiptPrefix, n, renewed+1)}
	case Lose, Mumble:
		if fate == Mumble {
			s.perform(st, op)
		}
		op.res = lockstep.Result{Err: lockstep.Faultf(lockstep.CodeTimeout, "nobody knows what became of this operation").On(about).Maybe()}
	case Half:
		if s.perform(st, op); op.res.Err == nil {
			op.res.Err = lockstep.Faultf(lockstep.CodeVersionMoved, "more is to be sent").On(about)
		}
	case Refuse:
		op.res = lockstep.Result{Key: op.write.Key, Err: lockstep.Faultf(lockstep.CodeValue, "the operation was refused").On(about)}
	case Fail:
		op.res = lockstep.Result{Key: op.write.Key, Err: lockstep.Faultf(lockstep.CodeServer, "the operation has failed").On(about)}
	default:
		s.perform(st, op)
	}
	op.ended = true
	return op.res
}

// perform does what was accepted.
func (s *System) perform(st *stream, op *operation) {
	if !op.ended {
		op.res = s.answer(st, op.write, nil)
		op.ended = true
	}
}

// Work does all that was accepted and not done yet, as a queue's consumer does while nobody asks.
func (s *System) Work(streamName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[streamName]; st != nil {
		for _, op := range st.operations {
			if op != nil {
				s.perform(st, op)
			}
		}
	}
}

// Forget drops all that was accepted and not done yet: the queue is gone, and its receipts with it.
func (s *System) Forget(streamName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[streamName]; st != nil {
		for i, op := range st.operations {
			if op != nil && !op.ended {
				st.operations[i] = nil
			}
		}
	}
}

// Accepted is how many writes a stream has accepted for later so far.
func (s *System) Accepted(streamName string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[streamName]; st != nil {
		return st.accepted
	}
	return 0
}
