package pimcore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

// order is the body of POST /_sandbox/<verb>. Which members a verb takes is said where it is listed.
type order struct {
	ID          int                        `json:"id"`
	At          string                     `json:"at"` // the full path of the object, in the place of its id
	Class       string                     `json:"class"`
	Kind        string                     `json:"kind"`
	Key         string                     `json:"key"`
	Parent      int                        `json:"parent"`
	Path        string                     `json:"path"` // the full path of the parent, in the place of its id
	Unpublished bool                       `json:"unpublished"`
	Values      map[string]json.RawMessage `json:"values"`
	Date        int64                      `json:"date"`
	After       string                     `json:"after"`
	User        int                        `json:"user"`
	Count       int                        `json:"count"`
	Seed        uint64                     `json:"seed"`
	Fault       Fault                      `json:"fault"`
	Share       *float64                   `json:"share"`
	Next        int                        `json:"next"`
	For         string                     `json:"for"`
	On          *bool                      `json:"on"`
	Data        []byte                     `json:"data"`
	Workspaces  []Workspace                `json:"workspaces"`
	Fields      []string                   `json:"fields"`
}

// verb is something that POST /_sandbox/ can do.
type verb struct {
	takes, does string
	run         func(s *Server, o order) (any, error)
}

// Verbs lists what POST /_sandbox/<name> takes and does, by name.
func Verbs() map[string][2]string {
	out := map[string][2]string{}
	for name, v := range verbs() {
		out[name] = [2]string{v.takes, v.does}
	}
	return out
}

// edited makes a verb of an edit of one object.
func edited(takes, does string, run func(s *Server, id int, values map[string]any, o order) error) verb {
	return verb{takes, does, func(s *Server, o order) (any, error) {
		id, values, err := s.meant(o)
		if err == nil {
			err = run(s, id, values, o)
		}
		if err != nil {
			return nil, err
		}
		return s.shown(id), nil
	}}
}

func verbs() map[string]verb {
	all := map[string]verb{
		"save": edited("id or at, values, user", "saves an object; without values one that did not change", func(s *Server, id int, v map[string]any, o order) error {
			return s.SaveAs(o.User, id, v)
		}),
		"save-with-date":   edited("id or at, values, date", "saves with a date set by code, be it old", func(s *Server, id int, v map[string]any, o order) error { return s.SaveWithDate(id, v, o.Date) }),
		"save-unversioned": edited("id or at, values", "saves with versioning off: the counter stays", func(s *Server, id int, v map[string]any, _ order) error { return s.SaveUnversioned(id, v) }),
		"save-late": edited("id or at, values, after", "begins a save now and commits it `after` (5s): it appears with an old date", func(s *Server, id int, v map[string]any, o order) error {
			return s.later(o.After, s.SaveLate(id, v))
		}),
		"draft":       edited("id or at, values", "saves a draft: nothing of it is seen", func(s *Server, id int, v map[string]any, _ order) error { return s.SaveVersion(id, v) }),
		"silent-edit": edited("id or at, values", "changes values by SQL: no date, no event", func(s *Server, id int, v map[string]any, _ order) error { return s.SilentEdit(id, v) }),
		"rename":      edited("id or at, key", "renames; what lies below gets another path and no date", func(s *Server, id int, _ map[string]any, o order) error { return s.Rename(id, o.Key) }),
		"publish":     edited("id or at", "publishes", func(s *Server, id int, _ map[string]any, _ order) error { return s.Publish(id) }),
		"unpublish":   edited("id or at", "unpublishes", func(s *Server, id int, _ map[string]any, _ order) error { return s.Unpublish(id) }),
		"move": edited("id or at, parent or path", "moves below another object or folder", func(s *Server, id int, _ map[string]any, o order) error {
			to := o.Parent
			if o.Path != "" {
				to = s.ByPath(o.Path)
			}
			return s.Move(id, to)
		}),
		"delete": edited("id or at", "deletes, with all below", func(s *Server, id int, _ map[string]any, _ order) error { return s.Delete(id) }),
		"show":   edited("id or at", "shows an object's own values", func(*Server, int, map[string]any, order) error { return nil }),
	}
	maps.Copy(all, otherVerbs())
	return all
}

func otherVerbs() map[string]verb {
	return map[string]verb{
		"create": {"class, key, parent or path, kind, values, unpublished, date", "creates an object, a variant, or, without a class, a folder", (*Server).ordered},
		"random": {"count, seed", "makes random edits of all kinds", func(s *Server, o order) (any, error) {
			return map[string]int{"edits": o.Count}, s.RandomEdits(o.Count, o.Seed)
		}},
		"replace-asset": {"id, data (base64)", "gives an asset new content", func(s *Server, o order) (any, error) { return map[string]int{"id": o.ID}, s.ReplaceAsset(o.ID, o.Data) }},
		"delete-asset":  {"id", "deletes an asset", func(s *Server, o order) (any, error) { return map[string]int{"id": o.ID}, s.DeleteAsset(o.ID) }},
		"fail": {"fault, share (0 to 1) or next (a number of requests)", "lets requests go wrong", func(s *Server, o order) (any, error) {
			if !slices.Contains(Faults(), o.Fault) {
				return nil, fmt.Errorf("no fault %q: there are %v", o.Fault, Faults())
			}
			if o.Share != nil {
				s.Fail(o.Fault, *o.Share)
			}
			s.FailNext(o.Fault, o.Next)
			return struct{}{}, nil
		}},
		"slow": {"for", "says how long a slow answer takes", func(s *Server, o order) (any, error) {
			d, err := time.ParseDuration(o.For)
			s.SetSlow(d)
			return struct{}{}, err
		}},
		"introspection": {"on", "switches introspection on or off", func(s *Server, o order) (any, error) {
			return struct{}{}, s.Configure(func(c *Options) { c.NoIntrospection = o.On == nil || !*o.On })
		}},
		"output-cache": {"for", "switches the output cache on (30s) or off (0s)", func(s *Server, o order) (any, error) {
			d, err := time.ParseDuration(o.For)
			if err != nil {
				return nil, err
			}
			return struct{}{}, s.Configure(func(c *Options) { c.OutputCache = d })
		}},
		"hide": {"fields", "takes fields out of the schema: Product.price", func(s *Server, o order) (any, error) {
			return struct{}{}, s.Configure(func(c *Options) { c.HideFields = o.Fields })
		}},
		"workspaces": {"workspaces", "sets what the endpoint may see and do; none: everything", func(s *Server, o order) (any, error) { s.SetWorkspaces(o.Workspaces); return struct{}{}, nil }},
		"state":      {"", "says how much there is, and what was asked so far", func(s *Server, _ order) (any, error) { return s.state(), nil }},
	}
}

func (s *Server) ordered(o order) (any, error) {
	n := NewObject{Class: o.Class, Kind: o.Kind, Key: o.Key, Parent: o.Parent, Path: o.Path, Unpublished: o.Unpublished, Date: o.Date, User: o.User}
	if c := s.w.classes[o.Class]; c != nil {
		var err error
		if n.Values, err = c.fromJSON(o.Values); err != nil {
			return nil, err
		}
	}
	id, err := s.Create(n)
	if err != nil {
		return nil, err
	}
	return s.shown(id), nil
}

// meant finds the object of an order and reads its values.
func (s *Server) meant(o order) (int, map[string]any, error) {
	id := o.ID
	if o.At != "" {
		id = s.ByPath(o.At)
	}
	have, ok := s.Get(id)
	if !ok {
		return 0, nil, errors.New("no such object")
	}
	c := s.w.classes[have.Class]
	if c == nil {
		return id, nil, nil
	}
	values, err := c.fromJSON(o.Values)
	return id, values, err
}

// shown is an object as an answer; of one that is gone its id.
func (s *Server) shown(id int) any {
	o, ok := s.Get(id)
	if !ok {
		return map[string]any{"id": id, "deleted": true}
	}
	return map[string]any{
		"id": o.ID, "class": o.Class, "kind": o.Kind, "fullpath": o.Fullpath, "published": o.Published, "modificationDate": o.Modified,
		"versionCount": o.VersionCount, "values": o.Values,
	}
}

func (s *Server) state() any {
	counts := map[string]int{}
	for _, c := range s.w.classList {
		counts[c.Name] = len(s.IDs(c.Name))
	}
	sent, lost := s.Notices()
	return map[string]any{"objects": counts, "requests": s.Requests(), "notices": sent, "notices_lost": lost}
}

// late are the saves of people that are not committed yet.
type late struct {
	pending sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context //nolint:containedctx // the life of the stand-in
}

// later commits a save when some time has passed, or when the stand-in is closed.
func (s *Server) later(after string, commit func() error) error {
	d := 5 * time.Second
	if after != "" {
		var err error
		if d, err = time.ParseDuration(after); err != nil || d > time.Hour {
			return errors.Join(errors.New("after is a duration of up to an hour, such as 5s"), commit())
		}
	}
	s.late.pending.Go(func() {
		wait(s.late.ctx, d)
		_ = commit() // the object may be gone by then
	})
	return nil
}

// Close ends what runs beside the requests.
func (s *Server) Close() {
	s.late.cancel()
	s.late.pending.Wait()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.mirror != nil {
		_ = s.out.mirror.db.Close() // nothing of it is open
		s.out.mirror = nil
	}
}

// control answers /_sandbox/: a GET lists what there is, a POST does it.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if status, why := (kit.Gate{Token: s.conf().Control, Anywhere: s.conf().ControlAnywhere}).Refuses(r); status != 0 {
		kit.Reply(w, status, map[string]string{"error": why})
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/_sandbox/")
	all := verbs()
	v, ok := all[name]
	switch {
	case r.Method == http.MethodGet && name == "":
		kit.Reply(w, http.StatusOK, Verbs())
	case !ok:
		kit.Reply(w, http.StatusNotFound, map[string]any{"error": "no such verb", "verbs": slices.Sorted(maps.Keys(all))})
	case r.Method != http.MethodPost && name != "state":
		kit.Reply(w, http.StatusMethodNotAllowed, map[string]string{"error": "use POST"})
	default:
		var o order
		if err := kit.Read(w, r, maxBody, &o); err != nil {
			kit.Reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		out, err := v.run(s, o)
		if err != nil {
			kit.Reply(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
			return
		}
		kit.Reply(w, http.StatusOK, out)
	}
}
