package sqlite

import (
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// The connections of the store speak to SQLite itself. By way of database/sql's driver a link cost 3 µs to read and 4 to
// write, and more than half of that was the driver's: a mutex for each column, a driver.Value for each column, memory
// for each text that is bound. This file is all that knows SQLite's C interface, and all that is unsafe.

// native is an open database of SQLite. It is for one goroutine at a time: it was opened without a mutex.
type native struct {
	tls *libc.TLS
	db  uintptr
	mem cMemory
}

// cMemory is memory of C: a text that is bound must not move while its statement runs.
type cMemory struct {
	at   uintptr
	size int
}

// keptMemory is how much of it a connection keeps between statements (law 11).
const keptMemory = 256 << 10

// sqliteError is what SQLite said: its extended code and its words, which hold names of ours and never values.
type sqliteError struct {
	code int32
	text string
}

func (e *sqliteError) Error() string { return e.text }

func openNative(path string) (*native, error) {
	n := &native{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		n.tls.Close()
		return nil, err
	}
	defer libc.Xfree(n.tls, name)
	out := libc.Xcalloc(n.tls, 1, 8)
	defer libc.Xfree(n.tls, out)
	rc := lib.Xsqlite3_open_v2(n.tls, name, out, lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_NOMUTEX, 0)
	if n.db = *(*uintptr)(pointer(out)); rc != lib.SQLITE_OK {
		err := n.fail(rc)
		n.close()
		return nil, err
	}
	lib.Xsqlite3_extended_result_codes(n.tls, n.db, 1)
	return n, nil
}

func (n *native) close() {
	if n.db != 0 {
		lib.Xsqlite3_close_v2(n.tls, n.db)
	}
	if n.mem.at != 0 {
		libc.Xfree(n.tls, n.mem.at)
	}
	n.tls.Close()
	n.db, n.tls, n.mem = 0, nil, cMemory{}
}

// fail is the error of a call that answered rc.
func (n *native) fail(rc int32) error {
	text := libc.GoString(lib.Xsqlite3_errstr(n.tls, rc))
	if n.db != 0 {
		if said := libc.GoString(lib.Xsqlite3_errmsg(n.tls, n.db)); said != text {
			text += ": " + said
		}
	}
	return &sqliteError{rc, fmt.Sprintf("%s (%d)", text, rc)}
}

// statement is a prepared statement.
type statement struct {
	*native
	p      uintptr
	params int
}

func (n *native) prepare(query string) (*statement, error) {
	text, err := libc.CString(query)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(n.tls, text)
	out := libc.Xcalloc(n.tls, 1, 8)
	defer libc.Xfree(n.tls, out)
	if rc := lib.Xsqlite3_prepare_v3(n.tls, n.db, text, -1, lib.SQLITE_PREPARE_PERSISTENT, out, 0); rc != lib.SQLITE_OK {
		return nil, n.fail(rc)
	}
	p := *(*uintptr)(pointer(out))
	return &statement{n, p, int(lib.Xsqlite3_bind_parameter_count(n.tls, p))}, nil
}

func (s *statement) finalize() { lib.Xsqlite3_finalize(s.tls, s.p) }

// run binds the arguments and steps through the rows. What is bound stays where it is until the last step.
func (s *statement) run(args []arg, each func(cells) error) error {
	mem, err := s.bind(args)
	defer s.give(mem)
	if err != nil {
		return err
	}
	for {
		switch rc := lib.Xsqlite3_step(s.tls, s.p); rc {
		case lib.SQLITE_ROW:
			if each == nil {
				continue
			}
			if err := each(cells{s.tls, s.p}); err != nil {
				lib.Xsqlite3_reset(s.tls, s.p)
				return err
			}
		case lib.SQLITE_DONE:
			if rc := lib.Xsqlite3_reset(s.tls, s.p); rc != lib.SQLITE_OK {
				return s.fail(rc)
			}
			return nil
		default:
			err := s.fail(rc)
			lib.Xsqlite3_reset(s.tls, s.p)
			return err
		}
	}
}

func (s *statement) bind(args []arg) (mem cMemory, err error) {
	if len(args) != s.params {
		return mem, fmt.Errorf("a statement with %d parameters got %d", s.params, len(args))
	}
	size := 1 // so that an empty text has a place, too
	for i := range args {
		size += len(args[i].text)
	}
	if mem, err = s.take(size); err != nil {
		return mem, err
	}
	room, at := unsafe.Slice((*byte)(pointer(mem.at)), mem.size), 0
	for i := range args {
		var rc int32
		switch a, to := &args[i], int32(i+1); a.kind {
		case argNull:
			rc = lib.Xsqlite3_bind_null(s.tls, s.p, to)
		case argNumber:
			rc = lib.Xsqlite3_bind_int64(s.tls, s.p, to, a.number)
		case argText:
			rc = lib.Xsqlite3_bind_text(s.tls, s.p, to, mem.at+uintptr(at), int32(len(a.text)), lib.SQLITE_STATIC)
			at += copy(room[at:], a.text)
		case argBlob:
			rc = lib.Xsqlite3_bind_blob(s.tls, s.p, to, mem.at+uintptr(at), int32(len(a.text)), lib.SQLITE_STATIC)
			at += copy(room[at:], a.text)
		}
		if rc != lib.SQLITE_OK {
			return mem, s.fail(rc)
		}
	}
	return mem, nil
}

// take gives memory to bind from. A statement that runs inside another one's rows gets its own.
func (n *native) take(size int) (cMemory, error) {
	mem := n.mem
	n.mem = cMemory{}
	if mem.size >= size {
		return mem, nil
	}
	if mem.at != 0 {
		libc.Xfree(n.tls, mem.at)
	}
	if size < keptMemory {
		size = min(2*size+1024, keptMemory)
	}
	at := libc.Xmalloc(n.tls, types.Size_t(size))
	if at == 0 {
		return cMemory{}, &sqliteError{lib.SQLITE_NOMEM, "out of memory"}
	}
	return cMemory{at, size}, nil
}

func (n *native) give(mem cMemory) {
	if mem.at == 0 {
		return
	}
	if n.mem.at != 0 || mem.size > keptMemory {
		libc.Xfree(n.tls, mem.at)
		return
	}
	n.mem = mem
}

func (n *native) changes() int64 { return int64(lib.Xsqlite3_changes64(n.tls, n.db)) }

// cells are the columns of the row that a statement stands on. What they give is the caller's, but for peek.
type cells struct {
	tls *libc.TLS
	p   uintptr
}

// wide is how many columns there are.
func (c cells) wide() int { return int(lib.Xsqlite3_column_count(c.tls, c.p)) }

func (c cells) null(i int) bool {
	return lib.Xsqlite3_column_type(c.tls, c.p, int32(i)) == lib.SQLITE_NULL
}

// number is a whole number; 0 for null.
func (c cells) number(i int) int64 { return lib.Xsqlite3_column_int64(c.tls, c.p, int32(i)) }

// text is a text; "" for null.
func (c cells) text(i int) string {
	return strings.Clone(c.peek(i))
}

// blob is a blob, or a text's bytes, as a string; "" for null.
func (c cells) blob(i int) string {
	return strings.Clone(c.peekBlob(i))
}

// peekBlob is a blob that is valid until the next row.
func (c cells) peekBlob(i int) string {
	at := lib.Xsqlite3_column_blob(c.tls, c.p, int32(i))
	if at == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(at)), lib.Xsqlite3_column_bytes(c.tls, c.p, int32(i)))
}

// peek is a text that is valid until the next row.
func (c cells) peek(i int) string {
	at := lib.Xsqlite3_column_text(c.tls, c.p, int32(i))
	if at == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(at)), lib.Xsqlite3_column_bytes(c.tls, c.p, int32(i)))
}

// pointer is an address of C's memory, which no collector moves.
func pointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }
