package magento

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

// errand is the body of POST /_sandbox/<verb>. Which members a verb takes is said where it is listed.
type errand struct {
	SKU       string         `json:"sku"`
	View      string         `json:"view"`
	Values    map[string]any `json:"values"`
	Name      string         `json:"name"`
	Source    string         `json:"source"`
	Quantity  float64        `json:"quantity"`
	Price     float64        `json:"price"`
	ID        int            `json:"id"`
	Parent    int            `json:"parent"`
	Attribute string         `json:"attribute"`
	Label     string         `json:"label"`
	Fault     Fault          `json:"fault"`
	Share     *float64       `json:"share"`
	Next      int            `json:"next"`
	Route     *string        `json:"route"`
	For       string         `json:"for"`
	Do        string         `json:"do"`
	Count     int            `json:"count"`
	On        *bool          `json:"on"`
	Form      string         `json:"form"`
	Last      int            `json:"last"`
	Method    string         `json:"method"`
	Path      string         `json:"path"`
	Body      any            `json:"body"`
}

// verb is something that POST /_sandbox/ can do.
type verb struct {
	takes, does string
	run         func(s *Server, e errand) (any, error)
}

// Verbs lists what POST /_sandbox/<name> takes and does, by name.
func Verbs() map[string][2]string {
	out := map[string][2]string{}
	for name, v := range verbs() {
		out[name] = [2]string{v.takes, v.does}
	}
	return out
}

// edit is a verb that people have in the Admin.
func edit(takes, does string, run func(s *Server, e errand) error) verb {
	return verb{takes, does, func(s *Server, e errand) (any, error) { return struct{}{}, run(s, e) }}
}

func verbs() map[string]verb {
	all := map[string]verb{
		"edit":   edit("sku, values, view (default all)", "changes attributes of a product", func(s *Server, e errand) error { return s.Edit(e.SKU, e.View, e.Values) }),
		"rename": edit("sku, name, view (default all)", "renames a product", func(s *Server, e errand) error { return s.Edit(e.SKU, e.View, map[string]any{"name": e.Name}) }),
		"disable": edit("sku, view (default all)", "disables a product", func(s *Server, e errand) error {
			return s.Edit(e.SKU, e.View, map[string]any{"status": 2})
		}),
		"enable": edit("sku, view (default all)", "enables a product", func(s *Server, e errand) error {
			return s.Edit(e.SKU, e.View, map[string]any{"status": 1})
		}),
		"delete":          edit("sku", "deletes a product", func(s *Server, e errand) error { return s.Delete(e.SKU) }),
		"stock":           edit("sku, quantity, source (default default)", "sets what a source has; updated_at does not move", func(s *Server, e errand) error { return s.SetStock(e.SKU, e.Source, e.Quantity) }),
		"price":           edit("sku, price", "sets the base price; updated_at does not move", func(s *Server, e errand) error { return s.SetPrice(e.SKU, e.Price) }),
		"rename-category": edit("id, name, view (default all)", "renames a category", func(s *Server, e errand) error { return s.RenameCategory(e.ID, e.View, e.Name) }),
		"move-category":   edit("id, parent", "moves a category below another", func(s *Server, e errand) error { return s.MoveCategory(e.ID, e.Parent) }),
		"rename-option":   edit("attribute, id, label", "gives an option another label; no product's updated_at moves", func(s *Server, e errand) error { return s.RenameOption(e.Attribute, e.ID, e.Label) }),
		"order": {"sku, quantity (default 1)", "places an order of a guest: a reservation, no source's quantity changes", func(s *Server, e errand) (any, error) {
			id, err := s.Order(e.SKU, max(e.Quantity, 1))
			return map[string]int{"order": id}, err
		}},
		"ship": {"id (of the order)", "ships an order: the source's quantity goes down", func(s *Server, e errand) (any, error) {
			return s.Rest(http.MethodPost, "/rest/V1/order/"+itoa(e.ID)+"/ship", map[string]any{})
		}},
		"rest": {"method, path, body", "carries out any REST request without credentials, faults or log", func(s *Server, e errand) (any, error) {
			return s.Rest(or(e.Method, http.MethodGet), e.Path, e.Body)
		}},
	}
	maps.Copy(all, operatorVerbs())
	return all
}

// operatorVerbs are what goes wrong, and what an operator does.
func operatorVerbs() map[string]verb {
	return map[string]verb{
		"fail": {"fault, share (0 to 1) or next (a number), route (only requests whose method and route contain it)", "lets requests or operations go wrong", func(s *Server, e errand) (any, error) {
			if !slices.Contains(Faults(), e.Fault) {
				return nil, fmt.Errorf("no fault %q: there are %v", e.Fault, Faults())
			}
			if e.Route != nil {
				s.FailOnly(*e.Route)
			}
			if e.Share != nil {
				s.Fail(e.Fault, *e.Share)
			}
			s.FailNext(e.Fault, e.Next)
			return struct{}{}, nil
		}},
		"slow": {"for", "says how long a slow answer takes, and how long PHP works on behind a 504", func(s *Server, e errand) (any, error) {
			d, err := time.ParseDuration(e.For)
			s.SetSlow(d)
			return struct{}{}, err
		}},
		"delay": {"for", "sets the service time of every request", func(s *Server, e errand) (any, error) {
			d, err := time.ParseDuration(e.For)
			if err == nil {
				s.Configure(func(o *Options) { o.Delay = d })
			}
			return struct{}{}, err
		}},
		"maintenance": {"on, form (html or text)", "puts the shop into maintenance, or takes it out", func(s *Server, e errand) (any, error) {
			form := or(e.Form, "html")
			if e.On != nil && !*e.On {
				form = ""
			}
			s.Configure(func(o *Options) { o.Maintenance = form })
			return struct{}{}, nil
		}},
		"bearer": {"on", "takes the integration's token without a signature, or no longer", func(s *Server, e errand) (any, error) {
			s.Configure(func(o *Options) { o.Bearer = e.On == nil || *e.On })
			return struct{}{}, nil
		}},
		"two-factor": {"on", "asks for a second factor, or no longer", func(s *Server, e errand) (any, error) {
			s.Configure(func(o *Options) { o.TwoFactor = e.On == nil || *e.On })
			return struct{}{}, nil
		}},
		"consumer": {"do (start, stop, kill, shuffle, order, drain), count (default 1), for (of delay)", "starts and stops consumers of the asynchronous queue, or lets them die with their next operation done and not acknowledged", (*Server).commandConsumers},
		"requests": {"last (how many of the last ones to show)", "counts requests by route; GET, too. POST forgets them when on is false", func(s *Server, e errand) (any, error) {
			if e.On != nil && !*e.On {
				s.ForgetRequests()
			}
			total, routes := s.Counts()
			return map[string]any{"total": total, "routes": routes, "last": s.Requests(e.Last)}, nil
		}},
		"state": {"", "says how much there is; GET, too", func(s *Server, _ errand) (any, error) { return s.state(), nil }},
	}
}

func (s *Server) commandConsumers(e errand) (any, error) {
	n := max(e.Count, 1)
	switch e.Do {
	case "start":
		s.StartConsumers(n)
	case "stop":
		s.StopConsumers()
	case "kill":
		s.KillConsumers(n)
	case "shuffle", "order":
		s.Configure(func(o *Options) { o.Shuffle = e.Do == "shuffle" })
	case "drain":
		s.Drain()
	case "delay":
		d, err := time.ParseDuration(e.For)
		if err != nil {
			return nil, err
		}
		s.Configure(func(o *Options) { o.ConsumerDelay = d })
	default:
		return nil, errors.New("do is start, stop, kill, shuffle, order, drain or delay")
	}
	return s.state(), nil
}

func (s *Server) state() any {
	total, _ := s.Counts()
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return map[string]any{
		"products": len(s.world.products.rows), "categories": len(s.world.categories.byID), "source_items": len(s.world.stock.rows),
		"requests": total, "consumers": q.consumers, "waiting": len(q.waiting), "lost": len(q.lost), "bulks": len(q.order),
	}
}

// control answers /_sandbox/: a GET lists what there is, a POST does it.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	o := s.conf()
	if status, why := (kit.Gate{Token: o.Control, Anywhere: o.ControlAnywhere}).Refuses(r); status != 0 {
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
	case r.Method != http.MethodPost && name != "state" && name != "requests":
		kit.Reply(w, http.StatusMethodNotAllowed, map[string]string{"error": "use POST"})
	default:
		var e errand
		if err := kit.Read(w, r, maxBody, &e); err != nil {
			kit.Reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		out, err := v.run(s, e)
		if err != nil {
			kit.Reply(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
			return
		}
		if raw, ok := out.(json.RawMessage); ok && len(raw) == 0 {
			out = nil
		}
		kit.Reply(w, http.StatusOK, out)
	}
}
