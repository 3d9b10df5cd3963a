package magento

// view is an order as it is answered.
func (o *saleOrder) view() obj {
	subtotal, shipping, pieces := o.cart.sums()
	total := subtotal + shipping
	weight, paid := 0.0, 0.0
	items := []any{}
	for i, l := range o.cart.lines {
		weight += o.weights[i] * l.qty
		paid += o.invoiced[i] * l.price
		items = append(items, o.item(i))
	}
	due := total
	if paid > 0 {
		due = subtotal - paid
	}
	v := obj{
		{"base_currency_code", "EUR"}, {"base_discount_amount", 0}, {"base_grand_total", total}, {"base_discount_tax_compensation_amount", 0},
		{"base_shipping_amount", shipping}, {"base_shipping_discount_amount", 0}, {"base_shipping_discount_tax_compensation_amnt", 0},
		{"base_shipping_incl_tax", shipping}, {"base_shipping_tax_amount", 0}, {"base_subtotal", subtotal}, {"base_subtotal_incl_tax", subtotal},
		{"base_tax_amount", 0}, {"base_total_due", due}, {"base_to_global_rate", 1}, {"base_to_order_rate", 1}, {"billing_address_id", o.addressIDs[1]},
		{"created_at", o.created}, {"customer_email", o.email}, {"customer_firstname", o.cart.billing.text("firstname")}, {"customer_group_id", 0},
		{"customer_is_guest", 1}, {"customer_lastname", o.cart.billing.text("lastname")}, {"customer_note_notify", 1}, {"discount_amount", 0},
		{"entity_id", o.id}, {"global_currency_code", "EUR"}, {"grand_total", total}, {"discount_tax_compensation_amount", 0},
		{"increment_id", o.increment()}, {"is_virtual", 0}, {"order_currency_code", o.currency}, {"protect_code", o.key}, {"quote_id", o.cart.id},
		{"remote_ip", "192.0.2.1"}, {"shipping_amount", shipping}, {"shipping_description", "Flat Rate - Fixed"}, {"shipping_discount_amount", 0},
		{"shipping_discount_tax_compensation_amount", 0}, {"shipping_incl_tax", shipping}, {"shipping_tax_amount", 0}, {"state", o.state},
		{"status", o.status}, {"store_currency_code", o.currency}, {"store_id", o.store}, {"store_name", o.storeName}, {"store_to_base_rate", 0},
		{"store_to_order_rate", 0}, {"subtotal", subtotal}, {"subtotal_incl_tax", subtotal}, {"tax_amount", 0}, {"total_due", due},
		{"total_item_count", len(items)}, {"total_qty_ordered", pieces}, {"updated_at", o.updated}, {"weight", weight}, {"items", items},
		{"billing_address", o.address("billing", 1, o.cart.billing)},
		{"payment", obj{{"account_status", nil}, {"additional_information", []any{"Check / Money order"}}, {"amount_ordered", total}, {"base_amount_ordered", total},
			{"base_shipping_amount", shipping}, {"cc_last4", nil}, {"entity_id", o.id}, {"method", "checkmo"}, {"parent_id", o.id}, {"shipping_amount", shipping}}},
		{"status_histories", append([]any{}, o.histories...)},
	}
	return append(v, member{"extension_attributes", o.more(shipping, items)})
}

func (o *saleOrder) more(shipping float64, items []any) obj {
	sums := obj{{"base_shipping_amount", shipping}, {"base_shipping_discount_amount", 0}, {"base_shipping_discount_tax_compensation_amnt", 0},
		{"base_shipping_incl_tax", shipping}, {"base_shipping_tax_amount", 0}, {"shipping_amount", shipping}, {"shipping_discount_amount", 0},
		{"shipping_discount_tax_compensation_amount", 0}, {"shipping_incl_tax", shipping}, {"shipping_tax_amount", 0}}
	assignment := obj{{"shipping", obj{{"address", o.address("shipping", 0, o.cart.shipping)}, {"method", "flatrate_flatrate"}, {"total", sums}}}, {"items", items}}
	return obj{{"shipping_assignments", []any{assignment}}, {"payment_additional_info", []any{obj{{"key", "method_title"}, {"value", "Check / Money order"}}}},
		{"applied_taxes", []any{}}, {"item_applied_taxes", []any{}}, {"converting_from_quote", false}, {"taxes", []any{}}, {"additional_itemized_taxes", []any{}}}
}

func (o *saleOrder) address(kind string, which int, in object) obj {
	a := obj{{"address_type", kind}}
	for _, name := range []string{"city", "company", "country_id", "email"} {
		if v, ok := in[name]; ok {
			a = append(a, member{name, v})
		}
	}
	a = append(a, member{"entity_id", o.addressIDs[which]}, member{"firstname", in.text("firstname")}, member{"lastname", in.text("lastname")}, member{"parent_id", o.id})
	for _, name := range []string{"postcode", "region", "region_code", "region_id", "street", "telephone"} {
		if v, ok := in[name]; ok {
			a = append(a, member{name, v})
		}
	}
	return a
}

func (o *saleOrder) item(i int) obj {
	l := o.cart.lines[i]
	row := l.price * l.qty
	return obj{
		{"amount_refunded", 0}, {"base_amount_refunded", 0}, {"base_discount_amount", 0}, {"base_discount_invoiced", 0}, {"base_discount_tax_compensation_amount", 0},
		{"base_original_price", l.price}, {"base_price", l.price}, {"base_price_incl_tax", l.price}, {"base_row_invoiced", o.invoiced[i] * l.price},
		{"base_row_total", row}, {"base_row_total_incl_tax", row}, {"base_tax_amount", 0}, {"base_tax_invoiced", 0}, {"created_at", o.created},
		{"discount_amount", 0}, {"discount_invoiced", 0}, {"discount_percent", 0}, {"free_shipping", 0}, {"discount_tax_compensation_amount", 0},
		{"is_qty_decimal", 0}, {"is_virtual", 0}, {"item_id", o.itemIDs[i]}, {"name", o.names[i]}, {"no_discount", 0}, {"order_id", o.id},
		{"original_price", l.price}, {"price", l.price}, {"price_incl_tax", l.price}, {"product_id", l.product.id}, {"product_type", l.product.typ},
		{"qty_canceled", 0}, {"qty_invoiced", o.invoiced[i]}, {"qty_ordered", l.qty}, {"qty_refunded", 0}, {"qty_shipped", o.shipped[i]},
		{"quote_item_id", l.id}, {"row_invoiced", o.invoiced[i] * l.price}, {"row_total", row}, {"row_total_incl_tax", row}, {"row_weight", o.weights[i] * l.qty},
		{"sku", l.product.sku}, {"store_id", o.store}, {"tax_amount", 0}, {"tax_invoiced", 0}, {"tax_percent", 0}, {"updated_at", o.created},
		{"weight", o.weights[i]}, {"extension_attributes", obj{{"itemized_taxes", []any{}}}},
	}
}
