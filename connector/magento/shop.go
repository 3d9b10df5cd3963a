package magento

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// shop is what is known of an installation besides its records, each part asked for when it is first needed and held
// for a while. It is for any number of goroutines; what it gives must not be written to.
type shop struct {
	client *client
	conf   *conf

	places  *cell[*places]
	product *cell[*attributes]
	categ   *cell[*attributes]
	named   *cell[map[string]*attributes]
	sets    *cell[*sets]
	trees   *cell[*tree]
	strange names // options that products have and attributes do not
}

func newShop(c *client, conf *conf) *shop {
	return &shop{client: c, conf: conf, places: newCell[*places](), product: newCell[*attributes](), categ: newCell[*attributes](), named: newCell[map[string]*attributes](),
		sets: newCell[*sets](), trees: newCell[*tree]()}
}

// The times for which parts are held. People change attributes and categories beside us.
const (
	placesLife     = 10 * time.Minute
	attributesLife = 5 * time.Minute
	setsLife       = 5 * time.Minute
	treeLife       = time.Minute
)

// forget makes all be asked for again.
func (s *shop) forget() {
	s.places.forget()
	s.product.forget()
	s.categ.forget()
	s.named.forget()
	s.sets.forget()
	s.trees.forget()
	s.strange.forget()
}

// places are the websites and store views.
type places struct {
	websites []website
	views    []view // without admin, by id
	// spoken are the views that have fields of their own, by id.
	spoken []view
}

type website struct {
	id   int64
	code string
}

// view is a store view.
type view struct {
	id      int64
	code    string
	website website
	suffix  string // of its fields; "" where it has none
	active  bool
}

// website is the website of a code or an id, nil where there is none.
func (p *places) website(code string) *website {
	i := slices.IndexFunc(p.websites, func(w website) bool { return w.code == code })
	if i < 0 {
		return nil
	}
	return &p.websites[i]
}

func (p *places) websiteByID(id int64) *website {
	i := slices.IndexFunc(p.websites, func(w website) bool { return w.id == id })
	if i < 0 {
		return nil
	}
	return &p.websites[i]
}

// where are the websites and store views.
func (s *shop) where(ctx context.Context) (*places, error) {
	return s.places.get(ctx, placesLife, s.loadPlaces)
}

func (s *shop) loadPlaces(ctx context.Context) (*places, error) {
	var sites list[struct {
		ID   number `json:"id"`
		Code string `json:"code"`
	}]
	var views list[struct {
		ID      number `json:"id"`
		Code    string `json:"code"`
		Website number `json:"website_id"`
		Active  flag   `json:"is_active"`
	}]
	if _, err := s.client.into(ctx, call{name: "websites", method: http.MethodGet, scope: allViews, path: "V1/store/websites"}, &sites); err != nil {
		return nil, err
	}
	if _, err := s.client.into(ctx, call{name: "store views", method: http.MethodGet, scope: allViews, path: "V1/store/storeViews"}, &views); err != nil {
		return nil, err
	}
	p := &places{}
	for _, w := range sites {
		if w.ID != 0 {
			p.websites = append(p.websites, website{int64(w.ID), w.Code})
		}
	}
	slices.SortFunc(p.websites, func(a, b website) int { return cmp.Compare(a.id, b.id) })
	for _, v := range views {
		if v.ID == 0 || v.Code == adminView {
			continue
		}
		suffix := v.Code
		if s.conf.views != nil {
			suffix = s.conf.views[v.Code]
		}
		one := view{id: int64(v.ID), code: v.Code, suffix: suffix, active: bool(v.Active)}
		if w := p.websiteByID(int64(v.Website)); w != nil {
			one.website = *w
		}
		p.views = append(p.views, one)
	}
	slices.SortFunc(p.views, func(a, b view) int { return cmp.Compare(a.id, b.id) })
	p.spoken = slices.DeleteFunc(slices.Clone(p.views), func(v view) bool { return v.suffix == "" })
	for code := range s.conf.views {
		if !slices.ContainsFunc(p.views, func(v view) bool { return v.code == code }) {
			f := lockstep.Faultf(lockstep.CodeConfig, "views: there is no store view %q", code)
			f.Kind = lockstep.Denied
			return nil, f
		}
	}
	return p, nil
}

// sets are the attribute sets of products.
type sets struct {
	byID   map[int64]string
	byName map[string]int64
	list   []attributeSet // by id
}

type attributeSet struct {
	ID   number `json:"attribute_set_id"`
	Name loose  `json:"attribute_set_name"`
	Sort number `json:"sort_order"`
}

// attributeSets are the attribute sets of products.
func (s *shop) attributeSets(ctx context.Context) (*sets, error) {
	return s.sets.get(ctx, setsLife, func(ctx context.Context) (*sets, error) {
		out := &sets{byID: map[int64]string{}, byName: map[string]int64{}}
		err := s.client.findAll(ctx, "attribute sets", allViews, "V1/products/attribute-sets/sets/list", search{
			size: s.conf.page, sort: []string{"attribute_set_id"}, fields: "items[attribute_set_id,attribute_set_name,sort_order],total_count",
		}, eachOf(func(a *attributeSet) {
			out.byID[int64(a.ID)], out.byName[string(a.Name)] = string(a.Name), int64(a.ID)
			out.list = append(out.list, *a)
		}))
		slices.SortFunc(out.list, func(a, b attributeSet) int { return cmp.Compare(a.ID, b.ID) })
		return out, err
	})
}
