package mariaserver

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestServer(t *testing.T) {
	s, err := Start(t.Context(), Fast, Binlog, map[string]string{"default_time_zone": "-05:00"})
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Exec(t.Context(), "", "create database shop", "create table shop.a (b int)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "shop", "select 1 from nosuch"); err == nil || !strings.Contains(err.Error(), "doesn't exist") {
		t.Errorf("a statement that fails must fail: %v", err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := s.Client(t.Context(), "shop", "-N", "-e", "select @@sync_binlog, @@binlog_format, @@time_zone, count(*) from a").Output()
	if err != nil || string(out) != "0\tROW\t-05:00\t0\n" {
		t.Errorf("settings not taken, or the table is gone: %q %v", out, err)
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
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Fatalf("want an error that names the setting, got %v, %v", s, err)
	}
}
