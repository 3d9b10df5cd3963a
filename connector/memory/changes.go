package memory

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// logPlace is behind that many entries of the log.
type logPlace struct {
	Log int64 `json:"log"`
}

// timePlace is a place of the timestamp tracker. A pass reads what changed in [Since, Until); Until is the clock when
// the pass began, so that a row written at that very moment belongs to the next one (law 8).
type timePlace struct {
	Since time.Time     `json:"since"`
	Until *time.Time    `json:"until,omitempty"` // nil: no pass is under way
	At    time.Time     `json:"at"`              // the last row read in this pass
	Key   *lockstep.Key `json:"key,omitempty"`
}

// Changes reads the change log, or by the "last modified" field where the timestamp tracker is asked for.
func (s *System) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	var page lockstep.Page
	err := s.call(ctx, "Changes", r.Stream, func() error {
		v, err := s.view(r)
		if err != nil {
			return err
		}
		switch r.Track.By {
		case lockstep.Timestamp:
			page, err = s.changesByTime(v, from, l)
		case lockstep.Log, "":
			page, err = s.changesByLog(v, from, l)
		default:
			err = lockstep.Faultf(lockstep.CodeCannot, "changes cannot be found by %q", r.Track.By).On(lockstep.About{Stream: r.Stream})
		}
		return err
	})
	return page, err
}

func (s *System) changesByLog(v view, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	end := v.st.forgot + int64(len(v.st.log))
	if from == nil {
		return lockstep.Page{Next: encode(logPlace{end}), UpTo: s.tick()}, nil
	}
	var place logPlace
	if err := decode(from, &place, v.read.Stream); err != nil {
		return lockstep.Page{}, err
	}
	if place.Log < v.st.forgot || place.Log > end {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the change log has the places %d to %d, not %d", v.st.forgot, end, place.Log).
			On(lockstep.About{Stream: v.read.Stream})
	}
	p := pager{view: v, limit: l}
	for place.Log < end {
		e := v.st.log[place.Log-v.st.forgot]
		if !p.add(e.op, e.row) {
			break
		}
		place.Log++
	}
	p.page.Next, p.page.More = encode(place), place.Log < end
	if p.page.UpTo = s.tick(); p.page.More {
		p.page.UpTo = v.st.log[place.Log-v.st.forgot].row.at
	}
	return p.page, nil
}

func (s *System) changesByTime(v view, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	field := v.read.Track.Field
	if field == "" || !v.st.open && v.st.def.Field(field) == nil {
		return lockstep.Page{}, noField(v.read.Stream, field)
	}
	now := s.tick()
	if from == nil {
		return lockstep.Page{Next: encode(timePlace{Since: now}), UpTo: now}, nil
	}
	var place timePlace
	if err := decode(from, &place, v.read.Stream); err != nil {
		return lockstep.Page{}, err
	}
	if place.Since.After(now) {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodeClock, "the clock says %s, the position %s", now.Format(time.RFC3339Nano),
			place.Since.Format(time.RFC3339Nano)).On(lockstep.About{Stream: v.read.Stream})
	}
	if place.Until == nil {
		place.Until = &now
	}
	since := place.Since.Add(-max(0, v.read.Track.Overlap))
	p, more := pager{view: v, limit: l}, false
	for _, t := range v.st.byTime(field) {
		if t.at.Before(since) || !t.at.Before(*place.Until) || place.passed(t) {
			continue
		}
		if more = !p.add(lockstep.Upsert, *t.row); more {
			break
		}
		key := t.row.key
		place.At, place.Key = t.at, &key
	}
	if !more {
		p.page.UpTo = *place.Until
		place = timePlace{Since: *place.Until}
	} else {
		p.page.UpTo = place.At
	}
	p.page.Next, p.page.More = encode(place), more
	return p.page, nil
}

// passed tells whether the pass has read t already.
func (p timePlace) passed(t timed) bool {
	return p.Key != nil && (t.at.Before(p.At) || t.at.Equal(p.At) && t.row.key <= *p.Key)
}

// Ack lets go of the log up to a position, where the stream's rules say so.
func (s *System) Ack(ctx context.Context, r lockstep.Read, upTo lockstep.Position) error {
	return s.call(ctx, "Ack", r.Stream, func() error {
		st, err := s.stream(r.Stream)
		if err != nil || !st.rules.ForgetsAcked || r.Track.By == lockstep.Timestamp {
			return err
		}
		var place logPlace
		if err := decode(upTo, &place, r.Stream); err != nil {
			return err
		}
		if n := place.Log - st.forgot; n > 0 && n <= int64(len(st.log)) {
			st.log, st.forgot = st.log[n:], place.Log
		}
		return nil
	})
}
