package wal_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// busy is a connection on a machine that is busy: while it is slow a write takes long to return, and the second read
// that begins takes long to reach the system.
type busy struct {
	net.Conn
	mu    sync.Mutex
	slow  bool
	reads int
	late  time.Duration // of that read
	turn  sync.Mutex    // whoever has waited long reads next
}

func (b *busy) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p)
	b.mu.Lock()
	slow := b.slow
	b.mu.Unlock()
	if slow {
		time.Sleep(100 * time.Millisecond)
	}
	return n, err
}

func (b *busy) Read(p []byte) (int, error) {
	b.mu.Lock()
	late := time.Duration(0)
	if b.slow {
		if b.reads++; b.reads == 2 {
			late = b.late
		}
	}
	b.mu.Unlock()
	time.Sleep(late)
	b.turn.Lock()
	defer b.turn.Unlock()
	return b.Conn.Read(p)
}

func (b *busy) set(slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slow = slow
}

// Guards that nothing is lost that the driver's goroutine reads: it is started where a write takes long, and its last
// read goes on when replication begins. Where that read comes first, it takes the server's agreement; where it comes
// later, transactions.
func TestABusyMachine(t *testing.T) {
	for name, late := range map[string]time.Duration{"the read is first": 0, "the read is late": 500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dsn := testkit.Postgres(t)
			admin := connected(t, dsn)
			exec(t, admin, `CREATE TABLE goods (id int PRIMARY KEY, v text)`)
			slot := fmt.Sprintf("busy_%d", time.Now().UnixNano())
			exec(t, admin, `CREATE PUBLICATION "`+slot+`" FOR TABLE goods`)
			exec(t, admin, `SELECT pg_create_logical_replication_slot('`+slot+`', 'pgoutput')`)

			cfg, err := pgconn.ParseConfig(dsn)
			if err != nil {
				t.Fatal(err)
			}
			b := &busy{late: late}
			cfg.DialFunc = func(ctx context.Context, network, address string) (_ net.Conn, err error) {
				b.Conn, err = new(net.Dialer).DialContext(ctx, network, address)
				return b, err
			}
			conn, err := wal.Connect(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			b.set(true)
			if _, err := conn.Exec(ctx, "SELECT 1").ReadAll(); err != nil {
				t.Fatal(err)
			}
			b.set(false)
			s, err := wal.Start(ctx, conn, wal.Options{
				Command: fmt.Sprintf(`START_REPLICATION SLOT "%s" LOGICAL 0/0 (proto_version '1', publication_names '"%[1]s"')`, slot),
				Beat:    time.Second, Largest: 1 << 20, Held: 1 << 20,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for id := range 30 {
				exec(t, admin, fmt.Sprintf(`INSERT INTO goods VALUES (%d, repeat('764', 20))`, id))
				time.Sleep(30 * time.Millisecond) // each comes by itself
			}
			for id := range 30 {
				if got := nextInsert(ctx, t, s); got != fmt.Sprint(id) {
					t.Fatalf("got row %s, want row %d", got, id)
				}
			}
		})
	}
}

// nextInsert is the id of the next row.
func nextInsert(ctx context.Context, t *testing.T, s *wal.Stream) string {
	t.Helper()
	var row wal.Row
	for {
		m, ok := s.Next()
		switch {
		case ok && m.Kind == wal.Insert:
			if err := row.Parse(m.Kind, m.Body); err != nil {
				t.Fatal(err)
			}
			return string(row.New[0].Text)
		case ok:
			continue
		case s.Err() != nil:
			t.Fatal(s.Err())
		}
		more, ok := s.More()
		if ok {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatal("nothing comes any more")
		}
	}
}

func connected(t *testing.T, dsn string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgconn.PgConn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement).ReadAll(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
