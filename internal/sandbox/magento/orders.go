package magento

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
)

// orders are the carts and orders of the shop.
type orders struct {
	carts, cartItems          counter
	ids, items, addresses     counter
	shipments, invoices, note counter
	byMask                    map[string]*cart
	rows                      []*saleOrder // by id
}

// saleOrder is an order.
type saleOrder struct {
	id, store, stock    int
	cart                *cart
	itemIDs             []int
	names               []string
	shipped, invoiced   []float64
	weights             []float64
	addressIDs          [2]int // shipping, billing
	email, key          string
	created, updated    string
	state, status       string
	histories           []any
	currency, storeName string
}

func (o *orders) open(k *cart) {
	if o.byMask == nil {
		o.byMask = map[string]*cart{}
	}
	o.byMask[k.mask] = k
}

func (o *orders) place(c *call, k *cart, email string) *saleOrder {
	v := c.views[max(c.store, 1)]
	n := &saleOrder{id: o.ids.next(), store: v.id, stock: c.stockOfView().id, cart: k, email: email, created: c.stamp(), updated: c.stamp(), state: "new", status: "pending",
		addressIDs: [2]int{o.addresses.next(), o.addresses.next()}, currency: v.currency,
		storeName: c.websites[v.website].name + "\n" + c.groups[v.group].name + "\n" + v.name}
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	n.key = hex.EncodeToString(key[:])
	for _, l := range k.lines {
		weight, _ := l.product.values.at(c.attributes.product("weight").id, 0)
		n.itemIDs = append(n.itemIDs, o.items.next())
		n.names = append(n.names, c.productName(l.product))
		n.weights = append(n.weights, asNumber(weight))
	}
	n.shipped, n.invoiced = make([]float64, len(k.lines)), make([]float64, len(k.lines))
	o.rows = append(o.rows, n)
	return n
}

func orderRoutes() []route {
	const acl = "Magento_Sales::sales"
	line := func() *shape {
		return fields(map[string]typ{"order_item_id": integer(), "qty": number(), "extension_attributes": anything()})
	}
	shipping := []param{opt("items", listOf(object1(line))), opt("notify", flag()), opt("appendComment", flag()), opt("comment", anything()),
		opt("tracks", anything()), opt("packages", anything()), opt("arguments", anything())}
	invoice := []param{opt("capture", flag()), opt("items", listOf(object1(line))), opt("notify", flag()), opt("appendComment", flag()), opt("comment", anything()), opt("arguments", anything())}
	history := func() *shape {
		return fields(map[string]typ{"comment": text(), "created_at": text(), "entity_id": integer(), "entity_name": text(), "is_customer_notified": integer(),
			"is_visible_on_front": integer(), "parent_id": integer(), "status": text(), "extension_attributes": anything()})
	}
	return []route{
		{method: http.MethodGet, path: "/V1/orders", resource: acl, run: searchOrders},
		{method: http.MethodGet, path: "/V1/orders/:id", resource: acl, run: getOrder},
		{method: http.MethodPost, path: "/V1/orders/:id/comments", resource: acl, run: commentOrder, params: []param{req("statusHistory", object1(history))}},
		{method: http.MethodPost, path: "/V1/order/:orderId/ship", resource: acl, run: shipOrder, params: shipping},
		{method: http.MethodPost, path: "/V1/order/:orderId/invoice", resource: acl, run: invoiceOrder, params: invoice},
	}
}

func (c *call) orderOf(id string) (*saleOrder, error) {
	n, _ := strconv.Atoi(id) // 0 is none
	for _, o := range c.orders.rows {
		if o.id == n {
			return o, nil
		}
	}
	return nil, fail(http.StatusNotFound, "The entity that was requested doesn't exist. Verify the entity and try again.")
}

func getOrder(c *call) (any, error) {
	o, err := c.orderOf(c.path["id"])
	if err != nil {
		return nil, err
	}
	return o.view(), nil
}

func searchOrders(c *call) (any, error) {
	rows := make([]obj, len(c.orders.rows))
	for i, o := range c.orders.rows {
		rows[i] = o.view()
	}
	return searchRows(c, rows, nil)
}

func commentOrder(c *call) (any, error) {
	o, err := c.orderOf(c.path["id"])
	if err != nil {
		return nil, err
	}
	in := c.in.object("status_history")
	o.status = or(in.text("status"), o.status)
	o.updated = c.stamp()
	o.histories = append(o.histories, obj{{"comment", in.text("comment")}, {"created_at", o.updated}, {"entity_id", c.orders.note.next()}, {"entity_name", "order"},
		{"is_customer_notified", in.integer("is_customer_notified")}, {"is_visible_on_front", in.integer("is_visible_on_front")}, {"parent_id", o.id}, {"status", o.status}})
	return true, nil
}

// counted adds what was sent to what was done of each item; nothing sent is all that is left.
func (o *saleOrder) counted(in []any, done []float64) ([]float64, error) {
	now := make([]float64, len(done))
	for i, l := range o.cart.lines {
		if len(in) == 0 {
			now[i] = l.qty - done[i]
		}
		for _, e := range in {
			if e.(object).integer("order_item_id") == o.itemIDs[i] {
				now[i] += e.(object).number("qty")
			}
		}
		if now[i] < 0 || done[i]+now[i] > l.qty {
			return nil, fail(http.StatusBadRequest, "The quantity to ship must not be greater than the unshipped quantity for product SKU \""+l.product.sku+"\".")
		}
	}
	return now, nil
}

// shipOrder takes the goods from their source, and ends their reservation.
func shipOrder(c *call) (any, error) {
	o, err := c.orderOf(c.path["orderId"])
	if err != nil {
		return nil, err
	}
	now, err := o.counted(c.in.list("items"), o.shipped)
	if err != nil {
		return nil, err
	}
	code := text2(member2(c.in["arguments"], "extension_attributes"), "source_code")
	for i, l := range o.cart.lines {
		o.shipped[i] += now[i]
		c.stock.held[reservation{foldSKU(l.product.sku), o.stock}] -= now[i]
		if r := c.stock.row(l.product.sku, c.sourceFor(o.stock, code)); r != nil {
			r.qty -= now[i]
			c.followSource(r)
		}
	}
	o.step(c)
	return itoa(c.orders.shipments.next()), nil
}

// sourceFor is the source that was named, or the first of a stock.
func (c *call) sourceFor(stock int, code string) string {
	for _, l := range c.stock.links {
		if code == "" && l.stock == stock {
			return l.source
		}
	}
	return code
}

func invoiceOrder(c *call) (any, error) {
	o, err := c.orderOf(c.path["orderId"])
	if err != nil {
		return nil, err
	}
	now, err := o.counted(c.in.list("items"), o.invoiced)
	if err != nil {
		return nil, err
	}
	for i := range now {
		o.invoiced[i] += now[i]
	}
	o.step(c)
	return itoa(c.orders.invoices.next()), nil
}

// step moves an order's state by what is shipped and invoiced of it.
func (o *saleOrder) step(c *call) {
	o.state, o.status, o.updated = "processing", "processing", c.stamp()
	for i, l := range o.cart.lines {
		if o.shipped[i] < l.qty || o.invoiced[i] < l.qty {
			return
		}
	}
	o.state, o.status = "complete", "complete"
}

func (o *saleOrder) increment() string { return fmt.Sprintf("%09d", o.id) }
