package pimcore

import "time"

// Options say what the stand-in is. The zero value is a Pimcore 11 with the classes of Catalogue and no objects.
type Options struct {
	Version  int    // 10, 11 or 12
	Endpoint string // the name of the DataHub configuration, the last part of the URL; default "sync"
	Keys     []string
	Classes  []Class
	Groups   []Group
	Units    []Unit

	Languages []string          // first: the default language
	Fallback  map[string]string // by language: the one that steps in silently
	Zone      *time.Location    // of the "PHP server": dates are written in it without offset

	HideColumns      []string // of key, fullpath, published: not in the endpoint's schema
	HideFields       []string // "Product.price": not in the endpoint's schema
	ReadOnly         bool     // no mutations at all: the schema has no root for them
	NoIntrospection  bool
	Workspaces       []Workspace // nil: everything is permitted
	NotAllowedFails  bool        // not_allowed_policy 1: a relation end that is not permitted fails its field
	OutputCache      time.Duration
	AssetPrefix      string // what fullpath of assets begins with: a frontend prefix or CDN
	VersioningOff    bool   // saves leave versionCount alone
	Now              func() time.Time
	Control          string        // token of POST /_sandbox/; empty: loopback only, no token
	ControlAnywhere  bool          // take control requests of other hosts, too (needs Control)
	AnswerDelay      time.Duration // of every request
	Seed             int64
	Products         int // products of the generated catalogue; 0: no catalogue
	VariantsPerThird int // variants of every third product; default 2
}

// Workspace permits something below a path; the deepest path that fits decides.
type Workspace struct {
	Path                         string
	Assets                       bool
	Create, Read, Update, Delete bool
}

// DefaultKey is the API key of a stand-in that was given none.
const DefaultKey = "sandbox-key-0123456789"

func (o *Options) defaults() {
	if o.Version == 0 {
		o.Version = 11
	}
	if o.Endpoint == "" {
		o.Endpoint = "sync"
	}
	if len(o.Keys) == 0 {
		o.Keys = []string{DefaultKey}
	}
	if len(o.Classes) == 0 {
		o.Classes = Catalogue()
	}
	if len(o.Groups) == 0 {
		o.Groups = catalogueGroups()
	}
	if len(o.Units) == 0 {
		o.Units = []Unit{{"g", "g", "Gram"}, {"kg", "kg", "Kilogram"}, {"1", "cm", "Centimetre"}}
	}
	if len(o.Languages) == 0 {
		o.Languages = []string{"en", "de", "fr"}
		o.Fallback = map[string]string{"de": "en"}
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.VariantsPerThird == 0 {
		o.VariantsPerThird = 2
	}
}
