package postgres

import (
	"fmt"

	"github.com/lockstep-sync/lockstep"
)

// keptMuch is from how much held log on doctor speaks of it.
const keptMuch = 1 << 30

// log says what the log tracker needs, and what it cannot see.
func (e *examiner) log(name string) error {
	t := e.plan.Table
	s, err := e.link.logState(e.ctx, name, t.Info.(tableInfo).oid)
	if err != nil {
		return err
	}
	id, err := e.link.identity(e.ctx, t, name)
	if err != nil {
		return err
	}
	if err := id.decodable(t); err != nil {
		e.Say("error", lockstep.FaultOf(err).Err.Error(), "Use another tracker.")
		return nil
	}
	e.logServer(s)
	e.logSlot(s, name)
	if s.public && !id.covers(t) {
		e.Say("error", "old rows of "+t.SQL+" do not hold the key of the stream: its replica identity is "+id.is, "Run `lockstep track install FLOW`.")
	}
	if id.is == "FULL" {
		e.Say("note", "the replica identity of "+t.SQL+" is FULL: every update and delete writes the whole old row to the log", "")
	}
	if id.parts {
		e.Say("note", t.SQL+" is partitioned: rows that come or go by ATTACH, DETACH, or by TRUNCATE or DROP of one partition are not seen until the next full sync", "")
	}
	for _, c := range e.plan.Columns {
		if c.ReadOnly {
			e.Say("note", "the log does not hold the generated column "+c.Name+": each changed row is fetched", "")
			break
		}
	}
	if t.Where != "" {
		e.Say("note", "the stream has a `where`, which only the database can judge: each changed row is fetched", "")
	}
	return nil
}

func (e *examiner) logServer(s logState) {
	switch {
	case s.level != "logical":
		f := lockstep.FaultOf(levelFault(s))
		e.Say("error", f.Err.Error(), f.Next)
	default:
		e.Say("ok", "wal_level is logical", "")
	}
	if !s.right {
		f := lockstep.FaultOf(rightsFault(s))
		e.Say("error", f.Err.Error(), f.Next)
	}
	if !s.slot && s.free <= 0 {
		e.Say("error", "all replication slots of the server are taken", "Raise max_replication_slots and max_wal_senders and restart the server, or drop a slot that nobody reads.")
	}
}

func (e *examiner) logSlot(s logState, name string) {
	switch {
	case !s.slot || !s.public || s.member == "":
		e.Say("error", "the publication and the replication slot "+name+" are not all there", "Run `lockstep track install FLOW`.")
		return
	case s.lost:
		e.Say("error", "the server gave away the log that the replication slot "+name+" needs", "The next full sync makes the slot anew; raise max_slot_wal_keep_size if lockstep may be away for longer.")
		return
	case s.active != "":
		e.Say("note", "the server process "+s.active+" reads the replication slot "+name+": that should be the lockstep that runs", "")
	}
	level, next := "ok", ""
	if s.kept > keptMuch || s.status == "unreserved" {
		level, next = "warning", "Let lockstep run; if the flow is not used any more, run `lockstep track remove FLOW`."
	}
	e.Say(level, fmt.Sprintf("the replication slot holds back %d MiB of the server's log", s.kept>>20), next)
	if s.most == "-1" || s.most == "" {
		e.Say("note", "the slot keeps the log for as long as lockstep is away, until the server's disk is full (max_slot_wal_keep_size is not set)",
			"ALTER SYSTEM SET max_slot_wal_keep_size = '50GB' bounds it: beyond that the slot is lost and a full sync makes it good.")
	}
}
