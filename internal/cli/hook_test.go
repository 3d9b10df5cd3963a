package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/webhook"
)

const hookSecret = "the secret of this hook"

// hookFolder is folder with an API, whose source was edited behind the tracker's back: only a hint brings that over.
// more goes into the flow.
func hookFolder(t *testing.T, n int) (dir, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	dir = folder(t, n)
	hookConfig(t, dir, address, "")
	if _, code := command(t, dir, "sync", "-q"); code != 0 {
		t.Fatal("the first sync")
	}
	execSQL(t, filepath.Join(dir, "pim.db"), `UPDATE product SET name = name || '!'`)
	return dir, address
}

func hookConfig(t *testing.T, dir, address, more string) {
	t.Helper()
	text := "api: {listen: '" + address + "'}\n" + strings.Replace(runConfig, "every: 100ms", "every: 1h", 1) + "    hook: {secrets: [" + hookSecret + "]}\n" + more
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// post sends a signed notice of one key and tells whether it was taken.
func post(address, key string) bool {
	body := fmt.Appendf(nil, `{"keys":[%q]}`, key)
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/hooks/products", bytes.NewReader(body))
	if err != nil {
		return false
	}
	webhook.Sign(req.Header, body, time.Now(), hookSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted
}

// A notice that was answered is in the queue, whatever becomes of the process; and the next one delivers it.
func TestKilledAfterTheAnswer(t *testing.T) {
	const n = 400
	dir, address := hookFolder(t, n)
	hookConfig(t, dir, address, "    deliver: {rate: 1/min, batch: 1}\n") // what is taken stays in the queue
	taken := map[string]bool{}
	for round := range 3 {
		c := start(t, dir, "run")
		c.until(t, "the HTTP API answers")
		go func() { // it says more than anybody reads
			for range c.lines {
			}
		}()
		var mu sync.Mutex
		var senders sync.WaitGroup
		for s := range 8 {
			senders.Go(func() {
				for i := s; i < n*(round+1)/3; i += 8 {
					key := fmt.Sprint(i + 1)
					mu.Lock()
					known := taken[key]
					mu.Unlock()
					if !known && post(address, key) {
						mu.Lock()
						taken[key] = true
						if len(taken) == (round+1)*100 { // in the middle of it
							_ = c.Process.Kill()
						}
						mu.Unlock()
					}
				}
			})
		}
		senders.Wait()
		_ = c.Process.Kill()
		_ = c.Wait()
		out, code := command(t, dir, "queue", "--json", "--limit", "1000")
		if code != 0 {
			t.Fatal(code, out)
		}
		open := map[string]bool{}
		for line := range strings.Lines(out) {
			var e struct{ Entry struct{ Key string } }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			open[e.Entry.Key] = true
		}
		if len(open) < len(taken)/2 {
			t.Fatalf("round %d: of %d notices only %d are left to look for", round, len(taken), len(open))
		}
		for key := range taken {
			if name := queryText(t, filepath.Join(dir, "shop.db"), `SELECT name FROM product WHERE id = `+key); !open[key] && !strings.HasSuffix(name, "!") {
				t.Errorf("round %d: the notice of %s was taken, and is lost", round, key)
			}
		}
	}
	hookConfig(t, dir, address, "")
	if out, code := command(t, dir, "sync", "-q"); code != 0 {
		t.Fatal(code, out)
	}
	for key := range taken {
		if name := queryText(t, filepath.Join(dir, "shop.db"), `SELECT name FROM product WHERE id = `+key); !strings.HasSuffix(name, "!") {
			t.Errorf("%s is %q in the target", key, name)
		}
	}
}

// The commands that try a hook: what they sign is taken, by curl as well where there is one, and the status names the address.
func TestHookCommands(t *testing.T) {
	dir, address := hookFolder(t, 3)
	c := start(t, dir, "run")
	c.until(t, "the HTTP API answers")
	if out, code := command(t, dir, "hook", "send", "products", "1", "2"); code != 0 || out != "taken: 2 records to look at\n" {
		t.Errorf("%d %s", code, out)
	}
	if out, code := command(t, dir, "hook", "send", "products", "1", "--json"); code != 0 || out != `{"keys":1}`+"\n" {
		t.Errorf("%d %s", code, out)
	}
	body := filepath.Join(dir, "notice.json")
	if err := os.WriteFile(body, []byte(`{"keys":["3"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, []byte("a secret of somebody else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code := command(t, dir, "hook", "send", "products", "1", "--secret-file", wrong); code != int(ExitUsage) && code != int(ExitError) {
		t.Errorf("a wrong secret: %d", code)
	}
	for _, args := range [][]string{{"hook"}, {"hook", "sign", "products"}, {"hook", "sign", "--body", body}, {"hook", "send", "products"}, {"hook", "send", "nothing", "1"}} {
		if out, code := command(t, dir, args...); code != int(ExitUsage) {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	headers, code := command(t, dir, "hook", "sign", "products", "--body", body)
	if code != 0 || strings.Contains(headers, hookSecret) {
		t.Fatal(code, headers)
	}
	if curl, err := exec.LookPath("curl"); err == nil {
		file := filepath.Join(dir, "headers")
		if err := os.WriteFile(file, []byte(headers), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(curl, "-sS", "-H", "@"+file, "--data-binary", "@"+body, "http://"+address+"/hooks/products").CombinedOutput()
		if err != nil || string(out) != `{"keys":1}`+"\n" {
			t.Errorf("%s %v", out, err)
		}
	}
	for _, args := range [][]string{{"status"}, {"status", "products"}} {
		if out, _ := command(t, dir, args...); !strings.Contains(out, "http://"+address) {
			t.Errorf("%v: %s", args, out)
		}
	}
	for key := range slices.Values([]string{"1", "2", "3"}) {
		for !strings.HasSuffix(queryText(t, filepath.Join(dir, "shop.db"), `SELECT name FROM product WHERE id = `+key), "!") {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.stderr.String())
	}
}

// What pushes and pulls in docs/api.md.
const (
	exampleSystems = `  erp: {type: api, streams: {articles: {key: [sku], fields: [sku text, name text, "price decimal(12,2)", changed instant]}}}
  puller: {type: api, streams: {products: {key: [id], server_keys: true, fields: [id int, name text]}}}
`
	exampleFlows = `  articles:
    from: {system: erp, stream: articles, track: {by: push}}
    to: {system: shop, stream: articles}
    map: {sku: sku, name: name, price: price}
  to_shop:
    from: {system: pim, stream: product, track: {by: snapshot, every: 1h}}
    to: {system: puller, stream: products}
    map: {name: name}
`
)

// The shell examples of docs/api.md do what they say, with openssl and curl as others have them.
func TestExamplesOfTheDocs(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```sh\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("%d examples", len(blocks))
	}
	script := "set -e\n"
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		script += code + "\necho\n"
	}
	dir, address := hookFolder(t, 20)
	config, err := os.ReadFile(filepath.Join(dir, "lockstep.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("api: {"), []byte("api: {tokens: {erp: {token: 'a token for the examples', may: [run, read, push, pull]}}, "), 1)
	config = bytes.Replace(config, []byte("systems:\n"), []byte("systems:\n"+exampleSystems), 1)
	config = append(config, exampleFlows...)
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	execSQL(t, filepath.Join(dir, "shop.db"), `CREATE TABLE articles (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2), changed TEXT)`)
	c := start(t, dir, "run")
	c.until(t, "running")           // the flows are built
	c.until(t, "flow=to_shop run=") // and what is to be pulled is on its way to the queue
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "LOCKSTEP=http://"+address, "HOOK_SECRET="+hookSecret, "ERP_TOKEN=a token for the examples")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `{"keys":2}`) || !strings.Contains(string(out), `"kind":"full"`) || !strings.Contains(string(out), `{"accepted":2}`) ||
		!strings.Contains(string(out), `"records":[{"id":`) || strings.Contains(string(out), `"code"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
