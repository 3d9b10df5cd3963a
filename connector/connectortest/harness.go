package connectortest

import (
	"context"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Harness is what the suite has to know of a connector.
type Harness struct {
	// Connector, if given, has its Spec checked.
	Connector lockstep.Connector
	// New makes a place of its own that holds the streams, empty, with columns of the types asked for. It cleans up
	// by t.Cleanup.
	New func(t *testing.T, streams ...lockstep.Stream) Place
	// Holds tells which types of the corpus the system holds as they are; nil is all.
	Holds func(Sample) bool
	// Tracks are the trackers of Changes to be tested.
	Tracks []Track
	// Refusals are writes that the system must refuse.
	Refusals []Refusal
	// ServerKeys: New can make a stream whose keys the system chooses (Stream.ServerKeys).
	ServerKeys bool
	// LoneKey: the key of a stream is one field.
	LoneKey bool
	// IfVersion: records have a version, and Write.IfVersion is heeded.
	IfVersion bool
	// FrozenScan: a stream that changes under a scan ends the scan with a fault.
	FrozenScan bool
	// Later makes a place whose stream Item accepts writes and does them later (Confirmer); nil for none.
	Later func(t *testing.T) Place
	// NoNull: Put and Apply cannot hold a null that differs from an empty text.
	NoNull bool
}

// Place is where a system keeps its records: a database, a folder.
type Place struct {
	// Open opens the system. It may be called several times, one after the other.
	Open func(ctx context.Context) (lockstep.System, error)
	// Put makes records so, and Delete takes them away, by other means than Apply. Nil: it is done by Apply.
	Put    func(t *testing.T, stream string, records ...value.Fields)
	Delete func(t *testing.T, stream string, keys ...lockstep.Key)
}

// Track is a tracker to be tested. By, Name and Overlap are taken over. The stream that it is tested on has a field
// "changed", an instant, which Put is given as the time of the write; where there is a tracker that needs them, also
// "number", a whole number that Put is given higher each time, and "mark", which is true with each Put. Field is the one
// that the tracker reads. What it needs is installed before, where the system is an Installer.
type Track struct {
	lockstep.Track
	Deletes bool // the tracker sees deletes
	Rereads bool // changes may come again that were read before
}

// Refusal is a write that must be refused by itself, alone or among others.
type Refusal struct {
	Name string
	// New makes a place, and names the stream to write to.
	New func(t *testing.T) (Place, string)
	// Good are writes that must take effect, and Bad is the one that must not, in one Apply.
	Good []lockstep.Write
	Bad  lockstep.Write
	Want lockstep.Code
}

// Item is the stream that most tests use. The harness declares it as it is, and New may be given it under other names.
func Item() lockstep.Stream {
	return lockstep.Stream{
		Name: "item", Key: []string{"id"},
		Fields: []lockstep.Field{
			{Name: "id", Type: value.Type{Kind: value.TextType}},
			{Name: "name", Type: value.Type{Kind: value.TextType}, Nullable: true},
			{Name: "qty", Type: value.Type{Kind: value.IntType}, Nullable: true},
			{Name: "price", Type: value.Type{Kind: value.DecimalType, Precision: 12, Scale: 2}, Nullable: true},
			{Name: "note", Type: value.Type{Kind: value.TextType}, Nullable: true},
			{Name: "changed", Type: value.Type{Kind: value.InstantType, Unit: 1000}, Nullable: true},
		},
	}
}

// trackedItem is Item with the fields that the harness's trackers read.
func (h Harness) trackedItem() lockstep.Stream {
	s := Item()
	for _, k := range h.Tracks {
		switch k.By {
		case lockstep.Version:
			s.Fields = append(s.Fields, lockstep.Field{Name: "number", Type: value.Type{Kind: value.IntType, Bits: 64}, Nullable: true})
		case lockstep.Flag:
			s.Fields = append(s.Fields, lockstep.Field{Name: "mark", Type: value.Type{Kind: value.BoolType}, Nullable: true})
		}
	}
	return s
}

func itemFields() []string { return []string{"id", "name", "qty", "price", "note", "changed"} }

// Run runs the suite. What a system is not, a source or a target, is not tested.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Connector != nil {
		t.Run("Spec", func(t *testing.T) { CheckSpec(t, h.Connector.Spec()) })
	}
	b := begin(t, h, Item())
	_, scans := b.sys.(lockstep.Scanner)
	_, writes := b.sys.(lockstep.Target)
	_, creates := b.sys.(lockstep.Creator)
	group := func(name string, tests ...map[string]func(*testing.T, Harness)) {
		t.Run(name, func(t *testing.T) {
			for _, some := range tests {
				runAll(t, h, some)
			}
		})
	}
	group("System", systemTests)
	group("Fetch", fetchTests, when(!h.LoneKey, compositeFetchTests))
	if creates {
		group("Create", createTests)
	}
	if scans {
		group("Scan", scanTests, when(!h.FrozenScan, movingScanTests))
	}
	if writes {
		group("Apply", applyTests, when(!h.LoneKey, compositeApplyTests), when(h.ServerKeys, serverKeyTests), when(h.IfVersion, versionTests))
		group("Find", findTests)
		group("Types", typeTests)
	}
	if h.Later != nil {
		group("Confirm", confirmTests)
	}
	for _, track := range h.Tracks {
		t.Run("Changes/"+string(track.By), func(t *testing.T) { runTrack(t, h, track) })
	}
	if writes {
		for _, r := range h.Refusals {
			t.Run("Refuses/"+r.Name, func(t *testing.T) { runRefusal(t, h, r) })
		}
	}
}

func when(on bool, tests map[string]func(*testing.T, Harness)) map[string]func(*testing.T, Harness) {
	if on {
		return tests
	}
	return nil
}
