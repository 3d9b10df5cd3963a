package magento

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an operation's status says.
const (
	opComplete   = 1
	opRetriable  = 2
	opFailed     = 3
	opOpen       = 4
	stuckAfter   = 12 * time.Hour // then a cron job gives an operation up
	bulkResource = "Magento_Logging::system_magento_logging_bulk_operations"
)

// bulk is what one asynchronous request handed in.
type bulk struct {
	uuid, topic string
	start       time.Time
	user        int
	operations  []*operation
}

// operation is one item of a bulk. The queue's lock guards what changes.
type operation struct {
	bulk    *bulk
	id      int
	rt      *route
	store   int
	path    map[string]string // of the URL: wins over the body
	body    object
	data    string // serialized_data
	status  int
	message any
	code    any
	result  any // result_serialized_data
}

// asynchronous splits "/async/V1/…" and "/async/bulk/V1/…".
func asynchronous(path string) (rest string, asBulk, ok bool) {
	if rest, ok := strings.CutPrefix(path, "/async/bulk/"); ok {
		return "/" + rest, true, true
	}
	rest, ok = strings.CutPrefix(path, "/async/")
	return "/" + rest, false, ok
}

// bulkPath is a route's path as /async/bulk has it: ":sku" is "bySku".
func bulkPath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "by" + strings.ToUpper(name[:1]) + name[1:]
		}
	}
	return strings.Join(parts, "/")
}

// bulkRoutes are the same operations by the paths of /async/bulk.
func bulkRouter(list []*route) *router {
	var out []*route
	for _, rt := range list {
		other := *rt
		other.parts = strings.Split(strings.Trim(bulkPath(rt.path), "/"), "/")
		out = append(out, &other)
	}
	return newRouter(out)
}

// accept takes the bodies of an asynchronous request. One with a wrong shape refuses all of them.
func (s *Server) accept(c *call, rt *route, who caller, bodies []object) (any, error) {
	b := &bulk{uuid: newUUID(), topic: topicOf(rt), start: s.conf().Clock(), user: who.user}
	items := make([]any, 0, len(bodies))
	for i, body := range bodies {
		o := &operation{bulk: b, id: i, rt: rt, store: c.store, path: c.path, body: body, status: opOpen}
		if err := c.checkUnlimited(rt, body); err != nil {
			return nil, err
		}
		o.data = serialized(o)
		b.operations = append(b.operations, o)
		hash := sha256.Sum256([]byte(o.data))
		items = append(items, obj{{"id", i}, {"data_hash", hex.EncodeToString(hash[:])}, {"status", "accepted"}})
	}
	s.queue.add(b)
	return obj{{"bulk_uuid", b.uuid}, {"request_items", items}, {"errors", false}}, nil
}

// checkUnlimited checks a body; the limits of input are not those of asynchronous requests.
func (c *call) checkUnlimited(rt *route, body object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	limited := c.limits.On
	c.limits.On = false
	defer func() { c.limits.On = limited }()
	_, err := c.input(rt, body, c.path)
	return err
}

// serialized is an operation as the queue's table holds it.
func serialized(o *operation) string {
	in := maps.Clone(o.body)
	for k, v := range o.path {
		if o.rt.method == http.MethodPut {
			for name, value := range in {
				if inner, ok := value.(object); ok {
					inner = maps.Clone(inner)
					inner[k] = v
					in[name] = inner
				}
			}
		}
		in[k] = v
	}
	meta := string(appendJSON(nil, raw(in)))
	return string(appendJSON(nil, obj{{"entity_id", nil}, {"entity_link", ""}, {"meta_information", meta}, {"store_id", strconv.Itoa(o.store)}}))
}

// raw is a value that came in, as one that is sent.
func raw(v any) any {
	switch v := v.(type) {
	case object:
		out := obj{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, member{k, raw(v[k])})
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = raw(v[i])
		}
		return out
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		f, _ := v.Float64() // a number, as it was decoded
		return f
	}
	return v
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *Server) bulkRoutes() []route {
	get := func(path string, run func(c *call) (any, error)) route {
		return route{method: http.MethodGet, path: path, resource: bulkResource, run: run}
	}
	return []route{
		get("/V1/bulk/:bulkUuid/status", func(c *call) (any, error) { return s.bulkStatus(c, (*operation).short) }),
		get("/V1/bulk/:bulkUuid/detailed-status", func(c *call) (any, error) { return s.bulkStatus(c, (*operation).detailed) }),
		get("/V1/bulk/:bulkUuid/operation-status/:status", s.countOperations),
		get("/V1/bulk", s.searchOperations),
	}
}

func (s *Server) bulkStatus(c *call, show func(*operation) obj) (any, error) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	b := s.queue.bulks[c.path["bulkUuid"]]
	if b == nil {
		return nil, noBulk(c.path["bulkUuid"])
	}
	list := make([]any, 0, len(b.operations))
	for _, o := range b.operations {
		s.queue.giveUp(o, c.clock())
		list = append(list, show(o))
	}
	return obj{{"operations_list", list}, {"user_type", b.user}, {"bulk_id", b.uuid}, {"description", "Topic " + b.topic},
		{"start_time", b.start.UTC().Format(stampLayout)}, {"user_id", 1}, {"operation_count", len(list)}}, nil
}

func noBulk(uuid string) *fault {
	return failNamed(http.StatusNotFound, "Bulk uuid %bulkUuid not exist", "bulkUuid", uuid)
}

func (o *operation) short() obj {
	return obj{{"id", o.id}, {"status", o.status}, {"result_message", o.message}, {"error_code", o.code}}
}

func (o *operation) detailed() obj {
	out := obj{{"id", o.id}, {"bulk_uuid", o.bulk.uuid}, {"topic_name", o.bulk.topic}, {"serialized_data", nil}, {"result_serialized_data", o.result},
		{"status", o.status}, {"result_message", o.message}, {"error_code", o.code}}
	if o.status != opComplete { // cleared on success
		out.set("serialized_data", o.data)
	}
	return out
}

func (s *Server) countOperations(c *call) (any, error) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	b := s.queue.bulks[c.path["bulkUuid"]]
	if b == nil {
		return nil, noBulk(c.path["bulkUuid"])
	}
	n := 0
	for _, o := range b.operations {
		if strconv.Itoa(o.status) == c.path["status"] {
			n++
		}
	}
	return n, nil
}

func (s *Server) searchOperations(c *call) (any, error) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	var rows []obj
	for _, b := range s.queue.order {
		for _, o := range b.operations {
			start := obj{{"start_time", b.start.UTC().Format(stampLayout)}}
			rows = append(rows, append(obj{{"extension_attributes", start}}, o.detailed()...))
		}
	}
	return searchRows(c, rows, nil)
}
