package pgserver

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestServer(t *testing.T) {
	s, err := Start(t.Context(), Fast)
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Exec(t.Context(), "postgres", "create database shop", "create table a (b int)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "shop", "select 1 from a"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a statement that fails must fail: %v", err)
	}
	out, err := s.Psql(t.Context(), "shop", "-At", "-c", "show fsync").Output()
	if err != nil || string(out) != "off\n" {
		t.Errorf("setting not taken: %q %v", out, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error("a second Stop:", err)
	}
}

func TestStartFails(t *testing.T) {
	s, err := Start(t.Context(), map[string]string{"no_such_setting": "1"})
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Fatalf("want an error that names the setting, got %v, %v", s, err)
	}
}
