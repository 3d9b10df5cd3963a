package magento

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// confirmProducts asks what became of operations. One call answers for all of a bulk; those that are through are read
// back, for the status alone is not to be believed.
func (s *System) confirmProducts(ctx context.Context, receipts []string) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(receipts))
	bulks, order := map[string][]confirming{}, []string(nil)
	for i, text := range receipts {
		r, err := parseReceipt(text)
		if err != nil { // looking tells
			results[i].Err = err
			continue
		}
		results[i] = lockstep.Result{Key: lockstep.Key(r.SKU), Receipt: text}
		if bulks[r.Bulk] == nil {
			order = append(order, r.Bulk)
		}
		bulks[r.Bulk] = append(bulks[r.Bulk], confirming{i, r})
		s.queued.open(r) // another process may have sent it
	}
	var through []confirmed
	for _, uuid := range order {
		got, err := s.bulkStatus(ctx, uuid, "status")
		if err != nil && (ctx.Err() != nil || ofSystem(lockstep.FaultOf(err))) {
			return nil, err
		}
		for _, c := range bulks[uuid] {
			if s.queued.judge(c, got, err, results) {
				start, _ := parseTime(got.Start)
				through = append(through, confirmed{c, start})
			}
		}
	}
	if err := s.readBack(ctx, through, results); err != nil {
		return nil, err
	}
	return results, nil
}

// confirming is a receipt that is asked for.
type confirming struct {
	at int // in the batch
	receipt
}

// confirmed is one whose operation says that it is through.
type confirmed struct {
	confirming
	start time.Time // of its bulk, by Magento's clock
}

// bulkStatus asks for the operations of a bulk: their status, or with detailed-status what they answered, too.
func (s *System) bulkStatus(ctx context.Context, uuid, what string) (*bulkStatus, error) {
	out := &bulkStatus{}
	if _, err := s.client.into(ctx, call{name: "bulk status", method: http.MethodGet, path: "V1/bulk/" + uuid + "/" + what, scope: allViews}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// judge answers an operation that failed or is late, or whose bulk could not be asked for (with asked); true where it
// says that it is through.
func (q *queue) judge(c confirming, got *bulkStatus, asked error, results []lockstep.Result) bool {
	if lockstep.KindOf(asked) == lockstep.NotFound { // Magento keeps bulks for a while
		results[c.at] = q.end(c, lockstep.Faultf(lockstep.CodeVersionMoved, "Magento knows nothing of the operation any more"))
		return false
	}
	op := got.state(c.Op)
	switch int(op.Status) {
	case opComplete:
		return true
	case opRetry, opFailed, opRejected:
		err := operationFault(op.Message)
		if int(op.Status) == opRetry {
			err = tryAgain(err)
		}
		if c.Gone && lockstep.KindOf(err) == lockstep.NotFound {
			err = nil
		}
		results[c.at] = q.end(c, err)
	default:
		results[c.at].Err = asked
		if time.Since(c.At) > q.deadline {
			results[c.at] = q.late(c)
		}
	}
	return false
}

// late is the end of an operation that stays open: its consumer died, or is that far behind. It may be done some day.
func (q *queue) late(c confirming) lockstep.Result {
	q.avoid(c.SKU)
	f := lockstep.Faultf(lockstep.CodeTimeout, "the operation is still open after %s", q.deadline).Maybe()
	f.Next = "Check that the consumer async.operations.all runs in Magento; the record is looked at and then written by a call of its own."
	return q.end(c, f)
}

// end is the answer for an operation that is asked for no more.
func (q *queue) end(c confirming, err error) lockstep.Result {
	q.ended(c.receipt)
	return lockstep.Result{Key: c.key(), Err: err}
}

// lookAgain is the end of an operation that nobody can believe: what it left is looked at, and what is missing goes by
// a call of its own.
func (q *queue) lookAgain(c confirming, why string) lockstep.Result {
	q.avoid(c.SKU)
	return q.end(c, lockstep.Faultf(lockstep.CodeVersionMoved, "the operation says that it is complete, and %s", why))
}

// operationFault is what an operation's message means: there is no status beside it.
func operationFault(message string) error {
	if strings.TrimSpace(message) == "" {
		return lockstep.Faultf(lockstep.CodeServer, "the operation failed, and Magento does not say why")
	}
	r := &refusal{status: http.StatusBadRequest, template: message}
	if r.says("No such entity") || r.says("The product that was requested doesn't exist") {
		r.status = http.StatusNotFound
	}
	k := findRule(r)
	f := lockstep.NewFault(k.code, r)
	if f.Next = k.next; k.next == "" {
		f.Next = k.code.Info().Next
	}
	return f
}

// tryAgain is a fault that says of itself that another try may help.
func tryAgain(err error) error {
	f := lockstep.FaultOf(err)
	if f.Kind == lockstep.Transient {
		return err
	}
	return lockstep.Faultf(lockstep.CodeServer, "the operation can be tried again: %w", f.Err)
}

// readBack looks at products whose operations say that they are through: one is believed where the product was saved
// since its bulk began, a delete where it is gone. Else the record is looked at again, and sent by a call of its own.
func (s *System) readBack(ctx context.Context, through []confirmed, results []lockstep.Result) error {
	if len(through) == 0 {
		return nil
	}
	var skus []string
	for _, c := range through {
		skus = append(skus, c.SKU)
	}
	saved, err := s.lightProducts(ctx, distinctSKUs(skus))
	if err != nil {
		return err
	}
	for _, c := range through {
		p, there := saved[foldSKU(c.SKU)]
		at, _ := parseTime(p.Updated)
		switch {
		case c.Gone && there, !c.Gone && (!there || at.Before(c.start)):
			results[c.at] = s.queued.lookAgain(c.confirming, "the product does not show it")
		case !c.Gone && c.Was != "" && p.Updated == c.Was: // saved in the second of the save before, or not at all
			results[c.at] = s.queued.end(c.confirming, lockstep.Faultf(lockstep.CodeVersionMoved, "the operation is complete, and is looked at"))
		case c.More:
			results[c.at] = s.queued.end(c.confirming, lockstep.Faultf(lockstep.CodeVersionMoved, "the operation is complete, and more is to be sent"))
		default:
			results[c.at] = s.queued.end(c.confirming, nil)
			results[c.at].Version = p.Updated
		}
	}
	return nil
}
