package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Prices go by Magento's queue only where a flow says so. Their endpoints take hundreds of rows in one call and answer
// for each: the queue makes them no faster, but it does not mind a server before Magento that gives up early.

// queuePrices puts rows into the queue, those of one product in one operation, and answers them by their receipts. The
// rows that go at once come back: all, where Magento refuses the bulk.
func (s *System) queuePrices(ctx context.Context, k *priceKind, rows []priceWrite, writes []lockstep.Write, results []lockstep.Result) (rest []priceWrite) {
	var ops [][]priceWrite
	at := map[string]int{}
	q := s.priced[k.stream]
	for _, w := range rows {
		fold := foldSKU(w.row.SKU)
		if writes[w.at].Transfer != lockstep.BulkTransfer || q.avoids(fold) {
			rest = append(rest, w)
			continue
		}
		i, is := at[fold]
		if !is {
			i, ops = len(ops), append(ops, nil)
			at[fold] = i
		}
		ops[i] = append(ops[i], w)
	}
	if len(ops) == 0 {
		return rest
	}
	body := make([]map[string][]priceRow, len(ops))
	for i, op := range ops {
		body[i] = map[string][]priceRow{}
		for _, w := range op {
			body[i]["prices"] = append(body[i]["prices"], w.row)
		}
	}
	var got bulkAnswer
	sent := time.Now()
	_, err := s.client.into(ctx, call{name: "queue prices", method: http.MethodPost, scope: allViews, path: "async/bulk/V1/products/" + k.path, body: body}, &got)
	if err == nil && !isUUID(got.UUID) {
		err = lockstep.Faultf(lockstep.CodeServer, "the answer names no bulk").Maybe()
	}
	refused := got.refused()
	for i, op := range ops {
		if f := lockstep.FaultOf(err); refused[i] || f != nil && !f.Unknown && f.Kind == lockstep.Invalid {
			rest = append(rest, op...)
			continue
		}
		for _, w := range op {
			if err != nil {
				results[w.at].Err = err
				if lockstep.FaultOf(err).Unknown {
					q.avoid(w.row.SKU)
				}
				continue
			}
			r := receipt{Bulk: got.UUID, Op: i, SKU: w.row.SKU, At: sent, Row: k.keyOf(&w.row), Rows: len(op)}
			results[w.at].Receipt = r.text()
			q.open(r)
		}
	}
	return rest
}

// confirmPrices asks what became of operations of prices. One that is complete may have failed rows in it: its answer
// says so.
func (s *System) confirmPrices(ctx context.Context, k *priceKind, receipts []string) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(receipts))
	type opOf struct {
		bulk string
		op   int
	}
	ops := map[opOf][]confirming{}
	var order []opOf
	q := s.priced[k.stream]
	for i, text := range receipts {
		r, err := parseReceipt(text)
		if err != nil || r.Row == "" {
			results[i].Err = lockstep.Faultf(lockstep.CodeVersionMoved, "the receipt cannot be understood")
			continue
		}
		results[i] = lockstep.Result{Key: r.Row, Receipt: text}
		op := opOf{r.Bulk, r.Op}
		if ops[op] == nil {
			order = append(order, op)
		}
		ops[op] = append(ops[op], confirming{i, r})
		q.open(r)
	}
	type answer struct {
		status *bulkStatus
		err    error
	}
	asked := map[string]answer{}
	for _, op := range order {
		a, is := asked[op.bulk]
		if !is {
			a.status, a.err = s.bulkStatus(ctx, op.bulk, "detailed-status")
			if a.err != nil && (ctx.Err() != nil || ofSystem(lockstep.FaultOf(a.err))) {
				return nil, a.err
			}
			asked[op.bulk] = a
		}
		var through []confirming
		for _, c := range ops[op] {
			if q.judge(c, a.status, a.err, results) {
				through = append(through, c)
			}
		}
		if len(through) > 0 {
			q.endRows(k, through, a.status.state(op.op).Result, results)
		}
	}
	return results, nil
}

// endRows answers the rows of an operation that is through, by what it answered.
func (q *queue) endRows(k *priceKind, through []confirming, answer string, results []lockstep.Result) {
	var failures list[rowFailure]
	understood := answer != "" && json.Unmarshal([]byte(answer), &failures) == nil
	whole := len(through) == through[0].Rows // else a failure may be of a row that is not asked for here
	rows := make([]priceRow, len(through))
	for i, c := range through {
		var err error
		if rows[i], err = k.rowOfKey(c.Row); err != nil {
			understood = false
		}
	}
	errs, untold := blame(rows, failures)
	for i, c := range through {
		switch {
		case !understood:
			results[c.at] = q.lookAgain(c, "does not say what it did")
		case len(failures) > 0 && (!whole || untold > 0 && errs[i] == nil):
			results[c.at] = q.lookAgain(c, "does not say which of its rows failed")
		default:
			results[c.at] = q.end(c, errs[i])
		}
	}
}
