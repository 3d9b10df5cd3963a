package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	program "github.com/lockstep-sync/lockstep/connector/api"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/value"
)

// Push takes changes of a flow's source into the queues of all flows that read the same. It needs no other system: what
// is pushed while a target is away is as durable as ever.
func (o *outside) Push(ctx context.Context, flow string, changes []json.RawMessage, complete bool) (api.Pushed, error) {
	f := o.cfg.Flow(flow)
	if f.From.Track.By != lockstep.Push {
		fault := lockstep.Faultf(lockstep.CodeCannot, "the source of this flow is read, not pushed").On(lockstep.About{Flow: flow})
		fault.Next = "Push to flows with `track: {by: push}`; a change elsewhere can be told by POST /hooks/FLOW."
		return api.Pushed{}, fault
	}
	sys, err := o.program(ctx, f.From.System)
	if err != nil {
		return api.Pushed{}, o.clean(err)
	}
	keep := o.keeps(f)
	var out api.Pushed
	taken := make([]lockstep.Change, 0, len(changes))
	for i, raw := range changes {
		c, key, err := decodeChange(sys, f.From.Stream, raw)
		if err != nil {
			fault := lockstep.FaultOf(err)
			out.Refused = append(out.Refused, api.RefusedChange{Index: i, Key: key, Code: fault.Code, Field: fault.About.Field, Detail: fault.Err.Error()})
			continue
		}
		taken = append(taken, keep(c))
	}
	feed, fed := feedOf(f), o.fed(feedOf(f))
	o.attaching.RLock()
	defer o.attaching.RUnlock()
	if err := o.inbox.Push(ctx, feed, fed, taken); err != nil {
		return api.Pushed{}, o.notNow(err, flow)
	}
	out.Accepted = len(taken)
	if complete && len(out.Refused) == 0 {
		if err := o.inbox.Complete(ctx, feed, fed); err != nil {
			return api.Pushed{}, o.notNow(err, flow)
		}
	}
	missing, err := o.inbox.Missing(ctx, feed, fed)
	if err != nil {
		return api.Pushed{}, o.notNow(err, flow)
	}
	for _, m := range missing {
		out.Missing = append(out.Missing, m.Flow)
	}
	return out, nil
}

// keeps leaves out of pushed records what the system's allow-list does not name: no mapping may read it, so no queue is to
// hold it (law 12).
func (o *outside) keeps(f *config.Flow) func(lockstep.Change) lockstep.Change {
	sys := o.cfg.System(f.From.System)
	allowed, all := sys.Allows(f.From.Stream)
	if all {
		return func(c lockstep.Change) lockstep.Change { return c }
	}
	key := sys.Settings().Table("streams")[f.From.Stream].Texts("key")
	var names *value.Names
	return func(c lockstep.Change) lockstep.Change {
		if c.Op == lockstep.Delete {
			return c
		}
		var kept []value.Value
		var list []string
		for name, v := range c.Record.Fields.All() {
			if slices.Contains(allowed, name) || slices.Contains(key, name) {
				kept, list = append(kept, v), append(list, name)
			}
		}
		if names == nil { // all records have the same
			names = value.NewNames(list...)
		}
		c.Record.Fields = names.Fields(kept)
		return c
	}
}

// notNow is an error of the store: whatever it was, the same can be asked again.
func (o *outside) notNow(err error, flow string) error {
	fault := *lockstep.FaultOf(err)
	fault.Kind = lockstep.Unavailable
	return o.clean(fault.On(lockstep.About{Flow: flow}))
}

// decodeChange reads one change. key is what it says of its key, as far as that can be read.
func decodeChange(sys *program.System, stream string, raw json.RawMessage) (c lockstep.Change, key string, err error) {
	var in struct {
		Op      string          `json:"op"`
		Key     string          `json:"key"`
		Fields  json.RawMessage `json:"fields"`
		Version string          `json:"version"`
		At      string          `json:"at"`
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return c, "", lockstep.Faultf(lockstep.CodeRequest, "a change is {\"op\", \"key\", \"fields\", \"version\", \"at\"}: fields is an object, the others are texts")
	}
	c, err = sys.Decode(stream, program.Pushed{Op: in.Op, Key: in.Key, Fields: string(in.Fields), Version: in.Version, At: in.At})
	return c, in.Key[:min(len(in.Key), 200)], err
}

// program is a system that calls. It is declared only, so opening one of our own costs nothing.
func (o *outside) program(ctx context.Context, name string) (*program.System, error) {
	g, err := o.ears.of(ctx, o.cfg.System(name))
	if err != nil {
		return nil, lockstep.FaultOf(err).On(lockstep.About{System: name})
	}
	sys, ok := g.System().(*program.System)
	if !ok {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "it is no system of type api").On(lockstep.About{System: name})
	}
	return sys, nil
}

// fed are the flows of a feed.
func (h *House) fed(feed string) []engine.Fed {
	var out []engine.Fed
	for _, f := range h.cfg.Flows {
		if feedOf(f) == feed {
			out = append(out, engine.Fed{Flow: f.Name, Written: written(f)})
		}
	}
	return out
}

// missing tells why a flow whose source pushes misses records, and how they come; "" where it does not.
func (h *House) missing(ctx context.Context, f *config.Flow) (string, error) {
	missing, err := h.inbox.Missing(ctx, feedOf(f), []engine.Fed{{Flow: f.Name, Written: written(f)}})
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return "the source has pushed records that this flow, or its mapping, has not seen: have it push everything once, with \"complete\": true at the end", nil
}

// carried is the engine that carries a flow.
func (o *outside) carried(flow string) (*engine.Engine, error) {
	b := o.built.Load()
	switch {
	case b != nil && b.flows[flow] != nil:
		return b.engine, nil
	case b != nil && b.held[flow] != nil:
		return nil, b.held[flow]
	case b != nil && b.sick[flow] != nil:
		return nil, b.sick[flow]
	}
	return nil, lockstep.Faultf(lockstep.CodeUnavailable, "the flow is not carried now: its source may be away").On(lockstep.About{Flow: flow})
}

// Lease hands out records of a flow.
func (o *outside) Lease(ctx context.Context, flow string, most int, ttl, wait time.Duration) (api.Lease, error) {
	e, err := o.carried(flow)
	if err != nil {
		return api.Lease{}, o.clean(err)
	}
	handed, err := e.Pull(ctx, flow, engine.Ask{Max: most, TTL: ttl, Wait: wait})
	out := api.Lease{Records: []api.LeaseRecord{}}
	switch {
	case errors.Is(err, context.Canceled): // nobody listens any more, or lockstep stops
		return out, nil
	case err != nil:
		return out, o.clean(err)
	case handed.Lease == "":
		return out, nil
	}
	f := o.cfg.Flow(flow)
	sys, err := o.program(ctx, f.To.System)
	if err != nil {
		return out, o.clean(err)
	}
	until := handed.Until.UTC()
	out.Lease, out.Until = handed.Lease, &until
	for _, wr := range handed.Writes {
		rec := api.LeaseRecord{ID: wr.ID, Op: wr.Op.String(), Source: string(wr.Source), Key: string(wr.Key)}
		if wr.Op == lockstep.Upsert {
			if rec.Fields, err = sys.AppendFields(nil, f.To.Stream, wr.Fields); err != nil {
				return api.Lease{}, o.clean(err)
			}
		}
		out.Records = append(out.Records, rec)
	}
	return out, nil
}

// Settle takes a puller's word.
func (o *outside) Settle(ctx context.Context, flow, lease string, results []api.Result) (api.Settled, error) {
	e, err := o.carried(flow)
	if err != nil {
		return api.Settled{}, o.clean(err)
	}
	var early []api.RefusedResult
	said := make([]engine.PullResult, 0, len(results))
	for _, r := range results {
		p := engine.PullResult{ID: r.ID, Status: engine.PullStatus(r.Status), Key: lockstep.Key(r.Key), Version: r.Version, Error: r.Error}
		if r.RetryAfter != "" {
			d, err := time.ParseDuration(r.RetryAfter)
			if err != nil || d <= 0 {
				early = append(early, api.RefusedResult{ID: r.ID, Code: lockstep.CodeRequest, Detail: "retry_after is a time such as 5m"})
				continue
			}
			p.RetryAfter = d
		}
		said = append(said, p)
	}
	done, err := e.SettlePull(ctx, flow, lease, said)
	if err != nil {
		return api.Settled{}, o.clean(err)
	}
	out := api.Settled{Settled: done.Settled, Repeated: done.Repeated, Left: done.Left, Refused: early}
	for _, r := range done.Refused {
		out.Refused = append(out.Refused, api.RefusedResult{ID: r.ID, Code: r.Fault.Code, Detail: r.Fault.Err.Error()})
	}
	return out, nil
}
