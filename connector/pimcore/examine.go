package pimcore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Examine says what doctor should know of a class: what the endpoint shows of it, and what a tracker cannot see.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	s.forget()
	known, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	c, err := known.class(r.Stream)
	if err != nil {
		return nil, err
	}
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	var out findings
	out.offered(c, known)
	if err := s.examineObjects(ctx, p, &out); err != nil {
		return nil, about(err, r.Stream)
	}
	s.examineRelations(known, c, &out)
	switch r.Track.By {
	case lockstep.Timestamp:
		out.polling(c)
	case lockstep.Trigger:
		if err := s.examineOutbox(ctx, p, r, &out); err != nil {
			return nil, about(err, r.Stream)
		}
	}
	return out, nil
}

type findings []lockstep.Finding

func (f *findings) add(level, next, what string, args ...any) {
	*f = append(*f, lockstep.Finding{Level: level, What: fmt.Sprintf(what, args...), Next: next})
}

// offered are remarks on the endpoint's schema.
func (f *findings) offered(c *class, known *schema) {
	if known.types.offline {
		f.add("note", "", "the endpoint does not allow introspection: the fields of %s are those of `classes.%s.fields`", c.name, c.name)
		return
	}
	for _, column := range []string{"key", "fullpath", publishedPath} {
		if c.field(column) != nil {
			continue
		}
		level := "note"
		if column == publishedPath {
			level = "warning"
		}
		f.add(level, "Add the system column to the class in the endpoint's DataHub configuration.", "the endpoint does not show the column %q of %s", column, c.name)
	}
}

// examineObjects counts the objects, compares clocks and looks for objects that are there and not shown.
func (s *System) examineObjects(ctx context.Context, p *plan, f *findings) error {
	light := *p.light()
	plain := *p.class
	plain.conf.variants = true
	light.class = &plain
	began := time.Now()
	all, err := s.list(ctx, &light, "doctor", listing{order: []string{idField}, first: s.conf.page, total: true})
	if err != nil {
		return err
	}
	variants, err := s.list(ctx, &light, "doctor", listing{where: compare("type", equal, "variant"), order: []string{idField}, first: 1, total: true})
	if err != nil {
		return err
	}
	switch {
	case all.total > 0 && len(all.rows) == 0:
		f.add("error", "Give the API key's endpoint read rights on the folders of the class (workspaces).", "none of the %d objects of %s may be seen", all.total, p.class.name)
	case len(all.rows) < min(all.total, s.conf.page):
		f.add("warning", "Let the endpoint's workspaces cover all folders of the class, or none of those that you leave out.",
			"%d of the first %d objects of %s may not be seen", min(all.total, s.conf.page)-len(all.rows), min(all.total, s.conf.page), p.class.name)
	default:
		f.add("ok", "", "%d objects of %s", all.total, p.class.name)
	}
	if variants.total > 0 {
		read := "are read, too"
		if !p.class.conf.variants {
			read = "are left out (`variants: false`)"
		}
		f.add("note", "", "%d of them are variants, which %s", variants.total, read)
	}
	if all.clock.IsZero() {
		f.add("note", "", "the endpoint does not tell its clock (no Date in its answers): ours is taken")
		return nil
	}
	if off := all.clock.Sub(began).Round(time.Second); off.Abs() > 10*time.Second {
		f.add("note", "", "the endpoint's clock is off ours by %s; its own is what counts", off)
	}
	return nil
}

// examineRelations says what may hide behind the class's relations.
func (s *System) examineRelations(known *schema, c *class, f *findings) {
	var names, blind []string
	for _, field := range c.fields {
		if field.relation == nil || len(field.path.steps) != 1 {
			continue
		}
		names = append(names, field.name)
		if ok, asked := known.filterable.Load(c.name + "/" + field.relation.name + "/" + field.relation.lang); asked && !ok.(bool) {
			blind = append(blind, field.name)
		}
	}
	if len(names) == 0 {
		return
	}
	what := map[string]string{keepHidden: "the target keeps what it has", parkHidden: "the record is parked (LS-HIDDEN)", clearHidden: "it counts as it reads: empty"}
	f.add("note", "", "the relations %s do not show ends that are unpublished or outside the endpoint's workspaces; where one hides, %s (`relations: %s`)",
		strings.Join(names, ", "), what[c.conf.relations], c.conf.relations)
	if len(blind) > 0 && c.conf.relations != clearHidden {
		f.add("warning", "", "the endpoint does not filter by %s: what hides behind them cannot be told from what is empty", strings.Join(blind, ", "))
	}
}

// polling says what a date does not show.
func (f *findings) polling(c *class) {
	next := "Set `sweep` on the tracker, or use notices (`hook`), or detect by SQL (`dsn`, track by trigger)."
	for _, what := range []string{
		"deletes: there is no tombstone",
		"moves and renames of folders above an object: its path changes, its date does not",
		"values that an object inherits: only the parent's date changes",
		"changes of what it refers to: a related object that is renamed, unpublished or deleted, an asset that is replaced",
		"saves by code that sets the date itself, or none (imports, SQL); saves that take longer than the overlap (" + strconv.Itoa(int(defaultOverlap.Seconds())) + " s unless set)",
	} {
		f.add("warning", next, "modificationDate of %s does not show %s", c.name, what)
		next = ""
	}
}
