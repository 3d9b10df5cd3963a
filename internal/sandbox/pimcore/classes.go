package pimcore

// Catalogue returns the classes of the generated catalogue: those that the contract's examples were observed with.
func Catalogue() []Class {
	bullet := Part{Name: "Bullet", Fields: []Field{{Name: "text", Kind: Input}, {Name: "position", Kind: Integer}}}
	faq := Part{Name: "entry", Fields: []Field{{Name: "question", Kind: Input}, {Name: "answer", Kind: Input}}}
	return []Class{
		{ID: "PR", Name: "Product", Inherit: true, Fields: []Field{
			{Name: "sku", Kind: Input, Mandatory: true, Unique: true},
			{Name: "price", Kind: Numeric},
			{Name: "stock", Kind: Integer},
			{Name: "active", Kind: Checkbox},
			{Name: "discontinued", Kind: BooleanSelect},
			{Name: "releaseDate", Kind: Date},
			{Name: "availableFrom", Kind: Datetime},
			{Name: "name", Kind: Input, Localized: true},
			{Name: "description", Kind: Wysiwyg, Localized: true},
			{Name: "slug", Kind: URLSlug, Localized: true},
			{Name: "categories", Kind: ManyToManyObj, Ends: []string{"Category"}},
			{Name: "manufacturer", Kind: ManyToOne, Ends: []string{"Manufacturer"}},
			{Name: "crossSell", Kind: AdvancedObj, Ends: []string{"Product"}, Metadata: []string{"sort", "note"}},
			{Name: "downloads", Kind: ManyToMany, Ends: []string{"asset"}},
			{Name: "color", Kind: Select},
			{Name: "badges", Kind: Multiselect},
			{Name: "mainImage", Kind: Image},
			{Name: "gallery", Kind: ImageGallery},
			{Name: "weight", Kind: QuantityValue},
			{Name: "power", Kind: Numeric, Brick: "TechSpec"},
			{Name: "voltage", Kind: Input, Brick: "TechSpec"},
			{Name: "bullets", Kind: FieldCollection, Types: []Part{bullet}},
			{Name: "faq", Kind: Block, Types: []Part{faq}},
			{Name: "attributes", Kind: ClassStore},
			{Name: "moreInfo", Kind: LinkField},
		}},
		{ID: "CA", Name: "Category", Inherit: false, Fields: []Field{
			{Name: "code", Kind: Input, Unique: true},
			{Name: "name", Kind: Input, Localized: true},
			{Name: "products", Kind: ReverseObj, Ends: []string{"Product"}, Reverse: "categories"},
		}},
		{ID: "MA", Name: "Manufacturer", Fields: []Field{
			{Name: "name", Kind: Input},
			{Name: "logo", Kind: Image},
		}},
	}
}

func catalogueGroups() []Group {
	return []Group{{ID: 1, Name: "Apparel", Features: []FeatureKey{
		{ID: 1, Name: "material", Kind: Input}, {ID: 2, Name: "length", Kind: Numeric},
		{ID: 3, Name: "fit", Kind: Select}, {ID: 4, Name: "washable", Kind: Checkbox},
	}}}
}
