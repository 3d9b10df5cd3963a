package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// A signed notice of one key, over loopback, durable in the store's file before its answer, from 64 senders.
func BenchmarkSignedNotices(b *testing.B) {
	dir := b.TempDir()
	conns := []lockstep.Connector{memory.Systems{"pim": memory.New(), "shop": memory.New()}}
	cfg, err := config.Parse(filepath.Join(dir, "lockstep.yaml"), []byte(outsideYAML), conns, func(string) (string, bool) { return "", false })
	if err != nil {
		b.Fatal(err)
	}
	h, err := Open(b.Context(), cfg, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = h.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: api.New(cfg, h.outside(b.Context()), api.Bounds{}, slog.New(slog.DiscardHandler)).Handler()}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var n atomic.Int64
	b.SetParallelism(32)
	begin := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"keys":["k%d"]}`, n.Add(1))
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+l.Addr().String()+"/hooks/products", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			webhook.Sign(req.Header, []byte(body), time.Now(), secret)
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				b.Error(resp.Status)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "notices/s")
}
