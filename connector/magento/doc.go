// Package magento reads and writes a Magento Open Source or Adobe Commerce shop (2.4.4 and later) by its REST API. What
// the API can and cannot do was observed on a running 2.4.7; the traps are named where they are heeded.
//
// By subject: the settings (spec.go), one call (client.go), who we are (oauth.go, token.go), what a refusal means
// (fault.go, refusal.go), what is known of the installation and for how long (shop.go, cell.go, attributes.go, tree.go),
// searches (search.go), values of attributes (values.go), the table of streams (table.go) and what the seams of lockstep
// ask for (magento.go).
//
// A scope is always said: "all" is what counts where no store view has a value of its own, a store view's code is that
// view. The connector never leaves it out, for then Magento means different things by reads, creates and updates.
package magento
