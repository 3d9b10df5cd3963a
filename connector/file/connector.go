package file

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

// Connector opens folders.
var Connector lockstep.Connector = connector{}

type connector struct{}

const defaultMaxRecord, defaultJournal = int64(16 << 20), int64(16 << 20)

// Spec describes the connector.
func (connector) Spec() lockstep.Spec {
	text := func(name, help string) lockstep.Setting {
		return lockstep.Setting{Name: name, Type: lockstep.TextSetting, Help: help}
	}
	pattern := text("pattern", "The stream's file, or several by a pattern such as orders-*.csv, read in the order of their names. By default the stream's name with its format.")
	format := text("format", "How the file is written; by default its extension says so.")
	format.Choices = []string{"", "csv", "jsonl"}
	delimiter := text("delimiter", "The character between two fields of a CSV file.")
	delimiter.Default = ","
	return lockstep.Spec{
		Kind: "file",
		Summary: "A folder of CSV and JSON Lines files, plain or gzipped (.gz). Each file is a stream; it is read whole, and written whole: " +
			"to a temporary name, synced and renamed, with a manifest of rows, bytes and SHA-256.",
		Source: true, Target: true,
		Trackers: []lockstep.Tracker{lockstep.Snapshot},
		Settings: []lockstep.Setting{
			{Name: "path", Type: lockstep.TextSetting, Required: true, Help: "The folder."},
			{Name: "max_record", Type: lockstep.SizeSetting, Default: defaultMaxRecord, Help: "The largest row; one above it is parked and the others go on."},
			{Name: "journal", Type: lockstep.SizeSetting, Default: defaultJournal, Help: "How large a target's journal may grow, or to half of its file if that is more, before it is folded into the file."},
			{Name: "streams", Type: lockstep.TableSetting, Help: "What the files do not say themselves, by stream.", Fields: []lockstep.Setting{
				pattern, format,
				{Name: "key", Type: lockstep.TextsSetting, Help: "The fields that make the key, in order."},
				{Name: "fields", Type: lockstep.TextsSetting, Help: "The fields with their types, such as \"price decimal(12,2)\"; a CSV field without a type is text. " +
					"Types: text, int, float, decimal, bool, date, wall (date and time), instant, clock, bytes (base64), uuid, json, list<text>."},
				delimiter,
				text("null", "The unquoted text that means null. By default an unquoted empty field is null, and a quoted empty one is an empty text."),
				{Name: "header", Type: lockstep.BoolSetting, Default: true, Help: "A CSV file's first row names its fields; without it, `fields` does."},
			}},
		},
		Example: "type: file\npath: ./export\nstreams:\n  products:\n    key: [sku]\n    fields: [sku text, \"price decimal(12,2)\", created date]",
	}
}

// conf is what the settings say of a stream.
type conf struct {
	pattern, format string
	key             []string
	fields          []lockstep.Field
	delim           byte
	null            string
	header          bool
}

var plainConf = conf{delim: ',', header: true}

// Open reads the settings; the folder is looked at by Streams.
func (connector) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sys := &System{
		dir: s.Text("path"), maxRecord: int(s.Int("max_record")), journalMax: s.Int("journal"),
		conf: map[string]conf{}, streams: map[string]*stream{}, step: func(string) {},
	}
	if sys.dir == "" {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "path: a folder must be named")
	}
	if sys.maxRecord <= 0 {
		sys.maxRecord = int(defaultMaxRecord)
	}
	if sys.journalMax <= 0 {
		sys.journalMax = defaultJournal
	}
	for name, set := range s.Table("streams") {
		c, err := readConf(set)
		if err != nil {
			return nil, lockstep.Faultf(lockstep.CodeConfig, "streams.%s: %w", name, err)
		}
		sys.conf[name] = c
	}
	return sys, nil
}

func readConf(s lockstep.Settings) (conf, error) {
	c := conf{pattern: s.Text("pattern"), format: s.Text("format"), key: s.Texts("key"), delim: ',', null: s.Text("null"), header: true}
	if d := s.Text("delimiter"); d != "" {
		if d == `\t` {
			d = "\t"
		}
		if len(d) != 1 || strings.ContainsAny(d, "\"\r\n") {
			return c, fmt.Errorf("delimiter: %q is not a single character", d)
		}
		c.delim = d[0]
	}
	if header, set := s["header"].(bool); set {
		c.header = header
	}
	if strings.ContainsAny(c.pattern, `/\`) || strings.HasPrefix(c.pattern, ".") {
		return c, fmt.Errorf("pattern: %q must name files of the folder itself", c.pattern)
	}
	if _, err := path.Match(c.pattern, ""); err != nil {
		return c, fmt.Errorf("pattern: %q: %w", c.pattern, err)
	}
	var err error
	if c.fields, err = typetext.Fields(s.Texts("fields")); err != nil {
		return c, fmt.Errorf("fields: %w", err)
	}
	if !c.header && len(c.fields) == 0 {
		return c, fmt.Errorf("fields: a file without a header needs them")
	}
	return c, nil
}
