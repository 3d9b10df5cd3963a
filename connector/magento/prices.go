package magento

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// priceStream is a stream of prices, with how each thing is done.
func (s *System) priceStream(k *priceKind) *stream {
	return &stream{
		name: k.stream, batch: maxRows, describe: plainStream(k.def()),
		scan: func(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
			return s.scanPrices(ctx, k, r, from, l)
		},
		fetch: func(ctx context.Context, r *reading, keys []lockstep.Key) ([]lockstep.Record, error) {
			return s.fetchPrices(ctx, k, r, keys)
		},
		find: func(ctx context.Context, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
			return s.findPrices(ctx, k, r, by, values)
		},
		apply: func(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
			return s.applyPrices(ctx, k, writes)
		},
		confirm: func(ctx context.Context, receipts []string) ([]lockstep.Result, error) {
			return s.confirmPrices(ctx, k, receipts)
		},
	}
}

func (k *priceKind) record(r *priceRow, names []string) lockstep.Record {
	all := map[string]value.Value{"sku": value.Text(r.SKU)}
	exact := func(name string, n json.Number) {
		if d, err := value.ParseDecimal(string(n)); err == nil {
			all[name] = value.FromDecimal(d.Trim())
		}
	}
	whole := func(name string, n *int64) {
		if all[name] = value.Int(0); n != nil {
			all[name] = value.Int(*n)
		}
	}
	instant := func(name string, text *string) {
		if text != nil {
			if t, ok := parseTime(*text); ok {
				all[name] = value.Time(t)
			}
		}
	}
	exact("price", r.Price)
	exact("quantity", r.Quantity)
	whole("store_id", r.StoreID)
	whole("website_id", r.WebsiteID)
	instant("price_from", r.From)
	instant("price_to", r.To)
	all["customer_group"], all["price_type"] = value.Text(groupName(r.Group)), value.Text(r.Type)
	return pick(k.keyOf(r), names, all)
}

// target is the row that a write is of: key fields among its fields say where it goes to.
func (k *priceKind) target(w *lockstep.Write) (row priceRow, err error) {
	key := w.Key
	if w.Op == lockstep.Upsert {
		parts := make([]string, len(k.key))
		if key != "" {
			if parts, err = key.Parts(len(k.key)); err != nil {
				return row, err
			}
		}
		for i, name := range k.key {
			if v, ok := w.Fields.Get(name); ok {
				if parts[i], ok = v.KeyText(); !ok {
					return row, lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Field: name})
				}
			}
		}
		key = lockstep.MakeKey(parts...)
	}
	if row, err = k.rowOfKey(key); err != nil {
		return row, err
	}
	if row.SKU = strings.TrimSpace(row.SKU); row.SKU == "" {
		return row, lockstep.Faultf(lockstep.CodeNullKey, "a price needs a SKU").On(lockstep.About{Field: "sku"})
	}
	return row, nil
}

// fill completes a row from what is there and what is written, or says why it cannot be.
func (k *priceKind) fill(row, have *priceRow, f value.Fields) error {
	if have != nil {
		row.Price, row.To, row.Type = have.Price, have.To, have.Type
	}
	if v, ok := f.Get("price"); ok {
		text, ok := decimalText(v)
		if !ok || strings.HasPrefix(text, "-") {
			return lockstep.Faultf(lockstep.CodeValue, "a price is a number that is not negative").On(lockstep.About{Field: "price"})
		}
		if whole, _, _ := strings.Cut(text, "."); len(whole) > mostPriceDigits {
			return lockstep.Faultf(lockstep.CodeValue, "Magento would cap a price of more than %d digits", mostPriceDigits).On(lockstep.About{Field: "price"})
		}
		row.Price = json.Number(text)
	}
	if row.Price == "" {
		return lockstep.Faultf(lockstep.CodeValue, "a new price needs its price").On(lockstep.About{Field: "price"})
	}
	switch k.stream {
	case specialKind.stream:
		if row.From == nil {
			return lockstep.Faultf(lockstep.CodeNullKey, "a special price needs the time from which it is").On(lockstep.About{Field: "price_from"})
		}
		if v, ok := f.Get("price_to"); ok {
			row.To = nil
			if v.Kind() == value.KindTime {
				text := v.Time().UTC().Format(timeLayout)
				row.To = &text
			} else if !v.IsNull() {
				return lockstep.Faultf(lockstep.CodeValue, "it is no time").On(lockstep.About{Field: "price_to"})
			}
		}
	case tierKind.stream:
		row.Type = cmp.Or(textField(f, "price_type", row.Type), "fixed")
		if row.Type != "fixed" && row.Type != "discount" {
			return lockstep.Faultf(lockstep.CodeValue, "a price is fixed or a discount").On(lockstep.About{Field: "price_type"})
		}
	}
	return nil
}

// mostPriceDigits is how many digits stand before the point in a price that Magento stores as it is.
const mostPriceDigits = 14

// priceWrite is one write on its way.
type priceWrite struct {
	at  int // in the batch
	row priceRow
}

// applyPrices brings prices level by the shop's own bulk endpoints. They take what they can and name the rest in an
// answer with status 200.
func (s *System) applyPrices(ctx context.Context, k *priceKind, writes []lockstep.Write) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(writes))
	rows := make([]priceRow, len(writes))
	var skus []string
	for i := range writes {
		rows[i], results[i].Err = k.target(&writes[i])
		if results[i].Err == nil {
			skus = append(skus, rows[i].SKU)
		}
	}
	if k.stream == tierPrices { // a tier may be deleted by reading and replacing those of its product
		turn, err := s.tiers.hold(ctx, folded(skus))
		if err != nil {
			return nil, err
		}
		defer turn.end()
	}
	look, err := s.priceRows(ctx, k, distinctSKUs(skus))
	if err != nil {
		return nil, err
	}
	var saves, removes []priceWrite
	for i := range writes {
		if results[i].Err != nil {
			continue
		}
		w, row := &writes[i], rows[i]
		results[i].Key = cmp.Or(w.Key, k.keyOf(&row))
		have := look[k.fold(&row)]
		if s.priced[k.stream].busy(row.SKU) {
			results[i].Err = busyFault()
			continue
		}
		if w.Op == lockstep.Delete {
			if have != nil {
				removes = append(removes, priceWrite{i, *have})
			}
			continue
		}
		if results[i].Err = cmp.Or(s.priceScope(ctx, k, &row), k.fill(&row, have, w.Fields)); results[i].Err != nil {
			continue
		}
		if have == nil || !k.level(have, &row) {
			saves = append(saves, priceWrite{i, row})
		}
		if old, err := k.rowOfKey(w.Key); w.Key != "" && err == nil && k.fold(&old) != k.fold(&row) {
			if old := look[k.fold(&old)]; old != nil && k.moves() {
				removes = append(removes, priceWrite{i, *old})
			}
		}
	}
	saves = s.queuePrices(ctx, k, saves, writes, results)
	s.sendPrices(ctx, http.MethodPost, k.path, saves, results)
	removes = slices.DeleteFunc(removes, func(w priceWrite) bool { return results[w.at].Err != nil })
	s.removePrices(ctx, k, removes, results, look)
	return results, nil
}

// moves tells whether the row at the old key stays when a row is written at a new one. A product has one special price
// in a store: the new one takes its place.
func (k *priceKind) moves() bool { return k.stream == tierKind.stream }

// priceScope refuses what Magento takes and does wrongly: prices of store views, where prices are global.
func (s *System) priceScope(ctx context.Context, k *priceKind, row *priceRow) error {
	if k.stream == tierKind.stream || row.StoreID == nil || *row.StoreID == 0 {
		return nil
	}
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return err
	}
	if price := known.get("price"); price == nil || price.scope != scopeGlobal {
		return nil
	}
	f := lockstep.Faultf(lockstep.CodeValue, "prices of this shop are global").On(lockstep.About{Field: "store_id"})
	f.Next = "Map 0 to store_id, or set the shop's price scope to website."
	return f
}

// sendPrices sends rows, as many at a time as the shop takes. Where a failure does not say of which row it is, halves
// of those in question are sent again: a row may be sent twice and leaves what once left.
func (s *System) sendPrices(ctx context.Context, method, path string, rows []priceWrite, results []lockstep.Result) {
	for len(rows) > 0 {
		some := rows[:min(len(rows), s.limits.rows())]
		failures, err := s.postPrices(ctx, method, path, some)
		if s.limits.learn(err, len(some)) {
			continue
		}
		rows = rows[len(some):]
		f := lockstep.FaultOf(err)
		switch {
		case err == nil:
			s.blamePrices(ctx, method, path, some, failures, results)
		case f.Kind == lockstep.Invalid && !f.Unknown && len(some) > 1:
			s.sendPrices(ctx, method, path, some[:len(some)/2], results)
			s.sendPrices(ctx, method, path, some[len(some)/2:], results)
		default:
			fillPrices(results, some, err)
			if ofSystem(f) {
				fillPrices(results, rows, notSent(f))
				return
			}
		}
	}
}

func (s *System) postPrices(ctx context.Context, method, path string, rows []priceWrite) ([]rowFailure, error) {
	body := struct {
		Prices []priceRow `json:"prices"`
	}{}
	for _, w := range rows {
		body.Prices = append(body.Prices, w.row)
	}
	var failures list[rowFailure]
	_, err := s.client.into(ctx, call{name: "write prices", method: method, scope: allViews, path: "V1/products/" + path, body: body}, &failures)
	return failures, err
}

func (s *System) blamePrices(ctx context.Context, method, path string, sent []priceWrite, failures []rowFailure, results []lockstep.Result) {
	rows := make([]priceRow, len(sent))
	for i := range sent {
		rows[i] = sent[i].row
	}
	errs, untold := blame(rows, failures)
	var rest []priceWrite
	for i, err := range errs {
		if err != nil {
			results[sent[i].at].Err = err
		} else {
			rest = append(rest, sent[i])
		}
	}
	switch {
	case untold == 0 || len(rest) == 0:
	case len(rest) == 1:
		results[rest[0].at].Err = failures[0].fault(rest[0].row.SKU)
	default:
		s.sendPrices(ctx, method, path, rest[:len(rest)/2], results)
		s.sendPrices(ctx, method, path, rest[len(rest)/2:], results)
	}
}

// removePrices deletes rows. A special price goes only by its price, store and times as they are. A tier's delete takes
// the tiers of the same group and quantity of all websites with it: where there are such, those that stay are put in
// place of all.
func (s *System) removePrices(ctx context.Context, k *priceKind, rows []priceWrite, results []lockstep.Result, look map[string]*priceRow) {
	if k.stream == baseKind.stream {
		f := lockstep.Faultf(lockstep.CodeConstraint, "Magento has no way to take a product's base price away")
		f.Next = "Write another price, or let the flow keep what goes: `on_delete: keep`."
		fillPrices(results, rows, f)
		return
	}
	plain, hurt := rows, []priceWrite(nil)
	if k.stream == tierKind.stream {
		plain, hurt = splitTiers(rows, look)
	}
	s.sendPrices(ctx, http.MethodPost, k.path+"-delete", plain, results)
	for len(hurt) > 0 {
		sku := foldSKU(hurt[0].row.SKU)
		mine := slices.DeleteFunc(slices.Clone(hurt), func(w priceWrite) bool { return foldSKU(w.row.SKU) != sku })
		hurt = slices.DeleteFunc(hurt, func(w priceWrite) bool { return foldSKU(w.row.SKU) == sku })
		s.replaceTiers(ctx, mine, results)
	}
}

// splitTiers tells apart the tiers whose delete would take others along.
func splitTiers(rows []priceWrite, look map[string]*priceRow) (plain, hurt []priceWrite) {
	same := func(a, b *priceRow) bool {
		return foldSKU(a.SKU) == foldSKU(b.SKU) && strings.EqualFold(groupName(a.Group), groupName(b.Group)) && plainNumber(a.Quantity) == plainNumber(b.Quantity)
	}
	for _, w := range rows {
		others := false
		for _, r := range look {
			others = others || same(r, &w.row) && tierKind.fold(r) != tierKind.fold(&w.row)
		}
		if others {
			hurt = append(hurt, w)
		} else {
			plain = append(plain, w)
		}
	}
	return plain, hurt
}

// replaceTiers puts the tiers of one product that stay in place of all that it has now.
func (s *System) replaceTiers(ctx context.Context, gone []priceWrite, results []lockstep.Result) {
	now, err := s.priceRows(ctx, &tierKind, []string{gone[0].row.SKU})
	if err != nil {
		fillPrices(results, gone, err)
		return
	}
	for _, w := range gone {
		delete(now, tierKind.fold(&w.row))
	}
	var stay []priceWrite
	for _, r := range now {
		stay = append(stay, priceWrite{row: *r})
	}
	if len(stay) == 0 {
		s.sendPrices(ctx, http.MethodPost, tierKind.path+"-delete", gone, results)
		return
	}
	failures, err := s.postPrices(ctx, http.MethodPut, tierKind.path, stay)
	if err == nil && len(failures) > 0 {
		err = failures[0].fault(gone[0].row.SKU)
	}
	if err != nil {
		fillPrices(results, gone, err)
	}
}

func fillPrices(results []lockstep.Result, rows []priceWrite, err error) {
	for _, w := range rows {
		results[w.at].Err = err
	}
}
