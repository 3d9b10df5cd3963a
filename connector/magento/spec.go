package magento

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

// Connector opens Magento shops.
var Connector lockstep.Connector = connector{}

type connector struct{}

// The defaults. Writes of one catalogue lock each other out: few at a time.
const (
	defaultTimeout       = time.Minute
	defaultGrace         = time.Minute
	defaultPage          = int64(100)
	defaultWriters       = int64(4)
	defaultAsyncDeadline = 15 * time.Minute
	defaultMaxImage      = int64(20 << 20)
	defaultMaxBody       = int64(64 << 20)
	defaultMaxRecord     = int64(16 << 20)
	maxPage              = 300 // where Magento limits its input it takes no larger one
	maxWriters           = 32
)

// What becomes of a value that Magento would take and not keep as it is.
const (
	parkUnknown = "park"
	warnUnknown = "warn" // the field is left out
)

// What becomes of a URL key that another record has.
const (
	suffixClash = "suffix"
	parkClash   = "park"
)

// What look-ups may create.
const (
	createOptions    = "options"
	createCategories = "categories"
	createSets       = "attribute_sets"
)

// Spec describes the connector.
func (connector) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind: "magento",
		Summary: "A Magento shop (Open Source or Adobe Commerce from 2.4.4 on) by its REST API: products with their texts per store view, images, " +
			"children and links, categories, attributes and their options, stock, prices, customers, and orders to read.",
		Source: true, Target: true,
		Trackers: []lockstep.Tracker{lockstep.Timestamp, lockstep.Snapshot},
		Settings: slices.Concat(loginSettings(), wayOfWriting(), bounds()),
		Example: "type: magento\nurl: https://shop.example.com\nconsumer_key: ${MAGENTO_CONSUMER_KEY}\nconsumer_secret: ${MAGENTO_CONSUMER_SECRET}\n" +
			"access_token: ${MAGENTO_TOKEN}\ntoken_secret: ${MAGENTO_TOKEN_SECRET}\nviews:\n  de: de\n  fr_fr: fr\ncreate: [options, categories]",
	}
}

func loginSettings() []lockstep.Setting {
	secret := func(name, help string) lockstep.Setting {
		return lockstep.Setting{Name: name, Type: lockstep.TextSetting, Secret: true, Help: help}
	}
	return []lockstep.Setting{
		{Name: "url", Type: lockstep.TextSetting, Required: true, Help: "The shop's base address, as in https://shop.example.com; no /rest behind it."},
		secret("consumer_key", "The consumer key of an integration. The four of an integration together sign each request (OAuth 1.0a): the way that needs no setting in Magento."),
		secret("consumer_secret", "The integration's consumer secret."),
		secret("access_token", "The integration's access token."),
		secret("token_secret", "The integration's access token secret."),
		{Name: "signing_url", Type: lockstep.TextSetting, Help: "The base address as Magento's PHP sees it, where a proxy before it changes the scheme, the host or the port: that is what signatures are made of. Default: `url`."},
		secret("token", "An integration's access token as a bearer. Magento refuses it unless `oauth/consumer/enable_integration_as_bearer` is on."),
		{Name: "username", Type: lockstep.TextSetting, Help: "An admin user, with `password`: lockstep logs in and renews its token. Does not work with two-factor authentication."},
		secret("password", "The admin user's password."),
	}
}

func wayOfWriting() []lockstep.Setting {
	return []lockstep.Setting{
		{Name: "views", Type: lockstep.NamedSetting, Help: "The store views that have fields of their own, each with what stands behind `_` in their names: `de_at: at` makes `name_at`. Default: every store view, by its code."},
		{Name: "writers", Type: lockstep.IntSetting, Default: defaultWriters, Help: "Most writes at a time. More than 4 make Magento run into deadlocks of its own."},
		{Name: "grace", Type: lockstep.DurationSetting, Default: defaultGrace, Help: "How long PHP may still be at a write whose answer did not come. Only then the record is looked at, before it is written again."},
		{Name: "create", Type: lockstep.TextsSetting, Choices: []string{createOptions, createCategories, createSets},
			Help: "What may be made where a product names one that is not there: options of attributes, categories by their path, attribute sets. Default: nothing."},
		{Name: "unknown_values", Type: lockstep.TextSetting, Default: parkUnknown, Choices: []string{parkUnknown, warnUnknown},
			Help: "What to do with a value that Magento would take without a word and keep otherwise (an unknown option, a text that it cuts, a status that does not exist): park the record, or leave the field out and say so."},
		{Name: "url_key_clash", Type: lockstep.TextSetting, Choices: []string{suffixClash, parkClash},
			Help: "What to do where another product or category has the URL key: put the SKU behind it, or park the record. Default: suffix where lockstep makes the key, park where the mapping does."},
		{Name: "async_from", Type: lockstep.IntSetting, Help: "From how many products in one batch on they go by Magento's queue (/async/bulk), and are followed until they are done. 0: never, unless the flow says so."},
		{Name: "async_deadline", Type: lockstep.DurationSetting, Default: defaultAsyncDeadline, Help: "How long an operation of the queue may stay open before the record is looked at and written again: its consumer may have died."},
		{Name: "max_image", Type: lockstep.SizeSetting, Default: defaultMaxImage, Help: "The largest image that is uploaded."},
		{Name: "media_hosts", Type: lockstep.TextsSetting, Help: "The hosts that images may be fetched from, with a port where it is not the usual one. Default: any that is not in a private network."},
	}
}

func bounds() []lockstep.Setting {
	return []lockstep.Setting{
		{Name: "timeout", Type: lockstep.DurationSetting, Default: defaultTimeout, Help: "The longest that a request may take."},
		{Name: "page", Type: lockstep.IntSetting, Default: defaultPage, Help: "Most records in one request, at most 300."},
		{Name: "max_body", Type: lockstep.SizeSetting, Default: defaultMaxBody, Help: "The largest answer that is read."},
		{Name: "max_record", Type: lockstep.SizeSetting, Default: defaultMaxRecord, Help: "The largest record that is read. A larger one is parked (LS-TOO-LARGE) and its neighbours go on."},
	}
}

// conf is the settings, read.
type conf struct {
	url     string // no slash at its end
	signing string // likewise
	login   login

	views         map[string]string // suffix by store view code; nil is every view by its code
	writers       int
	grace         time.Duration
	creates       map[string]bool
	unknown       string
	clash         string // "" where it depends on who made the key
	asyncFrom     int
	asyncDeadline time.Duration
	maxImage      int64
	mediaHosts    []string

	timeout   time.Duration
	page      int
	maxBody   int64
	maxRecord int
}

// login is how we say who we are: one of the three.
type login struct {
	oauth              *oauth
	bearer             string
	username, password string
}

// Open reads the settings; the shop is spoken to by Streams.
func (connector) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := readConf(s)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeConfig, err)
	}
	return newSystem(c), nil
}

func readConf(s lockstep.Settings) (*conf, error) {
	c := &conf{
		url: s.Text("url"), signing: s.Text("signing_url"), grace: s.Duration("grace"), unknown: s.Text("unknown_values"), clash: s.Text("url_key_clash"),
		asyncFrom: int(s.Int("async_from")), asyncDeadline: s.Duration("async_deadline"), maxImage: s.Int("max_image"), mediaHosts: s.Texts("media_hosts"),
		timeout: s.Duration("timeout"), maxBody: s.Int("max_body"), maxRecord: int(s.Int("max_record")),
	}
	c.fillIn()
	var errs []error
	errs = append(errs, c.readURLs(), c.readLogin(s), c.readViews(s.Named("views")), c.readCreates(s.Texts("create")))
	for _, n := range []struct {
		into      *int
		name      string
		def, most int64
	}{{&c.page, "page", defaultPage, maxPage}, {&c.writers, "writers", defaultWriters, maxWriters}} {
		v, set := s[n.name].(int64)
		if !set {
			v = n.def
		}
		if v < 1 || v > n.most {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", n.name, v, n.most))
		}
		*n.into = int(v)
	}
	if c.asyncFrom < 0 {
		errs = append(errs, fmt.Errorf("async_from: %d is less than 0", c.asyncFrom))
	}
	if !slices.Contains([]string{parkUnknown, warnUnknown}, c.unknown) {
		errs = append(errs, fmt.Errorf("unknown_values: %q is neither park nor warn", c.unknown))
	}
	if !slices.Contains([]string{"", suffixClash, parkClash}, c.clash) {
		errs = append(errs, fmt.Errorf("url_key_clash: %q is neither suffix nor park", c.clash))
	}
	return c, errors.Join(errs...)
}

// fillIn gives the defaults to what was not said: tests open systems without the configuration's room.
func (c *conf) fillIn() {
	if c.unknown == "" {
		c.unknown = parkUnknown
	}
	for into, def := range map[*time.Duration]time.Duration{&c.timeout: defaultTimeout, &c.grace: defaultGrace, &c.asyncDeadline: defaultAsyncDeadline} {
		if *into <= 0 {
			*into = def
		}
	}
	for into, def := range map[*int64]int64{&c.maxImage: defaultMaxImage, &c.maxBody: defaultMaxBody} {
		if *into <= 0 {
			*into = def
		}
	}
	if c.maxRecord <= 0 {
		c.maxRecord = int(defaultMaxRecord)
	}
}

func (c *conf) readURLs() error {
	if c.signing == "" {
		c.signing = c.url
	}
	for name, at := range map[string]*string{"url": &c.url, "signing_url": &c.signing} {
		if err := httpkit.CheckURL(*at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*at = strings.TrimRight(*at, "/")
		if u, err := url.Parse(*at); err != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("%s: the base address alone is needed, without ? and #", name)
		}
		if strings.HasSuffix(*at, "/rest") {
			return fmt.Errorf("%s: the shop's base address is needed, without /rest", name)
		}
	}
	return nil
}

func (c *conf) readLogin(s lockstep.Settings) error {
	parts := []string{"consumer_key", "consumer_secret", "access_token", "token_secret"}
	given := slices.DeleteFunc(slices.Clone(parts), func(name string) bool { return s.Text(name) == "" })
	c.login = login{bearer: s.Text("token"), username: s.Text("username"), password: s.Text("password")}
	if len(given) == len(parts) {
		c.login.oauth = &oauth{key: s.Text(parts[0]), secret: s.Text(parts[1]), token: s.Text(parts[2]), tokenSecret: s.Text(parts[3])}
	}
	ways := 0
	for _, used := range []bool{len(given) > 0, c.login.bearer != "", c.login.username != "" || c.login.password != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("a login is needed: consumer_key, consumer_secret, access_token and token_secret of an integration, or token, or username and password")
	case ways > 1:
		return errors.New("there is more than one login: keep the four of an integration, or token, or username and password")
	case len(given) > 0 && len(given) < len(parts):
		return fmt.Errorf("of an integration all four are needed: %s", strings.Join(parts, ", "))
	case (c.login.username == "") != (c.login.password == ""):
		return errors.New("username and password go together")
	}
	return nil
}

func (c *conf) readViews(views map[string]string) error {
	if len(views) == 0 {
		return nil
	}
	c.views = views
	used := map[string]string{}
	for _, code := range slices.Sorted(maps.Keys(views)) {
		suffix := views[code]
		switch other, twice := used[suffix]; {
		case !isCode(code) || code == adminView || code == allViews:
			return fmt.Errorf("views: %q is no store view's code", code)
		case !isCode(suffix):
			return fmt.Errorf("views.%s: %q cannot stand in a field's name", code, suffix)
		case twice:
			return fmt.Errorf("views: %s and %s have one suffix, %q", other, code, suffix)
		}
		used[suffix] = code
	}
	return nil
}

func (c *conf) readCreates(names []string) error {
	c.creates = map[string]bool{}
	for _, name := range names {
		if !slices.Contains([]string{createOptions, createCategories, createSets}, name) {
			return fmt.Errorf("create: %q is none of options, categories, attribute_sets", name)
		}
		c.creates[name] = true
	}
	return nil
}

// isCode tells what Magento takes as the code of an attribute or a store view.
func isCode(text string) bool {
	return text != "" && len(text) <= 60 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}
