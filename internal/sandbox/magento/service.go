package magento

import "strings"

// service is the PHP method behind a route, as bulks name it.
type service struct {
	contract string // interface and method
	class    string // the implementation, as the message of success names it: mostly a generated one
	method   string
	void     bool // returns nothing
}

// services are the ones that bulks were seen with, by method and path of their route.
func services() map[string]service {
	const (
		repository = `Magento\Catalog\Api\ProductRepositoryInterface`
		price      = `Magento\Catalog\Model\Product\Price\`
		inventory  = `Magento\Inventory\Model\SourceItem\Command\`
	)
	return map[string]service{
		"POST /V1/products":                               {repository + "::save", `Magento\Catalog\Model\ProductRepository\Interceptor`, "save", false},
		"PUT /V1/products/:sku":                           {repository + "::save", `Magento\Catalog\Model\ProductRepository\Interceptor`, "save", false},
		"DELETE /V1/products/:sku":                        {repository + "::deleteById", `Magento\Catalog\Model\ProductRepository\Interceptor`, "deleteById", false},
		"POST /V1/products/base-prices":                   {`Magento\Catalog\Api\BasePriceStorageInterface::update`, price + "BasePriceStorage", "update", false},
		"POST /V1/products/special-price":                 {`Magento\Catalog\Api\SpecialPriceStorageInterface::update`, price + `SpecialPriceStorage\Interceptor`, "update", false},
		"POST /V1/products/tier-prices":                   {`Magento\Catalog\Api\TierPriceStorageInterface::update`, price + `TierPriceStorage\Interceptor`, "update", false},
		"PUT /V1/products/tier-prices":                    {`Magento\Catalog\Api\TierPriceStorageInterface::replace`, price + `TierPriceStorage\Interceptor`, "replace", false},
		"POST /V1/products/cost":                          {`Magento\Catalog\Api\CostStorageInterface::update`, price + "CostStorage", "update", false},
		"POST /V1/inventory/source-items":                 {`Magento\InventoryApi\Api\SourceItemsSaveInterface::execute`, inventory + `SourceItemsSave\Interceptor`, "execute", true},
		"POST /V1/inventory/source-items-delete":          {`Magento\InventoryApi\Api\SourceItemsDeleteInterface::execute`, inventory + `SourceItemsDelete\Interceptor`, "execute", true},
		"POST /V1/categories":                             {`Magento\Catalog\Api\CategoryRepositoryInterface::save`, `Magento\Catalog\Model\CategoryRepository\Interceptor`, "save", false},
		"PUT /V1/categories/:id":                          {`Magento\Catalog\Api\CategoryRepositoryInterface::save`, `Magento\Catalog\Model\CategoryRepository\Interceptor`, "save", false},
		"PUT /V1/products/:productSku/stockItems/:itemId": {`Magento\CatalogInventory\Api\StockRegistryInterface::updateStockItemBySku`, `Magento\CatalogInventory\Model\StockRegistry\Interceptor`, "updateStockItemBySku", false},
	}
}

// implementationOf is the service of a route; one that was not seen is named after its path.
func implementationOf(rt *route) service {
	if s, ok := services()[rt.method+" "+rt.path]; ok {
		return s
	}
	var name strings.Builder
	for p := range strings.SplitSeq(strings.TrimPrefix(rt.path, "/V1/"), "/") {
		if p != "" && p[0] != ':' {
			name.WriteString(camel(strings.ReplaceAll(p, "-", "_")))
		}
	}
	return service{`Magento\Catalog\Api\` + name.String() + "Interface::execute", `Magento\Catalog\Model\` + name.String() + `\Interceptor`, "execute", false}
}

// topicOf is the name of the queue's topic for a route.
func topicOf(rt *route) string {
	class, method, _ := strings.Cut(implementationOf(rt).contract, "::")
	return "async." + strings.ToLower(strings.ReplaceAll(class, `\`, ".")+"."+method+"."+rt.method)
}
