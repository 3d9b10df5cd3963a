package cli

import (
	"context"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

// furnish gives the shop what a shop has before it meets a PIM: here that products of the set Default have a colour.
func (s *pairShow) furnish(context.Context) error {
	list, err := s.shop.Rest(http.MethodGet, "/rest/all/V1/products/attribute-sets/groups/list?searchCriteria[filterGroups][0][filters][0][field]=attribute_set_id&searchCriteria[filterGroups][0][filters][0][value]=4", nil)
	if err != nil {
		return err
	}
	var groups struct {
		Items []struct {
			ID string `json:"attribute_group_id"`
		}
	}
	if err := json.Unmarshal(list, &groups); err != nil || len(groups.Items) == 0 {
		return fmt.Errorf("the shop has no groups of attributes: %w", err)
	}
	_, err = s.shop.Rest(http.MethodPost, "/rest/all/V1/products/attribute-sets/attributes",
		map[string]any{"attributeSetId": 4, "attributeGroupId": groups.Items[0].ID, "attributeCode": "color", "sortOrder": 1})
	return err
}

// shown is a product as the shop shows it.
type shown struct {
	SKU    string
	Name   string
	Price  json.Number
	Status int
	Custom []struct {
		Code  string          `json:"attribute_code"`
		Value json.RawMessage `json:"value"`
	} `json:"custom_attributes"`
}

func (p *shown) text(code string) string {
	for _, a := range p.Custom {
		var text string
		if a.Code == code && json.Unmarshal(a.Value, &text) == nil {
			return text
		}
	}
	return ""
}

// product is one product of the shop; nil where it is not there.
func (s *pairShow) product(sku string) (*shown, error) {
	if !s.shop.Has(sku) {
		return nil, nil
	}
	text, err := s.shop.Rest(http.MethodGet, "/rest/all/V1/products/"+url.PathEscape(sku), nil)
	if err != nil {
		return nil, err
	}
	p := &shown{}
	return p, json.Unmarshal(text, p)
}

// sku is that of a product of Pimcore; a variant has its own.
func (s *pairShow) sku(id int) string {
	o, _ := s.pim.Get(id)
	sku, _ := o.Values["sku"].(string)
	return sku
}

// preview asks what the first sync would do.
func (s *pairShow) preview(ctx context.Context) error {
	s.act("lockstep plan: what would the first sync do? Nothing is written")
	if code := s.lockstep(ctx, "plan", "--limit", "2"); code != ExitOK {
		return ended{code}
	}
	h, err := s.house(ctx)
	if err != nil {
		return err
	}
	err = h.Do(ctx, app.Request{Do: app.DoPlan}, func(e app.Event) error {
		if e.Run != nil {
			s.sums.Planned += e.Run.Counts.Created
		}
		return nil
	})
	return s.closed(h, err)
}

func (s *pairShow) firstSync(ctx context.Context) (err error) {
	s.act("lockstep run: the first full sync; products wait for their categories, not the other way round")
	s.shop.ForgetRequests()
	began := time.Now()
	if s.daemon, err = startDaemon(s.dir, demoFile, filepath.Join(s.dir, "run.log")); err != nil {
		return err
	}
	want := len(s.ids)
	if err := s.daemon.until(ctx, "for the first full sync", 3*time.Minute, func() (bool, error) {
		if len(s.shop.SKUs()) < want {
			return false, nil
		}
		open, err := s.waiting(ctx)
		return open == 0, err
	}); err != nil {
		return err
	}
	took := time.Since(began)
	s.sums.FullSync = took.Seconds()
	s.sums.Calls, _ = s.shop.Counts()
	s.say("   %s products with categories, texts in two store views and images are in the shop %s after the start, by %s requests.",
		number(int64(want)), s.outPaint().bold(span(took)), number(int64(s.sums.Calls)))
	return nil
}

// waiting is how many entries are open in the queues.
func (s *pairShow) waiting(ctx context.Context) (n int64, err error) {
	h, err := s.house(ctx)
	if err != nil {
		return 0, err
	}
	err = h.Do(ctx, app.Request{Do: app.DoStatus}, func(e app.Event) error {
		if st := e.Status; st != nil {
			n += st.Ready + st.Delayed + st.Waiting + st.Leased + st.Confirming
			if st.LastFull == nil || st.LastFull.State != string(lockstep.Finished) {
				n++
			}
		}
		return nil
	})
	return n, s.closed(h, err)
}

// edits saves products, and looks how long each takes to the shop.
func (s *pairShow) edits(ctx context.Context) error {
	n := 60
	if s.options.fast {
		n = 15
	}
	s.act("People save prices in Pimcore; it tells lockstep, which reads, maps and writes what differs")
	rnd := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // a show that is the same every time
	var took []time.Duration
	before := s.writes()
	for i := range n {
		id := s.ids[rnd.IntN(len(s.ids))]
		sku, price := s.sku(id), fmt.Sprintf("%d.%02d", 200+i, 1+i%99)
		began := time.Now()
		if err := s.pim.Save(id, map[string]any{"price": float64(200+i) + float64(1+i%99)/100}); err != nil {
			return err
		}
		if err := s.until(ctx, "for the price of "+sku, func() (bool, error) {
			p, err := s.product(sku)
			if err != nil || p == nil {
				return false, err
			}
			f, err := p.Price.Float64()
			return err == nil && fmt.Sprintf("%.2f", f) == price, nil
		}); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	s.sums.Saves, s.sums.Writes, s.sums.P50, s.sums.P99 = n, s.writes()-before, ms(p50), ms(p99)
	p := s.outPaint()
	s.say("   %d saves, each by itself: half are in the shop within %s, 99 %% within %s, by %d writes.", n, p.bold(span(p50)), p.bold(span(p99)), s.sums.Writes)
	return nil
}

// writes is how many requests have changed the shop.
func (s *pairShow) writes() (n int) {
	_, routes := s.shop.Counts()
	for route, c := range routes {
		if !strings.HasPrefix(route, http.MethodGet) {
			n += c.Requests
		}
	}
	return n
}

// until looks every few milliseconds.
func (s *pairShow) until(ctx context.Context, what string, look func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for {
		if ok, err := look(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end:
			return fmt.Errorf("waited a minute in vain %s", what)
		case <-s.daemon.ended:
			return s.daemon.dead()
		case <-tick.C:
		}
	}
}

// withKeyword counts the shop's products whose keywords have a word.
func (s *pairShow) withKeyword(word string) (n int, err error) {
	for _, sku := range s.shop.SKUs() {
		p, err := s.product(sku)
		if err != nil {
			return 0, err
		}
		if p != nil && strings.Contains(p.text("meta_keyword"), word) {
			n++
		}
	}
	return n, nil
}

// rename renames a category: it is written once, and the products that carry its name follow.
func (s *pairShow) rename(ctx context.Context) error {
	s.act("A category is renamed: its products carry its name in their keywords, and follow")
	had, err := s.withKeyword("Tools basics")
	if err != nil {
		return err
	}
	before := s.writes()
	if err := s.pim.Save(s.pim.ByPath("/Categories/tools/basics"), map[string]any{"name@en": "Everyday tools"}); err != nil {
		return err
	}
	if err := s.daemon.until(ctx, "for the products of the category", time.Minute, func() (bool, error) {
		left, err := s.withKeyword("Tools basics")
		return left == 0, err
	}); err != nil {
		return err
	}
	if s.sums.FannedOut, err = s.withKeyword("Everyday tools"); err != nil {
		return err
	}
	s.say("   1 save, %d products that say so: recorded when they were built, found without asking Pimcore. %d writes.", s.sums.FannedOut, s.writes()-before)
	if s.sums.FannedOut != had {
		return fmt.Errorf("%d products had the old name, %d have the new one", had, s.sums.FannedOut)
	}
	return nil
}

// remove deletes a product: the shop keeps it, disabled.
func (s *pairShow) remove(ctx context.Context) error {
	s.act("A product is deleted in Pimcore: the shop keeps it, disabled (on_delete: disable)")
	var id int
	for _, one := range slices.Backward(s.ids) {
		if o, _ := s.pim.Get(one); o.Kind == "object" && o.Published {
			id = one
			break
		}
	}
	sku := s.sku(id)
	before := len(s.ids)
	if err := s.pim.Delete(id); err != nil {
		return err
	}
	s.ids = s.pim.IDs("Product")
	if err := s.until(ctx, "for "+sku+" to be disabled", func() (bool, error) {
		p, err := s.product(sku)
		return p != nil && p.Status == 2, err
	}); err != nil {
		return err
	}
	s.sums.Disabled = before - len(s.ids)
	s.say("   %s and %d variants with it: Pimcore was asked whether it is really gone.", sku, s.sums.Disabled-1)
	return nil
}

// option saves a colour that the shop does not know.
func (s *pairShow) option(ctx context.Context) error {
	s.act("A colour that the shop does not know yet: the option is made, once (create: [options])")
	for _, id := range s.ids[:3] {
		if err := s.pim.Save(id, map[string]any{"color": petrol}); err != nil {
			return err
		}
	}
	var id string
	if err := s.until(ctx, "for the colour", func() (bool, error) {
		ids, err := s.optionsCalled(petrol)
		if s.sums.Options = len(ids); err != nil || len(ids) == 0 {
			return false, err
		}
		id = ids[0]
		for _, one := range s.ids[:3] {
			if p, err := s.product(s.sku(one)); err != nil || p == nil || p.text("color") != id {
				return false, err
			}
		}
		return true, nil
	}); err != nil {
		return err
	}
	s.say("   Three products are %s now: option %s of the attribute color.", petrol, id)
	return nil
}

const petrol = "petrol"

// optionsCalled are the ids of the colours with a label.
func (s *pairShow) optionsCalled(label string) (ids []string, err error) {
	text, err := s.shop.Rest(http.MethodGet, "/rest/all/V1/products/attributes/color/options", nil)
	if err != nil {
		return nil, err
	}
	var options []struct{ Label, Value string }
	if err := json.Unmarshal(text, &options); err != nil {
		return nil, err
	}
	for _, o := range options {
		if o.Label == label {
			ids = append(ids, o.Value)
		}
	}
	return ids, nil
}

// accident saves a price that Magento refuses, shows how that is parked and why, and mends it.
func (s *pairShow) accident(ctx context.Context) error {
	id := s.ids[0]
	sku := s.sku(id)
	s.act("An accident: somebody gives " + sku + " a price of -5, which Magento refuses")
	if err := s.pim.Save(id, map[string]any{"price": -5.0}); err != nil {
		return err
	}
	key := lockstep.Key(fmt.Sprint(id))
	if err := s.daemon.until(ctx, "for the broken record to be parked", 30*time.Second, func() (bool, error) { return s.isParked(ctx, key) }); err != nil {
		return err
	}
	s.sums.Parked = 1
	s.lockstep(ctx, "parked")
	s.lockstep(ctx, "explain", "products", string(key))
	if err := s.pim.Save(id, map[string]any{"price": 5.0}); err != nil {
		return err
	}
	if err := s.daemon.until(ctx, "for the mended record", 30*time.Second, func() (bool, error) {
		parked, err := s.isParked(ctx, key)
		return !parked, err
	}); err != nil {
		return err
	}
	s.sums.Mended = 1
	s.say("   Mended in Pimcore: the next save closes it by itself.")
	return nil
}

// agree asks for the proof, and prints what it came to.
func (s *pairShow) agree(ctx context.Context) error {
	s.act("The proof: do both sides agree?")
	if err := s.daemon.until(ctx, "for the queues", time.Minute, func() (bool, error) {
		open, err := s.waiting(ctx)
		return open == 0, err
	}); err != nil {
		return err
	}
	if code := s.lockstep(ctx, "verify"); code != ExitOK {
		return ended{code}
	}
	if err := s.daemon.stop(); err != nil {
		return err
	}
	s.sums.Level, s.sums.Products, s.sums.Seconds = true, len(s.ids), time.Since(s.began).Seconds()
	if s.json {
		return s.object(s.sums)
	}
	p := s.outPaint()
	s.put("\n%s %s", p.good("In step."), p.dim("("+span(time.Since(s.began))+")"))
	line := func(name, text string) { s.put("   %s  %s", p.dim(fmt.Sprintf("%-8s", name)), text) }
	line("records", fmt.Sprintf("%s products and %d categories; the first full sync took %s", number(int64(s.sums.Products)), s.sums.Categories, span(time.Duration(s.sums.FullSync*float64(time.Second)))))
	line("latency", fmt.Sprintf("p50 %.0fms, p99 %.0fms from save to live in the shop", s.sums.P50, s.sums.P99))
	line("fan-out", fmt.Sprintf("%d products re-sent after one category was renamed", s.sums.FannedOut))
	line("parked", fmt.Sprintf("%d, mended %d", s.sums.Parked, s.sums.Mended))
	line("verify", "both sides agree")
	s.put("\nTwo databases instead: %s. Your own shop: docs/magento.md and docs/pimcore.md.", p.bold("lockstep demo databases"))
	return nil
}
