package magento

import (
	"encoding/json"
)

// wireProduct is a product as Magento gives it.
type wireProduct struct {
	ID      number             `json:"id"`
	SKU     loose              `json:"sku"`
	Name    json.RawMessage    `json:"name"`
	Set     number             `json:"attribute_set_id"`
	Price   json.RawMessage    `json:"price"`
	Status  json.RawMessage    `json:"status"`
	Visible json.RawMessage    `json:"visibility"`
	Type    loose              `json:"type_id"`
	Created json.RawMessage    `json:"created_at"`
	Updated loose              `json:"updated_at"`
	Weight  json.RawMessage    `json:"weight"`
	Ext     object[productExt] `json:"extension_attributes"`
	Links   list[wireLink]     `json:"product_links"`
	Media   list[wireEntry]    `json:"media_gallery_entries"`
	Custom  list[customValue]  `json:"custom_attributes"`
}

type productExt struct {
	Websites *list[number]      `json:"website_ids"`
	Links    list[categoryLink] `json:"category_links"`
	Options  list[wireChoice]   `json:"configurable_product_options"`
	Children *list[number]      `json:"configurable_product_links"`
}

// wireChoice is an attribute by which the children of a configurable differ.
type wireChoice struct {
	ID        number `json:"id"`
	Attribute number `json:"attribute_id"`
	Label     loose  `json:"label"`
	Position  number `json:"position"`
	Values    list[struct {
		Index number `json:"value_index"`
	}] `json:"values"`
}

// wireLink is a link to another product.
type wireLink struct {
	Type     string `json:"link_type"`
	SKU      loose  `json:"linked_product_sku"`
	Position number `json:"position"`
	Ext      object[struct {
		Qty loose `json:"qty"`
	}] `json:"extension_attributes"`
}

// The types of links.
const (
	linkRelated   = "related"
	linkUpsell    = "upsell"
	linkCrosssell = "crosssell"
	linkGrouped   = "associated"
)

// raw is what a product has of an attribute: one of the columns, or a custom attribute. It is nil where it has nothing.
func (p *wireProduct) raw(code string) json.RawMessage {
	switch code {
	case "name":
		return p.Name
	case "price":
		return p.Price
	case "status":
		return p.Status
	case "visibility":
		return p.Visible
	case "weight":
		return p.Weight
	}
	for i := range p.Custom {
		if p.Custom[i].Code == code {
			return p.Custom[i].Value
		}
	}
	return nil
}

// categoryIDs are the categories of a product. Answers without links have them as an attribute.
func (p *wireProduct) categoryIDs() []int64 {
	var out []int64
	if p.Ext.it != nil && len(p.Ext.it.Links) > 0 {
		for _, l := range p.Ext.it.Links {
			out = append(out, int64(l.Category))
		}
		return out
	}
	ids, err := listOf[number](p.raw("category_ids"))
	if err != nil {
		return nil
	}
	for _, id := range ids {
		out = append(out, int64(id))
	}
	return out
}
