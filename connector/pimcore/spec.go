package pimcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
	"github.com/lockstep-sync/lockstep/value"
)

// Connector opens DataHub endpoints.
var Connector lockstep.Connector = connector{}

type connector struct{}

// The defaults. Pimcore loads every object whole, however little is asked for: small pages, few at a time, patience.
const (
	defaultTimeout     = time.Minute
	defaultGrace       = time.Minute
	defaultPage        = 100
	defaultConcurrency = 2
	defaultMaxBody     = int64(64 << 20)
	defaultMaxRecord   = int64(16 << 20)
	maxPage            = 1000
)

// What becomes of a relation that reads empty, or shorter than it is, because its end cannot be seen.
const (
	keepHidden  = "keep"
	parkHidden  = "park"
	clearHidden = "clear"
)

// Spec describes the connector.
func (connector) Spec() lockstep.Spec {
	text := func(name, help string) lockstep.Setting {
		return lockstep.Setting{Name: name, Type: lockstep.TextSetting, Help: help}
	}
	version := text("version", "Pimcore's major version: 10 names its system columns differently in filters. auto asks the endpoint once.")
	version.Default, version.Choices = "auto", []string{"auto", "10", "11", "12"}
	return lockstep.Spec{
		Kind: "pimcore",
		Summary: "Pimcore's data objects by a DataHub GraphQL endpoint (Pimcore 10.6 to 12). Each class of the endpoint's schema is a stream; " +
			"which fields exist is what the endpoint's configuration offers. With `dsn`, changes are found in Pimcore's database and read by GraphQL.",
		Source: true, Target: true,
		Trackers: []lockstep.Tracker{lockstep.Timestamp, lockstep.Trigger, lockstep.Snapshot},
		Settings: []lockstep.Setting{
			{Name: "url", Type: lockstep.TextSetting, Required: true, Help: "The endpoint's full address: https://HOST/pimcore-graphql-webservices/NAME."},
			{Name: "api_key", Type: lockstep.TextSetting, Required: true, Secret: true, Help: "The endpoint's API key; it goes in the header X-API-Key."},
			version,
			{Name: "languages", Type: lockstep.TextsSetting, Help: "The languages of localized fields: `name` becomes `name_en`, `name_de`. The first is the endpoint's default language."},
			{Name: "zone", Type: lockstep.TextSetting, Default: "UTC", Help: "The time zone of Pimcore's PHP, in which dates come without offset."},
			{Name: "user_id", Type: lockstep.IntSetting, Help: "The Pimcore user that writes are made as; best one made for the sync alone."},
			{Name: "timeout", Type: lockstep.DurationSetting, Default: defaultTimeout, Help: "The longest that a request may take."},
			{Name: "grace", Type: lockstep.DurationSetting, Default: defaultGrace, Help: "Target: how long PHP may still be at a write whose answer did not come. Only then the object is looked at, before it is written again."},
			{Name: "page", Type: lockstep.IntSetting, Default: int64(defaultPage), Help: "Most objects in one request, at most 1000. Pimcore gets slower than its share with more."},
			{Name: "concurrency", Type: lockstep.IntSetting, Default: int64(defaultConcurrency), Help: "Most requests in flight."},
			{Name: "max_body", Type: lockstep.SizeSetting, Default: defaultMaxBody, Help: "The largest answer that is read."},
			{Name: "max_record", Type: lockstep.SizeSetting, Default: defaultMaxRecord, Help: "The largest record that is read. A larger one is parked (LS-TOO-LARGE) and its neighbours go on."},
			{Name: "dsn", Type: lockstep.TextSetting, Secret: true, Help: "Pimcore's database, mysql://USER:PASSWORD@HOST/DATABASE: with it, the tracker `trigger` finds what dates do not show."},
			{Name: "classes", Type: lockstep.TableSetting, Fields: classSettings(), Help: "What the endpoint does not say itself, by class."},
		},
		Example: "type: pimcore\nurl: https://pim.example.com/pimcore-graphql-webservices/sync\napi_key: ${PIMCORE_KEY}\nlanguages: [en, de]\nzone: Europe/Ljubljana\n" +
			"classes:\n  Product:\n    fields:\n      price: price decimal(12,2)\n      released: releaseDate date\n      category_codes: categories[].code\n      material: attributes.Apparel.material",
	}
}

func classSettings() []lockstep.Setting {
	return []lockstep.Setting{
		{Name: "key", Type: lockstep.TextSetting, Default: "id", Help: "The field that is the stream's key: id, or another field with unique values."},
		{Name: "parent", Type: lockstep.TextSetting, Help: "Target: the folder in which new objects are made, such as /Products."},
		{Name: "object_key", Type: lockstep.TextSetting, Default: "key", Help: "Target: the field whose text becomes a new object's key in its folder."},
		{Name: "delete_children", Type: lockstep.BoolSetting, Help: "Target: delete also objects that have others below them, with all of those. Without it such a delete is parked."},
		{Name: "variants", Type: lockstep.BoolSetting, Default: true, Help: "Read variants, too."},
		{Name: "inherits", Type: lockstep.BoolSetting, Default: true, Help: "Objects show their parent's values where their own are empty, so that a notice about an object is one about all below it."},
		{Name: "relations", Type: lockstep.TextSetting, Default: keepHidden, Choices: []string{keepHidden, parkHidden, clearHidden},
			Help: "What to do with a relation of which an end cannot be seen, because it is unpublished or not permitted: keep what the target has, park the record, or clear it as it reads."},
		{Name: "fields", Type: lockstep.NamedSetting, Help: "Fields by path, such as `name_de: name@de`, `weight: weight.value`, `category_codes: categories[].code`, with a type behind it where " +
			"GraphQL does not tell: `price decimal(12,2)`, `releaseDate date`, `availableFrom instant`. They stand beside what introspection finds, and win. Where introspection is off, only they are there."},
	}
}

// conf is the settings, read.
type conf struct {
	url       string
	version   string
	languages []string
	zone      *time.Location
	userID    int64
	grace     time.Duration
	page      int
	maxRecord int
	dsn       string
	classes   map[string]classConf
}

// classConf is what the settings say of a class.
type classConf struct {
	key       string
	parent    string
	objectKey string
	// deleteBelow lets objects be deleted that have others below them.
	deleteBelow bool
	variants    bool
	inherits    bool
	relations   string
	fields      []fieldConf // by alias
}

// fieldConf is a configured field.
type fieldConf struct {
	alias string
	path  path
	typed bool
	typ   value.Type
}

// plainClass is a class of which the settings say nothing.
var plainClass = classConf{key: "id", objectKey: "key", variants: true, inherits: true, relations: keepHidden}

func (c *conf) class(name string) classConf {
	if set, ok := c.classes[name]; ok {
		return set
	}
	return plainClass
}

// Open reads the settings; the endpoint is spoken to by Streams.
func (connector) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := readConf(s)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeConfig, err)
	}
	sys := newSystem(c, httpkit.Options{
		Timeout: s.Duration("timeout"), InFlight: int(s.Int("concurrency")), MaxBody: s.Int("max_body"),
	}, s.Text("api_key"))
	if c.dsn != "" {
		if sys.db, err = openDatabase(c.dsn); err != nil {
			_ = sys.Close()
			return nil, err
		}
	}
	return sys, nil
}

func readConf(s lockstep.Settings) (*conf, error) {
	c := &conf{
		url: s.Text("url"), version: s.Text("version"), languages: s.Texts("languages"), userID: s.Int("user_id"), grace: s.Duration("grace"),
		page: int(s.Int("page")), maxRecord: int(s.Int("max_record")), dsn: s.Text("dsn"), classes: map[string]classConf{},
	}
	if err := httpkit.CheckURL(c.url); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if s.Text("api_key") == "" {
		return nil, fmt.Errorf("api_key is needed")
	}
	if c.version == "" {
		c.version = "auto"
	}
	if !slices.Contains([]string{"auto", "10", "11", "12"}, c.version) {
		return nil, fmt.Errorf("version: %q is none of auto, 10, 11, 12", c.version)
	}
	zone := s.Text("zone")
	loc, err := time.LoadLocation(zone)
	if err != nil || strings.EqualFold(zone, "local") {
		return nil, fmt.Errorf("zone: there is no time zone %q", zone)
	}
	c.zone = loc
	switch {
	case c.page == 0:
		c.page = defaultPage
	case c.page < 0 || c.page > maxPage:
		return nil, fmt.Errorf("page: %d is not between 1 and %d", c.page, maxPage)
	}
	if c.maxRecord <= 0 {
		c.maxRecord = int(defaultMaxRecord)
	}
	for _, l := range c.languages {
		if !isLanguage(l) {
			return nil, fmt.Errorf("languages: %q is no language", l)
		}
	}
	for name, set := range s.Table("classes") {
		if c.classes[name], err = readClass(name, set); err != nil {
			return nil, fmt.Errorf("classes.%s: %w", name, err)
		}
	}
	return c, nil
}

func readClass(name string, s lockstep.Settings) (classConf, error) {
	c := plainClass
	if !isName(name) {
		return c, fmt.Errorf("it is no name of a class")
	}
	for into, setting := range map[*string]string{&c.key: "key", &c.objectKey: "object_key", &c.relations: "relations"} {
		if v := s.Text(setting); v != "" {
			*into = v
		}
	}
	c.parent = s.Text("parent")
	for into, setting := range map[*bool]string{&c.variants: "variants", &c.inherits: "inherits", &c.deleteBelow: "delete_children"} {
		if v, set := s[setting].(bool); set {
			*into = v
		}
	}
	if !slices.Contains([]string{keepHidden, parkHidden, clearHidden}, c.relations) {
		return c, fmt.Errorf("relations: %q is none of keep, park, clear", c.relations)
	}
	if c.parent != "" && !strings.HasPrefix(c.parent, "/") {
		return c, fmt.Errorf("parent: %q does not begin with /", c.parent)
	}
	fields := s.Named("fields")
	for _, alias := range slices.Sorted(maps.Keys(fields)) {
		f, err := readField(alias, fields[alias])
		if err != nil {
			return c, fmt.Errorf("fields.%s: %w", alias, err)
		}
		c.fields = append(c.fields, f)
	}
	return c, nil
}
