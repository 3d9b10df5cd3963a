package magento

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// TestTargetContract runs the contract of targets on products.
func TestTargetContract(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		New: func(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
			p := placeOf(t, "text", streams...)
			return connectortest.Place{Open: func(ctx context.Context) (lockstep.System, error) {
				sys, err := p.Open(ctx)
				if err != nil {
					return nil, err
				}
				return &writtenCostume{sys.(*costume)}, nil
			}}
		},
		LoneKey: true, NoNull: true, IfVersion: false, Later: newQueuePlace,
		Holds: func(s connectortest.Sample) bool { return s.Name == "text(10)" },
	})
}

// newQueuePlace is a place whose shop works off its queue.
func newQueuePlace(t *testing.T) connectortest.Place {
	p := shopPlace(t, sandbox.Options{Consumers: 3, Shuffle: true, ConsumerDelay: 5 * time.Millisecond}, "text", connectortest.Item())
	return connectortest.Place{Open: func(ctx context.Context) (lockstep.System, error) {
		sys, err := p.Open(ctx)
		if err != nil {
			return nil, err
		}
		return &writtenCostume{sys.(*costume)}, nil
	}}
}

// Confirm has the keys of ends as the suite spells them.
func (c *writtenCostume) Confirm(ctx context.Context, stream string, receipts []string) ([]lockstep.Result, error) {
	got, err := c.sys.Confirm(ctx, productsStream, receipts)
	for i := range got {
		got[i].Key = lockstep.Key(keyOf(string(got[i].Key)))
	}
	return got, err
}

// writtenCostume is a costume that can be written, too.
type writtenCostume struct{ *costume }

func (c *writtenCostume) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	all, err := c.costume.Streams(ctx)
	for i := range all {
		all[i].ReadOnly = false
	}
	return all, err
}

func (c *writtenCostume) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	if stream != c.def.Name {
		return c.sys.Apply(ctx, "nothing", writes)
	}
	inner := make([]lockstep.Write, len(writes))
	for i, w := range writes {
		inner[i] = w
		inner[i].Key = lockstep.Key(skuOf(string(w.Key)))
		if w.Op == lockstep.Delete {
			continue
		}
		f := value.F("name", "a product", "price", 1)
		for name, v := range w.Fields.All() {
			switch in := c.inner(name); in {
			case updatedField:
			case "sku":
				text, _ := v.KeyText()
				f = f.With(in, value.Text(skuOf(text)))
			default:
				f = f.With(in, narrow(v))
			}
		}
		inner[i].Fields = f
	}
	got, err := c.sys.Apply(ctx, productsStream, inner)
	for i := range got {
		got[i].Key = lockstep.Key(keyOf(string(got[i].Key)))
	}
	return got, err
}

// narrow is a text as Magento's three bytes for a character hold it, and an empty one as one that it keeps.
func narrow(v value.Value) value.Value {
	if v.Kind() == value.KindText && (v.Text() == "" || beyondThreeBytes(v.Text())) {
		return value.Text("hex:" + hex.EncodeToString([]byte(v.Text())))
	}
	return v
}

// widen is a record with its texts as they were, and its numbers as numbers.
func (c *writtenCostume) widen(rec lockstep.Record) lockstep.Record {
	for name, v := range rec.Fields.All() {
		if v.Kind() != value.KindText {
			continue
		}
		if text, ok := strings.CutPrefix(v.Text(), "hex:"); ok {
			b, _ := hex.DecodeString(text)
			rec.Fields = rec.Fields.With(name, value.Text(string(b)))
		} else if f := c.def.Field(name); f != nil && f.Type.Kind == value.DecimalType {
			if d, err := value.ParseDecimal(v.Text()); err == nil {
				rec.Fields = rec.Fields.With(name, value.FromDecimal(d))
			}
		}
	}
	return rec
}

func (c *writtenCostume) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := c.costume.Scan(ctx, r, from, l)
	for i := range p.Changes {
		p.Changes[i].Record = c.widen(p.Changes[i].Record)
	}
	return p, err
}

func (c *writtenCostume) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	got, err := c.costume.Fetch(ctx, r, keys)
	for i := range got {
		got[i] = c.widen(got[i])
	}
	return got, err
}

func (c *writtenCostume) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	inner := make([]string, len(by))
	tuples := make([][]value.Value, len(values))
	for i, name := range by {
		inner[i] = c.inner(name)
	}
	for i, tuple := range values {
		for j, v := range tuple {
			if inner[j] == "sku" && v.Kind() == value.KindText {
				v = value.Text(skuOf(v.Text()))
			}
			v = narrow(v)
			tuples[i] = append(tuples[i], v)
		}
	}
	got, err := c.sys.Find(ctx, c.read(r), inner, tuples)
	for i := range got {
		for j := range got[i] {
			got[i][j] = c.widen(c.record(got[i][j], r.Fields))
		}
	}
	return got, err
}
