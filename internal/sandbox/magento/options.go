package magento

import "time"

// Options say what the stand-in is. The zero value is a Magento 2.4.7 with one website, the store views default and de,
// and an empty catalogue.
type Options struct {
	Websites []Website   // default: base
	Groups   []Group     // default: one of the first website
	Views    []StoreView // default: default and de
	BaseURL  string      // of the shop's pages and files, as it says of itself; default http://magento.test/

	WebsitePrices bool // catalog/price/scope: prices are each website's own
	Quirks        Quirks

	Products  int         // plain products P-1, P-2, … that are there from the start
	Catalogue int         // products of a generated catalogue: categories, options, configurables, pictures, two languages
	Seed      int64       // of the generated catalogue
	Limits    InputLimits // of what a request may ask for; the real one has them off

	Delay   time.Duration    // service time of a request; what races in a real shop races within it
	Workers int              // PHP workers: how many requests run at a time; 0: all that come
	Clock   func() time.Time // default: time.Now

	Open           bool          // nobody is asked who they are
	User, Password string        // of the Admin; default DefaultUser and DefaultPassword
	TokenLife      time.Duration // of an admin token; default an hour
	TwoFactor      bool          // the Admin asks for a second factor: a password alone gives no token
	Integration    Integration   // default DefaultIntegration
	Bearer         bool          // take the integration's token as it is, without a signature
	SigningURL     string        // scheme and host as PHP sees them; default: as the request says

	Maintenance     string // "html" or "text": the shop answers 503, in that form
	Control         string // token of /_sandbox/; empty: loopback only, no token
	ControlAnywhere bool   // take control requests of other hosts, too (needs Control)

	Consumers       int           // of the asynchronous queue, from the start; with several, operations overtake each other
	ConsumerDelay   time.Duration // before each operation
	ConsumerRestart time.Duration // after which another starts for one that died; 0: none does
	Shuffle         bool          // consumers take any operation, not the oldest
	Broker          bool          // a message broker: what a dead consumer had in hand comes again when one starts
}

// InputLimits are the settings below webapi/validation.
type InputLimits struct {
	On          bool
	MaxPage     int // most records of a page; default 300
	DefaultPage int // records of a page that says no size; default 999999
	MaxList     int // most elements of a list in a body; default 999999
}

// Quirks are faults that some releases have and 2.4.7 has not.
type Quirks struct {
	RepeatLastPage bool // a page past the end is the last one again
	FreezeViews    bool // up to 2.4.2 (categories: reported of later ones): a save at a store view makes all values the view's own
}

// Website is a website; ids are counted from 1.
type Website struct{ Code, Name string }

// Group is a store group of a website.
type Group struct {
	Code, Name, Website string
	Root                int // root category; default 2
}

// StoreView is a store view of a group.
type StoreView struct{ Code, Name, Group, Locale, Currency string }

func (o *Options) defaults() {
	if len(o.Websites) == 0 {
		o.Websites = []Website{{Code: "base", Name: "Main Website"}}
	}
	if len(o.Groups) == 0 {
		o.Groups = []Group{{Code: "main_website_store", Name: "Main Website Store", Website: o.Websites[0].Code}}
	}
	if len(o.Views) == 0 {
		o.Views = []StoreView{
			{Code: "default", Name: "Default Store View", Group: o.Groups[0].Code},
			{Code: "de", Name: "German", Group: o.Groups[0].Code, Locale: "de_DE"},
		}
	}
	o.Limits.defaults()
	if o.BaseURL == "" {
		o.BaseURL = "http://magento.test/"
	}
	if o.User == "" {
		o.User, o.Password = DefaultUser, DefaultPassword
	}
	if o.Integration.Token == "" {
		o.Integration = DefaultIntegration()
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}

func (l *InputLimits) defaults() {
	for to, n := range map[*int]int{&l.MaxPage: 300, &l.DefaultPage: 999999, &l.MaxList: 999999} {
		if *to == 0 {
			*to = n
		}
	}
}
