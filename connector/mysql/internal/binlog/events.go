package binlog

import (
	"encoding/binary"
	"errors"

	"github.com/go-mysql-org/go-mysql/replication"
)

// header is what stands before every event.
type header struct {
	kind      replication.EventType
	at        uint32 // seconds
	next      uint32 // the offset behind it, 0 for events that are not in the file
	ignorable bool   // who does not know it may pass over it
}

const headerSize = replication.EventHeaderSize

var errEvent = errors.New("an event of the binary log cannot be read")

func readHeader(event []byte) (header, error) {
	if len(event) < headerSize {
		return header{}, errEvent
	}
	le := binary.LittleEndian
	return header{
		kind: replication.EventType(event[4]), at: le.Uint32(event), next: le.Uint32(event[13:]),
		ignorable: le.Uint16(event[17:])&replication.LOG_EVENT_IGNORABLE_F != 0,
	}, nil
}

// parse gives an event to the library, whose errors and panics may carry data of records: they are not passed on.
func parse(p *replication.BinlogParser, event []byte) (_ replication.Event, err error) {
	defer func() {
		if recover() != nil {
			err = errEvent
		}
	}()
	e, failed := p.Parse(event)
	if failed != nil {
		return nil, errEvent
	}
	return e.Event, nil
}

// tableName is whose rows a table map event describes: its names stand behind a header of eight bytes.
func tableName(body []byte) (id uint64, schema, table []byte, err error) {
	r := reader{b: body}
	id = r.uint(6)
	r.skip(2)
	schema = r.take(int(r.uint(1)))
	r.skip(1)
	table = r.take(int(r.uint(1)))
	return id, schema, table, r.err
}

// readStatement is the statement of an event, and the database that its session used.
func readStatement(body []byte, compressed bool) (schema, statement string, err error) {
	r := reader{b: body}
	r.skip(8)
	named := int(r.uint(1))
	r.skip(2)
	r.skip(int(r.uint(2)))
	schema = string(r.take(named))
	r.skip(1)
	if r.err == nil && compressed {
		r.b, r.err = inflate(r.b)
	}
	return schema, string(r.b), r.err
}

// rowsHead is the head of an event with rows.
type rowsHead struct {
	table   uint64
	columns int
	present []byte // which columns the rows have
	after   []byte // of updates: which columns the second of two rows has
	body    []byte
}

// rowKind is what a kind of event does to its rows.
func rowKind(k replication.EventType) (op rowOp, version int, compressed, ok bool) {
	switch k {
	case replication.WRITE_ROWS_EVENTv1:
		return insertRow, 1, false, true
	case replication.UPDATE_ROWS_EVENTv1:
		return updateRow, 1, false, true
	case replication.DELETE_ROWS_EVENTv1:
		return deleteRow, 1, false, true
	case replication.WRITE_ROWS_EVENTv2:
		return insertRow, 2, false, true
	case replication.UPDATE_ROWS_EVENTv2:
		return updateRow, 2, false, true
	case replication.DELETE_ROWS_EVENTv2:
		return deleteRow, 2, false, true
	case replication.PARTIAL_UPDATE_ROWS_EVENT:
		return partialRow, 2, false, true
	case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1:
		return insertRow, 1, true, true
	case replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1:
		return updateRow, 1, true, true
	case replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return deleteRow, 1, true, true
	}
	return 0, 0, false, false
}

func readRowsHead(body []byte, op rowOp, version int) (rowsHead, error) {
	r := reader{b: body}
	h := rowsHead{table: r.uint(6)}
	r.skip(2)
	if version == 2 {
		r.skip(int(r.uint(2)) - 2)
	}
	n := r.packed()
	if n > maxColumns {
		return h, errEvent
	}
	h.columns = int(n)
	h.present = r.take((h.columns + 7) / 8)
	h.after = h.present
	if op == updateRow || op == partialRow {
		h.after = r.take((h.columns + 7) / 8)
	}
	h.body = r.b
	return h, r.err
}

// maxColumns is above what a server can have.
const maxColumns = 1 << 14

// reader reads bytes that may end too soon: then err is set and all it gives is empty.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.err = nil, errEvent
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) skip(n int) { r.take(n) }

// uint is a number of n bytes, the lowest first.
func (r *reader) uint(n int) uint64 {
	var v uint64
	for i, c := range r.take(n) {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// bigUint is a number of n bytes, the highest first.
func (r *reader) bigUint(n int) uint64 {
	var v uint64
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

// packed is a number of one to nine bytes.
func (r *reader) packed() uint64 {
	switch first := r.uint(1); first {
	case 0xfc:
		return r.uint(2)
	case 0xfd:
		return r.uint(3)
	case 0xfe:
		return r.uint(8)
	case 0xfb, 0xff:
		r.err = errEvent
		return 0
	default:
		return first
	}
}
