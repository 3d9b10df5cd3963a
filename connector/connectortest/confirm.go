package connectortest

import (
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// mostConfirm is how long an operation of the suite may take.
const mostConfirm = 30 * time.Second

// settled asks about writes that were accepted until all are done.
func (b *bench) settled(stream string, results []lockstep.Result) []lockstep.Result {
	b.Helper()
	results = slices.Clone(results)
	for end := time.Now().Add(mostConfirm); ; time.Sleep(5 * time.Millisecond) {
		var receipts []string
		var at []int
		for i, r := range results {
			if r.Receipt != "" {
				receipts, at = append(receipts, r.Receipt), append(at, i)
			}
		}
		if len(at) == 0 {
			return results
		}
		if time.Now().After(end) {
			b.Fatalf("%d operations are still not done", len(at))
		}
		for i, r := range b.confirm(stream, receipts...) {
			results[at[i]] = r
		}
	}
}

// confirm asks once.
func (b *bench) confirm(stream string, receipts ...string) []lockstep.Result {
	b.Helper()
	c, ok := b.sys.(lockstep.Confirmer)
	if !ok {
		b.Fatal("a write was answered with a receipt, and the system is no Confirmer")
	}
	results, err := c.Confirm(b.Context(), stream, receipts)
	if err != nil {
		b.Fatalf("Confirm: %v", err)
	}
	if len(results) != len(receipts) {
		b.Fatalf("Confirm answered %d of %d receipts", len(results), len(receipts))
	}
	return results
}

// accepted applies writes that must be accepted for later.
func (b *bench) accepted(writes ...lockstep.Write) []lockstep.Result {
	b.Helper()
	results := b.forLater(writes...)
	for i, r := range results {
		if r.Receipt == "" {
			b.Fatalf("write %d was not accepted for later: %+v", i, r)
		}
	}
	return results
}

// forLater applies writes that may be done later. What is level already may be answered at once.
func (b *bench) forLater(writes ...lockstep.Write) []lockstep.Result {
	b.Helper()
	for i := range writes {
		writes[i].ID, writes[i].Transfer = b.Name()+string(writes[i].Key), lockstep.BulkTransfer
	}
	results, err := b.target().Apply(b.Context(), "item", writes)
	if err != nil || len(results) != len(writes) {
		b.Fatalf("Apply: %v %v", results, err)
	}
	for i, r := range results {
		if r.Err != nil {
			b.Fatalf("write %d was not accepted for later: %+v", i, r)
		}
		if len(r.Receipt) > 4096 || !utf8.ValidString(r.Receipt) {
			b.Errorf("a receipt of %d bytes; it is a short text", len(r.Receipt))
		}
	}
	return results
}

func receiptsOf(results []lockstep.Result) []string {
	out := make([]string, len(results))
	for i, r := range results {
		out[i] = r.Receipt
	}
	return out
}

// beginLater opens a place whose stream item accepts writes for later.
func beginLater(t *testing.T, h Harness) *bench {
	t.Helper()
	b := &bench{T: t, h: h, place: h.Later(t)}
	b.reopen()
	t.Cleanup(func() { _ = b.sys.Close() })
	if !b.stream("item").Bulk {
		t.Error("a stream that does writes later says so: Stream.Bulk")
	}
	return b
}

var confirmTests = map[string]func(*testing.T, Harness){
	"what was accepted is done in the end, and answered by its key": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		for i, r := range b.settled("item", b.accepted(upserts(items(3))...)) {
			if want := upserts(items(3))[i].Key; r.Err != nil || r.Key != want {
				t.Errorf("%+v, want key %s", r, want)
			}
		}
		b.want("item", []string{"id", "name", "qty"}, items(3)...)
		b.settled("item", b.accepted(upsert(item("k0001", "changed", 9)), lockstep.Write{Op: lockstep.Delete, Key: "k0000"}))
		b.want("item", []string{"id", "name", "qty"}, item("k0001", "changed", 9), items(3)[2])
	},
	"an end can be asked for again, in any order, also by the next process": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		first := b.accepted(upserts(items(3))...)
		b.reopen() // what the receipts say is all that is left
		b.settled("item", first)
		receipts := receiptsOf(first)
		slices.Reverse(receipts)
		receipts = append(receipts, receipts[0])
		for i, r := range b.settled("item", b.confirm("item", receipts...)) {
			if want := []lockstep.Key{"k0002", "k0001", "k0000", "k0002"}[i]; r.Err != nil || r.Key != want {
				t.Errorf("%+v, want key %s", r, want)
			}
		}
		b.want("item", []string{"id", "name", "qty"}, items(3)...)
	},
	"twice is once": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		b.settled("item", b.accepted(upserts(items(3))...))
		b.settled("item", b.forLater(upserts(items(3))...))
		b.want("item", []string{"id", "name", "qty"}, items(3)...)
	},
	"a receipt that nobody knows hurts only itself": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		first := b.accepted(upserts(items(2))...)
		for _, bad := range []string{"nobody gave this", "{}", ""} {
			results := b.confirm("item", first[0].Receipt, bad, first[1].Receipt)
			if results[1].Err == nil || results[1].Receipt != "" {
				t.Errorf("%q: %+v, want a fault", bad, results[1])
			}
			if results[0].Err != nil || results[2].Err != nil {
				t.Errorf("its neighbours: %+v %+v", results[0], results[2])
			}
		}
		b.settled("item", first)
		b.want("item", []string{"id", "name", "qty"}, items(2)...)
	},
	"nothing asked, nothing answered": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		if got := b.confirm("item"); len(got) != 0 {
			t.Errorf("%v", got)
		}
	},
	"a write by itself is answered once it is done": func(t *testing.T, h Harness) {
		b := beginLater(t, h)
		results, err := b.target().Apply(b.Context(), "item", []lockstep.Write{{ID: "w", Key: "a", Fields: value.F("id", "a", "name", "n"), Transfer: lockstep.SingleTransfer}})
		if err != nil || results[0].Err != nil || results[0].Receipt != "" {
			t.Fatalf("%+v %v", results, err)
		}
		b.want("item", []string{"id", "name"}, value.F("id", "a", "name", "n"))
	},
}
