package pimcore

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// notice is the body of a webhook: of our listener inside Pimcore (events), or of Pimcore's own commercial webhooks
// (general and subject). It is only a hint: whatever it says of values is not read.
type notice struct {
	Events  []event `json:"events"`
	General *struct {
		EventName   string `json:"eventName"`
		SubjectType string `json:"subjectType"`
		VersionOnly bool   `json:"versionOnly"`
	} `json:"general"`
	Subject *struct {
		ID   noticeID `json:"id"`
		Path string   `json:"path"`
		Type string   `json:"type"`
	} `json:"subject"`
}

// event is one event of our listener.
type event struct {
	Event           string   `json:"event"`
	Kind            string   `json:"kind"` // object, asset or document
	ID              noticeID `json:"id"`
	Type            string   `json:"type"` // object, variant or folder
	Class           string   `json:"class"`
	Path            string   `json:"path"`
	OldPath         string   `json:"oldPath"`
	SaveVersionOnly bool     `json:"saveVersionOnly"`
	IsAutoSave      bool     `json:"isAutoSave"`
}

// noticeID is an id as a number or as a text.
type noticeID string

func (n *noticeID) UnmarshalJSON(text []byte) error {
	*n = noticeID(bytes.Trim(text, `"`))
	return nil
}

const (
	maxEvents   = 10_000
	pathsPerAsk = 20
)

// touched is what a notice says of a class.
type touched struct {
	ids   []string
	below []string // full paths: everything below may have changed
}

// Hints are the objects that a notice tells to look at: those that it names, and those below a folder or an object that
// was moved, which get no event of their own; nor do the objects that inherit.
func (s *System) Hints(ctx context.Context, r lockstep.Read, body []byte) ([]lockstep.Key, error) {
	events, err := readNotice(body)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeNotice, err).On(lockstep.About{Stream: r.Stream})
	}
	known, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	c, err := known.class(r.Stream)
	if err != nil {
		return nil, err
	}
	t := c.touched(events)
	if len(t.below) == 0 && (c.byID() || len(t.ids) == 0) {
		return idKeys(t.ids), nil
	}
	p, err := s.plan(ctx, lockstep.Read{Stream: r.Stream})
	if err != nil {
		return nil, err
	}
	keys := idKeys(t.ids)
	if p.key != nil {
		if keys, err = s.keysOf(ctx, p, t.ids); err != nil {
			return nil, about(err, r.Stream)
		}
	}
	for from := 0; from < len(t.below); from += pathsPerAsk {
		more, err := s.below(ctx, p, t.below[from:min(from+pathsPerAsk, len(t.below))])
		if err != nil {
			return keys, about(err, r.Stream) // what was named may be looked at already
		}
		keys = append(keys, more...)
	}
	return distinct(keys), nil
}

// readNotice reads either body as events.
func readNotice(body []byte) ([]event, error) {
	var n notice
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, errNotice("it is no JSON of a known form")
	}
	if n.General != nil && n.Subject != nil {
		e := event{Event: n.General.EventName, Kind: n.General.SubjectType, ID: n.Subject.ID, Path: n.Subject.Path, SaveVersionOnly: n.General.VersionOnly, Class: n.Subject.Type}
		if e.Class == "object" || e.Class == "variant" || e.Class == "folder" {
			e.Type, e.Class = e.Class, ""
		}
		n.Events = []event{e}
	}
	switch {
	case n.Events == nil:
		return nil, errNotice(`it has neither "events" nor "general" and "subject"`)
	case len(n.Events) > maxEvents:
		return nil, errNotice("it has more than " + strconv.Itoa(maxEvents) + " events")
	}
	for i := range n.Events {
		if e := &n.Events[i]; e.counts() && !isID(string(e.ID)) {
			return nil, errNotice("event " + strconv.Itoa(i+1) + " has no id")
		}
	}
	return n.Events, nil
}

type errNotice string

func (e errNotice) Error() string { return string(e) }

// counts tells an event after which an object is another than before. Drafts and autosaves are not: they show nothing.
func (e *event) counts() bool {
	kind, stem, _ := strings.Cut(strings.TrimPrefix(e.Event, "pimcore."), ".")
	if e.Kind != "" && e.Kind != "object" || kind != "dataobject" || e.SaveVersionOnly || e.IsAutoSave {
		return false
	}
	return stem == "postAdd" || stem == "postUpdate" || stem == "postDelete"
}

// touched is what events say of the class.
func (c *class) touched(events []event) touched {
	var t touched
	ids, paths := map[string]bool{}, map[string]bool{}
	for i := range events {
		e := &events[i]
		if !e.counts() {
			continue
		}
		mine := e.Class == c.name || e.Class == "" && e.Type != "folder"
		if mine && !ids[string(e.ID)] {
			ids[string(e.ID)] = true
			t.ids = append(t.ids, string(e.ID))
		}
		moved := e.OldPath != "" && e.OldPath != e.Path
		inherited := mine && c.conf.inherits && strings.HasSuffix(e.Event, ".postUpdate")
		if (moved || inherited) && strings.HasPrefix(e.Path, "/") && !paths[e.Path] {
			paths[e.Path] = true
			t.below = append(t.below, e.Path)
		}
	}
	return t
}

func idKeys(ids []string) []lockstep.Key {
	keys := make([]lockstep.Key, len(ids))
	for i, id := range ids {
		keys[i] = lockstep.Key(id)
	}
	return keys
}

func distinct(keys []lockstep.Key) []lockstep.Key {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keysOf are the keys of objects by their ids, where the key is another field. One that is gone has none any more: the
// sweep finds it.
func (s *System) keysOf(ctx context.Context, p *plan, ids []string) ([]lockstep.Key, error) {
	var keys []lockstep.Key
	for from := 0; from < len(ids); from += s.conf.page {
		got, err := s.list(ctx, p, "notice", listing{ids: ids[from:min(from+s.conf.page, len(ids))]})
		if err != nil {
			return nil, err
		}
		keys = append(keys, rowKeys(got.rows)...)
	}
	return keys, nil
}

func rowKeys(rows []row) []lockstep.Key {
	var keys []lockstep.Key
	for i := range rows {
		if rows[i].change.Fault == nil {
			keys = append(keys, rows[i].change.Record.Key)
		}
	}
	return keys
}

// below are the keys of all objects below some paths, page by page.
func (s *System) below(ctx context.Context, p *plan, paths []string) ([]lockstep.Key, error) {
	var any []condition
	for _, path := range paths {
		any = append(any, compare("path", like, strings.TrimSuffix(path, "/")+"/%"))
	}
	var keys []lockstep.Key
	for after := "0"; ; {
		got, err := s.page(ctx, p, "notice", listing{where: allOf(oneOf(any...), compare("id", greater, after)), order: []string{idField}, first: s.conf.page, total: true})
		if err != nil {
			return nil, err
		}
		keys = append(keys, rowKeys(got.rows)...)
		if got.end {
			return keys, nil
		}
		after = got.rows[len(got.rows)-1].id
	}
}
