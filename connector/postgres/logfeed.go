package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logFeed reads one slot. A stream runs on between pages; a position that is neither where it stands nor where the last
// page began makes it start anew.
type logFeed struct {
	sys  *System
	name string // of slot and publication

	mu     sync.Mutex // of all below
	stream *wal.Stream
	logReading
	before  logReading    // as it was when the last page began
	taken   []wal.Message // what the last page was made of
	again   []wal.Message // messages to be read before those of the stream
	fill    wal.LSN       // pages before it are read full: they may have been read before
	acked   wal.LSN
	decoder *decoder
	remake  bool // the slot cannot be read from where it stands
}

// logReading is how far the messages have been understood.
type logReading struct {
	at       logPlace // behind what was delivered
	inside   bool     // a transaction
	past     bool     // which is passed over
	xid      uint32
	commit   wal.LSN
	when     time.Time // of the commit, of this transaction or the last
	rows     int       // of it, so far
	relation *logRelation
}

func (s *System) logFeed(r lockstep.Read) *logFeed {
	name := s.logName(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.logs[name]
	if f == nil {
		f = &logFeed{sys: s, name: name}
		if s.logs == nil {
			s.logs = map[string]*logFeed{}
		}
		s.logs[name] = f
	}
	return f
}

// closeLogs ends the streams.
func (s *System) closeLogs() {
	s.mu.Lock()
	logs := s.logs
	s.logs = nil
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, f := range logs {
		wg.Go(f.close)
	}
	wg.Wait()
}

func (f *logFeed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
}

// closed tells whether Close has begun: no stream may start any more.
func (s *System) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors == nil
}

// stop ends the stream; the server has let go of the slot then.
func (f *logFeed) stop() {
	if f.stream != nil {
		f.stream.Close()
	}
	f.stream, f.taken, f.again, f.logReading, f.before = nil, nil, nil, logReading{}, logReading{}
}

func (s *System) logChanges(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	f := s.logFeed(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if from == nil {
		return f.now(ctx, r)
	}
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	at, err := readLogPlace(from)
	if err != nil {
		return lockstep.Page{}, err
	}
	switch {
	case f.stream != nil && at == f.at: // on
	case f.stream != nil && at == f.before.at:
		f.again, f.logReading = append(f.taken, f.again...), f.before
	default:
		if err := f.start(ctx, r, at); err != nil {
			return lockstep.Page{}, err
		}
	}
	f.before, f.taken = f.logReading, nil
	page, err := f.page(ctx, r, p, l)
	if err == errUnseen { // what was taken for the page is read again
		f.again, f.logReading, f.taken = append(f.taken, f.again...), f.before, nil
		return lockstep.Page{Next: from}, nil
	}
	if err != nil {
		f.stop() // nobody may come again for long, and a stream that nobody reads keeps the server from shutting down
		return lockstep.Page{}, f.classify(err)
	}
	page.Next = f.at.position()
	return page, nil
}

// nowSQL is, behind a snapshot, a place in the log that lies behind all that the snapshot shows.
const nowSQL = `, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, clock_timestamp()`

// now is where the log is now. A slot that lost its place is made anew: a full sync follows.
func (f *logFeed) now(ctx context.Context, r lockstep.Read) (lockstep.Page, error) {
	f.stop()
	t, err := f.sys.table(ctx, r.Stream)
	if err != nil {
		return lockstep.Page{}, err
	}
	conn, err := f.sys.acquire(ctx, f.sys.writer)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer conn.release()
	state, err := conn.logState(ctx, f.name, t.Info.(tableInfo).oid)
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := state.installed(t, f.name); err != nil {
		return lockstep.Page{}, err
	}
	if state.active != "" {
		return lockstep.Page{}, f.inUse(state.active)
	}
	if state.lost || f.remake {
		if err := conn.remakeSlot(ctx, f.name); err != nil {
			return lockstep.Page{}, err
		}
		f.remake, f.acked = false, 0
		if state, err = conn.logState(ctx, f.name, t.Info.(tableInfo).oid); err != nil {
			return lockstep.Page{}, err
		}
	}
	row, err := conn.one(ctx, "SELECT "+conn.snapshotFunction()+nowSQL)
	if err != nil {
		return lockstep.Page{}, err
	}
	at := logPlace{System: state.system, Member: state.member, LSN: state.flushed, Snapshot: row[0]}
	if at.Until, err = wal.ParseLSN(row[1]); err != nil {
		return lockstep.Page{}, err
	}
	upTo, err := instant(row[2])
	return lockstep.Page{Next: at.position(), UpTo: upTo}, err
}

// snapshotFunction is pg_current_snapshot, or its older name.
func (c link) snapshotFunction() string {
	if n, _ := strconv.Atoi(strings.SplitN(c.pg.ParameterStatus("server_version"), ".", 2)[0]); n > 0 && n < 13 {
		return "txid_current_snapshot()::text"
	}
	return "pg_current_snapshot()::text"
}

func (c link) remakeSlot(ctx context.Context, name string) error {
	if _, err := c.one(ctx, "SELECT pg_drop_replication_slot($1)", name); err != nil {
		return err
	}
	_, err := c.one(ctx, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
	return err
}

func (f *logFeed) inUse(process string) error {
	fault := lockstep.Faultf(lockstep.CodeDeadlock, "the replication slot %s is read by the server process %s for somebody else", f.name, process)
	fault.Next = "Nothing to do if a lockstep has just ended; otherwise two read one slot: give one of them another `track: {name: …}`."
	return fault
}

// start begins a stream at a place.
func (f *logFeed) start(ctx context.Context, r lockstep.Read, at logPlace) error {
	f.stop()
	t, err := f.sys.table(ctx, r.Stream)
	if err != nil {
		return err
	}
	conn, err := f.sys.acquire(ctx, f.sys.reader)
	if err != nil {
		return err
	}
	state, err := conn.logState(ctx, f.name, t.Info.(tableInfo).oid)
	conn.release()
	if err != nil {
		return err
	}
	if err := f.reachable(state, t, at); err != nil {
		return err
	}
	if state.active != "" {
		return f.inUse(state.active)
	}
	f.fill = state.end
	if f.acked < state.flushed || f.acked > at.LSN {
		f.acked = state.flushed
	}
	f.logReading = logReading{at: at}
	return f.connect(ctx, at.LSN)
}

// reachable says where a position cannot be read on from, and what is missing. What is made again after it was missing
// has a gap, which shows then.
func (f *logFeed) reachable(s logState, t *sqlkit.Table, at logPlace) error {
	lost := func(format string, args ...any) error {
		return lockstep.Faultf(lockstep.CodePosition, format, args...)
	}
	if s.system != at.System {
		return lost("the position is one of another server")
	}
	if s.lost {
		return lost("the server gave away the log that the replication slot %s needs: it was behind by more than max_slot_wal_keep_size, or it was invalidated", f.name)
	}
	if err := s.installed(t, f.name); err != nil {
		return err
	}
	switch {
	case s.member != at.Member:
		return lost("the table left the publication %s since: it was made anew, or the publication was", f.name)
	case at.LSN < s.flushed:
		return lost("the replication slot %s stands at %s, behind the position: it was made anew, or somebody else read it", f.name, s.flushed)
	case at.LSN > s.end:
		return lost("the server's log ends at %s, before the position: it was set back", s.end)
	}
	return nil
}

// held is how much of the log may wait to be taken.
const held = 2 << 20

// connect opens a replication connection and starts the stream.
func (f *logFeed) connect(ctx context.Context, at wal.LSN) error {
	if f.sys.closed() {
		return lockstep.Faultf(lockstep.CodeUnavailable, "the system is closed")
	}
	conn, err := wal.Connect(ctx, &f.sys.reader.Config().ConnConfig.Config)
	if err != nil {
		return connectFault(err)
	}
	closing := func(err error) error {
		_ = conn.Close(context.WithoutCancel(ctx))
		return err
	}
	results, err := conn.Exec(ctx, setup+"; SET statement_timeout = 0; SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout'").ReadAll()
	if err != nil {
		return closing(err)
	}
	beat := 10 * time.Second
	if last := results[len(results)-1]; len(last.Rows) == 1 {
		if n, ok := parseInt(last.Rows[0][0]); ok && n > 0 {
			beat = min(beat, max(time.Duration(n)*time.Millisecond/3, 50*time.Millisecond))
		}
	}
	f.stream, err = wal.Start(ctx, conn, wal.Options{
		Command: fmt.Sprintf(`START_REPLICATION SLOT "%s" LOGICAL %s (proto_version '1', publication_names '"%[1]s"')`, f.name, at),
		Beat:    beat, Largest: 2*f.sys.options.MaxRecord + overhead, Held: held,
	})
	if err != nil {
		return closing(f.classify(err))
	}
	f.stream.Confirm(f.acked)
	return nil
}

// classify knows the errors of a stream that mean that it cannot go on from its place. One that cannot be understood
// lost its way on this connection: another reads the same once more, from the place that was saved.
func (f *logFeed) classify(err error) error {
	switch {
	case errors.Is(err, wal.ErrShutdown):
		return lockstep.NewFault(lockstep.CodeUnavailable, wal.ErrShutdown)
	case errors.Is(err, wal.ErrFormat):
		return lockstep.NewFault(lockstep.CodeNetwork, err)
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "42704": // the publication was not there when this was written
		f.remake = true
		return lockstep.Faultf(lockstep.CodePosition, "the publication %s was made anew behind the position", f.name)
	case "58P01", "55000":
		return lockstep.Faultf(lockstep.CodePosition, "the replication slot %s cannot be read on: %s", f.name, e.Message)
	}
	return err
}

func (s *System) logAck(r lockstep.Read, upTo lockstep.Position) error {
	at, err := readLogPlace(upTo)
	if err != nil {
		return err
	}
	f := s.logFeed(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked = max(f.acked, at.LSN)
	if f.stream != nil {
		f.stream.Confirm(f.acked)
	}
	return nil
}

// logWait returns when the stream has something. Without a stream Changes has to start one.
func (s *System) logWait(ctx context.Context, r lockstep.Read) error {
	f := s.logFeed(r)
	for {
		f.mu.Lock()
		stream, ready := f.stream, len(f.again) > 0
		f.mu.Unlock()
		if stream == nil || ready {
			return nil
		}
		ready, news := stream.Pending()
		if ready {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
