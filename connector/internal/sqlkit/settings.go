package sqlkit

import (
	"time"

	"github.com/lockstep-sync/lockstep"
)

// DefaultMaxRecord is the largest record read unless max_record says otherwise.
const DefaultMaxRecord = 16 << 20

// Settings are own, followed by the settings that all SQL systems have.
func Settings(own ...lockstep.Setting) []lockstep.Setting {
	return append(own,
		lockstep.Setting{Name: "streams", Type: lockstep.TableSetting, Help: "Overrides for single streams, by stream name.", Fields: streamSettings},
		lockstep.Setting{Name: "max_record", Type: lockstep.SizeSetting, Default: int64(DefaultMaxRecord),
			Help: "The largest record that is read. A larger one is parked (LS-TOO-LARGE) and its neighbours go on."},
		lockstep.Setting{Name: "statement_timeout", Type: lockstep.DurationSetting, Default: 10 * time.Minute,
			Help: "The longest a single statement may take."},
	)
}

var streamSettings = []lockstep.Setting{
	{Name: "table", Type: lockstep.TextSetting, Help: "The table or view behind the stream, where its name differs."},
	{Name: "key", Type: lockstep.TextsSetting, Help: "The fields that make the key, in order. Needed where the table has no primary key."},
	{Name: "where", Type: lockstep.TextSetting, Help: "An SQL condition: only rows for which it holds belong to the stream."},
	{Name: "fields", Type: lockstep.TextsSetting, Help: "The fields of the stream; the others are not seen."},
	{Name: "version", Type: lockstep.TextSetting, Help: "The field that moves with every write of a row, used to refuse writes over newer edits. Without it, the tracker's field."},
	{Name: "zone", Type: lockstep.TextSetting, Help: "The time zone in which times without a zone are written, where the tracker reads such a field."},
}

// Options are the common settings, read.
type Options struct {
	MaxRecord int
	Timeout   time.Duration
	Streams   map[string]Override
}

// Override is what the settings say of one stream.
type Override struct {
	Table, Where, Version, Zone string
	Key, Fields                 []string
}

// ReadOptions reads the common settings.
func ReadOptions(s lockstep.Settings) Options {
	o := Options{MaxRecord: int(s.Int("max_record")), Timeout: s.Duration("statement_timeout"), Streams: map[string]Override{}}
	if o.MaxRecord <= 0 {
		o.MaxRecord = DefaultMaxRecord
	}
	for name, t := range s.Table("streams") {
		o.Streams[name] = Override{
			Table: t.Text("table"), Where: t.Text("where"), Version: t.Text("version"), Zone: t.Text("zone"),
			Key: t.Texts("key"), Fields: t.Texts("fields"),
		}
	}
	return o
}
