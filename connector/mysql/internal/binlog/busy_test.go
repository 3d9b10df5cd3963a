package binlog

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// busy is a connection on a machine that is busy: what comes, comes in small pieces, and a write takes long to return.
// Where the server has sent so many bytes, halfway is called once, and the rest comes only then.
type busy struct {
	net.Conn
	mu      sync.Mutex
	left    int
	halfway func()
}

func (b *busy) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p)
	time.Sleep(20 * time.Millisecond)
	return n, err
}

func (b *busy) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p[:min(len(p), 7)])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left -= n; b.left <= 0 && b.halfway != nil {
		b.halfway()
		b.halfway = nil
	}
	return n, err
}

// One goroutine reads a connection at a time, from the first byte on, and no read of a page is tied to it: neither
// pieces, nor slow writes, nor a page that is given up within an event, lose a byte.
func TestABusyMachine(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v VARCHAR(100)")
	from := b.now()
	var want []string
	for i := range 200 {
		v := strings.Repeat("764", 20)
		b.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, '%s')", i, v))
		want = append(want, fmt.Sprintf("+%d|%s", i, v))
	}
	for _, left := range []int{500, 5_000, 10_001, 20_003, 30_004} {
		ctx, giveUp := context.WithCancel(t.Context())
		b.server.Address.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, address)
			return &busy{Conn: raw, left: left, halfway: giveUp}, err
		}
		b.reopen()
		if _, err := b.feed.Changes(ctx, from, lockstep.Limit{Rows: 1000}, b.shape); err == nil {
			t.Errorf("a page that was given up at %d bytes came all the same", left)
		}
		b.want(from, want...)
		giveUp()
	}
}
