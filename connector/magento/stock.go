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

// stockTable is the stream of MSI's source items: how much of a product is at a source.
func (s *System) stockTable() *stream {
	return &stream{name: stockStream, batch: maxRows, describe: plainStream(stockDef()), scan: s.scanStock, fetch: s.fetchStock, find: s.findStock, apply: s.applyStock}
}

// sourceItem is a row as it goes over the wire.
type sourceItem struct {
	SKU      string      `json:"sku"`
	Source   string      `json:"source_code"`
	Quantity json.Number `json:"quantity,omitempty"`
	Status   *number     `json:"status,omitempty"`
}

func (i *sourceItem) key() lockstep.Key { return lockstep.MakeKey(i.SKU, i.Source) }

// fold is a key in which SKUs are equal as Magento compares them.
func (i *sourceItem) fold() string { return foldSKU(i.SKU) + "\x00" + strings.ToLower(i.Source) }

func (i *sourceItem) level(want *sourceItem) bool {
	return plainNumber(i.Quantity) == plainNumber(want.Quantity) && i.Status != nil && *i.Status == *want.Status
}

func stockRow(key lockstep.Key) (sourceItem, error) {
	parts, err := key.Parts(2)
	if err != nil {
		return sourceItem{}, err
	}
	return sourceItem{SKU: parts[0], Source: parts[1]}, nil
}

func (i *sourceItem) record(names []string) lockstep.Record {
	quantity, status := value.Null, value.Null
	if d, err := value.ParseDecimal(string(i.Quantity)); err == nil {
		quantity = value.FromDecimal(d.Trim())
	}
	if i.Status != nil {
		status = value.Int(int64(*i.Status))
	}
	return pick(i.key(), names, map[string]value.Value{
		"sku": value.Text(i.SKU), "source_code": value.Text(i.Source), "quantity": quantity, "status": status,
	})
}

// stockWrite is one write on its way.
type stockWrite struct {
	at   int // in the batch
	item sourceItem
}

// applyStock brings source items level. Magento takes a row of a product that it does not have, which nobody finds
// again, and writes none of a batch in which one cannot be stored: so the products are looked for first, and rows that
// are level are not sent.
func (s *System) applyStock(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) {
	results := make([]lockstep.Result, len(writes))
	var rows []sourceItem
	for i := range writes {
		row, err := stockTarget(&writes[i])
		if err != nil {
			results[i].Err = err
		}
		rows = append(rows, row)
	}
	look, err := s.lookStock(ctx, rows)
	if err != nil {
		return nil, err
	}
	var saves, removes []stockWrite
	for i := range writes {
		if results[i].Err != nil {
			continue
		}
		w, row := &writes[i], rows[i]
		results[i].Key = cmp.Or(w.Key, row.key())
		have := look.items[row.fold()]
		switch {
		case w.Op == lockstep.Delete && have == nil:
		case w.Op == lockstep.Delete:
			removes = append(removes, stockWrite{i, sourceItem{SKU: have.SKU, Source: have.Source}})
		default:
			if results[i].Err = look.fill(&row, have, w.Fields); results[i].Err != nil {
				continue
			}
			if have == nil || !have.level(&row) {
				saves = append(saves, stockWrite{i, row})
			}
			if old, err := stockRow(w.Key); w.Key != "" && err == nil && old.fold() != row.fold() && look.items[old.fold()] != nil {
				removes = append(removes, stockWrite{i, old})
			}
		}
	}
	s.sendStock(ctx, stockPath, "save stock", saves, results)
	removes = slices.DeleteFunc(removes, func(w stockWrite) bool { return results[w.at].Err != nil })
	s.sendStock(ctx, "V1/inventory/source-items-delete", "delete stock", removes, results)
	return results, nil
}

// stockTarget is the row that a write is of: key fields among its fields say where it goes to.
func stockTarget(w *lockstep.Write) (row sourceItem, err error) {
	if w.Key != "" {
		if row, err = stockRow(w.Key); err != nil {
			return row, err
		}
	}
	if w.Op == lockstep.Upsert {
		row.SKU, row.Source = textField(w.Fields, "sku", row.SKU), textField(w.Fields, "source_code", row.Source)
	}
	row.SKU = strings.TrimSpace(row.SKU)
	if row.SKU == "" || row.Source == "" {
		return row, lockstep.Faultf(lockstep.CodeNullKey, "a row of stock needs a SKU and a source")
	}
	return row, nil
}

// textField is the text of a field, or what it is where there is none.
func textField(f value.Fields, name, otherwise string) string {
	if v, ok := f.Get(name); ok && v.Kind() == value.KindText {
		return v.Text()
	}
	return otherwise
}

// stockLook is what has to be known before rows are sent.
type stockLook struct {
	items   map[string]*sourceItem
	known   map[string]lightProduct // by folded SKU
	sources map[string]bool
}

func (s *System) lookStock(ctx context.Context, rows []sourceItem) (*stockLook, error) {
	look := &stockLook{}
	skus := skusOf(rows, func(r *sourceItem) string { return r.SKU })
	err := inParallel(s.conf.writers,
		func() (err error) { look.items, err = s.sourceItems(ctx, skus); return err },
		func() (err error) { look.known, err = s.lightProducts(ctx, skus); return err },
		func() (err error) {
			look.sources, err = s.sources(ctx, func(known map[string]bool) bool {
				return !slices.ContainsFunc(rows, func(r sourceItem) bool { return r.Source != "" && !known[strings.ToLower(r.Source)] })
			})
			return err
		},
	)
	return look, err
}

// fill completes a row from what is there and what is written, or says why it cannot be.
func (l *stockLook) fill(row, have *sourceItem, f value.Fields) error {
	if _, is := l.known[foldSKU(row.SKU)]; !is {
		return noProduct(row.SKU)
	}
	if !l.sources[strings.ToLower(row.Source)] {
		return lockstep.Faultf(lockstep.CodeValue, "there is no source %q", short(row.Source)).On(lockstep.About{Field: "source_code"})
	}
	row.Quantity = "0"
	if have != nil {
		row.Quantity, row.Status = have.Quantity, have.Status
	}
	if v, ok := f.Get("quantity"); ok && !v.IsNull() {
		text, ok := decimalText(v)
		if !ok {
			return lockstep.Faultf(lockstep.CodeValue, "it is no number").On(lockstep.About{Field: "quantity"})
		}
		row.Quantity = json.Number(text)
	}
	if v, ok := f.Get("status"); ok && !v.IsNull() {
		if v.Kind() != value.KindInt || v.Int() != 0 && v.Int() != 1 {
			return lockstep.Faultf(lockstep.CodeValue, "a status is 0 or 1").On(lockstep.About{Field: "status"})
		}
		n := number(v.Int())
		row.Status = &n
	}
	// Nobody says whether it is in stock: a row that had nothing and has some now is. Magento makes a product's first row
	// with nothing, and out of stock.
	if v, ok := f.Get("status"); (!ok || v.IsNull()) && (row.Status == nil || some(row.Quantity) && !some(have.Quantity)) {
		var n number
		if some(row.Quantity) {
			n = 1
		}
		row.Status = &n
	}
	return nil
}

// some tells a quantity of more than nothing.
func some(n json.Number) bool {
	text := plainNumber(n)
	return text != "" && text != "0" && !strings.HasPrefix(text, "-")
}

// decimalText is a number as JSON has it, exact.
func decimalText(v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindInt, value.KindFloat, value.KindDecimal:
		text, _ := v.KeyText()
		d, err := value.ParseDecimal(text)
		return d.Trim().String(), err == nil
	}
	return "", false
}

// sendStock sends rows, as many at a time as the shop takes. The shop stores all of a request or nothing: where one
// row is refused, halves are sent until it stands alone (law 4).
func (s *System) sendStock(ctx context.Context, path, name string, rows []stockWrite, results []lockstep.Result) {
	for len(rows) > 0 {
		some := rows[:min(len(rows), s.limits.rows())]
		body := struct {
			Items []sourceItem `json:"sourceItems"`
		}{}
		for _, w := range some {
			body.Items = append(body.Items, w.item)
		}
		_, err := s.client.do(ctx, call{name: name, method: http.MethodPost, scope: allViews, path: path, body: body})
		if s.limits.learn(err, len(some)) {
			continue
		}
		rows = rows[len(some):]
		f := lockstep.FaultOf(err)
		switch {
		case err == nil:
		case f.Kind == lockstep.Invalid && !f.Unknown && len(some) > 1:
			s.sendStock(ctx, path, name, some[:len(some)/2], results)
			s.sendStock(ctx, path, name, some[len(some)/2:], results)
		default:
			fill(results, some, err)
			if ofSystem(f) {
				fill(results, rows, notSent(f))
				return
			}
		}
	}
}

func fill(results []lockstep.Result, rows []stockWrite, err error) {
	for _, w := range rows {
		results[w.at].Err = err
	}
}
