package trial

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
)

const shopPeopleYAML = `
systems:
  shop: {type: magento, url: %s, token: %s}
  erp: {type: postgres, dsn: %q}
flows:
  customers:
    from: {system: shop, stream: customers, track: &track {by: timestamp, field: updated_at, every: 1s, sweep: 24h}}
    to: {system: erp, stream: customers}
    deletes: {max_share: 100%%}
    map: {id: id, email: email, firstname: firstname, lastname: lastname, middlename: middlename, taxvat: taxvat, group_id: group_id, website_id: website_id, cities: 'join(map(addresses, .city), ",")'}
  orders:
    from: {system: shop, stream: orders, track: *track}
    to: {system: erp, stream: orders}
    map:
      id: id
      number: increment_id
      state: state
      status: status
      email: customer_email
      total: grand_total
      pieces: total_qty_ordered
      skus: 'join(map(items, .sku), ",")'
      town: billing_address.city
      notes: len(status_histories)
      created: created_at
`

// shopPerson and shopOrder are what the shop shows.
type shopPerson struct {
	ID                                             int
	Email, Firstname, Lastname, Middlename, Taxvat string
	Group                                          int `json:"group_id"`
	Website                                        int `json:"website_id"`
	Addresses                                      []struct{ City string }
}

type shopOrder struct {
	ID        int     `json:"entity_id"`
	Number    string  `json:"increment_id"`
	State     string  `json:"state"`
	Status    string  `json:"status"`
	Email     string  `json:"customer_email"`
	Total     float64 `json:"grand_total"`
	Pieces    float64 `json:"total_qty_ordered"`
	Created   string  `json:"created_at"`
	Items     []struct{ SKU string }
	Billing   struct{ City string } `json:"billing_address"`
	Histories []struct{ ID int }    `json:"status_histories"`
}

func (p *shopSource) people() (out []shopPerson) {
	p.t.Helper()
	var page struct{ Items []shopPerson }
	p.call(http.MethodGet, "/rest/all/V1/customers/search?searchCriteria[pageSize]=5000", nil, &page)
	return page.Items
}

func (p *shopSource) orders() []shopOrder {
	p.t.Helper()
	var page struct{ Items []shopOrder }
	p.call(http.MethodGet, "/rest/all/V1/orders?searchCriteria[pageSize]=5000", nil, &page)
	return page.Items
}

func (p *shopSource) peopleInShop() (people, orders []string) {
	for _, c := range p.people() {
		cities := make([]string, len(c.Addresses))
		for i, a := range c.Addresses {
			cities[i] = a.City
		}
		people = append(people, fmt.Sprintf("'%d'|'%s'|'%s'|'%s'|'%s'|'%s'|'%d'|'%d'|'%s'", c.ID, c.Email, c.Firstname, c.Lastname, c.Middlename, c.Taxvat, c.Group, c.Website, strings.Join(cities, ",")))
	}
	for _, o := range p.orders() {
		skus := make([]string, len(o.Items))
		for i, item := range o.Items {
			skus[i] = item.SKU
		}
		orders = append(orders, fmt.Sprintf("'%d'|'%s'|'%s'|'%s'|'%s'|'%.2f'|'%.2f'|'%s'|'%s'|'%d'|'%s'", o.ID, o.Number, o.State, o.Status, o.Email, o.Total, o.Pieces, strings.Join(skus, ","), o.Billing.City, len(o.Histories), o.Created))
	}
	slices.Sort(people)
	slices.Sort(orders)
	return people, orders
}

func (p *shopSource) peopleInERP() (people, orders []string) {
	people = rows(p.t, p.erp, `SELECT id, email, firstname, lastname, coalesce(middlename, ''), coalesce(taxvat, ''), group_id, website_id, coalesce(cities, '') FROM customers`)
	orders = rows(p.t, p.erp, `SELECT id, number, state, status, email, total::numeric(12,2), pieces::numeric(12,2), skus, town, notes, to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM orders`)
	slices.Sort(people)
	slices.Sort(orders)
	return people, orders
}

// trade is what customers and clerks do.
func (p *shopSource) trade(n int) {
	p.t.Helper()
	const at = "/rest/V1/"
	customer := func(path, method string, id int, name string) {
		c := map[string]any{"email": name + "@example.test", "firstname": "Änne", "lastname": "O'" + name, "website_id": 1, "addresses": []any{
			map[string]any{"firstname": "A", "lastname": "B", "street": []string{"Main 1"}, "city": "Köln " + name, "postcode": "50667", "country_id": "DE", "telephone": "1"}}}
		if p.rng.IntN(3) == 0 {
			c["middlename"], c["taxvat"] = "M"+name, "DE"+name
		}
		if id > 0 {
			c["id"] = id
		}
		p.owner(method, at+path, map[string]any{"customer": c})
	}
	all, people, orders := p.srv.SKUs(), p.people(), p.orders()
	order := shopOrder{}
	if len(orders) > 0 {
		order = orders[p.rng.IntN(len(orders))]
	}
	kind := p.rng.IntN(8)
	switch {
	case len(people) < 5 || kind == 0:
		customer("customers", http.MethodPost, 0, fmt.Sprintf("n%d", n))
	case kind == 1:
		p.owner(http.MethodDelete, fmt.Sprintf("%scustomers/%d", at, people[p.rng.IntN(len(people))].ID), nil)
	case kind < 4:
		id := people[p.rng.IntN(len(people))].ID
		customer(fmt.Sprintf("customers/%d", id), http.MethodPut, id, fmt.Sprintf("c%d", n))
	case order.ID == 0 || kind < 6:
		sku := all[p.rng.IntN(len(all))]
		if err := p.srv.SetStock(sku, "", 10_000); err != nil {
			p.t.Fatal(err)
		}
		if _, err := p.srv.Order(sku, float64(1+p.rng.IntN(3))); err != nil {
			p.t.Fatal(err)
		}
	case kind == 6 && order.State == "new":
		p.owner(http.MethodPost, fmt.Sprintf("%sorder/%d/ship", at, order.ID), map[string]any{})
		p.owner(http.MethodPost, fmt.Sprintf("%sorder/%d/invoice", at, order.ID), map[string]any{})
	default:
		p.owner(http.MethodPost, fmt.Sprintf("%sorders/%d/comments", at, order.ID), map[string]any{"statusHistory": map[string]any{
			"comment": fmt.Sprint("call ", n), "is_customer_notified": 0, "is_visible_on_front": 0, "parent_id": order.ID, "status": order.Status}})
	}
}

// Customers and orders of a Magento come into a database by updated_at, and what customers are gone by a sweep.
func TestMagentosCustomersAndOrders(t *testing.T) {
	t.Parallel()
	p, dsn := newShopSource(t, 20)
	p.rng = rand.New(rand.NewPCG(5, 12))
	exe(t, p.erp, `CREATE TABLE customers (id int PRIMARY KEY, email text, firstname text, lastname text, middlename text, taxvat text, group_id int, website_id int, cities text)`,
		`CREATE TABLE orders (id int PRIMARY KEY, number text, state text, status text, email text, total numeric(20,4), pieces numeric(12,4), skus text, town text, notes int, created timestamptz)`)
	h := newPlace(t).house(fmt.Sprintf(shopPeopleYAML, p.url, p.token(), dsn))
	rounds, n, edits := 12, 40, 0
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		for range n {
			edits++
			p.trade(edits)
		}
		do(t, h, app.Request{Do: app.DoSync})
		_, want := p.peopleInShop()
		_, have := p.peopleInERP()
		sameRows(t, "orders", have, want)
		p.ahead.Add(int64(6 * 60 * 1e9)) // what comes next is behind the overlap
	}
	calls, _ := p.counted()
	do(t, h, app.Request{Do: app.DoSync, Sweep: true})
	people, orders := p.peopleInShop()
	havePeople, haveOrders := p.peopleInERP()
	sameRows(t, "customers", havePeople, people)
	sameRows(t, "orders", haveOrders, orders)
	level(t, h)
	t.Logf("%d edits, %d customers, %d orders: %v", edits, len(people), len(orders), calls)
}
