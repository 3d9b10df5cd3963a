package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// Cron is due at the times of a cron expression in a time zone. On the days when the clocks change:
//
//   - with hours named ("30 2 * * *"), each time of the day runs exactly once: the first of two, and at the moment of
//     the change where it is skipped;
//   - with every hour ("*/20 * * * *"), it runs by elapsed time, through both of two hours and past a skipped one.
type Cron struct {
	text   string
	spec   *cron.SpecSchedule
	zone   *time.Location
	hourly bool
}

// DowOrDom: where both days are restricted, either will do, as in every crontab.
var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)

const allHours = 1<<24 - 1

// ParseCron reads the five fields minute, hour, day of month, month and day of week, to be seen in zone.
func ParseCron(text string, zone *time.Location) (*Cron, error) {
	fields := strings.Fields(text)
	if len(fields) != 5 || strings.ContainsAny(text, "@=") {
		return nil, fmt.Errorf("a cron expression has five fields (minute hour day month weekday), such as \"0 3 * * *\"; this one has %d", len(fields))
	}
	parsed, err := cronParser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("the cron expression cannot be understood: %w", err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("a cron expression has five fields (minute hour day month weekday)")
	}
	spec.Location = time.UTC // it is asked about wall clocks only
	spec.MaxSearchYears = 12 // around 2100, eight years have no 29 February
	c := &Cron{text: strings.Join(fields, " "), spec: spec, zone: zone, hourly: spec.Hour&allHours == allHours}
	if c.spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("the cron expression names a day that never comes")
	}
	return c, nil
}

// Next is the first time after the one given; zero where there is none within twelve years.
func (c *Cron) Next(after time.Time) time.Time {
	if c.hourly {
		return c.nextElapsed(after)
	}
	// instant never goes backwards, so a tick of a wall clock up to that of after cannot lie behind it.
	for tick := c.spec.Next(wallOf(after, c.zone)); !tick.IsZero(); tick = c.spec.Next(tick) {
		if t := instant(tick, c.zone); t.After(after) {
			return t
		}
	}
	return time.Time{}
}

// nextElapsed looks at each stretch of an unchanging offset by itself.
func (c *Cron) nextElapsed(after time.Time) time.Time {
	at, wall := after.In(c.zone), wallOf(after, c.zone)
	for {
		tick := c.spec.Next(wall)
		if tick.IsZero() {
			return tick
		}
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		if t := tick.Add(-time.Duration(offset) * time.Second).In(c.zone); end.IsZero() || t.Before(end) {
			return t
		}
		at, wall = end.In(c.zone), wallOf(end, c.zone).Add(-1) // the change itself may be a tick
	}
}

func (c *Cron) String() string { return c.text + " " + c.zone.String() }
