package magento

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

func ptr[T any](v T) *T { return &v }

// What prices.json has recorded, and what it leaves open.
func TestWhoseFailureItIs(t *testing.T) {
	base := []priceRow{
		{SKU: "PR-1", StoreID: ptr(int64(0)), Price: "55.5"}, {SKU: "NOPE", StoreID: ptr(int64(0)), Price: "1"},
		{SKU: "PR-1", StoreID: ptr(int64(1)), Price: "-1"}, {SKU: "PR-1", StoreID: ptr(int64(77)), Price: "2"},
	}
	tiers := []priceRow{
		{SKU: "PR-1", WebsiteID: ptr(int64(0)), Group: allGroups, Quantity: "5", Price: "30", Type: "fixed"},
		{SKU: "PR-1", WebsiteID: ptr(int64(0)), Group: "General", Quantity: "2", Price: "10", Type: "discount"},
		{SKU: "PR-1", WebsiteID: ptr(int64(0)), Group: "NoGroup", Quantity: "2", Price: "10", Type: "fixed"},
	}
	tests := map[string]struct {
		rows   []priceRow
		answer string
		kinds  []lockstep.FaultKind // 0: none
		untold int
	}{
		"recorded base prices": {base, `[{"message":"Invalid attribute %fieldName = %fieldValue.","parameters":["SKU","NOPE"]},
			{"message":"Invalid attribute %fieldName = %fieldValue.","parameters":["Price","-1"]},
			{"message":"Requested store is not found. Row ID: SKU = PR-1, Store ID: 77.","parameters":["PR-1","77"]}]`,
			[]lockstep.FaultKind{0, lockstep.Waiting, lockstep.Invalid, lockstep.Invalid}, 0},
		"recorded tier prices": {tiers, `[{"message":"No such entity with Customer Group = %customerGroup. Row ID: SKU = %SKU, Website ID: %websiteId, Customer Group: %customerGroup, Quantity: %qty.","parameters":["PR-1","0","NoGroup","2"]}]`,
			[]lockstep.FaultKind{0, 0, lockstep.Invalid}, 0},
		"named parameters": {tiers, `[{"message":"x. Row ID","parameters":{"SKU":"pr-1","websiteId":"0","customerGroup":"General","qty":"2.0000"}}]`,
			[]lockstep.FaultKind{0, lockstep.Invalid, 0}, 0},
		"the same price twice":  {append(base, priceRow{SKU: "X", Price: "-1"}), `[{"message":"Invalid attribute %fieldName = %fieldValue.","parameters":["Price","-1"]}]`, make([]lockstep.FaultKind, 5), 1},
		"no parameters at all":  {base, `[{"message":"something"}]`, make([]lockstep.FaultKind, 4), 1},
		"only the SKU of three": {tiers, `[{"message":"something","parameters":["PR-1"]}]`, make([]lockstep.FaultKind, 3), 1},
	}
	for name, test := range tests {
		var failures []rowFailure
		if err := json.Unmarshal([]byte(test.answer), &failures); err != nil {
			t.Fatal(err)
		}
		errs, untold := blame(test.rows, failures)
		if untold != test.untold {
			t.Errorf("%s: %d untold", name, untold)
		}
		for i, err := range errs {
			if (err == nil) != (test.kinds[i] == 0) || err != nil && lockstep.KindOf(err) != test.kinds[i] {
				t.Errorf("%s, row %d: %v", name, i, err)
			}
		}
	}
}

func TestKeysOfPrices(t *testing.T) {
	for _, test := range []struct {
		kind priceKind
		key  lockstep.Key
		row  string
	}{
		{baseKind, `["A","0"]`, `{"sku":"A","price":"","store_id":0}`},
		{specialKind, `["A","0","2026-11-01T00:00:00Z"]`, `{"sku":"A","price":"","store_id":0,"price_from":"2026-11-01 00:00:00"}`},
		{tierKind, `["A","1","ALL GROUPS","2.5"]`, `{"sku":"A","price":"","website_id":1,"customer_group":"ALL GROUPS","quantity":2.5}`},
	} {
		row, err := test.kind.rowOfKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.kind.keyOf(&row); got != test.key {
			t.Errorf("%s is read back as %s", test.key, got)
		}
	}
	read := priceRow{SKU: "A", WebsiteID: ptr(int64(0)), Group: "all groups", Quantity: "5.0000"}
	if got := tierKind.keyOf(&read); got != `["A","0","ALL GROUPS","5"]` {
		t.Error(got)
	}
	for _, bad := range []lockstep.Key{`["A","x"]`, `["A","-1"]`, `A`} {
		if _, err := baseKind.rowOfKey(bad); lockstep.KindOf(err) != lockstep.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAReceiptIsBoundedTextThatReadsBack(t *testing.T) {
	const uuid = "88996c0f-7b98-4589-ab5a-1cc93ed77af1"
	r := receipt{Bulk: uuid, Op: 3, SKU: "A\"/1", More: true}
	got, err := parseReceipt(r.text())
	if err != nil || got != r || len(r.text()) > mostReceipt {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"bulk":"../../x","sku":"A"}`, `{"bulk":"` + uuid + `"}`} {
		if _, err := parseReceipt(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func day(text string) time.Time {
	t, _ := time.Parse(time.DateOnly, text)
	return t
}

// What a failure says of values stays out of errors (law 12).
func TestAFailureOfAPriceShowsNoValue(t *testing.T) {
	f := rowFailure{Message: `The group "Friends of Anna" of website 77 is unknown`}
	if err := f.fault("A"); strings.Contains(err.Error(), "Anna") || strings.Contains(err.Error(), "77") {
		t.Error(err)
	}
}
