package magento

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// customers are the shop's customers and their groups.
type customers struct {
	groups     []customerGroup
	rows       []*customer // by id
	ids        counter
	addressIDs counter
}

type customer struct {
	id               int
	created, updated string
	createdIn        string
	group            int
	store, website   int
	text             map[string]string // email, firstname, lastname and what else was sent
	addresses        []address
}

type address struct {
	id                int
	sent              object
	billing, shipping bool
}

// customerTexts are the members that are texts, in the order of the answer.
func customerTexts() []string {
	return []string{"dob", "email", "firstname", "lastname", "middlename", "prefix", "suffix", "taxvat"}
}

func customerShape() *shape {
	f := map[string]typ{"id": integer(), "group_id": integer(), "store_id": integer(), "website_id": integer(), "gender": integer(),
		"disable_auto_group_change": integer(), "extension_attributes": anything(), "custom_attributes": anything(), "addresses": listOf(object1(addressShape))}
	for _, n := range append(customerTexts(), "default_billing", "default_shipping", "confirmation", "created_at", "updated_at", "created_in") {
		f[n] = text()
	}
	return fields(f)
}

func addressShape() *shape {
	f := map[string]typ{"id": integer(), "customer_id": integer(), "region": anything(), "region_id": integer(), "street": listOf(text()),
		"default_billing": flag(), "default_shipping": flag(), "extension_attributes": anything(), "custom_attributes": anything()}
	for _, n := range []string{"country_id", "company", "telephone", "fax", "postcode", "city", "firstname", "lastname", "middlename", "prefix", "suffix", "vat_id"} {
		f[n] = text()
	}
	return fields(f)
}

func customerRoutes() []route {
	const acl = "Magento_Customer::manage"
	in := []param{req("customer", object1(customerShape)), opt("password", text()), opt("redirectUrl", text()), opt("passwordHash", text())}
	return []route{
		{method: http.MethodGet, path: "/V1/customers/search", resource: acl, run: searchCustomers},
		{method: http.MethodGet, path: "/V1/customers/:customerId", resource: acl, run: getCustomer},
		{method: http.MethodPost, path: "/V1/customers", params: in, run: createCustomer},
		{method: http.MethodPut, path: "/V1/customers/:customerId", resource: acl, params: in, run: updateCustomer},
		{method: http.MethodDelete, path: "/V1/customers/:customerId", resource: acl, run: deleteCustomer},
	}
}

func (c *call) customerOf(id string) (*customer, error) {
	n, _ := strconv.Atoi(id) // 0 is nobody
	for _, k := range c.customers.rows {
		if k.id == n {
			return k, nil
		}
	}
	return nil, noEntity("customerId", n)
}

func getCustomer(c *call) (any, error) {
	k, err := c.customerOf(c.path["customerId"])
	if err != nil {
		return nil, err
	}
	return k.view(true), nil
}

func createCustomer(c *call) (any, error) {
	in := c.in.object("customer")
	v := c.views[max(c.store, 0)]
	if id := in.integer("store_id"); c.view(id) != nil && id > 0 {
		v = c.views[id]
	} else if v.id == 0 {
		v = c.defaultView()
	}
	k := &customer{created: c.stamp(), createdIn: v.name, group: 1, store: v.id, website: v.website, text: map[string]string{}}
	if err := c.takeCustomer(k, in); err != nil {
		return nil, err
	}
	k.id = c.customers.ids.next()
	c.customers.rows = append(c.customers.rows, k)
	return k.view(false), nil
}

func updateCustomer(c *call) (any, error) {
	old, err := c.customerOf(c.path["customerId"])
	if err != nil {
		return nil, err
	}
	k := *old
	k.text = map[string]string{}
	for name, s := range old.text {
		k.text[name] = s
	}
	if err := c.takeCustomer(&k, c.in.object("customer")); err != nil {
		return nil, err
	}
	*old = k
	return old.view(true), nil
}

func deleteCustomer(c *call) (any, error) {
	k, err := c.customerOf(c.path["customerId"])
	if err != nil {
		return nil, err
	}
	c.customers.rows = slices.DeleteFunc(c.customers.rows, func(o *customer) bool { return o == k })
	return true, nil
}

var emailText = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// takeCustomer takes what was sent; addresses replace.
func (c *call) takeCustomer(k *customer, in object) error {
	for _, name := range customerTexts() {
		if in.has(name) {
			k.text[name] = in.text(name)
		}
	}
	if id := in.integer("website_id"); c.hasWebsite(id) {
		k.website = id
	}
	if in.has("group_id") {
		k.group = in.integer("group_id")
	}
	for _, r := range [...][2]string{{"firstname", "First Name"}, {"lastname", "Last Name"}, {"email", "Email"}} {
		if k.text[r[0]] == "" {
			return fail(http.StatusBadRequest, `"`+r[1]+`" is a required value.`)
		}
	}
	if !emailText.MatchString(k.text["email"]) {
		return fail(http.StatusBadRequest, `"Email" is not a valid email address.`)
	}
	for _, o := range c.customers.rows {
		if o.id != k.id && o.website == k.website && strings.EqualFold(o.text["email"], k.text["email"]) {
			return fail(http.StatusBadRequest, "A customer with the same email address already exists in an associated website.")
		}
	}
	if in.has("addresses") {
		k.addresses = nil
		for _, e := range in.list("addresses") {
			a := address{id: e.(object).integer("id"), sent: e.(object)}
			if a.id == 0 {
				a.id = c.customers.addressIDs.next()
			}
			a.billing, a.shipping = a.sent.flag("default_billing"), a.sent.flag("default_shipping")
			k.addresses = append(k.addresses, a)
		}
	}
	k.updated = c.stamp()
	return nil
}

// view is a customer as it is answered; one that was read has numbers of regions in its addresses.
func (k *customer) view(read bool) obj {
	o := obj{{"id", k.id}, {"group_id", k.group}}
	list := []any{}
	for _, a := range k.addresses {
		if a.billing {
			o = append(o, member{"default_billing", itoa(a.id)})
		}
		if a.shipping {
			o = append(o, member{"default_shipping", itoa(a.id)})
		}
		list = append(list, a.view(k.id, read))
	}
	o = append(o, member{"created_at", k.created}, member{"updated_at", k.updated}, member{"created_in", k.createdIn})
	for _, name := range customerTexts() {
		if s, ok := k.text[name]; ok {
			o = append(o, member{name, s})
		}
	}
	return append(o, member{"store_id", k.store}, member{"website_id", k.website}, member{"addresses", list},
		member{"disable_auto_group_change", 0}, member{"extension_attributes", obj{{"is_subscribed", false}}})
}

func (a address) view(customer int, read bool) obj {
	o := obj{{"id", a.id}, {"customer_id", customer}, {"region", obj{{"region_code", nil}, {"region", nil}, {"region_id", a.sent.integer("region_id")}}}}
	if read {
		o = append(o, member{"region_id", a.sent.integer("region_id")})
	}
	for _, name := range []string{"country_id", "street", "company", "telephone", "fax", "postcode", "city", "firstname", "lastname", "middlename", "prefix", "suffix", "vat_id"} {
		if v, ok := a.sent[name]; ok {
			o = append(o, member{name, v})
		}
	}
	if a.shipping {
		o = append(o, member{"default_shipping", true})
	}
	if a.billing {
		o = append(o, member{"default_billing", true})
	}
	return o
}

func searchCustomers(c *call) (any, error) {
	rows := make([]obj, len(c.customers.rows))
	for i, k := range c.customers.rows {
		rows[i] = k.view(true)
	}
	return searchRows(c, rows, map[string]string{"entity_id": "id"})
}
