package config

import (
	"path/filepath"
	"strings"
	"time"
)

var logShape = object[Log]{fields: []field[Log]{
	at("level", choice[string]{"debug", "info", "warn", "error"}, func(l *Log) *string { return &l.Level },
		"the least important lines to log", standard("info")),
	at("format", choice[string]{"text", "json"}, func(l *Log) *string { return &l.Format },
		"text for people, json (one object in each line) for machines", standard("text")),
}}

// fileShape is the whole file.
var fileShape = object[Config]{fields: []field[Config]{
	at("store", text, func(c *Config) *string { return &c.Store },
		"path of the store, the SQLite file in which lockstep remembers everything; relative to the configuration's folder", standard("lockstep.db")),
	at("socket", text, func(c *Config) *string { return &c.Socket },
		"path of the local socket of `lockstep run`; by default beside the store, with the ending `.sock`"),
	at("retention", lasting(time.Hour, 36500*24*time.Hour), func(c *Config) *time.Duration { return &c.Retention },
		"how long the timeline keeps the story of what is settled", standard("30d")),
	at("zone", zone, func(c *Config) **time.Location { return &c.Zone },
		"the time zone of cron expressions and windows, where a flow has none of its own; `Local` is the machine's", standard("UTC")),
	at("log", logShape, func(c *Config) *Log { return &c.Log }, "what is logged, and how"),
	at("api", shape[*API](apiShape), func(c *Config) **API { return &c.API },
		"the HTTP API of `lockstep run`: webhooks, pushed and pulled records, runs; absent, nothing listens"),
	at("systems", shape[[]*System](systemsShape{}), func(c *Config) *[]*System { return &c.Systems },
		"the systems, by names of your choice", required),
	at("flows", shape[[]*Flow](flowsShape{}), func(c *Config) *[]*Flow { return &c.Flows },
		"the flows, by names of your choice: each carries one stream, one way", required),
	at("pairs", shape[[]*Pair](pairsShape{}), func(c *Config) *[]*Pair { return &c.Pairs },
		"two-way sync, by names of your choice: two flows face to face, which share their links"),
}}

// settle fills in what depends on the rest.
func (d *decoder) settle(c *Config) {
	c.File, c.Dir, c.src, c.marks = d.src.name, d.dir, d.src, d.marks
	if !filepath.IsAbs(c.Store) {
		c.Store = filepath.Join(c.Dir, c.Store)
	}
	switch {
	case c.Socket == "":
		c.Socket = strings.TrimSuffix(c.Store, filepath.Ext(c.Store)) + ".sock"
	case !filepath.IsAbs(c.Socket):
		c.Socket = filepath.Join(c.Dir, c.Socket)
	}
}
