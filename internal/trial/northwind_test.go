package trial

import (
	"fmt"
	"os"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const northwindYAML = `
systems:
  erp: {type: postgres, dsn: %q}
  crm: {type: sqlite, path: crm.db}
flows:
  clients:
    from: {system: erp, stream: customers, track: {by: snapshot, every: 1h}}
    to:   {system: crm, stream: clients}
    map:
      code: customer_id
      company: upper(company_name)
      contact: contact_name + coalesce(" (" + contact_title + ")", "")
      country: country ?? "unknown"
      place: join([postal_code ?? "", city ?? ""], " ")
  orders:
    from: {system: erp, stream: orders, track: {by: snapshot, every: 1h}}
    to:   {system: crm, stream: sales}
    where: order_date >= date("1997-01-01")
    map:
      number: order_id
      client: link("clients", customer_id)
      ordered: order_date
      shipped: shipped_date
      freight: round(decimal(freight), 2)
      late: shipped_date != nil && shipped_date > required_date
`

// Customers and orders from PostgreSQL to SQLite with other names and types, through a mapping.
func TestNorthwind(t *testing.T) {
	p := newPlace(t)
	script, err := os.ReadFile(testkit.Data(t, "northwind-postgres.sql"))
	if err != nil {
		t.Fatal(err)
	}
	dsn := testkit.Postgres(t)
	psql(t, dsn, string(script))
	crm := openDB(t, "sqlite", p.path("crm.db"))
	for _, ddl := range []string{
		`CREATE TABLE clients (code TEXT PRIMARY KEY, company TEXT NOT NULL, contact TEXT, country TEXT NOT NULL, place TEXT)`,
		`CREATE TABLE sales (number INTEGER PRIMARY KEY, client TEXT NOT NULL REFERENCES clients, ordered DATE NOT NULL, shipped DATE, freight TEXT, late BOOLEAN NOT NULL)`,
	} {
		if _, err := crm.Exec(ddl); err != nil {
			t.Fatal(err)
		}
	}
	h := p.house(fmt.Sprintf(northwindYAML, dsn))
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	erp := openDB(t, "pgx", dsn)
	sameRows(t, "clients",
		rows(t, erp, `SELECT customer_id, upper(company_name), contact_name || coalesce(' (' || contact_title || ')', ''), country,
			coalesce(postal_code, '') || ' ' || coalesce(city, '') FROM customers ORDER BY customer_id COLLATE "C"`),
		rows(t, crm, `SELECT code, company, contact, country, place FROM clients ORDER BY code`))
	sameRows(t, "sales",
		rows(t, erp, `SELECT order_id::text, customer_id, order_date::text, shipped_date::text, trim_scale(round(freight::numeric, 2))::text,
			CASE WHEN coalesce(shipped_date > required_date, false) THEN '1' ELSE '0' END FROM orders WHERE order_date >= '1997-01-01' ORDER BY order_id`),
		rows(t, crm, `SELECT number, client, CAST(ordered AS TEXT), CAST(shipped AS TEXT), CAST(freight AS TEXT), CAST(late AS INTEGER) FROM sales ORDER BY number`))
}
