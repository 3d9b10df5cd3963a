package magento

import (
	"crypto/rand"
	"fmt"
	"net/http"
)

// cart is a guest's, as far as it takes to place an order.
type cart struct {
	id                int
	mask              string
	lines             []cartLine
	shipping, billing object
}

type cartLine struct {
	id      int
	product *product
	qty     float64
	price   float64
}

// flatRate is what shipping costs for each piece.
const flatRate = 5

func cartRoutes() []route {
	item := func() *shape {
		return fields(map[string]typ{"quote_id": text(), "sku": text(), "qty": number(), "item_id": integer(), "product_option": anything(), "extension_attributes": anything()})
	}
	info := func() *shape {
		return fields(map[string]typ{"shipping_address": object1(orderAddressShape), "billing_address": object1(orderAddressShape),
			"shipping_method_code": text(), "shipping_carrier_code": text(), "extension_attributes": anything()})
	}
	return []route{
		{method: http.MethodPost, path: "/V1/guest-carts", run: newCart},
		{method: http.MethodPost, path: "/V1/guest-carts/:cartId/items", params: []param{req("cartItem", object1(item))}, run: addToCart},
		{method: http.MethodPost, path: "/V1/guest-carts/:cartId/shipping-information", params: []param{req("addressInformation", object1(info))}, run: shipCart},
		{method: http.MethodPost, path: "/V1/guest-carts/:cartId/payment-information", run: payCart,
			params: []param{req("email", text()), req("paymentMethod", anything()), opt("billingAddress", object1(orderAddressShape))}},
	}
}

func orderAddressShape() *shape {
	f := map[string]typ{"id": integer(), "region_id": integer(), "street": listOf(text()), "save_in_address_book": integer(), "same_as_billing": integer(),
		"customer_id": integer(), "customer_address_id": integer(), "extension_attributes": anything(), "custom_attributes": anything()}
	for _, n := range []string{"region", "region_code", "country_id", "company", "telephone", "fax", "postcode", "city", "firstname", "lastname", "middlename", "prefix", "suffix", "vat_id", "email"} {
		f[n] = text()
	}
	return fields(f)
}

func newCart(c *call) (any, error) {
	k := &cart{id: c.orders.carts.next(), mask: rand.Text() + rand.Text()}
	k.mask = k.mask[:32]
	c.orders.open(k)
	return k.mask, nil
}

func (c *call) cart() (*cart, error) {
	k := c.orders.byMask[c.path["cartId"]]
	if k == nil {
		return nil, noEntity("cartId", c.path["cartId"])
	}
	return k, nil
}

// addToCart takes what there is to sell. It does not look into the stock of a product without one.
func addToCart(c *call) (any, error) {
	k, err := c.cart()
	if err != nil {
		return nil, err
	}
	in := c.in.object("cart_item")
	p := c.products.find(in.text("sku"))
	if p == nil {
		return nil, noProduct()
	}
	qty := in.number("qty")
	if hasStock(p.typ) && c.salable(p.sku, c.stockOfView().id) < qty {
		return nil, fail(http.StatusBadRequest, "The requested qty is not available")
	}
	text, _ := p.values.at(c.attributes.product("price").id, c.store)
	l := cartLine{c.orders.cartItems.next(), p, qty, asNumber(text)}
	k.lines = append(k.lines, l)
	return obj{{"item_id", l.id}, {"sku", p.sku}, {"qty", qty}, {"name", c.productName(p)}, {"price", l.price}, {"product_type", p.typ}, {"quote_id", itoa(k.id)}}, nil
}

func (c *call) productName(p *product) string {
	s, _ := p.values.at(c.attributes.product("name").id, c.store)
	return s
}

// stockOfView is the stock from which the call's website sells.
func (c *call) stockOfView() *stockRow {
	code := c.websites[c.views[max(c.store, 1)].website].code
	for _, s := range c.stock.stocks {
		for _, w := range s.websites {
			if w == code {
				return s
			}
		}
	}
	return c.stock.stocks[0]
}

func (k *cart) sums() (subtotal, shipping, pieces float64) {
	for _, l := range k.lines {
		subtotal += l.price * l.qty
		pieces += l.qty
	}
	return subtotal, pieces * flatRate, pieces
}

func shipCart(c *call) (any, error) {
	k, err := c.cart()
	if err != nil {
		return nil, err
	}
	in := c.in.object("address_information")
	k.shipping, k.billing = in.object("shipping_address"), in.object("billing_address")
	subtotal, shipping, pieces := k.sums()
	total := subtotal + shipping
	items := []any{}
	for _, l := range k.lines {
		row := l.price * l.qty
		items = append(items, obj{{"item_id", l.id}, {"price", l.price}, {"base_price", l.price}, {"qty", l.qty}, {"row_total", row}, {"base_row_total", row},
			{"row_total_with_discount", 0}, {"tax_amount", 0}, {"base_tax_amount", 0}, {"tax_percent", 0}, {"discount_amount", 0}, {"base_discount_amount", 0},
			{"discount_percent", 0}, {"price_incl_tax", l.price}, {"base_price_incl_tax", l.price}, {"row_total_incl_tax", row}, {"base_row_total_incl_tax", row},
			{"options", "[]"}, {"weee_tax_applied_amount", nil}, {"weee_tax_applied", nil}, {"name", c.productName(l.product)}})
	}
	totals := obj{{"grand_total", total}, {"base_grand_total", total}, {"subtotal", subtotal}, {"base_subtotal", subtotal}, {"discount_amount", 0},
		{"base_discount_amount", 0}, {"subtotal_with_discount", subtotal}, {"base_subtotal_with_discount", subtotal}, {"shipping_amount", shipping},
		{"base_shipping_amount", shipping}, {"shipping_discount_amount", 0}, {"base_shipping_discount_amount", 0}, {"tax_amount", 0}, {"base_tax_amount", 0},
		{"weee_tax_applied_amount", nil}, {"shipping_tax_amount", 0}, {"base_shipping_tax_amount", 0}, {"subtotal_incl_tax", subtotal},
		{"shipping_incl_tax", shipping}, {"base_shipping_incl_tax", shipping}, {"base_currency_code", "EUR"}, {"quote_currency_code", "EUR"},
		{"items_qty", pieces}, {"items", items}, {"total_segments", segments(subtotal, shipping, total)}}
	return obj{{"payment_methods", []any{obj{{"code", "checkmo"}, {"title", "Check / Money order"}}}}, {"totals", totals}}, nil
}

func segments(subtotal, shipping, total float64) []any {
	return []any{
		obj{{"code", "subtotal"}, {"title", "Subtotal"}, {"value", subtotal}},
		obj{{"code", "shipping"}, {"title", "Shipping & Handling (Flat Rate - Fixed)"}, {"value", shipping}},
		obj{{"code", "tax"}, {"title", "Tax"}, {"value", 0}, {"extension_attributes", obj{{"tax_grandtotal_details", []any{}}}}},
		obj{{"code", "grand_total"}, {"title", "Grand Total"}, {"value", total}, {"area", "footer"}},
	}
}

// payCart places the order. Nothing leaves a source by it: it is a reservation.
func payCart(c *call) (any, error) {
	k, err := c.cart()
	if err != nil {
		return nil, err
	}
	if len(k.lines) == 0 || k.shipping == nil {
		return nil, fail(http.StatusBadRequest, "Some addresses can't be used due to the configurations for specific countries.")
	}
	if b := c.in.object("billing_address"); b != nil {
		k.billing = b
	}
	o := c.orders.place(c, k, c.in.text("email"))
	for _, l := range k.lines {
		c.stock.held[reservation{foldSKU(l.product.sku), o.stock}] += l.qty
	}
	delete(c.orders.byMask, k.mask)
	return o.id, nil
}

// Order places an order of a guest.
func (s *Server) Order(sku string, qty float64) (id int, err error) {
	const carts = "/rest/default/V1/guest-carts"
	raw, err := s.Rest(http.MethodPost, s.bareScope(carts), map[string]any{})
	if err != nil {
		return 0, err
	}
	at := s.bareScope(carts) + "/" + string(raw[1:len(raw)-1])
	buyer := map[string]any{"firstname": "A", "lastname": "Guest", "street": []string{"Main 1"}, "city": "Austin", "region_id": 57, "region": "Texas", "region_code": "TX",
		"postcode": "78701", "country_id": "US", "telephone": "1", "email": "guest@example.test"}
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"/items", map[string]any{"cartItem": map[string]any{"sku": sku, "qty": qty}}},
		{"/shipping-information", map[string]any{"addressInformation": map[string]any{"shipping_address": buyer, "billing_address": buyer,
			"shipping_method_code": "flatrate", "shipping_carrier_code": "flatrate"}}},
		{"/payment-information", map[string]any{"email": "guest@example.test", "paymentMethod": map[string]any{"method": "checkmo"}}},
	} {
		if raw, err = s.Rest(http.MethodPost, at+step.path, step.body); err != nil {
			return 0, err
		}
	}
	_, err = fmt.Sscan(string(raw), &id)
	return id, err
}

// bareScope takes the store code off, so that the default view's holds whatever its name is.
func (s *Server) bareScope(path string) string { return "/rest" + path[len("/rest/default"):] }
