package pimcore

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// markerOf is how the comment of an outbox begins. The number moves when what is installed does.
func markerOf(r lockstep.Read) string { return markerHead + r.Stream + ", " }

const markerHead = "lockstep outbox 1 of class "

// triggers are the triggers that fill the outbox.
func (b *outbox) triggers() []mykit.ChangeTrigger {
	objects := mykit.Quote(b.Database) + "." + objectsTable
	row := func(event string) string {
		if event == "DELETE" {
			return "OLD."
		}
		return "NEW."
	}
	var out []mykit.ChangeTrigger
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		via := objectsTable
		if event == "DELETE" {
			via = goneVia
		}
		out = append(out, mykit.ChangeTrigger{
			Name: b.Name + "_" + strings.ToLower(event[:1]), Event: event, Table: objects,
			Key: []string{row(event) + mykit.Quote(b.prefix+"id"), mykit.Literal(via)}, When: row(event) + mykit.Quote(b.prefix+"classId") + " = " + mykit.Literal(b.class),
		})
	}
	for _, w := range b.watched {
		sum := sha256.Sum256([]byte(w.table))
		for _, event := range w.events {
			id := row(event) + mykit.Quote(w.column)
			out = append(out, mykit.ChangeTrigger{
				Name: b.Name + "_" + strings.ToLower(event[:1]) + "_" + hex.EncodeToString(sum[:4]), Event: event, Table: mykit.Quote(b.Database) + "." + mykit.Quote(w.table),
				Key: []string{id, mykit.Literal(w.table)}, When: id + " IS NOT NULL",
			})
		}
	}
	return out
}

// isTriggerName tells the names of triggers of an outbox of that name.
func isTriggerName(name, of string) bool {
	rest, ok := strings.CutPrefix(name, of)
	return ok && triggerSuffix.MatchString(rest)
}

var triggerSuffix = regexp.MustCompile(`^_[iud](_[0-9a-f]{8})?$`)

// installed is the outbox of a class as it stands. That all triggers are there is looked at now and then; with each
// poll, that those of the objects' own rows are.
func (d *database) installed(ctx context.Context, conn mykit.Link, r lockstep.Read, inherits, whole bool) (*outbox, error) {
	feed := sqlkit.FeedName(r)
	d.mu.Lock()
	known, ok := d.checked[feed]
	d.mu.Unlock()
	b := known.box
	if whole || !ok || time.Since(known.at) > checkEvery {
		var err error
		if b, err = d.outboxOf(ctx, conn, r, inherits); err != nil {
			return nil, err
		}
		if err := d.check(ctx, conn, b, r, true); err != nil {
			d.forget(feed)
			return b, err
		}
		d.mu.Lock()
		d.checked[feed] = checkedOutbox{time.Now(), b}
		d.mu.Unlock()
	} else if err := d.check(ctx, conn, b, r, false); err != nil {
		d.forget(feed)
		return nil, err
	}
	now := *b
	standing, found, err := b.ChangeTable.Standing(ctx, conn)
	now.Standing = standing
	if err == nil && !found {
		err = sqlkit.NotTracked(r, "the outbox "+b.SQL()+" was emptied")
	}
	return &now, err
}

// forget makes the next look a whole one.
func (d *database) forget(feed string) {
	d.mu.Lock()
	delete(d.checked, feed)
	d.mu.Unlock()
}

// check tells whether the outbox was made for the tables as they are, and its triggers are there.
func (d *database) check(ctx context.Context, conn mykit.Link, b *outbox, r lockstep.Read, whole bool) error {
	comment, err := b.Comment(ctx, conn)
	switch {
	case err != nil:
		return err
	case comment == "-":
		return sqlkit.NotTracked(r, "there is no outbox "+b.SQL())
	case comment != b.Marker:
		return sqlkit.NotTracked(r, "the outbox "+b.SQL()+" was made for other tables: the class was made anew, or has new ones since, as for a language or a brick")
	}
	there := map[string]bool{}
	condition, args := "", []driver.Value{d.name}
	if !whole {
		condition, args = " AND EVENT_OBJECT_TABLE = ?", append(args, objectsTable)
	}
	err = conn.Rows(ctx, "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?"+condition, args, func(cells []driver.Value) error {
		there[mykit.TextOf(cells[0])+" "+mykit.TextOf(cells[1])] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range b.triggers() {
		table := t.Table[strings.LastIndex(t.Table, ".")+1:]
		table = strings.Trim(table, "`")
		if (whole || table == objectsTable) && !there[t.Name+" "+table] {
			return sqlkit.NotTracked(r, "triggers of "+t.Table+" are missing, so that changes were missed; or the user lacks the right TRIGGER on it, without which it does not see them")
		}
	}
	return nil
}

// detector is the database, where the settings name one.
func (s *System) detector(r lockstep.Read) (*database, error) {
	if s.db == nil {
		f := lockstep.Faultf(lockstep.CodeConfig, "changes are found by trigger in Pimcore's database, and the system has no dsn").On(lockstep.About{Stream: r.Stream})
		f.Next = "Set `dsn` of the system to Pimcore's database, or track by timestamp."
		return nil, f
	}
	return s.db, nil
}

// Install makes the outbox and its triggers. What is there and right stays; what is not is made anew, for changes may
// have been missed meanwhile: positions are lost then.
func (s *System) Install(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	if r.Track.By != lockstep.Trigger {
		return "", nil
	}
	d, err := s.detector(r)
	if err != nil {
		return "", err
	}
	script := ""
	err = d.with(ctx, r.Stream, func(ctx context.Context, conn mykit.Link) (err error) {
		b, err := d.installed(ctx, conn, r, s.conf.class(r.Stream).inherits, true)
		if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeNotTracked {
			return err
		}
		script, err = d.install(ctx, conn, b, r, dry)
		return err
	})
	return script, err
}

func (d *database) install(ctx context.Context, conn mykit.Link, b *outbox, r lockstep.Read, dry bool) (string, error) {
	comment, err := b.Comment(ctx, conn)
	if err != nil {
		return "", err
	}
	if comment != "-" && !strings.HasPrefix(comment, markerHead) {
		return "", lockstep.Faultf(lockstep.CodeConfig, "there is a table %s that is not ours: give the tracker another name", b.SQL())
	}
	statements, err := d.removeSQL(ctx, conn, r)
	if err != nil {
		return "", err
	}
	statements = append(statements, b.CreateSQL())
	for _, t := range b.triggers() {
		statements = append(statements, b.TriggerSQL(t))
	}
	script, err := mykit.RunScript(ctx, conn, append(statements, b.OwnRowSQL()), dry)
	if err != nil { // what could not be finished goes away
		if drop, failed := d.removeSQL(ctx, conn, r); failed == nil {
			_, _ = mykit.RunScript(ctx, conn, drop, false)
		}
	}
	return script, err
}

// Remove takes away what Install made.
func (s *System) Remove(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	if r.Track.By != lockstep.Trigger {
		return "", nil
	}
	d, err := s.detector(r)
	if err != nil {
		return "", err
	}
	script := ""
	err = d.with(ctx, r.Stream, func(ctx context.Context, conn mykit.Link) error {
		statements, err := d.removeSQL(ctx, conn, r)
		if err != nil {
			return err
		}
		if !dry {
			d.forget(sqlkit.FeedName(r))
		}
		script, err = mykit.RunScript(ctx, conn, statements, dry)
		return err
	})
	return script, err
}

// removeSQL drops what was installed for a class, whether its tables are as they were or not: triggers that go by our
// names, before the table that they write to.
func (d *database) removeSQL(ctx context.Context, conn mykit.Link, r lockstep.Read) ([]string, error) {
	table := mykit.ChangeTable{Database: d.name, Name: sqlkit.TrackName(r, boxNameLimit)}
	var names []string
	err := conn.Rows(ctx, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? AND LEFT(TRIGGER_NAME, CHAR_LENGTH(?)) = ?",
		[]driver.Value{d.name, table.Name, table.Name}, func(cells []driver.Value) error {
			if name := mykit.TextOf(cells[0]); isTriggerName(name, table.Name) {
				names = append(names, name)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var script []string
	for _, name := range names {
		script = append(script, "DROP TRIGGER "+mykit.Quote(d.name)+"."+mykit.Quote(name))
	}
	drop, err := table.DropSQL(ctx, conn, markerOf(r))
	return append(script, drop...), err
}
