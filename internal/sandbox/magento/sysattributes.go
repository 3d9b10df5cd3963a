package magento

import "strings"

// systemAttributes are those that every shop has, of products and categories, with the scopes of a fresh installation.
// price and its kin are global, for catalog/price/scope is.
func systemAttributes() []*attribute {
	const lines = `
4 73 name text varchar store required Product Name
4 74 sku text static global required SKU
4 75 description textarea text store - Description
4 76 short_description textarea text store - Short Description
4 77 price price decimal global required Price
4 78 special_price price decimal global - Special Price
4 79 special_from_date date datetime website - Special Price From Date
4 80 special_to_date date datetime website - Special Price To Date
4 81 cost price decimal global - Cost
4 82 weight weight decimal global - Weight
4 83 manufacturer select int global - Manufacturer
4 84 meta_title text varchar store - Meta Title
4 85 meta_keyword textarea text store - Meta Keywords
4 86 meta_description textarea varchar store - Meta Description
4 87 image media_image varchar store - Base
4 88 small_image media_image varchar store - Small
4 89 thumbnail media_image varchar store - Thumbnail
4 90 media_gallery gallery static global - Media Gallery
4 91 old_id text int global - -
4 92 tier_price text static website - Tier Price
4 93 color select int global - Color
4 94 news_from_date date datetime website - Set Product as New from Date
4 95 news_to_date date datetime website - Set Product as New to Date
4 96 gallery gallery varchar global - Image Gallery
4 97 status select int website - Enable Product
4 98 minimal_price price decimal global - Minimal Price
4 99 visibility select int store - Visibility
4 100 custom_design select varchar store - New Theme
4 101 custom_design_from date datetime store - Active From
4 102 custom_design_to date datetime store - Active To
4 103 custom_layout_update textarea text store - Layout Update XML
4 104 page_layout select varchar store - Layout
4 105 category_ids text static global - Categories
4 106 options_container select varchar store - Display Product Options In
4 107 required_options text static global - -
4 108 has_options text static global - -
4 109 image_label text varchar store - Image Label
4 110 small_image_label text varchar store - Small Image Label
4 111 thumbnail_label text varchar store - Thumbnail Label
4 112 created_at date static global required -
4 113 updated_at date static global required -
4 114 country_of_manufacture select varchar website - Country of Manufacture
4 115 quantity_and_stock_status select int global - Quantity
4 116 custom_layout select varchar store - New Layout
4 119 url_key text varchar store - URL Key
4 120 url_path text varchar store - -
4 121 msrp price decimal global - Manufacturer's Suggested Retail Price
4 122 msrp_display_actual_price_type select varchar website - Display Actual Price
4 123 price_type boolean int global required Dynamic Price
4 124 sku_type boolean int global required Dynamic SKU
4 125 weight_type boolean int global required Dynamic Weight
4 126 price_view select int global required Price View
4 127 shipment_type select int global required Ship Bundle Items
4 128 links_purchased_separately none int global required Links can be purchased separately
4 129 samples_title none varchar store required Samples title
4 130 links_title none varchar store required Links title
4 131 links_exist none int global - -
4 132 gift_message_available select varchar global - Allow Gift Message
4 133 swatch_image media_image varchar store - Swatch
4 134 tax_class_id select int website - Tax Class
4 135 custom_layout_update_file select varchar store - Custom Layout Update
3 45 name text varchar store required Name
3 46 is_active select int store required Is Active
3 47 description textarea text store - Description
3 48 image image varchar store - Image
3 49 meta_title text varchar store - Page Title
3 50 meta_keywords textarea text store - Meta Keywords
3 51 meta_description textarea text store - Meta Description
3 52 display_mode select varchar store - Display Mode
3 53 landing_page select int store - CMS Block
3 54 is_anchor select int store - Is Anchor
3 61 custom_design select varchar store - Custom Design
3 64 page_layout select varchar store - Page Layout
3 66 level text static global - Level
3 67 children_count text static global - Children Count
3 68 available_sort_by multiselect text store - Available Product Listing Sort By
3 69 default_sort_by select varchar store - Default Product Listing Sort By
3 70 include_in_menu select int store - Include in Navigation Menu
3 71 custom_use_parent_settings select int store - Use Parent Category Settings
3 72 custom_apply_to_products select int store - Apply To Products
3 117 url_key text varchar store - URL Key
3 118 url_path text varchar store - -
`
	defaults := map[string]string{"status": "1", "visibility": "4", "tax_class_id": "2", "options_container": "container2",
		"msrp_display_actual_price_type": "0"}
	var list []*attribute
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		f := strings.SplitN(line, " ", 8)
		at := &attribute{entity: int(f[0][0] - '0'), code: f[2], input: f[3], backend: f[4], scope: f[5],
			required: f[6] == "required", label: strings.TrimPrefix(f[7], "-")}
		for _, d := range f[1] {
			at.id = at.id*10 + int(d-'0')
		}
		if at.entity == productEntity {
			at.defaultValue = defaults[at.code]
			switch at.code {
			case "price_type", "sku_type", "weight_type", "price_view", "shipment_type":
				at.applyTo = []string{"bundle"}
			case "links_purchased_separately", "samples_title", "links_title", "links_exist":
				at.applyTo, at.input = []string{"downloadable"}, ""
			case "cost", "manufacturer", "color":
				at.user = true
			}
			switch at.code {
			case "price", "special_price", "cost", "minimal_price":
				at.applyTo = []string{"simple", "virtual", "downloadable", "bundle"}
			case "weight", "tax_class_id", "msrp", "msrp_display_actual_price_type":
				at.applyTo = []string{"simple", "virtual", "bundle", "downloadable", "configurable"}
			}
		}
		list = append(list, at)
	}
	return list
}
