package pimcore

import (
	"context"
	"slices"
	"sync"

	"github.com/lockstep-sync/lockstep"
)

// Apply makes the writes, each by a document of its own: Pimcore has no transaction over several, and one that fails
// must not take others with it.
func (s *System) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	known, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	c, err := known.class(stream)
	if err != nil || len(writes) == 0 {
		return nil, err
	}
	if !c.can.create && !c.can.update && !c.can.delete {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "class %s cannot be written: %s", stream, whyNoMutation).On(lockstep.About{Stream: stream})
	}
	a := &applier{sys: s, class: c, results: make([]lockstep.Result, len(writes)), ids: map[lockstep.Key]string{}}
	if err := a.look(ctx, writes); err != nil {
		return nil, about(err, stream)
	}
	a.run(ctx, writes)
	for i := range a.results {
		a.results[i].Err = about(a.results[i].Err, stream)
		if f := lockstep.FaultOf(a.results[i].Err); f != nil && f.About.Key == "" {
			a.results[i].Err = f.On(lockstep.About{Key: writes[i].Key})
		}
	}
	return a.results, nil
}

// applier is one Apply.
type applier struct {
	sys      *System
	class    *class
	results  []lockstep.Result
	ids      map[lockstep.Key]string // of objects, where the key is another field
	versions map[lockstep.Key]string // as they were before, where a write asks for one
	down     chan error              // why no more is sent
}

// look reads what has to be known before: the ids of objects whose key is another field, and the versions that writes
// ask for. Pimcore has no lock: whoever saves between this look and the write is written over.
func (a *applier) look(ctx context.Context, writes []lockstep.Write) error {
	var keys []lockstep.Key
	for i := range writes {
		if writes[i].Key != "" && (!a.class.byID() || writes[i].IfVersion != "") && !slices.Contains(keys, writes[i].Key) {
			keys = append(keys, writes[i].Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	p, err := a.sys.plan(ctx, lockstep.Read{Stream: a.class.name})
	if err != nil {
		return err
	}
	a.versions = map[lockstep.Key]string{}
	for from := 0; from < len(keys); from += a.sys.conf.page {
		some := keys[from:min(from+a.sys.conf.page, len(keys))]
		read := a.sys.byID
		if p.key != nil {
			read = a.sys.byKey
		}
		rows, err := read(ctx, p, some)
		if err != nil {
			return err
		}
		for i := range rows {
			if rec := &rows[i].change.Record; rows[i].change.Fault == nil {
				a.ids[rec.Key], a.versions[rec.Key] = rows[i].id, rec.Version
			}
		}
	}
	return nil
}

// run sends the writes, several at a time, but those of one key after each other.
func (a *applier) run(ctx context.Context, writes []lockstep.Write) {
	a.down = make(chan error, 1)
	turns := map[lockstep.Key][]int{}
	var order [][]int
	for i := range writes {
		if k := writes[i].Key; k != "" {
			turns[k] = append(turns[k], i)
		}
	}
	for i := range writes {
		switch k := writes[i].Key; {
		case k == "":
			order = append(order, []int{i})
		case turns[k][0] == i:
			order = append(order, turns[k])
		}
	}
	next := make(chan []int)
	var wg sync.WaitGroup
	for range min(a.sys.client.http.InFlight(), len(order)) {
		wg.Go(func() {
			for turn := range next {
				for _, i := range turn {
					a.results[i] = a.one(ctx, &writes[i])
				}
			}
		})
	}
	for _, turn := range order {
		next <- turn
	}
	close(next)
	wg.Wait()
}

// one makes one write, unless the system as a whole has failed meanwhile.
func (a *applier) one(ctx context.Context, w *lockstep.Write) lockstep.Result {
	select {
	case err := <-a.down:
		a.down <- err
		f := *lockstep.FaultOf(err)
		f.Unknown = false
		return lockstep.Result{Err: &f}
	default:
	}
	res := a.write(ctx, w)
	if f := lockstep.FaultOf(res.Err); f != nil && (f.Kind.StopsFlow() || f.Kind == lockstep.Unavailable || f.Kind == lockstep.Throttled) {
		select {
		case a.down <- f:
		default:
		}
	}
	return res
}

func (a *applier) write(ctx context.Context, w *lockstep.Write) lockstep.Result {
	if err := ctx.Err(); err != nil {
		return lockstep.Result{Err: err}
	}
	id := string(w.Key)
	if !a.class.byID() {
		id = a.ids[w.Key]
	}
	if w.IfVersion != "" && a.versions[w.Key] != w.IfVersion {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeVersionMoved, "the object was saved meanwhile")}
	}
	switch {
	case w.Op == lockstep.Delete:
		return lockstep.Result{Key: w.Key, Err: a.remove(ctx, id)}
	case id == "":
		return a.create(ctx, w)
	case !isID(id):
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeGone, "the key is that of no object")}
	}
	return a.update(ctx, w, id)
}
