package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logState is how the server and what we made in it stand.
type logState struct {
	level    string // wal_level
	system   string
	standby  bool
	right    bool // the user may use replication
	user     string
	free     int // slots
	slot     bool
	plugin   string
	here     bool   // the slot is of this database
	lost     bool   // the server gave its log away
	status   string // wal_status
	flushed  wal.LSN
	active   string // the process that reads the slot, "" for none
	kept     int64  // bytes of log that it holds
	most     string // max_slot_wal_keep_size
	public   bool   // the publication is there
	complete bool   // and publishes everything
	member   string // the table is in it: the number of that entry
	end      wal.LSN
	now      time.Time
}

// endSQL is where the log ends.
const endSQL = `CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END`

// logStateSQL asks for columns that older servers lack by their names in JSON.
const logStateSQL = `SELECT current_setting('wal_level'), (SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery(),
	(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user,
	current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
	s.slot_name IS NOT NULL, coalesce(s.plugin, ''), coalesce(s.database = current_database(), false),
	coalesce(to_jsonb(s)->>'wal_status' = 'lost' OR to_jsonb(s)->>'conflicting' = 'true' OR to_jsonb(s)->>'invalidation_reason' IS NOT NULL, false)
		OR s.slot_name IS NOT NULL AND s.restart_lsn IS NULL,
	coalesce(to_jsonb(s)->>'wal_status', ''), coalesce(s.confirmed_flush_lsn, '0/0'), coalesce(s.active_pid::text, ''),
	coalesce((` + endSQL + ` - s.restart_lsn)::bigint, 0), coalesce(current_setting('max_slot_wal_keep_size', true), ''),
	p.oid IS NOT NULL, coalesce(p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, false), coalesce(m.oid::text, ''),
	` + endSQL + `, clock_timestamp()
FROM (SELECT 1) one LEFT JOIN pg_replication_slots s ON s.slot_name = $1
	LEFT JOIN pg_publication p ON p.pubname = $1 LEFT JOIN pg_publication_rel m ON m.prpubid = p.oid AND m.prrelid = $2::oid`

func (c link) logState(ctx context.Context, slot string, table uint32) (logState, error) {
	row, err := c.one(ctx, logStateSQL, slot, strconv.FormatUint(uint64(table), 10))
	if err != nil {
		return logState{}, err
	}
	yes := func(i int) bool { return row[i] == "t" }
	s := logState{
		level: row[0], system: row[1], standby: yes(2), right: yes(3), user: row[4], slot: yes(6), plugin: row[7], here: yes(8), lost: yes(9),
		status: row[10], active: row[12], most: row[14], public: yes(15), complete: yes(16), member: row[17],
	}
	s.free, _ = strconv.Atoi(row[5])
	s.kept, _ = strconv.ParseInt(row[13], 10, 64)
	if s.flushed, err = wal.ParseLSN(row[11]); err != nil {
		return s, err
	}
	if s.end, err = wal.ParseLSN(row[18]); err != nil {
		return s, err
	}
	s.now, err = instant(row[19])
	return s, err
}

// installed says what is missing for reading.
func (s logState) installed(t *sqlkit.Table, name string) error {
	switch {
	case s.level != "logical":
		return levelFault(s)
	case !s.slot:
		return lockstep.Faultf(lockstep.CodeNotTracked, "there is no replication slot %s", name)
	case s.plugin != "pgoutput" || !s.here:
		return lockstep.Faultf(lockstep.CodeCannot, "the replication slot %s is not ours: it has the plugin %s, or is of another database", name, s.plugin)
	case !s.public:
		return lockstep.Faultf(lockstep.CodeNotTracked, "there is no publication %s", name)
	case s.member == "":
		return lockstep.Faultf(lockstep.CodeNotTracked, "the table %s is not in the publication %s: it was made anew, or taken out", t.SQL, name)
	case !s.complete:
		return lockstep.Faultf(lockstep.CodeNotTracked, "the publication %s does not publish all of insert, update, delete and truncate", name)
	}
	return nil
}

func levelFault(s logState) error {
	f := lockstep.Faultf(lockstep.CodeCannot, "the server writes no log that can be decoded: its wal_level is %s", s.level)
	f.Next = "Run ALTER SYSTEM SET wal_level = 'logical' as a superuser, restart the server, then run `lockstep track install FLOW`."
	return f
}

func rightsFault(s logState) error {
	f := lockstep.Faultf(lockstep.CodeRights, "the user %s may not use replication", s.user)
	f.Next = "Run ALTER ROLE " + sqlkit.Quote(s.user) + " REPLICATION as a superuser, then start the flow again."
	return f
}
