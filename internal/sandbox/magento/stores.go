package magento

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// stores are the websites, store groups and store views. Id 0 of each is the admin's.
type stores struct {
	websites []*website
	groups   []*group
	views    []*view
	baseURL  string // of all of them
}

type website struct {
	id           int
	code, name   string
	defaultGroup int
}

type group struct {
	id, website, root int
	code, name        string
	defaultView       int
}

type view struct {
	id, website, group int
	code, name         string
	locale, currency   string
}

func (s *stores) openStores(o *Options) error {
	s.baseURL = strings.TrimSuffix(o.BaseURL, "/") + "/"
	s.websites = []*website{{code: "admin", name: "Admin"}}
	s.groups = []*group{{code: "default", name: "Default"}}
	s.views = []*view{{code: "admin", name: "Admin", locale: "en_US", currency: "EUR"}}
	for i, ws := range o.Websites {
		s.websites = append(s.websites, &website{id: i + 1, code: ws.Code, name: or(ws.Name, ws.Code)})
	}
	for i, g := range o.Groups {
		ws := s.websiteByCode(g.Website)
		if ws == nil {
			return fmt.Errorf("group %s names the website %s, which there is not", g.Code, g.Website)
		}
		root := g.Root
		if root == 0 {
			root = 2
		}
		s.groups = append(s.groups, &group{id: i + 1, website: ws.id, root: root, code: g.Code, name: or(g.Name, g.Code)})
		if ws.defaultGroup == 0 {
			ws.defaultGroup = i + 1
		}
	}
	for _, v := range o.Views {
		if err := s.addView(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *stores) addView(v StoreView) error {
	for _, g := range s.groups {
		if g.code != v.Group || g.id == 0 {
			continue
		}
		id := len(s.views)
		s.views = append(s.views, &view{id: id, website: g.website, group: g.id, code: v.Code, name: or(v.Name, v.Code),
			locale: or(v.Locale, "en_US"), currency: or(v.Currency, "EUR")})
		if g.defaultView == 0 {
			g.defaultView = id
		}
		return nil
	}
	return fmt.Errorf("store view %s names the group %s, which there is not", v.Code, v.Group)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (s *stores) viewByCode(code string) *view {
	for _, v := range s.views {
		if v.code == code {
			return v
		}
	}
	return nil
}

func (s *stores) view(id int) *view {
	if id < 0 || id >= len(s.views) {
		return nil
	}
	return s.views[id]
}

// defaultView is the view of a URL without a store code.
func (s *stores) defaultView() *view {
	if len(s.views) > 1 {
		return s.views[1]
	}
	return s.views[0]
}

func (s *stores) websiteByCode(code string) *website {
	for _, w := range s.websites[1:] {
		if w.code == code {
			return w
		}
	}
	return nil
}

func (s *stores) hasWebsite(id int) bool { return id > 0 && id < len(s.websites) }

// websiteIDs are all but the admin's.
func (s *stores) websiteIDs() []int {
	ids := make([]int, 0, len(s.websites))
	for _, w := range s.websites[1:] {
		ids = append(ids, w.id)
	}
	return ids
}

// viewsOf are the ids of a website's store views.
func (s *stores) viewsOf(website int) []int {
	var ids []int
	for _, v := range s.views {
		if v.id > 0 && v.website == website {
			ids = append(ids, v.id)
		}
	}
	return ids
}

func storeRoutes() []route {
	const acl = "Magento_Backend::store"
	return []route{
		{method: http.MethodGet, path: "/V1/store/storeViews", resource: acl, run: listViews},
		{method: http.MethodGet, path: "/V1/store/storeGroups", resource: acl, run: listGroups},
		{method: http.MethodGet, path: "/V1/store/websites", resource: acl, run: listWebsites},
		{method: http.MethodGet, path: "/V1/store/storeConfigs", resource: acl, run: listConfigs},
	}
}

func listViews(c *call) (any, error) {
	list := []any{}
	for _, v := range c.views {
		list = append(list, obj{{"id", v.id}, {"code", v.code}, {"name", v.name}, {"website_id", v.website},
			{"store_group_id", v.group}, {"is_active", 1}})
	}
	return list, nil
}

func listGroups(c *call) (any, error) {
	list := []any{}
	for _, g := range c.groups {
		list = append(list, obj{{"id", g.id}, {"website_id", g.website}, {"root_category_id", g.root},
			{"default_store_id", g.defaultView}, {"name", g.name}, {"code", g.code}})
	}
	return list, nil
}

func listWebsites(c *call) (any, error) {
	list := []any{}
	for _, w := range c.websites {
		list = append(list, obj{{"id", w.id}, {"code", w.code}, {"name", w.name}, {"default_group_id", w.defaultGroup}})
	}
	return list, nil
}

func listConfigs(c *call) (any, error) {
	asked := inOrder(member2(c.query, "store_codes"))
	list := []any{}
	for _, v := range c.views[1:] {
		if len(asked) > 0 && !slices.Contains(asked, any(v.code)) {
			continue
		}
		o := obj{{"id", v.id}, {"code", v.code}, {"website_id", v.website}, {"locale", v.locale},
			{"base_currency_code", "EUR"}, {"default_display_currency_code", v.currency}, {"timezone", "UTC"}, {"weight_unit", "lbs"}}
		for _, kind := range []string{"base", "secure_base"} {
			o = append(o, member{kind + "_url", c.baseURL}, member{kind + "_link_url", c.baseURL},
				member{kind + "_static_url", c.baseURL + "static/version1754759768/"}, member{kind + "_media_url", c.baseURL + "media/"})
		}
		list = append(list, o)
	}
	return list, nil
}
