package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// writer changes the source in transactions of its own connection.
type writer struct {
	*place
	conn *sql.Conn
	rng  *rand.Rand
	at   string                    // the time at which the transaction began, as the database writes it
	rev  int64                     // a number that was drawn in it
	told map[string][]lockstep.Key // what it touched, by flow
}

// touched notes the keys of rows, one key field after the other.
func (w *writer) touched(t *table, fields []any) {
	if w.told == nil {
		w.told = map[string][]lockstep.Key{}
	}
	for ; len(fields) >= len(t.key); fields = fields[len(t.key):] {
		parts := make([]string, len(t.key))
		for i := range parts {
			parts[i] = fmt.Sprint(fields[i])
		}
		w.told[t.flow] = append(w.told[t.flow], lockstep.MakeKey(parts...))
	}
}

// inTransaction does the work between begin and commit.
func (w *writer) inTransaction(ctx context.Context, work func() error) (err error) {
	if w.conn == nil {
		if w.conn, err = w.db.Conn(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.conn.Close()) }()
	}
	if err := w.start(ctx); err != nil {
		return err
	}
	if err := work(); err != nil {
		return errors.Join(err, w.end(ctx, "ROLLBACK"))
	}
	return w.end(ctx, "COMMIT")
}

func (w *writer) start(ctx context.Context) error {
	if _, err := w.conn.ExecContext(ctx, w.begin); err != nil {
		return err
	}
	err := w.conn.QueryRowContext(ctx, w.now).Scan(&w.at)
	if err == nil {
		w.rev, err = w.draw(ctx, "rev")
	}
	if err != nil {
		return errors.Join(err, w.end(ctx, "ROLLBACK"))
	}
	return nil
}

func (w *writer) end(ctx context.Context, how string) error {
	_, err := w.conn.ExecContext(context.WithoutCancel(ctx), how)
	return err
}

// draw takes the next number of a counter. It is gone also if the transaction is rolled back, but for SQLite.
func (w *writer) draw(ctx context.Context, counter string) (n int64, err error) {
	err = w.conn.QueryRowContext(ctx, fmt.Sprintf(w.place.draw, counter)).Scan(&n)
	return n, err
}

func (w *writer) do(ctx context.Context, statement string, args ...any) (int64, error) {
	res, err := w.conn.ExecContext(ctx, w.marked(statement), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert adds rows; those whose key is there already are left out.
func (w *writer) insert(ctx context.Context, table string, rows [][]any) (int64, error) {
	var args []any
	marks := make([]string, len(rows))
	for i, row := range rows {
		marks[i] = "(" + strings.TrimSuffix(strings.Repeat("?, ", len(row)), ", ") + ")"
		args = append(args, row...)
		t := tableOf(table)
		w.touched(t, row[:len(t.key)])
	}
	return w.do(ctx, w.ignore[0]+" "+table+" VALUES "+strings.Join(marks, ", ")+w.ignore[1], args...)
}

// pick chooses up to n rows of a table that nobody else holds, by their keys, and locks them: two writers never wait
// for each other for long.
func (w *writer) pick(ctx context.Context, t *table, n int) (where string, args []any, err error) {
	keys := strings.Join(t.key, ", ")
	some, err := w.keys(ctx, t, "SELECT "+keys+" FROM "+t.flow+" ORDER BY "+w.random()+fmt.Sprintf(" LIMIT %d", n))
	if err != nil || len(some) == 0 {
		return "", nil, err
	}
	where, args = t.among(some)
	if w.locked == "" {
		return where, args, nil
	}
	some, err = w.keys(ctx, t, "SELECT "+keys+" FROM "+t.flow+" WHERE "+where+w.locked, args...)
	if err != nil || len(some) == 0 {
		return "", nil, err
	}
	where, args = t.among(some)
	return where, args, nil
}

func (w *writer) random() string {
	if w.kind == "mysql" {
		return "RAND()"
	}
	return "random()"
}

func (w *writer) keys(ctx context.Context, t *table, query string, args ...any) ([][]any, error) {
	rows, err := w.conn.QueryContext(ctx, w.marked(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]any
	for rows.Next() {
		key, into := make([]any, len(t.key)), make([]any, len(t.key))
		texts, id := make([]string, len(t.key)), int64(0)
		for i := range key {
			into[i] = &texts[i]
		}
		if len(key) == 1 {
			into[0] = &id
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i := range key {
			key[i] = texts[i]
		}
		if len(key) == 1 {
			key[0] = id
		}
		out = append(out, key)
	}
	return out, rows.Err()
}

// among is the condition that a row is one of those with these keys.
func (t *table) among(keys [][]any) (string, []any) {
	var args []any
	one := strings.Join(t.key, " = ? AND ") + " = ?"
	terms := make([]string, len(keys))
	for i, k := range keys {
		terms[i] = "(" + one + ")"
		args = append(args, k...)
	}
	return "(" + strings.Join(terms, " OR ") + ")", args
}
