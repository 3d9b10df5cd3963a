package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// withPairs is a right configuration of two flows face to face and one beside them, with pairs.
func withPairs(pairs string) string {
	flow := "  %s:\n    from: {system: %s, stream: %s, track: {by: snapshot}}\n    to: {system: %s, stream: %s}\n"
	return "systems:\n  one: {type: database, dsn: x}\n  two: {type: database, dsn: y}\nflows:\n" +
		fmt.Sprintf(flow, "there", "one", "s", "two", "t") + fmt.Sprintf(flow, "back", "two", "t", "one", "s") +
		fmt.Sprintf(flow, "aside", "one", "s", "two", "u") + pairs
}

func TestPairs(t *testing.T) {
	c := must(t, withPairs("pairs:\n  both: {a: there, b: back}\n"))
	if p, face, side := c.Pair("back"); p == nil || p.Name != "both" || p.Wins != NewestWins || face.Name != "there" || side != lockstep.B {
		t.Errorf("%+v %+v %v", p, face, side)
	}
	if p, face, _ := c.Pair("aside"); p != nil || face != nil {
		t.Errorf("%+v %+v", p, face)
	}
	if len(c.Unpaired()) != 0 {
		t.Errorf("%+v", c.Unpaired())
	}
	if c := must(t, withPairs("")); len(c.Unpaired()) != 1 || c.Unpaired()[0][0].Name != "there" {
		t.Errorf("%+v", c.Unpaired())
	}
	for pairs, want := range map[string]string{
		"{a: there, b: bakc}":                               "there is no flow \"bakc\"; did you mean `back`?",
		"{a: there, b: there}":                              "the flow \"there\" belongs to the pair both already",
		"{a: there}":                                        "needs `b`",
		"{a: there, b: aside}":                              "the flows do not face each other: there goes from one/s to two/t, so aside must go from two/t to one/s",
		"{a: there, b: back, wins: oldest}":                 "cannot be \"oldest\"",
		"{a: there, b: back}\n  again: {a: back, b: there}": "the flow \"back\" belongs to the pair both already",
	} {
		_, err := parse(t, withPairs("pairs:\n  both: "+pairs+"\n"))
		found := problems(t, err)
		if len(found) == 0 || !strings.Contains(found[0].String(), want) {
			t.Errorf("%s: %v, want %s", pairs, found, want)
		}
	}
}
