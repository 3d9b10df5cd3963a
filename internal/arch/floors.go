// Package arch holds the house's order: which package stands on which floor, and whom it may know. Its tests read the
// imports by `go list` and the sources by the parser; nothing imports it.
package arch

import (
	"fmt"
	"strings"
)

// Module is the path of the module.
const Module = "github.com/lockstep-sync/lockstep"

// Floor is a height in the house. Arrows point down: a package imports packages of lower floors only, and those of
// its own room.
type Floor int

// The floors. Kits stand between the words and the rooms of floor 1: they are shared by rooms that do not know each
// other, and know no room. Beside the house stand suites, doubles and tools: they may know the house, but only tests
// may know them.
const (
	Values Floor = iota
	Words
	Kits
	Rooms
	Engine
	Faces
	App
	Top
	Beside
)

var floorNames = map[Floor]string{
	Values: "floor 0 (value)", Words: "floor 0 (the root)", Kits: "floor 0 to 1 (kits)", Rooms: "floor 1", Engine: "floor 2", Faces: "floor 3",
	App: "floor 4", Top: "floor 5", Beside: "beside the house",
}

func (f Floor) String() string { return floorNames[f] }

// place puts a folder, and all below it, on a floor. It is one room, or, with each set, holds one room per folder.
type place struct {
	path  string
	floor Floor
	each  bool
}

// The house. The longest path that fits decides.
var house = []place{
	{path: "", floor: Words},
	{path: "value", floor: Values},

	{path: "connector/internal", floor: Kits, each: true},
	{path: "internal/decimal", floor: Kits},
	{path: "internal/schedule", floor: Kits},
	{path: "internal/webhook", floor: Kits},
	{path: "internal/sandbox/kit", floor: Kits},

	{path: "connector", floor: Rooms, each: true},
	{path: "internal/store", floor: Rooms, each: true},
	{path: "internal/mapping", floor: Rooms},
	{path: "internal/image", floor: Rooms},
	{path: "internal/conflict", floor: Rooms},
	{path: "internal/alert", floor: Rooms},
	{path: "internal/config", floor: Rooms},
	{path: "internal/logging", floor: Rooms},
	{path: "internal/guard", floor: Rooms},
	{path: "internal/sandbox", floor: Rooms, each: true},

	{path: "internal/engine", floor: Engine},
	{path: "internal/api", floor: Faces},
	{path: "internal/web", floor: Faces},
	{path: "connector/all", floor: Faces},
	{path: "internal/app", floor: App},
	{path: "internal/cli", floor: Top},
	{path: "cmd", floor: Top},

	{path: "connector/connectortest", floor: Beside},
	{path: "internal/store/storetest", floor: Beside},
	{path: "internal/testkit", floor: Beside},
	{path: "internal/trial", floor: Beside},
	{path: "internal/arch", floor: Beside},
	{path: "internal/bench", floor: Beside},
	{path: "internal/chaos", floor: Beside},
	{path: "internal/mariaserver", floor: Beside},
	{path: "internal/pgserver", floor: Beside},
	{path: "internal/testreport", floor: Beside},
	{path: "internal/trial", floor: Beside},
}

// Place is where a package stands: its floor, and its room, the folder whose packages know each other.
type Place struct {
	Floor Floor
	Room  string
}

// Find is the place of a package of the module, or an error where nobody gave it one.
func Find(pkg string) (Place, error) {
	rel := strings.TrimPrefix(strings.TrimPrefix(pkg, Module), "/")
	best, found := place{}, false
	for _, p := range house {
		fits := rel == p.path || p.path != "" && strings.HasPrefix(rel, p.path+"/")
		if fits && (!found || len(p.path) > len(best.path)) {
			best, found = p, true
		}
	}
	if !found {
		return Place{}, fmt.Errorf("%s stands on no floor: give it a place in internal/arch/floors.go, and a depguard rule in .golangci.yml", pkg)
	}
	room := best.path
	if best.each {
		first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(rel, best.path), "/"), "/")
		room += "/" + first
	}
	return Place{best.floor, room}, nil
}

// May tells why a package must not import another of the module in code that is not a test; nil if it may.
func May(from, to string) error {
	a, err := Find(from)
	if err != nil {
		return err
	}
	b, err := Find(to)
	if err != nil {
		return err
	}
	arrow := fmt.Sprintf("%s (%s) imports %s (%s)", from, a.Floor, to, b.Floor)
	switch {
	case a.Room == b.Room && a.Floor == b.Floor:
		return nil
	case a.Floor == Beside:
		return nil
	case b.Floor == Beside:
		return fmt.Errorf("%s: only tests may know it", arrow)
	case b.Floor > a.Floor:
		return fmt.Errorf("%s: arrows point down", arrow)
	case a.Floor == Top && b.Floor == Top:
		return nil // main knows cli
	case b.Floor == a.Floor:
		return fmt.Errorf("%s: rooms on one floor do not know each other", arrow)
	case b.Floor == Rooms && a.Floor == Engine && isPart(b.Room):
		return fmt.Errorf("%s: the engine knows connectors and stores by the root's interfaces only", arrow)
	}
	return nil
}

// isPart tells whether a room is a connector or a store: what only the app, which builds the house, puts in.
func isPart(room string) bool {
	return strings.HasPrefix(room, "connector/") || strings.HasPrefix(room, "internal/store/")
}
