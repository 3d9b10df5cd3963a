package trial

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const bundleDir = "../../contrib/pimcore"

// php is PHP's interpreter with curl. Without it the test is skipped; with LOCKSTEP_CI=1 it fails.
func php(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("php")
	if err == nil {
		err = exec.CommandContext(t.Context(), path, "-r", `exit(extension_loaded("curl") ? 0 : 1);`).Run()
	}
	if err != nil && os.Getenv("LOCKSTEP_CI") != "1" {
		t.Skip("NO PHP with curl: ", err)
	}
	if err != nil {
		t.Fatal("PHP with curl: ", err)
	}
	return path
}

// Every file of the bundle is PHP.
func TestBundleSyntax(t *testing.T) {
	t.Parallel()
	php, files := php(t), 0
	err := filepath.WalkDir(bundleDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".php" {
			return err
		}
		files++
		if out, err := exec.CommandContext(t.Context(), php, "-l", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", path, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d files", files)
	}
}

// The bundle's own tests, in PHP.
func TestBundle(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), php(t), filepath.Join(bundleDir, "tests/run.php")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAIL") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The bundle in a container of Symfony.
func TestBundleInSymfony(t *testing.T) {
	t.Parallel()
	php := php(t)
	for _, part := range []string{"Config", "Console", "DependencyInjection", "EventDispatcher", "HttpKernel"} {
		_, err := os.Stat("/usr/share/php/Symfony/Component/" + part + "/autoload.php")
		if errors.Is(err, fs.ErrNotExist) && os.Getenv("LOCKSTEP_CI") != "1" {
			t.Skip("NO SYMFONY: Debian's php-symfony-* are not installed")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), php, filepath.Join(bundleDir, "tests/symfony.php")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
