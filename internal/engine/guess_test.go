package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// A hint whose delivery was cut off keeps no image. If its record is gone by the next try, the key alone says where a
// create would have gone: where nothing is there, nothing is open; what is there may be somebody else's (law 9).
func TestUnknownOutcomeOfAHint(t *testing.T) {
	for name, made := range map[string]bool{"the create took effect": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorld(t), store.New()
			defer s.Close()
			e := w.engine(s)
			w.sync(e, true)
			if err := w.a.ForgetLog("products"); err != nil {
				t.Fatal(err)
			}
			w.put("products", 7, "n", "1.00")
			if err := s.Hint(context.Background(), "products", []lockstep.Key{"7"}); err != nil {
				t.Fatal(err)
			}
			w.b.SetHook(func(c memory.Call) error {
				if c.Name == "Apply" && c.After == made {
					return lockstep.NewFault(lockstep.CodeNetwork, errors.New("cut off")).Maybe()
				}
				return nil
			})
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.b.SetHook(nil)
			if n := w.b.Len("products"); (n == 1) != made {
				t.Fatalf("%d records in the target", n)
			}
			w.a.Delete("products", "7")
			time.Sleep(150 * time.Millisecond) // the retry's pause
			if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
				t.Fatal(err)
			}
			all := entries(t, s, "")
			switch {
			case made && (len(all) != 1 || all[0].State != lockstep.Parked || all[0].Fault.Code != lockstep.CodeBlind || w.b.Len("products") != 1):
				t.Errorf("want it parked: %+v", all)
			case !made && len(all) != 0:
				t.Errorf("want nothing open: %+v", all)
			}
		})
	}
}

func TestKeyValues(t *testing.T) {
	at := time.Date(2026, 11, 24, 1, 2, 3, 456789000, time.UTC)
	d, err := value.ParseDecimal("12.5")
	if err != nil {
		t.Fatal(err)
	}
	for kind, v := range map[value.TypeKind]value.Value{
		value.TextType: value.Text("ä,[\"1\"]"), value.IntType: value.Int(-12), value.DecimalType: value.FromDecimal(d),
		value.BytesType: value.Bytes([]byte{0, 255}), value.InstantType: value.Time(at), value.UUIDType: value.Text("x"),
	} {
		text, _ := v.KeyText()
		got, ok := keyValue(kind, text)
		if back, _ := got.KeyText(); ok != (kind != value.UUIDType) || ok && back != text {
			t.Errorf("%s: %q became %q", kind, text, back)
		}
	}
}
