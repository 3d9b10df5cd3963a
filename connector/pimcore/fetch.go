package pimcore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// Fetch reads objects by key. An object that a listing does not show is gone only if a single get says so.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	p, err := s.plan(ctx, r)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var out []lockstep.Record
	for from := 0; from < len(keys); from += s.conf.page {
		some := keys[from:min(from+s.conf.page, len(keys))]
		var rows []row
		if p.key == nil {
			rows, err = s.byID(ctx, p, some)
		} else {
			rows, err = s.byKey(ctx, p, some)
		}
		if err != nil {
			return nil, about(err, r.Stream)
		}
		for i := range rows {
			if f := rows[i].change.Fault; f != nil {
				return nil, f
			}
			if rows[i].change.Op == lockstep.Upsert {
				out = append(out, rows[i].change.Record)
			}
		}
	}
	return out, nil
}

// byID reads objects by id. A key that is no id is that of no object.
func (s *System) byID(ctx context.Context, p *plan, keys []lockstep.Key) ([]row, error) {
	var ids []string
	for _, k := range keys {
		if isID(string(k)) && k != "0" {
			ids = append(ids, string(k))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	got, err := s.whole(ctx, p, "fetch", listing{ids: ids})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range got.rows {
		seen[got.rows[i].id] = true
	}
	var missing []string
	for _, id := range ids {
		if !seen[id] {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return got.rows, nil
	}
	there, err := s.confirm(ctx, p, missing)
	if err != nil || len(there) == 0 {
		return got.rows, err
	}
	late, err := s.late(ctx, p, there)
	return append(got.rows, late...), err
}

// confirm gets each of the objects that a listing did not show, and gives those that are there.
func (s *System) confirm(ctx context.Context, p *plan, ids []string) ([]string, error) {
	var q strings.Builder
	asked := map[string]string{}
	q.WriteString("{")
	for i, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err != nil || n > math.MaxInt32 {
			continue // GraphQL's Int does not reach it, nor does Pimcore
		}
		alias := "g" + strconv.Itoa(i)
		asked[alias] = id
		fmt.Fprintf(&q, "%s:get%s(id:%s){id}\n", alias, upper(p.class.name), id)
	}
	q.WriteString("}")
	if len(asked) == 0 {
		return nil, nil
	}
	d := document{name: "is it there", query: q.String()}
	a, err := s.client.post(ctx, d)
	if err != nil {
		return nil, err
	}
	denied := ""
	for _, e := range a.errors {
		id, known := asked[e.root()]
		switch {
		case known && e.isMissing():
			delete(asked, e.root())
		case known && e.isDenied():
			denied = id
		default:
			return nil, s.checked(graphFault(d, a.errors))
		}
	}
	if denied != "" {
		return nil, s.denied(ctx, p, denied)
	}
	var there []string
	c := &cursor{text: a.data}
	err = c.members(func(alias string) error {
		id, waits := asked[alias]
		if waits && c.space() == '{' {
			there = append(there, id)
			delete(asked, alias)
		}
		return c.skip()
	})
	if err != nil || len(asked) > 0 { // neither there, nor said to be missing
		return nil, lockstep.Faultf(lockstep.CodeServer, "half an answer").On(lockstep.About{Request: d.name})
	}
	return there, nil
}

// denied is the fault of an object that may not be shown. That is not gone: it is parked by itself, or, where nothing
// of the class can be seen any more, stops the flow.
func (s *System) denied(ctx context.Context, p *plan, id string) error {
	got, err := s.page(ctx, p.light(), "what can be seen", listing{order: []string{idField}, first: 1, total: true})
	if err != nil {
		return err
	}
	if len(got.rows) == 0 {
		f := lockstep.Faultf(lockstep.CodeRights, "permission denied: nothing of class %s can be seen", p.class.name)
		f.Next = "Check the workspaces of the endpoint's DataHub configuration, then start the flow again."
		return f
	}
	f := lockstep.Faultf(lockstep.CodeHidden, "permission denied: the endpoint's workspaces do not cover this object").On(lockstep.About{Key: lockstep.Key(id)})
	f.Next = "Let the endpoint's workspaces cover the object, or take it out of the sync; `lockstep parked retry` then reads it again."
	return f
}

// late reads objects that a listing did not show and that are there all the same: created in between, or variants
// where those do not belong to the stream.
func (s *System) late(ctx context.Context, p *plan, ids []string) ([]row, error) {
	got, err := s.whole(ctx, p, "fetch", listing{ids: ids})
	if err != nil || len(got.rows) == len(ids) {
		return got.rowsOrNone(), err
	}
	shown := map[string]bool{}
	for i := range got.rows {
		shown[got.rows[i].id] = true
	}
	any := *p.light()
	plain := *any.class
	plain.conf.variants = true
	any.class = &plain
	others, err := s.list(ctx, &any, "fetch", listing{ids: ids})
	if err != nil {
		return nil, err
	}
	for i := range others.rows {
		shown[others.rows[i].id] = true
	}
	for _, id := range ids {
		if !shown[id] {
			return nil, lockstep.Faultf(lockstep.CodeHidden, "the object is there, and no listing shows it").On(lockstep.About{Key: lockstep.Key(id)})
		}
	}
	return got.rows, nil
}

func (l *listed) rowsOrNone() []row {
	if l == nil {
		return nil
	}
	return l.rows
}

// byKey reads objects by another field than the id. Nothing but a listing can tell that one is gone: where it counts
// more objects than it shows, nobody can say whose they are.
func (s *System) byKey(ctx context.Context, p *plan, keys []lockstep.Key) ([]row, error) {
	column := p.key.path.steps[0].name
	var any []condition
	wanted := map[lockstep.Key]bool{}
	for _, k := range keys {
		if k != "" && !wanted[k] {
			wanted[k] = true
			any = append(any, compare(column, equal, string(k)))
		}
	}
	if len(any) == 0 {
		return nil, nil
	}
	got, err := s.whole(ctx, p, "fetch", listing{where: oneOf(any...), order: []string{idField}, total: true})
	if err != nil {
		return nil, err
	}
	var rows []row
	for i := range got.rows {
		if wanted[got.rows[i].change.Record.Key] { // the database folds letters, keys do not
			rows = append(rows, got.rows[i])
			delete(wanted, got.rows[i].change.Record.Key)
		}
	}
	if len(wanted) > 0 && got.total > len(got.rows) {
		return nil, lockstep.Faultf(lockstep.CodeHidden, "the endpoint finds %d objects and shows %d: the rest may not be seen", got.total, len(got.rows))
	}
	return rows, nil
}
