package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// Records take what is pushed and hand out what is pulled.
type Records interface {
	// Push takes changes of a flow's source. Those that are not refused are durable when it returns.
	Push(ctx context.Context, flow string, changes []json.RawMessage, complete bool) (Pushed, error)
	// Lease hands out what a flow's target is to write, and waits a while where there is nothing.
	Lease(ctx context.Context, flow string, most int, ttl, wait time.Duration) (Lease, error)
	// Settle takes the target's word for records of a lease. It is durable when it returns.
	Settle(ctx context.Context, flow, lease string, results []Result) (Settled, error)
}

// The bounds of what is pushed and pulled.
const (
	mostChanges  = 5000
	mostResults  = 1000
	mostRecords  = 1000
	usualRecords = 100
	leastTTL     = time.Second
	usualTTL     = time.Minute
	mostTTL      = time.Hour
	mostWait     = time.Minute
)

// Changes is what is pushed. Each change is looked at by itself, so that one that is wrong harms no other.
type Changes struct {
	Changes  []Change `json:"changes" maxItems:"5000" doc:"The changes, oldest first"`
	Complete bool     `json:"complete,omitempty" doc:"The source has pushed all its records once by the end of this request: flows that were \"missing\" something have it now"`
}

// Change is one change as it came. Its schema says what it should be.
type Change struct{ raw json.RawMessage }

// UnmarshalJSON keeps the text.
func (c *Change) UnmarshalJSON(b []byte) error {
	c.raw = bytes.Clone(b)
	return nil
}

// MarshalJSON gives it back.
func (c Change) MarshalJSON() ([]byte, error) { return c.raw, nil }

// Schema is for the OpenAPI document.
func (Change) Schema(huma.Registry) *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	op := text("What became of the record; upsert where it is left out")
	op.Enum = []any{"upsert", "delete"}
	at := text("When the source changed it")
	at.Format = "date-time"
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"op": op, "at": at,
			"key":     text("The record's key, a JSON array of texts for a composite one; may be left out where the fields have it"),
			"version": text("The source's own revision of the record"),
			"fields": {Type: huma.TypeObject, AdditionalProperties: true,
				Description: "The whole record as it is now, by the fields that the configuration declares; one that is left out is null. A delete needs none."},
		},
	}
}

// UnmarshalJSON refuses members that are not known: a word that is written wrongly must not lose what it meant.
func (c *Changes) UnmarshalJSON(b []byte) error {
	type plain Changes
	return strictly(b, (*plain)(c))
}

func strictly(b []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// Pushed says what became of changes.
type Pushed struct {
	Accepted int             `json:"accepted" doc:"How many changes are durable"`
	Refused  []RefusedChange `json:"refused,omitempty" doc:"Those that were not taken; their neighbours were"`
	Missing  []string        `json:"missing,omitempty" doc:"Flows that miss records which were pushed before they were there, or that map otherwise now: push every record once, the last request with complete"`
}

// RefusedChange is a change that was not taken.
type RefusedChange struct {
	Index  int           `json:"index" doc:"Which one, from 0"`
	Key    string        `json:"key,omitempty" doc:"Its key as it came"`
	Code   lockstep.Code `json:"code" doc:"The stable code" example:"LS-VALUE"`
	Field  string        `json:"field,omitempty" doc:"The field that is wrong"`
	Detail string        `json:"detail" doc:"What is wrong"`
}

// LeaseAsk is what a puller asks for.
type LeaseAsk struct {
	Max  int    `json:"max,omitempty" minimum:"1" maximum:"1000" doc:"Most records; 100 where it is left out"`
	TTL  string `json:"ttl,omitempty" doc:"How long it takes at most to settle them: 1s to 1h, 60s where it is left out" example:"60s"`
	Wait string `json:"wait,omitempty" doc:"How long to wait where there are none: up to 60s; no time where it is left out" example:"20s"`
}

// Lease is what is handed out.
type Lease struct {
	Lease   string        `json:"lease,omitempty" doc:"Names the lease to settle; left out where there are no records"`
	Until   *time.Time    `json:"until,omitempty" doc:"What is not settled by then is handed out again"`
	Records []LeaseRecord `json:"records" doc:"What is to be written"`
}

// LeaseRecord is one record to be written.
type LeaseRecord struct {
	ID     string          `json:"id" doc:"Names what is to be written: the same each time the same is handed out again. Who has done it already settles it as done"`
	Op     string          `json:"op" enum:"upsert,delete" doc:"What is to become of the record"`
	Source string          `json:"source_key" doc:"The key of the source's record that it comes of"`
	Key    string          `json:"key,omitempty" doc:"Which record; left out where the target is to make one and choose its key"`
	Fields json.RawMessage `json:"fields,omitempty" doc:"The fields to set, by the types that the configuration declares; others stay as they are. Key fields that differ from key move the record"`
}

// Settle is a puller's word.
type Settle struct {
	Lease   string   `json:"lease" minLength:"1" maxLength:"100" doc:"The lease"`
	Results []Result `json:"results" maxItems:"1000" doc:"What became of its records; those that are not named stay leased"`
}

// Result is a puller's word for one record.
type Result struct {
	ID         string `json:"id" maxLength:"100" doc:"Of the record"`
	Status     string `json:"status" doc:"done; retry: not now, which is tried again later and parked in the end; failed: it cannot be taken, and a person must look; gone: there is no such record to change or to delete" example:"done"`
	Key        string `json:"key,omitempty" doc:"With done: the key that the target chose"`
	Version    string `json:"version,omitempty" doc:"With done: the target's own revision"`
	Error      string `json:"error,omitempty" doc:"With retry and failed: why, in a few words that people will read"`
	RetryAfter string `json:"retry_after,omitempty" doc:"With retry: how long to wait, which then costs no attempt" example:"5m"`
}

// Settled says what became of results.
type Settled struct {
	Settled  int             `json:"settled" doc:"How many records are settled now: that is durable"`
	Repeated int             `json:"repeated,omitempty" doc:"How many had been settled before: nothing was done"`
	Left     int             `json:"left" doc:"How many records of the lease are still open"`
	Refused  []RefusedResult `json:"refused,omitempty" doc:"Results that could not be taken: their records stay leased"`
}

// RefusedResult is a result that could not be taken.
type RefusedResult struct {
	ID     string        `json:"id" doc:"Of the record"`
	Code   lockstep.Code `json:"code" doc:"The stable code" example:"LS-KEY"`
	Detail string        `json:"detail" doc:"What is wrong"`
}

type changesIn struct {
	Flow string `path:"flow" doc:"The flow"`
	Body Changes
}

type leaseIn struct {
	Flow string `path:"flow" doc:"The flow"`
	Body LeaseAsk
}

type settleIn struct {
	Flow string `path:"flow" doc:"The flow"`
	Body Settle
}

// recordOperations are those of records that are pushed and pulled.
func (s *Server) recordOperations() {
	push := s.op(config.MayPush, http.MethodPost, "/v1/flows/{flow}/changes", "push-changes", "Pushes records of a flow's source",
		"For flows whose source has `track: {by: push}`. A change carries the whole record, so that the same change twice does no harm: whatever answer is not 200, push again. "+
			"What is accepted is durable before the answer. A change that is wrong is refused by itself, and the others are taken. "+
			"Deletes must be pushed, too: nobody can ask the source what is left.")
	push.SkipValidateBody = true // each change is looked at by itself
	huma.Register(s.huma, push, func(ctx context.Context, in *changesIn) (*struct{ Body Pushed }, error) {
		if len(in.Body.Changes) > mostChanges {
			return nil, problem(http.StatusRequestEntityTooLarge, lockstep.CodeRequest, fmt.Sprintf("more than %d changes", mostChanges))
		}
		raw := make([]json.RawMessage, len(in.Body.Changes))
		for i, c := range in.Body.Changes {
			raw[i] = c.raw
		}
		done, err := s.house.Push(ctx, in.Flow, raw, in.Body.Complete)
		if err != nil {
			return nil, problemOf(err)
		}
		return &struct{ Body Pushed }{done}, nil
	})
	huma.Register(s.huma, s.op(config.MayPull, http.MethodPost, "/v1/flows/{flow}/lease", "lease-records", "Pulls records that a flow's target is to write",
		"For flows whose target is a system of `type: api`. Nothing is prepared before somebody asks. What is not settled in time is handed out again, with the same id, "+
			"so the program that pulls must take a record that it gets twice as one: it knows it by its id, or writes by key so that twice is once. "+
			"It must not go on with records after their time is over. Programs that pull at the same time get different records."),
		func(ctx context.Context, in *leaseIn) (*struct{ Body Lease }, error) {
			ttl, err := lasting(in.Body.TTL, "ttl", usualTTL, leastTTL, mostTTL)
			if err != nil {
				return nil, err
			}
			wait, err := lasting(in.Body.Wait, "wait", 0, 0, mostWait)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(s.untilStop(ctx), cancel)()
			most := in.Body.Max
			if most == 0 {
				most = usualRecords
			}
			lease, err := s.house.Lease(ctx, in.Flow, min(most, mostRecords), ttl, wait)
			if err != nil {
				return nil, problemOf(err)
			}
			return &struct{ Body Lease }{lease}, nil
		})
	settle := s.op(config.MayPull, http.MethodPost, "/v1/flows/{flow}/settle", "settle-records", "Says what became of records that were pulled",
		"The answer comes once it is durable. A lease may be settled in parts. Settling the same again does nothing (`repeated`). "+
			"A lease whose time is over is a 409 (LS-LEASE), one that is not known, after a restart say, a 404 (LS-GONE): lease again, what was not settled comes again with the same id.")
	settle.SkipValidateBody = true // each result is looked at by itself
	huma.Register(s.huma, settle, func(ctx context.Context, in *settleIn) (*struct{ Body Settled }, error) {
		if len(in.Body.Results) > mostResults {
			return nil, problem(http.StatusRequestEntityTooLarge, lockstep.CodeRequest, fmt.Sprintf("more than %d results", mostResults))
		}
		done, err := s.house.Settle(ctx, in.Flow, in.Body.Lease, in.Body.Results)
		if err != nil {
			return nil, problemOf(err)
		}
		return &struct{ Body Settled }{done}, nil
	})
}

// UnmarshalJSON refuses members that are not known.
func (s *Settle) UnmarshalJSON(b []byte) error {
	type plain Settle
	return strictly(b, (*plain)(s))
}

// untilStop ends with ctx, or when the server begins to stop.
func (s *Server) untilStop(ctx context.Context) context.Context {
	out, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-s.stopping:
		case <-ctx.Done():
		}
	}()
	return out
}

// lasting is a duration of a request.
func lasting(text, name string, usual, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return usual, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, problem(http.StatusUnprocessableEntity, lockstep.CodeRequest, fmt.Sprintf("%s is a time such as 30s, from %s to %s", name, least, most))
	}
	return d, nil
}
