package mysql

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// direct loads a batch straight into a table that was empty when this system first wrote to it: a first full sync. It
// goes on until the server has anything to say against a row; then the batch, and all that follow, take the usual way,
// which knows whose fault it is.
func (a *applier) direct(g sqlkit.Group) (done bool, err error) {
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return true, err
	}
	stream := a.table.Stream.Name
	if b.Chosen() || !a.table.KeyIsUnique() || !a.facts.infile || !a.sys.maybeDirect(stream) {
		return false, nil
	}
	if err := a.ownKeys(g, b); err != nil {
		return true, err
	}
	tuples := a.tuples(g.Writes, b)
	clean := false
	err = a.transaction(func() error {
		if !a.sys.isDirect(stream) {
			rows, err := a.link.One(a.ctx, "SELECT EXISTS (SELECT 1 FROM "+a.table.SQL+")")
			if err != nil || rows[0] != "0" {
				return errDirty(err)
			}
		}
		if err := a.load(tuples, b); err != nil {
			return err
		}
		clean = true
		return nil
	})
	if _, refused := err.(*refusal); refused || !clean && mykit.Answered(err) {
		a.sys.setDirect(stream, false)
		for _, at := range g.Writes { // the usual way answers anew
			a.results[at].Err = nil
		}
		return false, nil
	}
	if err == nil {
		a.sys.setDirect(stream, true)
	}
	return true, err
}

// refusal says that a batch cannot be loaded directly.
type refusal struct{}

func (*refusal) Error() string { return "the table is not empty, or a row cannot be loaded as it is" }

func errDirty(err error) error {
	if err != nil {
		return err
	}
	return &refusal{}
}

// load sends the tuples by LOAD DATA LOCAL. With LOCAL the server passes over rows that it cannot take, and changes
// values that do not fit, with a warning: so any warning is a refusal.
func (a *applier) load(tuples []tuple, b *sqlkit.Binding) error {
	name := "lockstep-" + rand.Text()
	r := &loader{tuples: tuples, hex: make([]bool, len(b.Columns))}
	columns := make([]string, len(b.Columns))
	var sets []string
	for i, c := range b.Columns {
		columns[i] = mykit.Quote(c.Name)
		variable := "@lockstep" + strconv.Itoa(i)
		switch {
		case c.Type.Kind == value.BytesType:
			r.hex[i], columns[i] = true, variable
			sets = append(sets, mykit.Quote(c.Name)+" = UNHEX("+variable+")")
		case columnOf(a.table, c).base == "bit":
			columns[i] = variable
			sets = append(sets, mykit.Quote(c.Name)+" = CAST("+variable+" AS UNSIGNED)")
		}
	}
	statement := "LOAD DATA LOCAL INFILE 'Reader::" + name + "' INTO TABLE " + b.Table.SQL +
		` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` + strings.Join(columns, ", ") + ")"
	if len(sets) > 0 {
		statement += " SET " + strings.Join(sets, ", ")
	}
	mysql.RegisterReaderHandler(name, func() io.Reader { return r })
	defer mysql.DeregisterReaderHandler(name)
	done, err := a.link.Exec(a.ctx, statement)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err != nil {
		return err
	}
	warnings, err := a.link.One(a.ctx, "SELECT @@warning_count")
	if err == nil && (n != int64(len(tuples)) || warnings[0] != "0") {
		return &refusal{}
	}
	return err
}

// loader gives tuples as LOAD DATA reads them. It holds about loadBuffer bytes at a time.
type loader struct {
	tuples []tuple
	hex    []bool
	buf    []byte
	sent   int // of buf
}

const loadBuffer = 64 << 10

// Read fills p with rows.
func (r *loader) Read(p []byte) (int, error) {
	if r.sent == len(r.buf) {
		r.buf, r.sent = r.buf[:0], 0
		for len(r.tuples) > 0 && len(r.buf) < loadBuffer-4096 {
			r.row(r.tuples[0].args)
			r.tuples = r.tuples[1:]
		}
		if len(r.buf) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, r.buf[r.sent:])
	r.sent += n
	return n, nil
}

func (r *loader) row(args []driver.Value) {
	for i, arg := range args {
		if i > 0 {
			r.buf = append(r.buf, '\t')
		}
		switch arg := arg.(type) {
		case nil:
			r.buf = append(r.buf, `\N`...)
		case string:
			r.buf = sqlkit.AppendEscaped(r.buf, arg)
		case []byte:
			if r.hex[i] {
				r.buf = hex.AppendEncode(r.buf, arg)
			} else {
				r.buf = sqlkit.AppendEscaped(r.buf, string(arg))
			}
		default:
			r.buf = mykit.AppendCell(r.buf, arg)
		}
	}
	r.buf = append(r.buf, '\n')
}

func (s *System) maybeDirect(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	direct, known := s.direct[stream]
	return direct || !known
}

func (s *System) isDirect(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.direct[stream]
}

func (s *System) setDirect(stream string, direct bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.direct == nil {
		s.direct = map[string]bool{}
	}
	s.direct[stream] = direct
}
