package sqlite

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func moment(n int64) time.Time { return time.UnixMicro(n).UTC() }

// momentOr is a moment from a column that may be null.
func momentOr(row cells, i int) time.Time {
	if row.null(i) {
		return time.Time{}
	}
	return moment(row.number(i))
}

// faultText is a fault as it is kept: its texts.
type faultText struct {
	Kind    lockstep.FaultKind `json:"kind"`
	Code    lockstep.Code      `json:"code"`
	Text    string             `json:"text"`
	About   *lockstep.About    `json:"about,omitempty"`
	Next    string             `json:"next,omitempty"`
	Wait    time.Duration      `json:"wait,omitempty"`
	Unknown bool               `json:"unknown,omitempty"`
	For     *lockstep.Ref      `json:"for,omitempty"`
}

// encodeFault is a fault as JSON, null for none.
func encodeFault(f *lockstep.Fault) arg {
	if f == nil {
		return arg{}
	}
	t := faultText{Kind: f.Kind, Code: f.Code, Next: f.Next, Wait: f.Wait, Unknown: f.Unknown, For: f.For}
	if f.Err != nil {
		t.Text = f.Err.Error()
	}
	if f.About != (lockstep.About{}) {
		t.About = &f.About
	}
	b, err := json.Marshal(t)
	if err != nil { // a struct of texts and numbers: it cannot be
		panic(err)
	}
	return text(string(b))
}

func decodeFault(text string) *lockstep.Fault {
	if text == "" {
		return nil
	}
	var t faultText
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return lockstep.NewFault(lockstep.CodeStore, errors.New("the text of a fault cannot be read"))
	}
	f := &lockstep.Fault{Kind: t.Kind, Code: t.Code, Next: t.Next, Wait: t.Wait, Unknown: t.Unknown, For: t.For, Err: errors.New(t.Text)}
	if t.About != nil {
		f.About = *t.About
	}
	return f
}

// stepText is a line of a story as it is kept.
type stepText struct {
	At    time.Time       `json:"at"`
	Did   string          `json:"did"`
	Note  string          `json:"note,omitempty"`
	Run   int64           `json:"run,omitempty"`
	Other lockstep.Key    `json:"other,omitempty"`
	Fault json.RawMessage `json:"fault,omitempty"`
	Clash *clashText      `json:"clash,omitempty"`
}

// clashText is a conflict as it is kept; the images are tagged JSON.
type clashText struct {
	Won  lockstep.Side   `json:"won"`
	Why  string          `json:"why"`
	Lost json.RawMessage `json:"lost"`
	Kept json.RawMessage `json:"kept"`
}

func appendClash(b []byte, c *lockstep.Clash) []byte {
	b = strconv.AppendInt(append(b, `{"won":`...), int64(c.Won), 10)
	b = value.AppendQuoted(append(b, `,"why":`...), c.Why)
	b = value.AppendTagged(append(b, `,"lost":`...), c.Lost)
	b = value.AppendTagged(append(b, `,"kept":`...), c.Kept)
	return append(b, '}')
}

func (c *clashText) clash() (*lockstep.Clash, error) {
	if c == nil {
		return nil, nil
	}
	out := &lockstep.Clash{Won: c.Won, Why: c.Why}
	var err, err2 error
	var dec value.Decoder
	out.Lost, err = dec.Fields(string(c.Lost))
	out.Kept, err2 = dec.Fields(string(c.Kept))
	return out, errors.Join(err, err2)
}

// clash is the last conflict of the row's steps.
func (r *row) clash() *lockstep.Clash {
	if !strings.Contains(r.steps, clashMark) {
		return nil
	}
	events, err := decodeSteps("["+r.steps+"]", "", "")
	if err != nil {
		return nil // it is noted once more
	}
	for _, ev := range slices.Backward(events) {
		if ev.Clash != nil {
			return ev.Clash
		}
	}
	return nil
}

const clashMark = `,"clash":`

// appendStep appends a step to the inside of a JSON array.
func appendStep(b []byte, ev lockstep.Event) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"at":"`...)
	b = ev.At.UTC().Truncate(time.Microsecond).AppendFormat(b, time.RFC3339Nano)
	b = value.AppendQuoted(append(b, `","did":`...), ev.Did)
	if ev.Note != "" {
		b = value.AppendQuoted(append(b, `,"note":`...), ev.Note)
	}
	if ev.Run != 0 {
		b = value.AppendJSON(append(b, `,"run":`...), value.Int(ev.Run))
	}
	if ev.Other != "" {
		b = value.AppendQuoted(append(b, `,"other":`...), string(ev.Other))
	}
	if ev.Fault != nil {
		b = append(append(b, `,"fault":`...), encodeFault(ev.Fault).text...)
	}
	if ev.Clash != nil {
		b = appendClash(append(b, clashMark...), ev.Clash)
	}
	return append(b, '}')
}

// decodeSteps reads a JSON array of steps into the story of a record.
func decodeSteps(text string, flow string, key lockstep.Key) ([]lockstep.Event, error) {
	if text == "" {
		return nil, nil
	}
	var steps []stepText
	if err := json.Unmarshal([]byte(text), &steps); err != nil {
		return nil, lockstep.NewFault(lockstep.CodeStore, errors.New("the steps of a record cannot be read")).On(lockstep.About{Flow: flow, Key: key})
	}
	out := make([]lockstep.Event, len(steps))
	for i, s := range steps {
		clash, err := s.Clash.clash()
		if err != nil {
			return nil, lockstep.NewFault(lockstep.CodeStore, errors.New("a conflict of a record cannot be read")).On(lockstep.About{Flow: flow, Key: key})
		}
		out[i] = lockstep.Event{At: s.At, Flow: flow, Key: key, Other: s.Other, Did: s.Did, Note: s.Note, Run: s.Run, Fault: decodeFault(string(s.Fault)), Clash: clash}
	}
	return out, nil
}

// keyList is keys as a JSON array, for json_each.
func keyList(keys []lockstep.Key) string {
	b := []byte{'['}
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = value.AppendQuoted(b, string(k))
	}
	return string(append(b, ']'))
}

// idList is IDs as a JSON array.
func idList(ids []int64) string {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = value.AppendJSON(b, value.Int(id))
	}
	return string(append(b, ']'))
}

// encodeCounts is a run's counts as JSON.
func encodeCounts(c lockstep.Counts) string {
	b, err := json.Marshal(c)
	if err != nil { // numbers only: it cannot be
		panic(err)
	}
	return string(b)
}
