package postgres_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

// One transaction of many rows comes in pages, and can be gone on with at each place, by this process or another.
func TestLogBigTransaction(t *testing.T) {
	rows := 200_000
	if !testing.Short() {
		rows = 1_000_000
	}
	f := follow(t, goods)
	at := f.now()
	f.exec(fmt.Sprintf(`INSERT INTO goods SELECT n, 'v' || n FROM generate_series(1, %d) n`, rows))
	seen, pages := 0, 0
	for {
		p, err := f.s.Changes(t.Context(), f.r, at, lockstep.Limit{Rows: 7_777, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			if seen++; string(c.Record.Key) != strconv.Itoa(seen) {
				t.Fatalf("change %d is of key %s", seen, c.Record.Key)
			}
		}
		at = p.Next
		pages++
		switch {
		case pages%23 == 0:
			f.reopen() // as after a crash between two pages
		case pages%5 == 0:
			f.ack(at)
		}
		if !p.More {
			break
		}
	}
	if seen != rows {
		t.Errorf("%d of %d rows", seen, rows)
	}
}

// A crash between append and ack reads again and loses nothing; a crash before the append, too.
func TestLogCrashBetweenAppendAndAck(t *testing.T) {
	f := follow(t, goods)
	first := f.now()
	for i := range 10 {
		f.exec(fmt.Sprintf(`INSERT INTO goods VALUES (%d, 'a')`, i))
	}
	var want []string
	for i := range 10 {
		want = append(want, up(i, "a"))
	}
	got, end := f.all(first)
	f.want(got, want...)
	for range 3 { // the store has the first position still
		f.reopen()
		got, _ = f.all(first)
		f.want(got, want...)
	}
	f.reopen() // the store has the last position, the slot is behind
	got, _ = f.all(end)
	f.want(got)
	f.ack(end)
	f.reopen()
	f.exec(`INSERT INTO goods VALUES (11, 'b')`)
	got, _ = f.all(end)
	f.want(got, up(11, "b"))
	f.lost(first) // what was acknowledged is gone, and nobody says otherwise
}

// Guards that the position moves where other tables fill the log: else the server would keep all of it for us.
func TestLogQuietTableBesideABusyOne(t *testing.T) {
	f := follow(t, goods, `CREATE TABLE busy (x text)`)
	_, at := f.all(f.now())
	kept := func() int {
		n, err := strconv.Atoi(f.one(`SELECT (pg_current_wal_lsn() - restart_lsn)::bigint::text FROM pg_replication_slots WHERE database = current_database()`))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 5 {
		f.exec(`INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 20000)`)
		_, at = f.all(at)
		f.ack(at)
	}
	deadline := time.Now().Add(30 * time.Second)
	for kept() > 1<<20 {
		if time.Now().After(deadline) {
			t.Fatalf("the slot holds back %d bytes", kept())
		}
		f.exec(`CHECKPOINT`) // writes where transactions stand, by which the slot moves
		_, at = f.all(at)
		f.ack(at)
		time.Sleep(20 * time.Millisecond)
	}
}

// Guards the beat: the server ends a stream of which it hears nothing for wal_sender_timeout, and here nobody reads
// from it, and its messages are more than we hold.
func TestLogOutlivesAPause(t *testing.T) {
	f := follow(t, goods, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET wal_sender_timeout = ''600ms''', current_database()); END $$`)
	_, at := f.all(f.now())
	process := f.one(`SELECT active_pid::text FROM pg_replication_slots WHERE database = current_database()`)
	f.exec(`INSERT INTO goods SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n`)
	time.Sleep(3 * time.Second)
	got, at := f.all(at)
	if len(got) != 20000 {
		t.Errorf("%d rows", len(got))
	}
	time.Sleep(2 * time.Second)
	if now := f.one(`SELECT coalesce(active_pid, 0)::text FROM pg_replication_slots WHERE database = current_database()`); now != process {
		t.Errorf("the stream did not outlive the pause: process %s, then %s", process, now)
	}
	_, _ = f.all(at)
}

// resume reads to the end through faults that pass by themselves, as the engine does.
func (f *logged) resume(from lockstep.Position, until int) (got []string) {
	f.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		p, err := f.read(from, 50)
		if err != nil {
			if lockstep.FaultOf(err).Kind.StopsFlow() {
				f.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for _, c := range p.Changes {
			got = append(got, line(c))
		}
		if from = p.Next; len(got) >= until {
			return got
		}
	}
	f.Fatalf("%d of %d changes", len(got), until)
	return nil
}

func TestLogServerRestart(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	f.exec(`INSERT INTO goods SELECT n, 'a' FROM generate_series(1, 300) n`)
	p := f.page(at, 100)
	testkit.StopPostgres(t)()
	var want []string
	for i := range 200 {
		want = append(want, up(101+i, "a"))
	}
	f.want(f.resume(p.Next, 200), want...)
}

// Guards asked: a server that shuts down waits until all that it sent is confirmed, and here nothing is.
func TestLogLetsTheServerShutDown(t *testing.T) {
	server, err := pgserver.Start(t.Context(), map[string]string{"fsync": "off", "wal_level": "logical"})
	if err != nil {
		t.Skip(err)
	}
	if err := server.Exec(t.Context(), "postgres", goods); err != nil {
		t.Fatal(err)
	}
	f := &logged{T: t, dsn: server.DSN("postgres"), r: lockstep.Read{Stream: "goods", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Log}}}
	f.s = open(t, lockstep.Settings{"dsn": f.dsn})
	install(t, f.s, f.r)
	_, at := f.all(f.now())
	f.exec(`INSERT INTO goods VALUES (1, 'a')`)
	got, _ := f.all(at)
	f.want(got, up(1, "a"))
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

// wire is a way to the server that can be cut.
type wire struct {
	mu    sync.Mutex
	conns []net.Conn
	after int                                 // bytes from the server, then the connection is cut; 0: never
	pass  func(near io.Writer, far io.Reader) // of what the server sends, before the rest; nil: all
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// set is pass of the connections that are made from now on.
func (w *wire) set(pass func(near io.Writer, far io.Reader)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass = pass
}

// wireTo listens in a folder of its own and passes on to a server's socket.
func wireTo(t *testing.T, dsn string) (*wire, string) {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	server := filepath.Join(q.Get("host"), ".s.PGSQL.5432")
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", server)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			after, pass := w.after, w.pass
			w.mu.Unlock()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() {
				if pass != nil {
					pass(near, far)
				}
				if after > 0 {
					_, _ = io.CopyN(near, far, int64(after))
				} else {
					_, _ = io.Copy(near, far)
				}
				_ = near.Close()
				_ = far.Close()
			}()
		}
	}()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return w, u.String()
}

func TestLogNetworkCut(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	w, dsn := wireTo(t, f.dsn)
	f.s = open(t, lockstep.Settings{"dsn": dsn, "connect_timeout": 2 * time.Second})
	f.exec(`INSERT INTO goods SELECT n, 'a' FROM generate_series(1, 2000) n`)
	var want []string
	for i := range 2000 {
		want = append(want, up(1+i, "a"))
	}
	for _, after := range []int{20_000, 40_000, 100_000} { // within the transaction
		w.mu.Lock()
		w.after = after
		w.mu.Unlock()
		p, err := f.read(at, 50)
		if err != nil && lockstep.FaultOf(err).Kind.StopsFlow() {
			t.Fatal(err)
		}
		if err == nil {
			for _, c := range p.Changes {
				if line(c) != want[0] {
					t.Fatalf("got %s, want %s", line(c), want[0])
				}
				want = want[1:]
			}
			at = p.Next
		}
		w.cut()
	}
	w.mu.Lock()
	w.after = 0
	w.mu.Unlock()
	go func() {
		for range 5 {
			time.Sleep(30 * time.Millisecond)
			w.cut()
		}
	}()
	f.want(f.resume(at, len(want)), want...)
}

// Every value comes out of the log as a scan reads it.
func TestLogTypes(t *testing.T) {
	for i, sample := range connectortest.Corpus() {
		if sample.Name == "text with NUL" {
			continue
		}
		t.Run(sample.Name, func(t *testing.T) {
			dsn := testkit.Postgres(t)
			s := open(t, lockstep.Settings{"dsn": dsn})
			name := fmt.Sprintf("Goods %d", i)
			stream := lockstep.Stream{Name: name, Key: []string{"id"}, Fields: []lockstep.Field{
				{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "v", Type: sample.Type, Nullable: true},
			}}
			if _, err := s.Create(t.Context(), stream, false); err != nil {
				t.Fatal(err)
			}
			f := &logged{T: t, s: s, dsn: dsn, r: lockstep.Read{Stream: name, Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Log}}}
			install(t, s, f.r)
			at := f.now()
			var writes []lockstep.Write
			for j, v := range append(slices.Clone(sample.Values), value.Null) {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(strconv.Itoa(j)), Fields: value.F("id", j).With("v", v)})
			}
			if _, err := s.Apply(t.Context(), name, writes); err != nil {
				t.Fatal(err)
			}
			scanned, err := s.Scan(t.Context(), f.r, nil, lockstep.Limit{Rows: 1000})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, c := range scanned.Changes {
				want = append(want, line(c))
			}
			got, _ := f.all(at)
			slices.Sort(got)
			slices.Sort(want)
			f.want(got, want...)
		})
	}
}
