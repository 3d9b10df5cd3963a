package mysql_test

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/mysql"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type system interface {
	lockstep.System
	lockstep.Source
	lockstep.Target
	lockstep.Creator
	lockstep.Examiner
}

func open(t testing.TB, s lockstep.Settings) system {
	t.Helper()
	sys, err := mysql.Connector.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Close(); err != nil {
			t.Error(err)
		}
	})
	return sys.(system)
}

func fresh(t testing.TB) (system, string) {
	dsn := testkit.MariaDB(t)
	return open(t, lockstep.Settings{"dsn": dsn}), dsn
}

func products() lockstep.Stream {
	return lockstep.Stream{Name: "products", Key: []string{"id"}, Fields: []lockstep.Field{
		{Name: "id", Type: value.Type{Kind: value.IntType}},
		{Name: "sku", Type: value.Type{Kind: value.TextType}},
		{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 4}, Nullable: true},
		{Name: "updated_at", Type: value.Type{Kind: value.InstantType, Unit: time.Microsecond}, Nullable: true},
	}}
}

func TestWriteAndRead(t *testing.T) {
	s, _ := fresh(t)
	if _, err := s.Create(t.Context(), products(), false); err != nil {
		t.Fatal(err)
	}
	price, _ := value.ParseDecimal("12345678.1200")
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	writes := []lockstep.Write{
		{Key: "1", Fields: value.F("id", 1, "sku", "a", "price", price, "updated_at", at)},
		{Key: "2", Fields: value.F("id", 2, "sku", "b", "price", nil, "updated_at", at)},
		{Key: "2", Fields: value.F("price", 5)}, // some fields of a row that is there
	}
	if _, err := s.Apply(t.Context(), "products", writes); err != nil {
		t.Fatal(err)
	}
	r := lockstep.Read{Stream: "products", Fields: []string{"price", "sku", "updated_at"}}
	page, err := s.Scan(t.Context(), r, nil, lockstep.Limit{Rows: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Changes) != 1 || !page.More {
		t.Fatalf("page %+v", page)
	}
	got := page.Changes[0].Record
	if want := value.F("price", price, "sku", "a", "updated_at", at); got.Key != "1" || !got.Fields.Equal(want) {
		t.Fatalf("got %s %s", got.Key, value.AppendFields(nil, got.Fields))
	}
	page, err = s.Scan(t.Context(), r, page.Next, lockstep.Limit{Rows: 10})
	if err != nil || len(page.Changes) != 1 || page.More || page.Changes[0].Record.Key != "2" {
		t.Fatalf("page %+v, %v", page, err)
	}
	if _, err := s.Apply(t.Context(), "products", []lockstep.Write{{Op: lockstep.Delete, Key: "1"}, {Op: lockstep.Delete, Key: "9"}}); err != nil {
		t.Fatal(err)
	}
	records, err := s.Fetch(t.Context(), r, []lockstep.Key{"1", "2", "3"})
	if err != nil || len(records) != 1 || records[0].Key != "2" {
		t.Fatalf("records %+v, %v", records, err)
	}
}
