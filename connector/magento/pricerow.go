package magento

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// priceRow is one row of a price endpoint; which members it has depends on the endpoint.
type priceRow struct {
	SKU       string      `json:"sku"`
	Price     json.Number `json:"price"`
	StoreID   *int64      `json:"store_id,omitempty"`
	From      *string     `json:"price_from,omitempty"`
	To        *string     `json:"price_to,omitempty"`
	Type      string      `json:"price_type,omitempty"`
	WebsiteID *int64      `json:"website_id,omitempty"`
	Group     string      `json:"customer_group,omitempty"`
	Quantity  json.Number `json:"quantity,omitempty"`
}

// priceKind is one of the streams of prices.
type priceKind struct {
	stream string
	path   string // of the endpoint, behind products/
	key    []string
	def    func() lockstep.Stream
}

var (
	baseKind    = priceKind{stream: basePrices, path: "base-prices", key: []string{"sku", "store_id"}, def: basePricesDef}
	specialKind = priceKind{stream: specialPrices, path: "special-price", key: []string{"sku", "store_id", "price_from"}, def: specialPricesDef}
	tierKind    = priceKind{stream: tierPrices, path: "tier-prices", key: []string{"sku", "website_id", "customer_group", "quantity"}, def: tierPricesDef}
)

// allGroups is what Magento calls all customer groups when it is written; it reads it back in small letters.
const allGroups = "ALL GROUPS"

// groupName is a customer group as it is written.
func groupName(text string) string {
	if strings.EqualFold(text, allGroups) {
		return allGroups
	}
	return text
}

// number is the one text of a number: Magento says 5, 5.0000 and "5".
func plainNumber(n json.Number) string {
	d, err := value.ParseDecimal(string(n))
	if err != nil {
		return string(n)
	}
	return d.Trim().String()
}

// parseTime reads a time of Magento, or of a key.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{timeLayout, time.RFC3339Nano, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// timeKey is the text that a time has in a key; "" is none.
func timeKey(text *string) string {
	if text == nil {
		return ""
	}
	if t, ok := parseTime(*text); ok {
		key, _ := value.Time(t).KeyText()
		return key
	}
	return *text
}

// keyParts are a row's key, in the order of priceKind.key.
func (k *priceKind) keyParts(r *priceRow) []string {
	switch k.stream {
	case baseKind.stream:
		return []string{r.SKU, integer(r.StoreID)}
	case specialKind.stream:
		return []string{r.SKU, integer(r.StoreID), timeKey(r.From)}
	}
	return []string{r.SKU, integer(r.WebsiteID), groupName(r.Group), plainNumber(r.Quantity)}
}

func (k *priceKind) keyOf(r *priceRow) lockstep.Key { return lockstep.MakeKey(k.keyParts(r)...) }

// fold is a key in which SKUs are equal as Magento compares them.
func (k *priceKind) fold(r *priceRow) string {
	parts := k.keyParts(r)
	parts[0] = foldSKU(parts[0])
	if k.stream == tierKind.stream {
		parts[2] = strings.ToLower(parts[2])
	}
	return strings.Join(parts, "\x00")
}

func integer(n *int64) string {
	if n == nil {
		return "0"
	}
	return strconv.FormatInt(*n, 10)
}

// rowOfKey is a row that has the parts of a key and no more.
func (k *priceKind) rowOfKey(key lockstep.Key) (priceRow, error) {
	parts, err := key.Parts(len(k.key))
	if err != nil {
		return priceRow{}, err
	}
	r := priceRow{SKU: parts[0]}
	bad := func(i int) error {
		return lockstep.Faultf(lockstep.CodeKey, "%s cannot be understood", k.key[i]).On(lockstep.About{Key: key, Field: k.key[i]})
	}
	at, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || at < 0 {
		return r, bad(1)
	}
	switch k.stream {
	case baseKind.stream:
		r.StoreID = &at
	case specialKind.stream:
		r.StoreID = &at
		if parts[2] != "" {
			t, ok := parseTime(parts[2])
			if !ok {
				return r, bad(2)
			}
			text := t.Format(timeLayout)
			r.From = &text
		}
	default:
		r.WebsiteID, r.Group = &at, groupName(parts[2])
		if d, err := value.ParseDecimal(parts[3]); err == nil {
			r.Quantity = json.Number(d.Trim().String())
		} else {
			return r, bad(3)
		}
	}
	return r, nil
}

// level tells whether a row that is there is as one that is wanted.
func (k *priceKind) level(have, want *priceRow) bool {
	if plainNumber(have.Price) != plainNumber(want.Price) {
		return false
	}
	switch k.stream {
	case specialKind.stream:
		return timeKey(have.To) == timeKey(want.To)
	case tierKind.stream:
		return have.Type == want.Type
	}
	return true
}

// rowFailure is what a price endpoint says of a row that it did not take, in an answer with status 200.
type rowFailure struct {
	Message    string          `json:"message"`
	Parameters json.RawMessage `json:"parameters"`
}

// params are a failure's values, whether they come as a list or by name.
func (f *rowFailure) params() []string {
	var list []any
	if json.Unmarshal(f.Parameters, &list) != nil {
		var named map[string]any
		if json.Unmarshal(f.Parameters, &named) != nil {
			return nil
		}
		for _, v := range named {
			list = append(list, v)
		}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case float64:
			out = append(out, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return out
}

// blame finds for each failure the row that it speaks of: by the SKU among its parameters, where several rows have it
// by whatever else is there. The error of a row that is told is set; untold is how many failures speak of a row that
// cannot be told.
func blame(rows []priceRow, failures []rowFailure) (errs []error, untold int) {
	errs = make([]error, len(rows))
	for i := range failures {
		params := failures[i].params()
		best, most, several := -1, 0, false
		for at := range rows {
			n := rows[at].named(params, failures[i].Message)
			if n > most {
				best, most, several = at, n, false
			} else if n == most && n > 0 {
				several = true
			}
		}
		if best < 0 || several {
			untold++
			continue
		}
		if errs[best] == nil {
			errs[best] = failures[i].fault(rows[best].SKU)
		}
	}
	return errs, untold
}

// named is how many of the parameters speak of a row. Without its SKU none do, but for a price that alone is wrong:
// ["Price","-1"].
func (r *priceRow) named(params []string, message string) int {
	if len(params) == 2 && params[0] == "Price" && !strings.Contains(message, "Row ID") {
		if n, err := value.ParseDecimal(params[1]); err == nil && n.Trim().String() == plainNumber(r.Price) {
			return 1
		}
		return 0
	}
	if !slices.ContainsFunc(params, func(p string) bool { return foldSKU(p) == foldSKU(r.SKU) }) {
		return 0
	}
	found := 1
	for _, text := range []string{integer(r.StoreID), integer(r.WebsiteID), r.Group, plainNumber(r.Quantity), dateText(r.From), dateText(r.To)} {
		if text != "" && slices.ContainsFunc(params, func(p string) bool { return strings.EqualFold(p, text) || plainNumber(json.Number(p)) == text }) {
			found++
		}
	}
	return found
}

func dateText(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// fault is a failure as a fault. What Magento has put into its text is cut off: it is the record's own values.
func (f *rowFailure) fault(sku string) error {
	text, _, _ := strings.Cut(f.Message, " Row ID")
	if what, is := strings.CutPrefix(text, "Invalid attribute "); is {
		name, _, _ := strings.Cut(what, " =")
		if params := f.params(); name == "%fieldName" && len(params) > 0 {
			name = params[0]
		}
		if name == "SKU" {
			return noProduct(sku)
		}
		return lockstep.Faultf(lockstep.CodeValue, "Magento refuses the %s", short(name))
	}
	if strings.HasPrefix(text, "The product that was requested doesn't exist") || strings.HasPrefix(text, "Requested product doesn't exist") {
		return noProduct(sku)
	}
	return lockstep.Faultf(lockstep.CodeValue, "Magento says: %s", short(mask(text)))
}

// noProduct says that a record is of a product that is not there.
func noProduct(sku string) error {
	return lockstep.Faultf(lockstep.CodeReference, "there is no product %q yet", short(sku)).On(lockstep.About{Field: "sku"})
}
