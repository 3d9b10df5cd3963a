package postgres_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// beheaded leaves out of the nth row all up to the first x.
func beheaded(n int) func(near io.Writer, far io.Reader) {
	return atRow(n, func(near io.Writer, message []byte) {
		_, _ = near.Write(message[bytes.IndexByte(message, 'x'):])
	})
}

// atRow passes on whole messages of the server, and gives the nth row that it tells to row.
func atRow(n int, row func(near io.Writer, message []byte)) func(near io.Writer, far io.Reader) {
	return func(near io.Writer, far io.Reader) {
		for {
			head := make([]byte, 5)
			if _, err := io.ReadFull(far, head); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
			if _, err := io.ReadFull(far, body); err != nil {
				return
			}
			message := append(head, body...)
			if head[0] == 'd' && body[0] == 'w' && body[25] == 'I' {
				if n--; n == 0 {
					row(near, message)
					return
				}
			}
			_, _ = near.Write(message)
		}
	}
}

// Where the head of a message is missing, nothing that follows is believed: the fault passes by itself, with another
// connection, and no change is missing or comes twice.
func TestLogLosesItsWay(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	f.exec(`DO $$ BEGIN FOR i IN 0..199 LOOP INSERT INTO goods VALUES (i, 'xx764'); COMMIT; END LOOP; END $$`,
		`INSERT INTO goods SELECT i, 'xx764' FROM generate_series(200, 399) i`)
	var want []string
	for i := range 400 {
		want = append(want, up(i, "xx764"))
	}
	w, dsn := wireTo(t, f.dsn)
	for _, n := range []int{1, 2, 50, 123, 200, 201, 300, 400} {
		f.s = open(t, lockstep.Settings{"dsn": dsn})
		w.set(beheaded(n))
		from, faults := at, 0
		var got []string
		for len(got) < len(want) {
			p, err := f.read(from, 50)
			if err == nil {
				for _, c := range p.Changes {
					got = append(got, line(c))
				}
				from = p.Next
				continue
			}
			if fault := lockstep.FaultOf(err); fault.Kind != lockstep.Transient {
				t.Fatalf("row %d garbled: %v", n, err)
			}
			faults++
			w.set(nil)
		}
		f.want(got, want...)
		if faults == 0 {
			t.Errorf("row %d garbled: nobody noticed", n)
		}
		if err := f.s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A read that is given up while a message is half there takes nothing away from the next one.
func TestLogGivenUpWithinAMessage(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	f.exec(`INSERT INTO goods SELECT i, 'xx764' FROM generate_series(0, 99) i`)
	var want []string
	for i := range 100 {
		want = append(want, up(i, "xx764"))
	}
	w, dsn := wireTo(t, f.dsn)
	halfway, on := make(chan struct{}, 1), make(chan struct{})
	w.set(atRow(50, func(near io.Writer, message []byte) {
		_, _ = near.Write(message[:len(message)/2])
		halfway <- struct{}{}
		<-on
		_, _ = near.Write(message[len(message)/2:])
	}))
	f.s = open(t, lockstep.Settings{"dsn": dsn})
	ctx, giveUp := context.WithCancel(t.Context())
	go func() { <-halfway; giveUp(); close(on) }()
	if p, err := f.s.Changes(ctx, f.r, at, lockstep.Limit{Rows: 1000}); err == nil && len(p.Changes) > 0 {
		t.Fatalf("%d changes of a transaction that was not there", len(p.Changes))
	}
	w.set(nil)
	f.want(f.resume(at, len(want)), want...)
}
