package pimcore

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// examineOutbox says whether the outbox is there, what could not be installed, and what no trigger shows.
func (s *System) examineOutbox(ctx context.Context, p *plan, r lockstep.Read, f *findings) error {
	d, err := s.detector(r)
	if err != nil {
		return err
	}
	err = d.with(ctx, r.Stream, func(ctx context.Context, conn mykit.Link) error {
		b, err := d.installed(ctx, conn, r, p.class.conf.inherits, true)
		if err == nil {
			f.add("ok", "", "the outbox %s and its %d triggers on %d tables are there", b.Name, len(b.triggers()), len(b.watched)+1)
			f.standing(b)
			return nil
		}
		fault := lockstep.FaultOf(mykit.Fault(err))
		if fault.Code != lockstep.CodeNotTracked {
			return err
		}
		f.add("error", fault.Next, "%s", fault.Err)
		return d.examineRights(ctx, conn, f)
	})
	if err != nil {
		return err
	}
	f.unseen(p)
	return nil
}

// standing compares the database's clock with ours.
func (f *findings) standing(b *outbox) {
	var clock sqlkit.Remarks
	clock.Clock(b.Clock, time.Now())
	for _, one := range clock.Findings {
		f.add(one.Level, one.Next, "the database: %s", one.What)
	}
}

// examineRights says what stands in the way of an installation.
func (d *database) examineRights(ctx context.Context, conn mykit.Link, f *findings) error {
	row, err := conn.One(ctx, "SELECT CURRENT_USER(), @@GLOBAL.log_bin AND NOT @@GLOBAL.log_bin_trust_function_creators")
	if err != nil {
		return err
	}
	name, host, _ := strings.Cut(row[0], "@")
	user := mykit.Literal(name) + "@" + mykit.Literal(host)
	rights := map[string]bool{}
	err = conn.Rows(ctx, "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ? UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = ? AND ? LIKE TABLE_SCHEMA",
		[]driver.Value{user, user, d.name}, func(cells []driver.Value) error {
			rights[mykit.TextOf(cells[0])] = true
			return nil
		})
	if err != nil {
		return err
	}
	var lacks []string
	for _, right := range []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "TRIGGER"} {
		if !rights[right] {
			lacks = append(lacks, right)
		}
	}
	if len(lacks) > 0 {
		f.add("warning", "GRANT "+strings.Join(lacks, ", ")+" ON "+mykit.Quote(d.name)+".* TO "+user+", or let somebody who has them run the script of `lockstep track install FLOW --dry-run`.",
			"the user has no right %s on the whole database: the outbox may not be made", strings.Join(lacks, ", "))
	}
	if row[1] == "1" && !rights["SUPER"] && !slices.Contains(lacks, "TRIGGER") {
		f.add("warning", "SET GLOBAL log_bin_trust_function_creators = ON", "the binary log is on, and the user may make no triggers then")
	}
	return nil
}

// unseen says what the outbox does not show.
func (f *findings) unseen(p *plan) {
	c := p.class
	f.add("ok", "", "seen are saves whatever their date, edits by SQL in the class's tables, moves of folders, values that are inherited, deletes with all below; drafts are not")
	if !c.conf.inherits {
		f.add("note", "", "values that are inherited are not looked for (`classes.%s.inherits: false`)", c.name)
	}
	next := "Run full syncs (`lockstep sync --full`) as often as these matter."
	for _, what := range []string{
		"changes of what objects of %s refer to: a related object that is renamed, unpublished or deleted, an asset that is replaced",
		"new values of what Pimcore computes: calculated values, labels of options and units, the definition of %s",
	} {
		f.add("note", next, "the outbox does not show "+what, c.name)
		next = ""
	}
	if p.key != nil {
		f.add("warning", "Set `sweep` on the tracker, or let the key be id.", "deletes cannot be resolved: nobody can say which %s an object had that is gone", p.key.name)
	}
	f.add("note", "Clear Pimcore's cache after edits by SQL.", "objects are read by GraphQL: what is written by SQL alone shows once Pimcore's cache lets go of the object")
	f.add("note", "", "triggers run with the rights of the user that made them: Pimcore's saves fail once that user is dropped; `lockstep track remove` first")
}
