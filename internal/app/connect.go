package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// Connect finds who can do requests: the daemon if one runs, else a house of our own. The store's lock decides: where
// another process has it and nobody answers, the fault says so.
func Connect(ctx context.Context, cfg *config.Config, opt Options) (Runner, error) {
	if opt.Store == nil {
		if r, ok := Dial(cfg.Socket); ok {
			return r, nil
		}
	}
	h, err := Open(ctx, cfg, opt)
	if err == nil {
		return h, nil
	}
	fault := lockstep.FaultOf(err)
	if fault.Code != lockstep.CodeStoreLocked {
		return nil, err
	}
	if r, ok := Dial(cfg.Socket); ok { // it began meanwhile
		return r, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeStoreLocked,
		"another process has the store %s, and does not answer on %s: it is a command under way, or a daemon with another `socket:`", cfg.Store, cfg.Socket)
}

// post sends a request to the daemon.
func (r *remote) post(ctx context.Context, req Request) (*http.Response, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeInvariant, err)
	}
	if len(body) > maxRequest {
		return nil, lockstep.Faultf(lockstep.CodeUsage, "the request is larger than %d kB: name fewer keys", maxRequest>>10)
	}
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lockstep/do", bytes.NewReader(body))
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeInvariant, err)
	}
	out.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(out)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, lockstep.NewFault(lockstep.CodeDaemon, fmt.Errorf("%s: %w", r.path, errors.Unwrap(err)))
	case resp.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		_ = resp.Body.Close()
		return nil, lockstep.Faultf(lockstep.CodeDaemon, "%s answers %s: %s; is it of the same version?", r.path, resp.Status, strings.TrimSpace(string(text)))
	}
	return resp, nil
}
