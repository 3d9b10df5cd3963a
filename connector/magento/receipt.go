package magento

import (
	"encoding/json"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// receipt is what is kept of a write that Magento accepted and does later: all that is needed to ask for it, in this
// process or another.
type receipt struct {
	Bulk string    `json:"bulk"`
	Op   int       `json:"op"`
	SKU  string    `json:"sku"`
	At   time.Time `json:"at"` // when it was accepted, by our clock
	// More says that the record is not level yet when this operation is through.
	More bool   `json:"more,omitempty"`
	Gone bool   `json:"gone,omitempty"` // it is a delete
	Was  string `json:"was,omitempty"`  // the product's version before
	// Row is the key of a row of the product, one of so many in the operation.
	Row  lockstep.Key `json:"row,omitempty"`
	Rows int          `json:"rows,omitempty"`
}

// key is that of the record.
func (r *receipt) key() lockstep.Key {
	if r.Row != "" {
		return r.Row
	}
	return lockstep.Key(r.SKU)
}

// mostReceipt bounds the text of a receipt: a bulk's id has 36 letters, a SKU 64.
const mostReceipt = 1000

func (r receipt) text() string {
	r.At = r.At.UTC().Truncate(time.Millisecond)
	b, err := json.Marshal(r)
	if err != nil { // there is nothing in it that cannot be encoded
		return ""
	}
	return string(b)
}

func parseReceipt(text string) (receipt, error) {
	var r receipt
	if len(text) > mostReceipt || json.Unmarshal([]byte(text), &r) != nil || !isUUID(r.Bulk) || r.SKU == "" {
		return r, lockstep.Faultf(lockstep.CodeVersionMoved, "the receipt cannot be understood")
	}
	return r, nil
}

// isUUID tells an id that can stand in a path as it is.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') {
			return false
		}
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// The states of an operation (contract 8).
const (
	opComplete = 1
	opRetry    = 2
	opFailed   = 3
	opOpen     = 4
	opRejected = 5
)

// bulkStatus is the answer of bulk/{uuid}/status.
type bulkStatus struct {
	Operations []operation `json:"operations_list"`
	Start      string      `json:"start_time"` // by Magento's clock
}

type operation struct {
	ID      number `json:"id"`
	Status  number `json:"status"`
	Message string `json:"result_message"`         // null becomes ""
	Result  string `json:"result_serialized_data"` // likewise
}

// state is what became of an operation: one that is not listed is still open.
func (b *bulkStatus) state(op int) operation {
	if b == nil {
		return operation{Status: opOpen}
	}
	for _, o := range b.Operations {
		if int(o.ID) == op {
			return o
		}
	}
	return operation{ID: number(op), Status: opOpen}
}
