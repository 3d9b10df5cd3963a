package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/pimcore"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// Pimcore, by its stand-in: how soon a save is visible with the listener, and how fast products are read.
const (
	pimProducts = 1000
	pimProbes   = 300
	pimEvery    = 20 * time.Millisecond // between saves
	pimScans    = 20
	pimAnswer   = 50 * time.Millisecond // the least that a real Pimcore takes, whatever is asked
)

const pimConfig = `api: {listen: '%s'}
systems:
  pim: {type: pimcore, url: '%s', api_key: '%s', version: "11", languages: [en, de], classes: {Product: {fields: {price: "price decimal(12,2)", codes: "categories[].code"}}}}
  db:  {type: postgres, dsn: '%s'}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate, every: 24h}}
    to:   {system: db, stream: pim_products}
    map:  {id: id, sku: sku, name_en: name_en, name_de: name_de, price: price, codes: codes, path: fullpath, published: published}
    hook: {secrets: [%s]}
`

// pimcore measures both.
func (b *bench) pimcore(ctx context.Context) error {
	if b.binary == "" {
		return nil
	}
	srv, err := sandbox.New(sandbox.Options{Products: pimProducts, Seed: 1})
	if err != nil {
		return err
	}
	web, url, err := serve(ctx, srv)
	if err != nil {
		return err
	}
	defer web.Close()
	text, err := b.pimVisible(ctx, srv, url+srv.Path())
	if err != nil {
		return err
	}
	b.figure("Pimcore: save to visible in PostgreSQL, by the listener's signed notice", text, "")
	for _, answer := range []time.Duration{pimAnswer, 0} {
		if err := srv.Configure(func(o *sandbox.Options) { o.AnswerDelay = answer }); err != nil {
			return err
		}
		what, reach := fmt.Sprintf("Pimcore: products read in pages of 100, of a stand-in that answers after %d ms", answer.Milliseconds()), "0.95 of a bare client"
		if answer == 0 {
			what = "the same, of a stand-in that answers as soon as it can"
		}
		text, err := pimScan(ctx, srv, url, answer > 0)
		if err != nil {
			return err
		}
		b.figure(what, text, reach)
	}
	return nil
}

// serve lets a handler answer at a free port of this machine.
func serve(ctx context.Context, h http.Handler) (*http.Server, string, error) {
	var free net.ListenConfig
	l, err := free.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	web := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = web.Serve(l) }() // until it is closed
	return web, "http://" + l.Addr().String(), nil
}

// pimVisible saves products one by one and looks when each is in the target.
func (b *bench) pimVisible(ctx context.Context, srv *sandbox.Server, url string) (text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	home := filepath.Join(b.dir, "pimcore")
	if err := os.Mkdir(home, 0o755); err != nil {
		return "", err
	}
	var free net.ListenConfig
	l, err := free.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String()
	config := fmt.Appendf(nil, pimConfig, address, url, srv.Key(), b.pg.DSN("postgres"), hookSecret)
	if err := errors.Join(l.Close(), os.WriteFile(filepath.Join(home, "lockstep.yaml"), config, 0o600)); err != nil {
		return "", err
	}
	if err := b.pg.Exec(ctx, "postgres", "CREATE TABLE pim_products (id text PRIMARY KEY, sku text, name_en text, name_de text, price numeric(12,2), codes jsonb, path text, published boolean)"); err != nil {
		return "", err
	}
	if _, err := timed(b.lockstep(ctx, home, "sync")); err != nil {
		return "", err
	}
	stop, err := b.daemon(ctx, home)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	if err := (&sending{url: "http://" + address, http: client}).awake(ctx); err != nil {
		return "", err
	}
	listening, deaf := context.WithCancel(ctx)
	defer deaf()
	srv.Listen(listening, sandbox.Hook{URL: "http://" + address + "/hooks/products", Secrets: []string{hookSecret}})
	conn, err := pgconn.Connect(ctx, b.pg.DSN("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var took []time.Duration
	ids := srv.IDs("Product")
	for i := range pimProbes + 1 {
		d, err := pimProbe(ctx, srv, conn, ids[i%len(ids)], fmt.Sprintf("%d.50", 1000+i))
		if err != nil {
			return "", err
		}
		if i > 0 { // the first wakes everybody
			took = append(took, d)
		}
		time.Sleep(pimEvery) //nolint:forbidigo // it is the pace
	}
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, longest %.1f ms of %d", at(0.5), at(0.99), at(1), len(took)), nil
}

// pimProbe is one save.
func pimProbe(ctx context.Context, srv *sandbox.Server, conn *pgconn.PgConn, id int, price string) (time.Duration, error) {
	number, err := strconv.ParseFloat(price, 64)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := srv.Save(id, map[string]any{"price": number}); err != nil {
		return 0, err
	}
	poll := time.NewTicker(livePoll)
	defer poll.Stop()
	for {
		res := conn.ExecParams(ctx, "SELECT price FROM pim_products WHERE id = $1", [][]byte{[]byte(strconv.Itoa(id))}, nil, nil, nil).Read()
		if res.Err != nil {
			return 0, res.Err
		}
		if len(res.Rows) == 1 && string(res.Rows[0][0]) == price {
			return time.Since(begin), nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("the save of %d did not come: %w", id, ctx.Err())
		}
	}
}

// bodies keeps what is sent.
type bodies struct {
	mu   sync.Mutex
	sent [][]byte
	keep bool
}

func (b *bodies) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what did not come is refused by the handler
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		if b.keep {
			b.sent = append(b.sent, body)
		}
		b.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// pimScan reads all products by the connector, and lets a bare client send the same requests and read the answers: as
// many in flight, in turns, so that what slows the machine slows both.
func pimScan(ctx context.Context, srv *sandbox.Server, plain string, slow bool) (string, error) {
	var rec bodies
	web, url, err := serve(ctx, rec.before(srv))
	if err != nil {
		return "", err
	}
	defer web.Close()
	open := func(url string) (lockstep.System, error) {
		return pimcore.Connector.Open(ctx, lockstep.Settings{"url": url + srv.Path(), "api_key": srv.Key(), "languages": []string{"en", "de"}, "version": "11", "page": int64(100), "timeout": time.Minute, "concurrency": int64(2)})
	}
	watched, err := open(url)
	if err != nil {
		return "", err
	}
	defer watched.Close()
	ours, err := open(plain)
	if err != nil {
		return "", err
	}
	defer ours.Close()
	for _, s := range []lockstep.System{watched, ours} { // the schema is known then
		if _, err := pimRead(ctx, s); err != nil {
			return "", err
		}
	}
	rec.keep = true
	products, err := pimRead(ctx, watched)
	if err != nil {
		return "", err
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	scans := pimScans
	if slow {
		scans = 5
	}
	var own, bare time.Duration
	for range scans {
		at := time.Now()
		if err := pimBare(ctx, client, plain+srv.Path(), srv.Key(), rec.sent); err != nil {
			return "", err
		}
		bare += time.Since(at)
		at = time.Now()
		if _, err := pimRead(ctx, ours); err != nil {
			return "", err
		}
		own += time.Since(at)
	}
	n := float64(products * scans)
	return fmt.Sprintf("%.0f products a second, a bare client %.0f: %.2f", n/own.Seconds(), n/bare.Seconds(), bare.Seconds()/own.Seconds()), nil
}

// pimRead reads all products.
func pimRead(ctx context.Context, s lockstep.System) (n int, err error) {
	r := lockstep.Read{Stream: "Product", Fields: []string{"sku", "name_en", "name_de", "description_en", "price", "stock", "published", "weight", "weight_unit", "categories", "manufacturer", "mainImage", "power", "fullpath"}}
	var from lockstep.Position
	for more := true; more; {
		p, err := s.(lockstep.Source).Scan(ctx, r, from, lockstep.Limit{})
		if err != nil {
			return 0, err
		}
		n += len(p.Changes)
		from, more = p.Next, p.More
	}
	return n, nil
}

// pimBare sends requests, one after another as a scan has to.
func pimBare(ctx context.Context, client *http.Client, url, key string, bodies [][]byte) error {
	for _, body := range bodies {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-API-Key", key)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
	}
	return nil
}
