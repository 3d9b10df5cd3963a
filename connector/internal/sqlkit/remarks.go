package sqlkit

import (
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Remarks collects the findings of an examination, with the words that all SQL systems share.
type Remarks struct{ Findings []lockstep.Finding }

// Say adds a finding.
func (r *Remarks) Say(level, what, next string) {
	r.Findings = append(r.Findings, lockstep.Finding{Level: level, What: what, Next: next})
}

// Clock compares the system's clock with ours.
func (r *Remarks) Clock(theirs, ours time.Time) {
	off := theirs.Sub(ours).Round(time.Millisecond)
	switch {
	case off.Abs() > 30*time.Second:
		r.Say("warning", fmt.Sprintf("its clock is %s off ours", off), "Synchronise both clocks (NTP).")
	case off.Abs() > time.Second:
		r.Say("note", fmt.Sprintf("its clock is %s off ours", off), "")
	default:
		r.Say("ok", "its clock agrees with ours", "")
	}
}

// Unseen says what a timestamp tracker cannot see by its nature.
func (r *Remarks) Unseen(p *Plan, field *Column) {
	r.deletes(p)
	r.Say("note", field.Name+" must be set by every write, by the database at best: a write that leaves it as it was is not seen until the next full sync",
		"Where applications set it by clocks of their own, set `overlap:` above the most that these clocks differ.")
}

func (r *Remarks) deletes(p *Plan) {
	if p.Deleted == nil {
		r.Say("note", "deletes are not seen between sweeps and full syncs: the stream has no soft-delete field", "Name one with `deleted:`, or set `sweep:` under `track:` as often as deletes matter.")
	}
}

// UnseenNumbers says what a version tracker cannot see by its nature.
func (r *Remarks) UnseenNumbers(p *Plan, field *Column) {
	r.deletes(p)
	r.Say("note", field.Name+" must get a number above all that were given before with every write, in the transaction of the write, and no number twice: a write that leaves it as it was is not seen until the next full sync",
		"Draw it from a sequence, by a trigger at best. `max + 1` gives a number again once its row was deleted.")
	if field.Nullable {
		r.Say("note", "rows without a number in "+field.Name+" are seen by full syncs only", "Make it NOT NULL.")
	}
}

// UnseenMarks says what a flag tracker cannot see by its nature; installed: our trigger sets the mark.
func (r *Remarks) UnseenMarks(p *Plan, field *Column, installed bool) {
	r.deletes(p)
	if installed {
		r.Say("ok", "a trigger sets "+field.Name+" with every insert and update that changes more than times of changes", "")
	} else {
		r.Say("note", field.Name+" must be set by the application with every insert and update: a write that does not is not seen until the next full sync",
			"Run `lockstep track install FLOW` for a trigger that sets it.")
	}
	if field.Nullable {
		r.Say("note", field.Name+" may be null: such rows count as not marked", "")
	}
	r.Say("note", "one feed takes the marks away: another program, or a second lockstep, that reads "+field.Name+" as well would miss changes", "")
}

// Installed says whether what a trigger tracker needs is there; missing is why not.
func (r *Remarks) Installed(missing *lockstep.Fault) {
	if missing == nil {
		r.Say("ok", "the change table and its triggers are there", "")
		return
	}
	r.Say("error", missing.Err.Error(), missing.Next)
}

// Nulls says that some rows have no time.
func (r *Remarks) Nulls(field *Column) {
	r.Say("warning", "some rows have no "+field.Name+": their changes are seen by full syncs only", "Fill the field, and make it NOT NULL.")
}

// Future says that some times lie ahead.
func (r *Remarks) Future(field *Column) {
	r.Say("warning", "some times in "+field.Name+" lie in the future: these rows are read again with every poll", "Correct them, or the clock or zone of what writes them.")
}

// Precision says that times are coarse.
func (r *Remarks) Precision(field *Column) {
	step := field.Type.Unit
	if field.Type.Kind == value.DateType {
		step = 24 * time.Hour
	}
	if step > time.Second {
		r.Say("warning", fmt.Sprintf("%s tells times apart by %s only: every poll reads all changes since the last such step again", field.Name, step), "")
	}
}
