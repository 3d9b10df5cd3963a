package magento

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Rest carries out a request as its owner would in the Admin: at once, by nobody who must sign in, past all faults, and
// in no log. uri is what a client would send: "/rest/all/V1/products/S-1".
func (s *Server) Rest(method, uri string, body any) (json.RawMessage, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(method, "http://sandbox"+uri, bytes.NewReader(raw)) //nolint:noctx // goes nowhere
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	c := &call{world: s.world, ctx: s.life}
	q, err := s.find(c, r)
	if err != nil {
		return nil, plainly(err)
	}
	in := object{}
	if method != http.MethodGet && method != http.MethodDelete {
		v, err := decode(raw)
		if err != nil {
			return nil, plainly(err)
		}
		if o, ok := v.(object); ok {
			in = o
		}
	}
	_, got, err := s.answer(q.rt, c, in)
	if err != nil {
		return nil, plainly(err)
	}
	return appendJSON(nil, got), nil
}

// plainly is an error for people.
func plainly(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		return errors.New(f.rendered())
	}
	return err
}

// Edit changes attributes of a product in the Admin: of a store view by its code, or "all". Names that are members of a
// product (name, price, status, …) go as such, the others as custom attributes.
func (s *Server) Edit(sku, view string, values map[string]any) error {
	p := map[string]any{}
	custom := []any{}
	for k, v := range values {
		if ownMember(k) || k == "attribute_set_id" || k == "type_id" {
			p[k] = v
		} else {
			custom = append(custom, map[string]any{"attribute_code": k, "value": v})
		}
	}
	if len(custom) > 0 {
		p["custom_attributes"] = custom
	}
	if !s.Has(sku) {
		return fmt.Errorf("no product %q", sku)
	}
	_, err := s.Rest(http.MethodPut, "/rest/"+or(view, "all")+"/V1/products/"+url.PathEscape(sku), map[string]any{"product": p})
	return err
}

// Has says whether there is a product of a SKU.
func (s *Server) Has(sku string) bool {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.world.products.find(sku) != nil
}

// SKUs are those of all products, in the order in which they were made.
func (s *Server) SKUs() []string {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	list := make([]string, len(s.world.products.rows))
	for i, p := range s.world.products.rows {
		list[i] = p.sku
	}
	return list
}

// Delete deletes a product.
func (s *Server) Delete(sku string) error {
	_, err := s.Rest(http.MethodDelete, "/rest/all/V1/products/"+url.PathEscape(sku), nil)
	return err
}

// SetStock sets what a source has.
func (s *Server) SetStock(sku, source string, quantity float64) error {
	_, err := s.Rest(http.MethodPost, "/rest/all/V1/inventory/source-items", map[string]any{"sourceItems": []any{map[string]any{
		"sku": sku, "source_code": or(source, defaultSource), "quantity": quantity, "status": number01(quantity > 0)}}})
	return err
}

// SetPrice sets the base price as an ERP does: updated_at does not move.
func (s *Server) SetPrice(sku string, price float64) error {
	got, err := s.Rest(http.MethodPost, "/rest/all/V1/products/base-prices", map[string]any{"prices": []any{map[string]any{"sku": sku, "store_id": 0, "price": price}}})
	if err == nil && string(got) != "[]" {
		return fmt.Errorf("the price was refused: %s", got)
	}
	return err
}

// RenameCategory gives a category another name.
func (s *Server) RenameCategory(id int, view, name string) error {
	_, err := s.Rest(http.MethodPut, fmt.Sprintf("/rest/%s/V1/categories/%d", or(view, "all"), id), map[string]any{"category": map[string]any{"name": name}})
	return err
}

// MoveCategory puts a category below another.
func (s *Server) MoveCategory(id, parent int) error {
	_, err := s.Rest(http.MethodPut, fmt.Sprintf("/rest/all/V1/categories/%d/move", id), map[string]any{"parentId": parent})
	return err
}

// RenameOption gives an option of an attribute another label.
func (s *Server) RenameOption(attribute string, option int, label string) error {
	_, err := s.Rest(http.MethodPut, fmt.Sprintf("/rest/all/V1/products/attributes/%s/options/%d", url.PathEscape(attribute), option),
		map[string]any{"option": map[string]any{"label": label, "value": itoa(option)}})
	return err
}
