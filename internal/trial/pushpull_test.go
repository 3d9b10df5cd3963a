package trial

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const callerToken = "a-token-of-a-program"

const pullYAML = `
api: {listen: "%s", tokens: {program: {token: ` + callerToken + `, may: [pull]}}}
systems:
  src:  {type: sqlite, path: src.db}
  shop: {type: api, streams: {item: {key: [id], fields: [id int, name text, qty int]}}}
flows:
  items:
    from: {system: src, stream: item, track: {by: trigger, every: 100ms}}
    to:   {system: shop, stream: item}
    deliver: {retry: {attempts: 100, from: 100ms, to: 1s}}
`

// program calls the daemon.
type program struct {
	t    *testing.T
	base string
	http *http.Client
}

func programOf(t *testing.T, d *daemon) *program {
	c := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	t.Cleanup(c.CloseIdleConnections)
	return &program{t, "http://" + d.address, c}
}

// post gives the status, 0 where there is no answer.
func (p *program) post(ctx context.Context, path string, in, out any) int {
	body, err := json.Marshal(in)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, bytes.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+callerToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		if err := json.Unmarshal(text, out); err != nil {
			p.t.Errorf("%s: %v: %s", path, err, text)
		}
	case resp.StatusCode < 500 && resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusConflict && resp.StatusCode != http.StatusTooManyRequests:
		p.t.Errorf("%s: %d %s", path, resp.StatusCode, text)
	}
	return resp.StatusCode
}

type leased struct {
	Lease   string
	Until   time.Time
	Records []struct {
		ID, Op string
		Source string `json:"source_key"`
		Key    string
		Fields struct {
			ID   int
			Name *string
			Qty  *int
		}
	}
}

type result struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// puller pulls into a database, and is killed now and then.
type pullClient struct {
	*program
	db     *sql.DB
	rng    *rand.Rand
	doomed *atomic.Bool // whether it is killed, and loses answers
	lost   int
	again  *atomic.Int64 // records that came again under an id that was done
}

func (c *pullClient) round(ctx context.Context) {
	var in leased
	ask := map[string]any{"max": 1 + c.rng.IntN(40), "ttl": "3s", "wait": "500ms"}
	if c.post(ctx, "/v1/flows/items/lease", ask, &in) != http.StatusOK {
		time.Sleep(20 * time.Millisecond)
		return
	}
	dies := len(in.Records) // at which record
	if c.doomed.Load() && c.rng.IntN(5) == 0 {
		dies = c.rng.IntN(len(in.Records) + 1)
		defer func() { c.lost++ }()
	}
	var results []result
	for i, r := range in.Records {
		if i == dies || time.Until(in.Until) < time.Second { // it must not go on with what may be another's soon
			return
		}
		if err := c.write(i, in); err != nil {
			c.t.Error(err)
			return
		}
		results = append(results, result{r.ID, "done"})
	}
	if len(results) == 0 || dies < len(in.Records) || c.doomed.Load() && c.rng.IntN(5) == 0 { // the answer is lost
		return
	}
	var out struct{ Settled, Repeated, Left int }
	if status := c.post(ctx, "/v1/flows/items/settle", map[string]any{"lease": in.Lease, "results": results}, &out); status == http.StatusOK && out.Settled != len(results) {
		c.t.Errorf("%d of %d settled: %+v", out.Settled, len(results), out)
	}
}

// write does a record and notes its id in one transaction. One whose id is known is done.
func (c *pullClient) write(i int, in leased) error {
	r := in.Records[i]
	tx, err := c.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	done, err := tx.Exec("INSERT OR IGNORE INTO known VALUES (?)", r.ID)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		c.again.Add(1)
		return err
	}
	if r.Op == "delete" {
		_, err = tx.Exec("DELETE FROM item WHERE id = ?", r.Source)
	} else {
		_, err = tx.Exec("INSERT INTO item VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, qty = excluded.qty", r.Fields.ID, r.Fields.Name, r.Fields.Qty)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Three programs pull from one SQLite database into another, are killed in the middle and lose a fifth of their answers,
// while the records change and the daemon is killed with leases open. They take an id that they know as done.
func TestPulledIntoASecondDatabase(t *testing.T) {
	t.Parallel()
	kills, edits := 12, 4000
	if testing.Short() {
		kills, edits = 5, 1500
	}
	d := newDaemon(t, pullYAML)
	src := openDB(t, "sqlite", filepath.Join(d.dir, "src.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)")
	dst := openDB(t, "sqlite", filepath.Join(d.dir, "dst.db")+"?_pragma=busy_timeout(20000)&_txlock=immediate&_pragma=synchronous(off)")
	dst.SetMaxOpenConns(1)
	execAll(t, src, `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, qty INTEGER)`,
		`INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) SELECT i, 'first ' || i, i FROM n`)
	execAll(t, dst, `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, qty INTEGER)`, `CREATE TABLE known (id TEXT PRIMARY KEY)`)
	d.command("track", "install", "items")
	d.start()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var doomed atomic.Bool
	var again atomic.Int64
	doomed.Store(true)
	var wg sync.WaitGroup
	clients := make([]*pullClient, 3)
	for n := range clients {
		clients[n] = &pullClient{program: programOf(t, d), db: dst, rng: rand.New(rand.NewPCG(1, uint64(n))), doomed: &doomed, again: &again}
		wg.Go(func() {
			for ctx.Err() == nil {
				clients[n].round(ctx)
			}
		})
	}
	t.Cleanup(wg.Wait)
	t.Cleanup(stop)
	rng := rand.New(rand.NewPCG(7, 7))
	for kill := range kills {
		for range edits / kills {
			id := 1 + rng.IntN(400)
			switch rng.IntN(6) {
			case 0:
				execAll(t, src, fmt.Sprintf("DELETE FROM item WHERE id = %d", id))
			default:
				execAll(t, src, fmt.Sprintf("INSERT INTO item VALUES (%d, 'name %d', %d) ON CONFLICT (id) DO UPDATE SET name = excluded.name, qty = excluded.qty", id, rng.IntN(3), rng.IntN(2)))
			}
		}
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		d.kill()
		if kill%2 == 0 {
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		}
		d.start()
	}
	time.Sleep(2 * time.Second)
	doomed.Store(false)
	const all = "SELECT id, name, qty FROM item ORDER BY id"
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.log())
		}
	})
	until(t, "both databases are equal", func() bool { return slices.Equal(rows(t, src, all), rows(t, dst, all)) })
	until(t, "nothing waits", func() bool {
		var status []struct{ Ready, Delayed, Waiting, Leased, Parked int }
		out := d.command("status", "--json")
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			for line := range strings.Lines(out) {
				var one struct {
					Status struct{ Ready, Delayed, Waiting, Leased, Parked int }
				}
				if json.Unmarshal([]byte(line), &one) == nil {
					status = append(status, one.Status)
				}
			}
		}
		return len(status) == 1 && status[0].Ready+status[0].Delayed+status[0].Waiting+status[0].Leased+status[0].Parked == 0
	})
	sameRows(t, "item", rows(t, src, all), rows(t, dst, all))
	lost := 0
	for _, c := range clients {
		lost += c.lost
	}
	if lost == 0 || again.Load() == 0 {
		t.Errorf("%d clients were killed, and %d records came again: that proves nothing", lost, again.Load())
	}
	t.Logf("%d kills of the daemon, %d of clients, %d records came again under their id", kills, lost, again.Load())
}

const pushYAML = `
api: {listen: "%s", tokens: {program: {token: ` + callerToken + `, may: [push]}}}
systems:
  erp: {type: api, streams: {item: {key: [id], fields: [id int, name text, "price decimal(10,2)"]}}}
  pg:  {type: postgres, dsn: "DSN"}
flows:
  items:
    from: {system: erp, stream: item, track: {by: push}}
    to:   {system: pg, stream: item}
    deliver: {retry: {attempts: 100, from: 100ms, to: 1s}}
`

// Two programs push what they have, again and again until they are told that it is taken, into PostgreSQL, while the
// daemon is killed.
func TestPushedIntoPostgres(t *testing.T) {
	t.Parallel()
	kills := 12
	if testing.Short() {
		kills = 5
	}
	dsn := testkit.Postgres(t)
	pg := openDB(t, "pgx", dsn)
	execAll(t, pg, `CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2))`)
	d := newDaemon(t, strings.ReplaceAll(strings.ReplaceAll(pushYAML, "DSN", strings.ReplaceAll(dsn, "%", "%%")), "%%s", "%s"))
	d.start()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	truth := make([]map[int]string, 2)
	var refused, taken, tries atomic.Int64
	var wg sync.WaitGroup
	for n := range truth {
		p, rng := programOf(t, d), rand.New(rand.NewPCG(2, uint64(n)))
		truth[n] = map[int]string{}
		wg.Go(func() {
			for ctx.Err() == nil {
				var changes []map[string]any
				for range 1 + rng.IntN(50) {
					id := n*1000 + rng.IntN(200)
					if rng.IntN(6) == 0 {
						delete(truth[n], id)
						changes = append(changes, map[string]any{"op": "delete", "key": fmt.Sprint(id)})
						continue
					}
					price := fmt.Sprintf("%d.%02d", rng.IntN(3), rng.IntN(100))
					truth[n][id] = price
					changes = append(changes, map[string]any{"fields": map[string]any{"id": id, "name": "item", "price": price}})
				}
				changes = append(changes, map[string]any{"key": "no number"}) // its neighbours go on
				for {
					var out struct {
						Accepted int
						Refused  []any
						Missing  []string
					}
					tries.Add(1)
					if p.post(context.Background(), "/v1/flows/items/changes", map[string]any{"changes": changes}, &out) != http.StatusOK {
						time.Sleep(20 * time.Millisecond)
						continue
					}
					if out.Accepted != len(changes)-1 || len(out.Refused) != 1 || len(out.Missing) != 0 {
						t.Errorf("%+v", out)
					}
					refused.Add(1)
					taken.Add(int64(out.Accepted))
					break
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for range kills {
		time.Sleep(time.Duration(500+rng.IntN(1000)) * time.Millisecond)
		d.kill()
		d.start()
	}
	stop()
	wg.Wait()
	var want []string
	for n := range truth {
		for id, price := range truth[n] {
			want = append(want, fmt.Sprintf("'%d'|'item'|'%s'", id, price))
		}
	}
	slices.Sort(want)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.log())
		}
	})
	got := func() []string {
		out := rows(t, pg, "SELECT id, name, price FROM item")
		slices.Sort(out)
		return out
	}
	until(t, "PostgreSQL has what was pushed", func() bool { return slices.Equal(got(), want) })
	sameRows(t, "item", got(), want)
	t.Logf("%d kills, %d pushes of which %d were tried again, %d changes", kills, refused.Load(), tries.Load()-refused.Load(), taken.Load())
}
