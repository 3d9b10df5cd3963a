package binlog

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/google/uuid"
)

// follower makes items of events: it knows where in the log and in a transaction it is, and passes over the rows of
// other tables without looking at them.
type follower struct {
	flavor Flavor
	table  table
	fold   bool // the server compares names of tables without regard to case
	push   func(item) bool
	check  identity

	parser *replication.BinlogParser
	sums   bool // events end with a checksum
	file   string
	born   int64
	ours   map[uint64]*tableMap // by the number that rows name; nil: another table
	tx     transaction
}

// transaction is the one that is being read.
type transaction struct {
	open    bool
	id      gtid
	named   bool
	single  bool // ends with its first statement
	begun   bool // ends with a commit
	dirty   bool
	xa      string
	settled string
	commits bool
}

func newFollower(flavor Flavor, t table, fold bool, check identity) *follower {
	p := replication.NewBinlogParser()
	p.SetFlavor(string(flavor))
	return &follower{flavor: flavor, table: t, fold: fold, check: check, parser: p, ours: map[uint64]*tableMap{}}
}

// event takes the next one. An error ends the stream.
func (f *follower) event(event []byte) error {
	h, err := readHeader(event)
	if err != nil {
		return unreadable(err)
	}
	body := event[headerSize:]
	if op, version, compressed, ok := rowKind(h.kind); ok {
		return f.rows(h, f.bare(body), op, version, compressed)
	}
	switch h.kind {
	case replication.ROTATE_EVENT, replication.FORMAT_DESCRIPTION_EVENT:
		return f.fileEvent(h, event)
	case replication.MARIADB_GTID_LIST_EVENT:
		return f.check.list(f.bare(body))
	case replication.MARIADB_GTID_EVENT, replication.GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.ANONYMOUS_GTID_EVENT:
		return f.begin(h, event, f.bare(body))
	case replication.TABLE_MAP_EVENT:
		return f.map_(event, f.bare(body))
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		return f.query(h, f.bare(body))
	case replication.XID_EVENT, replication.XA_PREPARE_LOG_EVENT:
		return f.end(h)
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return f.load(h, f.bare(body))
	case replication.TRANSACTION_PAYLOAD_EVENT:
		return f.payload(h, f.bare(body))
	case replication.INCIDENT_EVENT:
		return f.give(item{kind: lostItem, err: lost("the server says that events are missing in its log")})
	}
	if !harmless(h) {
		return f.give(item{kind: lostItem, err: lost("the log has an event of kind %d, which is not read: it may hold rows", h.kind)})
	}
	return nil
}

// harmless are the kinds of events that never hold rows, and those that the server itself says may be passed over.
func harmless(h header) bool {
	switch h.kind {
	case replication.UNKNOWN_EVENT, replication.STOP_EVENT, replication.INTVAR_EVENT, replication.RAND_EVENT, replication.USER_VAR_EVENT,
		replication.BEGIN_LOAD_QUERY_EVENT, replication.APPEND_BLOCK_EVENT, replication.DELETE_FILE_EVENT, replication.HEARTBEAT_EVENT,
		replication.HEARTBEAT_LOG_EVENT_V2, replication.IGNORABLE_EVENT, replication.ROWS_QUERY_EVENT, replication.PREVIOUS_GTIDS_EVENT,
		replication.TRANSACTION_CONTEXT_EVENT, replication.VIEW_CHANGE_EVENT, replication.MARIADB_ANNOTATE_ROWS_EVENT,
		replication.MARIADB_BINLOG_CHECKPOINT_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		return true
	}
	return h.ignorable
}

func unreadable(err error) error { return lost("the log cannot be read on: %w", err) }

func (f *follower) give(it item) error {
	if !f.push(it) {
		return errClosed
	}
	return nil
}

// bare is an event's body without the checksum behind it.
func (f *follower) bare(body []byte) []byte {
	if f.sums && len(body) >= replication.BinlogChecksumLength {
		return body[:len(body)-replication.BinlogChecksumLength]
	}
	return body
}

// fileEvent keeps track of the file: its name, and when it was begun.
func (f *follower) fileEvent(h header, event []byte) error {
	e, err := parse(f.parser, event)
	if err != nil {
		return unreadable(err)
	}
	switch e := e.(type) {
	case *replication.RotateEvent:
		f.file = string(e.NextLogName)
	case *replication.FormatDescriptionEvent:
		f.born = int64(h.at)
		f.sums = e.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32
		if err := f.check.file(f.file, f.born); err != nil {
			return err
		}
		return f.give(item{kind: endItem, file: f.file, born: f.born})
	}
	return nil
}

func (f *follower) begin(h header, event, body []byte) error {
	f.tx = transaction{open: true}
	f.check.done = true
	clear(f.ours)
	if h.kind == replication.ANONYMOUS_GTID_EVENT {
		return nil
	}
	e, err := parse(f.parser, event)
	if err != nil {
		return unreadable(err)
	}
	f.tx.named = true
	switch e := e.(type) {
	case *replication.MariadbGTIDEvent:
		f.tx.id = gtid{domain: e.GTID.DomainID, server: e.GTID.ServerID, seq: e.GTID.SequenceNumber}
		f.tx.single = e.IsStandalone()
		f.tx.begun = !f.tx.single
		f.tx.xa, err = preparedXA(e.Flags, body)
	case *replication.GTIDEvent:
		f.tx.id, err = mysqlID(e)
	case *replication.GtidTaggedLogEvent:
		f.tx.id, err = mysqlID(&e.GTIDEvent)
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

func mysqlID(e *replication.GTIDEvent) (gtid, error) {
	source, err := uuid.FromBytes(e.SID)
	if err != nil || e.GNO <= 0 {
		return gtid{}, errEvent
	}
	return gtid{source: source, tag: e.Tag, seq: uint64(e.GNO)}, nil
}

// preparedXA is the name of the XA transaction that MariaDB's transaction prepares: as a statement would write it.
func preparedXA(flags byte, body []byte) (string, error) {
	const grouped, prepared = 2, 64
	if flags&prepared == 0 {
		return "", nil
	}
	r := reader{b: body}
	r.skip(13)
	if flags&grouped != 0 {
		r.skip(8)
	}
	format := r.uint(4)
	global, branch := int(r.uint(1)), int(r.uint(1))
	a, b := r.take(global), r.take(branch)
	return fmt.Sprintf("x'%s',x'%s',%d", hex.EncodeToString(a), hex.EncodeToString(b), format), r.err
}

// map_ notes whose rows a number stands for in this transaction.
func (f *follower) map_(event, body []byte) error {
	id, schema, name, err := tableName(body)
	if err != nil {
		return unreadable(err)
	}
	same := string(schema) == f.table.schema && string(name) == f.table.name ||
		f.fold && strings.EqualFold(string(schema), f.table.schema) && strings.EqualFold(string(name), f.table.name)
	if !same {
		f.ours[id] = nil
		return nil
	}
	if known := f.ours[id]; known != nil && known.signature == string(body[6:]) {
		return nil
	}
	e, err := parse(f.parser, event)
	m, ok := e.(*replication.TableMapEvent)
	if err != nil || !ok {
		return unreadable(errEvent)
	}
	f.ours[id] = &tableMap{m, string(body[6:])}
	return nil
}

func (f *follower) rows(h header, body []byte, op rowOp, version int, compressed bool) error {
	head, err := readRowsHead(body, op, version)
	if err != nil {
		return unreadable(err)
	}
	m, known := f.ours[head.table]
	const dummy = 0xffffff // "the end of the statement, and no rows"
	if m == nil {
		if !known && head.table != dummy {
			return unreadable(errEvent)
		}
		return nil
	}
	if compressed {
		if head.body, err = inflate(head.body); err != nil {
			return unreadable(err)
		}
	}
	f.tx.dirty = true
	if f.tx.xa != "" { // they count when it is committed, if it is
		return nil
	}
	return f.give(item{kind: rowsItem, at: h.at, table: m, op: op, head: head})
}

// inflate takes MariaDB's compression off: a byte with the length of the size, the size, and a zlib stream.
func inflate(b []byte) ([]byte, error) {
	r := reader{b: b}
	size := r.bigUint(int(r.uint(1) & 7))
	if r.err != nil || size > maxEvent {
		return nil, errEvent
	}
	z, err := zlib.NewReader(bytes.NewReader(r.b))
	if err != nil {
		return nil, errEvent
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(size)))
	if err != nil || uint64(len(out)) != size {
		return nil, errEvent
	}
	return out, nil
}

// maxEvent is the most that a server can send in one packet.
const maxEvent = 1 << 30

// query takes a statement: of a transaction's frame, or one that changes tables.
func (f *follower) query(h header, body []byte) error {
	schema, statement, err := readStatement(body, h.kind == replication.MARIADB_QUERY_COMPRESSED_EVENT)
	if err != nil {
		return unreadable(err)
	}
	w := words{text: statement}
	switch w.keyword() {
	case "BEGIN", "START":
		f.tx.open, f.tx.begun = true, true
		return nil
	case "COMMIT":
		return f.end(h)
	case "ROLLBACK":
		return f.rollback(h, w.keyword() == "TO")
	case "SAVEPOINT", "RELEASE":
		return nil
	case "XA":
		return f.xa(h, &w)
	}
	if err := f.statement(h, statement, schema); err != nil {
		return err
	}
	if !f.tx.begun {
		return f.end(h)
	}
	return nil
}

func (f *follower) statement(h header, statement, schema string) error {
	switch f.table.effect(statement, schema) {
	case altered:
		return f.give(item{kind: alteredItem, at: h.at})
	case replaced:
		w := words{text: statement}
		return f.give(item{kind: lostItem, err: lost("a statement that no row events stand for changed table %s.%s: %s", f.table.schema, f.table.name, w.keyword())})
	}
	return nil
}

// rollback is in the log only where a transaction also wrote to tables that cannot roll back. What of it was ours may
// have been delivered already.
func (f *follower) rollback(h header, partly bool) error {
	if f.tx.dirty {
		err := lost("a transaction that changed table %s.%s was rolled back in the log", f.table.schema, f.table.name)
		if err := f.give(item{kind: lostItem, err: err}); err != nil {
			return err
		}
	}
	if partly {
		return nil
	}
	return f.end(h)
}

// xa takes a statement of an XA transaction: its name is all that stands behind the verb.
func (f *follower) xa(h header, w *words) error {
	verb := w.keyword()
	name := strings.ToLower(strings.Join(strings.Fields(w.text), ""))
	switch verb {
	case "START", "BEGIN":
		f.tx.open, f.tx.begun, f.tx.xa = true, true, name
	case "COMMIT", "ROLLBACK":
		f.tx.settled, f.tx.commits = name, verb == "COMMIT"
		return f.end(h)
	}
	return nil
}

// load is a file that was loaded by a statement. Its text is at the end.
func (f *follower) load(h header, body []byte) error {
	if bytes.Contains(bytes.ToLower(body), []byte(strings.ToLower(f.table.name))) {
		return f.give(item{kind: lostItem, err: lost("table %s.%s was loaded by a statement that no row events stand for", f.table.schema, f.table.name)})
	}
	if f.tx.single || !f.tx.begun {
		return f.end(h)
	}
	return nil
}

// end is where a transaction is whole.
func (f *follower) end(h header) error {
	tx := f.tx
	f.tx = transaction{}
	return f.give(item{
		kind: endItem, at: h.at, id: tx.id, named: tx.named, file: f.file, born: f.born, offset: uint64(h.next),
		dirty: tx.dirty, xa: tx.xa, settled: tx.settled, commits: tx.commits,
	})
}
