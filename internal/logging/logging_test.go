package logging

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/config"
)

func TestFormats(t *testing.T) {
	var b strings.Builder
	log, err := New(&b, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("not shown")
	log.Warn("flow pauses", Flow, "products", Err, errors.New("no answer"))
	var line map[string]any
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if line["level"] != "WARN" || line["msg"] != "flow pauses" || line["flow"] != "products" || line["err"] != "no answer" {
		t.Errorf("the line is %v", line)
	}
	b.Reset()
	if log, err = New(&b, "debug", "text"); err != nil {
		t.Fatal(err)
	}
	log.Debug("captured", Changes, 3)
	if !strings.Contains(b.String(), "level=DEBUG msg=captured changes=3") {
		t.Errorf("the line is %q", b.String())
	}
	for _, bad := range [][2]string{{"loud", "text"}, {"info+1", "text"}, {"info", "xml"}} {
		if _, err := New(&b, bad[0], bad[1]); err == nil {
			t.Errorf("New took level %q, format %q", bad[0], bad[1])
		}
	}
}

func TestSecretsStayIn(t *testing.T) {
	type settings struct{ DSN string }
	mask := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
	for _, format := range []string{"text", "json"} {
		var b strings.Builder
		log, err := New(&b, "debug", format, mask)
		if err != nil {
			t.Fatal(err)
		}
		log.Error("cannot connect with hunter2", Err, errors.New("dial postgres://u:hunter2@h/db"), "settings", settings{"hunter2"},
			slog.Group("nested", "dsn", "hunter2"), "secret", config.NewSecret("hunter2"))
		log.With("dsn", "hunter2").Info("again")
		if strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s shows the secret: %s", format, b.String())
		}
		if strings.Count(b.String(), "***") < 6 {
			t.Errorf("%s lost something: %s", format, b.String())
		}
	}
}
