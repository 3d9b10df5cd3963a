package engine

import (
	"encoding/binary"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
)

// A mapping has no clock and no chance: the same record gives the same image. So the end of a link on the source's side
// keeps a print of the record that was read when both sides were last level, and a record with that print needs no
// mapping to be found level: law 7 compares what would be the same twice. It halves what an unchanged record costs
// (docs/performance.md). Where the mapping refers to other flows' links the same record may give another image: there a
// print only tells that it is made with the same others. A pair has none, for it keeps a digest of its own there.

// printMark is what a print begins with, so that nobody takes it for a digest.
const printMark = 'p'

// sourcePrint is a print of a source record: the mark, and 128 bits over its fields, the mapping and the target's types.
type sourcePrint [17]byte

// printer is a printer for the flow's records, nil where it has none.
func (f *Flow) printer() *image.Printer {
	if f.Back != nil {
		return nil
	}
	by := f.made()
	return image.NewPrinter(by.Mapping + " " + by.Shape)
}

// print takes the prints of items as the source has them now.
func (w *worker) print(items []*item) {
	if w.prints == nil {
		return
	}
	for _, it := range items {
		if it.op == lockstep.Upsert && !it.change.Hint {
			sum := w.prints.Print(it.change.Record.Fields)
			it.print[0] = printMark
			binary.BigEndian.PutUint64(it.print[1:], sum.Hi)
			binary.BigEndian.PutUint64(it.print[9:], sum.Lo)
		}
	}
}

// familiar tells whether the item's record is the one that was read when both sides were last level.
func (w *worker) familiar(it *item) bool {
	if it.print[0] == 0 || w.linked || !it.known() || it.look || string(it.print[:]) != string(it.link.End(w.flow.Side).Digest) {
		return false
	}
	if w.flow.Light != nil && it.link.End(w.flow.Side).Version != it.change.Record.Version {
		return false // the link is to know the version
	}
	level := it.link.End(w.flow.Side.Other()).Digest
	return level != "" && level != gone
}

// printedOtherwise tells whether the link of a level record is to have another print: it is older than prints are, or the
// record may be made with others than it says.
func (w *worker) printedOtherwise(it *item) bool {
	was := it.link.End(w.flow.Side).Digest
	return was == "" || w.refers && was != it.print.digest()
}

// digest is the print as a link keeps it, "" for none.
func (p sourcePrint) digest() lockstep.Digest {
	if p[0] == 0 {
		return ""
	}
	return lockstep.Digest(p[:])
}
