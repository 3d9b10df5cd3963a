package engine

import (
	"context"
	"encoding/json"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep"
)

// canBeLight tells whether a full sync may compare versions only: the flow is to be looked at so, and the mapping that it
// has now has read every record once. The links know the versions since then.
func (e *Engine) canBeLight(ctx context.Context, f *Flow, opt FullOptions) (bool, error) {
	if !opt.Light || f.Light == nil || opt.Deep || opt.Fresh {
		return false, nil
	}
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun})
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		var p place
		if row.State == lockstep.Finished && json.Unmarshal(row.Place, &p) == nil {
			return p.made == f.made(), nil
		}
	}
	return false, nil
}

// IsSweep tells whether a full run compares versions only.
func IsSweep(row lockstep.Run) bool {
	var p place
	return json.Unmarshal(row.Place, &p) == nil && p.Light
}

// LastWhole is the newest full run of a flow that read everything, the zero Run for none. Where sweeps run often it may be
// far behind the newest.
func LastWhole(ctx context.Context, store lockstep.Runs, flow string) (lockstep.Run, error) {
	for most := 20; ; most *= 10 {
		rows, err := store.Runs(ctx, lockstep.RunQuery{Flow: flow, Kind: lockstep.FullRun, Max: most})
		if err != nil {
			return lockstep.Run{}, err
		}
		for _, row := range rows {
			if !IsSweep(row) {
				return row, nil
			}
		}
		if len(rows) < most {
			return lockstep.Run{}, nil
		}
	}
}

// leftOff tells, from a flow's full runs, the newest first, whether the newest is a sweep that was cut off: it is gone on
// with as one. What is owed besides that, owed tells.
func leftOff(rows []lockstep.Run) bool {
	return len(rows) > 0 && (rows[0].State == lockstep.Running || rows[0].State == lockstep.Interrupted) && IsSweep(rows[0])
}

// light closes the records whose version is the one that their link has, and fetches the others: a page at once. Where the
// source gives no versions, the keys alone are compared.
func (r *fullRun) light(ctx context.Context, items []*item) {
	bare := r.flow.delta()
	for _, it := range items {
		bare = bare && it.change.Record.Version == ""
	}
	for _, it := range items {
		if it.change.Fault != nil || it.again {
			continue
		}
		if r.asBefore(it, bare) {
			it.out, it.open = nothing, false
		} else {
			it.change.Hint = true
		}
	}
	r.refresh(ctx, live(items))
}

// asBefore tells whether a light read says nothing new of a record.
func (r *fullRun) asBefore(it *item, bare bool) bool {
	version := it.change.Record.Version
	switch {
	case it.open: // beside a feed, the queue has it in hand; where it is parked, with what is there now
		return r.flow.delta() && version != "" && version == it.queued
	case it.look:
		return false
	case !it.known():
		return (bare || version != "") && r.flow.state.apart.has(it.key(), version)
	case it.link.End(r.flow.Side.Other()).Digest == gone && version == "":
		return false
	}
	return bare || version != "" && version == it.link.End(r.flow.Side).Version
}

// setApart remembers the records that the flow's filter leaves out as they are now, so that the next sweep need not fetch
// them to find that out.
func (r *fullRun) setApart(items []*item) {
	if r.flow.Back != nil || len(r.flow.Mapping.Links()) > 0 { // there others decide, too
		return
	}
	for _, it := range items {
		if it.out != nil && it.out.Verdict == lockstep.Done && it.out.Did == "filtered" && !it.known() {
			r.flow.state.apart.add(it.key(), it.change.Record.Version)
		}
	}
}

// apart is a set of keys and versions. It forgets: two generations of recentSize are kept (law 11).
type apart struct{ young, old map[uint64]struct{} }

func (a *apart) has(key lockstep.Key, version string) bool {
	h := apartHash(key, version)
	_, young := a.young[h]
	_, old := a.old[h]
	return young || old
}

func (a *apart) add(key lockstep.Key, version string) {
	if a.young == nil || len(a.young) >= recentSize {
		a.old, a.young = a.young, map[uint64]struct{}{}
	}
	a.young[apartHash(key, version)] = struct{}{}
}

func apartHash(key lockstep.Key, version string) uint64 {
	return xxh3.HashString(string(key) + "\x00" + version)
}
