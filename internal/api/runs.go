package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// RunAsk is what a run is to be.
type RunAsk struct {
	Kind lockstep.RunKind `json:"kind,omitempty" enum:"delta,full" default:"delta" doc:"What it reads: what changed since, or everything. A flow that never had a full sync, or owes one, gets that in any case"`
	Deep bool             `json:"deep,omitempty" doc:"With full: read the target, too, and find what was edited or lost there"`
}

// OfFlow is what is asked of one flow.
type OfFlow struct {
	Flow string `path:"flow" doc:"The flow"`
}

// startRun asks for a run; ranRun answers.
type startRun struct {
	OfFlow
	Body RunAsk
}

type ranRun struct {
	Location string `header:"Location" doc:"Where the run can be followed"`
	Body     Run
}

// runList is one page of runs.
type runList struct {
	Runs []Run `json:"runs" nullable:"false" doc:"The newest first"`
}

func (s *Server) runOperations() {
	start := s.op(config.MayRun, http.MethodPost, "/v1/flows/{flow}/runs", "start-run", "Starts a run of a flow",
		"Either side may start one. The run belongs to lockstep and goes on whatever becomes of the request. "+
			"Where one is under way, the answer is 409 `LS-BUSY`, with its id in `run`.")
	start.DefaultStatus = http.StatusAccepted
	huma.Register(s.huma, start, func(ctx context.Context, in *startRun) (*ranRun, error) {
		if in.Body.Deep && in.Body.Kind != lockstep.FullRun {
			return nil, problem(http.StatusUnprocessableEntity, lockstep.CodeRequest, "deep goes with `\"kind\": \"full\"`")
		}
		run, err := s.house.StartRun(ctx, in.Flow, in.Body)
		if err != nil {
			p := problemOf(err)
			p.Run = run.ID
			return nil, p
		}
		return &ranRun{"/v1/flows/" + in.Flow + "/runs/" + strconv.FormatInt(run.ID, 10), run}, nil
	})
	huma.Register(s.huma, s.op(config.MayRead, http.MethodGet, "/v1/flows/{flow}/runs/{id}", "get-run", "Follows a run",
		"While a run that was started over HTTP is under way, `progress` tells how far it is."),
		func(ctx context.Context, in *struct {
			OfFlow
			ID int64 `path:"id" minimum:"1" doc:"The run"`
		}) (*struct{ Body Run }, error) {
			runs, err := s.house.Runs(ctx, lockstep.RunQuery{Flow: in.Flow, ID: in.ID})
			switch {
			case err != nil:
				return nil, problemOf(err)
			case len(runs) == 0:
				return nil, problem(http.StatusNotFound, lockstep.CodeGone, "the flow has no such run")
			}
			return &struct{ Body Run }{runs[0]}, nil
		})
	huma.Register(s.huma, s.op(config.MayRead, http.MethodGet, "/v1/flows/{flow}/runs", "list-runs", "Lists a flow's runs", ""),
		func(ctx context.Context, in *struct {
			OfFlow
			Kind lockstep.RunKind `query:"kind" enum:"full,delta,verify,repair,plan,apply,pilot,schema" doc:"Only these"`
			Max  int              `query:"max" minimum:"1" maximum:"1000" default:"100" doc:"Most of them"`
		}) (*struct{ Body runList }, error) {
			runs, err := s.house.Runs(ctx, lockstep.RunQuery{Flow: in.Flow, Kind: in.Kind, Max: in.Max})
			if err != nil {
				return nil, problemOf(err)
			}
			return &struct{ Body runList }{runList{runs}}, nil
		})
}

// flowList is how flows stand.
type flowList struct {
	Flows []Status `json:"flows" nullable:"false" doc:"In the order of the configuration"`
}

// storyList is what is known of a record.
type storyList struct {
	Stories []Story `json:"stories" nullable:"false" doc:"Mostly one; more where the key is one of either side, and for the other half of a pair"`
}

func (s *Server) flowOperations() {
	huma.Register(s.huma, s.op(config.MayRead, http.MethodGet, "/v1/flows", "list-flows", "Shows how the flows stand that the token is for", ""),
		func(ctx context.Context, _ *struct{}) (*struct{ Body flowList }, error) {
			var names []string
			for _, name := range s.flows {
				if t := tokenIn(ctx); t != nil && t.sees(name) {
					names = append(names, name)
				}
			}
			flows, err := s.house.Status(ctx, names)
			if err != nil {
				return nil, problemOf(err)
			}
			return &struct{ Body flowList }{flowList{flows}}, nil
		})
	huma.Register(s.huma, s.op(config.MayRead, http.MethodGet, "/v1/flows/{flow}/status", "get-status", "Shows how a flow stands",
		"Up to when its source is captured, up to when its target is level, what waits and why."),
		func(ctx context.Context, in *OfFlow) (*struct{ Body Status }, error) {
			flows, err := s.house.Status(ctx, []string{in.Flow})
			if err == nil && len(flows) != 1 {
				err = errors.New("a flow without a status")
			}
			if err != nil {
				return nil, problemOf(err)
			}
			return &struct{ Body Status }{flows[0]}, nil
		})
	huma.Register(s.huma, s.op(config.MayRead, http.MethodGet, "/v1/flows/{flow}/records/{key}", "explain-record", "Tells a record's whole story",
		"By its key in the source or in the target: when it was seen, queued, sent and answered, and why it is not there yet."),
		func(ctx context.Context, in *struct {
			OfFlow
			Key string `path:"key" maxLength:"4096" doc:"The record's key on either side"`
		}) (*struct{ Body storyList }, error) {
			stories, err := s.house.Stories(ctx, in.Flow, lockstep.Key(in.Key))
			if err != nil {
				return nil, problemOf(err)
			}
			return &struct{ Body storyList }{storyList{stories}}, nil
		})
}
