package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// shop is a Magento, with the pictures of the products beside it.
type shop struct {
	srv *magento.Server
	web *http.Server
	url string

	doubled []string // what the last read found twice
}

func openShop() (*shop, error) {
	srv, err := magento.New(magento.Options{Bearer: true, Delay: 8 * time.Millisecond, Consumers: 3, ConsumerDelay: 5 * time.Millisecond,
		ConsumerRestart: 200 * time.Millisecond, Shuffle: true})
	if err != nil {
		return nil, err
	}
	srv.SetSlow(phpGoesOn)
	s := &shop{srv: srv}
	for code, assign := range map[string]bool{"size": true, "color": false} {
		if assign {
			if _, err := srv.Rest(http.MethodPost, "/rest/all/V1/products/attributes", map[string]any{"attribute": map[string]any{
				"attribute_code": code, "frontend_input": "select", "scope": "global", "default_frontend_label": code, "is_required": false}}); err != nil {
				return nil, err
			}
		}
		if err := s.assign(code); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
	if err != nil {
		return nil, err
	}
	s.url = "http://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/pictures/", picture)
	mux.Handle("/", srv)
	s.web = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.web.Serve(l) }()
	return s, nil
}

// assign puts an attribute into the set Default.
func (s *shop) assign(code string) error {
	var groups struct {
		Items []struct {
			ID string `json:"attribute_group_id"`
		}
	}
	q := url.Values{"searchCriteria[filterGroups][0][filters][0][field]": {"attribute_set_id"}, "searchCriteria[filterGroups][0][filters][0][value]": {"4"}}
	if err := s.get("/rest/all/V1/products/attribute-sets/groups/list?"+q.Encode(), &groups); err != nil {
		return err
	}
	if len(groups.Items) == 0 {
		return errors.New("the set Default has no groups")
	}
	group, err := strconv.Atoi(groups.Items[0].ID)
	if err != nil {
		return err
	}
	_, err = s.srv.Rest(http.MethodPost, "/rest/all/V1/products/attribute-sets/attributes", map[string]any{
		"attributeSetId": 4, "attributeGroupId": group, "attributeCode": code, "sortOrder": 0})
	return err
}

func (s *shop) close() error { return errors.Join(s.web.Close(), s.srv.Close()) }

func (s *shop) fails(on bool) {
	for fault, share := range shopFaults {
		if !on {
			share = 0
		}
		s.srv.Fail(fault, share)
	}
}

func (s *shop) get(uri string, out any) error {
	raw, err := s.srv.Rest(http.MethodGet, uri, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	return json.Unmarshal(raw, out)
}

// picture serves an image that no other name has.
func picture(w http.ResponseWriter, r *http.Request) {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(r.URL.Path))
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		bits := sum.Sum64() >> (i % 56)
		img.Set(i%8, i/8, color.RGBA{uint8(bits), uint8(bits >> 3), uint8(i * 4), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b.Bytes())
}

// sold is a product as the shop shows it.
type sold struct {
	ID     int
	SKU    string
	Name   string
	TypeID string      `json:"type_id"`
	Price  json.Number `json:"price"`
	Custom []struct {
		Code  string          `json:"attribute_code"`
		Value json.RawMessage `json:"value"`
	} `json:"custom_attributes"`
	Extension json.RawMessage `json:"extension_attributes"`
	Media     []struct {
		Position int
		Types    []string
		File     string
	} `json:"media_gallery_entries"`
	Links []struct {
		Type     string `json:"link_type"`
		Linked   string `json:"linked_product_sku"`
		Position int
	} `json:"product_links"`
}

// extension is what an empty list stands for where there is nothing.
type extension struct {
	Categories []struct {
		ID string `json:"category_id"`
	} `json:"category_links"`
	Children []json.Number `json:"configurable_product_links"`
}

func (p *sold) text(code string) string {
	for _, a := range p.Custom {
		var s string
		if a.Code == code && json.Unmarshal(a.Value, &s) == nil {
			return s
		}
	}
	return ""
}

// read is all that the shop holds, in one line each: "products SKU" and "categories path".
func (s *shop) read() (map[string]string, error) {
	s.doubled = nil
	out := map[string]string{}
	paths, err := s.categories(out)
	if err != nil {
		return nil, err
	}
	options, err := s.options("color", "size")
	if err != nil {
		return nil, err
	}
	all, err := s.products("all")
	if err != nil {
		return nil, err
	}
	de, err := s.products("de")
	if err != nil {
		return nil, err
	}
	skus, germans := map[int]string{}, map[string]string{}
	for _, p := range all {
		skus[p.ID] = p.SKU
	}
	for _, p := range de {
		germans[p.SKU] = p.Name
	}
	for _, p := range all {
		key := "products " + p.SKU
		if _, there := out[key]; there {
			s.doubled = append(s.doubled, key)
		}
		out[key] = p.line(germans[p.SKU], paths, skus, options)
	}
	return out, nil
}

// line is a product in the form that readCatalogue gives it, too.
func (p *sold) line(german string, paths map[string]string, skus map[int]string, options map[string]string) string {
	var ext extension
	_ = json.Unmarshal(p.Extension, &ext) // a list where there is nothing
	var cats, children, related, images []string
	for _, c := range ext.Categories {
		cats = append(cats, paths[c.ID])
	}
	for _, c := range ext.Children {
		id, _ := strconv.Atoi(c.String())
		children = append(children, skus[id])
	}
	slices.SortStableFunc(p.Links, func(a, b struct {
		Type     string `json:"link_type"`
		Linked   string `json:"linked_product_sku"`
		Position int
	}) int {
		return a.Position - b.Position
	})
	for _, l := range p.Links {
		related = append(related, l.Linked)
	}
	slices.SortStableFunc(p.Media, func(a, b struct {
		Position int
		Types    []string
		File     string
	}) int {
		return a.Position - b.Position
	})
	for _, m := range p.Media {
		name := strings.TrimSuffix(path.Base(m.File), path.Ext(m.File))
		slices.Sort(m.Types)
		images = append(images, name[strings.LastIndex(name, "-")+1:]+strings.Join(m.Types, "+"))
	}
	price := p.Price.String()
	if p.TypeID == "configurable" {
		price = ""
	}
	return line(p.TypeID, p.Name, german, p.text("description"), price, options[p.text("color")], options[p.text("size")], cats, children, related, images)
}

func line(kind, name, german, description, price, color, size string, cats, children, related, images []string) string {
	if n, ok := new(big.Rat).SetString(price); ok {
		price = n.FloatString(2)
	}
	slices.Sort(cats)
	slices.Sort(children)
	return strings.Join([]string{kind, name, german, description, price, color, size, "in " + strings.Join(cats, ","), "of " + strings.Join(children, ","),
		"with " + strings.Join(related, ","), "shows " + strings.Join(images, ",")}, " | ")
}

func (s *shop) products(view string) (all []*sold, err error) {
	for last := 0; ; {
		q := url.Values{
			"searchCriteria[filter_groups][0][filters][0][field]":          {"entity_id"},
			"searchCriteria[filter_groups][0][filters][0][value]":          {strconv.Itoa(last)},
			"searchCriteria[filter_groups][0][filters][0][condition_type]": {"gt"},
			"searchCriteria[sortOrders][0][field]":                         {"entity_id"},
			"searchCriteria[sortOrders][0][direction]":                     {"ASC"},
			"searchCriteria[pageSize]":                                     {"300"},
		}
		var page struct{ Items []*sold }
		if err := s.get("/rest/"+view+"/V1/products?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 {
			return all, nil
		}
		all = append(all, page.Items...)
		last = page.Items[len(page.Items)-1].ID
	}
}

// categories puts the categories into out by their paths, and gives the paths by id.
func (s *shop) categories(out map[string]string) (map[string]string, error) {
	type node struct {
		ID       int
		Name     string
		Active   bool   `json:"is_active"`
		Children []node `json:"children_data"`
	}
	var root node
	if err := s.get("/rest/all/V1/categories?rootCategoryId=2", &root); err != nil {
		return nil, err
	}
	paths := map[string]string{}
	var walk func(n node, above string)
	walk = func(n node, above string) {
		for _, c := range n.Children {
			at := path.Join(above, c.Name)
			paths[strconv.Itoa(c.ID)] = at
			if _, there := out["categories "+at]; there {
				s.doubled = append(s.doubled, "categories "+at)
			}
			out["categories "+at] = strconv.FormatBool(c.Active)
			walk(c, at)
		}
	}
	walk(root, "")
	return paths, nil
}

// options are the labels of attributes' options by id.
func (s *shop) options(codes ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, code := range codes {
		var list []struct{ Label, Value string }
		if err := s.get("/rest/all/V1/products/attributes/"+code+"/options", &list); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, o := range list {
			if o.Value == "" { // the one that chooses nothing
				continue
			}
			if seen[o.Label] {
				s.doubled = append(s.doubled, "option "+code+" "+o.Label)
			}
			seen[o.Label], out[o.Value] = true, o.Label
		}
	}
	return out, nil
}

// twice is what the last read found twice.
func (s *shop) twice() []string { return s.doubled }

// differences are those between what two sides hold.
func differences(source, target map[string]string) (all []Difference) {
	keys := maps.Clone(source)
	maps.Copy(keys, target)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if source[k] != target[k] {
			flow, key, _ := strings.Cut(k, " ")
			all = append(all, Difference{flow, key, source[k], target[k]})
		}
	}
	return all
}
