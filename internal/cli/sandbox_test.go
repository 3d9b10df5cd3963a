package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The configuration that the stand-in prints brings its catalogue into a file, and an edit follows.
func TestSandboxPimcore(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(filepath.Join(binary(t), "lockstep"), "sandbox", "pimcore", "--listen", "127.0.0.1:0", "--products", "20", "--json")
	cmd.Dir = dir
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var told struct{ Control, Config string }
	if err := json.NewDecoder(pipe).Decode(&told); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(told.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "--connect"}, {"sync"}, {"verify"}} {
		if out, code := command(t, dir, args...); code != 0 {
			t.Fatalf("lockstep %v: exit code %d\n%s", args, code, out)
		}
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Post(told.Control+"save", "application/json", strings.NewReader(`{"id": 30, "values": {"price": 12345.5}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("the edit was refused: %s", resp.Status)
	}
	if out, code := command(t, dir, "sync"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if got := queryText(t, filepath.Join(dir, "products.db"), "SELECT count(*) FROM products WHERE price = 12345.5"); got != "1" {
		t.Errorf("%s products have the new price", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// The configuration that the Magento stand-in prints reads it, and an edit follows.
func TestSandboxMagento(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(filepath.Join(binary(t), "lockstep"), "sandbox", "magento", "--listen", "127.0.0.1:0", "--products", "9", "--catalogue", "20", "--json")
	cmd.Dir = dir
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var told struct{ Control, Config string }
	if err := json.NewDecoder(pipe).Decode(&told); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(told.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "--connect"}, {"sync"}, {"verify"}} {
		if out, code := command(t, dir, args...); code != 0 {
			t.Fatalf("lockstep %v: exit code %d\n%s", args, code, out)
		}
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Post(told.Control+"edit", "application/json", strings.NewReader(`{"sku": "P-7", "view": "de", "values": {"name": "Sieben"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("the edit was refused: %s", resp.Status)
	}
	if out, code := command(t, dir, "sync"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if got := queryText(t, filepath.Join(dir, "products.db"), "SELECT count(*) FROM products WHERE name_de = 'Sieben'"); got != "1" {
		t.Errorf("%s products have the new name", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestSandboxRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"sandbox", "shopify"}, {"sandbox", "pimcore", "--fail", "418:0.1"}, {"sandbox", "pimcore", "--edit", "often"}, {"sandbox", "pimcore", "--version", "9"},
		{"sandbox", "pimcore", "--hook", "http://127.0.0.1:1/x"}, {"sandbox", "pimcore", "--control-anywhere"}, {"sandbox", "pimcore", "--key", "short"},
		{"sandbox", "magento", "--fail", "418:0.1"}, {"sandbox", "magento", "--edit", "often"}, {"sandbox", "magento", "--control-anywhere"},
		{"sandbox", "magento", "--views", "all"}, {"sandbox", "magento", "--maintenance", "xml"}, {"sandbox", "magento", "--products", "-1"},
	} {
		if out, code := command(t, t.TempDir(), args...); code != int(ExitUsage) {
			t.Errorf("lockstep %v: exit code %d\n%s", args, code, out)
		}
	}
}
