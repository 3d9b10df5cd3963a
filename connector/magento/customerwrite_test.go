package magento

import (
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

func TestCustomersAreWritten(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	home := map[string]any{"firstname": "Ann", "lastname": "Lee", "street": []any{"Main 1"}, "city": "Berlin", "postcode": "10115", "country_id": "DE", "telephone": "1"}
	full := []any{"email", "ann@example.test", "firstname", "Ann", "lastname", "Lee", "addresses", []any{home}}
	ann, got := b.to(customersStream, lockstep.Write{Fields: value.F(full...)})
	if !slices.Equal(got, []string{"POST all/V1/customers"}) || ann.Key == "" || ann.Version == "" {
		t.Fatalf("a new one: %+v by %v", ann, got)
	}
	if _, got := b.to(customersStream, lockstep.Write{Key: ann.Key, Fields: value.F(full...)}); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	if _, got := b.to(customersStream, lockstep.Write{Key: ann.Key, Fields: value.F("firstname", "Anna")}); len(got) != 1 {
		t.Errorf("renamed: %v", got)
	}
	c := b.read("all/V1/customers/" + string(ann.Key))
	if list, _ := c["addresses"].([]any); c["firstname"] != "Anna" || c["email"] != "ann@example.test" || len(list) != 1 || c["website_id"] != 1.0 {
		t.Errorf("renamed: %v", c)
	}
	b.to(customersStream, lockstep.Write{Key: ann.Key, Fields: value.F("addresses", []any{})})
	if list, _ := b.read("all/V1/customers/" + string(ann.Key))["addresses"].([]any); len(list) != 0 {
		t.Errorf("no address is wanted: %v", list)
	}
	b.refused(customersStream, lockstep.Write{Fields: value.F(full...)}, lockstep.CodeUnique)
	b.refused(customersStream, lockstep.Write{Key: ann.Key, IfVersion: "2000-01-01 00:00:00", Fields: value.F("firstname", "x")}, lockstep.CodeVersionMoved)
	b.refused(customersStream, lockstep.Write{Key: "4711", Fields: value.F("firstname", "x")}, lockstep.CodeGone)
	b.to(customersStream, lockstep.Write{Op: lockstep.Delete, Key: ann.Key})
	b.to(customersStream, lockstep.Write{Op: lockstep.Delete, Key: ann.Key}) // again
}
