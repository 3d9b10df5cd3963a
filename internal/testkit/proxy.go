package testkit

import (
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Proxy stands between us and a server, and cuts connections.
type Proxy struct {
	Socket string // where it listens
	server string
	left   atomic.Int64           // answers let through; negative is no limit
	word   atomic.Pointer[string] // a request with it in it gets no answer
}

// NewProxy listens on a socket of that name, in a folder of its own, for the server behind a socket.
func NewProxy(t testing.TB, server, name string) *Proxy {
	t.Helper()
	p := &Proxy{server: server, Socket: filepath.Join(t.TempDir(), name)}
	p.Heal()
	l, err := net.Listen("unix", p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// CutAfter lets so many more pieces of answers through, and cuts then.
func (p *Proxy) CutAfter(answers int64) { p.left.Store(answers) }

// CutAnswerTo cuts behind a request with the word in it.
func (p *Proxy) CutAnswerTo(word string) { p.word.Store(&word) }

// Heal lets everything through.
func (p *Proxy) Heal() {
	p.word.Store(nil)
	p.left.Store(-1)
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			if n > 0 {
				if word := p.word.Load(); word != nil && strings.Contains(string(b[:n]), *word) {
					p.left.Store(0)
				}
				_, _ = server.Write(b[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if n > 0 { // the end of a connection is no answer
			if left := p.left.Load(); left == 0 {
				return
			} else if left > 0 {
				p.left.Add(-1)
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
