package magento

// Difference is where the stand-in deliberately answers otherwise than the recorded server.
type Difference struct {
	Exchanges []string // file and name of the recorded exchanges
	Reason    string
}

// Differences are all that there are. The replay test holds the list against the recordings; docs/sandbox.md prints it.
func Differences() []Difference {
	return []Difference{
		{[]string{"auth/admin bearer ok"}, "the list of a shop's modules names only the few that the stand-in stands for"},
		{[]string{"misc/products-render-info needs storeId"}, "no storefront: what a shop's pages would show is not served"},
	}
}
