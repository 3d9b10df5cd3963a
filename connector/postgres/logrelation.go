package postgres

import (
	"context"
	"strconv"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logRelation is the table as it was when the rows behind it were written.
type logRelation struct {
	columns []wal.RelationColumn
	types   map[string]uint32 // of the columns as they are now

	plan    *sqlkit.Plan // what the rest was made for
	at      []int        // where its columns stand in a row; -1: not there, or of another type
	deleted int
	covers  bool // old rows hold the key
}

// relation takes a new description of the table: the catalog is read again, for it may have changed.
func (c *logChanger) relation(ctx context.Context, body []byte) error {
	m, err := wal.ParseRelation(body)
	if err != nil || m.OID != c.oid() {
		return err
	}
	s := c.feed.sys
	s.forget()
	p, err := s.plan(ctx, c.read)
	if err != nil {
		return err
	}
	rel := &logRelation{columns: m.Columns, types: map[string]uint32{}}
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return err
	}
	defer conn.release()
	err = conn.rows(ctx, `SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped`,
		bytesOf([]string{strconv.FormatUint(uint64(m.OID), 10)}), func(cells [][]byte) error {
			oid, _ := strconv.ParseUint(string(cells[1]), 10, 32)
			rel.types[string(cells[0])] = uint32(oid)
			return nil
		})
	if err != nil {
		return err
	}
	c.feed.relation = rel
	if p.Table.Info.(tableInfo).oid == m.OID {
		c.use(p)
	}
	return nil
}

// bind finds the columns of a plan.
func (rel *logRelation) bind(p *sqlkit.Plan) {
	if rel.plan == p {
		return
	}
	rel.plan, rel.at, rel.deleted, rel.covers = p, make([]int, len(p.Columns)), -1, true
	for i, c := range p.Columns {
		rel.at[i] = rel.find(c.Name)
	}
	if p.Deleted != nil {
		rel.deleted = rel.find(p.Deleted.Name)
	}
	for _, at := range p.Key {
		rel.covers = rel.covers && rel.at[at] >= 0 && rel.columns[rel.at[at]].Identity
	}
}

// find is where a column stands. One whose type has changed since is not found: its text may mean something else.
func (rel *logRelation) find(name string) int {
	for i, c := range rel.columns {
		if c.Name == name && rel.types[name] == c.Type {
			return i
		}
	}
	return -1
}

// cell is the value of a column of the new row, or of the old one where it did not change; ok is false where there is
// no such column.
func (rel *logRelation) cell(at int, cells, old []wal.Cell) (c wal.Cell, ok bool) {
	if at < 0 || at >= len(cells) {
		return c, false
	}
	c = cells[at]
	if c.Kind == wal.Unchanged && at < len(old) && old[at].Kind == wal.Text {
		c = old[at]
	}
	return c, true
}
